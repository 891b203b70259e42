//! What a client sends to log in, wherever it puts it: query, form, JSON or headers. Knows nothing of WeChat.

use std::borrow::Cow;

use http::header::REFERER;
use http::request::Parts;
use http::{HeaderName, HeaderValue};

use crate::domain::app_choice::{AppChoice, AppPlace, appid_of_referer};
use crate::domain::identity::App;
use crate::domain::login_code::LoginCode;
use crate::domain::refusal::RefusalCode;
use crate::wechat::Proofs;
use crate::wire::fields::{BodyFormat, Fields};
use crate::wire::refusal::Refusal;

/// Headers that clients put fields in, and what the fields are called elsewhere.
const HEADER_FIELDS: [(&str, &str); 3] = [
    ("x-wx-code", "code"),
    ("x-wx-encrypted-data", "encryptedData"),
    ("x-wx-iv", "iv"),
];

/// A login, as far as it can be understood without WeChat.
#[derive(Debug)]
pub struct LoginRequest {
    pub(super) code: LoginCode,
    pub(super) proofs: Proofs,
}

impl LoginRequest {
    /// Reads from a request's head and body to which of `apps` it is a login, and the login itself; the query counts
    /// before the body, and the body before headers.
    ///
    /// # Errors
    ///
    /// `login_code_missing`, `login_code_invalid` for what no code can look like, `signature_invalid` or
    /// `data_undecryptable` for half a proof, and `bad_request` if it is to none of the apps.
    pub fn read<'a>(
        head: &Parts,
        body: &[u8],
        apps: &'a AppChoice,
    ) -> Result<(&'a App, Self), Refusal> {
        let query = Fields::of_query(head.uri.query().unwrap_or_default());
        let format = BodyFormat::of(&head.headers);
        let body = format
            .map(|format| Fields::of_body(format, body))
            .unwrap_or_default();
        let fields = query.and(body).and(header_fields(head));
        let code = fields
            .get("code")
            .or_else(|| fields.get("js_code"))
            .ok_or_else(|| {
                Refusal::new(
                    RefusalCode::LoginCodeMissing,
                    "neither code nor js_code came",
                )
            })?;
        let code = LoginCode::parse(code).ok_or_else(|| {
            let reason = "the code is not 1 to 512 visible ASCII characters";
            Refusal::new(RefusalCode::LoginCodeInvalid, reason)
        })?;
        let proofs = Proofs::of(&fields)?;
        let app = apps.choose(|place| match place {
            AppPlace::Header(name) => text_of(head, name),
            AppPlace::Parameter(name) => fields.get(name),
            AppPlace::Referer => text_of(head, &REFERER).and_then(appid_of_referer),
        });
        Ok((app?, Self { code, proofs }))
    }
}

/// What a header says, unless that is nothing. What is no text says something that is no app's name.
fn text_of<'a>(head: &'a Parts, name: &HeaderName) -> Option<&'a str> {
    let values = head.headers.get_all(name).iter();
    let mut values = values.map(HeaderValue::as_bytes).map(<[u8]>::trim_ascii);
    let said = values.find(|value| !value.is_empty())?;
    Some(std::str::from_utf8(said).unwrap_or("\u{FFFD}"))
}

