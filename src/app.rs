//! From a checked config to a running gateway, and back to silence. Alone in seeing every part.

mod operators;

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;
use tokio::runtime::{Builder, LocalOptions, Runtime};
use tokio::sync::watch;
use tracing::Dispatch;
use tracing::dispatcher;

use crate::admin::readiness::{Phase, Readiness};
use crate::admin::{self, Admin};
use crate::config::plan::{AdminPlan, ListenPlace, ListenPlan, Plan};
use crate::domain::clock::Clock;
use crate::endpoints::login::Logins;
use crate::endpoints::phone::Phones;
use crate::gateway::{Crowds, Gateway, Limits, Shared};
use crate::listener::{self, ConnectionCount, Door, Listener, Socket};
use crate::metrics::{Labels, Metrics, WorkerMetrics};
use crate::renewal;
use crate::store::{Cast, State, Store};
use crate::wechat::{KeyChecks, Prover, WeChat};

/// How often ended sessions are freed and counted off.
const TIDY_EVERY: Duration = Duration::from_secs(5);
/// How many threads the control runtime has: what runs there is rare and waits most of the time.
const CONTROL_THREADS: usize = 2;
/// How long the control runtime may take to end.
const CONTROL_GRACE: Duration = Duration::from_secs(1);

/// A gateway that serves until it is stopped.
#[derive(Debug)]
pub struct Running {
    addresses: Vec<SocketAddr>,
    places: Vec<String>,
    /// The socket files that it made, and takes along at its end.
    files: Vec<PathBuf>,
    admin: Option<SocketAddr>,
    metrics: Arc<Metrics>,
    store: Store,
    state: Option<Arc<State>>,
    readiness: Readiness,
    stop_workers: watch::Sender<bool>,
    stop_admin: watch::Sender<bool>,
    workers: Vec<JoinHandle<anyhow::Result<()>>>,
    control: Runtime,
}

/// Starts a gateway as `plan` says, with `clock` for all that expires.
///
/// # Errors
///
/// A place to listen is taken or the state file is another process's, WeChat's address is none, or the system gives no
/// threads.
pub fn start(plan: Plan, clock: Clock) -> anyhow::Result<Running> {
    let readiness = Readiness::starting();
    let metrics = Arc::new(Metrics::new(labels(&plan), plan.server.workers));
    let control = control_runtime().context("the control runtime does not start")?;
    let store = store(&plan, &clock, &metrics, &control);
    let doors = listener::bind(&plan.server)?;
    let (addresses, places) = listened(&doors);
    let files = unix_files(&plan);
    let state = state(&plan, &store, &clock, &metrics, &control)?;
    let (stop_admin, admin_stopped) = watch::channel(false);
    let parts = shared(plan, &store, clock, &metrics, &control)?;
    let operators = operators::admin(&parts, &metrics, &readiness, state.clone());
    let admin = serve_admin(&parts.plan, &control, operators, admin_stopped)?;
    control.spawn(tidy_now_and_then(parts.clone()));
    if let Some(tls) = &parts.plan.server.tls {
        let certificates = Arc::clone(&tls.certificates);
        control.spawn(renewal::keep_fresh(certificates, parts.clock.clone()));
    }
    let (stop_workers, workers_stopped) = watch::channel(false);
    let workers = start_workers(doors, &parts, &metrics, &workers_stopped)?;
    readiness.reach(Phase::Ready);
    let running = Running {
        addresses,
        places,
        files,
        admin,
        metrics,
        store,
        state,
        readiness,
        stop_workers,
        stop_admin,
        workers,
        control,
    };
    Ok(running)
}

impl Running {
    /// Where it listens, as far as these places are addresses and ports.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// All places where it listens, as a config writes them.
    #[must_use]
    pub fn places(&self) -> &[String] {
        &self.places
    }

    /// Where the operator's listener is, if there is one.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// What it counts.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Its sessions.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Its state file, if it has one.
    #[must_use]
    pub fn state(&self) -> Option<&State> {
        self.state.as_deref()
    }

    /// Waits for `until` on the control runtime.
    pub fn wait<T>(&self, until: impl Future<Output = T>) -> T {
        self.control.block_on(until)
    }

