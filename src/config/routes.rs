//! `[[routes]]`: which requests each takes, arranged to be found. What it does with them is `actions`' business.

use http::Method;

use super::actions::{self, Scope};
use super::changes;
use super::cors::{self, Around};
use super::dialect;
use super::plan::{Action, RefusalShapes, RouteChanges, RoutePlan, ServerPlan};
use super::raw::{RawRoute, RawRule, Texts};
use super::refusals;
use super::source::{Place, Source};
use super::units::size;
use super::verdict;
use crate::domain::call_path::CallPath;
use crate::domain::cors::Cors;
use crate::domain::host_pattern::HostPattern;
use crate::domain::route::{PathPattern, RoutePattern, RouteTable};

/// The routes in the order of the file, and the table that finds their places.
pub(super) fn plan(
    raw: Vec<RawRoute<'_>>,
    scope: &Scope<'_>,
    server: &ServerPlan,
    source: &Source<'_>,
) -> (Vec<RoutePlan>, RouteTable) {
    let read = |raw| read(raw, scope, server, source);
    let (rules, deeds): (Vec<_>, Vec<_>) = raw.into_iter().map(read).unzip();
    let closed = close(&deeds, &rules, source);
    let table = arrange(rules.iter().flatten(), source).closed_at(closed);
    let routes = rules.into_iter().zip(deeds);
    let routes = routes.filter_map(|(rule, deed)| deed.under(rule?));
    (routes.collect(), table)
}

fn read(
    raw: RawRoute<'_>,
    scope: &Scope<'_>,
    server: &ServerPlan,
    source: &Source<'_>,
) -> (Option<Rule>, Deed) {
    let mut defaults = dialect::plan(&raw.deed, source);
    let place = raw.deed.on_login.as_ref().map(|on_login| on_login.place);
    let (has_upstream, has_cors) = (raw.deed.upstream.is_some(), raw.cors.is_some());
    let action = actions::plan(raw.deed, &raw.rule, scope, source);
    verdict::check_refusals(action.as_ref(), &raw.refusals, source);
    let rule = Rule::read(raw.rule, source);
    let changes = if has_upstream {
        let path = rule.as_ref().map(|rule| &rule.pattern.path);
        changes::plan(raw.changes, path, scope.managed, has_cors, source)
    } else {
        changes::refuse(&raw.changes, source);
        RouteChanges::default()
    };
    let around = Around {
        methods: rule.as_ref().map_or(&[], |rule| &rule.pattern.methods),
        action: action.as_ref(),
        sessions: scope.sessions,
    };
    let cors = raw.cors.and_then(|raw| cors::plan(raw, &around, source));
    let deed = Deed {
        on_login: place,
        action: action.map(|action| defaults.complete(action)),
        changes,
        cors,
        max_body: source.accept(raw.max_body, size).unwrap_or(server.max_body),
        refusals: refusals::plan(raw.refusals, source).or(defaults.refusals),
    };
    (rule, deed)
}

/// What a route does, as far as it makes sense.
struct Deed {
    action: Option<Action>,
    /// Where it says what is called at a login.
    on_login: Option<Place>,
    changes: RouteChanges,
    cors: Option<Cors>,
    max_body: u64,
    refusals: RefusalShapes,
}

impl Deed {
    fn under(self, rule: Rule) -> Option<RoutePlan> {
        Some(RoutePlan {
            label: rule.label,
            pattern: rule.pattern,
            action: self.action?,
            changes: self.changes,
            cors: self.cors,
            max_body: self.max_body,
            refusals: self.refusals,
        })
    }
}

/// What a route asks of a request, and where it says so.
struct Rule {
    label: String,
    pattern: RoutePattern,
    place: Place,
}

impl Rule {
    fn read(raw: RawRule, source: &Source<'_>) -> Option<Self> {
        let methods = source.accept_all(raw.methods.clone(), method);
        let hosts = source.accept_all(raw.hosts.clone(), HostPattern::parse);
        let written = raw.path?;
        let path = source.accept(written.clone(), PathPattern::parse)?;
        let before = [joined(raw.methods), joined(raw.hosts)].concat();
        Some(Self {
            label: before + &written.value,
            pattern: RoutePattern {
                path,
                hosts,
                methods,
            },
            place: written.place,
        })
    }
}

fn arrange<'a>(rules: impl Iterator<Item = &'a Rule>, source: &Source<'_>) -> RouteTable {
    let rules: Vec<_> = rules.collect();
    RouteTable::new(rules.iter().map(|rule| &rule.pattern)).unwrap_or_else(|conflicts| {
        for conflict in conflicts {
            if let (Some(first), Some(second)) =
                (rules.get(conflict.first), rules.get(conflict.second))
            {
                let line = source.line(first.place);
                let text = format!(
                    "this route takes the same requests as the one of line {line}; \
                     change the path, the methods or the hosts of one of them"
                );
                source.problem(second.place, text);
            }
        }
        RouteTable::default()
    })
}

/// The paths that only wxgate itself calls. A rule that leads to one would never match.
fn close(deeds: &[Deed], rules: &[Option<Rule>], source: &Source<'_>) -> Vec<CallPath> {
    let calls = deeds.iter().filter_map(|deed| {
        let Some(Action::Login(login)) = &deed.action else {
            return None;
        };
        Some((&login.on_login.as_ref()?.path, deed.on_login?))
    });
    let close = |(path, place): (&CallPath, _)| {
        let line = source.line(place);
        for rule in rules.iter().flatten() {
            if rule.pattern.path.is_closed_by(path) {
                let text = format!(
                    "the `on_login` of line {line} closes this path, which only wxgate itself calls; \
                     give one of them another path"
                );
                source.problem(rule.place, text);
            }
        }
        path.clone()
    };
    calls.map(close).collect()
}

/// A text that is no method.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no method; write it in capitals, such as \"GET\"")]
pub(super) struct NoMethod(String);

pub(super) fn method(text: &str) -> Result<Method, NoMethod> {
    let is_capital = text
        .bytes()
        .all(|b| b.is_ascii_uppercase() || b"-_".contains(&b));
    let method = text.parse().ok().filter(|_| is_capital);
    method.ok_or_else(|| NoMethod(text.to_owned()))
}

/// The texts with commas between them and a space behind; nothing for none.
fn joined(texts: Option<Texts>) -> String {
    let texts = texts.map(|texts| texts.value).unwrap_or_default();
    let words: Vec<_> = texts.into_iter().map(|text| text.value).collect();
    if words.is_empty() {
        return String::new();
    }
    words.join(",") + " "
}
