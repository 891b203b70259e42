//! What one connection of HTTP/2 may take of the gateway. Knows no times.
//!
//! Together these hold what HTTP/2 keeps for a connection below 10 MiB, whatever its client does: 512 KiB of bodies that
//! nobody has read, 100 answers of which 32 KiB each wait for the client, and 100 heads of `max_header_bytes` (32 KiB
//! unless the config says otherwise), which may be there in two forms while they are read.

use h2::server::Builder;

use crate::listener::ConnectionLimits;

/// Requests at a time: no fewer are recommended (RFC 9113, 6.5.2), and a page or a mini-program asks a dozen. What comes
/// beyond is refused so that the client asks again.
const MOST_STREAMS: u32 = 100;
/// Bytes of one request's body that may wait to be read: at 100 ms to the client and back that is 2.5 MB a second.
const STREAM_WINDOW: u32 = 256 * 1024;
/// Bytes of all bodies of a connection that may wait to be read.
const CONNECTION_WINDOW: u32 = 512 * 1024;
/// Bytes of one answer that may wait until the client takes them.
const SEND_BUFFER: usize = 32 * 1024;
/// The longest frame, in bytes, which is the least that may be said: longer ones only block each other.
const FRAME: u32 = 16 * 1024;
/// Requests that the client may reset before they were looked at. Resetting at once what was just asked is a way to have
/// work done without waiting for it (CVE-2023-44487).
const MOST_UNSEEN_RESETS: usize = 20;
/// Requests that are reset from here because the client breaks the rules, or refused as too many at a time, before the
/// connection is ended. Making the server reset is the other way to that end (CVE-2025-8671).
const MOST_FAULTS: usize = 500;
/// Reset streams that are remembered, so that what was on its way to them is no fault.
const MOST_REMEMBERED: usize = 64;

/// The library's server within these bounds. It bounds by itself how many frames a head may be spread over, how many
/// frames of a body may be small or empty, and that it reads no further while an answer to PING or SETTINGS cannot go out.
pub(super) fn builder(limits: &ConnectionLimits) -> Builder {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(MOST_STREAMS)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .max_frame_size(FRAME)
        .max_header_list_size(u32::try_from(limits.max_header_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(MOST_UNSEEN_RESETS)
        .max_local_error_reset_streams(Some(MOST_FAULTS))
        .max_concurrent_reset_streams(MOST_REMEMBERED);
    builder
}
