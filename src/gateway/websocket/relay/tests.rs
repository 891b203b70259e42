//! Relays between two ends that are in hand, under a clock that is turned.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::advance;

use super::super::watch::Lapse;
use super::*;
use crate::store::Gone;

const IDLE: Duration = Duration::from_mins(5);
const FRAME: &[u8] = b"\x81\x02hi";

/// A relay that runs, and the two ends that it is between.
struct Between {
    client: DuplexStream,
    backend: DuplexStream,
    heard: Rc<Cell<bool>>,
    leave: tokio::sync::oneshot::Sender<Leave>,
    running: tokio::task::JoinHandle<(Option<Ended>, bool)>,
}

/// Between ends that hold so many bytes.
fn between(room: usize) -> Between {
    let (client, ours) = duplex(room);
    let (backend, theirs) = duplex(room);
    let (leave, left) = tokio::sync::oneshot::channel();
    let mut relay = Relay::new(ours, theirs, IDLE);
    let heard = Rc::clone(&relay.heard);
    let running = tokio::task::spawn_local(async move {
        let why = async { left.await.unwrap() };
        relay.run(why).await;
        (relay.ended(), relay.is_whole())
    });
    Between {
        client,
        backend,
        heard,
        leave,
        running,
    }
}

/// Runs a test where tasks of one thread can.
fn here(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build();
    tokio::task::LocalSet::new().block_on(&runtime.unwrap(), test);
}

async fn read(end: &mut DuplexStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    end.read_exact(&mut bytes).await.unwrap();
    bytes
}

async fn rest(mut end: DuplexStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    end.read_to_end(&mut bytes).await.unwrap();
    bytes
}

#[test]
fn a_beat_of_either_side_counts_as_life() {
    here(async {
        let mut all = between(1000);
        let ping = b"\x89\x00";
        for _ in 0..3 {
            advance(IDLE / 2).await;
            all.client.write_all(ping).await.unwrap();
            assert_eq!(read(&mut all.backend, 2).await, ping);
            assert!(all.heard.replace(false));
            advance(IDLE / 2).await;
            all.backend.write_all(ping).await.unwrap();
            assert_eq!(read(&mut all.client, 2).await, ping);
            assert!(!all.heard.get());
        }
        let since = Instant::now();
        assert_eq!(rest(all.client).await, b"\x88\x06\x03\xe9idle");
        assert!(since.elapsed() >= IDLE, "{:?}", since.elapsed());
        drop(all.backend);
        let ended = all.running.await.unwrap();
        assert_eq!(ended, (Some(Ended::Left(Leave::Idle)), true));
    });
}

#[test]
fn who_says_its_last_leaves_the_other_side_a_moment() {
    here(async {
        let all = between(1000);
        let (mut client, backend) = (all.client, all.backend);
        client.shutdown().await.unwrap();
        let since = Instant::now();
        let ended = all.running.await.unwrap();
        assert_eq!(ended, (Some(Ended::Client), true));
        assert_eq!(since.elapsed().as_secs(), HALF_OPEN.as_secs());
        assert_eq!(rest(backend).await, b"");
    });
}

#[test]
fn a_farewell_waits_for_the_end_of_a_frame_but_not_for_long() {
    here(async {
        let mut all = between(1000);
        all.backend.write_all(b"\x82\x05a").await.unwrap();
        assert_eq!(read(&mut all.client, 3).await, b"\x82\x05a");
        all.leave
            .send(Leave::Session(Lapse::Gone(Gone::Unknown)))
            .unwrap();
        // The client's direction is between two frames.
        let head = read(&mut all.backend, 2).await;
        assert_eq!(head, [0x88, 0x91]);
        all.backend.write_all(b"bcdeXYZ").await.unwrap();
        let said = rest(all.client).await;
        assert_eq!(said, b"bcde\x88\x11\x03\xf0session_invalid");
        drop(all.backend);
        all.running.await.unwrap();

        let mut all = between(1000);
        all.backend.write_all(b"\x82\x05a").await.unwrap();
        assert_eq!(read(&mut all.client, 3).await, b"\x82\x05a");
        all.leave
            .send(Leave::Session(Lapse::Gone(Gone::Unknown)))
            .unwrap();
        let since = Instant::now();
        let ended = all.running.await.unwrap();
        assert_eq!(
            ended,
            (
                Some(Ended::Left(Leave::Session(Lapse::Gone(Gone::Unknown)))),
                false
            )
        );
        assert!(since.elapsed() <= 2 * PARTING, "{:?}", since.elapsed());
        assert_eq!(rest(all.client).await, b"");
    });
}

#[test]
fn nothing_is_said_behind_a_farewell_of_others() {
    here(async {
        let mut all = between(1000);
        let theirs = b"\x88\x02\x03\xe8";
        all.backend.write_all(theirs).await.unwrap();
        assert_eq!(read(&mut all.client, 4).await, theirs);
        all.leave.send(Leave::Stop).unwrap();
        assert_eq!(rest(all.client).await, b"");
        drop(all.backend);
        let ended = all.running.await.unwrap();
        assert_eq!(ended.0, Some(Ended::Left(Leave::Stop)));
    });
}

#[test]
fn a_direction_that_is_stuck_neither_stops_the_other_nor_is_held_for_more_than_a_sip() {
    here(async {
        let mut all = between(64);
        let flood = FRAME.repeat(100_000);
        let (mut backend, mut writer) = tokio::io::split(all.backend);
        let sent = Rc::new(Cell::new(0));
        let counted = Rc::clone(&sent);
        tokio::task::spawn_local(async move {
            while let Ok(count @ 1..) = writer.write(flood.get(counted.get()..).unwrap()).await {
                counted.set(counted.get() + count);
            }
        });
        for _ in 0..100 {
            all.client.write_all(FRAME).await.unwrap();
            let mut heard = vec![0; FRAME.len()];
            backend.read_exact(&mut heard).await.unwrap();
            assert_eq!(heard, FRAME);
        }
        assert!((64..=64 + SIP + 64).contains(&sent.get()), "{}", sent.get());
        let said = all.running.await.unwrap();
        assert_eq!(said, (Some(Ended::Left(Leave::Idle)), false));
    });
}

#[test]
fn a_connection_that_breaks_ends_both() {
    here(async {
        let mut all = between(8);
        // More than goes out.
        all.client.write_all(FRAME).await.unwrap();
        drop(all.backend);
        all.client.write_all(FRAME).await.ok();
        let (ended, _) = all.running.await.unwrap();
        assert!(
            matches!(ended, Some(Ended::Lost | Ended::Backend)),
            "{ended:?}"
        );
    });
}
