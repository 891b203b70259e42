//! The config: what is written (raw) becomes what is meant (plan). Knows nothing of what is done with it.
//!
//! A text goes through `syntax` (TOML, as far as it can be read), `table` and `raw` (keys and their types), and then
//! through one file per section (defaults and meanings). All of them note problems in one `source`, and go on with a
//! stand-in, so that one look tells everything.

mod actions;
mod admin;
mod answer;
mod apps;
mod backend_tls;
mod body_fields;
mod certificates;
mod changes;
mod cors;
mod dialect;
mod effective;
mod fastcgi;
mod headers;
mod identity;
mod limits;
mod log;
mod login_apps;
mod on_login;
mod open_data;
mod phone;
pub mod plan;
mod problems;
mod raw;
mod redis_url;
mod refusals;
mod routes;
mod secret;
mod server;
mod servers;
mod session_store;
mod sessions;
mod source;
mod spelling;
mod state;
mod surroundings;
mod syntax;
mod table;
#[cfg(test)]
mod tests;
mod tls;
mod units;
mod upstreams;
mod verdict;
mod websocket;
mod wechat;

use std::path::Path;

pub use certificates::{CertificateError, Certificates};
pub use effective::effective;
pub use problems::Problems;
pub use surroundings::Surroundings;

use actions::Scope;
use headers::Managed;
use plan::{AdminPlan, Plan};
use raw::{RawAdmin, RawConfig, Text};
use source::Source;
use syntax::Syntax;
use table::Table;

/// Reads the config in `file`.
///
/// # Errors
///
/// Everything that is wrong with it, and everything it points at that cannot be had.
pub fn load(file: &Path, surroundings: &Surroundings) -> Result<Plan, Problems> {
    let name = file.display().to_string();
    read(&name, &text_of(file, &name)?, surroundings)
}

/// Reads a config that is at hand; `name` is the file that problems name, and that relative paths start from.
///
/// # Errors
///
/// Everything that is wrong with it, and everything it points at that cannot be had.
pub fn read(name: &str, text: &str, surroundings: &Surroundings) -> Result<Plan, Problems> {
    let text = text.trim_start_matches('\u{feff}');
    let syntax = Syntax::read(text);
    let source = Source::new(name, text, &syntax);
    let raw = Table::file(&source, syntax.table(), RawConfig::fields);
    let plan = plan(raw, &source, surroundings);
    source.into_problems().map_or(Ok(plan), Err)
}

/// Reads what the config in `file` says of the operator's listener alone, without asking for what a gateway needs beside; its
/// token only if it is needed.
///
/// # Errors
///
/// The file cannot be read, a key or its type is wrong, or the token cannot be had.
pub fn load_admin(
    file: &Path,
    needs_token: bool,
    surroundings: &Surroundings,
) -> Result<Option<AdminPlan>, Problems> {
    let name = file.display().to_string();
    let text = text_of(file, &name)?;
    let text = text.trim_start_matches('\u{feff}');
    let syntax = Syntax::read(text);
    let source = Source::new(&name, text, &syntax);
    let raw = Table::file(&source, syntax.table(), RawConfig::fields);
    let admin = raw.admin.map(|raw| {
        let token = raw.token.filter(|_| needs_token);
        admin::plan(RawAdmin { token, ..raw }, &[], &source, surroundings)
    });
    source.into_problems().map_or(Ok(admin), Err)
}

fn text_of(file: &Path, name: &str) -> Result<String, Problems> {
    let bytes = std::fs::read(file).map_err(|error| Problems::unreadable(name, &error))?;
    String::from_utf8(bytes).map_err(|error| Problems::not_utf8(name, &error))
}

/// What `raw` means; with stand-ins for what it does not say well, which `source` then knows.
fn plan(raw: RawConfig<'_>, source: &Source<'_>, surroundings: &Surroundings) -> Plan {
    let (app_names, upstream_names) = (names(&raw.apps), names(&raw.upstreams));
    let upstreams = upstreams::plan(raw.upstreams, source, surroundings);
    let server = server::plan(raw.server, source, surroundings);
    let apps = apps::plan(raw.apps, source, surroundings);
    let tokens = raw.sessions.as_ref().and_then(|raw| raw.token.clone());
    let dialects = dialect::spoken(&raw.routes);
    let taken = body_fields::read_by(&raw.routes, source);
    let identity = identity::plan(raw.identity, tokens.as_ref(), &dialects, source);
    let rotates = actions::rotate(&raw.routes);
    let of_routes = (&*dialects, &*taken, rotates);
    let sessions = sessions::plan(raw.sessions, of_routes, source, surroundings);
    let managed = Managed::of(&identity, &sessions);
    let scope = Scope {
        app_names: &app_names,
        apps: &apps,
        upstream_names: &upstream_names,
        upstreams: &upstreams,
        claims: &identity.claims,
        has_front: !server.trusted_proxies.is_empty(),
        managed: &managed,
        sessions: &sessions,
    };
    let (routes, route_table) = routes::plan(raw.routes, &scope, &server, source);
    Plan {
        admin: raw
            .admin
            .map(|raw| admin::plan(raw, &server.listen, source, surroundings)),
        server,
        limits: limits::plan(raw.limits, source),
        wechat: wechat::plan(raw.wechat, source),
        apps,
        sessions,
        identity,
        upstreams,
        routes,
        route_table,
        refusals: refusals::plan(raw.refusals, source),
        log: log::plan(raw.log, source),
    }
}

fn names<T>(named: &[(Text, T)]) -> Vec<String> {
    named.iter().map(|(name, _)| name.value.clone()).collect()
}
