//! Signatures and encrypted data: WeChat's own examples, and what must not open.

use std::net::TcpListener;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::simulator::{Sealed, Simulator, seal_blocks, seal_bytes};

const APPID: &str = "wx4f4bc4dec97d474b";
const KEY: &str = "tiihtNczf5v6AKRyjwEUhQ==";
const IV: &str = "r7BXXKkLb8qrSNn05n0qiA==";
const ENCRYPTED_DATA: &str = concat!(
    "CiyLU1Aw2KjvrjMdj8YKliAjtP4gsMZMQmRzooG2xrDcvSnxIMXFufNstNGTyaGS9uT5geRa0W4oTOb1WT7fJlAC+oNPdbB+",
    "3hVbJSRgv+4lGOETKUQz6OYStslQ142dNCuabNPGBzlooOmB231qMM85d2/fV6ChevvXvQP8Hkue1poOFtnEtpyxVLW1zAo6",
    "/1Xx1COxFvrc2d7UL/lmHInNlxuacJXwu0fjpXfz/YqYzBIBzD6WUfTIF9GRHpOn/Hz7saL8xz+W//FRAUid1OksQaQx4CMs",
    "8LOddcQhULW4ucetDf96JcR3g0gfRK4PC7E/r7Z6xNrXd2UIeorGj5Ef7b1pJAYB6Y5anaHqZ9J6nKEBvB4DnNLIVWSgARns",
    "/8wR2SiRS7MNACwTyrGvt9ts8p12PKFdlqYTopNHR1Vf7XjfhQlVsAJdNiKdYmYVoKlaRv85IfVunYzO0IKXsyl7JCUjCpoG",
    "20f0a04COwfneQAGGwd5oa+T8yO5hzuyDb/XcxxmK01EpqOyuxINew==",
);
const RAW_DATA: &str = concat!(
    r#"{"nickName":"Band","gender":1,"language":"zh_CN","city":"Guangzhou","province":"Guangdong","#,
    r#""country":"CN","avatarUrl":"http://wx.qlogo.cn/mmopen/vi_32/1vZvI39NWFQ9XM4LtQpFrQJ1xlgZxx3w7b"#,
    r#"QxKARol6503Iuswjjn6nIGBiaycAjAtpujxyzYsrztuuICqIM5ibXQ/0"}"#
);
const SIGNATURE: &str = "75e81ceda165f4ffa64f4068af58c64b8f54b88c";

static SIMULATOR: LazyLock<Simulator> =
    LazyLock::new(|| Simulator::start(TcpListener::bind("127.0.0.1:0").unwrap()).unwrap());

fn official_key() -> SessionKey {
    SessionKey::new("HyVFkGl5F5OQWJZZaNzBBg==")
}

fn alices_key() -> SessionKey {
    SessionKey::new(&SIMULATOR.session_key_of(APPID, "alice"))
}

fn open(sealed: &Sealed) -> Result<OpenData, Undecryptable> {
    decrypt(&sealed.encrypted_data, &sealed.iv, &alices_key(), APPID)
}

fn sealed_for_alice(plain: &[u8]) -> Sealed {
    seal_bytes(&SIMULATOR.session_key_bytes(APPID, "alice"), plain)
}

#[test]
fn the_official_signature_fits_in_either_case_of_its_digits() {
    assert!(verify_signature(RAW_DATA, &official_key(), SIGNATURE));
    let upper = SIGNATURE.to_uppercase();
    assert!(verify_signature(RAW_DATA, &official_key(), &upper));
}

#[test]
fn no_other_signature_key_or_data_fits() {
    let key = official_key();
    for signature in [
        "",
        &SIGNATURE[1..],
        &format!("{SIGNATURE}0"),
        &SIGNATURE.replace('7', "8"),
        &format!(" {SIGNATURE}"),
        "用户",
    ] {
        assert!(!verify_signature(RAW_DATA, &key, signature), "{signature}");
    }
    assert!(!verify_signature("{}", &key, SIGNATURE));
    let other = SessionKey::new(KEY);
    assert!(!verify_signature(RAW_DATA, &other, SIGNATURE));
}

#[test]
fn nothing_is_signed_with_the_text_of_the_key_as_openssl_signs_it() {
    let key = SessionKey::new("HyVFkGl5F5OQWJZZaNzBBg==");
    assert_eq!(
        sign_nothing(&key),
        "252b75c92698025afe925b29cca5517fdf9ee67aae072cf3225ebf3a53783058"
    );
    for text in ["", "k", &"k".repeat(200)] {
        assert_eq!(sign_nothing(&SessionKey::new(text)).len(), 64);
    }
}

