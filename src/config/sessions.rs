//! `[sessions]`: how long sessions live, and where their tokens stand.

use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::time::Duration;

use http::HeaderName;
use http::header::AUTHORIZATION;

use super::body_fields::{self, BodyFields, FieldTaken};
use super::dialect::{self, Dialect};
use super::headers;
use super::plan::{SessionsPlan, StorePlan};
use super::raw::{RawSessions, RawStore, Text, Texts};
use super::session_store;
use super::source::Source;
use super::state;
use super::surroundings::Surroundings;
use super::units::{UnitError, duration, duration_or_zero};
use crate::domain::session::SessionLimits;
use crate::domain::token::{TokenPlace, UnknownTokenPlace};

pub(super) const DEFAULT_TOKEN: [&str; 2] = ["header:X-Skey", "bearer"];
const WEEK: Duration = Duration::from_hours(7 * 24);
const DAY: Duration = Duration::from_hours(24);
/// How long a rotated skey may hold: long enough for a WebSocket to follow, and not so long that it was not worth it.
const GRACES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(1);

/// `dialects` are those that the routes speak, `taken` is what they read in bodies, and `rotates` whether one rotates skeys.
pub(super) fn plan(
    raw: Option<RawSessions>,
    (dialects, taken, rotates): (&[Dialect], &[BodyFields], bool),
    source: &Source<'_>,
    surroundings: &Surroundings,
) -> SessionsPlan {
    let raw = raw.unwrap_or_default();
    let keys = raw.encryption_keys;
    let place = raw.store.as_ref().map(RawStore::place);
    let store = session_store::plan(raw.store, source, surroundings);
    let is_in_memory = matches!(store, StorePlan::Memory);
    if let Some(place) = place.filter(|_| rotates && !is_in_memory) {
        let text =
            "skeys are not rotated in Redis yet; remove the route with `action = \"rotate\"`";
        source.problem(place, text);
    }
    if let Some(state) = raw.state.as_ref().filter(|_| !is_in_memory)
        && !state.value.is_empty()
    {
        let text = "sessions in Redis outlast this process without a file; remove `state`";
        source.problem(state.place, text);
    }
    let state = state::plan(raw.state, raw.state_interval, source, surroundings);
    SessionsPlan {
        store,
        limits: limits(raw.lifetime, raw.idle, source),
        capacity: raw.capacity.map_or(1_000_000, |capacity| capacity.value),
        max_per_user: raw.max_sessions_per_user.and_then(|most| some(most.value)),
        rotation: Some(grace(raw.rotate_grace, source)).filter(|_| rotates),
        token: tokens(raw.token, dialects, taken, source),
        beside: dialect::beside(dialects),
        login_replay: source
            .accept(raw.login_replay, duration_or_zero)
            .unwrap_or(Duration::from_secs(10)),
        state: state.filter(|_| is_in_memory),
        encryption_keys: state::encryption_keys(keys, source, surroundings),
    }
}

/// A grace that is no such is told, and the usual one stands in for it.
fn grace(written: Option<Text>, source: &Source<'_>) -> Duration {
    let grace = source.accept(written, |text| {
        let grace = duration(text)?;
        if GRACES.contains(&grace) {
            Ok(grace)
        } else {
            Err(NoGrace::Bounds(text.to_owned()))
        }
    });
    grace.unwrap_or(Duration::from_secs(10))
}

/// Why a text is no grace of a rotated skey.
#[derive(Debug, thiserror::Error)]
enum NoGrace {
    #[error(transparent)]
    Unit(#[from] UnitError),
    #[error("`{0}` is no grace for a rotated skey; write \"1s\" to \"1h\"")]
    Bounds(String),
}

/// More than there is room for is any number.
fn some(most: u64) -> Option<NonZeroUsize> {
    NonZeroUsize::new(usize::try_from(most).ok()?)
}

/// The places that are written, or the usual ones; and that of the dialects, if any is spoken.
fn tokens(
    written: Option<Texts>,
    dialects: &[Dialect],
    taken: &[BodyFields],
    source: &Source<'_>,
) -> Vec<TokenPlace> {
    let read = |text: &str| token(text, taken);
    let mut places = match written {
        Some(written) => source.accept_all(Some(written), read),
        None => DEFAULT_TOKEN
            .iter()
            .filter_map(|text| read(text).ok())
            .collect(),
    };
    let of_dialects = TokenPlace::Header(dialect::TOKEN);
    if !dialects.is_empty() && !places.contains(&of_dialects) {
        places.push(of_dialects);
    }
    places
}

fn limits(lifetime: Option<Text>, idle: Option<Text>, source: &Source<'_>) -> SessionLimits {
    let written = lifetime
        .as_ref()
        .map_or("7d".to_owned(), |text| text.value.clone());
    // A lifetime that could not be read is no measure for the idle time.
    let otherwise = if lifetime.is_some() {
        Duration::MAX
    } else {
        WEEK
    };
    let lifetime = source.accept(lifetime, duration).unwrap_or(otherwise);
    let idle = source.accept(idle, |text| within(text, lifetime, &written));
    SessionLimits {
        lifetime,
        idle: idle.unwrap_or(DAY.min(lifetime)),
    }
}

/// Why a text is no idle time.
#[derive(Debug, thiserror::Error)]
enum NoIdle {
    #[error(transparent)]
    Unit(#[from] UnitError),
    #[error("`{idle}` exceeds `lifetime`, which is \"{lifetime}\"; write at most that")]
    TooLong { idle: String, lifetime: String },
}

fn within(text: &str, lifetime: Duration, written: &str) -> Result<Duration, NoIdle> {
    let idle = duration(text)?;
    if idle > lifetime {
        return Err(NoIdle::TooLong {
            idle: text.to_owned(),
            lifetime: written.to_owned(),
        });
    }
    Ok(idle)
}

/// Why a text is no place for a token.
#[derive(Debug, thiserror::Error)]
enum NoToken {
    #[error(transparent)]
    Unknown(#[from] UnknownTokenPlace),
    #[error("`{0}` is a header that HTTP or wxgate itself needs; use another, such as \"X-Skey\"")]
    Reserved(HeaderName),
    #[error(transparent)]
    Taken(#[from] FieldTaken),
}

fn token(text: &str, taken: &[BodyFields]) -> Result<TokenPlace, NoToken> {
    let place = TokenPlace::parse(text)?;
    body_fields::check(&place, taken)?;
    match place {
        TokenPlace::Header(name) if name != AUTHORIZATION && headers::is_reserved(&name) => {
            Err(NoToken::Reserved(name))
        }
        place => Ok(place),
    }
}
