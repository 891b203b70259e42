//! Configs that mean something.

use std::path::PathBuf;
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::plan;
use crate::config::plan::{
    Action, Apps, Forward, Guard, IdentityPlan, ListenPlace, ListenPlan, LogFormat, Plan,
    ServerAddress, SessionRoute, Spot,
};
use crate::domain::app_choice::AppChoice;
use crate::domain::host_pattern::HostPattern;
use crate::domain::identity::Fact;
use crate::domain::peer::ProxyHeaders;
use crate::domain::refusal::RefusalCode;
use crate::domain::token::TokenPlace;

const SHOP: &str = "[apps.shop]\nappid = \"wx1\"\nsecret = { env = \"SHOP_SECRET\" }\n";
const CAFE: &str = "[apps.cafe]\nappid = \"wx2\"\nsecret = { env = \"SHOP_SECRET\" }\n";
const PHP: &str = "[upstreams.php]\nservers = [\"http://10.0.0.1:9000\"]\n";

fn plan_of(parts: &[&str]) -> Plan {
    plan(&parts.join("\n"))
}

fn told(identity: &IdentityPlan) -> Vec<(&str, Fact)> {
    let headers = identity.headers.iter();
    headers
        .map(|header| (header.name.as_str(), header.fact))
        .collect()
}

#[test]
fn an_empty_config_has_every_default() {
    let plan = plan("");
    let server = plan.server;
    let address = "127.0.0.1:8080".parse().unwrap();
    let listen = ListenPlan {
        place: ListenPlace::Tcp(address),
        proxy_protocol: false,
    };
    assert_eq!(server.listen, [listen]);
    assert_eq!(
        server.workers,
        std::thread::available_parallelism().unwrap().get()
    );
    assert_eq!(server.trusted_proxies, []);
    assert_eq!(server.proxy_headers, ProxyHeaders::XForwarded);
    assert_eq!(server.max_connections, 20_000);
    assert_eq!(server.header_timeout, Duration::from_secs(10));
    assert_eq!(server.idle_timeout, Duration::from_secs(75));
    assert_eq!(server.websocket_idle, Duration::from_mins(5));
    assert_eq!(server.max_header_bytes, 32 * 1024);
    assert_eq!(server.max_body, 10 * 1024 * 1024);
    assert_eq!(server.drain_timeout, Duration::from_secs(30));
    assert!(server.tls.is_none() && plan.admin.is_none());
    assert_eq!(plan.wechat.base_url, "https://api.weixin.qq.com");
    assert_eq!(plan.wechat.timeout, Duration::from_secs(3));
    assert_eq!(plan.wechat.deadline, Duration::from_secs(8));
    assert_eq!(plan.wechat.open_data_max_age, None);
    assert_eq!(plan.sessions.limits.lifetime, Duration::from_hours(7 * 24));
    assert_eq!(plan.sessions.limits.idle, Duration::from_hours(24));
    assert_eq!(plan.sessions.capacity, 1_000_000);
    assert_eq!(plan.sessions.max_per_user, None);
    let skey = TokenPlace::parse("header:X-Skey").unwrap();
    assert_eq!(plan.sessions.token, [skey, TokenPlace::Bearer]);
    assert_eq!(plan.sessions.login_replay, Duration::from_secs(10));
    assert_eq!(
        told(&plan.identity),
        [
            ("x-openid", Fact::OpenId),
            ("x-unionid", Fact::UnionId),
            ("x-appid", Fact::AppId),
            ("x-user-id", Fact::UserId)
        ]
    );
    assert_eq!((plan.log.format, plan.log.level), (LogFormat::Text, None));
}

#[test]
fn all_places_to_listen_are_read() {
    let plan = plan(
        "server.trusted_proxies = [\"10.0.0.1\"]\n\
         server.listen = [\"[::1]:80\", { address = \"[::1]:81\", proxy_protocol = true }, \
         \"unix:/run/w.sock\", { address = \"systemd\" }]",
    );
    let expected = [
        (ListenPlace::Tcp("[::1]:80".parse().unwrap()), false),
        (ListenPlace::Tcp("[::1]:81".parse().unwrap()), true),
        (ListenPlace::Unix(PathBuf::from("/run/w.sock")), false),
        (ListenPlace::Systemd, false),
    ];
    let expected = expected.map(|(place, proxy_protocol)| ListenPlan {
        place,
        proxy_protocol,
    });
    assert_eq!(plan.server.listen, expected);
}

