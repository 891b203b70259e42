//! WeChat's API: a login code becomes a user, a phone code a number, sealed data becomes readable. Knows neither stores
//! nor routes.

mod access_token;
mod client;
mod crypto;
mod errcode;
mod error;
mod exchange;
mod key_checks;
mod object;
mod phone;
mod proofs;
mod reply;
mod retry;
mod session_key;
mod transport;

pub use self::client::WeChat;
pub use self::crypto::{OpenData, Undecryptable, decrypt, verify_signature};
pub use self::error::{Errmsg, OK, Unavailable, WeChatError};
pub use self::exchange::Exchange;
pub use self::key_checks::{KeyChecks, Verdict};
pub use self::phone::PhoneNumber;
pub use self::proofs::{Proofs, Proven, Prover, Unproven};
pub use self::transport::WeChatSetupError;
