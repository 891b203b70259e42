//! To which of several apps a login is, as its request says. Saying so proves nothing: a code of that app does.

use std::fmt;
use std::sync::Arc;

use http::HeaderName;

use super::identity::{App, WechatId};

/// What stands before and behind appid and version in the `Referer` of every request of a mini-program.
const BEFORE: &str = "https://servicewechat.com/";
const BEHIND: &str = "/page-frame.html";
/// What stands for the version in WeChat's developer tools; elsewhere it is a number.
const DEVTOOLS: &str = "devtools";

/// A place of a request where it may say to which app it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppPlace {
    /// `header:NAME`: the whole value of a header.
    Header(HeaderName),
    /// `parameter:NAME`: a parameter of the query, a field of a form, or a member of a JSON object.
    Parameter(String),
    /// `referer`: the appid that WeChat's client puts into `Referer`.
    Referer,
}

/// A text that names no place for an app.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no place for an app; there are \"header:NAME\", \"parameter:NAME\" and \"referer\""
)]
pub struct UnknownAppPlace(String);

impl AppPlace {
    /// Reads a place as configs write it.
    ///
    /// # Errors
    ///
    /// `text` is none of the three forms, or its name cannot stand there.
    pub fn parse(text: &str) -> Result<Self, UnknownAppPlace> {
        let unknown = || UnknownAppPlace(text.to_owned());
        if text == "referer" {
            return Ok(Self::Referer);
        }
        match text.split_once(':') {
            Some(("header", name)) => name.parse().map(Self::Header).map_err(|_| unknown()),
            Some(("parameter", name)) if !name.is_empty() => Ok(Self::Parameter(name.to_owned())),
            Some(_) | None => Err(unknown()),
        }
    }
}

impl fmt::Display for AppPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Parameter(name) => write!(f, "parameter:{name}"),
            Self::Referer => f.write_str("referer"),
        }
    }
}

/// The apps that a login may be to.
#[derive(Clone, Debug)]
pub enum AppChoice {
    /// This one.
    Only(Arc<App>),
    /// The one that the first of these places names which holds anything.
    Among {
        /// The apps.
        apps: Vec<Arc<App>>,
        /// Where to look, in order.
        places: Vec<AppPlace>,
    },
}

/// Why a login is to no app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoApp {
    /// The places are empty.
    #[error("no configured place names an app")]
    Unnamed,
    /// It is to an app that it cannot be to.
    #[error("the app that the request names is none of the route's")]
    Unknown,
}

impl AppChoice {
    /// The app, where there is no choice.
    #[must_use]
    pub fn only(&self) -> Option<&App> {
        match self {
            Self::Only(app) => Some(app),
            Self::Among { .. } => None,
        }
    }

    /// All apps that it may be to.
    pub fn all(&self) -> impl Iterator<Item = &Arc<App>> {
        match self {
            Self::Only(app) => std::slice::from_ref(app).iter(),
            Self::Among { apps, .. } => apps.iter(),
        }
    }

    /// The app that a request is to, by its name or its appid; `text_in` tells what the request has in a place.
    ///
    /// # Errors
    ///
    /// The request names none, or another.
    pub fn choose<'t>(
        &self,
        text_in: impl Fn(&AppPlace) -> Option<&'t str>,
    ) -> Result<&App, NoApp> {
        let (apps, places) = match self {
            Self::Only(app) => return Ok(app),
            Self::Among { apps, places } => (apps, places),
        };
        let text = places.iter().find_map(text_in).ok_or(NoApp::Unnamed)?;
        App::called(text, apps).ok_or(NoApp::Unknown)
    }
}