#[test]
fn the_official_data_opens() {
    let data = decrypt(ENCRYPTED_DATA, IV, &SessionKey::new(KEY), APPID).unwrap();
    assert_eq!(data.members()["nickName"], "Band");
    assert_eq!(data.openid(), Some("oGZUI0egBJY1zhBYw2KhdUfwVJJE"));
    assert_eq!(data.unionid(), Some("ocMvos6NjeKLIBqg5Mr9QjxrP1FA"));
    assert_eq!(format!("{data:?}"), "OpenData(***)");
}

#[test]
fn spaces_that_were_plus_signs_are_mended() {
    let spoiled = format!("\r\n {} \t", ENCRYPTED_DATA.replace('+', " "));
    assert!(decrypt(&spoiled, &format!(" {IV}\n"), &SessionKey::new(KEY), APPID).is_ok());
    // Base64 whose first character is a plus sign.
    let iv = STANDARD.encode([0xFB; 16]);
    assert!(iv.starts_with('+'));
    assert_eq!(read_block(&iv.replace('+', " ")), Some([0xFB; 16]));
}

#[test]
fn what_is_no_strict_base64_does_not_open() {
    let key = SessionKey::new(KEY);
    for data in [
        "",
        "====",
        "用户",
        &ENCRYPTED_DATA.replace('=', ""),
        &ENCRYPTED_DATA.replace('+', "-"),
        &ENCRYPTED_DATA.replace('C', "\n"),
        &ENCRYPTED_DATA[..ENCRYPTED_DATA.len() - 4],
    ] {
        assert_eq!(decrypt(data, IV, &key, APPID), Err(Undecryptable), "{data}");
    }
}

#[test]
fn keys_and_ivs_of_another_length_open_nothing() {
    for bytes in [0, 15, 17, 24, 32] {
        let text = STANDARD.encode(vec![1; bytes]);
        let key = SessionKey::new(&text);
        let opened = decrypt(ENCRYPTED_DATA, IV, &key, APPID);
        assert_eq!(opened, Err(Undecryptable), "a key of {bytes} bytes");
        let opened = decrypt(ENCRYPTED_DATA, &text, &SessionKey::new(KEY), APPID);
        assert_eq!(opened, Err(Undecryptable), "an iv of {bytes} bytes");
    }
}

#[test]
fn data_of_another_app_user_or_login_does_not_open() {
    let key = SessionKey::new(KEY);
    let opened = decrypt(ENCRYPTED_DATA, IV, &key, "wx0123456789abcdef");
    assert_eq!(opened, Err(Undecryptable));
    let sealed = SIMULATOR.encrypted(APPID, "bob", json!({}));
    assert_eq!(open(&sealed), Err(Undecryptable));
}

#[test]
fn data_without_the_watermark_of_the_app_does_not_open() {
    for watermark in [
        json!({"appid": "wx0123456789abcdef"}),
        json!({"appid": [APPID]}),
        json!({}),
        json!(APPID),
        json!(null),
    ] {
        let sealed = SIMULATOR.encrypted(APPID, "alice", json!({"watermark": watermark}));
        assert_eq!(open(&sealed), Err(Undecryptable), "{watermark}");
    }
    assert_eq!(open(&sealed_for_alice(b"{}")), Err(Undecryptable));
}

#[test]
fn what_is_no_json_object_does_not_open() {
    for plain in [&b"[]"[..], b"\"x\"", b"", b"{\"a\":\"\xFF\"}", b"{} {}"] {
        assert_eq!(open(&sealed_for_alice(plain)), Err(Undecryptable));
    }
}

#[test]
fn only_a_padding_of_1_to_16_equal_bytes_opens() {
    let key = SIMULATOR.session_key_bytes(APPID, "alice");
    let plain = json!({"watermark": {"appid": APPID}}).to_string();
    let padded = |pad: &[u8]| {
        let spaces = 64 - plain.len() - pad.len();
        let text = [plain.as_bytes(), &vec![b' '; spaces], pad].concat();
        seal_blocks(&key, text.as_chunks().0)
    };
    for length in 1..=16 {
        let pad = vec![length; usize::from(length)];
        assert!(open(&padded(&pad)).is_ok(), "{pad:?}");
    }
    for pad in [
        &[0][..],
        &[0; 16],
        &[17; 17],
        &[2],
        &[1, 3, 3],
        &[255; 16],
        b"",
    ] {
        assert_eq!(open(&padded(pad)), Err(Undecryptable), "{pad:?}");
    }
}

