//! WeChat's API: a login code becomes a user, sealed data becomes readable. Knows neither stores nor routes.

mod crypto;
mod errcode;
mod error;
mod exchange;
mod proofs;
mod reply;
mod retry;
mod transport;

pub use self::crypto::{OpenData, Undecryptable, decrypt, verify_signature};
pub use self::error::{Errmsg, OK, Unavailable, WeChatError};
pub use self::exchange::{Exchange, WeChat};
pub use self::proofs::{Held, Proofs, Prover, Unproven};
pub use self::transport::WeChatSetupError;
