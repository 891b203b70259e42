//! The members of a JSON object, their values as they were written. Knows nothing of what they mean.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::fields::Fields;

/// The members in their order. Of several with one name the last counts, as nearly all readers have it.
#[derive(Default)]
pub struct Members(Vec<(String, Box<RawValue>)>);

impl Members {
    /// Keeps the members whose names are `wanted`.
    pub fn retain(&mut self, wanted: impl Fn(&str) -> bool) {
        self.0.retain(|(name, _)| wanted(name));
    }

    /// The value of a name, as it was written.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&RawValue> {
        let named = self.0.iter().find(|(known, _)| known == name);
        named.map(|(_, value)| &**value)
    }

    /// The texts among the values.
    #[must_use]
    pub fn texts(&self) -> Fields<'_> {
        let texts = self.0.iter().filter_map(|(name, value)| {
            let text: String = serde_json::from_str(value.get()).ok()?;
            Some((Cow::Borrowed(name.as_str()), Cow::Owned(text)))
        });
        texts.collect()
    }

    /// The object with one more member at its end, if there is one to add, whose value is JSON already.
    #[must_use]
    pub fn write(&self, added: Option<(&str, &str)>) -> String {
        let own = self.0.iter();
        let own = own.map(|(name, value)| (name.as_str(), value.get()));
        let members: Vec<_> = own
            .chain(added)
            .map(|(name, value)| format!("{}:{value}", Value::from(name)))
            .collect();
        format!("{{{}}}", members.join(","))
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder)
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members: Vec<(String, Box<RawValue>)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
            let known = places.get(&name).and_then(|place| members.get_mut(*place));
            if let Some((_, earlier)) = known {
                *earlier = value;
            } else {
                places.insert(name.clone(), members.len());
                members.push((name, value));
            }
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Map;

    /// Any JSON.
    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            let members = prop::collection::hash_map(".{0,3}", inner.clone(), 0..4);
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(Value::from),
                members.prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    fn members(text: &str) -> Members {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn values_are_written_as_they_came() {
        let text = r#"{"a":1.50,"b":{"c" : 1e999,"c":2},"é\"":"\u00e9\/","n":123456789012345678901234567890}"#;
        assert_eq!(members(text).write(None), text);
        assert_eq!(members(" { } ").write(None), "{}");
        assert_eq!(members("{}").write(Some(("x", "[1]"))), r#"{"x":[1]}"#);
    }

    #[test]
    fn of_several_members_of_one_name_the_last_counts() {
        let members = members(r#"{"a":"1","b":2,"\u0061":"3"}"#);
        assert_eq!(members.write(None), r#"{"a":"3","b":2}"#);
        assert_eq!(members.texts().get("a"), Some("3"));
        assert_eq!(members.texts().get("b"), None);
        assert_eq!(members.get("b").unwrap().get(), "2");
        assert!(members.get("c").is_none());
    }

    proptest! {
        #[test]
        fn an_object_is_written_as_every_reader_reads_it(
            pairs in prop::collection::vec(("a|b|\"|\\\\|.{0,3}", json()), 0..6), added in json(),
        ) {
            let pieces: Vec<_> = pairs
                .iter()
                .map(|(name, value)| format!("{} : {value}", Value::from(name.as_str())))
                .collect();
            let text = format!(" {{ {} }} ", pieces.join(" , "));
            let read: Map<String, Value> = serde_json::from_str(&text).unwrap();
            let members = members(&text);
            let again: Map<String, Value> = serde_json::from_str(&members.write(None)).unwrap();
            prop_assert_eq!(&again, &read);
            for (name, value) in &read {
                let text = value.as_str().filter(|text| !text.is_empty());
                let texts = members.texts();
                prop_assert_eq!(texts.get(name), text);
            }
            let with = members.write(Some(("the added one", &added.to_string())));
            let mut with: Map<String, Value> = serde_json::from_str(&with).unwrap();
            prop_assert_eq!(with.remove("the added one"), Some(added));
            prop_assert_eq!(with, read);
        }

        #[test]
        fn what_is_no_object_is_none_and_nothing_panics(text in "[\\[\\]{}:,\"a\\\\u0-9 ]{0,24}|\\PC*") {
            let read = serde_json::from_str::<Members>(&text).is_ok();
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                prop_assert_eq!(read, value.is_object(), "{}", text);
            }
        }
    }
}
