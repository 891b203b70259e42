//! What the state file costs: opens so many sessions, saves them and reads them back, and prints as one line of JSON how
//! long that took, how large the file is, and how long finding a session took at the most meanwhile. Uses the library,
//! with the allocator of the binary.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use mimalloc::MiMalloc;
use serde_json::{Value, json};
use tokio::runtime::Builder;
use wxgate::config::plan::Plan;
use wxgate::config::{self, Surroundings};
use wxgate::domain::clock::Clock;
use wxgate::domain::identity::{Account, App, Identity, WechatId};
use wxgate::domain::session::SessionKey;
use wxgate::domain::token::SkeyDigest;
use wxgate::metrics::{Labels, Metrics};
use wxgate::store::{Cast, State, Store};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Room for all sessions, with the usual times.
const CONFIG: &str = r#"
[apps.shop]
appid = "wx0123456789abcdef"
secret = { env = "SHOP_SECRET" }

[sessions]
capacity = 4000000
state = "THE_FILE"
ENCRYPTION

[upstreams.php]
servers = ["http://127.0.0.1:9000"]

[[routes]]
path = "/*"
upstream = "php"
"#;
/// A key as WeChat gives it.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODw==";
/// How many sessions are found in turn while they are saved.
const FOUND: usize = 100_000;

/// Measures the state file.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many sessions there are
    #[arg(long, default_value_t = 1_000_000)]
    sessions: usize,
    /// Where the file is written; it goes with the measurement
    #[arg(long, default_value = "target/state-of-a-bench")]
    file: PathBuf,
    /// Encrypt it
    #[arg(long)]
    sealed: bool,
    /// How many times it is saved and read
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let plan = plan(&arguments)?;
    let full = House::new(&plan)?;
    let digests = full.fill(arguments.sessions.max(1))?;
    for _ in 0..arguments.rounds.max(1) {
        let found = round(&plan, &full, &digests)?;
        writeln!(io::stdout(), "{found}")?;
    }
    let file = arguments.file.display();
    for file in [format!("{file}"), format!("{file}.lock")] {
        std::fs::remove_file(file)?;
    }
    Ok(())
}

/// Saves what is in `full` while its sessions are being found, and reads it back into another store.
fn round(plan: &Plan, full: &House, digests: &[SkeyDigest]) -> anyhow::Result<Value> {
    let state = full.state(plan)?;
    let before = resident()?;
    let is_over = AtomicBool::new(false);
    let (saving, finding) = thread::scope(|scope| {
        let finder = scope.spawn(|| full.slowest_finding(digests, &is_over));
        let (begun, cpu) = (now(), cpu()?);
        ensure!(state.save(), "the sessions were not saved");
        let saving = (begun.elapsed(), self::cpu()? - cpu);
        is_over.store(true, Ordering::Relaxed);
        let finding = finder
            .join()
            .map_err(|_| anyhow::anyhow!("it panicked"))??;
        Ok((saving, finding))
    })?;
    let grown = resident()?.saturating_sub(before);
    let bytes = std::fs::metadata(state.file())?.len();
    drop(state);
    let empty = House::new(plan)?;
    let state = empty.state(plan)?;
    let (begun, before) = (now(), cpu()?);
    state.read_back();
    let loading = (begun.elapsed(), cpu()? - before);
    let sessions = empty.count()?;
    ensure!(sessions == digests.len(), "{sessions} came back");
    Ok(json!({
        "sessions": sessions,
        "save_s": saving.0.as_secs_f64(),
        "save_cpu_s": saving.1,
        "load_s": loading.0.as_secs_f64(),
        "load_cpu_s": loading.1,
        "file_bytes": bytes,
        "grown_bytes_of_saving": grown,
        "slowest_find_meanwhile_us": finding.as_secs_f64() * 1e6,
    }))
}

fn plan(arguments: &Arguments) -> anyhow::Result<Plan> {
    let mut surroundings = Surroundings::of_process();
    let secret = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let secrets = [
        secret("SHOP_SECRET", "secret"),
        secret("STATE_KEY", &"07".repeat(32)),
    ];
    surroundings.variables.extend(secrets);
    let encryption = if arguments.sealed {
        "encryption_keys = [{ env = \"STATE_KEY\" }]"
    } else {
        ""
    };
    let file = std::path::absolute(Path::new(&arguments.file))?;
    let config = CONFIG
        .replace("THE_FILE", &file.display().to_string())
        .replace("ENCRYPTION", encryption);
    Ok(config::read("state.toml", &config, &surroundings)?)
}

