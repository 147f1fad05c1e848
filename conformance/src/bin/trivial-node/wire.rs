//! What a trivial node does on its port.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use conformance::peer::{
    ClientOptions, Close, Connection, Incoming, Listener, ListenerOptions, Phase, Received, ServerOptions,
};
use ring::rand::{SecureRandom, SystemRandom};

/// The ways not to be a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Close,
    Stall,
    Agree,
    Garbage,
}

/// Longer than any case: trivial nodes give up on nothing.
const FOREVER: Duration = Duration::from_secs(24 * 60 * 60);

/// Serves a port until the process ends, and tells which it is. `name` is what `agree` says of itself, with port 0
/// replaced. A host that is no address is 127.0.0.1: these nodes agree to any name.
pub(crate) fn listen(manner: Manner, name: &str, host: &str, port: u16) -> io::Result<(String, SocketAddr)> {
    let host: IpAddr = host.trim_matches(['[', ']']).parse().unwrap_or(Ipv4Addr::LOCALHOST.into());
    let listener = match port {
        0 => Listener::bind(host)?,
        port => Listener::bind_again(SocketAddr::new(host, port), ListenerOptions::default())?,
    };
    let address = listener.address();
    let name = match name.strip_suffix(":0") {
        Some(rest) => format!("{rest}:{}", address.port()),
        None => name.to_owned(),
    };
    let own = name.clone();
    thread::spawn(move || {
        let mut stalled = Vec::new();
        while let Ok(incoming) = listener.accept(Instant::now() + FOREVER) {
            match manner {
                Manner::Close => drop(incoming),
                Manner::Stall => stalled.push(incoming),
                Manner::Agree | Manner::Garbage => {
                    let own = own.clone();
                    thread::spawn(move || accept(manner, incoming, &own));
                }
            }
        }
    });
    Ok((name, address))
}

/// Dials a node as `manner` has it, in a thread of its own, and tells nobody how it went.
pub(crate) fn dial(manner: Manner, own: &str, address: SocketAddr) {
    let own = own.to_owned();
    thread::spawn(move || {
        let deadline = Instant::now() + Duration::from_secs(7);
        match manner {
            Manner::Close | Manner::Stall => {}
            Manner::Agree => {
                if let Ok(connection) = Connection::dial(address, &ClientOptions::default(), deadline) {
                    connection.send_frame(&introduction(1, &own));
                    agree(&connection, &own);
                }
            }
            Manner::Garbage => {
                if let Ok(connection) = Connection::dial(address, &ClientOptions::default(), deadline) {
                    garbage(&connection);
                }
            }
        }
    });
}

fn accept(manner: Manner, incoming: Incoming, own: &str) {
    let Ok(connection) = incoming.tls(ServerOptions::default(), Instant::now() + FOREVER) else { return };
    match manner {
        Manner::Garbage => garbage(&connection),
        _ => agree(&connection, own),
    }
}

/// Answers every step with what looks like the next one.
fn agree(connection: &Connection, own: &str) {
    while let Received::Frame { payload, .. } = connection.next(Instant::now() + FOREVER) {
        match payload.first() {
            Some(1) => connection.send_frame(&[introduction(2, own), random(32)].concat()),
            Some(2) => connection.send_frame(&[vec![3], random(64)].concat()),
            Some(3) => {
                connection.set_phase(Phase::Session);
                connection.send_frame(&[vec![4], random(32)].concat());
            }
            Some(4) => connection.set_phase(Phase::Session),
            _ => {}
        }
    }
    connection.close(Close::Fin);
}

fn garbage(connection: &Connection) {
    connection.send(&random(4096));
    while matches!(connection.next(Instant::now() + FOREVER), Received::Frame { .. }) {}
}

/// The beginning that NAME and CHALLENGE have in common.
fn introduction(tag: u8, own: &str) -> Vec<u8> {
    let length = u16::try_from(own.len()).unwrap_or(u16::MAX);
    let mut payload = vec![tag];
    payload.extend_from_slice(&length.to_le_bytes());
    payload.extend_from_slice(&own.as_bytes()[..usize::from(length)]);
    payload.push(1);
    payload
}

fn random(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    // Without randomness the node is only a little more trivial.
    let _ = SystemRandom::new().fill(&mut bytes);
    bytes
}
