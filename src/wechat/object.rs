//! The JSON object that every reply of WeChat's is: with an errcode, or with what was asked for. Knows neither the calls
//! nor how they are made.

use serde_json::{Map, Value};

use super::error::{Errmsg, Unavailable};

/// The members of a reply.
#[derive(Debug)]
pub(super) struct Object(Map<String, Value>);

impl Object {
    /// Reads the body of a reply, whatever its media type.
    pub(super) fn read(body: &[u8]) -> Result<Self, Unavailable> {
        match serde_json::from_slice(body).map_err(Unavailable::NotJson)? {
            Value::Object(members) => Ok(Self(members)),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Err(Unavailable::NotAnObject),
        }
    }

    /// The errcode, 0 included, if there is one.
    pub(super) fn errcode(&self) -> Option<i64> {
        self.get("errcode").and_then(Value::as_i64)
    }

    /// The errcode of a failure.
    pub(super) fn failure(&self) -> Option<i64> {
        self.errcode().filter(|errcode| *errcode != 0)
    }

    /// What WeChat says to its errcode; `secrets` are what that may not repeat.
    pub(super) fn errmsg(&self, secrets: &[&str]) -> Errmsg {
        Errmsg::new(self.text("errmsg").unwrap_or_default(), secrets)
    }

    /// A member.
    pub(super) fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field)
    }

    /// A member that holds text, and not the empty one.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.get(field)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    }
}
