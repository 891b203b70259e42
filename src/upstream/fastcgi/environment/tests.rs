//! What a script is told, by example and by property.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use proptest::prelude::*;

use super::*;
use crate::config::plan::{IdentityHeader, IdentityPlan};
use crate::domain::identity::{Account, App, Fact, Identity, WechatId};
use crate::domain::script::{FrontScript, Scripts};
use crate::upstream::{Changes, Outbound, Sealer};
use crate::wire::body::Inbound;
use crate::wire::request_id::RequestId;

fn scripts() -> FastCgiPlan {
    FastCgiPlan {
        root: "/srv/app".to_owned(),
        scripts: Scripts::new(FrontScript::parse("index.php").unwrap(), Vec::new()),
        keep_alive: false,
        max_chunked_body: 0,
    }
}

/// The environment of a request, whose names are each there once.
fn told(head: &[u8]) -> BTreeMap<String, String> {
    let pairs = params::read(&head[16..]);
    let count = pairs.len();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let pairs = pairs
        .into_iter()
        .map(|(name, value)| (text(name), text(value)));
    let told: BTreeMap<_, _> = pairs.collect();
    assert_eq!(told.len(), count, "{told:#?}");
    told
}

fn of(head: &str, scheme: Scheme) -> BTreeMap<String, String> {
    let peer = Peer::new(Some([192, 0, 2, 1].into()), scheme, &[]);
    let path = RequestPath::parse("/a").unwrap();
    told(&write_head(head.as_bytes(), &scripts(), &path, &peer))
}

#[test]
fn name_and_port_are_those_that_the_client_asks_for() {
    for (host, scheme, name, port) in [
        ("x.example", Scheme::Http, "x.example", "80"),
        ("x.example", Scheme::Https, "x.example", "443"),
        ("x.example:8443", Scheme::Https, "x.example", "8443"),
        ("x.example:", Scheme::Http, "x.example", "80"),
        ("[::1]:81", Scheme::Http, "[::1]", "81"),
        ("[::1]", Scheme::Http, "[::1]", "80"),
    ] {
        let told = of(&format!("GET /a HTTP/1.1\r\nhost: {host}\r\n\r\n"), scheme);
        assert_eq!(
            (told["SERVER_NAME"].as_str(), told["SERVER_PORT"].as_str()),
            (name, port)
        );
        assert_eq!(
            told.get("HTTPS").map(String::as_str),
            (scheme == Scheme::Https).then_some("on")
        );
    }
}

#[test]
fn headers_that_are_there_several_times_are_one_variable() {
    let head = "GET /a?b=c&d HTTP/1.1\r\ncookie: a\r\ncookie: b\r\naccept: x\r\naccept: y\r\nempty: \r\nproxy: p\r\n\
                content-type: t\r\ncontent-length: 3\r\nconnection: upgrade\r\nupgrade: x\r\nx-colon: a: b\r\n\r\n";
    let told = of(head, Scheme::Http);
    let values = [
        ("HTTP_COOKIE", "a; b"),
        ("HTTP_ACCEPT", "x, y"),
        ("HTTP_EMPTY", ""),
        ("HTTP_X_COLON", "a: b"),
        ("CONTENT_TYPE", "t"),
        ("CONTENT_LENGTH", "3"),
        ("REQUEST_URI", "/a?b=c&d"),
        ("QUERY_STRING", "b=c&d"),
    ];
    for (name, value) in values {
        assert_eq!(told[name], value, "{name}");
    }
    for absent in [
        "HTTP_PROXY",
        "HTTP_CONTENT_TYPE",
        "HTTP_CONNECTION",
        "HTTP_UPGRADE",
    ] {
        assert_eq!(told.get(absent), None);
    }
}

