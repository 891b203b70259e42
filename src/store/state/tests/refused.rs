//! Files that are not whole, not of today, or not written by who may write them.

use proptest::prelude::*;

use super::*;

#[test]
fn keys_may_be_rotated_and_no_other_file_is_believed() {
    let before = House::new();
    before.open(0, "alice", "secret-key");
    let (clear, old) = (before.save(&[]), before.save(&[key(1)]));
    let has =
        |file: &[u8], text: &str| file.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(has(&clear, "alice") && has(&clear, "secret-key"));
    assert!(!has(&old, "alice") && !has(&old, "secret-key") && !has(&old, "wx-shop"));
    let load = |keys: &[EncryptionKey], file: &[u8]| {
        let house = House::new();
        let loaded = house.load(keys, file);
        assert!(loaded.is_ok() || house.is_empty());
        loaded.map(|loaded| loaded.sessions)
    };
    assert_eq!(load(&[key(2), key(1)], &old), Ok(1));
    let refused = |keys: &[EncryptionKey], file: &[u8], reason: &str| {
        let error = load(keys, file).unwrap_err();
        assert!(error.contains(reason), "{error}");
    };
    refused(
        &[key(2)],
        &old,
        "a key that `encryption_keys` of [sessions] does not have",
    );
    refused(
        &[],
        &old,
        "it is encrypted, and [sessions] has no `encryption_keys`",
    );
    refused(
        &[key(1)],
        &clear,
        "it is not encrypted, but [sessions] has `encryption_keys`",
    );
}

#[test]
fn what_is_no_file_of_this_version_is_refused_for_its_reason() {
    let file = House::new().save(&[]);
    let refused = |file: &[u8], reason: &str| {
        let error = House::new().load(&[], file).unwrap_err();
        assert!(error.contains(reason), "{error}");
    };
    refused(b"", "it is no state file of wxgate");
    refused(
        b"<html>nothing of that kind, but long enough</html>",
        "it is no state file",
    );
    let mut newer = file.clone();
    newer[16] = 3;
    refused(
        &newer,
        "it is of version 3, and this wxgate reads versions 1 to 2",
    );
    let mut other = file.clone();
    other[18] = 7;
    refused(&other, "it is no state file");
    refused(&[&file[..], b"x"].concat(), "there is more behind its end");
    refused(&file[..file.len() - 1], "it is cut off after 1 chunks");
    let mut huge = file.clone();
    huge[43..47].fill(255);
    refused(&huge, "it is damaged in chunk 1");
}

#[test]
fn a_file_of_many_chunks_comes_back_whole_and_a_chunk_in_another_place_is_refused() {
    let clock = Clock::start();
    let many = House::of(&["shop"], &[], &clock, &plan(LIMITS, 20_000));
    for count in 0..12_000 {
        many.open(0, &format!("user-{count}"), "k");
    }
    let file = many.save(&[key(1)]);
    assert!(file.len() > 2 * chunk::USUAL, "{}", file.len());
    let after = House::of(&["shop"], &[], &clock, &plan(LIMITS, 20_000));
    let loaded = after.load(&[key(1)], &file).unwrap();
    assert_eq!((loaded.sessions, loaded.users), (12_000, 12_000));
    assert!(after.counts("shop", 12_000));

    // The chunks of sessions in another order.
    let mut chunks = Vec::new();
    let mut rest = &file[43..];
    while let Some((length, _)) = rest.split_first_chunk() {
        let (chunk, after) = rest.split_at(4 + u32::from_le_bytes(*length) as usize);
        chunks.push(chunk);
        rest = after;
    }
    let count = chunks.len();
    assert!(count >= 5, "{count}");
    chunks.swap(count - 3, count - 2);
    let swapped = [&file[..43], &chunks.concat()].concat();
    let after = House::of(&["shop"], &[], &clock, &plan(LIMITS, 20_000));
    let error = after.load(&[key(1)], &swapped).unwrap_err();
    assert_eq!(error, format!("it is damaged in chunk {}", count - 2));
    assert!(after.is_empty());
}

#[test]
fn what_cannot_be_written_ends_the_saving_with_the_reason() {
    /// Takes so many bytes.
    struct Full(usize);
    impl std::io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self
                .0
                .checked_sub(bytes.len())
                .ok_or(std::io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let house = House::new();
    for count in 0..90 {
        house.open(0, &format!("user-{count}"), &"k".repeat(30_000));
    }
    for room in [0, 100, 1_000_000] {
        let saved = save::save(
            &house.store,
            &house.preface(),
            None,
            house.clock.now(),
            Full(room),
        );
        let error = saved.err().unwrap().to_string();
        assert_eq!(
            error,
            std::io::Error::from(std::io::ErrorKind::StorageFull).to_string()
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_file_with_any_byte_changed_or_any_end_cut_off_is_refused_and_leaves_nothing(
        place: prop::sample::Index, flip in 1u8.., cut: prop::sample::Index, is_sealed: bool,
    ) {
        let before = House::new();
        for user in ["alice", "bob"] {
            before.open(0, user, "k");
        }
        let keys = if is_sealed { vec![key(1)] } else { Vec::new() };
        let good = before.save(&keys);
        let mut bad = good.clone();
        bad[place.index(good.len())] ^= flip;
        for file in [&bad[..], &good[..cut.index(good.len())]] {
            let after = House::new();
            prop_assert!(after.load(&keys, file).is_err());
            prop_assert!(after.is_empty());
        }
    }

    #[test]
    fn any_bytes_at_all_are_refused_without_harm(tail: Vec<u8>, has_head: bool) {
        let head = if has_head { House::new().save(&[])[..43].to_vec() } else { Vec::new() };
        prop_assert!(House::new().load(&[], &[head, tail].concat()).is_err());
    }
}

/// A file of version 1 with one session of alice's.
const OF_VERSION_1: &str = "\
    7778676174652d73657373696f6e730a0100002bf77f133a466a34967db2c48658134edfd5e40ea20100003000000001\
    02000777782d73686f700777782d67616d65020004726f6c65056c6576656caf91928b2ec1d2d1d79ca07b445bccb924\
    00000002dfd5e40ea201000000000005616c696365016bf0c2e4eb7941e44205deae54f5b324be4400000003e1686133\
    241f4295e91c92f323aee502df260a11a2010000dfd5e40ea201000002000005616c696365016b07752d616c69636514\
    c6df27a5e0fc74ee6ceeffd95780642100000004010000000000000001000000000000005dd3508cadda51e5557f32c7\
    9fabe086";

#[test]
fn a_file_of_the_version_before_is_read() {
    let (pairs, _) = OF_VERSION_1.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
    let file: Vec<_> = pairs.iter().map(|pair| byte(pair).unwrap()).collect();
    assert_eq!(file[16], 1);
    let loaded = House::new().load(&[], &file).unwrap();
    // It ends when it ends.
    assert_eq!(loaded.sessions + loaded.ended, 1);
}
