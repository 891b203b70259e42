//! `[identity]`: the names under which backends get the identity, and what they themselves said of it.

use http::HeaderName;

use super::dialect::{self, Dialect};
use super::headers;
use super::plan::{IdentityHeader, IdentityPlan};
use super::raw::{RawIdentity, Text, Texts};
use super::sessions::DEFAULT_TOKEN;
use super::source::{Place, Source};
use crate::domain::identity::Fact;
use crate::domain::managed_names::fold;
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
    let mut raw = raw.unwrap_or_default();
    let place = raw.identity_preset.as_ref().map(|text| text.place);
    let (user_id, claims) = (raw.user_id.take(), std::mem::take(&mut raw.claims));
    let mut named = match preset(&raw, source) {
        Some(preset) => of_preset(preset, place),
        None => one_by_one(raw, source),
    };
    named.extend(by_key(
        "user_id",
        user_id,
        "x-user-id",
        Fact::UserId,
        source,
    ));
    named.extend(of_claims(&claims, source));
    let mut uses = token_uses(tokens);
    uses.extend(uses_of_dialects(dialects));
    let headers = named.into_iter().map(|Named { header, by, place }| {
        let its_use = Use::new(&header.name, by, place);
        its_use.check(&uses, source);
        uses.push(its_use);
        header
    });
    IdentityPlan {
        headers: headers.collect(),
        claims: claims.into_iter().map(|(claim, _)| claim.value).collect(),
    }
}

/// A header, and where the config names it; a default one has no place.
struct Named {
    header: IdentityHeader,
    /// What names it.
    by: String,
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
        by: "`identity_preset`".to_owned(),
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
        .filter_map(|(key, written, default, fact)| by_key(key, written, default, fact, source));
    named.collect()
}

/// The header that a key names, or the default one; `""` is for none.
fn by_key(
    key: &str,
    written: Option<Text>,
    default: &'static str,
    fact: Fact,
    source: &Source<'_>,
) -> Option<Named> {
    let place = written.as_ref().map(|text| text.place);
    let name = match written {
        None => HeaderName::from_static(default),
        Some(text) if text.value.is_empty() => return None,
        Some(text) => source.accept(text, header_name)?,
    };
    let header = IdentityHeader { name, fact };
    let by = format!("`{key}`");
    Some(Named { header, by, place })
}

/// The headers of `[identity.claims]`, each claim by its place there.
fn of_claims(claims: &[(Text, Text)], source: &Source<'_>) -> Vec<Named> {
    let header = |(index, (claim, written)): (usize, &(Text, Text))| {
        let claim = &claim.value;
        if written.value.is_empty() {
            let text = format!("the claim `{claim}` has no header; name one, or remove the claim");
            source.problem(written.place, text);
            return None;
        }
        let name = source.accept(written.clone(), header_name)?;
        let fact = Fact::Claim(index);
        Some(Named {
            header: IdentityHeader { name, fact },
            by: format!("the claim `{claim}`"),
            place: Some(written.place),
        })
    };
    claims.iter().enumerate().filter_map(header).collect()
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

/// What a header name is used for; a default one has no place.
struct Use {
    name: HeaderName,
    meaning: String,
    place: Option<Place>,
}

impl Use {
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
        let name = fold(self.name.as_str());
        let taken = others
            .iter()
            .find(|other| fold(other.name.as_str()) == name);
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

fn token_uses(tokens: Option<&Texts>) -> Vec<Use> {
    let written = |texts: &Texts| {
        let with_place = |text: &Text| use_of_token(&text.value, Some(text.place));
        texts.value.iter().filter_map(with_place).collect()
    };
    let default = || {
        let without_place = |text: &&str| use_of_token(text, None);
        DEFAULT_TOKEN.iter().filter_map(without_place).collect()
    };
    tokens.map_or_else(default, written)
}

/// The places that a dialect brings along. They have none in the config, so an identity header has to give way.
fn uses_of_dialects(dialects: &[Dialect]) -> impl Iterator<Item = Use> {
    let token = (!dialects.is_empty()).then_some(dialect::TOKEN);
    let names = token.into_iter().chain(dialect::beside(dialects));
    names.map(|name| Use::new(&name, "the session of a `dialect`".to_owned(), None))
}

fn use_of_token(text: &str, place: Option<Place>) -> Option<Use> {
    match TokenPlace::parse(text).ok()? {
        TokenPlace::Header(name) => Some(Use::new(&name, "the token".to_owned(), place)),
        TokenPlace::Bearer
        | TokenPlace::Query(_)
        | TokenPlace::Cookie(_)
        | TokenPlace::Form(_)
        | TokenPlace::Json(_)
        | TokenPlace::Subprotocol(_) => None,
    }
}
