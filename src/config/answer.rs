//! The shapes of answers, from TOML to templates. Knows neither routes nor refusals.

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeInteger, DeValue};

use super::raw::Shape;
use super::source::{Place, Source};
use crate::domain::template::{Placeholder, Template, UnknownPlaceholder};

/// Turns a shape into the template of an answer that can fill in `allowed`.
pub(super) fn template(
    shape: &Shape<'_>,
    allowed: &'static [Placeholder],
    source: &Source<'_>,
) -> Option<Template> {
    let reading = Reading { allowed, source };
    let json = reading.json(&shape.value, shape.place)?;
    Template::parse(&json, allowed).ok()
}

/// Why a value cannot be a part of an answer.
#[derive(Debug, thiserror::Error)]
enum NoPart {
    #[error(transparent)]
    Placeholder(#[from] UnknownPlaceholder),
    #[error("JSON has no `{0}`; write a finite number")]
    NotFinite(String),
    #[error("`{0}` is too large; write a number that fits into 64 bits")]
    TooLarge(String),
}

struct Reading<'a> {
    allowed: &'static [Placeholder],
    source: &'a Source<'a>,
}

impl Reading<'_> {
    /// The value as JSON, all its problems noted.
    fn json(&self, value: &DeValue<'_>, place: Place) -> Option<Value> {
        match value {
            DeValue::Array(items) => self.list(items.iter()),
            DeValue::Table(members) => self.object(members.iter()),
            DeValue::String(text) => self.note(place, self.text(text)),
            DeValue::Integer(number) => self.note(place, integer(number)),
            DeValue::Float(number) => self.note(place, float(number.as_str())),
            DeValue::Boolean(flag) => Some(Value::Bool(*flag)),
            DeValue::Datetime(time) => Some(Value::String(time.to_string())),
        }
    }

    fn list<'v>(&self, items: impl Iterator<Item = &'v Spanned<DeValue<'v>>>) -> Option<Value> {
        let items: Vec<_> = items.map(|item| self.spanned(item)).collect();
        items.into_iter().collect::<Option<_>>().map(Value::Array)
    }

    fn object<'v>(
        &self,
        members: impl Iterator<
            Item = (
                &'v Spanned<toml::de::DeString<'v>>,
                &'v Spanned<DeValue<'v>>,
            ),
        >,
    ) -> Option<Value> {
        let members: Vec<_> = members
            .map(|(key, value)| Some((key.get_ref().to_string(), self.spanned(value)?)))
            .collect();
        let members: Option<Map<_, _>> = members.into_iter().collect();
        members.map(Value::Object)
    }

    fn spanned(&self, value: &Spanned<DeValue<'_>>) -> Option<Value> {
        self.json(value.get_ref(), Place(value.span().start))
    }

    fn text(&self, text: &str) -> Result<Value, NoPart> {
        let text = Value::String(text.to_owned());
        Template::parse(&text, self.allowed)?;
        Ok(text)
    }

    fn note(&self, place: Place, part: Result<Value, NoPart>) -> Option<Value> {
        part.map_err(|error| self.source.problem(place, error)).ok()
    }
}

fn integer(number: &DeInteger<'_>) -> Result<Value, NoPart> {
    i64::from_str_radix(number.as_str(), number.radix())
        .map(Value::from)
        .map_err(|_| NoPart::TooLarge(number.to_string()))
}

fn float(text: &str) -> Result<Value, NoPart> {
    let number = text.parse().ok().and_then(Number::from_f64);
    number
        .map(Value::Number)
        .ok_or_else(|| NoPart::NotFinite(text.to_owned()))
}