#[test]
fn a_client_without_an_address_is_given_none() {
    let peer = Peer::new(None, Scheme::Http, &[]);
    let path = RequestPath::parse("/a").unwrap();
    let head = write_head(b"GET /a HTTP/1.1\r\n\r\n", &scripts(), &path, &peer);
    assert_eq!(told(&head)["REMOTE_ADDR"], "");
}

#[test]
fn an_environment_is_shown_line_by_line() {
    let peer = Peer::new(None, Scheme::Http, &[]);
    let path = RequestPath::parse("/a").unwrap();
    let head = write_head(
        b"GET /a HTTP/1.1\r\nx-y: z\r\n\r\n",
        &scripts(),
        &path,
        &peer,
    );
    let shown = shown(&head);
    assert!(shown.starts_with("SCRIPT_FILENAME=/srv/app/index.php\nSCRIPT_NAME=/index.php\n"));
    assert!(shown.ends_with("\nHTTP_X_Y=z\n"), "{shown}");
}

/// The name of a header as a client may spell it, near to those that matter.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "x[-_.!]openid",
        "(request|content|script|remote|server)[-_.](type|length|addr|filename|method|name)",
        "(http|https|php)[-_.](value|admin-value|proxy|x-openid)",
        "(proxy|cookie|accept|x-custom|x_custom|transfer-encoding|x-forwarded-for)",
        "[a-z_.-]{1,12}",
    ]
}

proptest! {
    #[test]
    fn a_client_can_say_nothing_but_its_own_headers(
        headers in prop::collection::vec((name(), "[a-z0-9 ,;]{0,12}"), 0..12),
    ) {
        let own = ["openid", "x_openid"].map(HeaderName::from_static);
        let header = IdentityHeader { name: HeaderName::from_static("x-openid"), fact: Fact::OpenId };
        let identity = IdentityPlan { headers: vec![header], ..IdentityPlan::default() };
        let sealer = Sealer::new(identity, Vec::new(), own.to_vec());
        let id = |text| WechatId::parse(text).unwrap();
        let alice = Identity {
            app: Arc::new(App { name: "shop".to_owned(), appid: id("wx1"), index: 0 }),
            openid: id("oAlice"),
            unionid: None,
            account: Account::default(),
        };
        let mut head = Request::new(()).into_parts().0;
        for (name, value) in &headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            head.headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        let plain = |name: &str| name.replace('-', "_").to_uppercase();
        let known: Vec<_> = head.headers.keys().filter(|name| !name.as_str().contains(['_', '.', '!']))
            .map(|name| format!("HTTP_{}", plain(name.as_str()))).collect();
        let scripts = scripts();
        let sealed = sealer.seal(Outbound {
            head: &mut head,
            path: &RequestPath::parse("/a").unwrap(),
            body: Inbound::Whole(Bytes::from_static(b"four")),
            peer: &Peer::new(Some([192, 0, 2, 1].into()), Scheme::Http, &[]),
            request_id: &RequestId::generate(),
            identity: Some(alice.facts()),
            event: None,
            changes: Changes { scripts: Some(&scripts), ..Changes::default() },
        });
        let told = told(&sealed.into_parts().0);
        prop_assert_eq!(told["HTTP_X_OPENID"].as_str(), "oAlice");
        prop_assert_eq!(told["CONTENT_LENGTH"].as_str(), "4");
        prop_assert_eq!(told["REMOTE_ADDR"].as_str(), "192.0.2.1");
        prop_assert_eq!(told["SCRIPT_FILENAME"].as_str(), "/srv/app/index.php");
        let ours = ["HTTP_X_OPENID", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_REQUEST_ID", "HTTP_X_FORWARDED_HOST"];
        for name in told.keys().filter(|name| name.starts_with("HTTP_")) {
            prop_assert!(ours.contains(&name.as_str()) || known.contains(name), "{}", name);
        }
        let others = told.keys().filter(|name| !name.starts_with("HTTP_")).count();
        prop_assert_eq!(others, 17);
        prop_assert!(!told.contains_key("HTTP_PROXY"));
    }
}
