//! What sessions cost in the store itself: opens so many, and prints what a session takes of memory and what finding,
//! opening and closing one takes of time, as one line of JSON. Uses the library, with the allocator of the binary.

use std::fs;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use mimalloc::MiMalloc;
use serde_json::json;
use tokio::runtime::Builder;
use wxgate::config::{self, Surroundings};
use wxgate::domain::clock::Clock;
use wxgate::domain::identity::{Account, App, Identity, WechatId};
use wxgate::domain::session::SessionKey;
use wxgate::domain::token::SkeyDigest;
use wxgate::metrics::{Labels, Metrics};
use wxgate::store::Store;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Room for all sessions, with the usual times.
const CONFIG: &str = r#"
[apps.shop]
appid = "wx0123456789abcdef"
secret = { env = "SHOP_SECRET" }

[sessions]
capacity = 4000000

[upstreams.php]
servers = ["http://127.0.0.1:9000"]

[[routes]]
path = "/*"
upstream = "php"
"#;
/// A few sessions take too little memory to be seen among that of a process: so there are as many such stores as make up
/// for it.
const ENOUGH: usize = 200_000;
/// At most so many sessions are opened or closed between two looks at the clock.
const BATCH: usize = 1000;
/// A key as WeChat gives it.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODw==";

/// Measures the store of sessions.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many sessions there are
    #[arg(long)]
    sessions: usize,
    /// How many lookups are timed, and a tenth as many opened and closed
    #[arg(long, default_value_t = 2_000_000)]
    lookups: usize,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let runtime = Builder::new_current_thread().build()?;
    let found = runtime.block_on(measure(arguments.sessions.max(1), arguments.lookups.max(1)))?;
    Ok(writeln!(io::stdout(), "{found}")?)
}

async fn measure(sessions: usize, lookups: usize) -> anyhow::Result<serde_json::Value> {
    let stores = (ENOUGH / sessions).max(1);
    let houses = (0..stores).map(|_| House::new(sessions));
    let mut houses = houses.collect::<anyhow::Result<Vec<_>>>()?;
    let before = memory()?;
    for house in &mut houses {
        for place in 0..sessions {
            house.open(place).await?;
        }
        house.store.tidy();
    }
    let grown = memory()?.saturating_sub(before) * 1024;
    let bytes = grown / (stores * sessions) as u64;
    let mut house = houses.swap_remove(0);
    drop(houses);
    let find = house.time_finding(lookups).await?;
    let (open, close) = house.time_opening_and_closing(lookups / 10 + 1).await?;
    Ok(json!({ "bytes": bytes, "find_ns": find, "open_ns": open, "close_ns": close }))
}

/// A store, and who has a session in it.
struct House {
    store: Store,
    clock: Clock,
    app: Arc<App>,
    /// What leads to each session. It is as large before the first one as after the last.
    digests: Vec<SkeyDigest>,
    users: u64,
}

impl House {
    fn new(sessions: usize) -> anyhow::Result<Self> {
        let mut surroundings = Surroundings::of_process();
        let secret = ("SHOP_SECRET".to_owned(), "secret".to_owned());
        surroundings.variables.extend([secret]);
        let plan = config::read("store.toml", CONFIG, &surroundings)?;
        let labels = Labels {
            apps: vec!["shop".to_owned()],
            ..Labels::default()
        };
        let clock = Clock::start();
        let metrics = Arc::new(Metrics::new(labels, 1));
        let app = plan.apps.first().context("the config has no app")?;
        let nobody = SkeyDigest::of(&"0".repeat(43)).context("no skey has 43 characters")?;
        Ok(Self {
            store: Store::memory(&plan.sessions, clock.clone(), metrics),
            clock,
            app: Arc::clone(&app.app),
            digests: vec![nobody; sessions],
            users: 0,
        })
    }

    /// Opens a session of another user at this place.
    async fn open(&mut self, place: usize) -> anyhow::Result<()> {
        let identity = self.next_user()?;
        let opened = self.store.open(identity, SessionKey::new(KEY)).await?;
        if let Some(digest) = self.digests.get_mut(place) {
            *digest = opened.skey.digest();
        }
        Ok(())
    }

    fn next_user(&mut self) -> anyhow::Result<Identity> {
        self.users += 1;
        let openid = format!("oUser{:023}", self.users);
        Ok(Identity {
            app: Arc::clone(&self.app),
            openid: WechatId::parse(&openid).context("an openid is none")?,
            unionid: None,
            account: Account::default(),
        })
    }

    /// Nanoseconds to find the session of a random digest and to note its use. A request has its digest at hand; here it
    /// is fetched from among all of them before the time runs.
    async fn time_finding(&self, lookups: usize) -> anyhow::Result<f64> {
        let (mut finding, mut done) = (Duration::ZERO, 0);
        while done < lookups {
            let digests = (0..BATCH).map(|_| self.digests.get(self.any_place()).copied());
            let digests: Option<Vec<_>> = digests.collect();
            let digests = digests.context("no such place")?;
            let begun = now();
            for digest in &digests {
                let now = self.clock.now();
                let session = self.store.find(digest, now).await;
                session?.session().context("a session is gone")?.touch(now);
            }
            finding += begun.elapsed();
            done += digests.len();
        }
        Ok(each(finding, done))
    }

    /// Nanoseconds to open a session, and to close a random one, while there are about as many as before.
    async fn time_opening_and_closing(&mut self, count: usize) -> anyhow::Result<(f64, f64)> {
        let (mut opening, mut closing, mut done) = (Duration::ZERO, Duration::ZERO, 0);
        let batch = (self.digests.len() / 10).clamp(1, BATCH);
        while done < count {
            let places: Vec<_> = (0..batch).map(|_| self.any_place()).collect();
            let begun = now();
            for &place in &places {
                if let Some(digest) = self.digests.get(place) {
                    self.store.close(digest).await?;
                }
            }
            closing += begun.elapsed();
            let begun = now();
            for &place in &places {
                self.open(place).await?;
            }
            opening += begun.elapsed();
            done += batch;
        }
        Ok((each(opening, done), each(closing, done)))
    }

    fn any_place(&self) -> usize {
        fastrand::usize(..self.digests.len())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "what is measured is real time, which nobody turns"
)]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::cast_precision_loss, reason = "no count here is above 2^53")]
fn each(took: Duration, count: usize) -> f64 {
    took.as_secs_f64() * 1e9 / count as f64
}

/// What this process holds of memory, in KiB.
fn memory() -> anyhow::Result<u64> {
    let text = fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kib.context("/proc tells no memory")
}
