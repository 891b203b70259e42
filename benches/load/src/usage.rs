//! What processes use, from /proc: CPU time in nanoseconds, memory in KiB. Knows nothing of what they do.

use std::fs;
use std::io;

/// The process `pid` and all that it started, and these again.
#[must_use]
pub fn family(pid: u32) -> Vec<u32> {
    let mut family = vec![pid];
    let mut next = 0;
    while let Some(&pid) = family.get(next) {
        next += 1;
        for task in tasks(pid) {
            let children = fs::read_to_string(format!("/proc/{pid}/task/{task}/children"));
            let children = children.unwrap_or_default();
            family.extend(
                children
                    .split_whitespace()
                    .filter_map(|pid| pid.parse::<u32>().ok()),
            );
        }
    }
    family
}

/// The CPU time that all threads of `pids` have used so far, in nanoseconds.
#[must_use]
pub fn cpu_time(pids: &[u32]) -> u64 {
    let threads = pids
        .iter()
        .flat_map(|&pid| tasks(pid).into_iter().map(move |task| (pid, task)));
    threads
        .filter_map(|(pid, task)| thread_time(pid, task))
        .sum()
}

/// The CPU time that this process has used so far, in nanoseconds.
#[must_use]
pub fn own_cpu_time() -> u64 {
    cpu_time(&[std::process::id()])
}

/// What `pids` hold of memory, in KiB; pages that they share count once in all.
///
/// # Errors
///
/// One of them has ended.
pub fn memory(pids: &[u32]) -> io::Result<u64> {
    let mut sum = 0;
    for pid in pids {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        sum += kib.unwrap_or_default();
    }
    Ok(sum)
}

/// What the process `pid` holds of memory now, and the most that it ever held, in KiB; shared pages count whole.
///
/// # Errors
///
/// It has ended.
pub fn resident(pid: u32) -> io::Result<(u64, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        kib.unwrap_or_default()
    };
    Ok((kib("VmRSS:"), kib("VmHWM:")))
}

fn thread_time(pid: u32, task: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{task}/schedstat")).ok()?;
    text.split_whitespace().next()?.parse().ok()
}

fn tasks(pid: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter_map(|name| name.parse().ok()).collect()
}
