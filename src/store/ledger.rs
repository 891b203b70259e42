//! What an operator asks of a store: which sessions there are, and that some of them end. Knows no skeys.

use super::Trouble;
use crate::domain::clock::Timestamp;
use crate::domain::identity::WechatId;
use crate::domain::session::Session;
use crate::domain::session_id::SessionId;

/// Whose sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Those of all users of all apps.
    Anyone,
    /// Those of all users of the app at this place.
    App(usize),
    /// Those of one user in one app.
    User {
        /// The app's place.
        app: usize,
        /// The user, as that app knows them.
        openid: WechatId,
    },
}

impl Whose {
    /// Whether `session` is one of theirs.
    #[must_use]
    pub fn includes(&self, session: &Session) -> bool {
        let user = session.user();
        match self {
            Self::Anyone => true,
            Self::App(app) => user.app.index == *app,
            Self::User { app, openid } => user.app.index == *app && user.openid == *openid,
        }
    }
}

/// Which sessions are to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// The one of this name.
    Session(SessionId),
    /// Those of one user in one app.
    User {
        /// The app's place.
        app: usize,
        /// The user, as that app knows them.
        openid: WechatId,
    },
    /// Those of all users of the app at this place.
    App(usize),
}

/// Which sessions are to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Whose.
    pub whose: Whose,
    /// At most so many; at least one.
    pub limit: usize,
    /// [`Page::next`] of the page before, if there was one.
    pub cursor: Option<String>,
}

/// Some of the sessions, in an order that stays the same while others come and go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The sessions.
    pub rows: Vec<Row>,
    /// What leads to those behind them, if there may be any: letters, digits, `-`, `_` and `.` only, and nothing secret.
    pub next: Option<String>,
}

/// A session, as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub id: SessionId,
    /// The place of its app.
    pub app: usize,
    /// Its user, as that app knows them.
    pub openid: WechatId,
    /// Its user, as all apps of one company know them.
    pub unionid: Option<WechatId>,
    /// When it was used last.
    pub last_used: Timestamp,
    /// When it ends, however much it is used.
    pub expires_at: Timestamp,
}

impl Row {
    /// The row of the session of this name.
    #[must_use]
    pub fn of(id: SessionId, session: &Session) -> Self {
        let facts = session.facts();
        Self {
            id,
            app: facts.app.index,
            openid: facts.openid.clone(),
            unionid: facts.unionid.cloned(),
            last_used: session.last_used(),
            expires_at: session.expires_at(),
        }
    }
}

/// Why there is no page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// A cursor that no page had.
    #[error("this cursor is of no page")]
    Cursor,
    /// The store cannot be asked.
    #[error(transparent)]
    Trouble(#[from] Trouble),
}
