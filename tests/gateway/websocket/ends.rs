//! How a WebSocket ends: with its session, with the worker, with either side, and never by taking too much.

mod sessions;

use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use super::{OPEN, access_line, around, config, echo, opened, world};
use crate::harness::{
    Ask, Backend, CLOSE, Gate, LONGEST, Line, TEXT, World, farewell, frame, masked,
};

const MIB: usize = 1024 * 1024;

/// A frame as a backend hears it: its opcode and payload.
type Heard = (u8, Vec<u8>);

/// A backend that agrees, and tells every frame that it hears and then the end.
fn listening() -> (Backend, Receiver<Option<Heard>>) {
    let (tell, heard) = mpsc::channel();
    let backend = Backend::that(move |conversation| {
        conversation.open_websocket("");
        loop {
            let frame = conversation.read_frame();
            let is_over = frame.is_none();
            let _ = tell.send(frame);
            if is_over {
                return;
            }
        }
    });
    (backend, heard)
}

/// What a backend hears of a farewell.
fn farewell_of(code: u16, reason: &str) -> Heard {
    (CLOSE, farewell(code, reason)[2..].to_vec())
}

/// Holds that both sides are told farewell, and that the line says why.
#[track_caller]
fn both_are_told(
    world: &World,
    line: &mut Line,
    heard: &Receiver<Option<Heard>>,
    (code, reason): (u16, &str),
    ended: &str,
) {
    assert_eq!(line.farewell(), (code, reason.to_owned()));
    assert!(line.is_silent_to_its_end());
    let told = heard.recv_timeout(LONGEST).unwrap();
    assert_eq!(told, Some(farewell_of(code, reason)));
    assert_eq!(heard.recv_timeout(LONGEST).unwrap(), None);
    let told = access_line(world);
    assert_eq!(told["ended"], ended);
    assert_eq!(told.get("cut"), None, "{told}");
}

#[test]
fn an_open_websocket_of_nobody_does_not_end_with_a_session() {
    let world = world();
    let skey = world.skey_of("alice");
    let mut line = world.connect();
    line.open_websocket(&Ask::websocket("/open/ws").skey(&skey));
    assert_eq!(world.ask(&Ask::post("/wx/logout").skey(&skey)).status, 200);
    world.clock.turn(Duration::from_hours(25));
    line.send_all(&masked(TEXT, b"hello"));
    assert_eq!(line.frame(), (TEXT, b"hello".to_vec()));
}

#[test]
fn a_session_that_ends_in_the_middle_of_a_frame_ends_its_websocket_all_the_same() {
    let world = around(Backend::that(|conversation| {
        conversation.open_websocket("");
        conversation.send(&[0x82, 100, b'x']);
        conversation.wait_end();
    }));
    let mut line = opened(&world);
    assert_eq!(line.read(3), [0x82, 100, b'x']);
    line.send_all(&masked(TEXT, b"hello")[..3]);
    world.clock.turn(Duration::from_hours(25));
    assert!(line.is_silent_to_its_end());
    world.backend.wait_closed(1);
    let told = access_line(&world);
    assert_eq!(
        (&told["ended"], &told["cut"]),
        (&"session".into(), &true.into())
    );
}

#[test]
fn a_stop_says_farewell_to_both_sides_and_waits_for_nobody() {
    let (backend, heard) = listening();
    let mut world = around(backend);
    let mut line = opened(&world);
    let gateway = world.take_gateway();
    let stopping = thread::spawn(move || gateway.stop());
    both_are_told(&world, &mut line, &heard, (1001, "stopping"), "stop");
    drop(line);
    stopping.join().unwrap().unwrap();
    assert!(!world.log.text().contains("connections were cut off"));
}

