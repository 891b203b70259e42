//! What a conversation with a client takes place in, and how it ends. Knows no protocol.

use super::dates::Dates;
use super::pulse::Cut;
use super::{ConnectionLimits, Stop, Unread};
use crate::domain::peer::Peer;

/// What a conversation takes place in.
pub(super) struct Place<'a, H> {
    pub(super) handler: &'a H,
    pub(super) peer: &'a Peer,
    pub(super) limits: &'a ConnectionLimits,
    pub(super) stop: &'a Stop,
    pub(super) dates: &'a Dates,
    /// Whether HTTP/2 is spoken in the clear as well, with whom begins with it.
    pub(super) h2c: bool,
}

/// How a conversation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It rests; nothing was begun.
    Rest,
    /// The last answer was given, or what of it could be.
    Over,
    /// What came is no request.
    Refused(Unread),
    /// It is cut here.
    Cut(Cut),
    /// Nobody is there any more.
    Gone,
}
