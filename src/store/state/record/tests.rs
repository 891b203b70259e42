//! Whatever is written is read as it was, and nothing else is.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::domain::identity::App;

fn id() -> impl Strategy<Value = WechatId> {
    "[A-Za-z0-9_-]{1,128}".prop_map(|text| WechatId::parse(&text).unwrap())
}

fn header_text() -> impl Strategy<Value = HeaderText> {
    "[!-~]{1,256}".prop_map(|text| HeaderText::parse(&text).unwrap())
}

fn keys() -> impl Strategy<Value = UserKeys> {
    let key = || ".{0,300}".prop_map(|text| SessionKey::new(&text));
    (key(), prop::option::of(key())).prop_map(|(current, previous)| UserKeys { current, previous })
}

fn account() -> impl Strategy<Value = Account> {
    let claims = prop::collection::vec(prop::option::of(header_text()), 0..4);
    (prop::option::of(header_text()), claims).prop_map(|(user_id, claims)| Account {
        user_id,
        claims: claims.into(),
    })
}

fn user() -> impl Strategy<Value = KeptUser> {
    (any::<u16>(), id(), keys()).prop_map(|(app, openid, keys)| KeptUser { app, openid, keys })
}

fn moment() -> impl Strategy<Value = Timestamp> {
    any::<u64>().prop_map(Timestamp::from_millis)
}

fn session() -> impl Strategy<Value = KeptSession> {
    let times = (moment(), moment());
    (times, user(), prop::option::of(id()), account()).prop_map(
        |((expires_at, last_used), user, unionid, account)| KeptSession {
            expires_at,
            last_used,
            user,
            unionid,
            account,
        },
    )
}

fn living_user(kept: &KeptUser) -> User {
    let app = App {
        name: "shop".to_owned(),
        appid: WechatId::parse("wx1").unwrap(),
        index: kept.app.into(),
    };
    User::new(Arc::new(app), kept.openid.clone(), kept.keys.clone())
}

fn living(kept: &KeptSession) -> Session {
    Session::kept(
        Arc::new(living_user(&kept.user)),
        kept.unionid.clone(),
        kept.account.clone(),
        (kept.expires_at, kept.last_used),
        Duration::from_hours(1),
    )
}

fn written(session: &KeptSession) -> Vec<u8> {
    let mut out = vec![Kind::Sessions as u8];
    put_session(&living(session), &mut out);
    out
}

#[test]
fn only_the_kinds_that_there_are_are_read() {
    let sessions = [Kind::Sessions, Kind::Replaced];
    for kind in [&[Kind::Preface, Kind::Users, Kind::End], &sessions[..]].concat() {
        assert_eq!(Kind::of(&[kind as u8]).unwrap().0, kind);
    }
    for bytes in [&[][..], &[0], &[6], &[255]] {
        assert_eq!(Kind::of(bytes).unwrap_err(), Malformed);
    }
}

#[test]
fn a_bit_that_nobody_knows_is_not_passed_over() {
    let mut bytes = vec![0; 8];
    bytes.extend([HAS_ACCOUNT, 0, 0, 1, b'o', 1, b'k']);
    assert_eq!(Reader(&bytes).user(), Err(Malformed));
    bytes[8] = 0;
    assert_eq!(Reader(&bytes).user().unwrap().0.openid.as_str(), "o");
}

proptest! {
    #[test]
    fn any_session_is_read_as_it_was_written(session in session()) {
        let bytes = written(&session);
        let (kind, mut reader) = Kind::of(&bytes).unwrap();
        prop_assert_eq!(kind, Kind::Sessions);
        prop_assert_eq!(reader.session(), Ok(session));
        prop_assert!(reader.is_empty());
    }

    #[test]
    fn any_user_is_read_as_they_were_written(user in user(), until in moment()) {
        let mut bytes = Vec::new();
        put_user(&living_user(&user), until, &mut bytes);
        let mut reader = Reader(&bytes);
        prop_assert_eq!(reader.user(), Ok((user, until)));
        prop_assert!(reader.is_empty());
    }

    #[test]
    fn any_skey_whose_session_made_way_is_read_as_it_was_written(digest: [u8; 16], until in moment()) {
        let digest = SkeyDigest::from_bytes(digest);
        let mut bytes = Vec::new();
        put_replaced(&digest, until, &mut bytes);
        let mut reader = Reader(&bytes);
        prop_assert_eq!(reader.replaced(), Ok((digest, until)));
        prop_assert!(reader.is_empty());
    }

    #[test]
    fn any_preface_and_any_totals_are_read_as_they_were_written(
        appids in prop::collection::vec(".{0,300}", 0..4), claims in prop::collection::vec(".{0,9}", 0..4),
        users: u64, sessions: u64,
    ) {
        let (preface, totals) = (Preface { appids, claims }, Totals { users, sessions });
        let mut bytes = Vec::new();
        put_preface(&preface, &mut bytes);
        put_totals(totals, &mut bytes);
        let mut reader = Reader(&bytes);
        prop_assert_eq!(reader.preface(), Ok(preface));
        prop_assert_eq!(reader.totals(), Ok(totals));
        prop_assert!(reader.is_empty());
    }

    #[test]
    fn a_session_that_is_cut_off_is_none(session in session(), cut: prop::sample::Index) {
        let bytes = written(&session);
        let cut = &bytes[1..=cut.index(bytes.len() - 1)];
        prop_assert_eq!(Reader(cut).session(), Err(Malformed));
    }

    #[test]
    fn any_bytes_at_all_are_read_without_harm(bytes: Vec<u8>) {
        let _ = Reader(&bytes).session();
        let _ = Reader(&bytes).user();
        let _ = Reader(&bytes).preface();
        let _ = Reader(&bytes).totals();
        let _ = Reader(&bytes).replaced();
    }
}