#[test]
fn a_stop_waits_for_the_end_of_a_frame_and_lets_no_other_begin() {
    let (stopped, rest) = (Gate::default(), Gate::default());
    let backend = Backend::that({
        let rest = rest.clone();
        move |conversation| {
            conversation.open_websocket("");
            let whole = frame(TEXT, b"whole");
            conversation.send(&whole[..4]);
            rest.wait();
            conversation.send(&[&whole[4..], &frame(TEXT, b"too late")].concat());
            conversation.wait_end();
        }
    });
    let mut world = around(backend);
    let mut line = opened(&world);
    assert_eq!(line.read(4), frame(TEXT, b"whole")[..4]);
    let mut idle = world.connect();
    assert_eq!(idle.ask(&Ask::get("/wx/check")).status, 401);
    let gateway = world.take_gateway();
    let stopping = thread::spawn({
        let stopped = stopped.clone();
        move || {
            stopped.open();
            gateway.stop()
        }
    });
    stopped.wait();
    // All that were idle have been told.
    assert!(idle.is_ended());
    rest.open();
    assert_eq!(line.read(3), b"ole");
    assert_eq!(line.farewell(), (1001, "stopping".to_owned()));
    assert!(line.is_silent_to_its_end());
    drop(line);
    stopping.join().unwrap().unwrap();
}

#[test]
fn a_frame_that_does_not_end_in_time_is_cut_off_with_the_drain() {
    let short = config("", "").replace("drain_timeout = \"5s\"", "drain_timeout = \"200ms\"");
    let backend = Backend::that(|conversation| {
        conversation.open_websocket("");
        conversation.send(&[0x82, 100, b'x']);
        conversation.wait_end();
    });
    let mut world = World::around(&short, backend);
    let mut line = opened(&world);
    assert_eq!(line.read(3), [0x82, 100, b'x']);
    world.stop();
    assert!(line.is_silent_to_its_end());
    let told = access_line(&world);
    assert_eq!(
        (&told["ended"], &told["cut"]),
        (&"stop".into(), &true.into())
    );
    assert_eq!(told["bytes"], 3);
}

#[test]
fn a_websocket_on_which_nobody_says_anything_ends_after_its_time() {
    let (backend, heard) = listening();
    let world = World::around(&config("websocket_idle = \"200ms\"", ""), backend);
    let mut line = opened(&world);
    both_are_told(&world, &mut line, &heard, (1001, "idle"), "idle");
}

#[test]
fn a_backend_that_says_farewell_is_the_last_that_is_heard() {
    let world = around(Backend::that(|conversation| {
        conversation.open_websocket("");
        conversation.send(&farewell(4001, "enough"));
        assert_eq!(
            conversation.read_frame(),
            Some((CLOSE, b"\x0f\xa1".to_vec()))
        );
    }));
    let mut line = opened(&world);
    assert_eq!(line.farewell(), (4001, "enough".to_owned()));
    line.send_all(&masked(CLOSE, b"\x0f\xa1"));
    assert!(line.is_silent_to_its_end());
    world.backend.wait_closed(1);
    assert_eq!(access_line(&world)["ended"], "backend");
}

#[test]
fn a_backend_that_goes_away_takes_its_websocket_along() {
    let world = around(Backend::that(|conversation| {
        conversation.open_websocket("");
        conversation.send(&frame(TEXT, b"bye"));
    }));
    let mut line = opened(&world);
    assert_eq!(line.frame(), (TEXT, b"bye".to_vec()));
    assert!(line.is_silent_to_its_end());
    assert_eq!(access_line(&world)["ended"], "backend");
}

#[test]
fn a_client_that_goes_away_takes_its_websocket_along() {
    let (backend, heard) = listening();
    let world = around(backend);
    drop(opened(&world));
    assert_eq!(heard.recv_timeout(LONGEST).unwrap(), None);
    assert_eq!(access_line(&world)["ended"], "client");
}

#[test]
fn who_has_said_its_last_still_hears_the_rest() {
    let world = around(Backend::that(|conversation| {
        conversation.open_websocket("");
        assert_eq!(conversation.read_frame(), Some((TEXT, b"last".to_vec())));
        assert_eq!(conversation.read_frame(), None);
        conversation.send(&frame(TEXT, b"the rest"));
        conversation.send(&farewell(1000, ""));
    }));
    let mut line = opened(&world);
    line.send_all(&masked(TEXT, b"last"));
    line.finish_sending();
    assert_eq!(line.frame(), (TEXT, b"the rest".to_vec()));
    assert_eq!(line.farewell().0, 1000);
    assert!(line.is_silent_to_its_end());
}

