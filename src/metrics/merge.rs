//! The numbers of all workers, added up while they are read. Writes none of them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use super::Labels;
use super::cell::{Count, DurationSum, Level};
use super::worker::{RouteCells, UpstreamCells, UpstreamOutcome, WorkerMetrics};
use crate::domain::refusal::RefusalCode;

/// The label of requests that came to no route.
pub(super) const NO_ROUTE: &str = "none";

/// All workers of one gateway as one source of metrics.
#[derive(Debug)]
pub(super) struct MergedWorkers {
    labels: Arc<Labels>,
    workers: Arc<[Arc<WorkerMetrics>]>,
}

impl MergedWorkers {
    pub(super) fn new(labels: Arc<Labels>, workers: Arc<[Arc<WorkerMetrics>]>) -> Self {
        Self { labels, workers }
    }

    fn encode_requests(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut metric = encoder.encode_descriptor(
            "wxgate_requests",
            "Requests that were answered, by the status of the answer.",
            None,
            MetricType::Counter,
        )?;
        for (route, cells) in self.routes() {
            let mut sums = BTreeMap::new();
            for (status, count) in cells.flat_map(|cells| cells.statuses.counts()) {
                *sums.entry(status).or_insert(0) += count;
            }
            for (status, sum) in sums {
                write_count(
                    &mut metric,
                    &[("route", route), ("status", &status.to_string())],
                    sum,
                )?;
            }
        }
        Ok(())
    }

    fn encode_durations(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut metric = encoder.encode_descriptor(
            "wxgate_request_duration_seconds",
            "How long it took to answer requests.",
            None,
            MetricType::Histogram,
        )?;
        for (route, cells) in self.routes() {
            let mut sum = DurationSum::new();
            cells.for_each(|cells| sum.add(&cells.durations));
            // A route that nobody asked for would fill the page with zeros.
            if sum.count() > 0 {
                metric
                    .encode_family(&[("route", route)])?
                    .encode_histogram::<NoLabelSet>(
                        sum.total.as_secs_f64(),
                        sum.count(),
                        &sum.buckets,
                        None,
                    )?;
            }
        }
        Ok(())
    }

    fn encode_websockets(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut metric = encoder.encode_descriptor(
            "wxgate_websockets",
            "WebSockets that are open.",
            None,
            MetricType::Gauge,
        )?;
        for (route, cells) in self.routes() {
            let levels = cells.filter_map(|cells| cells.websockets.get());
            let levels: Vec<_> = levels.map(Level::get).collect();
            // Most routes have none.
            if !levels.is_empty() {
                let level: i64 = levels.iter().sum();
                metric
                    .encode_family(&[("route", route)])?
                    .encode_gauge(&level)?;
            }
        }
        Ok(())
    }

    fn encode_refusals(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut metric = encoder.encode_descriptor(
            "wxgate_refusals",
            "Requests that the gateway itself refused.",
            None,
            MetricType::Counter,
        )?;
        for (place, code) in RefusalCode::ALL.into_iter().enumerate() {
            let counts = self.workers.iter().filter_map(|w| w.refusals.get(place));
            write_count(
                &mut metric,
                &[("code", code.as_str())],
                counts.map(Count::get).sum(),
            )?;
        }
        Ok(())
    }

    fn encode_upstream_requests(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut metric = encoder.encode_descriptor(
            "wxgate_upstream_requests",
            "Requests that were sent to an upstream.",
            None,
            MetricType::Counter,
        )?;
        for (upstream, cells) in self.upstreams() {
            for (place, outcome) in UpstreamOutcome::ALL.into_iter().enumerate() {
                let counts = cells.clone().filter_map(|c| c.outcomes.get(place));
                let labels = [("upstream", upstream), ("outcome", outcome.as_str())];
                write_count(&mut metric, &labels, counts.map(Count::get).sum())?;
            }
        }
        Ok(())
    }

    fn encode_upstream_connections(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut metric = encoder.encode_descriptor(
            "wxgate_upstream_connections",
            "Connections to an upstream.",
            None,
            MetricType::Gauge,
        )?;
        for (upstream, cells) in self.upstreams() {
            let open: i64 = cells.clone().map(|c| c.open.get()).sum();
            let active: i64 = cells.map(|c| c.taken.get()).sum();
            // A worker may be between two steps of one connection while it is read.
            let idle = (open - active).max(0);
            for (state, level) in [("active", active), ("idle", idle)] {
                let labels = [("upstream", upstream), ("state", state)];
                metric.encode_family(&labels)?.encode_gauge(&level)?;
            }
        }
        Ok(())
    }

    fn encode_connections(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut metric = encoder.encode_descriptor(
            "wxgate_connections",
            "Connections of clients.",
            None,
            MetricType::Gauge,
        )?;
        let level: i64 = self.workers.iter().map(|w| w.connections.get()).sum();
        metric.encode_gauge(&level)
    }

    /// Each route, and none at last, with its numbers in all workers.
    fn routes(&self) -> impl Iterator<Item = (&str, Box<dyn Iterator<Item = &RouteCells> + '_>)> {
        let named = self.labels.routes.iter().enumerate().map(|(place, label)| {
            let cells = self.workers.iter().filter_map(move |w| w.routes.get(place));
            (
                label.as_str(),
                Box::new(cells) as Box<dyn Iterator<Item = _>>,
            )
        });
        let unrouted = self.workers.iter().map(|w| &w.unrouted);
        named.chain([(NO_ROUTE, Box::new(unrouted) as Box<dyn Iterator<Item = _>>)])
    }

    /// Each upstream with its numbers in all workers.
    fn upstreams(
        &self,
    ) -> impl Iterator<Item = (&str, impl Iterator<Item = &UpstreamCells> + Clone)> {
        self.labels
            .upstreams
            .iter()
            .enumerate()
            .map(|(place, label)| {
                let cells = self
                    .workers
                    .iter()
                    .filter_map(move |w| w.upstreams.get(place));
                (label.as_str(), cells)
            })
    }
}

impl Collector for MergedWorkers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.encode_requests(&mut encoder)?;
        self.encode_durations(&mut encoder)?;
        self.encode_websockets(&mut encoder)?;
        self.encode_refusals(&mut encoder)?;
        self.encode_upstream_requests(&mut encoder)?;
        self.encode_upstream_connections(&mut encoder)?;
        self.encode_connections(&mut encoder)
    }
}

fn write_count(
    metric: &mut MetricEncoder<'_>,
    labels: &impl EncodeLabelSet,
    count: u64,
) -> fmt::Result {
    metric
        .encode_family(labels)?
        .encode_counter::<NoLabelSet, u64, f64>(&count, None)
}
