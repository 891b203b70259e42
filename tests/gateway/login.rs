//! Logging in: a code becomes a session.

use crate::harness::World;

#[test]
fn a_code_becomes_a_skey_that_the_backend_sees_as_an_openid() {
    let world = World::new();
    let skey = world.skey_of("alice");
    let answer = world.get_as(&skey, "/orders?page=2");
    assert_eq!((answer.status, answer.text().as_str()), (200, "seen"));
    let seen = world.backend.only_seen();
    assert_eq!(seen.target, "/orders?page=2");
    assert_eq!(seen.values("X-OpenId"), [world.openid_of("alice")]);
    let line = world.access_line(&answer);
    assert_eq!(
        (&line["status"], &line["app"]),
        (&200.into(), &"shop".into())
    );
}
