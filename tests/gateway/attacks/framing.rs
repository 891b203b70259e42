//! Requests whose end the gateway could see elsewhere than the backend.

use super::{Case, Expected, HOST, SKEY, case, get, post, smuggled};

const KETTLE: &str = "“HTTP Desync Attacks: Request Smuggling Reborn” (Kettle, 2019)";
const PINGORA: &str = "CVE-2026-2835 (Pingora: lengths beside codings, HTTP/1.0)";
const TAB: &str = "CVE-2019-18277 (HAProxy: a vertical tab before chunked)";
const OVERFLOW: &str = "CVE-2021-40346 (HAProxy: a length that overflows)";
const SPACE: &str = "CVE-2019-16276 (Go: a space before the colon)";
const EMPTY: &str = "CVE-2023-40225 (HAProxy: an empty length)";
const NO_NAME: &str = "CVE-2023-25725 (HAProxy: a header without a name)";
const LINE_FEED: &str = "CVE-2025-22871 (Go: a line feed alone behind a chunk's size)";
const EXTENSION: &str = "CVE-2025-55315 (Kestrel: line breaks in extensions of chunks)";
const NODE: &str = "CVE-2022-32215 (Node: codings over several lines)";
const RETURN: &str = "CVE-2023-30589 (Node: a return alone ends a line)";
const GUNICORN: &str = "CVE-2024-1135 (gunicorn: codings that it does not know)";
const FOLD: &str = "RFC 9112, 5.2 (folded lines)";

pub(super) fn cases() -> Vec<Case> {
    let inner = smuggled();
    let chunks = format!("0\r\n\r\n{inner}");
    let length = inner.len();
    let chunked = "Transfer-Encoding: chunked\r\n";
    let head = |name, precedent, lines: &str| {
        case(
            name,
            precedent,
            post("/open/x", lines, &chunks),
            Expected::Refused(400),
        )
    };
    let body = |name, precedent, chunks: &str| {
        let sent = post("/open/x", chunked, &format!("{chunks}{inner}"));
        case(name, precedent, sent, Expected::Refused(400))
    };
    let sized = |name, precedent, value: &str| {
        let sent = post("/open/x", &format!("Content-Length: {value}\r\n"), &inner);
        case(name, precedent, sent, Expected::Refused(400))
    };
    vec![
        head("a length before chunks", KETTLE, &format!("Content-Length: {length}\r\n{chunked}")),
        head("a length behind chunks", PINGORA, &format!("{chunked}Content-Length: {length}\r\n")),
        head("a length of nothing beside chunks", "“HTTP/1.1 Must Die” (Kettle, 2025: 0.CL)", &format!("{chunked}Content-Length: 0\r\n")),
        head("chunked twice", NODE, &chunked.repeat(2)),
        head("chunked and identity", GUNICORN, "Transfer-Encoding: chunked, identity\r\n"),
        head("identity and chunked", GUNICORN, "Transfer-Encoding: identity, chunked\r\n"),
        head("a word that only ends so", KETTLE, "Transfer-Encoding: xchunked\r\n"),
        head("a vertical tab before it", TAB, "Transfer-Encoding: \x0bchunked\r\n"),
        head("a coding in quotes", KETTLE, "Transfer-Encoding: \"chunked\"\r\n"),
        head("a space before the colon", SPACE, "Transfer-Encoding : chunked\r\n"),
        head("a folded coding", FOLD, "Transfer-Encoding:\r\n chunked\r\n"),
        head("a coding behind a fold", NODE, "X-A: b\r\n Transfer-Encoding: chunked\r\n"),
        head("a coding behind a return alone", RETURN, "X-A: b\rTransfer-Encoding: chunked\r\n"),
        head("a coding behind a line feed alone", "RFC 9112, 2.2 (a line feed alone)", "X-A: b\nTransfer-Encoding: chunked\r\n"),
        head("a header without a name", NO_NAME, &format!(": a\r\n{chunked}")),
        case("chunks in HTTP/1.0", PINGORA, format!("POST /open/x HTTP/1.0\r\n{HOST}{chunked}\r\n{chunks}").into_bytes(), Expected::Refused(400)),
        case("a coding in another spelling", "CWE-444 (requests read in two ways)", post("/open/x", &format!("Transfer_Encoding: chunked\r\nContent-Length: {length}\r\n"), &inner), Expected::Passes(&["/open/x"])),
        case("a length in another spelling", "CWE-444 (requests read in two ways)", get("/open/x", &format!("Content_Length: {length}\r\n")), Expected::Passes(&["/open/x"])),
        sized("two lengths", "RFC 9112, 6.3", &format!("0\r\nContent-Length: {length}")),
        sized("the same length twice", "RFC 9112, 6.3", &format!("{length}\r\nContent-Length: {length}")),
        sized("a list of lengths", "RFC 9112, 6.3", &format!("{length}, 0")),
        sized("a signed length", "RFC 9110, 8.6", &format!("+{length}")),
        sized("a length that overflows", OVERFLOW, "18446744073709551616"),
        sized("a length in hex", "RFC 9110, 8.6", "0x10"),
        sized("an empty length", EMPTY, ""),
        sized("a length with a space", "CVE-2018-7159 (Node: spaces in lengths)", "1 0"),
        body("a line feed alone behind the size", LINE_FEED, "0\n\r\n"),
        body("a line feed in an extension", EXTENSION, "5;a\nbb\r\nhello\r\n0\r\n\r\n"),
        body("a return in an extension", EXTENSION, "5;a\rbb\r\nhello\r\n0\r\n\r\n"),
        body("a size with a sign", KETTLE, "+5\r\nhello\r\n0\r\n\r\n"),
        body("a size with a prefix", "CVE-2022-24761 (waitress: 0x before a size)", "0x5\r\nhello\r\n0\r\n\r\n"),
        body("a size that overflows", OVERFLOW, "10000000000000005\r\nhello\r\n0\r\n\r\n"),
        body("a chunk longer than its size", KETTLE, "3\r\nhello\r\n0\r\n\r\n"),
        body("a line feed alone behind a chunk", LINE_FEED, "5\r\nhello\n0\r\n\r\n"),
        case("an extension that is one", "RFC 9112, 7.1.1", post("/open/x", chunked, "5;a=\"b\"\r\nhello\r\n0;c\r\n\r\n"), Expected::Passes(&["/open/x"])),
        case("a body of a request that has none", "“HTTP/1.1 Must Die” (Kettle, 2025: CL.0)", get("/open/x", &format!("Content-Length: {length}\r\n")).into_iter().chain(inner.bytes()).collect(), Expected::Passes(&["/open/x"])),
        case("leave that is asked for", "“HTTP/1.1 Must Die” (Kettle, 2025: Expect)", post("/open/x", &format!("Expect: 100-continue\r\nContent-Length: {length}\r\n"), &inner), Expected::Passes(&["/open/x"])),
        head("leave in a folded line", "CVE-2025-32094 (Akamai: Expect in a folded line)", &format!("Expect:\r\n 100-continue\r\n{chunked}")),
        case("leave that is asked for in another way", "“HTTP/1.1 Must Die” (Kettle, 2025: Expect)", format!("OPTIONS /open/x HTTP/1.1\r\n{HOST}X-Skey: {SKEY}\r\nExpect: 100-continue, x\r\nContent-Length: {length}\r\n\r\n{inner}").into_bytes(), Expected::Held),
    ]
}
