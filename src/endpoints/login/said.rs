//! What a backend says of a user who logs in, read into what is safe to pass on. Knows nothing of how it was asked.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::domain::header_text::{HeaderText, HeaderTextError};
use crate::domain::identity::Account;
use crate::wire::members::Members;

/// What a backend said.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Said {
    /// Of the user; kept in the session.
    pub(super) account: Account,
    /// To the client; null if nothing.
    pub(super) data: Value,
}

/// Why an answer is not understood. The text names what is wrong with it, and no value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotUnderstood {
    #[error("the answer to on_login is no JSON object")]
    Object,
    #[error("`claims` in the answer to on_login is no object")]
    Claims,
    #[error("`data` in the answer to on_login is no JSON")]
    Data,
    #[error("{of} in the answer to on_login {error}")]
    Text { of: String, error: NoText },
}

/// Why a value becomes no header.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoText {
    #[error("is neither a text nor a whole number")]
    NotId,
    #[error("is a list or an object")]
    Nested,
    #[error("is a text that is no Unicode")]
    NotUnicode,
    #[error("cannot stand in a header: {0}")]
    Unsafe(HeaderTextError),
}

impl Said {
    /// Reads an answer; `claims` are the configured ones, and others are passed over. An empty answer says nothing. So does
    /// an empty list, which is how PHP writes an object that has no members.
    pub(super) fn read(answer: &[u8], claims: &[String]) -> Result<Self, NotUnderstood> {
        let answer = answer.trim_ascii();
        if answer.is_empty() {
            return Ok(Self::default());
        }
        let answer = std::str::from_utf8(answer).map_err(|_| NotUnderstood::Object)?;
        let answer = members(answer).ok_or(NotUnderstood::Object)?;
        let user_id = answer.get("user_id").map_or(Ok(None), whole_or_text);
        let data = answer
            .get("data")
            .map(|data| serde_json::from_str(data.get()));
        Ok(Self {
            account: Account {
                user_id: header_text(user_id, || "`user_id`".to_owned())?,
                claims: read_claims(answer.get("claims"), claims)?,
            },
            data: data
                .transpose()
                .map_err(|_| NotUnderstood::Data)?
                .unwrap_or_default(),
        })
    }
}

/// The value of each of `claims`; of none, if none has one.
fn read_claims(
    written: Option<&RawValue>,
    claims: &[String],
) -> Result<Box<[Option<HeaderText>]>, NotUnderstood> {
    let Some(written) = written.filter(|written| written.get() != "null") else {
        return Ok(Box::default());
    };
    let written = members(written.get()).ok_or(NotUnderstood::Claims)?;
    let values = claims.iter().map(|claim| {
        let value = written.get(claim).map_or(Ok(None), simple);
        header_text(value, || format!("the claim `{claim}`"))
    });
    let values: Box<[_]> = values.collect::<Result<_, _>>()?;
    let has_one = values.iter().any(Option::is_some);
    Ok(if has_one { values } else { Box::default() })
}

fn header_text(
    value: Result<Option<Cow<'_, str>>, NoText>,
    of: impl Fn() -> String,
) -> Result<Option<HeaderText>, NotUnderstood> {
    let parse = |text: Cow<'_, str>| HeaderText::parse(&text).map_err(NoText::Unsafe);
    let text = value.and_then(|value| value.map(parse).transpose());
    text.map_err(|error| NotUnderstood::Text { of: of(), error })
}

fn members(json: &str) -> Option<Members> {
    let is_empty =
        || serde_json::from_str::<Vec<IgnoredAny>>(json).is_ok_and(|list| list.is_empty());
    let members = serde_json::from_str(json).ok();
    members.or_else(|| is_empty().then(Members::default))
}

/// A text, or a number or a truth value in the letters in which it is written; nothing for null.
fn simple(value: &RawValue) -> Result<Option<Cow<'_, str>>, NoText> {
    match value.get().bytes().next() {
        Some(b'n') => Ok(None),
        Some(b'"') => {
            let text = serde_json::from_str(value.get()).map_err(|_| NoText::NotUnicode)?;
            Ok(Some(Cow::Owned(text)))
        }
        Some(b'[' | b'{') => Err(NoText::Nested),
        _ => Ok(Some(Cow::Borrowed(value.get()))),
    }
}

