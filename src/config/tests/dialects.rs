//! The dialects: what they mean in the words of every config, and where they mean nothing.

use http::StatusCode;
use serde_json::{Value, json};

use super::{check, plan};
use crate::config::plan::{Action, Plan, RefusalShape, RefusalShapes};
use crate::domain::refusal::RefusalCode;
use crate::domain::template::Placeholder;
use crate::domain::token::TokenPlace;

const AROUND: &str = "apps.shop = { appid = \"wx1\", secret = { env = \"SHOP_SECRET\" } }\n\
    upstreams.php.servers = [\"http://10.0.0.1:9000\"]\n";
const MAGIC: &str = "F2C224D4-2BCE-4C64-AF9F-A6D872000D1A";
const LOST: [RefusalCode; 3] = [
    RefusalCode::SessionMissing,
    RefusalCode::SessionInvalid,
    RefusalCode::SessionReplaced,
];

/// A config with a login and a guarded route, both with these keys, and more behind.
fn routes(keys: &str, more: &str) -> Plan {
    plan(&format!(
        "{AROUND}[[routes]]\npath = \"/login\"\naction = \"login\"\n{keys}\n\
         [[routes]]\npath = \"/*\"\nupstream = \"php\"\n{keys}\n{more}"
    ))
}

fn login(plan: &Plan) -> Value {
    let Action::Login(login) = &plan.routes[0].action else {
        panic!("{plan:?}");
    };
    let response = login.response.as_ref().unwrap();
    response.fill(|place| match place {
        Placeholder::UserInfo => json!({"nickName": "n"}),
        other => other.name().into(),
    })
}

fn told(shape: &RefusalShape) -> (StatusCode, Value) {
    let body = shape.body.as_ref().unwrap();
    (
        shape.status.unwrap(),
        body.fill(|place| place.name().into()),
    )
}

/// The codes that have a shape here.
fn shaped(shapes: &RefusalShapes) -> Vec<RefusalCode> {
    let all = RefusalCode::ALL.into_iter();
    all.filter(|code| shapes.get(*code).is_some()).collect()
}

#[test]
fn a_login_answers_in_its_dialect_whatever_comes_of_it() {
    let magic = json!({MAGIC: 1, "session": {"id": "session_id", "skey": "skey"}});
    let code = json!({"code": 0, "data": {"skey": "skey", "userinfo": {"nickName": "n"}}});
    let failed = json!({MAGIC: 1, "error": "ERR_LOGIN_FAILED", "message": "message"});
    let refused = json!({"code": -1, "error": "ERR_LOGIN_FAILED", "message": "message"});
    for (dialect, granted, refused) in [("wafer1", magic, failed), ("wafer2", code, refused)] {
        let plan = routes(&format!("dialect = \"{dialect}\""), "");
        assert_eq!(login(&plan), granted);
        for code in RefusalCode::ALL {
            let shape = plan.routes[0].refusals.get(code).unwrap();
            assert_eq!(told(shape), (StatusCode::OK, refused.clone()), "{code}");
        }
    }
}

#[test]
fn only_a_lost_session_makes_a_client_log_in_again() {
    let magic = json!({MAGIC: 1, "error": "ERR_INVALID_SESSION", "message": "message"});
    let code = json!({"code": -1, "error": "ERR_SESSION_INVALID", "message": "message"});
    for (dialect, lost) in [("wafer1", magic), ("wafer2", code)] {
        let check = "[[routes]]\npath = \"/check\"\naction = \"check\"\n";
        let dialect = format!("dialect = \"{dialect}\"");
        let plan = routes(&dialect, &format!("{check}{dialect}"));
        for route in &plan.routes[1..] {
            assert_eq!(shaped(&route.refusals), LOST);
            for code in LOST {
                let shape = route.refusals.get(code).unwrap();
                assert_eq!(told(shape), (StatusCode::OK, lost.clone()), "{code}");
            }
        }
    }
}

#[test]
fn no_other_refusal_of_a_guarded_route_has_the_status_that_wafer_2_takes_for_a_lost_session() {
    let of_logins = [RefusalCode::LoginCodeInvalid, RefusalCode::LoginCodeUsed];
    let unauthorized = RefusalCode::ALL.into_iter();
    let unauthorized = unauthorized.filter(|code| code.status() == StatusCode::UNAUTHORIZED);
    let unauthorized: Vec<_> = unauthorized.collect();
    assert_eq!(unauthorized, [LOST.as_slice(), &of_logins].concat());
}

