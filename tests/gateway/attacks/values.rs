//! Values that WeChat or a backend says of a user, and that become headers.

use super::{Case, Expected, Sent};

const SPLIT: &str = "CWE-113 (line breaks in a value)";
const NUL: &str = "CWE-158 (a NUL in a value)";
const TYPE: &str = "CWE-20 (a value of another type)";

pub(super) fn cases() -> Vec<Case> {
    let union = |name, precedent, unionid| Case {
        name,
        precedent,
        sent: Sent::Login {
            unionid: Some(unionid),
            said: "{}",
        },
        expected: Expected::Held,
    };
    let says = |name, precedent, said| Case {
        name,
        precedent,
        sent: Sent::Login {
            unionid: None,
            said,
        },
        expected: Expected::Held,
    };
    vec![
        union("a unionid with line breaks", SPLIT, "u\r\nX-OpenId: forged"),
        union("a unionid with a line feed", SPLIT, "u\nX-OpenId: forged"),
        union(
            "a unionid with a request",
            "CWE-444 (requests read in two ways)",
            "u\r\n\r\nGET /open/smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        union("a unionid with a NUL", NUL, "u\0X-OpenId: forged"),
        union(
            "a unionid with other letters",
            "CWE-838 (another encoding than is expected)",
            "u\u{10a}X-OpenId: forged\u{10d}\u{10a}",
        ),
        says(
            "an id with line breaks",
            SPLIT,
            r#"{"user_id":"7\r\nX-OpenId: forged"}"#,
        ),
        says(
            "an id with a line feed",
            SPLIT,
            r#"{"user_id":"7\nX-OpenId: forged"}"#,
        ),
        says(
            "an id with a NUL",
            NUL,
            r#"{"user_id":"7\u0000X-OpenId: forged"}"#,
        ),
        says(
            "a claim with line breaks",
            SPLIT,
            r#"{"user_id":"7","claims":{"role":"a\r\nX-OpenId: forged"}}"#,
        ),
        says(
            "a claim of another name",
            TYPE,
            r#"{"claims":{"X-OpenId":"forged","openid":"forged"}}"#,
        ),
        says(
            "an id that is a table",
            TYPE,
            r#"{"user_id":{"a":"forged"}}"#,
        ),
        says(
            "an id that is a list",
            TYPE,
            r#"{"user_id":["forged","forged"]}"#,
        ),
        says(
            "two ids",
            "CWE-436 (read in two ways)",
            r#"{"user_id":"7","user_id":"forged\r\n"}"#,
        ),
    ]
}
