//! Encrypted data on later requests: opened for the backend, and never forged.

mod api;
mod field;

use serde_json::{Value, json};
use wxgate::simulator::{Sealed, seal_blocks, seal_bytes};

use crate::harness::{APPID, Answer, Ask, GAME_APPID, Seen, World};

/// Routes that open data.
const ROUTES: &str = r#"
[[routes]]
path = "/open-data/*"
upstream = "php"
open_data = "decrypt"

[[routes]]
path = "/profile"
upstream = "php"
open_data = "decrypt"
open_data_field = "user_info"
"#;
const FORM: &str = "application/x-www-form-urlencoded";

fn world() -> World {
    World::with(ROUTES)
}

/// What WeChat gives alice's client.
fn sealed(world: &World) -> Sealed {
    world
        .wechat
        .encrypted(APPID, "alice", json!({"nickName": "小明 & +"}))
}

fn pair(sealed: &Sealed) -> [(&str, &str); 2] {
    [
        ("encryptedData", &sealed.encrypted_data),
        ("iv", &sealed.iv),
    ]
}

fn json_of(sealed: &Sealed) -> Value {
    json!({"encryptedData": sealed.encrypted_data, "iv": sealed.iv})
}

fn by_json(world: &World, skey: &str, sealed: &Sealed) -> Answer {
    world.ask(&Ask::post("/open-data/x").skey(skey).json(&json_of(sealed)))
}

fn by_form(world: &World, skey: &str, sealed: &Sealed) -> Answer {
    world.ask(&Ask::post("/open-data/x").skey(skey).form(&pair(sealed)))
}

fn typed(media_type: &str, body: impl AsRef<[u8]>) -> Ask {
    let ask = Ask::post("/open-data/x").header("Content-Type", media_type);
    ask.body(body)
}

/// The body that the backend was sent, whose length must be what the head says.
#[track_caller]
fn body(seen: &Seen) -> String {
    let length = seen.body.len().to_string();
    assert_eq!(seen.values("Content-Length"), [length], "{}", seen.head);
    String::from_utf8(seen.body.clone()).unwrap()
}

/// The values that a form has for a name.
fn values(form: &str, name: &str) -> Vec<String> {
    let fields = form_urlencoded::parse(form.as_bytes()).into_owned();
    let named = fields.filter(|(known, _)| known == name);
    named.map(|(_, value)| value).collect()
}

#[track_caller]
fn is_alices(world: &World, data: &Value) {
    assert_eq!(data["nickName"], "小明 & +", "{data}");
    assert_eq!(data["openId"], world.openid_of("alice"), "{data}");
    assert_eq!(data["watermark"]["appid"], APPID, "{data}");
}

#[test]
fn the_backend_gets_a_json_body_with_the_data_opened_and_all_else_as_it_was() {
    let world = world();
    let skey = world.skey_of("alice");
    let Sealed { encrypted_data, iv } = sealed(&world);
    let sent = format!(
        r#"{{ "n": 1.50, "encryptedData":"{encrypted_data}", "big":12345678901234567890123,"iv":"{iv}","o":{{"a" : [1e999]}} }}"#
    );
    let media_type = "application/json; charset=utf-8";
    let answer = world.ask(&typed(media_type, sent).skey(&skey));
    assert_eq!(answer.text(), "seen");
    let seen = world.backend.only_seen();
    assert_eq!(seen.values("Content-Type"), [media_type]);
    let body = body(&seen);
    let before = format!(
        r#"{{"n":1.50,"encryptedData":"{encrypted_data}","big":12345678901234567890123,"iv":"{iv}","o":{{"a" : [1e999]}},"openData":"#
    );
    let data = body.strip_prefix(&before).unwrap();
    let data = data.strip_suffix('}').unwrap();
    is_alices(&world, &serde_json::from_str(data).unwrap());
}

#[test]
fn the_backend_gets_a_form_with_the_data_opened_and_all_else_byte_for_byte() {
    let world = world();
    let skey = world.skey_of("alice");
    let sealed = sealed(&world);
    let fields = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pair(&sealed))
        .finish();
    let sent = format!("a=%7e+b&&{fields}&c");
    world.ask(&typed(FORM, &sent).skey(&skey));
    let seen = world.backend.only_seen();
    let body = body(&seen);
    let ours = body.strip_prefix(&format!("{sent}&")).unwrap();
    let opened = values(ours, "openData");
    assert_eq!(opened.len(), 1, "{ours}");
    is_alices(&world, &serde_json::from_str(&opened[0]).unwrap());
    assert_eq!(seen.values("Content-Type"), [FORM]);
}

