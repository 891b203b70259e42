//! One stream: its request is asked, and its answer goes out as far as the client takes it. Knows nothing of what they mean.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, EXPIRES, LAST_MODIFIED, TRANSFER_ENCODING};
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body::Body as HttpBody;
use tokio::time::{Instant, timeout};

use super::body::{Body, Respond};
use super::request;
use crate::domain::managed_names::X_REQUEST_ID;
use crate::listener::dates::Dates;
use crate::listener::place::Place;
use crate::listener::{Answer, Asked, Handler, Unread};
use crate::wire::inflow::Inflow;
use crate::wire::refusal::has_body;

/// How a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// With an answer, or with what there was of one.
    Answered,
    /// By the client, which did not wait for the answer.
    Abandoned,
}

/// Asks what a stream asks, and answers it.
pub(super) async fn serve<H: Handler>(
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
    place: &Place<'_, H>,
) -> Ended {
    let (mut head, incoming) = request.into_parts();
    let respond = Rc::new(RefCell::new(respond));
    if !request::translate(&mut head) {
        respond.borrow_mut().send_reset(Reason::PROTOCOL_ERROR);
        super::tell(Unread::BadStream, place);
        return Ended::Answered;
    }
    let is_to_head = head.method == Method::HEAD;
    let body = body_of(&head, incoming, &respond);
    let at = Instant::now();
    let asked = Asked {
        head,
        body,
        at,
        upgrades: false,
    };
    let Some(answer) = ask(asked, &respond, place).await else {
        return Ended::Abandoned;
    };
    let (mut head, body) = unfold(answer, is_to_head);
    let length = body.size_hint().exact();
    let is_bodiless = fit(&mut head, length, is_to_head, place.dates);
    let answer = Response::from_parts(head, ());
    let is_all = is_bodiless || body.is_end_stream();
    let sent = respond.borrow_mut().send_response(answer, is_all);
    match sent {
        Ok(_) if is_all => Ended::Answered,
        Ok(stream) => carry(body, stream, place.limits.idle_timeout).await,
        Err(error) => {
            tracing::debug!(%error, "an answer cannot be said in HTTP/2");
            respond.borrow_mut().send_reset(Reason::INTERNAL_ERROR);
            Ended::Answered
        }
    }
}

/// The body of a request, as it comes.
fn body_of(head: &http::request::Parts, incoming: RecvStream, respond: &Respond) -> Inflow {
    if incoming.is_end_stream() {
        return Inflow::Empty;
    }
    let leave = request::awaits_leave(&head.headers).then(|| Rc::clone(respond));
    let told = request::told_length(&head.headers);
    Inflow::Coming(Rc::new(Body::new(incoming, told, leave)))
}

/// Lets the handler answer, unless the client resets the stream meanwhile.
async fn ask<H: Handler>(
    asked: Asked,
    respond: &Respond,
    place: &Place<'_, H>,
) -> Option<Answer<H::Body>> {
    let mut handling = pin!(place.handler.handle(asked, place.peer));
    poll_fn(|cx| {
        if respond.borrow_mut().poll_reset(cx).is_ready() {
            return Poll::Ready(None);
        }
        handling.as_mut().poll(cx).map(Some)
    })
    .await
}

/// The head of an answer with all of its headers, and the body.
fn unfold<B: HttpBody>(answer: Answer<B>, is_to_head: bool) -> (Parts, B) {
    let Answer {
        response,
        mut passing,
        // None is asked for here.
        takeover: _,
    } = answer;
    let (mut head, body) = response.into_parts();
    if body.size_hint().exact().is_some() && !is_to_head {
        passing.forget_length();
    }
    passing.unfold_into(&mut head.headers);
    (head, body)
}

/// Says the head of an answer as HTTP/2 has it, whose body has `length` bytes as far as anybody knows. Tells whether the
/// body stays behind.
fn fit(head: &mut Parts, length: Option<u64>, is_to_head: bool, dates: &Dates) -> bool {
    let headers = &mut head.headers;
    let seen = look_through(headers);
    // What concerns a connection of HTTP/1 alone.
    if seen.is_for_http1 {
        headers.remove(CONNECTION);
        headers.remove(TRANSFER_ENCODING);
    }
    let is_bodiless = is_to_head || !has_body(head.status);
    if !has_body(head.status) {
        headers.remove(CONTENT_LENGTH);
    } else if let Some(length) = length {
        // Of a body that is not there nobody knows the length but who declared it.
        if !is_to_head || (length > 0 && !seen.has_length) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
    }
    if !seen.has_date {
        dates.at(Instant::now(), |date| {
            let mut date = date.clone();
            date.set_sensitive(true);
            headers.insert(DATE, date);
        });
    }
    is_bodiless
}

/// What stands among the headers of an answer.
#[derive(Default)]
struct Seen {
    is_for_http1: bool,
    has_length: bool,
    has_date: bool,
}

