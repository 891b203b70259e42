//! Which rule a request falls under: the most specific one wins. Knows nothing of what a rule does.

use std::borrow::Cow;

use http::Method;
use rustc_hash::FxHashMap;

use super::call_path::CallPath;
use super::host_pattern::HostPattern;
use super::path::{PathError, RequestPath};
use super::prefix::{PathPrefix, PrefixChange};

/// The path of a rule: one path, or everything below one at a segment border.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathPattern {
    /// This path alone, decoded.
    Exact(Vec<u8>),
    /// This path, with a slash, and all below it, decoded; the empty path is the root.
    Below(Vec<u8>),
}

/// Why a text is no path of a rule.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathPatternError {
    /// It has a `*` in the middle.
    #[error("`*` may stand only at the end, as a whole segment: \"/static/*\"")]
    Star,
    /// It has a `?`, `#` or `;`.
    #[error("`{0}` cannot stand in the path of a route, which has neither query nor parameters")]
    Delimiter(char),
    /// No request could have this path.
    #[error("no request can have this path: {0}")]
    Path(#[from] PathError),
}

impl PathPattern {
    /// Whether all requests that it matches go where only the gateway itself calls.
    #[must_use]
    pub fn is_closed_by(&self, call: &CallPath) -> bool {
        match self {
            Self::Exact(path) | Self::Below(path) => call.closes(path),
        }
    }

    /// Whether all requests that it matches begin with `prefix`.
    #[must_use]
    pub fn is_under(&self, prefix: &PathPrefix) -> bool {
        match self {
            Self::Exact(path) | Self::Below(path) => prefix.begins(path),
        }
    }

    /// Reads `"/path"` or `"/path/*"`.
    ///
    /// # Errors
    ///
    /// No request could match it, or it is neither form.
    pub fn parse(text: &str) -> Result<Self, PathPatternError> {
        let (path, is_below) = match text.strip_suffix("/*") {
            Some(path) => (path, true),
            None => (text, false),
        };
        if path.contains('*') {
            return Err(PathPatternError::Star);
        }
        if let Some(delimiter) = path.chars().find(|c| matches!(c, '?' | '#' | ';')) {
            return Err(PathPatternError::Delimiter(delimiter));
        }
        if is_below && path.is_empty() {
            return Ok(Self::Below(Vec::new()));
        }
        let matched = RequestPath::parse(path)?.matched().to_vec();
        // Encoded, it begins parameters all the same for those who decode first.
        if matched.contains(&b';') {
            return Err(PathPatternError::Delimiter(';'));
        }
        if !is_below {
            return Ok(Self::Exact(matched));
        }
        if matched.ends_with(b"/") {
            return Err(PathError::EmptySegment.into());
        }
        Ok(Self::Below(matched))
    }
}

/// What a rule asks of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutePattern {
    /// The path.
    pub path: PathPattern,
    /// Any of these hosts; empty for every host.
    pub hosts: Vec<HostPattern>,
    /// Any of these methods; empty for every method.
    pub methods: Vec<Method>,
}

/// All rules, arranged so that finding one costs the depth of the path, not the number of rules. The keys come from the
/// config alone, so that a hash will do which an attacker could foresee.
#[derive(Debug, Default)]
pub struct RouteTable {
    exact: ByPath,
    below: ByPath,
    /// Where no rule leads; a few at most.
    closed: Vec<CallPath>,
}

/// Two rules that are equally specific for some request, each by its place among the rules.
#[derive(Debug, PartialEq, Eq)]
pub struct RouteConflict {
    /// The one that came first.
    pub first: usize,
    /// The one that came later.
    pub second: usize,
}

/// Why a request falls under no rule.
#[derive(Debug, PartialEq, Eq)]
pub enum NoRoute {
    /// No rule has its path and host.
    NotFound,
    /// Its path is one that only the gateway itself calls.
    Closed,
    /// Only the method is in the way; these are the ones that are not.
    Method(Vec<Method>),
    /// A backend that drops path parameters would see another rule's path.
    Ambiguous,
}