proptest! {
    #[test]
    fn whatever_comes_in_nothing_panics_and_nothing_opens(
        data in ".*", iv in ".*", key in ".*", signature in ".*",
    ) {
        let key = SessionKey::new(&key);
        prop_assert_eq!(decrypt(&data, &iv, &key, APPID), Err(Undecryptable));
        prop_assert!(!verify_signature(&data, &key, &signature));
    }

    #[test]
    fn random_blocks_never_open(blocks: Vec<[u8; 16]>, iv: [u8; 16], key: [u8; 16]) {
        let [iv, key] = [iv, key].map(|bytes| STANDARD.encode(bytes));
        let data = STANDARD.encode(blocks.concat());
        let opened = decrypt(&data, &iv, &SessionKey::new(&key), APPID);
        prop_assert_eq!(opened, Err(Undecryptable));
    }

    #[test]
    fn one_changed_byte_changes_or_spoils_the_data(at in 0_usize..400, by in 1_u8..) {
        let mut bytes = STANDARD.decode(ENCRYPTED_DATA).unwrap();
        prop_assert_eq!(bytes.len(), 400);
        bytes[at] ^= by;
        let key = SessionKey::new(KEY);
        let honest = decrypt(ENCRYPTED_DATA, IV, &key, APPID);
        prop_assert_ne!(decrypt(&STANDARD.encode(bytes), IV, &key, APPID), honest);
    }

    #[test]
    fn what_the_simulator_seals_opens_and_what_it_signs_fits(nickname in ".*", raw_data in ".*") {
        let sealed = SIMULATOR.encrypted(APPID, "alice", json!({"nickName": nickname}));
        let data = open(&sealed).unwrap();
        prop_assert_eq!(data.members()["nickName"].as_str(), Some(nickname.as_str()));
        let openid = SIMULATOR.openid_of(APPID, "alice");
        prop_assert_eq!(data.openid(), Some(openid.as_str()));
        prop_assert_eq!(data.unionid(), None);
        let signature = SIMULATOR.signed(APPID, "alice", &raw_data);
        prop_assert!(verify_signature(&raw_data, &alices_key(), &signature));
    }

    #[test]
    fn a_padding_is_right_exactly_where_its_last_byte_counts_bytes_like_itself(
        before in prop::collection::vec(any::<u8>(), 16..36),
        repeated in 0_u8..19, times in 0_usize..20, last in prop::option::of(0_u8..19),
    ) {
        let plain = [before, vec![repeated; times], last.into_iter().collect()].concat();
        let length = usize::from(plain.last().copied().unwrap());
        let is_like = |b: &u8| usize::from(*b) == length;
        let is_right = (1..=16).contains(&length) && plain.iter().rev().take(length).all(is_like);
        let (text, is_padded) = unpad(&plain);
        prop_assert_eq!(bool::from(is_padded), is_right);
        if is_right {
            prop_assert_eq!(text, &plain[..plain.len() - length]);
        }
    }

    #[test]
    fn base64_is_read_as_it_was_written_with_its_plus_signs_lost_or_not(
        bytes: Vec<u8>, is_spoiled: bool, around in "[\t\r\n]{0,3}",
    ) {
        let text = STANDARD.encode(&bytes);
        let text = if is_spoiled { text.replace('+', " ") } else { text };
        prop_assert_eq!(read_base64(&format!("{around}{text}{around}")), Some(bytes));
    }

    #[test]
    fn no_signature_but_the_one_fits(at in 0_usize..40, digit in "[0-9a-fA-F]|.", raw_data in ".*") {
        let key = official_key();
        let mut digits: Vec<_> = SIGNATURE.chars().map(String::from).collect();
        let is_same = digits[at].eq_ignore_ascii_case(&digit);
        digits[at] = digit;
        prop_assert_eq!(verify_signature(RAW_DATA, &key, &digits.concat()), is_same);
        prop_assert_eq!(verify_signature(&raw_data, &key, SIGNATURE), raw_data == RAW_DATA);
    }
}
