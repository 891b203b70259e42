//! The body of a request, up to where the gateway itself must read it. Knows nothing of what it says.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::inflow::Inflow;
use super::refusal::Refusal;
use crate::domain::refusal::RefusalCode;

/// What is read of a body at most when a token or a login stands in it, in bytes.
pub const READ_LIMIT: u64 = 64 * 1024;

/// A request's body: still on its way, or read whole because something of it was needed.
#[derive(Debug)]
pub enum Inbound {
    /// What the connection brings, up to a limit.
    Streaming {
        /// The rest of it.
        body: Inflow,
        /// How many bytes it may have.
        limit: u64,
    },
    /// All of it.
    Whole(Bytes),
}

impl Inbound {
    /// Takes a body that may have `limit` bytes.
    ///
    /// # Errors
    ///
    /// `body_too_large`, if it announces more.
    pub fn new(body: Inflow, limit: u64) -> Result<Self, Refusal> {
        if body.size_hint().lower() > limit {
            return Err(too_large(limit));
        }
        Ok(Self::Streaming { body, limit })
    }

    /// Whether there is none, as far as that can be told without reading.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Streaming { body, .. } => body.is_end_stream(),
        }
    }

    /// Whether it is known how many bytes it has.
    #[must_use]
    pub fn is_measured(&self) -> bool {
        match self {
            Self::Whole(_) => true,
            Self::Streaming { body, .. } => body.size_hint().exact().is_some(),
        }
    }

    /// The same body, its length known: all of it, which must be there `within` a time.
    ///
    /// # Errors
    ///
    /// `body_too_large` over `most` bytes or its own limit; `bad_request` if it breaks off or is not there in time.
    pub async fn measured(self, most: u64, within: Duration) -> Result<Self, Refusal> {
        match self {
            Self::Streaming { body, limit } => {
                read(body, limit.min(most), within).await.map(Self::Whole)
            }
            Self::Whole(bytes) => Ok(Self::Whole(bytes)),
        }
    }

    /// Reads the body whole, unless that was done already.
    ///
    /// # Errors
    ///
    /// `body_too_large` over 64 KiB or its own limit; `bad_request` if it breaks off or is not there `within` a time.
    pub async fn read(self, within: Duration) -> Result<Bytes, Refusal> {
        match self {
            Self::Whole(bytes) => Ok(bytes),
            Self::Streaming { body, limit } => read(body, limit.min(READ_LIMIT), within).await,
        }
    }
}

/// Reads any body whole.
///
/// # Errors
///
/// `body_too_large` over `limit` bytes; `bad_request` if it breaks off or is not there `within` a time.
pub async fn read<B>(body: B, limit: u64, within: Duration) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>,
{
    if body.size_hint().lower() > limit {
        return Err(too_large(limit));
    }
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let reading = Limited::new(body, most).collect();
    match tokio::time::timeout(within, reading).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(limit)),
        Ok(Err(error)) => Err(Refusal::bad_request(format!("the body broke off: {error}"))),
        Err(_) => Err(Refusal::bad_request("the body did not arrive in time")),
    }
}

/// The refusal of a body that has more than `limit` bytes.
#[must_use]
pub fn too_large(limit: u64) -> Refusal {
    Refusal::new(
        RefusalCode::BodyTooLarge,
        format!("the body is over {limit} bytes"),
    )
}
