//! The shape of an answer: JSON with places to fill in. Knows neither TOML nor HTTP.

use serde_json::{Map, Value};

/// A place in a template that is filled in when an answer is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// `{skey}`: the session token.
    Skey,
    /// `{session_id}`: a name of the session that leads nowhere.
    SessionId,
    /// `{user_info}`: what this login told of the user, an object.
    UserInfo,
    /// `{expires_in}`: the lifetime that is left, in seconds.
    ExpiresIn,
    /// `{openid}`: the user in this mini-program.
    OpenId,
    /// `{unionid}`: the user across mini-programs, or null.
    UnionId,
    /// `{user_id}`: the user as the backend knows them, or null.
    UserId,
    /// `{data}`: what the backend adds to the answer to a login, or null.
    Data,
    /// `{phone_number}`: the user's number, a foreign one with its country code.
    PhoneNumber,
    /// `{pure_phone_number}`: the number without a country code.
    PurePhoneNumber,
    /// `{country_code}`: the country code alone.
    CountryCode,
    /// `{code}`: the refusal's code.
    Code,
    /// `{message}`: the refusal's sentence.
    Message,
    /// `{request_id}`: the id that the log and the backend see.
    RequestId,
    /// `{null}`: JSON's null, which TOML lacks.
    Null,
}

impl Placeholder {
    /// What the answer to a login can tell.
    pub const LOGIN: &[Self] = &[
        Self::Skey,
        Self::SessionId,
        Self::ExpiresIn,
        Self::OpenId,
        Self::UnionId,
        Self::UserInfo,
        Self::UserId,
        Self::Data,
        Self::Null,
    ];
    /// What the answer to a check can tell.
    pub const CHECK: &[Self] = &[
        Self::ExpiresIn,
        Self::OpenId,
        Self::UnionId,
        Self::UserId,
        Self::Null,
    ];
    /// What the answer to a rotation can tell.
    pub const ROTATE: &[Self] = &[
        Self::Skey,
        Self::SessionId,
        Self::ExpiresIn,
        Self::OpenId,
        Self::UnionId,
        Self::UserId,
        Self::Null,
    ];
    /// What the answer to a logout can tell.
    pub const LOGOUT: &[Self] = &[Self::Null];
    /// What the answer to a phone code can tell.
    pub const PHONE: &[Self] = &[
        Self::PhoneNumber,
        Self::PurePhoneNumber,
        Self::CountryCode,
        Self::Null,
    ];
    /// What a refusal can tell.
    pub const REFUSAL: &[Self] = &[Self::Code, Self::Message, Self::RequestId, Self::Null];

    /// The name between the braces.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Skey => "skey",
            Self::SessionId => "session_id",
            Self::UserInfo => "user_info",
            Self::ExpiresIn => "expires_in",
            Self::OpenId => "openid",
            Self::UnionId => "unionid",
            Self::UserId => "user_id",
            Self::Data => "data",
            Self::PhoneNumber => "phone_number",
            Self::PurePhoneNumber => "pure_phone_number",
            Self::CountryCode => "country_code",
            Self::Code => "code",
            Self::Message => "message",
            Self::RequestId => "request_id",
            Self::Null => "null",
        }
    }
}

/// A checked answer shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Template(Node);

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Fixed(Value),
    Whole(Placeholder),
    Text(Vec<Part>),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Fixed(String),
    Place(Placeholder),
}

/// A placeholder that the kind of answer does not have.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{{{name}}} is not filled in here; there are {}", list(.allowed))]
pub struct UnknownPlaceholder {
    /// The name between the braces.
    pub name: String,
    /// What could stand there.
    pub allowed: &'static [Placeholder],
}

fn list(allowed: &[Placeholder]) -> String {
    let names: Vec<_> = allowed
        .iter()
        .map(|place| format!("{{{}}}", place.name()))
        .collect();
    names.join(" ")
}

impl Template {
    /// Reads a shape whose texts may hold `{name}` for each of `allowed`.
    ///
    /// # Errors
    ///
    /// A `{word}` that is none of `allowed`. Braces around anything but a word stand for themselves.
    pub fn parse(
        shape: &Value,
        allowed: &'static [Placeholder],
    ) -> Result<Self, UnknownPlaceholder> {
        Node::parse(shape, allowed).map(Self)
    }