#[test]
fn a_trusted_proxy_is_a_network_or_one_address() {
    let plan = plan("server.trusted_proxies = [\"10.0.0.0/8\", \"::1\"]");
    let networks: Vec<_> = plan
        .server
        .trusted_proxies
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(networks, ["10.0.0.0/8", "::1/128"]);
}

#[test]
fn trusted_proxies_tell_of_a_client_in_one_form() {
    let server = plan("server.proxy_headers = \"forwarded\"").server;
    assert_eq!(server.proxy_headers, ProxyHeaders::Forwarded);
}

#[test]
fn without_an_idle_time_a_short_lifetime_is_one() {
    let limits = plan("sessions.lifetime = \"2h\"").sessions.limits;
    assert_eq!(
        (limits.lifetime, limits.idle),
        (Duration::from_hours(2), Duration::from_hours(2))
    );
    let limits = plan("sessions.lifetime = \"2d\"").sessions.limits;
    assert_eq!(limits.idle, Duration::from_hours(24));
}

#[test]
fn no_time_at_all_turns_the_replay_of_logins_off() {
    let plan = plan("sessions.login_replay = \"0s\"");
    assert_eq!(plan.sessions.login_replay, Duration::ZERO);
}

#[test]
fn an_empty_name_turns_an_identity_header_off() {
    let identity = plan("[identity]\nopenid = \"X-WX-OPENID\"\nunionid = \"\"").identity;
    assert_eq!(
        told(&identity),
        [
            ("x-wx-openid", Fact::OpenId),
            ("x-appid", Fact::AppId),
            ("x-user-id", Fact::UserId)
        ]
    );
}

#[test]
fn the_preset_of_cloudrun_is_all_that_its_code_reads() {
    let identity = plan("[identity]\nidentity_preset = \"cloudrun\"").identity;
    assert_eq!(
        told(&identity),
        [
            ("x-wx-openid", Fact::OpenId),
            ("x-wx-unionid", Fact::UnionId),
            ("x-wx-appid", Fact::AppId),
            ("x-wx-source", Fact::Source),
            ("x-user-id", Fact::UserId),
        ]
    );
}

#[test]
fn wechat_may_be_asked_in_clear_on_this_machine() {
    for host in ["127.0.0.1:9", "localhost", "[::1]:9"] {
        let plan = plan(&format!("wechat.base_url = \"http://{host}/\""));
        assert_eq!(plan.wechat.base_url, format!("http://{host}"));
    }
}

#[test]
fn an_admin_listener_may_share_the_port_of_another_address() {
    let plan = plan("server.listen = \"10.0.0.1:9090\"\n[admin]");
    assert_eq!(
        plan.admin.unwrap().listen,
        "127.0.0.1:9090".parse().unwrap()
    );
}

#[test]
fn a_server_is_a_name_or_an_address_with_port_80_as_default() {
    let plan =
        plan("upstreams.a.servers = [\"http://php\", \"http://[::1]:81\", \"http://10.0.0.1:82\"]");
    let servers = plan.upstreams[0].servers.iter();
    let servers: Vec<_> = servers.map(ServerAddress::spot).collect();
    let spot = |(host, port)| Spot::Tcp { host, port };
    let expected = [("php", 80), ("::1", 81), ("10.0.0.1", 82)];
    assert_eq!(servers, expected.map(spot));
    assert_eq!(plan.upstreams[0].connect_timeout, Duration::from_secs(2));
    assert_eq!(plan.upstreams[0].timeout, Duration::from_mins(1));
}

#[test]
fn apps_keep_the_order_of_the_file() {
    let plan = plan_of(&[SHOP, CAFE]);
    let apps: Vec<_> = plan
        .apps
        .iter()
        .map(|plan| (plan.app.name.as_str(), plan.app.index))
        .collect();
    assert_eq!(apps, [("shop", 0), ("cafe", 1)]);
    assert_eq!(plan.apps[1].app.appid.as_str(), "wx2");
}

