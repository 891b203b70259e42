//! What a session takes in memory, and how long it takes to find one among all:
//! `cargo bench --bench store -- SESSIONS`, a million if none are told.
//!
//! Every session is of a user of its own. Memory is what the whole process grew by (PSS). A find is what every request
//! with a session does: digest, find, touch, for a random one; the token's text is at hand, as it is in a request.

use std::fs;
use std::io::{Write, stdout};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::FutureExt;
use mimalloc::MiMalloc;
use wxgate::config::plan::SessionsPlan;
use wxgate::domain::clock::Clock;
use wxgate::domain::identity::{Account, App, Identity, WechatId};
use wxgate::domain::session::{SessionKey, SessionLimits};
use wxgate::domain::token::SkeyDigest;
use wxgate::metrics::{Labels, Metrics};
use wxgate::store::Store;

/// As in the product.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const ROUNDS: usize = 5;
const FINDS: usize = 300_000;
/// How many tokens are copied out of all before they are looked up.
const AT_HAND: usize = 1000;
/// The characters of a token.
const TOKEN: usize = 43;

fn main() -> anyhow::Result<()> {
    let told = std::env::args().skip(1).find_map(|text| text.parse().ok());
    let count = told.unwrap_or(1_000_000);
    let clock = Clock::start();
    let store = store(&clock);
    let mut tokens = vec![[b' '; TOKEN]; count];
    let (before, since) = (memory()?, now());
    open(&store, &mut tokens)?;
    let took = since.elapsed();
    store.tidy();
    let grown = memory()?.saturating_sub(before);
    say(&format!(
        "{count} sessions: {} bytes each, opened in {} ns each\n",
        grown / count,
        took.as_nanos() / count as u128
    ))?;
    for _ in 0..ROUNDS {
        let mut times = find(&store, &clock, &tokens)?;
        times.sort_unstable();
        let at = |part: usize| times.get(times.len() * part / 100).copied();
        let (least, half, most) = (at(0), at(50), at(99));
        say(&format!(
            "found in {} ns, half of them; the fastest in {}, 99 of 100 in {}\n",
            half.unwrap_or_default(),
            least.unwrap_or_default(),
            most.unwrap_or_default()
        ))?;
    }
    Ok(())
}

fn store(clock: &Clock) -> Store {
    let plan = SessionsPlan {
        limits: SessionLimits {
            lifetime: Duration::from_hours(7 * 24),
            idle: Duration::from_hours(24),
        },
        capacity: 1_000_000,
        token: Vec::new(),
        beside: Vec::new(),
        login_replay: Duration::ZERO,
    };
    let labels = Labels {
        apps: vec!["shop".to_owned()],
        ..Labels::default()
    };
    Store::memory(&plan, clock.clone(), Arc::new(Metrics::new(labels, 1)))
}

fn open(store: &Store, tokens: &mut [[u8; TOKEN]]) -> anyhow::Result<()> {
    let appid = WechatId::parse("wx0123456789abcdef").context("an appid")?;
    let app = Arc::new(App {
        name: "shop".to_owned(),
        appid,
        index: 0,
    });
    for token in tokens {
        let identity = Identity {
            app: Arc::clone(&app),
            openid: WechatId::parse(&letters(28)).context("an openid")?,
            unionid: WechatId::parse(&letters(28)),
            account: Account::default(),
        };
        let key = SessionKey::new(&format!("{}==", letters(22)));
        let opened = store.open(identity, key).now_or_never();
        let opened = opened.context("it does not wait")??;
        token.copy_from_slice(opened.skey.reveal().as_bytes());
    }
    Ok(())
}

/// How long each of many finds took, in nanoseconds.
fn find(store: &Store, clock: &Clock, tokens: &[[u8; TOKEN]]) -> anyhow::Result<Vec<u128>> {
    let mut times = Vec::with_capacity(FINDS);
    while times.len() < FINDS {
        let random = || fastrand::choice(tokens).copied();
        let at_hand: Vec<_> = std::iter::repeat_with(random)
            .flatten()
            .take(AT_HAND)
            .collect();
        for token in at_hand {
            let text = std::str::from_utf8(&token)?;
            let since = now();
            let digest = SkeyDigest::of(text).context("it is a token")?;
            let found = store.find(&digest).now_or_never().flatten();
            // Beyond the capacity, some are gone.
            if let Some(session) = found {
                session.touch(clock.now());
            }
            times.push(since.elapsed().as_nanos());
        }
    }
    Ok(times)
}

fn letters(count: usize) -> String {
    std::iter::repeat_with(fastrand::alphanumeric)
        .take(count)
        .collect()
}

/// What this process takes, in bytes.
fn memory() -> anyhow::Result<usize> {
    let rollup = fs::read_to_string("/proc/self/smaps_rollup")?;
    let pss = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib = pss.and_then(|line| line.split_whitespace().next());
    Ok(kib.context("no Pss")?.parse::<usize>()? * 1024)
}

#[expect(
    clippy::disallowed_methods,
    reason = "nothing here is tested by turning the time"
)]
fn now() -> Instant {
    Instant::now()
}

fn say(text: &str) -> anyhow::Result<()> {
    Ok(stdout().write_all(text.as_bytes())?)
}