/// The appid in the `Referer` of a mini-program; none in any other text.
#[must_use]
pub fn appid_of_referer(referer: &str) -> Option<&str> {
    let inner = referer.strip_prefix(BEFORE)?.strip_suffix(BEHIND)?;
    let (appid, version) = inner.split_once('/')?;
    let is_number = !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit());
    let is_mini_program = WechatId::parse(appid).is_some() && (is_number || version == DEVTOOLS);
    is_mini_program.then_some(appid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn app(name: &str, appid: &str, index: usize) -> Arc<App> {
        Arc::new(App {
            name: name.to_owned(),
            appid: WechatId::parse(appid).unwrap(),
            index,
        })
    }

    /// A choice between `shop` (`wx1`) and `game` (`wx2`) by two parameters.
    fn choice() -> AppChoice {
        AppChoice::Among {
            apps: vec![app("shop", "wx1", 0), app("game", "wx2", 1)],
            places: ["parameter:a", "parameter:b"]
                .map(|text| AppPlace::parse(text).unwrap())
                .to_vec(),
        }
    }

    fn chosen(a: Option<&str>, b: Option<&str>) -> Result<usize, NoApp> {
        let is_first = |place: &AppPlace| *place == AppPlace::Parameter("a".to_owned());
        let choice = choice();
        let app = choice.choose(|place| if is_first(place) { a } else { b })?;
        Ok(app.index)
    }

    #[test]
    fn all_three_places_are_read_and_told() {
        for text in ["header:x-app", "parameter:app", "parameter:a:b", "referer"] {
            assert_eq!(AppPlace::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "header:",
            "header:a b",
            "parameter:",
            "query:app",
            "Referer",
            "referer:x",
        ] {
            let error = AppPlace::parse(text).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("`{text}` is no place for an app; there are")),
                "{error}"
            );
        }
    }

    #[test]
    fn the_first_place_that_holds_anything_decides_by_name_or_appid() {
        assert_eq!(chosen(Some("game"), Some("shop")), Ok(1));
        assert_eq!(chosen(Some("wx2"), None), Ok(1));
        assert_eq!(chosen(None, Some("shop")), Ok(0));
        assert_eq!(chosen(Some("cafe"), Some("shop")), Err(NoApp::Unknown));
        assert_eq!(chosen(None, None), Err(NoApp::Unnamed));
    }

    #[test]
    fn where_there_is_one_app_nothing_is_asked() {
        let only = AppChoice::Only(app("shop", "wx1", 0));
        let app = only.choose(|_| panic!("nothing is to be asked")).unwrap();
        assert_eq!((app.index, only.only()), (0, Some(app)));
        assert_eq!(choice().only(), None);
    }

    #[test]
    fn an_appid_is_read_of_the_referer_of_a_mini_program_alone() {
        for version in ["0", "7", "20261124", "devtools"] {
            let referer = format!("https://servicewechat.com/wx1/{version}/page-frame.html");
            assert_eq!(appid_of_referer(&referer), Some("wx1"));
        }
        for referer in [
            "",
            "wx1",
            "https://servicewechat.com/",
            "https://servicewechat.com//7/page-frame.html",
            "https://servicewechat.com/wx1//page-frame.html",
            "https://servicewechat.com/wx1/page-frame.html",
            "https://servicewechat.com/wx1/7/page-frame.html/",
            "https://servicewechat.com/wx1/7/page-frame.html?x",
            "https://servicewechat.com/wx1/7/8/page-frame.html",
            "https://servicewechat.com/wx1/-7/page-frame.html",
            "https://servicewechat.com/wx1/7x/page-frame.html",
            "https://servicewechat.com/wx%31/7/page-frame.html",
            "https://servicewechat.com/../wx1/7/page-frame.html",
            "https://servicewechat.com:443/wx1/7/page-frame.html",
            "https://servicewechat.com.example/wx1/7/page-frame.html",
            "https://evil.example/https://servicewechat.com/wx1/7/page-frame.html",
            "http://servicewechat.com/wx1/7/page-frame.html",
            "HTTPS://servicewechat.com/wx1/7/page-frame.html",
            " https://servicewechat.com/wx1/7/page-frame.html",
        ] {
            assert_eq!(appid_of_referer(referer), None, "{referer}");
        }
    }

    proptest! {
        #[test]
        fn a_choice_is_one_of_its_apps_named_or_none(
            a in prop::option::of("shop|game|wx1|wx2|wx|.*"),
            b in prop::option::of("shop|game|wx1|wx2|wx|.*"),
        ) {
            let apps = [["shop", "wx1"], ["game", "wx2"]];
            let meant = a.as_deref().or(b.as_deref());
            let index = |text: &str| apps.iter().position(|names| names.contains(&text));
            let expected = match meant {
                None => Err(NoApp::Unnamed),
                Some(text) => index(text).ok_or(NoApp::Unknown),
            };
            prop_assert_eq!(chosen(a.as_deref(), b.as_deref()), expected);
        }

        #[test]
        fn whatever_is_read_of_a_referer_is_an_appid_and_makes_up_the_referer(
            referer in "(https://servicewechat\\.com/)?[a-z0-9A-Z_/.%-]{0,8}(/(devtools|[0-9]{0,3}))?(/page-frame\\.html)?|\\PC*",
        ) {
            if let Some(appid) = appid_of_referer(&referer) {
                prop_assert!(WechatId::parse(appid).is_some());
                let version = referer.strip_prefix(&format!("https://servicewechat.com/{appid}/"));
                let version = version.unwrap().strip_suffix("/page-frame.html").unwrap();
                prop_assert!(version == "devtools" || version.parse::<u32>().is_ok(), "{}", version);
            }
        }

        #[test]
        fn every_mini_program_is_known_by_its_referer(appid in "wx[0-9a-f]{16}", version: u32) {
            let referer = format!("https://servicewechat.com/{appid}/{version}/page-frame.html");
            prop_assert_eq!(appid_of_referer(&referer), Some(appid.as_str()));
        }
    }
}