    /// Runs `task` on the control runtime beside everything else.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.control.spawn(task);
    }

    /// Takes no more connections, lets those there are finish within `drain_timeout`, saves the sessions, and ends.
    ///
    /// # Errors
    ///
    /// A worker ended before it was told to.
    pub fn stop(self) -> anyhow::Result<()> {
        self.readiness.reach(Phase::Draining);
        self.stop_workers.send_replace(true);
        let mut ended = Ok(());
        for worker in self.workers {
            let result = worker
                .join()
                .unwrap_or_else(|_| Err(anyhow::anyhow!("a worker panicked")));
            ended = ended.and(result);
        }
        if let Some(state) = &self.state {
            state.save();
        }
        self.control.block_on(self.store.settle());
        for file in self.files {
            // One that somebody else took away needs no removing.
            let _ = std::fs::remove_file(file);
        }
        self.stop_admin.send_replace(true);
        self.control.shutdown_timeout(CONTROL_GRACE);
        ended
    }
}

fn labels(plan: &Plan) -> Labels {
    Labels {
        routes: plan
            .routes
            .iter()
            .map(|route| route.label.clone())
            .collect(),
        apps: plan.apps.iter().map(|app| app.app.name.clone()).collect(),
        upstreams: plan
            .upstreams
            .iter()
            .map(|upstream| upstream.name.clone())
            .collect(),
    }
}

fn shared(
    plan: Plan,
    store: &Store,
    clock: Clock,
    metrics: &Arc<Metrics>,
    control: &Runtime,
) -> anyhow::Result<Shared> {
    let wechat = WeChat::new(&plan.wechat, clock.clone()).context("[wechat]")?;
    let prover = Prover::new(plan.wechat.open_data_max_age, clock.clone());
    let (apps, metrics) = (|| plan.apps.clone(), || Arc::clone(metrics));
    let control = || control.handle().clone();
    let phones = Phones::new(apps(), wechat.clone(), metrics(), control());
    let key_checks = KeyChecks::new(apps(), wechat.clone(), clock.clone(), metrics(), control());
    let logins = Logins::new(
        apps(),
        wechat,
        store.clone(),
        prover.clone(),
        plan.sessions.login_replay,
        metrics(),
        control(),
    );
    Ok(Shared {
        crowds: Arc::new(Crowds::new(&plan.upstreams)),
        limits: Arc::new(Limits::new(&plan.limits, &clock)),
        plan: Arc::new(plan),
        store: store.clone(),
        logins: Arc::new(logins),
        phones: Arc::new(phones),
        key_checks: Arc::new(key_checks),
        prover,
        clock,
    })
}

/// What is slow and rare: WeChat, the operator's listener, tidying.
fn control_runtime() -> std::io::Result<Runtime> {
    let dispatch = current_dispatch();
    Builder::new_multi_thread()
        .worker_threads(CONTROL_THREADS)
        .thread_name("wxgate-control")
        .on_thread_start(move || {
            // The thread logs to where its starter does for as long as it lives.
            std::mem::forget(dispatcher::set_default(&dispatch));
        })
        .enable_all()
        .build()
}

fn serve_admin(
    plan: &Plan,
    control: &Runtime,
    parts: Admin,
    stopped: watch::Receiver<bool>,
) -> anyhow::Result<Option<SocketAddr>> {
    let Some(AdminPlan { listen, .. }) = &plan.admin else {
        return Ok(None);
    };
    let place = || format!("cannot listen on {listen} for [admin]");
    let listener = TcpListener::bind(listen).with_context(place)?;
    listener.set_nonblocking(true).with_context(place)?;
    let address = listener.local_addr().with_context(place)?;
    let _entered = control.enter();
    let listener = tokio::net::TcpListener::from_std(listener).with_context(place)?;
    control.spawn(admin::serve(listener, parts, told(stopped)));
    Ok(Some(address))
}

fn unix_files(plan: &Plan) -> Vec<PathBuf> {
    let file = |listen: &ListenPlan| match &listen.place {
        ListenPlace::Unix(path) => Some(path.clone()),
        ListenPlace::Tcp(_) | ListenPlace::Systemd => None,
    };
    let places = plan.server.listen.iter().chain(&plan.server.redirect);
    places.filter_map(file).collect()
}