#[test]
fn a_route_names_the_field_and_a_place_of_tokens_in_the_body_is_emptied() {
    let token = "[sessions]\ntoken = [\"json:skey\", \"form:skey\"]\n";
    let world = World::with(&format!("{ROUTES}\n{token}"));
    let skey = world.skey_of("alice");
    let sealed = sealed(&world);
    let mut object = json_of(&sealed);
    object["skey"] = skey.as_str().into();
    world.ask(&Ask::post("/profile").json(&object));
    let seen: Value = serde_json::from_str(&body(&world.backend.only_seen())).unwrap();
    is_alices(&world, &seen["user_info"]);
    assert_eq!(seen.get("skey"), None);
    world.backend.forget();
    let fields = [pair(&sealed).as_slice(), &[("skey", &skey)]].concat();
    world.ask(&Ask::post("/profile").form(&fields));
    let form = body(&world.backend.only_seen());
    assert_eq!(values(&form, "skey"), [""; 0]);
    assert_eq!(values(&form, "user_info").len(), 1);
}

#[test]
fn a_chunked_body_is_opened_and_gets_a_length() {
    let world = world();
    let skey = world.skey_of("alice");
    let sent = json_of(&sealed(&world)).to_string();
    let (one, two) = sent.split_at(sent.len() / 2);
    let ask = Ask::post("/open-data/x")
        .skey(&skey)
        .header("Content-Type", "application/json")
        .header("Transfer-Encoding", "chunked");
    let mut line = world.connect();
    line.send(&ask.bytes());
    for piece in [one, two, ""] {
        line.send(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes());
    }
    assert_eq!(line.answer().text(), "seen");
    let seen = world.backend.only_seen();
    assert_eq!(seen.values("Transfer-Encoding"), [""; 0]);
    let object: Value = serde_json::from_str(&body(&seen)).unwrap();
    is_alices(&world, &object["openData"]);
}

#[test]
fn the_key_before_opens_too_and_the_one_before_that_does_not() {
    let world = world();
    let first = world.skey_of("alice");
    let sealed = sealed(&world);
    world.wechat.renew_keys(true);
    let second = world.skey_of("alice");
    for skey in [&first, &second] {
        assert_eq!(by_json(&world, skey, &sealed).status, 200);
        assert_eq!(by_form(&world, skey, &sealed).status, 200);
    }
    let third = world.skey_of("alice");
    for skey in [&first, &second, &third] {
        let answer = by_json(&world, skey, &sealed).refused(400, "data_undecryptable");
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        // The gateway has the key of now, so another login would not help.
        assert!(message.contains("fetch it again"), "{message}");
        assert!(!message.contains("log in"), "{message}");
    }
    let fresh = world.wechat.encrypted(APPID, "alice", json!({}));
    assert_eq!(by_form(&world, &first, &fresh).status, 200);
}

#[test]
fn a_signature_is_verified_with_either_key() {
    let world = world();
    let skey = world.skey_of("alice");
    let raw_data = r#"{"nickName":"小明"}"#;
    let signature = world.wechat.signed(APPID, "alice", raw_data);
    let ask = |raw_data: &str, signature: &str| {
        let fields = [("rawData", raw_data), ("signature", signature)];
        world.ask(&Ask::post("/open-data/x").skey(&skey).form(&fields))
    };
    assert_eq!(ask(raw_data, &signature).status, 200);
    world.wechat.renew_keys(true);
    world.skey_of("alice");
    assert_eq!(ask(raw_data, &signature).status, 200);
    world.backend.forget();
    ask("{}", &signature).refused(400, "signature_invalid");
    ask("", &signature).refused(400, "signature_invalid");
    world.skey_of("alice");
    ask(raw_data, &signature).refused(400, "signature_invalid");
    assert_eq!(world.backend.seen().len(), 0);
}

#[test]
fn whatever_is_wrong_with_the_data_the_refusal_is_the_same_and_nothing_is_forwarded() {
    let world = world();
    let skey = world.skey_of("alice");
    let good = sealed(&world);
    let key = world.wechat.session_key_bytes(APPID, "alice");
    let seal = |user, payload| world.wechat.encrypted(APPID, user, payload);
    let with_data = |data: &str| Sealed {
        encrypted_data: data.to_owned(),
        ..good.clone()
    };
    let with_iv = |iv: &str| Sealed {
        iv: iv.to_owned(),
        ..good.clone()
    };
    let text = good.encrypted_data.as_str();
    let cases = [
        ("another user's key", seal("bob", json!({}))),
        (
            "another user's openid",
            seal("alice", json!({"openId": world.openid_of("bob")})),
        ),
        (
            "another app",
            seal("alice", json!({"watermark": {"appid": GAME_APPID}})),
        ),
        ("no object", seal("alice", json!([1]))),
        ("no JSON", seal_bytes(&key, b"{\"watermark\":")),
        ("no UTF-8", seal_bytes(&key, b"{\"a\":\"\xFF\"}")),
        ("bad padding", seal_blocks(&key, &[[0; 16]; 2])),
        ("random", seal_blocks(&[9; 16], &[[3; 16]; 4])),
        ("truncated", with_data(&text[..text.len() - 4])),
        ("a block less", with_data("AAAAAAAAAAAAAAAAAAAAAA==")),
        ("no base64", with_data("%%%")),
        ("base64 of another alphabet", with_data("_-_-")),
        ("an iv of another length", with_iv("AAAA")),
        ("an iv that is no base64", with_iv("用户")),
    ];
    for half in [with_iv(""), with_data("")] {
        by_json(&world, &skey, &half).refused(400, "data_undecryptable");
        by_form(&world, &skey, &half).refused(400, "data_undecryptable");
    }
    let mut told = None;
    for (what, sealed) in cases {
        for answer in [
            by_json(&world, &skey, &sealed),
            by_form(&world, &skey, &sealed),
        ] {
            let mut body = answer.refused(400, "data_undecryptable").json();
            body["request_id"].take();
            assert_eq!(told.get_or_insert(body.clone()), &body, "{what}");
        }
    }
    assert_eq!(world.backend.seen().len(), 0);
    assert_eq!(by_json(&world, &skey, &good).status, 200);
}

