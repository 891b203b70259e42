//! Requests with two hosts, none, or one that two parsers read differently.

use super::{Case, Expected, case};

const TROUBLES: &str = "“Host of Troubles” (Chen et al., CCS 2016)";
const RULE: &str = "RFC 9112, 3.2";

pub(super) fn cases() -> Vec<Case> {
    let refused = |name, precedent, lines: &str| {
        let sent = format!("GET /open/x HTTP/1.1\r\n{lines}\r\n").into_bytes();
        case(name, precedent, sent, Expected::Refused(400))
    };
    vec![
        refused("no host", RULE, ""),
        refused("two hosts", TROUBLES, "Host: a.cn\r\nHost: forged\r\n"),
        refused("the same host twice", RULE, "Host: a.cn\r\nHost: a.cn\r\n"),
        refused(
            "two hosts in other capitals",
            TROUBLES,
            "host: a.cn\r\nHOST: forged\r\n",
        ),
        refused(
            "a host behind a space",
            TROUBLES,
            "Host: a.cn\r\n Host: forged\r\n",
        ),
        refused(
            "a host before a space",
            TROUBLES,
            "Host : forged\r\nHost: a.cn\r\n",
        ),
        refused("a list of hosts", RULE, "Host: a.cn, forged\r\n"),
        refused("a host with a path", TROUBLES, "Host: a.cn/forged\r\n"),
        refused("a host with a user", TROUBLES, "Host: forged@a.cn\r\n"),
        refused("a host with a space", TROUBLES, "Host: a.cn forged\r\n"),
        refused("a port that is none", RULE, "Host: a.cn:forged\r\n"),
        refused("an empty host", RULE, "Host:\r\n"),
    ]
}
