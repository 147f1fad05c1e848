//! Starting a node: sockets are bound first, so that its name carries the real port.

use std::{
    net::SocketAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use tokio::net::TcpListener;

use super::listener::bind;
use crate::{
    node::{CommandError, Identity, Timings},
    wire::{Creation, handshake::Cookie, name::AskedName},
};

/// What a node is started with.
#[derive(Clone, Debug)]
pub(crate) struct StartOptions {
    /// Port 0 asks for any free one (HS-3).
    pub(crate) name: AskedName,
    pub(crate) cookie: Cookie,
    pub(crate) timings: Timings,
    /// Where to bind instead of the name's host and port.
    pub(crate) listen: Option<HostPort>,
    /// Where the rooms' WebSocket endpoint binds; `None`: a free port beside the node's.
    pub(crate) rooms: Option<HostPort>,
}

/// What a started node is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Started {
    pub(crate) name: String,
    pub(crate) creation: u8,
    /// The rooms' WebSocket endpoint, without a path.
    pub(crate) websocket: String,
}

/// An address to bind: `host:port`, an IPv6 host in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPort {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl HostPort {
    /// `None` when `text` is not `host:port`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let bare = host.strip_prefix('[').map_or(Some(host), |inner| inner.strip_suffix(']'))?;
        let plain = !bare.is_empty() && (bare.len() < host.len() || !bare.contains(':'));
        plain.then_some(Self { host: bare.to_owned(), port: port.parse().ok()? })
    }
}

/// The sockets of a node that is about to start, and who it will be.
pub(crate) struct Bound {
    pub(crate) identity: Identity,
    pub(crate) nodes: TcpListener,
    pub(crate) members: TcpListener,
    pub(crate) started: Started,
}

/// Binds everything that a node listens on.
///
/// # Errors
/// [`CommandError::Failed`] when an address cannot be bound, [`CommandError::InvalidName`] when the real port makes the
/// name too long.
pub(crate) async fn bind_all(options: StartOptions) -> Result<Bound, CommandError> {
    let (host, port) = match &options.listen {
        Some(listen) => (listen.host.clone(), listen.port),
        None => options.name.address(),
    };
    let nodes = bind(&host, port).await.map_err(|why| cannot_bind(&host, port, &why))?;
    let address = local(&nodes)?;
    let name = options.name.resolve(address.port()).map_err(|why| CommandError::InvalidName(why.to_string()))?;
    let rooms = options.rooms.unwrap_or_else(|| HostPort { host: address.ip().to_string(), port: 0 });
    let members = bind(&rooms.host, rooms.port).await.map_err(|why| cannot_bind(&rooms.host, rooms.port, &why))?;
    let websocket = format!("ws://{}", local(&members)?);
    let creation = Creation::from_start_second(seconds_since_epoch());
    let started = Started { name: name.to_string(), creation: creation.get(), websocket };
    let identity = Identity { name, creation, cookie: options.cookie, timings: options.timings };
    Ok(Bound { identity, nodes, members, started })
}

fn local(listener: &TcpListener) -> Result<SocketAddr, CommandError> {
    listener.local_addr().map_err(|why| CommandError::Failed(why.to_string()))
}

fn cannot_bind(host: &str, port: u16, why: &std::io::Error) -> CommandError {
    CommandError::Failed(format!("cannot listen on {host}:{port}: {why}"))
}

/// A clock before 1970 counts as 1970; creations then repeat as they may (HS-22).
fn seconds_since_epoch() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_to_bind() {
        for (text, host, port) in [("127.0.0.1:0", "127.0.0.1", 0), ("[::1]:80", "::1", 80), ("h:1", "h", 1)] {
            assert_eq!(HostPort::parse(text), Some(HostPort { host: host.into(), port }), "{text}");
        }
        for text in ["", "h", ":1", "h:", "h:65536", "::1:80", "[::1:80", "[]:1"] {
            assert_eq!(HostPort::parse(text), None, "{text}");
        }
    }
}
