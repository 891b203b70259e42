//! `[identity]`: the names under which backends get the identity.

use http::HeaderName;

use super::dialect::{self, Dialect};
use super::headers;
use super::plan::{IdentityHeader, IdentityPlan};
use super::raw::{RawIdentity, Text, Texts};
use super::sessions::DEFAULT_TOKEN;
use super::source::{Place, Source};
use crate::domain::identity::Fact;
use crate::domain::token::TokenPlace;

/// A whole set of headers that some backends are written for.
type Preset = &'static [(Fact, &'static str)];

/// What code for WeChat CloudRun reads; it trusts the others only where `X-WX-SOURCE` is.
const CLOUDRUN: Preset = &[
    (Fact::OpenId, "x-wx-openid"),
    (Fact::UnionId, "x-wx-unionid"),
    (Fact::AppId, "x-wx-appid"),
    (Fact::Source, "x-wx-source"),
];

/// `tokens` are the places for a token, if the config names them, and `dialects` those that the routes speak.
pub(super) fn plan(
    raw: Option<RawIdentity>,
    tokens: Option<&Texts>,
    dialects: &[Dialect],
    source: &Source<'_>,
) -> IdentityPlan {
    let raw = raw.unwrap_or_default();
    let place = raw.identity_preset.as_ref().map(|text| text.place);
    let named = match preset(&raw, source) {
        Some(preset) => of_preset(preset, place),
        None => one_by_one(raw, source),
    };
    let mut claims = token_claims(tokens);
    claims.extend(claims_of_dialects(dialects));
    let headers = named.into_iter().map(|Named { header, key, place }| {
        let claim = Claim::new(&header.name, format!("`{key}`"), place);
        claim.check(&claims, source);
        claims.push(claim);
        header
    });
    IdentityPlan(headers.collect())
}

/// A header, and where the config names it; a default one has no place.
struct Named {
    header: IdentityHeader,
    key: &'static str,
    place: Option<Place>,
}

/// The preset that is written. Beside it there are no names of one's own.
fn preset(raw: &RawIdentity, source: &Source<'_>) -> Option<Preset> {
    let presets = [("cloudrun", CLOUDRUN)];
    let preset = source.choose(raw.identity_preset.clone(), "preset", &presets)?;
    let own = [
        ("openid", &raw.openid),
        ("unionid", &raw.unionid),
        ("appid", &raw.appid),
    ];
    for (key, written) in own {
        if let Some(Text { place, .. }) = written {
            let text = format!("`{key}` has its name from `identity_preset`; remove one of them");
            source.problem(*place, text);
        }
    }
    Some(preset)
}

fn of_preset(preset: Preset, place: Option<Place>) -> Vec<Named> {
    let named = preset.iter().map(|(fact, name)| Named {
        header: IdentityHeader {
            name: HeaderName::from_static(name),
            fact: *fact,
        },
        key: "identity_preset",
        place,
    });
    named.collect()
}

fn one_by_one(raw: RawIdentity, source: &Source<'_>) -> Vec<Named> {
    let keys = [
        ("openid", raw.openid, "x-openid", Fact::OpenId),
        ("unionid", raw.unionid, "x-unionid", Fact::UnionId),
        ("appid", raw.appid, "x-appid", Fact::AppId),
    ];
    let named = keys
        .into_iter()
        .filter_map(|(key, written, default, fact)| {
            let place = written.as_ref().map(|text| text.place);
            let name = match written {
                None => HeaderName::from_static(default),
                Some(text) if text.value.is_empty() => return None,
                Some(text) => source.accept(text, header_name)?,
            };
            let header = IdentityHeader { name, fact };
            Some(Named { header, key, place })
        });
    named.collect()
}

/// Why a text is no header for an identity.
#[derive(Debug, thiserror::Error)]
enum NoHeader {
    #[error("`{0}` is no header name; write one such as \"X-OpenId\", or \"\" for none")]
    Form(String),
    #[error(
        "`{0}` is a header that HTTP or wxgate itself needs; use another, such as \"X-OpenId\""
    )]
    Reserved(String),
}

fn header_name(text: &str) -> Result<HeaderName, NoHeader> {
    let name = text.parse().map_err(|_| NoHeader::Form(text.to_owned()))?;
    if headers::is_reserved(&name) {
        return Err(NoHeader::Reserved(text.to_owned()));
    }
    Ok(name)
}

/// A header name that has a meaning; a default one has no place.
struct Claim {
    name: HeaderName,
    meaning: String,
    place: Option<Place>,
}

impl Claim {
    fn new(name: &HeaderName, meaning: String, place: Option<Place>) -> Self {
        let name = name.clone();
        Self {
            name,
            meaning,
            place,
        }
    }

    /// Notes that the name has another meaning already, at the one of the two that is written.
    fn check(&self, others: &[Self], source: &Source<'_>) {
        let name = headers::folded(&self.name);
        let taken = others
            .iter()
            .find(|other| headers::folded(&other.name) == name);
        if let Some(taken) = taken
            && let Some(place) = self.place.or(taken.place)
        {
            let (one, other) = (&taken.meaning, &self.meaning);
            let name = &self.name;
            let text =
                format!("`{name}` would stand for both {one} and {other}; rename one of them");
            source.problem(place, text);
        }
    }
}

fn token_claims(tokens: Option<&Texts>) -> Vec<Claim> {
    let written = |texts: &Texts| {
        let with_place = |text: &Text| claim_of_token(&text.value, Some(text.place));
        texts.value.iter().filter_map(with_place).collect()
    };
    let default = || {
        let without_place = |text: &&str| claim_of_token(text, None);
        DEFAULT_TOKEN.iter().filter_map(without_place).collect()
    };
    tokens.map_or_else(default, written)
}

/// The places that a dialect brings along. They have none in the config, so an identity header has to give way.
fn claims_of_dialects(dialects: &[Dialect]) -> impl Iterator<Item = Claim> {
    let token = (!dialects.is_empty()).then_some(dialect::TOKEN);
    let names = token.into_iter().chain(dialect::beside(dialects));
    names.map(|name| Claim::new(&name, "the session of a `dialect`".to_owned(), None))
}

fn claim_of_token(text: &str, place: Option<Place>) -> Option<Claim> {
    match TokenPlace::parse(text).ok()? {
        TokenPlace::Header(name) => Some(Claim::new(&name, "the token".to_owned(), place)),
        TokenPlace::Bearer
        | TokenPlace::Query(_)
        | TokenPlace::Cookie(_)
        | TokenPlace::Form(_)
        | TokenPlace::Json(_) => None,
    }
}
