//! What a process holds: memory and descriptors.

use tokio::time::Instant;

use crate::harness::LONGEST;

/// Asks until it is so.
#[track_caller]
pub(super) fn until(
    what: &str,
    most: usize,
    ask: impl Fn() -> usize,
    is_so: impl Fn(usize) -> bool,
) {
    let since = Instant::now();
    loop {
        let now = ask();
        if is_so(now) {
            return;
        }
        assert!(since.elapsed() < LONGEST, "{what}: {now}, not {most}");
        std::thread::yield_now();
    }
}

/// The memory of a process, in KiB.
pub(super) fn memory(id: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// How many descriptors it has.
pub(super) fn descriptors(id: u32) -> usize {
    std::fs::read_dir(format!("/proc/{id}/fd")).unwrap().count()
}