/// Looks at all headers once. What is another each time is marked so that HPACK does not remember it: it would never be
/// of use, would drive out what is, and would be looked through for each answer.
fn look_through(headers: &mut HeaderMap) -> Seen {
    let mut seen = Seen::default();
    for (name, value) in headers {
        match *name {
            CONNECTION | TRANSFER_ENCODING => seen.is_for_http1 = true,
            CONTENT_LENGTH => seen.has_length = true,
            DATE => {
                seen.has_date = true;
                value.set_sensitive(true);
            }
            EXPIRES | LAST_MODIFIED => value.set_sensitive(true),
            _ if *name == X_REQUEST_ID => value.set_sensitive(true),
            _ => {}
        }
    }
    seen
}

/// Sends a body piece by piece. A client that takes nothing for `patience` gets no more of it.
async fn carry<B>(mut body: B, mut stream: SendStream<Bytes>, patience: Duration) -> Ended
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    loop {
        let Some(piece) = next(&mut body, &mut stream).await else {
            return Ended::Abandoned;
        };
        let data = match piece {
            None => Bytes::new(),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) if !data.is_empty() => data,
                // What may follow a body could pass for headers, and is dropped here as in HTTP/1.
                Ok(_) | Err(_) => continue,
            },
            Some(Err(_)) => {
                stream.send_reset(Reason::INTERNAL_ERROR);
                return Ended::Answered;
            }
        };
        let is_last = data.is_empty() || body.is_end_stream();
        if !send(data, is_last, &mut stream, patience).await {
            return Ended::Abandoned;
        }
        if is_last {
            return Ended::Answered;
        }
    }
}

/// Sends a piece of a body, unless the client takes nothing of it for `patience` or is gone.
async fn send(
    mut data: Bytes,
    is_last: bool,
    stream: &mut SendStream<Bytes>,
    patience: Duration,
) -> bool {
    loop {
        stream.reserve_capacity(data.len());
        if stream.capacity() >= data.len() {
            return stream.send_data(data, is_last).is_ok();
        }
        let room = match timeout(patience, room(stream, data.len())).await {
            Ok(Some(room)) => room,
            Ok(None) => return false,
            Err(_) => {
                stream.send_reset(Reason::CANCEL);
                return false;
            }
        };
        let part = data.split_to(room.min(data.len()));
        let is_sent = stream.send_data(part, is_last && data.is_empty()).is_ok();
        if !is_sent || data.is_empty() {
            return is_sent;
        }
    }
}

/// The next piece of a body, none at its end; nothing at all if the client resets the stream.
async fn next<B>(
    body: &mut B,
    stream: &mut SendStream<Bytes>,
) -> Option<Option<Result<http_body::Frame<Bytes>, B::Error>>>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    poll_fn(|cx| {
        if stream.poll_reset(cx).is_ready() {
            return Poll::Ready(None);
        }
        Pin::new(&mut *body).poll_frame(cx).map(Some)
    })
    .await
}

/// How many bytes the client takes now, of `wanted` that were asked for; none if it is gone.
async fn room(stream: &mut SendStream<Bytes>, wanted: usize) -> Option<usize> {
    poll_fn(|cx| {
        while wanted > 0 && stream.capacity() == 0 {
            match ready!(stream.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Poll::Ready(None),
            }
        }
        Poll::Ready(Some(stream.capacity()))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The headers of an answer with these, as they go out.
    fn fitted(told: &[(&str, &str)], length: Option<u64>, is_to_head: bool) -> HeaderMap {
        let mut answer = Response::builder();
        for (name, value) in told {
            answer = answer.header(*name, *value);
        }
        let mut head = answer.body(()).unwrap().into_parts().0;
        fit(&mut head, length, is_to_head, &Dates::default());
        head.headers
    }

    #[test]
    fn what_is_another_each_time_is_not_remembered_and_all_else_is() {
        let changing = ["x-request-id", "expires", "last-modified", "date"];
        let told = changing.map(|name| (name, "1"));
        let headers = fitted(&[&told[..], &[("server", "a")]].concat(), None, false);
        for (name, value) in &headers {
            let is_changing = changing.contains(&name.as_str());
            assert_eq!(value.is_sensitive(), is_changing, "{name}");
        }
        assert!(fitted(&[], None, false)["date"].is_sensitive());
    }

    #[test]
    fn a_date_is_added_where_there_is_none() {
        let headers = fitted(&[("date", "yesterday")], None, false);
        assert_eq!(headers.get_all("date").iter().count(), 1);
        assert_eq!(headers["date"], "yesterday");
        assert!(
            httpdate::parse_http_date(fitted(&[], None, false)["date"].to_str().unwrap()).is_ok()
        );
    }

    #[test]
    fn what_concerns_http1_stays_behind_and_the_length_is_what_is_known() {
        let told = [("connection", "close"), ("transfer-encoding", "chunked")];
        for one in told {
            assert_eq!(fitted(&[one], None, false).len(), 1);
        }
        let length = |headers: HeaderMap| headers["content-length"].to_str().unwrap().to_owned();
        assert_eq!(
            length(fitted(&[("content-length", "5")], Some(7), false)),
            "7"
        );
        assert_eq!(
            length(fitted(&[("content-length", "5")], Some(7), true)),
            "5"
        );
        assert_eq!(length(fitted(&[], Some(7), true)), "7");
    }
}
