//! `[sessions]`: how long sessions live, and where their tokens stand.

use std::num::NonZeroUsize;
use std::time::Duration;

use http::HeaderName;
use http::header::AUTHORIZATION;

use super::body_fields::{self, BodyFields, FieldTaken};
use super::dialect::{self, Dialect};
use super::headers;
use super::plan::{SessionsPlan, StorePlan};
use super::raw::{RawSessions, Text, Texts};
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

/// `dialects` are those that the routes speak, and `taken` what they read in bodies.
pub(super) fn plan(
    raw: Option<RawSessions>,
    dialects: &[Dialect],
    taken: &[BodyFields],
    source: &Source<'_>,
    surroundings: &Surroundings,
) -> SessionsPlan {
    let raw = raw.unwrap_or_default();
    let keys = raw.encryption_keys;
    let store = session_store::plan(raw.store, source, surroundings);
    let is_in_memory = matches!(store, StorePlan::Memory);
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
        rotation: None,
        token: tokens(raw.token, dialects, taken, source),
        beside: dialect::beside(dialects),
        login_replay: source
            .accept(raw.login_replay, duration_or_zero)
            .unwrap_or(Duration::from_secs(10)),
        state: state.filter(|_| is_in_memory),
        encryption_keys: state::encryption_keys(keys, source, surroundings),
    }
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
