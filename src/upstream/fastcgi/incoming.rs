//! What a FastCGI server answers: its records taken apart into the answer and what is for the log. Knows no connections.

use bytes::{Bytes, BytesMut};

use super::records::{Ending, Piece, Records};
use super::{Run, reply};
use crate::domain::managed_names::ManagedNames;
use crate::upstream::error::Broken;
use crate::upstream::reply::Reply;
use crate::wire::framing::Framing;
use crate::wire::request_id::RequestId;

/// How much of what a script complains of is logged, in bytes.
const MOST_HEARD: usize = 1024;

/// The answer to one request, as far as it has come.
#[derive(Debug)]
pub(in crate::upstream) struct Incoming {
    records: Records,
    /// What came of the answer and was not taken yet.
    output: BytesMut,
    /// Whether the server may keep the connection.
    keeps_alive: bool,
    /// What the script complains of, as much as is logged.
    heard: Vec<u8>,
    request_id: RequestId,
}

impl Incoming {
    pub(in crate::upstream) fn new(run: &Run) -> Self {
        Self {
            records: Records::default(),
            output: BytesMut::new(),
            keeps_alive: run.keeps_alive,
            heard: Vec::new(),
            request_id: run.request_id.clone(),
        }
    }

    /// Takes a whole head out of `buffer`; none if more of it must come first.
    pub(in crate::upstream) fn take_reply(
        &mut self,
        buffer: &mut BytesMut,
        is_to_head: bool,
        hidden: &ManagedNames,
    ) -> Result<Option<Reply>, Broken> {
        while let Some(data) = self.next(buffer)? {
            self.output.extend_from_slice(&data);
        }
        match reply::take(&mut self.output, is_to_head, hidden)? {
            None if self.records.is_over() => Err(Broken::Ended),
            None => Ok(None),
            Some(reply) => Ok(Some(Reply {
                keeps_alive: self.keeps_alive,
                ..reply
            })),
        }
    }

    /// Takes the next data of the body out of `buffer`; none if more must come first, or if all has come. What a script
    /// says beyond the length that it told is dropped.
    pub(in crate::upstream) fn take_data(
        &mut self,
        framing: &mut Framing,
        buffer: &mut BytesMut,
    ) -> Result<Option<Bytes>, Broken> {
        if self.output.is_empty() {
            let Some(data) = self.next(buffer)? else {
                return self.end(framing).map(|()| None);
            };
            self.output = data;
        }
        Ok(framing.take(&mut self.output)?)
    }

    /// Whether the answer has ended in `buffer` as it should, so that the connection can carry another request.
    pub(in crate::upstream) fn is_over(&mut self, buffer: &mut BytesMut) -> bool {
        let is_all = matches!(self.next(buffer), Ok(None));
        is_all && self.output.is_empty() && self.records.is_over()
    }

    /// The end of the request is the end of a body of which nothing else was told.
    fn end(&self, framing: &mut Framing) -> Result<(), Broken> {
        match framing {
            Framing::Close if self.records.is_over() => *framing = Framing::Length(0),
            Framing::Length(1..) if self.records.is_over() => return Err(Broken::Ended),
            Framing::Close | Framing::Length(_) | Framing::Chunks(_) => {}
        }
        Ok(())
    }

    /// The next data of the answer; none if more must come first, or nothing more comes.
    fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<BytesMut>, Broken> {
        if self.records.is_over() {
            return Ok(None);
        }
        loop {
            match self.records.take(buffer)? {
                None | Some(Piece::End(Ending::Complete)) => return Ok(None),
                Some(Piece::Output(data)) => return Ok(Some(data)),
                Some(Piece::Errors(data)) => self.hear(&data),
                Some(Piece::End(Ending::Overloaded)) => return Err(Broken::Overloaded),
                Some(Piece::End(Ending::Refused(status))) => return Err(Broken::Refused(status)),
            }
        }
    }

    fn hear(&mut self, data: &[u8]) {
        let room = MOST_HEARD - self.heard.len();
        self.heard.extend(data.iter().take(room));
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.heard.is_empty() {
            let (request_id, said) = (&self.request_id, in_one_line(&self.heard));
            tracing::warn!(%request_id, said, "a script complains");
        }
    }
}

/// A line of a log must be one, whatever a script says.
fn in_one_line(heard: &[u8]) -> String {
    let text = String::from_utf8_lossy(heard);
    let is_clean = |c: char| !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}');
    text.trim().replace(|c| !is_clean(c), " ")
}

#[cfg(test)]
mod tests;