#[test]
fn data_of_another_app_does_not_open_even_for_the_same_person() {
    let world = World::with_two_apps(ROUTES);
    let skey = world.skey_of("alice");
    let sealed = world.wechat.encrypted(GAME_APPID, "alice", json!({}));
    by_json(&world, &skey, &sealed).refused(400, "data_undecryptable");
    assert_eq!(world.backend.seen().len(), 0);
}

#[test]
fn base64_whose_plus_signs_became_spaces_on_the_way_is_still_opened() {
    let world = world();
    let skey = world.skey_of("alice");
    let Sealed { encrypted_data, iv } = loop {
        let sealed = sealed(&world);
        if sealed.encrypted_data.contains('+') {
            break sealed;
        }
    };
    let sent = format!("encryptedData={encrypted_data}&iv={iv}");
    world.ask(&typed(FORM, sent).skey(&skey));
    let form = body(&world.backend.only_seen());
    let opened = values(&form, "openData");
    is_alices(&world, &serde_json::from_str(&opened[0]).unwrap());
}

#[test]
fn a_body_of_64_kib_is_read_and_a_larger_one_refused() {
    let world = world();
    let skey = world.skey_of("alice");
    let with_length = |length: usize| {
        let fill = "f".repeat(length - "fill=".len());
        typed(FORM, format!("fill={fill}")).skey(&skey)
    };
    let answer = world.ask(&with_length(64 * 1024 + 1));
    answer.refused(413, "body_too_large");
    assert_eq!(world.backend.seen().len(), 0);
    assert_eq!(world.ask(&with_length(64 * 1024)).status, 200);
}

#[test]
fn without_a_session_nothing_is_opened() {
    let world = world();
    let sealed = sealed(&world);
    let ask = Ask::post("/open-data/x").json(&json_of(&sealed));
    world.ask(&ask).refused(401, "session_missing");
    assert_eq!(world.backend.seen().len(), 0);
}

#[test]
fn data_that_is_too_old_is_refused_where_there_is_a_limit() {
    let limited = (
        "timeout = \"5s\"\ndeadline",
        "timeout = \"5s\"\nopen_data_max_age = \"1h\"\ndeadline",
    );
    let last = "[[routes]]\npath = \"/*\"\n";
    let world = World::where_config(&[limited, (last, &format!("{ROUTES}\n{last}"))]);
    let skey = world.skey_of("alice");
    let sealed = sealed(&world);
    assert_eq!(by_json(&world, &skey, &sealed).status, 200);
    world.clock.turn(std::time::Duration::from_hours(2));
    by_json(&world, &skey, &sealed).refused(400, "data_undecryptable");
    let code = world.wechat.issue_code("alice");
    let fields = [[("code", code.as_str())].as_slice(), &pair(&sealed)].concat();
    let login = world.ask(&Ask::post("/wx/login").form(&fields));
    login.refused(400, "data_undecryptable");
}

#[test]
fn nothing_of_the_data_and_no_key_is_logged() {
    let mut world = world();
    let skey = world.skey_of("alice");
    let sealed = sealed(&world);
    by_json(&world, &skey, &sealed);
    by_form(
        &world,
        &skey,
        &world.wechat.encrypted(APPID, "bob", json!({})),
    );
    let openid = world.openid_of("alice");
    let key = world.wechat.session_key_of(APPID, "alice");
    world.stop();
    let log = world.log.text();
    assert!(log.contains("data_undecryptable"), "{log}");
    for private in [
        "小明",
        &openid,
        &key,
        &sealed.encrypted_data,
        &sealed.iv,
        &skey,
    ] {
        assert!(!log.contains(private), "{private} in {log}");
    }
}