fn header_fields(head: &Parts) -> Fields<'_> {
    let fields = HEADER_FIELDS.iter().filter_map(|(header, name)| {
        let value = head.headers.get(*header)?.to_str().ok()?;
        Some((Cow::Borrowed(*name), Cow::Borrowed(value)))
    });
    fields.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::identity::WechatId;
    use http::Request;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn app(name: &str, appid: &str, index: usize) -> Arc<App> {
        Arc::new(App {
            name: name.to_owned(),
            appid: WechatId::parse(appid).unwrap(),
            index,
        })
    }

    fn read(target: &str, headers: &[(&str, &str)], body: &str) -> Result<String, RefusalCode> {
        let mut request = Request::builder().uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let head = request.body(()).unwrap().into_parts().0;
        let shop = AppChoice::Only(app("shop", "wx1", 0));
        let login = LoginRequest::read(&head, body.as_bytes(), &shop);
        login
            .map(|(_, login)| login.code.reveal().to_owned())
            .map_err(|refusal| refusal.code)
    }

    const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
    const JSON: (&str, &str) = ("content-type", "application/json");

    #[test]
    fn a_code_is_found_wherever_clients_put_it() {
        let code = Ok("C".to_owned());
        assert_eq!(read("/login?code=C", &[], ""), code);
        assert_eq!(read("/login?js_code=C", &[], ""), code);
        assert_eq!(read("/login", &[FORM], "a=b&code=C"), code);
        assert_eq!(read("/login", &[JSON], r#"{"js_code":"C"}"#), code);
        assert_eq!(read("/login", &[("x-wx-code", "C")], ""), code);
        assert_eq!(
            read("/login?code=C", &[FORM, ("x-wx-code", "E")], "code=D"),
            code
        );
    }

    #[test]
    fn what_is_no_login_is_refused_without_a_call() {
        assert_eq!(
            read("/login", &[JSON], "{}"),
            Err(RefusalCode::LoginCodeMissing)
        );
        assert_eq!(
            read("/login?code=", &[], ""),
            Err(RefusalCode::LoginCodeMissing)
        );
        assert_eq!(
            read("/login?code=a%20b", &[], ""),
            Err(RefusalCode::LoginCodeInvalid)
        );
        let long = format!("/login?code={}", "c".repeat(513));
        assert_eq!(read(&long, &[], ""), Err(RefusalCode::LoginCodeInvalid));
        assert_eq!(
            read("/login?code=C&signature=s", &[], ""),
            Err(RefusalCode::SignatureInvalid)
        );
        assert_eq!(
            read("/login?code=C&iv=i", &[], ""),
            Err(RefusalCode::DataUndecryptable)
        );
    }

    proptest! {
        #[test]
        fn whatever_comes_in_a_login_is_to_an_app_that_the_request_names(
            query in "((code|js_code|app|iv|signature|rawData|%)(=[!$-;=?-Z_a-z|~]{0,4})?&){0,4}",
            said in prop::option::of("shop|game|wx1|[ -~]{0,6}"),
            referer in prop::option::of("https://servicewechat[.]com/(wx[12]|[a-z]{3})/[0-9a]{1,2}/page-frame[.]html"),
            media_type in prop::option::of("application/(json|x-www-form-urlencoded)"),
            body in "(\\{\"code\":\"[a-z]{0,2}\"(,\"app\":\"(shop|game|x)\")?\\}?|code=[a-z]{0,2}(&app=(shop|x))?|\\PC{0,8})",
        ) {
            let places = ["header:X-App", "parameter:app", "referer"];
            let places = places.map(|text| AppPlace::parse(text).unwrap()).to_vec();
            let apps = vec![app("shop", "wx1", 0), app("game", "wx2", 1)];
            let choice = AppChoice::Among { apps, places };
            let headers = [("x-app", &said), ("referer", &referer), ("content-type", &media_type)];
            let mut request = Request::builder().uri(format!("/login?{query}"));
            for (name, value) in headers {
                if let Some(value) = value {
                    request = request.header(name, value);
                }
            }
            let head = request.body(()).unwrap().into_parts().0;
            if let Ok((app, login)) = LoginRequest::read(&head, body.as_bytes(), &choice) {
                let names = [app.name.as_str(), app.appid.as_str()];
                let everything = format!("{query} {said:?} {referer:?} {body}");
                prop_assert!(names.iter().any(|name| everything.contains(name)));
                let said = said.as_deref().map_or("", str::trim);
                prop_assert!(said.is_empty() || names.contains(&said));
                prop_assert!(LoginCode::parse(login.code.reveal()).is_some());
            }
        }
    }
}
