//! The results as tables of Markdown. Knows nothing of how they were found.

use std::fmt::{self, Display, Formatter};

use super::results::{Hang, Memory, Results, Speed};

impl Display for Results {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.machine)?;
        if let Some(speed) = &self.speed {
            write_speed(f, speed)?;
        }
        write_hang(f, &self.hang)
    }
}

fn write_speed(f: &mut Formatter<'_>, speed: &Speed) -> fmt::Result {
    let Speed {
        windows,
        logins_in_window,
        codes_in_window,
        ..
    } = speed;
    writeln!(
        f,
        "\n**Logins**, {windows} windows of {logins_in_window} with {codes_in_window} codes\n\n| | |\n|---|---|"
    )?;
    let rows = [
        ("logins a second", speed.rate.text(0)),
        ("gateway, µs of CPU a login", speed.gateway_us.text(0)),
        ("simulator, µs of CPU a login", speed.simulator_us.text(0)),
        ("generator, µs of CPU a login", speed.generator_us.text(0)),
        ("p50, µs", speed.p50_us.text(0)),
        ("p99, µs", speed.p99_us.text(0)),
        (
            "connections to WeChat in all",
            speed.wechat_connections.to_string(),
        ),
        ("sessions at the end", speed.sessions.to_string()),
    ];
    write_rows(f, &rows)?;
    write_memory(f, speed.memory_kib)
}

fn write_hang(f: &mut Formatter<'_>, hang: &Hang) -> fmt::Result {
    let Hang {
        seconds,
        asked_rate,
        ..
    } = hang;
    writeln!(
        f,
        "\n**WeChat hangs for {seconds} s**, {asked_rate} logins a second\n\n| | |\n|---|---|"
    )?;
    let rows = [
        (
            "logins that waited for WeChat in vain",
            hang.given_up.to_string(),
        ),
        (
            "logins refused at once, since too many waited",
            hang.overloaded.to_string(),
        ),
        (
            "connections to WeChat in all",
            hang.wechat_connections.to_string(),
        ),
        (
            "logins that went well once it answered",
            hang.logins_afterwards.to_string(),
        ),
    ];
    write_rows(f, &rows)?;
    write_memory(f, hang.memory_kib)
}

fn write_memory(f: &mut Formatter<'_>, memory: Memory) -> fmt::Result {
    let mib = |kib: u64| format!("{} MiB", kib.div_ceil(1024));
    let rows = [
        ("gateway's memory before", mib(memory.before)),
        ("at the end of the logins", mib(memory.during)),
        ("at most", mib(memory.most)),
        ("20 s later", mib(memory.after)),
    ];
    write_rows(f, &rows)
}

fn write_rows(f: &mut Formatter<'_>, rows: &[(&str, String)]) -> fmt::Result {
    for (name, value) in rows {
        writeln!(f, "| {name} | {value} |")?;
    }
    Ok(())
}
