//! Which script a path runs, where scripts answer and not a server. Knows no files.

use super::byte_set::ByteSet;
use super::path::RequestPath;

/// What may stand in the name of a directory on the way to a script: no dot, so that no file passes for one.
const DIRECTORY: ByteSet = ByteSet::ALPHANUMERIC.and(b"-_");
/// What may stand in the name of a script.
const FILE: ByteSet = DIRECTORY.and(b".");
/// How a script ends that a path may name.
const ENDING: &[u8] = b".php";

/// The scripts that may run. A client can name no other, whatever lies beside them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scripts {
    front: FrontScript,
    named: Vec<NamedScripts>,
}

/// The script that runs for every path that names none, such as `index.php`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontScript(String);

/// Scripts that a path may name: `pay/notify.php`, or `admin/*.php` for all below a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedScripts {
    /// This one.
    One(String),
    /// All whose paths begin like this, with a slash at its end.
    Below(String),
}

/// The script that a path runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Script<'a> {
    /// Its path from the root, with a slash before it.
    pub name: &'a [u8],
    /// What the path says behind it, decoded.
    pub info: &'a [u8],
}

/// Why a text names no script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// It is no path from the root.
    #[error("`{0}` is no script; write its path below `root`, such as \"index.php\"")]
    Front(String),
    /// It is neither a script nor all of a directory.
    #[error(
        "`{0}` names no script; write the path of one below `root`, such as \"pay/notify.php\", or \"admin/*.php\" for \
         all in and below a directory, whose name has no dot"
    )]
    Named(String),
}

/// A path with the name of the script in front, which it may not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the path has the name of the script in front, which is not among `scripts`")]
pub struct HiddenScript;

impl FrontScript {
    /// Reads a path below the root.
    ///
    /// # Errors
    ///
    /// It is none, or has other characters than letters, digits, `-`, `_` and, in its last part, `.`.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let name = format!("/{text}");
        if is_script(name.as_bytes()) {
            Ok(Self(name))
        } else {
            Err(ScriptError::Front(text.to_owned()))
        }
    }
}

impl NamedScripts {
    /// Reads the path of one script, or of all in and below a directory.
    ///
    /// # Errors
    ///
    /// It is neither; see [`FrontScript::parse`].
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let error = || ScriptError::Named(text.to_owned());
        if let Some(directory) = text.strip_suffix("*.php") {
            let directory = format!("/{directory}");
            // As if one of them were named.
            let one = format!("{directory}x.php");
            let is_whole = directory.ends_with('/') && is_script(one.as_bytes());
            return is_whole.then_some(Self::Below(directory)).ok_or_else(error);
        }
        let name = format!("/{text}");
        let is_one = is_script(name.as_bytes()) && name.as_bytes().ends_with(ENDING);
        is_one.then_some(Self::One(name)).ok_or_else(error)
    }

    fn include(&self, name: &[u8]) -> bool {
        match self {
            Self::One(own) => own.as_bytes() == name,
            Self::Below(directory) => name.starts_with(directory.as_bytes()),
        }
    }
}

impl Scripts {
    /// These, and no other.
    #[must_use]
    pub fn new(front: FrontScript, named: Vec<NamedScripts>) -> Self {
        Self { front, named }
    }

    /// The one that runs for every path that names none, as configs write it.
    #[must_use]
    pub fn front(&self) -> &str {
        self.front.0.trim_start_matches('/')
    }

    /// Those that a path may name, as configs write them.
    pub fn listed(&self) -> impl Iterator<Item = String> {
        let written = self.named.iter().map(|named| match named {
            NamedScripts::One(script) => script.clone(),
            NamedScripts::Below(directory) => format!("{directory}*.php"),
        });
        written.map(|text| text.trim_start_matches('/').to_owned())
    }