#[test]
fn a_route_to_an_upstream_is_guarded_and_open_to_all_apps() {
    let route = "[[routes]]\npath = \"/*\"\nupstream = \"php\"";
    let plan = plan_of(&[
        SHOP,
        "[upstreams.java]\nservers = [\"http://j\"]",
        PHP,
        route,
    ]);
    let Action::Forward(Forward {
        upstream,
        guard,
        apps,
        open_data,
        websocket,
    }) = &plan.routes[0].action
    else {
        panic!("{plan:?}");
    };
    assert_eq!((*upstream, *guard, apps), (1, Guard::Required, &Apps::Any));
    assert_eq!((open_data, *websocket), (&None, false));
    assert_eq!(plan.routes[0].max_body, 10 * 1024 * 1024);
}

#[test]
fn a_route_opens_data_under_a_name_and_data_may_have_an_age() {
    let name = |field| {
        let route = "[[routes]]\npath = \"/*\"\nupstream = \"php\"\nopen_data = \"decrypt\"";
        let plan = plan_of(&[SHOP, PHP, route, field]);
        match &plan.routes[0].action {
            Action::Forward(Forward { open_data, .. }) => open_data.as_ref().unwrap().to_string(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(name(""), "openData");
    assert_eq!(name("auth = \"required\""), "openData");
    assert_eq!(name("open_data_field = \"user_info\""), "user_info");
    let plan = plan("wechat.open_data_max_age = \"5m\"");
    let age = plan.wechat.open_data_max_age;
    assert_eq!(age, Some(Duration::from_mins(5)));
}

#[test]
fn a_route_says_what_it_takes() {
    let route = "[[routes]]\npath = \"/a/*\"\nupstream = \"php\"\nauth = \"optional\"\n\
        methods = [\"GET\", \"PUT\"]\nhosts = [\"A.org\", \"*.b.org\"]\napp = \"cafe\"\nmax_body = \"1KiB\"";
    let plan = plan_of(&[SHOP, CAFE, PHP, route]);
    let route = &plan.routes[0];
    assert_eq!(route.label, "GET,PUT A.org,*.b.org /a/*");
    assert_eq!(route.pattern.methods, [Method::GET, Method::PUT]);
    let hosts = ["a.org", "*.b.org"].map(|host| HostPattern::parse(host).unwrap());
    assert_eq!(route.pattern.hosts, hosts);
    assert_eq!(route.max_body, 1024);
    let Action::Forward(Forward { guard, apps, .. }) = &route.action else {
        panic!("{plan:?}");
    };
    assert_eq!((*guard, apps), (Guard::Optional, &Apps::Only(vec![1])));
}

#[test]
fn a_login_is_to_the_only_app_or_to_the_one_that_it_names() {
    let login = "[[routes]]\npath = \"/login\"\naction = \"login\"";
    let named = format!("{login}\napp = \"cafe\"");
    for (parts, expected) in [
        (&[SHOP, login][..], "shop"),
        (&[SHOP, CAFE, &named][..], "cafe"),
    ] {
        let plan = plan_of(parts);
        let Action::Login(login) = &plan.routes[0].action else {
            panic!("{plan:?}");
        };
        let AppChoice::Only(app) = &login.apps else {
            panic!("{login:?}");
        };
        assert_eq!(app.name, expected);
        assert!(login.response.is_none() && login.on_login.is_none());
        assert!(plan.routes[0].pattern.methods.is_empty());
    }
}

#[test]
fn a_login_may_be_to_one_of_several_apps_which_a_request_names() {
    let login = "[[routes]]\npath = \"/login\"\naction = \"login\"\napp = [\"cafe\", \"shop\"]\n\
        app_from = [\"header:X-App\", \"parameter:app\", \"referer\"]";
    let plan = plan_of(&[SHOP, CAFE, login]);
    let Action::Login(login) = &plan.routes[0].action else {
        panic!("{plan:?}");
    };
    let AppChoice::Among { apps, places } = &login.apps else {
        panic!("{login:?}");
    };
    let apps: Vec<_> = apps.iter().map(|app| app.index).collect();
    let places: Vec<_> = places.iter().map(ToString::to_string).collect();
    assert_eq!(apps, [1, 0]);
    assert_eq!(places, ["header:x-app", "parameter:app", "referer"]);
}

#[test]
fn check_and_logout_have_answers_of_their_own() {
    let routes = "[[routes]]\npath = \"/check\"\naction = \"check\"\nresponse = { left = \"{expires_in}\" }\n\
        [[routes]]\npath = \"/logout\"\naction = \"logout\"\nresponse = \"{null}\"\napp = [\"shop\"]";
    let plan = plan_of(&[SHOP, routes]);
    let Action::Check(SessionRoute {
        apps: Apps::Any,
        response: Some(check),
    }) = &plan.routes[0].action
    else {
        panic!("{plan:?}");
    };
    assert_eq!(check.fill(|_| json!(7)), json!({"left": 7}));
    let Action::Logout(SessionRoute {
        apps,
        response: Some(logout),
    }) = &plan.routes[1].action
    else {
        panic!("{plan:?}");
    };
    assert_eq!(apps, &Apps::Only(vec![0]));
    assert_eq!(logout.fill(|_| Value::Null), Value::Null);
}

#[test]
fn every_type_of_toml_becomes_json_in_the_order_of_the_file() {
    let body = "{ z = 1, a = [true, 1.5, 0xff], m = { s = \"x\" }, d = 2026-01-02T03:04:05Z, t = 07:32:00 }";
    let plan = plan(&format!("[refusals]\nbad_request = {{ body = {body} }}"));
    let shape = plan.refusals.get(RefusalCode::BadRequest).unwrap();
    let json = shape.body.as_ref().unwrap().fill(|_| Value::Null);
    let expected =
        r#"{"z":1,"a":[true,1.5,255],"m":{"s":"x"},"d":"2026-01-02T03:04:05Z","t":"07:32:00"}"#;
    assert_eq!(json.to_string(), expected);
    assert_eq!(shape.status, None);
}

#[test]
fn refusals_have_shapes_for_all_routes_and_for_one() {
    let refusals = "[refusals]\nsession_invalid.status = 200";
    let route = "[[routes]]\npath = \"/*\"\nupstream = \"php\"\n\
        [routes.refusals]\nsession_missing = { status = 599, body = \"{code}\" }";
    let plan = plan_of(&[PHP, refusals, route]);
    let shape = plan.refusals.get(RefusalCode::SessionInvalid).unwrap();
    assert_eq!(shape.status, Some(StatusCode::OK));
    assert!(shape.body.is_none());
    let own = &plan.routes[0].refusals;
    assert!(own.get(RefusalCode::SessionInvalid).is_none());
    let shape = own.get(RefusalCode::SessionMissing).unwrap();
    assert_eq!(shape.status.unwrap().as_u16(), 599);
    assert_eq!(
        shape.body.as_ref().unwrap().fill(|_| json!("x")),
        json!("x")
    );
}

#[test]
fn the_table_finds_the_places_of_the_routes() {
    use crate::domain::path::RequestPath;
    let routes = "[[routes]]\npath = \"/*\"\nupstream = \"php\"\n\
        [[routes]]\npath = \"/check\"\naction = \"check\"";
    let plan = plan_of(&[PHP, routes]);
    let path = RequestPath::parse("/check").unwrap();
    assert_eq!(plan.route_table.find(&path, "h", &Method::GET), Ok(1));
}

#[test]
fn levels_and_filters_are_taken() {
    for level in [
        "info",
        "TRACE",
        "off",
        "wxgate=debug",
        "info,wxgate::store=trace",
    ] {
        let plan = plan(&format!(
            "log = {{ format = \"json\", level = \"{level}\" }}"
        ));
        assert_eq!(plan.log.level.as_deref(), Some(level));
        assert_eq!(plan.log.format, LogFormat::Json);
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_config() {
    assert_eq!(plan("\u{feff}server.workers = 3").server.workers, 3);
}
