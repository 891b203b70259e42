//! Asking servers whether they are well, again and again. Knows nothing of clients.

use std::rc::{Rc, Weak};

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request};
use tokio::time::sleep;

use super::Upstreams;
use super::seal::{Changes, Event, Outbound, Sealed, Sealer};
use super::send::Upstream;
use super::server::Server;
use crate::config::plan::HealthPlan;
use crate::domain::peer::{Peer, Scheme};
use crate::wire::body::Inbound;
use crate::wire::request_id::RequestId;

/// After how many answers in a row that are none, or a bad one, a server is not well. One good answer is enough.
const TOO_MANY: u32 = 2;

/// Asks every server of those upstreams that say how, for as long as there are any.
pub fn watch(upstreams: &Rc<Upstreams>, sealer: &Sealer) {
    let sealer = Rc::new(sealer.clone());
    for (index, upstream) in upstreams.upstreams.iter().enumerate() {
        if upstream.plan().health.is_none() {
            continue;
        }
        for place in 0..upstream.servers().len() {
            let watched = Watched {
                upstreams: Rc::downgrade(upstreams),
                sealer: Rc::clone(&sealer),
                upstream: index,
                server: place,
            };
            tokio::task::spawn_local(watched.watch());
        }
    }
}

/// A server, by its place, and what it takes to ask it.
struct Watched {
    upstreams: Weak<Upstreams>,
    sealer: Rc<Sealer>,
    upstream: usize,
    server: usize,
}

impl Watched {
    async fn watch(self) {
        let mut bad = 0;
        while let Some(interval) = self.ask(&mut bad).await {
            sleep(interval).await;
        }
    }

    /// Asks once, and gives the time until the next question; none if there is nobody left to ask for.
    async fn ask(&self, bad: &mut u32) -> Option<std::time::Duration> {
        let upstreams = self.upstreams.upgrade()?;
        let upstream = upstreams.upstreams.get(self.upstream)?;
        let server = upstream.servers().get(self.server)?;
        let health = upstream.plan().health.as_ref()?;
        let question = self.question(upstream, server, health);
        let asked = upstream.ask(server, question, &upstreams.hidden, health.timeout);
        let trouble = asked.await.err();
        *bad = if trouble.is_some() { *bad + 1 } else { 0 };
        match trouble {
            None if server.is_well(true) => {
                tracing::info!(server = %server.address, "a backend is well again");
            }
            Some(error) if *bad >= TOO_MANY && server.is_well(false) => {
                tracing::warn!(server = %server.address, %error, "a backend is not well, and is passed over");
            }
            None | Some(_) => {}
        }
        Some(health.interval)
    }

    fn question(&self, upstream: &Upstream, server: &Server, health: &HealthPlan) -> Sealed {
        let mut head = Request::new(()).into_parts().0;
        let host = HeaderValue::from_str(server.address.authority()).ok();
        head.headers.extend(host.map(|host| (HOST, host)));
        self.sealer.seal(Outbound {
            head: &mut head,
            path: &health.path,
            body: Inbound::Whole(Bytes::new()),
            peer: &Peer::new(None, Scheme::Http, &[]),
            request_id: &RequestId::generate(),
            identity: None,
            event: Some(Event::Health),
            changes: Changes::of(Some(upstream.plan())),
        })
    }
}
