//! `wxgate sessions`: which sessions a gateway that runs has, and that some of them end. Knows no store, and asks over
//! `/api/sessions` as any other operator does.

mod api;
mod table;

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::config::{self, Surroundings};
use crate::domain::secret::Secret;
use api::{Api, ApiError};

/// The variable that has the token, if the config is not to be asked for it.
const TOKEN: &str = "WXGATE_ADMIN_TOKEN";

/// What `wxgate sessions` is told.
#[derive(Debug, Args)]
pub struct SessionsCommand {
    /// The operator's listener, as in `http://127.0.0.1:9090`; without it, as `[admin]` of the config says. The token is that of
    /// `[admin]` too, unless the variable `WXGATE_ADMIN_TOKEN` has one.
    #[arg(long, global = true, value_name = "URL")]
    admin: Option<String>,
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// List sessions, a page at a time.
    List {
        /// Only those of this app, by its name or appid.
        #[arg(long, value_name = "APP")]
        app: Option<String>,
        /// Only those of this user of the app.
        #[arg(long, value_name = "OPENID", requires = "app")]
        openid: Option<String>,
        /// At most so many, from 1 to 1000.
        #[arg(long, value_name = "N", default_value = "50")]
        limit: String,
        /// Those behind a page, by what it said comes next.
        #[arg(long, value_name = "CURSOR")]
        cursor: Option<String>,
        /// Print what the API answers, for scripts.
        #[arg(long)]
        json: bool,
    },
    /// Show one session.
    Show {
        /// Its id, as `list` has it.
        id: String,
        /// Print what the API answers, for scripts.
        #[arg(long)]
        json: bool,
    },
    /// End one session, all of a user, or all of an app.
    Revoke {
        /// The id of the one session.
        #[arg(required_unless_present = "app", conflicts_with = "app")]
        id: Option<String>,
        /// The app, by its name or appid.
        #[arg(long, value_name = "APP")]
        app: Option<String>,
        /// The user of the app; without this, all of its users.
        #[arg(long, value_name = "OPENID", requires = "app")]
        openid: Option<String>,
        /// Do not ask before all sessions of an app are ended.
        #[arg(long)]
        yes: bool,
        /// Print what the API answers, for scripts.
        #[arg(long)]
        json: bool,
    },
}

/// Why nothing was shown or ended.
#[derive(Debug, thiserror::Error)]
pub enum SessionsError {
    /// There is no such session: the exit status is 3.
    #[error("no session has the id {0}; it may have ended, or been rotated")]
    NoSession(String),
    /// The config does not say where to ask.
    #[error(transparent)]
    Config(#[from] config::Problems),
    /// The config has nothing of an operator's listener.
    #[error("{0} has no [admin]; add it, or say --admin http://ADDRESS")]
    NoAdmin(String),
    /// There is no token to show.
    #[error("there is no token: give [admin] a `token`, or set {TOKEN} to it")]
    NoToken,
    /// The port is one that only the gateway knows.
    #[error(
        "[admin] listens on a port that the system chooses; say --admin http://ADDRESS, as the log has it"
    )]
    NoPort,
    /// Nobody said yes.
    #[error("nothing was ended{0}")]
    NotConfirmed(&'static str),
    /// The gateway does not do it.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// What it tells cannot be printed, or what is said not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl SessionsError {
    /// The status that the process ends with.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::NoSession(_) => 3,
            _ => 1,
        }
    }
}

/// Does what `command` says, by the config in `file` where it does not say itself, and prints what came of it to `out`.
///
/// # Errors
///
/// It cannot be done; the text says what would help.
pub fn run(
    command: SessionsCommand,
    file: &Path,
    out: &mut impl Write,
) -> Result<(), SessionsError> {
    let api = api(command.admin, file)?;
    let (answer, table, is_json): (_, fn(&Value) -> String, _) = match command.act {
        Act::List {
            app,
            openid,
            limit,
            cursor,
            json,
        } => {
            let limit = Some(limit);
            let asked = [app, openid, limit, cursor];
            (api.list(asked)?, table::page, json)
        }
        Act::Show { id, json } => {
            let row = api.show(&id)?.ok_or(SessionsError::NoSession(id))?;
            (row, table::row, json)
        }
        Act::Revoke {
            id,
            app,
            openid,
            yes,
            json,
        } => (revoke(&api, id, app, openid, yes)?, table::revoked, json),
    };
    let text = if is_json {
        format!("{answer}\n")
    } else {
        table(&answer)
    };
    Ok(out.write_all(text.as_bytes())?)
}

fn revoke(
    api: &Api,
    id: Option<String>,
    app: Option<String>,
    openid: Option<String>,
    yes: bool,
) -> Result<Value, SessionsError> {
    if let Some(id) = id {
        return api.revoke_one(&id)?.ok_or(SessionsError::NoSession(id));
    }
    let app = app.unwrap_or_default();
    if let Some(openid) = openid {
        return Ok(api.revoke(&json!({"app": app, "openid": openid}))?);
    }
    if !yes {
        confirm(&app)?;
    }
    Ok(api.revoke(&json!({"app": app}))?)
}

/// Has the name of an app repeated before all of its users are logged out.
fn confirm(app: &str) -> Result<(), SessionsError> {
    if !io::stdin().is_terminal() {
        let how = ": this ends all sessions of an app; say --yes if that is meant";
        return Err(SessionsError::NotConfirmed(how));
    }
    let mut asking = io::stderr();
    write!(
        asking,
        "This ends all sessions of {app}. Write its name to go on: "
    )?;
    asking.flush()?;
    let mut said = String::new();
    io::stdin().lock().read_line(&mut said)?;
    if said.trim() == app {
        Ok(())
    } else {
        Err(SessionsError::NotConfirmed(""))
    }
}

/// Where to ask, and with which token.
fn api(url: Option<String>, file: &Path) -> Result<Api, SessionsError> {
    let surroundings = Surroundings::of_process();
    let token = surroundings.variables.get(TOKEN);
    let token = token.filter(|token| !token.is_empty());
    let token = token.map(|token| Secret::new(token.as_str()));
    let (url, token) = match (url, token) {
        (Some(url), Some(token)) => (url, Some(token)),
        (url, token) => {
            let admin = config::load_admin(file, token.is_none(), &surroundings)?;
            let no_admin = || SessionsError::NoAdmin(file.display().to_string());
            let admin = admin.ok_or_else(no_admin)?;
            let url = match url {
                Some(url) => url,
                None => api::url_of(admin.listen).ok_or(SessionsError::NoPort)?,
            };
            (url, token.or(admin.token))
        }
    };
    Ok(Api::new(url, token.ok_or(SessionsError::NoToken)?)?)
}
