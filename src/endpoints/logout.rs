//! The end of a session at its client's wish.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::domain::template::Template;
use crate::domain::token::SkeyDigest;
use crate::store::Store;
use crate::wire::refusal::{Refusal, json_answer};

/// Ends the session that `digest` leads to, if there is one, and says so either way: who logs out twice is logged out.
///
/// # Errors
///
/// `overloaded`, if the store cannot be asked.
pub async fn answer(
    store: &Store,
    digest: Option<&SkeyDigest>,
    response: Option<&Template>,
) -> Result<Response<Bytes>, Refusal> {
    if let Some(digest) = digest {
        store.close(digest).await?;
    }
    let body = response.map_or_else(|| json!({}), |template| template.fill(|_| Value::Null));
    Ok(json_answer(StatusCode::OK, &body))
}
