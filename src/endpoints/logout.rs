//! The end of a session at its client's wish.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::domain::template::Template;
use crate::domain::token::Skey;
use crate::store::Store;
use crate::wire::refusal::json_answer;

/// Ends the session of `skey`, if there is one, and says so either way: who logs out twice is logged out.
pub async fn answer(
    store: &Store,
    skey: Option<&Skey>,
    response: Option<&Template>,
) -> Response<Bytes> {
    if let Some(skey) = skey {
        store.close(&skey.digest()).await;
    }
    let body = response.map_or_else(|| json!({}), |template| template.fill(|_| Value::Null));
    json_answer(StatusCode::OK, &body)
}
