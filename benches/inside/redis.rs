//! What sessions cost in Redis: opens so many, each of a user of its own, uses each, and writes these uses. What Redis takes
//! for them is asked of it by `benches/redis.sh`.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use futures_util::{StreamExt, TryStreamExt, stream};
use mimalloc::MiMalloc;
use serde_json::json;
use tokio::runtime::{Builder, Handle};
use tokio::time::sleep;
use wxgate::config::{self, Surroundings};
use wxgate::domain::clock::Clock;
use wxgate::domain::identity::{Account, App, Identity, WechatId};
use wxgate::domain::session::SessionKey;
use wxgate::metrics::{Labels, Metrics};
use wxgate::store::{Cast, Condition, Store};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const CONFIG: &str = r#"
[apps.shop]
appid = "wx0123456789abcdef"
secret = { env = "SHOP_SECRET" }

[sessions]
capacity = 4000000
store = { redis = "THE_URL" }
ENCRYPTION

[upstreams.php]
servers = ["http://127.0.0.1:9000"]

[[routes]]
path = "/*"
upstream = "php"
"#;
/// A key as WeChat gives it.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODw==";
/// How many logins are under way at a time.
const AT_ONCE: usize = 128;
/// After how many their uses are written.
const BATCH: usize = 5000;

/// Fills a Redis with sessions.
#[derive(Debug, Parser)]
struct Arguments {
    /// The server, which is empty
    #[arg(long)]
    url: String,
    /// How many sessions
    #[arg(long, default_value_t = 1_000_000)]
    sessions: usize,
    /// Encrypt them
    #[arg(long)]
    sealed: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let begun = now();
    runtime.block_on(fill(&arguments, runtime.handle()))?;
    let told = json!({ "sessions": arguments.sessions, "seconds": begun.elapsed().as_secs_f64() });
    Ok(writeln!(io::stdout(), "{told}")?)
}

/// Opens the sessions, and has each used once.
async fn fill(arguments: &Arguments, control: &Handle) -> anyhow::Result<()> {
    let clock = Clock::start();
    let (store, app) = store(arguments, &clock, control)?;
    while store.condition() != Condition::Up {
        sleep(Duration::from_millis(10)).await;
    }
    let open = |user| {
        let (store, clock, app) = (store.clone(), clock.clone(), Arc::clone(&app));
        async move {
            let identity = Identity {
                app,
                openid: WechatId::parse(&format!("o{user:027}")).context("an openid is none")?,
                unionid: WechatId::parse(&format!("u{user:027}")),
                account: Account::default(),
            };
            let opened = store.open(identity, SessionKey::new(KEY)).await?;
            // Later than its login, so that it is a use to be written.
            let later = clock.now().after(Duration::from_mins(2));
            store.touch(&opened.skey.digest(), &opened.session, later);
            anyhow::Ok(())
        }
    };
    for first in (0..arguments.sessions).step_by(BATCH) {
        let users = first..arguments.sessions.min(first + BATCH);
        let opening = stream::iter(users).map(open).buffer_unordered(AT_ONCE);
        opening.try_collect::<()>().await?;
        // It does not wait for ever, but for so many.
        store.settle().await;
    }
    Ok(())
}

fn store(
    arguments: &Arguments,
    clock: &Clock,
    control: &Handle,
) -> anyhow::Result<(Store, Arc<App>)> {
    let mut surroundings = Surroundings::of_process();
    let secret = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let secrets = [
        secret("SHOP_SECRET", "secret"),
        secret("SESSION_KEY", &"07".repeat(32)),
    ];
    surroundings.variables.extend(secrets);
    let encryption = if arguments.sealed {
        "encryption_keys = [{ env = \"SESSION_KEY\" }]"
    } else {
        ""
    };
    let config = CONFIG
        .replace("THE_URL", &arguments.url)
        .replace("ENCRYPTION", encryption);
    let plan = config::read("redis.toml", &config, &surroundings)?;
    let labels = Labels {
        apps: vec!["shop".to_owned()],
        ..Labels::default()
    };
    let app = plan.apps.first().context("the config has no app")?;
    let app = Arc::clone(&app.app);
    let cast = Cast {
        apps: vec![Arc::clone(&app)],
        claims: Vec::new(),
    };
    let metrics = Arc::new(Metrics::new(labels, 1));
    let store = Store::of(&plan.sessions, cast, clock.clone(), metrics, control);
    Ok((store, app))
}

#[expect(
    clippy::disallowed_methods,
    reason = "what is measured is real time, which nobody turns"
)]
fn now() -> Instant {
    Instant::now()
}