/// A text or a whole number; nothing for null.
fn whole_or_text(value: &RawValue) -> Result<Option<Cow<'_, str>>, NoText> {
    let is_whole = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    match simple(value) {
        Ok(Some(Cow::Borrowed(text))) if !is_whole(text) => Err(NoText::NotId),
        Err(NoText::Nested) => Err(NoText::NotId),
        simple => simple,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(answer: &str) -> Result<Said, NotUnderstood> {
        let claims = ["role", "角色"].map(str::to_owned);
        Said::read(answer.as_bytes(), &claims)
    }

    /// The user id and the claims of an answer.
    fn account(answer: &str) -> (Option<String>, Vec<Option<String>>) {
        let Account { user_id, claims } = read(answer).unwrap().account;
        let text = |text: HeaderText| text.as_str().to_owned();
        let claims = claims.iter().map(|claim| claim.clone().map(text));
        (user_id.map(text), claims.collect())
    }

    fn why(answer: &str) -> String {
        read(answer).unwrap_err().to_string()
    }

    #[test]
    fn an_answer_that_says_nothing_adds_nothing() {
        for answer in [
            "",
            " \r\n",
            "{}",
            "[]",
            " [ ]\n",
            r#"{"user_id":null,"claims":null,"data":null}"#,
            r#"{"claims":{}}"#,
            r#"{"claims":[],"other":[1]}"#,
            r#"{"claims":{"role":null,"x":[1]}}"#,
        ] {
            assert_eq!(read(answer), Ok(Said::default()), "{answer}");
        }
    }

    #[test]
    fn a_user_id_is_a_text_or_a_whole_number_as_it_is_written() {
        let user_id = |id: &str| account(&format!(r#"{{"user_id":{id}}}"#)).0;
        for (id, told) in [
            (r#""u 7""#, "u 7"),
            (r#""\u0037""#, "7"),
            ("7", "7"),
            ("-7", "-7"),
            (
                "123456789012345678901234567890",
                "123456789012345678901234567890",
            ),
        ] {
            assert_eq!(user_id(id).as_deref(), Some(told));
        }
        for id in ["true", "1.5", "1e3", "[7]", "{}", "[]"] {
            let said = "`user_id` in the answer to on_login is neither a text nor a whole number";
            assert_eq!(why(&format!(r#"{{"user_id":{id}}}"#)), said, "{id}");
        }
    }

    #[test]
    fn claims_are_texts_numbers_and_truth_values_each_in_its_place() {
        let text = |text: &str| Some(text.to_owned());
        let (user_id, claims) = account(r#"{"claims":{"other":[],"角色":1.50,"role":"vip"}}"#);
        assert_eq!((user_id, claims), (None, vec![text("vip"), text("1.50")]));
        let claims = account(r#"{"claims":{"角色":false}}"#).1;
        assert_eq!(claims, [None, text("false")]);
    }

    #[test]
    fn data_is_any_json() {
        for data in [
            json!({"a": [1, "二", null]}),
            json!("x"),
            json!(7),
            json!(false),
        ] {
            let answer = json!({ "data": data }).to_string();
            let said = read(&answer).unwrap();
            assert_eq!((said.data, said.account), (data, Account::default()));
        }
    }

    #[test]
    fn what_would_break_a_header_is_told_by_name_but_not_by_value() {
        let long = format!("\"{}\"", "x".repeat(257));
        let unclean = "it has something else than visible ASCII and spaces between";
        for (value, reason) in [
            (r#""""#, "cannot stand in a header: it is empty"),
            (
                r#""a\r\nX-Admin: 1""#,
                &format!("cannot stand in a header: {unclean}"),
            ),
            (
                r#""a\u0000""#,
                &format!("cannot stand in a header: {unclean}"),
            ),
            (r#""小明""#, &format!("cannot stand in a header: {unclean}")),
            (
                &long,
                "cannot stand in a header: it has more than 256 bytes",
            ),
            (r#""\ud800""#, "is a text that is no Unicode"),
            ("[1]", "is a list or an object"),
            ("{}", "is a list or an object"),
        ] {
            let said = why(&format!(r#"{{"user_id":7,"claims":{{"角色":{value}}}}}"#));
            assert_eq!(
                said,
                format!("the claim `角色` in the answer to on_login {reason}")
            );
        }
        let said = why(r#"{"user_id":"小明"}"#);
        assert_eq!(
            said,
            format!("`user_id` in the answer to on_login cannot stand in a header: {unclean}")
        );
    }

    #[test]
    fn what_is_no_such_object_is_not_understood() {
        for answer in [
            "7",
            "null",
            "\"\"",
            "[1]",
            "[\"id\"]",
            "{",
            "{}{}",
            "<b>",
            "{\"user_id\":7,}",
            "{\"data\":nan}",
        ] {
            assert_eq!(read(answer), Err(NotUnderstood::Object), "{answer}");
        }
        let not_utf8 = Said::read(b"{\"data\":\"\xff\"}", &[]);
        assert_eq!(not_utf8, Err(NotUnderstood::Object));
        for claims in ["7", "[\"vip\"]", "\"vip\"", "true"] {
            let answer = format!(r#"{{"claims":{claims}}}"#);
            assert_eq!(read(&answer), Err(NotUnderstood::Claims), "{claims}");
        }
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        for data in ["\"\\ud800\"", &deep] {
            let answer = format!(r#"{{"data":{data}}}"#);
            assert_eq!(read(&answer), Err(NotUnderstood::Data), "{data}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "(.|[ -~]|[\r\n\0]){0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            let names = prop_oneof!["user_id", "claims", "data", "role", "角色", ".{0,3}"];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((names, inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_json_comes_it_is_understood_only_where_every_value_is_safe(
            user_id in any_json(),
            role in any_json(),
            data in any_json(),
        ) {
            let answer = json!({"user_id": user_id, "claims": {"role": role}, "data": data});
            let is_safe = |value: &Value| value.is_null() || match value {
                Value::String(text) => HeaderText::parse(text).is_ok(),
                value => !value.is_array() && !value.is_object(),
            };
            let is_id = user_id.is_null() || user_id.is_string() || user_id.is_i64();
            let said = read(&answer.to_string());
            prop_assert_eq!(said.is_ok(), is_id && is_safe(&user_id) && is_safe(&role), "{:?}", said);
            if let Ok(said) = said {
                prop_assert_eq!(said.data, data);
            }
        }

        #[test]
        fn no_bytes_panic(answer in prop::collection::vec(any::<u8>(), 0..256)) {
            let _ = Said::read(&answer, &["role".to_owned()]);
        }

        #[test]
        fn no_json_panics(answer in any_json(), cut in 0..64_usize) {
            let text = answer.to_string();
            let _ = read(&text);
            let _ = read(&text.chars().skip(cut).collect::<String>());
        }
    }
}
