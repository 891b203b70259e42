//! Whose connection a proxy passes on, as it says with its first bytes. Not one byte behind them is read.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

use super::Unread;
use crate::wire::proxy_protocol::{self, NoHeader};

/// Why a proxy's connection is ended before anything else is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unannounced {
    /// Nothing was said at all, as by one who only sees whether somebody listens.
    Gone,
    /// What was said is no announcement.
    Refused(Unread),
}

/// Reads the address of the client, or none if the proxy tells none.
pub(super) async fn read<S: AsyncRead + Unpin>(
    stream: &mut S,
    within: Duration,
) -> Result<Option<IpAddr>, Unannounced> {
    let header = timeout(within, whole(stream)).await;
    let header = header.unwrap_or(Err(Unannounced::Refused(Unread::SlowAnnouncement)))?;
    proxy_protocol::source(&header).map_err(refused)
}

async fn whole<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Vec<u8>, Unannounced> {
    let mut header = Vec::new();
    loop {
        let missing = proxy_protocol::missing(&header).map_err(refused)?;
        if missing == 0 {
            return Ok(header);
        }
        let most = u64::try_from(missing).unwrap_or(u64::MAX);
        let read: io::Result<usize> = stream.take(most).read_buf(&mut header).await;
        // A connection that breaks off says no more than one that ends.
        if read.unwrap_or_default() == 0 {
            return Err(if header.is_empty() {
                Unannounced::Gone
            } else {
                refused(NoHeader::Malformed)
            });
        }
    }
}

fn refused(error: NoHeader) -> Unannounced {
    Unannounced::Refused(Unread::Unannounced(error))
}
