//! `[[routes]]`: which requests each takes, arranged to be found. What it does with them is `actions`' business.

use http::Method;

use super::actions::{self, Scope};
use super::dialect;
use super::plan::{Action, RefusalShapes, RoutePlan, ServerPlan};
use super::raw::{RawRoute, RawRule, Texts};
use super::refusals;
use super::source::{Place, Source};
use super::units::size;
use crate::domain::route::{HostPattern, PathPattern, RoutePattern, RouteTable};

/// The routes in the order of the file, and the table that finds their places.
pub(super) fn plan(
    raw: Vec<RawRoute<'_>>,
    scope: &Scope<'_>,
    server: &ServerPlan,
    source: &Source<'_>,
) -> (Vec<RoutePlan>, RouteTable) {
    let read = |raw: RawRoute<'_>| {
        let mut defaults = dialect::plan(&raw.deed, source);
        let action = actions::plan(raw.deed, &raw.rule, scope, source);
        let deed = Deed {
            action: action.map(|action| defaults.complete(action)),
            max_body: source.accept(raw.max_body, size).unwrap_or(server.max_body),
            refusals: refusals::plan(raw.refusals, source).or(defaults.refusals),
        };
        (Rule::read(raw.rule, source), deed)
    };
    let (rules, deeds): (Vec<_>, Vec<_>) = raw.into_iter().map(read).unzip();
    let table = arrange(rules.iter().flatten(), source);
    let routes = rules.into_iter().zip(deeds);
    let routes = routes.filter_map(|(rule, deed)| deed.under(rule?));
    (routes.collect(), table)
}

/// What a route does, as far as it makes sense.
struct Deed {
    action: Option<Action>,
    max_body: u64,
    refusals: RefusalShapes,
}

impl Deed {
    fn under(self, rule: Rule) -> Option<RoutePlan> {
        Some(RoutePlan {
            label: rule.label,
            pattern: rule.pattern,
            action: self.action?,
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

/// A text that is no method.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no method; write it in capitals, such as \"GET\"")]
struct NoMethod(String);

fn method(text: &str) -> Result<Method, NoMethod> {
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
