//! `wxlogin-form`: a login by form, and a PHP backend with a table of users of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use wxgate::config::{self, Surroundings};
use wxgate::domain::refusal::RefusalCode;
use wxgate::domain::template::Placeholder;

use super::{LONG, Phone, recipes, says, token};
use crate::harness::{APPID, Answer, Ask, Line, Process, SECRET, Scratch};
use crate::php;

/// Where the shop serves the script of the recipe.
const SCRIPT: &str = "/internal/wx-login.php";
const EXPIRED: &str = r#"{"status":401,"msg":"登录已过期，请重新登录","data":null}"#;
const UNSIGNED: &str = r#"{"status":500,"msg":"签名校验失败","data":null}"#;
const NOTHING: &str = r#"{"status":404,"msg":"there is nothing at this address","data":null}"#;

/// What `encodeURIComponent` leaves as it is.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// A shop in PHP behind the recipe, and the mini-program's user.
struct Shop {
    phone: Phone,
    address: SocketAddr,
    dsn: String,
    _php: Process,
    _files: Scratch,
}

impl Shop {
    /// A shop whose pages tell what reached them, and whose script is the recipe's own.
    #[track_caller]
    fn open() -> Self {
        let files = Scratch::new();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let script = files.path().join(&SCRIPT[1..]);
        std::fs::create_dir(script.parent().unwrap()).unwrap();
        std::fs::copy(recipes().join("wxlogin-form.php"), script).unwrap();
        let pages = root.join("tests/backends/index.php");
        std::fs::copy(pages, files.path().join("index.php")).unwrap();
        let dsn = format!("sqlite:{}", files.path().join("users.sqlite").display());
        let mut command = Command::new("php");
        command.args(["-S", "127.0.0.1:0", "-t"]).arg(files.path());
        command.env("USERS_DSN", &dsn).stdin(Stdio::null());
        let php = Process::start(command, "tests/run.sh installs what the tests need");
        let address = php::address(&php);
        Self {
            phone: Phone::before("wxlogin-form", address),
            address,
            dsn,
            _php: php,
            _files: files,
        }
    }

    /// What the mini-program sends when its user presses the button, and has given themselves this name. What it signs may
    /// be another's.
    fn log_in(&self, user: &str, nick: &str, signer: &str) -> Answer {
        let wechat = &self.phone.world.wechat;
        let avatar = "https://thirdwx.qlogo.cn/mmopen/vi_32/a+b/132";
        let rawdata = format!(
            r#"{{"nickName":"{nick}","gender":0,"language":"zh_CN","city":"","province":"","country":"","avatarUrl":"{avatar}"}}"#
        );
        let sealed = json!({"nickName": nick, "gender": 0, "avatarUrl": avatar});
        let sealed = wechat.encrypted(APPID, user, sealed);
        let fields = [
            ("code", wechat.issue_code(user)),
            ("rawdata", rawdata.clone()),
            ("encryptedData", sealed.encrypted_data),
            ("signature", wechat.signed(APPID, signer, &rawdata)),
            ("iv", sealed.iv),
        ];
        let field = |(name, value): (&str, String)| {
            format!("{name}={}", utf8_percent_encode(&value, COMPONENT))
        };
        let body = fields.map(field).join("&");
        let form = "application/x-www-form-urlencoded";
        self.phone.request_as(form, "POST /wxLogin", &[], &body)
    }

    /// The skey of a login that went well.
    #[track_caller]
    fn skey(&self, user: &str, nick: &str) -> String {
        let answer = self.log_in(user, nick, user);
        let before = r#"{"status":200,"msg":"登录成功","data":""#;
        token(&answer, before, r#""}"#)
    }

    /// A page that the mini-program asks for with its skey and these headers.
    fn page(&self, skey: &str, own: &[&str]) -> Answer {
        let skey = format!("skey: {skey}");
        let own = [&[skey.as_str()], own].concat();
        self.phone.request("GET /orders?page=1", &own, "")
    }

    /// All users in the shop's own table: id, openid, nick and how often they logged in.
    #[track_caller]
    fn users(&self) -> Value {
        let mut php = Command::new("php");
        php.args(["-r", DUMP]).env("USERS_DSN", &self.dsn);
        let ended = Process::run(php);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
        serde_json::from_str(&ended.out).unwrap()
    }

    fn openid_of(&self, user: &str) -> String {
        self.phone.world.openid_of(user)
    }
}

const DUMP: &str = "$rows = (new PDO(getenv('USERS_DSN')))->query(
    'SELECT id, openid, nick, logins FROM users ORDER BY id'
)->fetchAll(PDO::FETCH_NUM); echo json_encode($rows);";

