//! Files on the disk: put in place whole, put aside, kept by one at a time.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::*;

/// A directory that goes with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Self {
        let name = format!("wxgate-state-{test}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("sessions")
    }

    /// The names in it.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> = entries
            .map(name)
            .map(|name| name.into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl House {
    fn state(&self, directory: &Directory) -> Result<State, String> {
        let plan = StatePlan {
            file: directory.file(),
            interval: Duration::from_mins(1),
        };
        let parts = (self.clock.clone(), Arc::clone(&self.metrics));
        let state = State::take(&plan, &[], self.cast.clone(), self.store.clone(), parts);
        state.map_err(|error| error.to_string())
    }

    fn has_saved(&self, saved: u64, failed: u64) -> bool {
        let page = self.metrics.encode();
        let line = |outcome: &str, count: u64| {
            format!("wxgate_state_saves_total{{outcome=\"{outcome}\"}} {count}\n")
        };
        page.contains(&line("saved", saved)) && page.contains(&line("failed", failed))
    }
}

#[test]
fn a_file_is_for_its_owner_alone_and_is_read_back() {
    let directory = Directory::new("owner");
    let before = House::new();
    let alice = before.open(0, "alice", "k");
    let state = before.state(&directory).unwrap();
    state.read_back();
    assert!(state.save() && state.save());
    assert!(before.has_saved(2, 0));
    drop(state);
    assert_eq!(directory.names(), ["sessions", "sessions.lock"]);
    for name in directory.names() {
        let mode = fs::metadata(directory.0.join(&name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let after = House::new();
    after.state(&directory).unwrap().read_back();
    assert!(after.find(&alice.skey).is_some());
    assert!(after.counts("shop", 1));
}

#[test]
fn a_file_has_one_owner_at_a_time() {
    let directory = Directory::new("lock");
    let house = House::new();
    let first = house.state(&directory).unwrap();
    let error = house.state(&directory).unwrap_err();
    let expected = format!(
        "the state file {} belongs to process {}, which runs; give each wxgate a `state` of its own in [sessions], or stop \
         the other one",
        directory.file().display(),
        std::process::id()
    );
    assert_eq!(error, expected);
    drop(first);
    house.state(&directory).unwrap();
    // Whatever stands there is no more than a name.
    fs::write(directory.0.join("sessions.lock"), [0xff; 1000]).unwrap();
    let _first = house.state(&directory).unwrap();
    fs::write(directory.0.join("sessions.lock"), [0xff; 1000]).unwrap();
    let error = house.state(&directory).unwrap_err();
    assert!(
        error.contains("belongs to another process, which runs"),
        "{error}"
    );
}

#[test]
fn a_file_that_is_of_no_use_is_put_aside_as_it_is_and_the_next_one_takes_its_place() {
    let directory = Directory::new("aside");
    let before = House::new();
    before.open(0, "alice", "k");
    assert!(before.state(&directory).unwrap().save());
    let mut bytes = fs::read(directory.file()).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(directory.file(), &bytes).unwrap();
    let after = House::new();
    let state = after.state(&directory).unwrap();
    state.read_back();
    assert!(after.is_empty());
    let names = directory.names();
    let aside = names
        .iter()
        .find(|name| name.starts_with("sessions.damaged-"))
        .unwrap();
    assert_eq!(names.len(), 2, "{names:?}");
    assert_eq!(fs::read(directory.0.join(aside)).unwrap(), bytes);
    assert!(state.save());
    assert_eq!(directory.names().len(), 3);
}

#[test]
fn what_is_in_the_way_is_put_aside_even_if_it_is_no_file() {
    let directory = Directory::new("directory");
    fs::create_dir(directory.file()).unwrap();
    let house = House::new();
    let state = house.state(&directory).unwrap();
    state.read_back();
    assert!(state.save());
    assert!(directory.file().is_file());
}

#[test]
fn what_cannot_be_saved_leaves_the_last_file_whole_and_is_saved_once_it_can_be() {
    let directory = Directory::new("trouble");
    let house = House::new();
    let state = house.state(&directory).unwrap();
    assert!(state.save() && !state.is_in_trouble());
    let last = fs::read(directory.file()).unwrap();
    house.open(0, "alice", "k");
    // Nothing can be written where the new file would be.
    let new = directory.0.join("sessions.new");
    fs::create_dir(&new).unwrap();
    assert!(!state.save() && state.is_in_trouble());
    assert!(!state.save() && state.is_in_trouble());
    assert!(house.has_saved(1, 2));
    assert_eq!(fs::read(directory.file()).unwrap(), last);
    fs::remove_dir(&new).unwrap();
    // One that a process left behind which was killed is no hindrance.
    fs::write(&new, "half").unwrap();
    assert!(state.save() && !state.is_in_trouble());
    assert!(house.has_saved(2, 2));
    assert_eq!(directory.names(), ["sessions", "sessions.lock"]);
    drop(state);
    let after = House::new();
    after.state(&directory).unwrap().read_back();
    assert!(after.counts("shop", 1));
}

#[test]
fn a_directory_that_is_missing_is_waited_for() {
    let directory = Directory::new("missing");
    fs::remove_dir(&directory.0).unwrap();
    let house = House::new();
    let state = house.state(&directory).unwrap();
    assert!(state.is_in_trouble());
    state.read_back();
    assert!(!state.save());
    fs::create_dir(&directory.0).unwrap();
    assert!(state.save() && !state.is_in_trouble());
    assert!(house.state(&directory).is_err(), "it has the lock by now");
}

#[test]
fn what_was_begun_and_not_ended_leaves_nothing_behind() {
    let directory = Directory::new("half");
    let place = Place::new(directory.file());
    fs::write(directory.file(), "whole").unwrap();
    let written = place.replace(|mut file| {
        std::io::Write::write_all(&mut file, b"half")?;
        Err::<File, _>(std::io::Error::other("no more"))
    });
    assert_eq!(written.unwrap_err().to_string(), "no more");
    assert_eq!(directory.names(), ["sessions"]);
    assert_eq!(fs::read(directory.file()).unwrap(), b"whole");
}
