//! Wire-only nodes that do the acceptor's part of the handshake and use what their command line says but for one thing, for tests of the
//! doctor. They do nothing else.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use conformance::codec;
use conformance::peer::{Close, Connection, Listener, ListenerOptions, Received, ServerOptions};

/// Longer than any examination.
const FOREVER: Duration = Duration::from_secs(60 * 60);

/// The one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slip {
    /// None: all is as it should be.
    Nothing,
    /// Never listens.
    Deaf,
    /// Has a name of its own.
    OwnName,
    /// Has a cookie of its own.
    OwnCookie,
    /// Takes any proof.
    AnyCookie,
    /// Trims the cookie as if it were text.
    Trims,
    /// Always binds 127.0.0.1.
    OwnHost,
    /// Starts a process that is not ended with it.
    Child,
}

impl Slip {
    /// By the word on the command line.
    pub(crate) fn of(mode: &str) -> Option<Self> {
        Some(match mode {
            "honest" => Self::Nothing,
            "deaf" => Self::Deaf,
            "own-name" => Self::OwnName,
            "own-cookie" => Self::OwnCookie,
            "any-cookie" => Self::AnyCookie,
            "trims" => Self::Trims,
            "own-host" => Self::OwnHost,
            "child" => Self::Child,
            _ => return None,
        })
    }
}

/// Serves a port until the process is ended.
pub(crate) fn serve(slip: Slip, name: &str, host: &str, port: u16, cookie_file: &str) -> ExitCode {
    match slip {
        Slip::Deaf => loop {
            thread::park();
        },
        Slip::Child => {
            // Whoever ends a process group asks first.
            if let Err(error) = Command::new("sh").args(["-c", "trap '' TERM; sleep 1000"]).spawn() {
                eprintln!("no child to leave behind: {error}");
            }
        }
        _ => {}
    }
    let cookie = match slip {
        Slip::OwnCookie => b"mine".to_vec(),
        Slip::Trims => fs::read(cookie_file).unwrap_or_default().trim_ascii().to_vec(),
        _ => fs::read(cookie_file).unwrap_or_default(),
    };
    let name = if slip == Slip::OwnName { format!("me@127.0.0.1:{port}") } else { name.to_owned() };
    let host: IpAddr = match host.trim_matches(['[', ']']).parse() {
        Ok(host) if slip != Slip::OwnHost => host,
        _ => IpAddr::from([127, 0, 0, 1]),
    };
    let listener = match Listener::bind_again(SocketAddr::new(host, port), ListenerOptions::default()) {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("cannot listen on {host}:{port}: {error}");
            return ExitCode::FAILURE;
        }
    };
    while let Ok(incoming) = listener.accept(Instant::now() + FOREVER) {
        let (name, cookie) = (name.clone(), cookie.clone());
        thread::spawn(move || {
            if let Ok(connection) = incoming.tls(ServerOptions::default(), Instant::now() + FOREVER) {
                accept(slip, &connection, &name, &cookie);
            }
        });
    }
    ExitCode::SUCCESS
}

/// NAME, CHALLENGE, REPLY, ACK.
fn accept(slip: Slip, connection: &Connection, name: &str, cookie: &[u8]) {
    const CHALLENGE: [u8; 32] = [0x5A; 32];
    let next = || match connection.next(Instant::now() + FOREVER) {
        Received::Frame { payload, .. } => Some(payload),
        _ => None,
    };
    if next().is_none() {
        return;
    }
    let length = u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes();
    connection.send_frame(&[&[2][..], &length, name.as_bytes(), &[1], &CHALLENGE].concat());
    let Some(reply) = next().filter(|reply| reply.len() >= 65) else { return };
    if slip == Slip::AnyCookie || reply[1..33] == codec::proof(cookie, &CHALLENGE) {
        connection.send_frame(&[&[4][..], &codec::proof(cookie, &reply[33..65])].concat());
        while next().is_some() {}
    } else {
        connection.close(Close::Fin);
    }
}
