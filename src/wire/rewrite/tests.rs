//! Bodies rewritten: exactly one field of the gateway's name, and all else as it was.

use http::HeaderValue;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

const OURS: &str = r#"{"nickName":"a&b=c;d"}"#;

fn clean(format: BodyFormat, body: &[u8]) -> Result<Cleaned, Unreadable> {
    let places = ["form:t", "json:t", "query:q"].map(|text| TokenPlace::parse(text).unwrap());
    let cleaner = Cleaner {
        field: &FieldName::default(),
        tokens: &places,
    };
    cleaner.body(format, Bytes::copy_from_slice(body))
}

fn rewritten(format: BodyFormat, body: &str, json: Option<&str>) -> Result<String, Unreadable> {
    let cleaned = clean(format, body.as_bytes())?;
    let written = cleaned.write(&FieldName::default(), json);
    Ok(String::from_utf8(written.to_vec()).unwrap())
}

fn form_fields(body: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(body.as_bytes())
        .into_owned()
        .collect()
}

#[test]
fn an_object_gets_one_member_and_loses_the_clients_own_in_every_spelling() {
    let body = r#"{"a" : 1.0, "openData":1,"open\u0044ata":2,"OPENDATA":3,"openData[x]":4, "t":"T","b":{"openData":5}}"#;
    assert_eq!(
        rewritten(BodyFormat::Json, body, Some(OURS)).unwrap(),
        format!(r#"{{"a":1.0,"b":{{"openData":5}},"openData":{OURS}}}"#)
    );
    let without = r#"{"a":1.0,"b":{"openData":5}}"#;
    assert_eq!(rewritten(BodyFormat::Json, body, None).unwrap(), without);
}

#[test]
fn a_form_gets_one_field_and_loses_the_clients_own_in_every_spelling() {
    let body = "a=%7e+&openData=1&open%44ata=2&%6FPENDATA[x]=3&t=T&+openData%00x=4&openData.n=5&&b";
    let ours = "openData=%7B%22nickName%22%3A%22a%26b%3Dc%3Bd%22%7D";
    assert_eq!(
        rewritten(BodyFormat::Form, body, Some(OURS)).unwrap(),
        format!("a=%7e+&&b&{ours}")
    );
    assert_eq!(
        rewritten(BodyFormat::Form, body, None).unwrap(),
        "a=%7e+&&b"
    );
    assert_eq!(
        rewritten(BodyFormat::Form, "t=T", Some(OURS)).unwrap(),
        ours
    );
}

#[test]
fn what_has_no_place_for_a_field_goes_on_as_it_is() {
    for body in ["", " ", "[1, 2]", "\"x\"", "null"] {
        assert_eq!(rewritten(BodyFormat::Json, body, None).unwrap(), body);
    }
    assert_eq!(rewritten(BodyFormat::Form, "", None).unwrap(), "");
}

#[test]
fn a_value_may_be_as_deep_as_a_body_is_long() {
    let deep = "[".repeat(30_000) + &"]".repeat(30_000);
    let object = format!("{{\"a\":{deep}}}");
    for body in [&deep, &object] {
        assert_eq!(rewritten(BodyFormat::Json, body, None).as_ref(), Ok(body));
    }
    let unclosed = "[".repeat(60_000);
    let error = rewritten(BodyFormat::Json, &unclosed, None).unwrap_err();
    assert_eq!(error, Unreadable::Json);
}

#[test]
fn a_target_loses_the_field_and_nothing_else() {
    let cleaner = Cleaner {
        field: &FieldName::default(),
        tokens: &[],
    };
    let left_of = |target: &str| cleaner.target(&target.parse().unwrap());
    for (target, left) in [
        ("/x?openData=1&a=%7e&open%44ata[x]=2&q=", "/x?a=%7e&q="),
        ("/%7e?openData", "/%7e"),
        ("http://host/x?openData=1", "http://host/x"),
        ("/x?", "/x?"),
        ("/x?a&&b=+", "/x?a&&b=+"),
        ("/x", "/x"),
    ] {
        assert_eq!(left_of(target).unwrap().to_string(), left);
    }
    let error = left_of("/x?a=1;openData=2").unwrap_err();
    assert_eq!(error, Unreadable::Semicolon);
}

#[test]
fn what_backends_could_read_otherwise_is_unreadable() {
    let error = |format, body: &[u8]| clean(format, body).err();
    for body in [
        &b"{\"openData\":1,}"[..],
        b"{'openData':1}",
        b"{\"a\":1} {\"openData\":1}",
        b"\xEF\xBB\xBF{\"openData\":1}",
        b"{\"a\":\"\xFF\"}",
        b"// x\n{}",
        b"openData=1",
        b"[1",
    ] {
        assert_eq!(error(BodyFormat::Json, body), Some(Unreadable::Json));
    }
    let form = BodyFormat::Form;
    assert_eq!(error(form, b" {\"openData\":1}"), Some(Unreadable::Form));
    assert_eq!(error(form, b"a=b;openData=1"), Some(Unreadable::Semicolon));
    assert_eq!(error(form, b"openData;a=b"), Some(Unreadable::Semicolon));
    assert_eq!(error(form, b"a=b;c=1"), None);
}

#[test]
fn the_format_is_certain_only_where_every_backend_reads_the_same() {
    let of = |pairs: &[(http::HeaderName, &'static str)]| {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name.clone(), HeaderValue::from_static(value));
        }
        certain_format(&headers)
    };
    let typed = |value| of(&[(CONTENT_TYPE, value)]);
    assert_eq!(typed("application/json"), Ok(BodyFormat::Json));
    let form = "application/x-www-form-urlencoded; charset=\"UTF-8\"";
    assert_eq!(typed(form), Ok(BodyFormat::Form));
    for value in [
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded,a+json",
        "application/x-www-form-urlencoded a+json",
    ] {
        assert_eq!(typed(value), Err(Unreadable::Format), "{value}");
    }
    assert_eq!(of(&[]), Err(Unreadable::Format));
    let json = (CONTENT_TYPE, "application/json");
    assert_eq!(of(&[json.clone(), json.clone()]), Err(Unreadable::Format));
    let utf16 = "application/json; charset=utf-16";
    assert_eq!(typed(utf16), Err(Unreadable::Encoding));
    let gzip = (CONTENT_ENCODING, "gzip");
    assert_eq!(of(&[json.clone(), gzip]), Err(Unreadable::Encoding));
    let identity = (CONTENT_ENCODING, "identity");
    assert_eq!(of(&[json, identity]), Ok(BodyFormat::Json));
}

proptest! {
    #[test]
    fn no_body_panics(body in prop::collection::vec(any::<u8>(), 0..256)) {
        for format in [BodyFormat::Json, BodyFormat::Form] {
            if let Ok(cleaned) = clean(format, &body) {
                let _ = cleaned.fields().get("iv");
                let _ = cleaned.write(&FieldName::default(), Some(OURS));
            }
        }
    }

    #[test]
    fn a_form_has_exactly_one_such_field_and_all_others_are_unchanged(
        pieces in prop::collection::vec("(openData|open%44ata|OpenData%5Bx%5D|t|%74|u|openDat|é|)(=[a-z%+é]{0,3})?", 0..8),
    ) {
        let body = pieces.join("&");
        prop_assume!(!body.is_empty());
        let written = rewritten(BodyFormat::Form, &body, Some(OURS)).unwrap();
        let field = FieldName::default();
        let (ours, others): (Vec<_>, Vec<_>) =
            form_fields(&written).into_iter().partition(|(name, _)| field.covers(name));
        prop_assert_eq!(ours, [("openData".to_owned(), OURS.to_owned())]);
        let mut before = form_fields(&body);
        before.retain(|(name, _)| name != "t" && !field.covers(name));
        prop_assert_eq!(others, before);
    }

    #[test]
    fn an_object_has_exactly_one_such_member_and_all_others_are_unchanged(
        members in prop::collection::vec(("openData|OPENdata|t|a|é|\"", ".{0,6}"), 0..8),
    ) {
        let pieces: Vec<_> = members
            .iter()
            .map(|(name, text)| format!("{}:{}", Value::from(name.as_str()), Value::from(text.as_str())))
            .collect();
        let body = format!("{{{}}}", pieces.join(","));
        let written = rewritten(BodyFormat::Json, &body, Some(OURS)).unwrap();
        prop_assert_eq!(written.matches("\"openData\":").count(), 1);
        let mut after: Map<String, Value> = serde_json::from_str(&written).unwrap();
        prop_assert_eq!(after.remove("openData"), Some(json!({"nickName": "a&b=c;d"})));
        let mut before: Map<String, Value> = serde_json::from_str(&body).unwrap();
        before.retain(|name, _| name != "t" && !FieldName::default().covers(name));
        prop_assert_eq!(after, before);
    }

    #[test]
    fn nobody_finds_a_field_of_the_clients_in_a_query_or_a_form_wherever_they_split_it(
        pieces in prop::collection::vec("(openData|open%44ata|OPENDATA%5Bx%5D|u|)(=[a-z%;]{0,3})?(;(openData|%6FpenData|u))?", 0..6),
    ) {
        let query = pieces.join("&");
        let field = FieldName::default();
        let is_covered = |text: &str| {
            let names = text.split(['&', ';']).map(|piece| name_of(piece.as_bytes()));
            names.into_iter().any(|name| field.covers(&name))
        };
        let cleaner = Cleaner { field: &field, tokens: &[] };
        match cleaner.target(&format!("/x?{query}").parse().unwrap()) {
            Ok(left) => prop_assert!(!is_covered(left.query().unwrap_or_default()), "{}", left),
            Err(error) => prop_assert!(error == Unreadable::Semicolon && is_covered(&query)),
        }
        match rewritten(BodyFormat::Form, &query, None) {
            Ok(left) => prop_assert!(!is_covered(&left), "{}", left),
            Err(error) => prop_assert!(error == Unreadable::Semicolon && is_covered(&query)),
        }
    }

    #[test]
    fn an_object_that_is_spoiled_somewhere_is_refused_or_loses_the_clients_field_all_the_same(
        at in 0_usize..60, by in prop::option::of("[\\x00-\\x7f]|é"),
    ) {
        let body = r#"{"a":"\u0041","openData":{"b":[1]},"OPENDATA":1,"c":null}"#;
        let (before, behind) = body.split_at_checked(at).unwrap_or((body, ""));
        let spoiled = match &by {
            Some(more) => format!("{before}{more}{behind}"),
            None => before.to_owned(),
        };
        match rewritten(BodyFormat::Json, &spoiled, Some(OURS)) {
            Ok(written) if spoiled.trim_ascii_start().starts_with('{') => {
                let object: Map<String, Value> = serde_json::from_str(&written).unwrap();
                let covered = object.keys().filter(|name| FieldName::default().covers(name));
                prop_assert_eq!(covered.collect::<Vec<_>>(), ["openData"]);
                prop_assert_eq!(&object["openData"], &json!({"nickName": "a&b=c;d"}));
            }
            Ok(written) => prop_assert_eq!(written, spoiled),
            Err(error) => prop_assert_eq!(error, Unreadable::Json),
        }
    }
}
