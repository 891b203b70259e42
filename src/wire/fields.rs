//! Named texts in a query, a form or a JSON object. Knows nothing of what the names mean.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::Value;

/// How a body says that its fields are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFormat {
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `application/json`, or a type that ends in `+json`.
    Json,
}

impl BodyFormat {
    /// What `Content-Type` says, if it is one of the two.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let essence = value
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        if essence == "application/x-www-form-urlencoded" {
            Some(Self::Form)
        } else if essence == "application/json" || essence.ends_with("+json") {
            Some(Self::Json)
        } else {
            None
        }
    }
}

/// The first value of each name, from one or several sources.
#[derive(Debug, Default)]
pub struct Fields<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Fields<'a> {
    /// Reads a query.
    #[must_use]
    pub fn of_query(query: &'a str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).collect())
    }

    /// Reads a body: the texts among the members of a JSON object, or a form. A body that is neither has none.
    #[must_use]
    pub fn of_body(format: BodyFormat, body: &'a [u8]) -> Self {
        match format {
            BodyFormat::Form => Self(form_urlencoded::parse(body).collect()),
            BodyFormat::Json => Self(json_texts(body)),
        }
    }

    /// The fields of both, the first source before the second.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The first value of `name` that is not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut named = self.0.iter().filter(|(key, _)| key == name);
        named
            .find(|(_, value)| !value.is_empty())
            .map(|(_, value)| value.as_ref())
    }
}

impl<'a> FromIterator<(Cow<'a, str>, Cow<'a, str>)> for Fields<'a> {
    fn from_iter<I: IntoIterator<Item = (Cow<'a, str>, Cow<'a, str>)>>(fields: I) -> Self {
        Self(fields.into_iter().collect())
    }
}

fn json_texts(body: &[u8]) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
    let Ok(Value::Object(members)) = serde_json::from_slice(body) else {
        return Vec::new();
    };
    let texts = members.into_iter().filter_map(|(key, value)| match value {
        Value::String(text) => Some((Cow::Owned(key), Cow::Owned(text))),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    });
    texts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_content_type_tells_the_format() {
        let of = |value: &'static str| {
            BodyFormat::of(&HeaderMap::from_iter([(
                CONTENT_TYPE,
                value.parse().unwrap(),
            )]))
        };
        assert_eq!(
            of("application/json; charset=utf-8"),
            Some(BodyFormat::Json)
        );
        assert_eq!(of("Application/Vnd.x+JSON"), Some(BodyFormat::Json));
        assert_eq!(
            of("application/x-www-form-urlencoded"),
            Some(BodyFormat::Form)
        );
        assert_eq!(of("multipart/form-data; boundary=x"), None);
        assert_eq!(BodyFormat::of(&HeaderMap::new()), None);
    }

    #[test]
    fn the_first_value_that_is_not_empty_counts() {
        let fields = Fields::of_query("code=&code=a%20b&code=c&x");
        assert_eq!(fields.get("code"), Some("a b"));
        assert_eq!(fields.get("x"), None);
    }

    #[test]
    fn only_texts_of_a_json_object_are_fields() {
        let fields = Fields::of_body(BodyFormat::Json, br#"{"a":"x","b":1,"c":{"d":"y"}}"#);
        assert_eq!(
            (fields.get("a"), fields.get("b"), fields.get("d")),
            (Some("x"), None, None)
        );
        assert_eq!(Fields::of_body(BodyFormat::Json, b"[\"a\"]").get("a"), None);
        assert_eq!(Fields::of_body(BodyFormat::Json, b"{\"a\":").get("a"), None);
    }

    /// What the pairs say of a name: the first value that is not empty.
    fn first<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
        let mut named = pairs.iter().filter(|(known, _)| known == name);
        let found = named.find(|(_, value)| !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    proptest! {
        #[test]
        fn whatever_is_written_into_a_query_or_a_form_is_read_of_it(
            pairs in prop::collection::vec(("a|b|é|.{0,3}", ".{0,6}"), 0..6),
        ) {
            let text = form_urlencoded::Serializer::new(String::new())
                .extend_pairs(&pairs)
                .finish();
            for (name, _) in &pairs {
                let expected = first(&pairs, name);
                let query = Fields::of_query(&text);
                prop_assert_eq!(query.get(name), expected);
                let body = Fields::of_body(BodyFormat::Form, text.as_bytes());
                prop_assert_eq!(body.get(name), expected);
            }
        }

        #[test]
        fn whatever_texts_are_written_into_an_object_are_read_of_it(
            members in prop::collection::hash_map(".{0,3}", ".{0,6}", 0..6),
            others in prop::collection::hash_map("[A-Z]{4}", any::<Option<i64>>(), 0..4),
        ) {
            let mut object: serde_json::Map<_, Value> = others
                .iter()
                .map(|(name, number)| (name.clone(), (*number).into()))
                .collect();
            object.extend(members.iter().map(|(name, text)| (name.clone(), text.as_str().into())));
            let body = Value::Object(object).to_string();
            let fields = Fields::of_body(BodyFormat::Json, body.as_bytes());
            for (name, text) in &members {
                prop_assert_eq!(fields.get(name), Some(text.as_str()).filter(|text| !text.is_empty()));
            }
            for name in others.keys() {
                prop_assert_eq!(fields.get(name), None);
            }
        }

        #[test]
        fn no_body_panics(body in prop::collection::vec(any::<u8>(), 0..256)) {
            let _ = Fields::of_body(BodyFormat::Json, &body).get("a");
            let _ = Fields::of_body(BodyFormat::Form, &body).get("a");
        }
    }
}