    /// Fills the shape in: a text that is one placeholder alone becomes the value itself, whatever its type.
    pub fn fill(&self, value_of: impl Fn(Placeholder) -> Value) -> Value {
        self.0.fill(&value_of)
    }
}

impl Node {
    fn parse(shape: &Value, allowed: &'static [Placeholder]) -> Result<Self, UnknownPlaceholder> {
        Ok(match shape {
            Value::String(text) => Self::parse_text(text, allowed)?,
            Value::Array(items) => Self::List(
                items
                    .iter()
                    .map(|item| Self::parse(item, allowed))
                    .collect::<Result<_, _>>()?,
            ),
            Value::Object(members) => Self::Object(
                members
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), Self::parse(value, allowed)?)))
                    .collect::<Result<_, _>>()?,
            ),
            Value::Null | Value::Bool(_) | Value::Number(_) => Self::Fixed(shape.clone()),
        })
    }

    fn parse_text(text: &str, allowed: &'static [Placeholder]) -> Result<Self, UnknownPlaceholder> {
        let parts = split(text, allowed)?;
        Ok(match parts.as_slice() {
            [Part::Place(place)] => Self::Whole(*place),
            [] | [Part::Fixed(_)] => Self::Fixed(Value::String(text.to_owned())),
            _ => Self::Text(parts),
        })
    }

    fn fill(&self, value_of: &impl Fn(Placeholder) -> Value) -> Value {
        match self {
            Self::Fixed(value) => value.clone(),
            Self::Whole(place) => value_of(*place),
            Self::Text(parts) => {
                Value::String(parts.iter().map(|part| part.fill(value_of)).collect())
            }
            Self::List(items) => {
                Value::Array(items.iter().map(|item| item.fill(value_of)).collect())
            }
            Self::Object(members) => Value::Object(
                members
                    .iter()
                    .map(|(key, node)| (key.clone(), node.fill(value_of)))
                    .collect::<Map<_, _>>(),
            ),
        }
    }
}

impl Part {
    fn fill(&self, value_of: &impl Fn(Placeholder) -> Value) -> String {
        match self {
            Self::Fixed(text) => text.clone(),
            Self::Place(place) => match value_of(*place) {
                Value::String(text) => text,
                Value::Null => String::new(),
                other => other.to_string(),
            },
        }
    }
}

fn split(text: &str, allowed: &'static [Placeholder]) -> Result<Vec<Part>, UnknownPlaceholder> {
    let mut parts = Vec::new();
    let mut fixed = String::new();
    let mut rest = text;
    while let Some((before, name, after)) = next_braces(rest) {
        fixed.push_str(before);
        let place = allowed.iter().find(|place| place.name() == name);
        let place = *place.ok_or_else(|| UnknownPlaceholder {
            name: name.to_owned(),
            allowed,
        })?;
        if !fixed.is_empty() {
            parts.push(Part::Fixed(std::mem::take(&mut fixed)));
        }
        parts.push(Part::Place(place));
        rest = after;
    }
    fixed.push_str(rest);
    if !fixed.is_empty() {
        parts.push(Part::Fixed(fixed));
    }
    Ok(parts)
}

