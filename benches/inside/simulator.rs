//! The simulator of WeChat as a process of its own, for logins in great numbers: writes what clients send with them to
//! a file, then prints its address, and does what it reads, line by line: `hang`, `answer`, `count`.

use std::fs::File;
use std::io::{self, BufRead, BufWriter, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Parser;
use form_urlencoded::Serializer;
use mimalloc::MiMalloc;
use serde_json::json;
use socket2::{Domain, Socket, Type};
use wxgate::simulator::{Behaviour, Sealed, Simulator};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 4096;

/// The simulator, with one mini-program.
#[derive(Debug, Parser)]
struct Arguments {
    /// The mini-program's appid
    #[arg(long, default_value = "wx0123456789abcdef")]
    appid: String,
    /// Its secret
    #[arg(long, default_value = "secret")]
    secret: String,
    /// Where to write a form for each login: the code, what its user signed, and what was encrypted for them
    #[arg(long)]
    forms: PathBuf,
    /// How many logins, each of another user
    #[arg(long)]
    logins: u64,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let simulator = Simulator::start(listener()?)?;
    simulator.register_app(&arguments.appid, &arguments.secret);
    let (logins, appid) = (arguments.logins, &arguments.appid);
    write_forms(&simulator, appid, logins, &arguments.forms)?;
    say(simulator.base_url().trim_start_matches("http://"))?;
    for line in io::stdin().lock().lines() {
        match line?.as_str() {
            "hang" => simulator.behave(Behaviour::Hang),
            "answer" => simulator.behave(Behaviour::Normal),
            "count" => {}
            other => bail!("the simulator does not know how to {other}"),
        }
        let (calls, connections) = (simulator.calls(), simulator.connections());
        say(&json!({ "calls": calls, "connections": connections }).to_string())?;
    }
    Ok(())
}

/// Listens with room for a crowd that comes at once: WeChat is not what is to be measured.
fn listener() -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn write_forms(simulator: &Simulator, appid: &str, logins: u64, file: &Path) -> anyhow::Result<()> {
    let mut out = BufWriter::new(File::create(file)?);
    for number in 0..logins {
        writeln!(out, "{}", form(simulator, appid, &format!("user-{number}")))?;
    }
    Ok(out.flush()?)
}

/// What a client of `user` sends with a login.
fn form(simulator: &Simulator, appid: &str, user: &str) -> String {
    let info = json!({
        "nickName": user, "gender": 0, "language": "zh_CN", "city": "", "province": "", "country": "",
        "avatarUrl": "https://thirdwx.qlogo.cn/mmopen/vi_32/POgEwh4mIHO4nibH0KlMECNjjGxQUq24ZEaGT4poC6icRiccVGKSyXwibcPq4BWmiaIGuG1icwxaQX6grC9VemZoJ8rg/132",
    });
    let raw_data = info.to_string();
    let signature = simulator.signed(appid, user, &raw_data);
    let Sealed { encrypted_data, iv } = simulator.encrypted(appid, user, info);
    Serializer::new(String::new())
        .append_pair("code", &simulator.issue_code_of(appid, user))
        .append_pair("rawData", &raw_data)
        .append_pair("signature", &signature)
        .append_pair("encryptedData", &encrypted_data)
        .append_pair("iv", &iv)
        .finish()
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "{line}")?;
    out.flush()
}
