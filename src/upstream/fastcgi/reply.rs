//! The head of an answer as CGI has it: headers, and a status among them. Knows no records.

use bytes::BytesMut;
use http::StatusCode;
use http::header::LOCATION;
use httparse::{EMPTY_HEADER, Header, Status};

use crate::domain::managed_names::ManagedNames;
use crate::upstream::error::Broken;
use crate::upstream::reply::{Ends, LONGEST_HEAD, MOST_HEADERS, Reply, end_of_head};
use crate::wire::framing::is_named;

/// Takes a whole head out of `buffer`; none if more of it must come first.
pub(super) fn take(
    buffer: &mut BytesMut,
    is_to_head: bool,
    hidden: &ManagedNames,
) -> Result<Option<Reply>, Broken> {
    let Some(end) = end_of_head(buffer) else {
        return if buffer.len() > LONGEST_HEAD {
            Err(Broken::HeadTooLarge)
        } else {
            Ok(None)
        };
    };
    let head = buffer.split_to(end).freeze();
    let mut headers = [EMPTY_HEADER; MOST_HEADERS];
    let headers = match httparse::parse_headers(&head, &mut headers) {
        Ok(Status::Complete((_, headers))) if !headers.is_empty() => headers,
        Ok(Status::Complete(_) | Status::Partial) | Err(_) => return Err(Broken::NotCgi),
    };
    let status = status(headers)?;
    let is_status = |header: &Header<'_>| header.name.eq_ignore_ascii_case("status");
    let others = headers.iter().filter(|header| !is_status(header));
    let others: Vec<_> = others.copied().collect();
    let ends = Ends {
        is_http_1_1: false,
        is_to_head,
    };
    Reply::of(status, &others, ends, hidden).map(Some)
}

/// The status that is told: once, or not at all. Then it is a redirect if there is a place to go to, else all is well.
fn status(headers: &[Header<'_>]) -> Result<StatusCode, Broken> {
    let mut told = headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case("status"));
    match (told.next(), told.next()) {
        (Some(header), None) => read_status(header.value).ok_or(Broken::NotCgi),
        (Some(_), Some(_)) => Err(Broken::NotCgi),
        (None, _) if headers.iter().any(|h| is_named(h.name, &LOCATION)) => Ok(StatusCode::FOUND),
        (None, _) => Ok(StatusCode::OK),
    }
}

/// Three digits, and behind a space whatever may be. What comes is an answer, and nothing before one.
fn read_status(value: &[u8]) -> Option<StatusCode> {
    let (digits, rest) = value.split_at_checked(3)?;
    let is_whole = rest.first().is_none_or(|byte| *byte == b' ');
    let status = StatusCode::from_bytes(digits).ok()?;
    let is_final = (200..600).contains(&status.as_u16());
    (is_whole && is_final).then_some(status)
}

#[cfg(test)]
mod tests;