    /// The script that `path` runs: the one that it names, if it may, else the one in front.
    #[must_use]
    pub fn find<'a>(&'a self, path: &'a RequestPath<'_>) -> Script<'a> {
        let path = path.matched();
        self.named(path).unwrap_or_else(|| {
            let name = self.front.0.as_bytes();
            let behind = path.strip_prefix(name);
            let info = behind.filter(|info| info.is_empty() || info.starts_with(b"/"));
            let info = info.unwrap_or(path);
            Script { name, info }
        })
    }

    /// Holds that a client may ask for `path`: the script in front is no other way to where paths lead, unless it may be
    /// named.
    ///
    /// # Errors
    ///
    /// Its name stands in the path, where frameworks look for it, and take for the path what comes behind.
    pub fn check(&self, path: &RequestPath<'_>) -> Result<(), HiddenScript> {
        let path = path.matched();
        let is_there = memchr::memmem::find(path, self.front.0.as_bytes()).is_some();
        if is_there && self.named(path).is_none() {
            return Err(HiddenScript);
        }
        Ok(())
    }

    /// The script in the path, which ends with the first part that ends like one.
    fn named<'a>(&self, path: &'a [u8]) -> Option<Script<'a>> {
        if self.named.is_empty() {
            return None;
        }
        let borders = memchr::memchr_iter(b'/', path).skip(1).chain([path.len()]);
        let mut parts = borders.map(|border| path.split_at(border));
        let (name, info) = parts.find(|(name, _)| name.ends_with(ENDING))?;
        let may_run = is_script(name) && self.named.iter().any(|named| named.include(name));
        may_run.then_some(Script { name, info })
    }
}

/// Whether a path is that of a script as ours may be called.
fn is_script(name: &[u8]) -> bool {
    let Some((b"", rest)) = split_at_slash(name) else {
        return false;
    };
    let mut rest = rest;
    while let Some((directory, behind)) = split_at_slash(rest) {
        if directory.is_empty() || !DIRECTORY.has_all(directory) {
            return false;
        }
        rest = behind;
    }
    let stem = rest.strip_suffix(ENDING).unwrap_or(rest);
    !stem.is_empty() && !rest.starts_with(b".") && FILE.has_all(rest)
}