/// A store with what is around it.
struct House {
    store: Store,
    clock: Clock,
    metrics: Arc<Metrics>,
    app: Arc<App>,
}

impl House {
    fn new(plan: &Plan) -> anyhow::Result<Self> {
        let labels = Labels {
            apps: vec!["shop".to_owned()],
            ..Labels::default()
        };
        let (clock, metrics) = (Clock::start(), Arc::new(Metrics::new(labels, 1)));
        let app = plan.apps.first().context("the config has no app")?;
        Ok(Self {
            store: Store::memory(&plan.sessions, clock.clone(), Arc::clone(&metrics)),
            clock,
            metrics,
            app: Arc::clone(&app.app),
        })
    }

    fn state(&self, plan: &Plan) -> anyhow::Result<State> {
        let cast = Cast {
            apps: vec![Arc::clone(&self.app)],
            claims: Vec::new(),
        };
        let state = self
            .store
            .state(&plan.sessions, cast, &self.clock, &self.metrics)?;
        state.context("the config has no state file")
    }

    /// Opens sessions, each of a user of its own with a unionid.
    fn fill(&self, sessions: usize) -> anyhow::Result<Vec<SkeyDigest>> {
        let runtime = Builder::new_current_thread().build()?;
        let open = |user| {
            let id = |first| WechatId::parse(&format!("{first}{user:027}"));
            let identity = Identity {
                app: Arc::clone(&self.app),
                openid: id('o').context("an openid is none")?,
                unionid: id('u'),
                account: Account::default(),
            };
            let opened = runtime.block_on(self.store.open(identity, SessionKey::new(KEY)))?;
            Ok(opened.skey.digest())
        };
        let digests = (0..sessions).map(open).collect();
        self.store.tidy();
        digests
    }

    /// How long finding a session took at the most, until it is over.
    fn slowest_finding(
        &self,
        digests: &[SkeyDigest],
        is_over: &AtomicBool,
    ) -> anyhow::Result<Duration> {
        let runtime = Builder::new_current_thread().build()?;
        let mut slowest = Duration::ZERO;
        let mut places = (0..digests.len())
            .step_by((digests.len() / FOUND).max(1))
            .cycle();
        while !is_over.load(Ordering::Relaxed) {
            let digest = places.next().and_then(|place| digests.get(place));
            let digest = digest.context("there is no session")?;
            let begun = now();
            let session = runtime.block_on(self.store.find(digest, self.clock.now()));
            session?
                .session()
                .context("a session is gone")?
                .touch(self.clock.now());
            slowest = slowest.max(begun.elapsed());
            // As a request does now and then, this waits for something else.
            thread::sleep(Duration::from_micros(100));
        }
        Ok(slowest)
    }

    fn count(&self) -> anyhow::Result<usize> {
        self.store.tidy();
        let page = self.metrics.encode();
        let mut lines = page.lines();
        let line = lines.find_map(|line| line.strip_prefix("wxgate_sessions{app=\"shop\"} "));
        Ok(line.context("no such metric")?.parse()?)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "what is measured is real time, which nobody turns"
)]
fn now() -> Instant {
    Instant::now()
}

/// The CPU time that this process has had, in seconds; on a busy machine it tells more than what a clock shows.
fn cpu() -> anyhow::Result<f64> {
    let text = std::fs::read_to_string("/proc/self/stat")?;
    let (_, numbers) = text.rsplit_once(')').context("/proc tells no times")?;
    let times = numbers.split_whitespace().skip(11).take(2);
    let ticks = times.map(str::parse::<u32>).sum::<Result<u32, _>>()?;
    // Linux counts a hundred a second here, whatever it has inside.
    Ok(f64::from(ticks) / 100.0)
}

/// The most memory that this process ever had, in bytes.
fn resident() -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: Option<u64> = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    Ok(kib.context("/proc tells no memory")? * 1024)
}
