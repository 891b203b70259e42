//! The keys of an upstream whose servers speak FastCGI: which scripts run. Knows no files.

use super::plan::{FastCgiPlan, ServerAddress};
use super::raw::RawScripts;
use super::source::{Place, Source};
use super::units::size;
use crate::domain::script::{FrontScript, NamedScripts, Scripts};

/// The script that runs where the config names none.
const USUAL: &str = "index.php";
/// How long a body may be whose length is known only when it has ended, where the config does not say, in bytes.
const MOST_CHUNKED: u64 = 64 * 1024;

/// A text that is no directory.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is no directory; write the whole path as the server sees it, such as \"/var/www/app/public\""
)]
struct NoRoot(String);

/// What `servers` need, which are named at `place`; nothing if they do not speak FastCGI.
pub(super) fn plan(
    name: &str,
    raw: RawScripts,
    (servers, place): (&[ServerAddress], Option<Place>),
    source: &Source<'_>,
) -> Option<FastCgiPlan> {
    let speakers = servers.iter().filter(|server| server.is_fast_cgi()).count();
    if speakers == 0 {
        // Servers that could not be read may be some.
        for (key, place) in raw.keys().filter(|_| !servers.is_empty()) {
            let text = format!(
                "`{key}` is for servers that speak FastCGI; write \"fcgi://…\", or remove it"
            );
            source.problem(place, text);
        }
        return None;
    }
    if let Some(place) = place.filter(|_| speakers < servers.len()) {
        let text = "some of these servers speak FastCGI and some do not; give the others an upstream of their own";
        source.problem(place, text);
    }
    if raw.root.is_none() {
        let text = format!(
            "`root` is missing in [upstreams.{name}]; servers that speak FastCGI are told the directory of the scripts, \
             such as \"/var/www/app/public\""
        );
        source.missing(raw.place, text);
    }
    let front = raw.script.unwrap_or_else(|| raw.place.at(USUAL.to_owned()));
    let front = source.accept(front, FrontScript::parse);
    let named = source.accept_all(raw.scripts, NamedScripts::parse);
    Some(FastCgiPlan {
        root: source.accept(raw.root, root)?,
        scripts: Scripts::new(front?, named),
        keep_alive: raw.keep_alive.is_some_and(|flag| flag.value),
        max_chunked_body: source
            .accept(raw.max_chunked_body, size)
            .unwrap_or(MOST_CHUNKED),
    })
}

fn root(text: &str) -> Result<String, NoRoot> {
    let path = text.strip_suffix('/').unwrap_or(text);
    let is_clean = |part: &str| {
        let is_dots = part == "." || part == "..";
        !part.is_empty() && !is_dots && !part.contains(char::is_control)
    };
    let mut parts = path.split('/');
    let is_whole = parts.next() == Some("") && path.contains('/') && parts.all(is_clean);
    is_whole
        .then(|| path.to_owned())
        .ok_or_else(|| NoRoot(text.to_owned()))
}