#[test]
fn a_backend_that_does_not_hear_that_its_client_has_gone_is_left() {
    let left = Gate::default();
    let world = around(Backend::that({
        let left = left.clone();
        move |conversation| {
            conversation.open_websocket("");
            conversation.wait_end();
            // Its own end stays open.
            left.wait();
        }
    }));
    let line = opened(&world);
    line.finish_sending();
    world.await_count(OPEN, 0);
    let told = access_line(&world);
    assert_eq!(told["ended"], "client");
    left.open();
}

/// Bytes of one huge frame, among which every shift shows.
fn pattern() -> Vec<u8> {
    let length = 64 * MIB;
    let byte = |place: usize| u8::try_from(place % 251).unwrap();
    let mut bytes = vec![0x82, 127];
    bytes.extend((length as u64).to_be_bytes());
    bytes.extend((0..length).map(byte));
    bytes
}

#[test]
fn a_client_that_takes_nothing_stops_its_backend_and_loses_nothing() {
    let stopped = Gate::default();
    let backend = Backend::that({
        let stopped = stopped.clone();
        move |conversation| {
            conversation.open_websocket("");
            let whole = pattern();
            let taken = conversation.send_while_taken(&whole);
            assert!(taken < whole.len() / 2, "{taken} bytes were taken");
            stopped.open();
            conversation.send(&whole[taken..]);
            conversation.wait_end();
        }
    });
    let world = around(backend);
    let mut line = opened(&world);
    stopped.wait();
    // The other direction goes on meanwhile, and what is left of this one comes whole.
    line.send_all(&masked(TEXT, b"hello"));
    let whole = pattern();
    assert!(line.read(whole.len()) == whole, "the bytes came changed");
}

#[test]
fn a_backend_that_takes_nothing_stops_its_client_and_loses_nothing() {
    let (stopped, done) = (Gate::default(), Gate::default());
    let backend = Backend::that({
        let (stopped, done) = (stopped.clone(), done.clone());
        move |conversation| {
            conversation.open_websocket("");
            // It says something all the same.
            conversation.send(&frame(TEXT, b"hello"));
            stopped.wait();
            let whole = pattern();
            assert!(
                conversation.read(whole.len()).unwrap() == whole,
                "the bytes came changed"
            );
            done.open();
        }
    });
    let world = around(backend);
    let mut line = opened(&world);
    assert_eq!(line.frame(), (TEXT, b"hello".to_vec()));
    let whole = pattern();
    let taken = line.send_while_taken(&whole);
    assert!(taken < whole.len() / 2, "{taken} bytes were taken");
    stopped.open();
    line.send_all(&whole[taken..]);
    done.wait();
}

#[test]
fn a_client_that_takes_nothing_for_too_long_is_left() {
    let whole = pattern();
    let backend = Backend::that(move |conversation| {
        conversation.open_websocket("");
        conversation.send(&whole);
    });
    let world = World::around(&config("websocket_idle = \"300ms\"", ""), backend);
    let mut line = opened(&world);
    world.await_count(OPEN, 0);
    let told = access_line(&world);
    assert_eq!(
        (&told["ended"], &told["cut"]),
        (&"idle".into(), &true.into())
    );
    assert!(told["bytes"].as_u64().unwrap() < 32 * MIB as u64);
    assert!(line.is_ended());
}

#[test]
fn many_websockets_of_one_session_end_together() {
    let world = World::around(&config("", ""), echo());
    let skey = world.skey_of("alice");
    let ask = Ask::websocket("/ws/room").skey(&skey);
    let mut lines: Vec<_> = (0..20).map(|_| world.connect()).collect();
    for line in &mut lines {
        line.open_websocket(&ask);
    }
    assert_eq!(world.count(OPEN), 20);
    assert_eq!(world.ask(&Ask::post("/wx/logout").skey(&skey)).status, 200);
    for line in &mut lines {
        assert_eq!(line.farewell(), (1008, "session_invalid".to_owned()));
    }
    world.await_count(OPEN, 0);
}
