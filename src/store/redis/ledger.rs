//! What an operator asks of the sessions in Redis. Knows no skeys.
//!
//! A list of all sessions, or of those of an app, walks through the names that each server has, as Redis lets it (SCAN): a
//! session that is there all the time is met, though it may be met twice. A cursor is `SERVER.PLACE.ID`: the number of the
//! server, where it is walked from, and the id behind which to go on there.

use futures_util::stream::{self, StreamExt, TryStreamExt};
use redis::{Value, cmd};

use super::RedisStore;
use super::fault::Fault;
use super::keys::{Named, SESSION};
use super::node::Link;
use super::sentinel::text;
use crate::domain::identity::WechatId;
use crate::domain::session_id::SessionId;
use crate::store::{ListError, Listing, Page, Row, Trouble, Whose};

/// How many names are looked at with one command.
const STEP: usize = 1000;
/// How many such steps a page takes at most: it may have fewer rows than it could.
const MOST_STEPS: usize = 100;
/// How many sessions are looked at at a time.
const AT_ONCE: usize = 64;
/// The id before all others.
const FIRST: &str = "-";

/// Where a list goes on.
struct Cursor {
    server: usize,
    place: u64,
    behind: Option<SessionId>,
}

impl RedisStore {
    /// Some of the sessions.
    pub(in crate::store) async fn list(&self, listing: Listing) -> Result<Page, ListError> {
        let this = self.clone();
        if let Whose::User { app, openid } = &listing.whose {
            let behind = listing.cursor.as_deref().map(SessionId::parse);
            let behind = match behind {
                None => None,
                Some(Some(id)) => Some(id),
                Some(None) => return Err(ListError::Cursor),
            };
            let (app, openid, limit) = (*app, openid.clone(), listing.limit);
            let listing = async move { this.of_user(app, &openid, behind, limit).await };
            return Ok(self.run("list", listing).await?);
        }
        let cursor = match &listing.cursor {
            None => Cursor {
                server: 0,
                place: 0,
                behind: None,
            },
            Some(cursor) => Cursor::parse(cursor).ok_or(ListError::Cursor)?,
        };
        let listing = async move { this.walk(cursor, &listing).await };
        Ok(self.run("list", listing).await?)
    }

    /// The session of this name, if it stands.
    pub(in crate::store) async fn show(&self, id: SessionId) -> Result<Option<Row>, Trouble> {
        let this = self.clone();
        self.run("show", async move { this.row(id).await }).await
    }

    async fn row(&self, id: SessionId) -> Result<Option<Row>, Fault> {
        let Some(session) = self.peek(id).await? else {
            return Ok(None);
        };
        if let Some(used) = self.0.shared.near.last_used(id) {
            session.touch(used);
        }
        let stands = !session.has_ended(self.now());
        Ok(stands.then(|| Row::of(id, &session)))
    }

    async fn rows(&self, ids: Vec<SessionId>) -> Result<Vec<Option<Row>>, Fault> {
        let rows = ids.into_iter().map(|id| self.row(id));
        stream::iter(rows).buffered(AT_ONCE).try_collect().await
    }

    async fn of_user(
        &self,
        app: usize,
        openid: &WechatId,
        behind: Option<SessionId>,
        limit: usize,
    ) -> Result<Page, Fault> {
        let Some(app) = self.0.records.cast().apps.get(app).cloned() else {
            return Ok(Page::default());
        };
        let mut ids = Vec::new();
        for name in self.0.names.of_user(&app, openid) {
            ids.extend(self.ids(&name.sessions()).await?);
        }
        ids.retain(|id| Some(*id) > behind);
        ids.sort_unstable();
        ids.dedup();
        let rows: Vec<_> = self.rows(ids).await?.into_iter().flatten().collect();
        let next = rows
            .get(limit.saturating_sub(1))
            .filter(|_| rows.len() > limit)
            .map(|last| last.id.to_string());
        let rows = rows.into_iter().take(limit).collect();
        Ok(Page { rows, next })
    }

    async fn walk(&self, mut cursor: Cursor, listing: &Listing) -> Result<Page, Fault> {
        let servers = self.0.servers.links()?;
        let pattern = format!("{SESSION}*");
        let mut rows = Vec::new();
        for _ in 0..MOST_STEPS {
            let Some(server) = servers.get(cursor.server) else {
                return Ok(Page { rows, next: None });
            };
            let (next, names) = self.scan(server.clone(), cursor.place, &pattern).await?;
            let mut ids: Vec<_> = names.iter().filter_map(|name| id(name)).collect();
            ids.retain(|id| Some(*id) > cursor.behind);
            ids.sort_unstable();
            for row in self.rows(ids).await?.into_iter().flatten() {
                if !is_listed(&row, &listing.whose) {
                    continue;
                }
                if rows.len() == listing.limit {
                    return Ok(Page {
                        rows,
                        next: Some(cursor.to_string()),
                    });
                }
                cursor.behind = Some(row.id);
                rows.push(row);
            }
            cursor.behind = None;
            cursor.place = next;
            if next == 0 {
                cursor.server += 1;
            }
        }
        let next = Some(cursor.to_string());
        Ok(Page { rows, next })
    }

    /// Some names of one server that look like `pattern`, and where to go on; 0 at the end.
    pub(super) async fn scan(
        &self,
        server: Link,
        place: u64,
        pattern: &str,
    ) -> Result<(u64, Vec<String>), Fault> {
        let mut connection = server.connection;
        let mut command = cmd("SCAN");
        command.arg(place).arg("MATCH").arg(pattern);
        command.arg("COUNT").arg(STEP);
        let answer = command.query_async::<Value>(&mut connection).await?;
        let no_scan = Fault::Garbage("it gives no names");
        let Value::Array(answer) = answer else {
            return Err(no_scan);
        };
        let [next, Value::Array(names)] = answer.as_slice() else {
            return Err(no_scan);
        };
        let next = text(next).and_then(|next| next.parse().ok());
        let names = names
            .iter()
            .filter_map(|name| text(name).map(str::to_owned));
        Ok((next.ok_or(no_scan)?, names.collect()))
    }
}

fn is_listed(row: &Row, whose: &Whose) -> bool {
    match whose {
        Whose::Anyone => true,
        Whose::App(app) => row.app == *app,
        Whose::User { app, openid } => row.app == *app && row.openid == *openid,
    }
}

fn id(name: &str) -> Option<SessionId> {
    match Named::of(name.as_bytes())? {
        Named::Session(id) => Some(id),
        Named::Keys(_) => None,
    }
}

impl Cursor {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let cursor = Self {
            server: parts.next()?.parse().ok()?,
            place: parts.next()?.parse().ok()?,
            behind: match parts.next()? {
                FIRST => None,
                id => Some(SessionId::parse(id)?),
            },
        };
        parts.next().is_none().then_some(cursor)
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.", self.server, self.place)?;
        match self.behind {
            Some(id) => write!(f, "{id}"),
            None => f.write_str(FIRST),
        }
    }
}