fn start_workers(
    doors: Vec<Vec<Door>>,
    shared: &Shared,
    metrics: &Metrics,
    stopped: &watch::Receiver<bool>,
) -> anyhow::Result<Vec<JoinHandle<anyhow::Result<()>>>> {
    let count = ConnectionCount::default();
    let workers = doors.into_iter().zip(metrics.workers()).enumerate();
    let workers = workers.map(|(index, (doors, metrics))| {
        let worker = Worker {
            doors,
            shared: shared.clone(),
            count: count.clone(),
            metrics: Arc::clone(metrics),
            stopped: stopped.clone(),
        };
        let dispatch = current_dispatch();
        thread::Builder::new()
            .name(format!("wxgate-worker-{index}"))
            .spawn(move || dispatcher::with_default(&dispatch, || worker.run()))
            .context("the system gives no thread for a worker")
    });
    workers.collect()
}

/// What a worker's thread starts with.
struct Worker {
    doors: Vec<Door>,
    shared: Shared,
    count: ConnectionCount,
    metrics: Arc<WorkerMetrics>,
    stopped: watch::Receiver<bool>,
}

impl Worker {
    /// Serves on a runtime of this thread's own until told to stop.
    fn run(self) -> anyhow::Result<()> {
        let Self {
            doors,
            shared,
            count,
            metrics,
            stopped,
        } = self;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())
            .context("a worker's runtime does not start")?;
        let plan = Arc::clone(&shared.plan);
        let serving = async {
            let gateway = Rc::new(Gateway::new(shared, Arc::clone(&metrics)));
            let listener = Listener::new(&plan.server, gateway, count, metrics);
            let drain = plan.server.drain_timeout;
            listener.serve(doors, told(stopped), drain).await
        };
        runtime.block_on(serving).context("a worker cannot serve")
    }
}

async fn told(mut stopped: watch::Receiver<bool>) {
    // A sender that is gone says the same as one that says so.
    let _ = stopped.wait_for(|is_stopped| *is_stopped).await;
}

async fn tidy_now_and_then(parts: Shared) {
    let mut ticks = tokio::time::interval(TIDY_EVERY);
    loop {
        ticks.tick().await;
        parts.store.tidy();
        parts.limits.tidy();
        parts.logins.tidy().await;
    }
}

/// The addresses and all places where workers listen, which are the same for each of them.
fn listened(doors: &[Vec<Door>]) -> (Vec<SocketAddr>, Vec<String>) {
    let mine = doors.first().map(Vec::as_slice).unwrap_or_default();
    let mine = mine.iter().map(|door| &door.socket);
    let addresses = mine.clone().filter_map(Socket::address).collect();
    (addresses, mine.map(Socket::to_string).collect())
}

fn store(plan: &Plan, clock: &Clock, metrics: &Arc<Metrics>, control: &Runtime) -> Store {
    let (clock, metrics) = (clock.clone(), Arc::clone(metrics));
    Store::of(&plan.sessions, cast(plan), clock, metrics, control.handle())
}

fn cast(plan: &Plan) -> Cast {
    Cast {
        apps: plan.apps.iter().map(|app| Arc::clone(&app.app)).collect(),
        claims: plan.identity.claims.clone(),
    }
}

/// The state file, once it has been read back into `store`; whoever connects by now waits for that. From then on it is
/// written now and then.
fn state(
    plan: &Plan,
    store: &Store,
    clock: &Clock,
    metrics: &Arc<Metrics>,
    control: &Runtime,
) -> anyhow::Result<Option<Arc<State>>> {
    let state = store.state(&plan.sessions, cast(plan), clock, metrics)?;
    let state = state.map(Arc::new);
    if let Some((state, plan)) = state.clone().zip(plan.sessions.state.as_ref()) {
        state.read_back();
        control.spawn(state.save_every(plan.interval));
    }
    Ok(state)
}

fn current_dispatch() -> Dispatch {
    dispatcher::get_default(Clone::clone)
}