#[test]
fn it_logs_in_calls_is_refused_in_time_and_logs_in_again() {
    let shop = Shop::open();
    let alice = shop.openid_of("alice");
    let first = shop.skey("alice", "小明 & +");
    assert_eq!(shop.users(), json!([[1, alice, "小明 & +", 1]]));
    let seen = shop.page(&first, &[]).json();
    let headers = &seen["headers"];
    assert_eq!(headers["HTTP_X_USER_ID"], "1", "{seen}");
    assert_eq!(headers["HTTP_X_OPENID"], alice.as_str(), "{seen}");
    assert_eq!(headers.get("HTTP_SKEY"), None, "{seen}");
    assert_eq!(seen["uri"], "/orders?page=1");

    shop.phone.world.clock.turn(LONG);
    says(&shop.page(&first, &[]), 200, EXPIRED);
    let second = shop.skey("alice", "小红");
    assert_ne!(first, second);
    assert_eq!(shop.users(), json!([[1, alice, "小红", 2]]));
    let seen = shop.page(&second, &[]).json();
    assert_eq!(seen["headers"]["HTTP_X_USER_ID"], "1", "{seen}");
}

#[test]
fn every_user_is_one_of_the_shops_own_whatever_the_client_pretends() {
    let shop = Shop::open();
    let (alice, bob) = (shop.skey("alice", "a"), shop.skey("bob", "b"));
    let forged = ["X-User-Id: 1", "X_User_Id: 1", "x.user.id: 1"];
    for (skey, id) in [(alice, "1"), (bob, "2")] {
        let seen = shop.page(&skey, &forged).json();
        assert_eq!(seen["headers"]["HTTP_X_USER_ID"], id, "{seen}");
    }
}

#[test]
fn a_signature_of_somebody_else_creates_and_updates_nobody() {
    let shop = Shop::open();
    shop.skey("alice", "a");
    let users = shop.users();
    says(&shop.log_in("alice", "mallory", "bob"), 200, UNSIGNED);
    says(&shop.log_in("bob", "mallory", "alice"), 200, UNSIGNED);
    assert_eq!(shop.users(), users);
}

#[test]
fn a_client_that_calls_the_script_itself_gets_nowhere() {
    let shop = Shop::open();
    let skey = shop.skey("alice", "a");
    let users = shop.users();
    let body = r#"{"app":"shop","openid":"oMallory","unionid":null,"userInfo":null}"#;
    let skey = format!("skey: {skey}");
    let own = [
        skey.as_str(),
        "X-Wxgate-Event: login",
        "X_Wxgate_Event: login",
    ];
    let below = format!("{SCRIPT}/more");
    for path in [
        SCRIPT,
        &below,
        "/internal/wx-login%2Ephp",
        "/INTERNAL/wx-login.php",
    ] {
        let line = format!("POST {path}");
        says(&shop.phone.request(&line, &own, body), 200, NOTHING);
    }
    // The script itself believes nobody who does not say what only wxgate can.
    for event in [&[][..], &["X-Wxgate-Event: logout"], &["X-Wxgate: login"]] {
        let ask = event
            .iter()
            .fold(Ask::post(SCRIPT).body(body), |ask, header| {
                let (name, value) = header.split_once(": ").unwrap();
                ask.header(name, value)
            });
        assert_eq!(Line::to(shop.address).ask(&ask).status, 404);
    }
    assert_eq!(shop.users(), users);
}

#[test]
fn every_refusal_is_a_status_a_msg_and_no_data_under_http_200() {
    let text = std::fs::read_to_string(recipes().join("wxlogin-form.toml")).unwrap();
    let mut surroundings = Surroundings::of_process();
    surroundings
        .variables
        .insert("SHOP_SECRET".to_owned(), SECRET.to_owned());
    let plan = config::read("wxlogin-form.toml", &text, &surroundings).unwrap();
    for code in RefusalCode::ALL {
        let shape = plan
            .refusals
            .get(code)
            .unwrap_or_else(|| panic!("{code:?}"));
        assert_eq!(shape.status.unwrap(), 200, "{code:?}");
        let body = shape.body.as_ref().unwrap().fill(|place| match place {
            Placeholder::Message => "a message".into(),
            Placeholder::Null => Value::Null,
            other => panic!("{code:?} tells {other:?}"),
        });
        let members: Vec<_> = body.as_object().unwrap().keys().collect();
        assert_eq!(members, ["status", "msg", "data"], "{code:?}");
        assert!(
            body["msg"].is_string() && body["data"].is_null(),
            "{code:?}"
        );
        let is_of_session = matches!(
            code,
            RefusalCode::SessionMissing
                | RefusalCode::SessionInvalid
                | RefusalCode::SessionReplaced
        );
        let status = body["status"].as_u64().unwrap();
        assert_eq!(status == 401, is_of_session, "{code:?}");
        assert!((400..600).contains(&status), "{code:?}");
    }
}
