//! `/api/decrypt`: what a user's keys open, for backends that want it at another time. Knows no connections.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::domain::identity::{App, WechatId};
use crate::domain::refusal::RefusalCode;
use crate::store::Store;
use crate::wechat::{KeyChecks, Proofs, Prover, Unproven};
use crate::wire::fields::{BodyFormat, Fields};
use crate::wire::refusal::Refusal;

/// All that opening data needs.
#[derive(Clone, Debug)]
pub struct Decrypter {
    /// The apps, each of which may be called by its name or its appid.
    pub apps: Vec<Arc<App>>,
    /// Where the users' keys are.
    pub store: Store,
    /// What holds the data against them.
    pub prover: Prover,
    /// What tells stale keys from data that is not the user's.
    pub key_checks: Arc<KeyChecks>,
}

/// Why nothing is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// `app`, `openid`, or both of `encryptedData` and `iv` are missing.
    Incomplete,
    /// No such app.
    App,
    /// No keys of such a user.
    User,
    /// The keys open nothing, or the body cannot be had.
    Refused(RefusalCode, &'static str),
}

impl Closed {
    /// The status, the code and the message of the answer.
    pub(super) fn told(self) -> (StatusCode, &'static str, &'static str) {
        let not_found = StatusCode::NOT_FOUND;
        match self {
            Self::Incomplete => (
                StatusCode::BAD_REQUEST,
                RefusalCode::BadRequest.as_str(),
                "this needs a JSON object with the texts app, openid, encryptedData and iv",
            ),
            Self::App => (
                not_found,
                "app_unknown",
                "there is no app of this name or appid",
            ),
            Self::User => (
                not_found,
                "user_unknown",
                "this user has not logged in to this app, or too long ago",
            ),
            Self::Refused(code, message) => (code.status(), code.as_str(), message),
        }
    }
}

impl From<Refusal> for Closed {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal.code, refusal.message)
    }
}

impl From<Unproven> for Closed {
    fn from(error: Unproven) -> Self {
        Refusal::from(error).into()
    }
}

impl Decrypter {
    /// What the data in a JSON `body` holds, as `{"data": …}`.
    pub(super) async fn open(&self, body: &[u8]) -> Result<Value, Closed> {
        let fields = Fields::of_body(BodyFormat::Json, body);
        let needed = |name| fields.get(name).ok_or(Closed::Incomplete);
        let (app, openid) = (needed("app")?, needed("openid")?);
        let proofs = Proofs::of(&fields)?;
        if !proofs.are_sealed() {
            return Err(Closed::Incomplete);
        }
        let app = App::called(app, &self.apps).ok_or(Closed::App)?;
        let openid = WechatId::parse(openid).ok_or(Closed::User)?;
        let keys = self.store.keys(app.index, &openid).await;
        let keys = keys.map_err(Refusal::from)?.ok_or(Closed::User)?;
        let proven = match self.prover.hold(&proofs, app, &openid, &keys) {
            Ok(proven) => proven,
            Err(error) => {
                let refusal = self.key_checks.refuse(error, app, &openid, &keys);
                return Err(refusal.await.into());
            }
        };
        let members = proven
            .opened
            .map_or_else(Map::new, |data| data.members().clone());
        Ok(json!({"data": members}))
    }
}
