//! `[refusals]`, of the whole gateway or of a route: other answers than the usual ones.

use http::StatusCode;

use super::answer;
use super::plan::{RefusalShape, RefusalShapes};
use super::raw::{RawRefusal, Text};
use super::source::{At, Source};
use crate::domain::refusal::RefusalCode;
use crate::domain::template::Placeholder;

pub(super) fn plan(raw: Vec<(Text, RawRefusal<'_>)>, source: &Source<'_>) -> RefusalShapes {
    let plan = |(code, raw)| {
        let shape = shape(raw, source);
        Some((self::code(&code, source)?, shape))
    };
    RefusalShapes::new(raw.into_iter().filter_map(plan).collect())
}

fn code(written: &Text, source: &Source<'_>) -> Option<RefusalCode> {
    let code = RefusalCode::parse(&written.value);
    if code.is_none() {
        source.unknown(
            written,
            "refusal",
            RefusalCode::ALL.map(RefusalCode::as_str),
        );
    }
    code
}

fn shape(raw: RawRefusal<'_>, source: &Source<'_>) -> RefusalShape {
    if raw.status.is_none() && raw.body.is_none() {
        let text = "this changes nothing; give the refusal a `status`, a `body` or both";
        source.missing(raw.place, text);
    }
    RefusalShape {
        status: raw.status.and_then(|status| self::status(&status, source)),
        body: raw
            .body
            .and_then(|body| answer::template(&body, Placeholder::REFUSAL, source)),
    }
}

fn status(written: &At<u64>, source: &Source<'_>) -> Option<StatusCode> {
    let number = u16::try_from(written.value).ok();
    let number = number.filter(|number| (200..=599).contains(number));
    let status = number.and_then(|number| StatusCode::from_u16(number).ok());
    if status.is_none() {
        let number = written.value;
        let text = format!("`{number}` is no status of an answer; write one from 200 to 599");
        source.problem(written.place, text);
    }
    status
}