#[test]
fn what_a_route_says_itself_wins_code_by_code_and_part_by_part() {
    let own = "refusals = { session_missing = { status = 401 }, overloaded = { status = 200 } }";
    let all = "[refusals]\nsession_missing = { status = 499, body = 1 }\nbad_request.status = 200";
    let keys = format!("dialect = \"wafer1\"\n{own}");
    let plan = routes(&keys, all);
    let refusals = &plan.routes[1].refusals;
    let missing = told(refusals.get(RefusalCode::SessionMissing).unwrap());
    assert_eq!(
        (missing.0.as_u16(), &missing.1["error"]),
        (401, &json!("ERR_INVALID_SESSION"))
    );
    assert_eq!(
        told(refusals.get(RefusalCode::SessionInvalid).unwrap()).0,
        StatusCode::OK
    );
    let overloaded = refusals.get(RefusalCode::Overloaded).unwrap();
    assert!(overloaded.body.is_none());
    assert_eq!(
        shaped(refusals),
        [LOST.as_slice(), &[RefusalCode::Overloaded]].concat()
    );

    let text = format!(
        "{AROUND}[[routes]]\npath = \"/login\"\naction = \"login\"\ndialect = \"wafer2\"\nresponse = [\"{{skey}}\"]"
    );
    assert_eq!(login(&super::plan(&text)), json!(["skey"]));
}

#[test]
fn a_dialect_brings_the_place_of_its_token_along() {
    let places = |keys: &str, more: &str| routes(keys, more).sessions;
    let of = |texts: &[&str]| -> Vec<_> {
        let places = texts.iter().map(|text| TokenPlace::parse(text).unwrap());
        places.collect()
    };
    assert_eq!(places("", "").token, of(&["header:X-Skey", "bearer"]));
    assert!(places("", "").beside.is_empty());
    let sessions = places("dialect = \"wafer1\"", "");
    assert_eq!(
        sessions.token,
        of(&["header:X-Skey", "bearer", "header:X-WX-Skey"])
    );
    assert_eq!(sessions.beside, ["x-wx-id"]);
    let sessions = places("dialect = \"wafer2\"", "[sessions]\ntoken = [\"query:t\"]");
    assert_eq!(sessions.token, of(&["query:t", "header:X-WX-Skey"]));
    assert!(sessions.beside.is_empty());
    let written = "[sessions]\ntoken = [\"header:x-wx-skey\", \"bearer\"]";
    let sessions = places("dialect = \"wafer2\"", written);
    assert_eq!(sessions.token, of(&["header:X-WX-Skey", "bearer"]));
}

#[test]
fn a_dialect_is_for_those_who_can_log_in_again() {
    let route = |keys: &str| format!("{AROUND}[[routes]]\npath = \"/\"\n{keys}");
    let open = "`dialect` says how a missing session is refused, and this route asks for none; remove it, \
        or leave `auth` at \"required\"";
    check(&[
        (
            &route("action = \"login\"\ndialect = \"wafer3\""),
            "6:11: `wafer3` is no dialect; did you mean `wafer1`? There are `wafer1` and `wafer2`",
        ),
        (
            &route("action = \"logout\"\ndialect = \"wafer1\""),
            "6:11: `dialect` makes clients log in again, which no logout is for; remove it",
        ),
        (
            &route("upstream = \"php\"\nauth = \"none\"\ndialect = \"wafer1\""),
            &format!("7:11: {open}"),
        ),
        (
            &route("upstream = \"php\"\nauth = \"optional\"\ndialect = \"wafer2\""),
            &format!("7:11: {open}"),
        ),
        (
            &route("upstream = \"php\"\ndialect = \"wafer2\"\n[identity]\nopenid = \"X-WX-Skey\""),
            "8:10: `x-wx-skey` would stand for both the session of a `dialect` and `openid`; rename one of them",
        ),
        (
            &route("upstream = \"php\"\ndialect = \"wafer1\"\n[identity]\nunionid = \"X_WX_Id\""),
            "8:11: `x_wx_id` would stand for both the session of a `dialect` and `unionid`; rename one of them",
        ),
    ]);
}
