//! Real logins before a measurement. Knows nothing of what is measured.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use anyhow::{Context, ensure};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use crate::load::{Offer, SERVER_NAME, trust};

/// How many log in at a time.
const AT_A_TIME: usize = 8;
/// How often the connection of one of them may break.
const MOST_BREAKS: usize = 10;

/// Logs in so many times at `port` of loopback, under TLS if there is a certificate to trust; the tokens.
pub(super) fn log_in(
    port: u16,
    sessions: usize,
    certificate: Option<&Path>,
) -> anyhow::Result<Vec<String>> {
    let share = sessions.div_ceil(AT_A_TIME).max(1);
    let shares = (0..sessions).step_by(share);
    let shares = shares.map(|first| first..sessions.min(first + share));
    let skeys = thread::scope(|scope| {
        let clients: Vec<_> = shares
            .map(|share| scope.spawn(move || client(port, share, certificate)))
            .collect();
        let skeys = clients.into_iter().map(|client| {
            let done = client.join();
            done.unwrap_or_else(|_| Err(anyhow::anyhow!("a client broke off")))
        });
        skeys.collect::<anyhow::Result<Vec<_>>>()
    });
    Ok(skeys?.concat())
}

/// Logs in with these numbers; where the connection breaks, which a subject under callgrind on a busy machine may bring
/// about, over another one.
fn client(
    port: u16,
    numbers: Range<usize>,
    certificate: Option<&Path>,
) -> anyhow::Result<Vec<String>> {
    let mut skeys = Vec::with_capacity(numbers.len());
    let mut breaks = 0;
    while skeys.len() < numbers.len() {
        let left = numbers.start + skeys.len()..numbers.end;
        let broken = connect(port, certificate).and_then(|mut stream| {
            left.into_iter().try_for_each(|number| {
                skeys.push(log_in_once(&mut stream, number)?);
                Ok(())
            })
        });
        if let Err(error) = broken {
            breaks += 1;
            ensure!(breaks < MOST_BREAKS, error);
        }
    }
    Ok(skeys)
}

fn connect(port: u16, certificate: Option<&Path>) -> anyhow::Result<Box<dyn Stream>> {
    let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    socket.set_nodelay(true)?;
    let Some(certificate) = certificate else {
        return Ok(Box::new(socket));
    };
    let config = trust(certificate, Offer::default())?;
    let name = ServerName::try_from(SERVER_NAME)?;
    let tls = ClientConnection::new(Arc::clone(&config), name)?;
    Ok(Box::new(StreamOwned::new(tls, socket)))
}

/// A connection, plain or under TLS.
trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

fn log_in_once(stream: &mut impl Stream, number: usize) -> anyhow::Result<String> {
    let code = format!("code={number:032}");
    let length = code.len();
    let request = format!(
        "POST /wx/login HTTP/1.1\r\nHost: shop.example.com\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{code}"
    );
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let (mut answer, mut piece) = (Vec::new(), [0; 1024]);
    while answer.last() != Some(&b'}') {
        let count = stream.read(&mut piece)?;
        if count == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        answer.extend_from_slice(piece.get(..count).unwrap_or_default());
    }
    let answer = String::from_utf8(answer)?;
    let skey = answer
        .split("\"skey\":\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    Ok(skey
        .with_context(|| format!("no skey in {answer}"))?
        .to_owned())
}
