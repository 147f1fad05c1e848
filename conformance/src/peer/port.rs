//! A loopback port that is taken but refuses connections: the address of a peer that is not there, or not yet.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

use super::listener::{Listener, ListenerOptions};

/// A bound port on which nobody listens. Connections to it are refused, and nobody else can be given it, while this lives.
#[derive(Debug)]
pub struct ReservedPort {
    socket: Socket,
    address: SocketAddr,
}

impl ReservedPort {
    /// Takes a free port of `host`, a loopback address.
    pub fn bind(host: IpAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(SocketAddr::new(host, 0)), Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(host, 0).into())?;
        let address =
            socket.local_addr()?.as_socket().ok_or_else(|| io::Error::other("a TCP socket without an address"))?;
        Ok(Self { socket, address })
    }

    /// Where connections are refused.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Begins to accept connections on the same port, without a moment in which somebody else could take it.
    pub fn listen(self, options: ListenerOptions) -> io::Result<Listener> {
        // For `Listener::bind_again`: else connections that linger in TIME_WAIT would keep the port. Not set before,
        // since two sockets that both have it and do not listen can share a port.
        self.socket.set_reuse_address(true)?;
        self.socket.listen(128)?;
        Listener::on(TcpListener::from(self.socket), options)
    }
}