fn split_at_slash(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let (before, behind) = path.split_at_checked(memchr::memchr(b'/', path)?)?;
    Some((before, behind.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scripts(named: &[&str]) -> Scripts {
        let named = named.iter().map(|text| NamedScripts::parse(text).unwrap());
        Scripts::new(FrontScript::parse("index.php").unwrap(), named.collect())
    }

    fn found(scripts: &Scripts, path: &str) -> (String, String) {
        let path = RequestPath::parse(path).unwrap();
        let Script { name, info } = scripts.find(&path);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (text(name), text(info))
    }

    #[track_caller]
    fn check(named: &[&str], cases: &[(&str, &str, &str)]) {
        let scripts = scripts(named);
        for (path, name, info) in cases {
            let expected = ((*name).to_owned(), (*info).to_owned());
            assert_eq!(found(&scripts, path), expected, "{path}");
        }
    }

    #[test]
    fn all_paths_run_the_script_in_front_where_no_other_may_run() {
        check(
            &[],
            &[
                ("/", "/index.php", "/"),
                ("/orders/1", "/index.php", "/orders/1"),
                ("/%E5%95%86/a%20b", "/index.php", "/商/a b"),
                ("/index.php", "/index.php", ""),
                ("/index.php/", "/index.php", "/"),
                ("/index.php/orders/1", "/index.php", "/orders/1"),
                ("/index.phpx", "/index.php", "/index.phpx"),
                ("/admin.php", "/index.php", "/admin.php"),
                ("/uploads/a.jpg/x.php", "/index.php", "/uploads/a.jpg/x.php"),
            ],
        );
    }

    #[test]
    fn the_script_in_front_is_no_other_way_to_where_paths_lead_unless_it_may_be_named() {
        let is_taken = |named: &[&str], path: &str| {
            let path = RequestPath::parse(path).unwrap();
            scripts(named).check(&path).is_ok()
        };
        for path in [
            "/index.php",
            "/index.php/admin",
            "/x/index.php/admin",
            "/%69ndex%2Ephp/a",
            "/index.phpx/admin",
        ] {
            assert!(!is_taken(&[], path), "{path}");
            assert!(!is_taken(&["api.php", "docs/*.php"], path), "{path}");
        }
        assert!(is_taken(&["index.php"], "/index.php/admin"));
        assert!(!is_taken(&["index.php"], "/x/index.php/admin"));
        assert!(is_taken(&["docs/*.php"], "/docs/index.php"));
        assert!(is_taken(&["api.php"], "/api.php/index.php"));
        assert!(is_taken(&[], "/index") && is_taken(&[], "/xindex.php"));
    }

    #[test]
    fn a_path_runs_the_script_that_it_names_and_no_other_than_those_that_may() {
        check(
            &["api.php", "pay/notify.php", "admin/*.php"],
            &[
                ("/api.php", "/api.php", ""),
                ("/api.php/v1/a.php", "/api.php", "/v1/a.php"),
                ("/%61pi%2Ephp", "/api.php", ""),
                ("/pay/notify.php", "/pay/notify.php", ""),
                ("/pay/other.php", "/index.php", "/pay/other.php"),
                ("/notify.php", "/index.php", "/notify.php"),
                ("/admin/a.php", "/admin/a.php", ""),
                ("/admin/x/a.b.php/c", "/admin/x/a.b.php", "/c"),
                ("/admin/", "/index.php", "/admin/"),
                ("/admin.php", "/index.php", "/admin.php"),
                ("/administer/a.php", "/index.php", "/administer/a.php"),
                ("/API.PHP", "/index.php", "/API.PHP"),
                ("/x/api.php", "/index.php", "/x/api.php"),
                ("/x.php/admin/a.php", "/index.php", "/x.php/admin/a.php"),
                ("/admin/a.php5", "/index.php", "/admin/a.php5"),
                ("/admin/a.php.jpg", "/index.php", "/admin/a.php.jpg"),
            ],
        );
    }

    #[test]
    fn no_file_passes_for_a_directory_on_the_way_to_a_script() {
        check(
            &["*.php"],
            &[
                ("/a/b.php", "/a/b.php", ""),
                ("/uploads/a.jpg/x.php", "/index.php", "/uploads/a.jpg/x.php"),
                ("/uploads/.php", "/index.php", "/uploads/.php"),
                ("/uploads/.a.php", "/index.php", "/uploads/.a.php"),
                ("/uploads/a%20b.php", "/index.php", "/uploads/a b.php"),
                ("/up%E5%95%86/a.php", "/index.php", "/up商/a.php"),
                ("/a;b/c.php", "/index.php", "/a;b/c.php"),
                ("/a.php;x", "/index.php", "/a.php;x"),
            ],
        );
    }

    #[test]
    fn what_leads_out_of_the_root_or_is_no_php_names_no_script() {
        for text in [
            "",
            "/index.php",
            "../x.php",
            "a/../x.php",
            "./x.php",
            "a//b.php",
            "a/",
            ".php",
            ".x.php",
            "a b.php",
            "a.d/x.php",
            "商.php",
        ] {
            let told = format!(
                "`{text}` is no script; write its path below `root`, such as \"index.php\""
            );
            assert_eq!(FrontScript::parse(text).unwrap_err().to_string(), told);
        }
        for text in [
            "",
            "/a.php",
            "../a.php",
            "../*.php",
            "a*.php",
            "/*.php",
            "*",
            "a/*",
            "a",
            "a.jpg",
            "a.d/*.php",
            "*.php/*.php",
            "a/**.php",
        ] {
            let told = NamedScripts::parse(text).unwrap_err();
            assert_eq!(told, ScriptError::Named(text.to_owned()));
        }
        assert!(FrontScript::parse("public/app.fcgi").is_ok());
    }

    proptest! {
        #[test]
        fn whatever_runs_is_one_of_those_that_may_and_nothing_of_the_path_is_lost(
            path in "(/(a|b|x\\.php|index\\.php|a\\.jpg|%2e|[a-z.%;]{1,4})){1,6}/?",
        ) {
            let scripts = scripts(&["a/*.php", "b/x.php"]);
            if let Ok(path) = RequestPath::parse(&path) {
                let Script { name, info } = scripts.find(&path);
                if name == b"/index.php" {
                    prop_assert!(path.matched().ends_with(info));
                } else {
                    prop_assert!(name == b"/b/x.php" || (name.starts_with(b"/a/") && name.ends_with(b".php")));
                    prop_assert!(!name.windows(2).any(|two| two == b".." || two == b"//" || two == b"./"));
                    prop_assert_eq!([name, info].concat(), path.matched());
                    prop_assert!(info.is_empty() || info.starts_with(b"/"));
                }
            }
        }
    }
}
