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
}
