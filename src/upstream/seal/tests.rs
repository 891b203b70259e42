//! What a sealed request holds, by example and by property.

use std::sync::Arc;

use http::Request;
use proptest::prelude::*;

use bytes::Bytes;

use super::*;
use crate::domain::identity::{Account, App, Fact, Identity, WechatId};
use crate::domain::peer::Scheme;

const SKEY: &str = "dGhlLXNrZXktdGhhdC1vbmx5LXRoZS1jbGllbnQtaGFz";
const FORGED: &str = "forged";

fn sealer(openid: Option<&'static str>) -> Sealer {
    let places = ["header:X-Skey", "bearer", "query:skey", "cookie:skey"];
    let places = places.map(|place| TokenPlace::parse(place).unwrap());
    let headers = [
        (openid, Fact::OpenId),
        (Some("x-unionid"), Fact::UnionId),
        (Some("x-appid"), Fact::AppId),
    ];
    let headers = headers.into_iter().filter_map(|(name, fact)| {
        let name = HeaderName::from_static(name?);
        Some(IdentityHeader { name, fact })
    });
    let plan = IdentityPlan {
        headers: headers.collect(),
        ..IdentityPlan::default()
    };
    Sealer::new(plan, places.to_vec(), Vec::new())
}

fn alice() -> Identity {
    let id = |text| WechatId::parse(text).unwrap();
    let app = App {
        name: "shop".to_owned(),
        appid: id("wx0123456789abcdef"),
        index: 0,
    };
    Identity {
        app: Arc::new(app),
        openid: id("oAlice"),
        unionid: None,
        account: Account::default(),
    }
}

/// What goes to the backend of a request with this target and these headers.
fn seal(
    sealer: &Sealer,
    target: &str,
    headers: &[(String, String)],
    identity: Option<&Identity>,
    is_trusted: bool,
) -> Sealed {
    let mut request = Request::new(());
    *request.uri_mut() = target.parse().unwrap();
    let named = headers
        .iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()));
    for (name, value) in named {
        request.headers_mut().append(name, value);
    }
    let trusted = is_trusted.then(|| "192.0.2.0/24".parse().unwrap());
    let trusted: Vec<_> = trusted.into_iter().collect();
    let uri = request.uri().clone();
    let outbound = Outbound {
        head: &mut request.into_parts().0,
        path: &RequestPath::parse(uri.path()).unwrap(),
        body: Inbound::Whole(Bytes::new()),
        peer: &Peer::new(Some([192, 0, 2, 1].into()), Scheme::Http, &trusted),
        request_id: &RequestId::generate(),
        identity: identity.map(Identity::facts),
        event: None,
        changes: Changes::default(),
    };
    sealer.seal(outbound)
}

/// The target and the headers of a request, as a backend reads them.
fn read(sealed: &Sealed) -> (String, HeaderMap) {
    let shown = sealed.shown();
    let (line, headers) = shown.split_once('\n').unwrap();
    let headers = headers.lines().filter(|line| !line.is_empty());
    let headers = headers.map(|line| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())
    });
    let target = line.split(' ').nth(1).unwrap().to_owned();
    (target, headers.collect())
}

/// A name as PHP sees it.
fn folded(name: &str) -> String {
    let fold = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '_'
        }
    };
    name.chars().map(fold).collect()
}

/// The values of all headers that PHP would take for this one.
fn values<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a HeaderValue> {
    let same = headers
        .iter()
        .filter(|(known, _)| folded(known.as_str()) == folded(name));
    same.map(|(_, value)| value).collect()
}

