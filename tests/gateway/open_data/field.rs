//! The field under which opened data goes on is the gateway's alone.

use super::*;

#[test]
fn the_field_is_the_gateways_alone_in_every_format_and_spelling() {
    let world = world();
    let skey = world.skey_of("alice");
    let sealed = sealed(&world);
    let Sealed { encrypted_data, iv } = &sealed;
    let members = r#""openData":{"openId":"m"},"open\u0044ata":2,"OpenData":3,"openData":4,"a":1"#;
    let fields = "openData=m&open%44ata=m&%6fpenData%5Bx%5D=m&OPENDATA=m&openData.openId=m&a=1";
    let json = "application/json";
    let both = format!(r#""encryptedData":"{encrypted_data}","iv":"{iv}""#);
    let seen = |ask: &Ask| {
        world.backend.forget();
        assert_eq!(world.ask(&ask.clone().skey(&skey)).text(), "seen");
        body(&world.backend.only_seen())
    };
    let nothing = seen(&typed(json, format!("{{{members}}}")));
    assert_eq!(nothing, r#"{"a":1}"#);
    let opened = seen(&typed(json, format!("{{{both},{members}}}")));
    assert_eq!(opened.to_lowercase().matches("opendata").count(), 1);
    let opened: Value = serde_json::from_str(&opened).unwrap();
    is_alices(&world, &opened["openData"]);
    assert_eq!(seen(&typed(FORM, fields)), "a=1");
    let both = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pair(&sealed))
        .finish();
    let opened = seen(&typed(FORM, format!("{fields}&{both}")));
    assert!(opened.starts_with(&format!("a=1&{both}&openData=%7B")));
    assert_eq!(opened.to_lowercase().matches("opendata").count(), 1);
}

#[test]
fn the_query_cannot_carry_the_field_either() {
    let world = world();
    let skey = world.skey_of("alice");
    for (sent, forwarded) in [
        (
            "/open-data/x?openData=m&a=%7e&open%44ata=m",
            "/open-data/x?a=%7e",
        ),
        ("/open-data/x?openData[openId]=m", "/open-data/x"),
        ("/open-data/x?a&&b=+", "/open-data/x?a&&b=+"),
    ] {
        world.backend.forget();
        world.get_as(&skey, sent);
        assert_eq!(world.backend.only_seen().target, forwarded);
    }
    world.backend.forget();
    let answer = world.get_as(&skey, "/open-data/x?a=1;openData=m");
    answer.refused(400, "bad_request");
    assert_eq!(world.backend.seen().len(), 0);
}

#[test]
fn what_backends_could_read_otherwise_is_refused_and_no_body_passes() {
    let world = world();
    let skey = world.skey_of("alice");
    let json = "application/json";
    let asks = [
        typed("multipart/form-data; boundary=b", "--b\r\n"),
        typed("text/plain", "{\"openData\":1}"),
        Ask::post("/open-data/x").body("{\"openData\":1}"),
        typed(json, "{\"openData\":1,}"),
        typed(json, "\u{FEFF}{\"openData\":1}"),
        typed(FORM, "{\"openData\":1}"),
        typed(FORM, "a=1;openData=1"),
        typed("application/json; charset=utf-16", "{}"),
        typed(json, "{}").header("Content-Encoding", "gzip"),
        typed(json, "{}").header("Content-Type", FORM),
    ];
    for ask in asks {
        let answer = world.ask(&ask.skey(&skey));
        answer.refused(400, "bad_request");
    }
    assert_eq!(world.backend.seen().len(), 0);
    assert_eq!(world.get_as(&skey, "/open-data/x").text(), "seen");
    let array = typed(json, "[1, 2]").skey(&skey);
    assert_eq!(world.ask(&array).text(), "seen");
    assert_eq!(world.backend.seen()[1].body, b"[1, 2]");
}