/// The text before, inside and behind the first `{word}`, a word being lower-case letters, digits and `_`.
fn next_braces(text: &str) -> Option<(&str, &str, &str)> {
    let is_word = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    text.match_indices('{').find_map(|(at, _)| {
        let (name, after) = text.get(at + 1..)?.split_once('}')?;
        is_word(name).then_some((text.get(..at)?, name, after))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn login_values(place: Placeholder) -> Value {
        match place {
            Placeholder::Skey => json!("abc"),
            Placeholder::ExpiresIn => json!(60),
            _ => Value::Null,
        }
    }

    #[test]
    fn a_placeholder_alone_keeps_its_type() {
        let shape = json!({"a": "{expires_in}", "b": "{skey}", "c": "{null}", "d": "{unionid}"});
        let template = Template::parse(&shape, Placeholder::LOGIN).unwrap();
        let filled = template.fill(login_values);
        assert_eq!(filled, json!({"a": 60, "b": "abc", "c": null, "d": null}));
    }

    #[test]
    fn placeholders_within_a_text_become_text() {
        let shape = json!(["<{skey}> for {expires_in}s{null}", {"deep": ["{skey}"]}, 7, true]);
        let template = Template::parse(&shape, Placeholder::LOGIN).unwrap();
        let filled = template.fill(login_values);
        assert_eq!(filled, json!(["<abc> for 60s", {"deep": ["abc"]}, 7, true]));
    }

    #[test]
    fn an_unknown_placeholder_is_named_with_what_could_stand_there() {
        let error = Template::parse(&json!({"a": "{skey}"}), Placeholder::REFUSAL).unwrap_err();
        assert_eq!(
            error.to_string(),
            "{skey} is not filled in here; there are {code} {message} {request_id} {null}"
        );
    }

    #[test]
    fn braces_around_no_word_stand_for_themselves() {
        for text in ["{}", "{ skey }", "{", "}", "{\"a\":1}", ""] {
            let template = Template::parse(&json!(text), Placeholder::LOGIN).unwrap();
            assert_eq!(template.fill(login_values), json!(text), "{text}");
        }
    }

    /// Texts with words in braces, known and unknown, and with braces that close nothing.
    const TEXT: &str =
        "(\\{skey\\}|\\{expires_in\\}|\\{null\\}|\\{code\\}|\\{|\\}|\\PC|[a-z_]{1,4}){0,6}";

    /// Any JSON whose texts are such.
    fn shape() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            TEXT.prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            let members = prop::collection::btree_map(TEXT, inner.clone(), 0..4);
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(Value::from),
                members.prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// The texts within a value, but not the names of its members.
    fn texts(value: &Value) -> Vec<&str> {
        match value {
            Value::String(text) => vec![text],
            Value::Array(items) => items.iter().flat_map(texts).collect(),
            Value::Object(members) => members.values().flat_map(texts).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
        }
    }

    /// The words that stand in braces.
    fn words(text: &str) -> Vec<&str> {
        let is_in_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let behind = text.split('{').skip(1);
        let before = behind.filter_map(|piece| piece.split_once('}').map(|(word, _)| word));
        before
            .filter(|word| !word.is_empty() && word.chars().all(is_in_word))
            .collect()
    }

    proptest! {
        #[test]
        fn a_shape_is_taken_exactly_if_all_its_placeholders_are_filled_in(shape in shape()) {
            let names: Vec<_> = Placeholder::LOGIN.iter().map(|place| place.name()).collect();
            let written: Vec<_> = texts(&shape).into_iter().flat_map(words).collect();
            match Template::parse(&shape, Placeholder::LOGIN) {
                Ok(template) => {
                    let filled = template.fill(|_| "V".into());
                    let left: Vec<_> = texts(&filled).into_iter().flat_map(words).collect();
                    prop_assert_eq!(left, [""; 0]);
                    prop_assert!(written.iter().all(|word| names.contains(word)));
                }
                Err(UnknownPlaceholder { name, .. }) => {
                    prop_assert!(written.contains(&name.as_str()) && !names.contains(&name.as_str()));
                }
            }
        }

        #[test]
        fn what_is_filled_in_stands_there_as_it_is_even_if_it_looks_like_a_placeholder(
            value in shape(), before in "[^{}]*", behind in "[^{}]*",
        ) {
            let shape = json!({"whole": "{skey}", "part": format!("{before}{{skey}}{behind}"), "{skey}": 1});
            let template = Template::parse(&shape, Placeholder::LOGIN).unwrap();
            let filled = template.fill(|_| value.clone());
            prop_assert_eq!(&filled["whole"], &value);
            prop_assert_eq!(&filled["{skey}"], &json!(1));
            if let Some(text) = value.as_str().filter(|_| !before.is_empty()) {
                prop_assert_eq!(&filled["part"], &json!(format!("{before}{text}{behind}")));
            }
        }
    }
}