impl RouteTable {
    /// Arranges `patterns`, each of which is found by its place among them.
    ///
    /// # Errors
    ///
    /// All pairs of rules that are equally specific for some request.
    pub fn new<'a>(
        patterns: impl IntoIterator<Item = &'a RoutePattern>,
    ) -> Result<Self, Vec<RouteConflict>> {
        let mut table = Self::default();
        let mut conflicts = Vec::new();
        for (index, pattern) in patterns.into_iter().enumerate() {
            conflicts.extend(table.insert(pattern, index));
        }
        if conflicts.is_empty() {
            Ok(table)
        } else {
            Err(conflicts)
        }
    }

    /// The same rules, of which none leads to where only the gateway itself calls.
    #[must_use]
    pub fn closed_at(self, closed: Vec<CallPath>) -> Self {
        Self { closed, ..self }
    }

    /// Finds the most specific rule: exact over below, longer over shorter, with host over without, with method
    /// over without. `host` is without its port.
    ///
    /// # Errors
    ///
    /// No rule has the path, the host and the method, the path is closed, or two readings of it fall under two rules.
    pub fn find(
        &self,
        path: &RequestPath<'_>,
        host: &str,
        method: &Method,
    ) -> Result<usize, NoRoute> {
        if self.closes(path.matched()) {
            return Err(NoRoute::Closed);
        }
        let host = lower_case(host);
        let found = self.find_path(path.matched(), &host, method);
        match path.without_parameters() {
            Some(other) if self.closes(&other) => Err(NoRoute::Closed),
            Some(other) if self.find_path(&other, &host, method) != found => {
                Err(NoRoute::Ambiguous)
            }
            _ => found,
        }
    }

    /// The path that is sent instead, with the beginning that `change` gives it: it leads nowhere where only the gateway
    /// itself calls either.
    ///
    /// # Errors
    ///
    /// The new path is closed, or the old one has not the beginning that is to be changed.
    pub fn lead_on(
        &self,
        path: &RequestPath<'_>,
        change: &PrefixChange,
    ) -> Result<RequestPath<'static>, NoRoute> {
        let changed = change.of(path).ok_or(NoRoute::NotFound)?;
        let bare = changed.without_parameters();
        if self.closes(changed.matched()) || bare.is_some_and(|bare| self.closes(&bare)) {
            return Err(NoRoute::Closed);
        }
        Ok(changed)
    }

    fn closes(&self, path: &[u8]) -> bool {
        self.closed.iter().any(|closed| closed.closes(path))
    }

    fn insert(&mut self, pattern: &RoutePattern, index: usize) -> Option<RouteConflict> {
        let (rules, path) = match &pattern.path {
            PathPattern::Exact(path) => (&mut self.exact, path),
            PathPattern::Below(path) => (&mut self.below, path),
        };
        let taken = rules.at(path).insert(pattern, index);
        taken.map(|first| RouteConflict {
            first,
            second: index,
        })
    }

    fn find_path(&self, path: &[u8], host: &str, method: &Method) -> Result<usize, NoRoute> {
        let exact = self.exact.get(path);
        let below = borders(path).filter_map(|border| self.below.get(border));
        let mut allowed = Vec::new();
        for rules in exact
            .into_iter()
            .chain(below)
            .flat_map(|rules| rules.for_host(host))
        {
            match rules.find(method) {
                Some(index) => return Ok(index),
                None => allowed.extend(rules.methods().cloned()),
            }
        }
        Err(if allowed.is_empty() {
            NoRoute::NotFound
        } else {
            NoRoute::Method(allowed)
        })
    }
}

/// Rules by their paths.
#[derive(Debug, Default)]
struct ByPath {
    rules: FxHashMap<Vec<u8>, HostRules>,
    /// A bit for each length of a path, by its rest modulo 64: most other paths are told by their length.
    lengths: u64,
}

impl ByPath {
    fn at(&mut self, path: &[u8]) -> &mut HostRules {
        self.lengths |= Self::bit(path);
        self.rules.entry(path.to_vec()).or_default()
    }

    fn get(&self, path: &[u8]) -> Option<&HostRules> {
        let may_be = self.lengths & Self::bit(path) != 0;
        may_be.then(|| self.rules.get(path)).flatten()
    }

    const fn bit(path: &[u8]) -> u64 {
        1 << (path.len() % 64)
    }
}

/// The rules of one path.
#[derive(Debug, Default)]
struct HostRules {
    exact: FxHashMap<String, MethodRules>,
    below: FxHashMap<String, MethodRules>,
    any: MethodRules,
}

impl HostRules {
    fn insert(&mut self, pattern: &RoutePattern, index: usize) -> Option<usize> {
        if pattern.hosts.is_empty() {
            return self.any.insert(&pattern.methods, index);
        }
        let mut taken = None;
        for host in &pattern.hosts {
            let rules = match host {
                HostPattern::Exact(name) => self.exact.entry(name.clone()),
                HostPattern::Below(name) => self.below.entry(name.clone()),
            };
            taken = taken.or(rules.or_default().insert(&pattern.methods, index));
        }
        taken
    }

    /// The rules that hold for `host`, the most specific first.
    fn for_host<'a>(&'a self, host: &'a str) -> impl Iterator<Item = &'a MethodRules> {
        // Where no rule is for all below a name, there is no need to look for names.
        let names = if self.below.is_empty() { "" } else { host };
        let parents = names
            .match_indices('.')
            .filter_map(|(dot, _)| names.get(dot + 1..));
        let below = parents.filter_map(|parent| self.below.get(parent));
        self.exact
            .get(host)
            .into_iter()
            .chain(below)
            .chain([&self.any])
    }
}

/// The rules of one path and host.
#[derive(Debug, Default)]
struct MethodRules {
    by_method: Vec<(Method, usize)>,
    any: Option<usize>,
}

impl MethodRules {
    fn insert(&mut self, methods: &[Method], index: usize) -> Option<usize> {
        if methods.is_empty() {
            let taken = self.any;
            self.any = taken.or(Some(index));
            return taken;
        }
        let taken = self
            .by_method
            .iter()
            .find(|(method, _)| methods.contains(method));
        let taken = taken.map(|(_, index)| *index);
        self.by_method
            .extend(methods.iter().map(|method| (method.clone(), index)));
        taken
    }

    fn find(&self, method: &Method) -> Option<usize> {
        let by_method = self.by_method.iter().find(|(name, _)| name == method);
        by_method.map(|(_, index)| *index).or(self.any)
    }

    fn methods(&self) -> impl Iterator<Item = &Method> {
        self.by_method.iter().map(|(method, _)| method)
    }
}

/// The path itself and all that lie above it, down to the empty one, the longest first.
fn borders(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::successors(Some(path), |path| {
        let slash = path.iter().rposition(|b| *b == b'/')?;
        path.get(..slash)
    })
}

fn lower_case(host: &str) -> Cow<'_, str> {
    if host.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

#[cfg(test)]
mod tests;