/// Names that could pass for managed ones, and some that only look so.
fn pretended() -> impl Strategy<Value = (String, String)> {
    let words = "(x (openid|unionid|appid|user id|wxgate event|(wx (from )?(openid|unionid|appid))|wx (source|env)|skey|wx user|real ip|request id|original url|rewrite url|open id)\
                 |x forwarded( (for|host|proto|user|[a-z]{1,4}))?|forwarded|proxy)";
    let separators = prop::collection::vec("[-_.!#$%&'*+^`|~0]", 4);
    (words, separators, any::<u32>()).prop_map(|(words, mut separators, upper)| {
        let letter = |(place, c): (usize, char)| match c {
            ' ' => separators.pop().unwrap_or_default(),
            c if upper >> (place % 32) & 1 == 1 => c.to_ascii_uppercase().to_string(),
            c => c.to_string(),
        };
        (
            words.chars().enumerate().map(letter).collect(),
            FORGED.to_owned(),
        )
    })
}

fn header() -> impl Strategy<Value = (String, String)> {
    let names = "(x-openid|X_OpenId|host|x-skey|x-forwarded-for|x-request-id|,| |@){0,5}";
    let connection = names.prop_map(|value| ("connection".to_owned(), value));
    let skey = prop::sample::select(vec![
        ("x-skey", "SKEY"),
        ("x_skey", "SKEY"),
        ("authorization", "Bearer SKEY"),
        ("authorization", "bearerSKEY"),
        ("authorization", "Basic YTpi"),
        ("cookie", "skey=SKEY"),
        ("cookie", "a=b; skey=SKEY;c=d"),
        ("cookie", "skey = \"SKEY\" ; skey=SKEY"),
        ("host", "api.example.com"),
    ]);
    let skey = skey.prop_map(|(name, value)| (name.to_owned(), value.replace("SKEY", SKEY)));
    let any = ("[a-zA-Z0-9_-]{1,10}", "[ -~]{0,8}");
    prop_oneof![4 => pretended(), 1 => connection, 2 => skey, 1 => any]
}

proptest! {
    #[test]
    fn no_header_block_yields_a_second_identity_or_a_managed_name_or_the_skey(
        headers in prop::collection::vec(header(), 0..12),
        openid in prop::sample::select(vec![Some("x-openid"), Some("x-wx-user"), None]),
        is_known in any::<bool>(),
        is_trusted in any::<bool>(),
        query in prop::collection::vec("(skey=SKEY|%73key=SKEY|s%6Bey=SKEY|a=b|=|%|)", 0..5),
    ) {
        let target = format!("/orders?{}", query.join("&").replace("SKEY", SKEY));
        let alice = is_known.then(alice);
        let sealed = seal(&sealer(openid), &target, &headers, alice.as_ref(), is_trusted);
        let (target, sent) = read(&sealed);
        let sent = &sent;
        prop_assert!(!target.contains(SKEY), "{target}");
        let told = |value: &'static str| if is_known { vec![value] } else { Vec::new() };
        let usual = if openid == Some("x-wx-user") { "x-wx-user" } else { "x-openid" };
        let openids = if openid.is_some() { told("oAlice") } else { Vec::new() };
        prop_assert_eq!(values(sent, usual), openids);
        prop_assert_eq!(values(sent, "x-appid"), told("wx0123456789abcdef"));
        for name in ["x-unionid", "x-wx-openid", "x-wx-from-appid", "x-wx-source", "x-wx-env", "x-user-id", "x-wxgate-event"] {
            prop_assert_eq!(values(sent, name).len(), 0, "{}", name);
        }
        for name in ["x-forwarded-for", "x-forwarded-proto", "x-request-id"] {
            prop_assert_eq!(values(sent, name).len(), 1, "{}", name);
        }
        for name in ["forwarded", "x-forwarded", "x-forwarded-user", "x-real-ip", "x-original-url", "x-rewrite-url", "proxy", "x-skey", "connection"] {
            prop_assert_eq!(values(sent, name).len(), 0, "{}", name);
        }
        for (name, value) in sent {
            let is_skey = value.as_bytes().windows(SKEY.len()).any(|part| part == SKEY.as_bytes());
            prop_assert!(!is_skey, "{name}: {value:?}");
        }
    }
}
