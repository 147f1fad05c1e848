//! A scripted peer's listening socket, and the connections that have reached it but have not been answered.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;
use thiserror::Error;

use super::certificate::Certificate;
use super::connection::Connection;
use super::dial::ConnectError;
use super::facts::TlsFacts;
use super::manner::Manner;
use super::port::ReservedPort;
use super::tls::{self, TlsVersion};
use crate::watched::Watched;

/// Settings of a [`Listener`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ListenerOptions {
    /// The kernel's receive buffer of each accepted connection, in bytes; small ones make a peer that does not read
    /// felt sooner. The kernel has a minimum of its own.
    pub receive_buffer: Option<usize>,
}

/// How an accepted connection does TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ServerOptions {
    /// The certificate that is presented.
    pub certificate: Certificate,
    /// The versions that are accepted.
    pub versions: TlsVersion,
}

/// A bound and listening port. Connections are accepted at once, in a thread, and wait in a queue without TLS.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    arrivals: Arc<Watched<Arrivals>>,
}

#[derive(Debug, Default)]
struct Arrivals {
    queue: VecDeque<Incoming>,
    total: usize,
    /// Closing has been asked for.
    closed: bool,
    /// The listening socket no longer exists.
    gone: bool,
}

/// A TCP connection from a node on which nothing has been said or read yet. Dropping it closes it.
#[derive(Debug)]
pub struct Incoming {
    stream: TcpStream,
    /// When it was accepted.
    pub at: Instant,
}

/// Nobody came.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AcceptError {
    /// The deadline passed.
    #[error("timed out waiting for a connection to {0}; the node did not dial this peer, or dialled another address")]
    TimedOut(SocketAddr),
    /// [`Listener::close`] was called.
    #[error("the listener on {0} has been closed; let the case accept before it closes")]
    Closed(SocketAddr),
}

impl Listener {
    /// Listens on a free port of `host`, a loopback address.
    pub fn bind(host: IpAddr) -> io::Result<Self> {
        Self::bind_with(host, ListenerOptions::default())
    }

    /// Like [`Listener::bind`], with settings.
    pub fn bind_with(host: IpAddr, options: ListenerOptions) -> io::Result<Self> {
        ReservedPort::bind(host)?.listen(options)
    }

    /// Listens on `address`: the port of a listener that has been closed, for a peer that comes back.
    pub fn bind_again(address: SocketAddr, options: ListenerOptions) -> io::Result<Self> {
        Self::on(TcpListener::bind(address)?, options)
    }

    pub(crate) fn on(listener: TcpListener, options: ListenerOptions) -> io::Result<Self> {
        if let Some(size) = options.receive_buffer {
            // Accepted sockets inherit it; set later, it would not shrink the window that was offered.
            SockRef::from(&listener).set_recv_buffer_size(size)?;
        }
        let address = listener.local_addr()?;
        let arrivals = Arc::new(Watched::new(Arrivals::default()));
        let seen = arrivals.clone();
        thread::Builder::new()
            .name(format!("accept {}", address.port()))
            .spawn(move || accept_until_closed(listener, &seen))?;
        Ok(Self { address, arrivals })
    }

    /// Where it listens. A peer's name carries this port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection, in order of arrival. Waits for one until `deadline`.
    pub fn accept(&self, deadline: Instant) -> Result<Incoming, AcceptError> {
        self.arrivals
            .wait_until(deadline, |arrivals| match arrivals.queue.pop_front() {
                Some(incoming) => Some(Ok(incoming)),
                None => arrivals.closed.then(|| Err(AcceptError::Closed(self.address))),
            })
            .unwrap_or(Err(AcceptError::TimedOut(self.address)))
    }

    /// How many connections wait to be taken by [`Listener::accept`].
    pub fn pending(&self) -> usize {
        self.arrivals.look().queue.len()
    }

    /// How many connections have come in all, taken or not.
    pub fn total(&self) -> usize {
        self.arrivals.look().total
    }

    /// Stops listening: when this returns, further connections are refused. Those that have arrived stay.
    pub fn close(&self) {
        if self.arrivals.change(|arrivals| std::mem::replace(&mut arrivals.closed, true)) {
            return;
        }
        // The thread sits in accept(); a connection of our own is what wakes it, on every system. It cannot be held
        // up, since that thread does nothing but accept.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        self.arrivals.wait_until(Instant::now() + Duration::from_secs(1), |arrivals| arrivals.gone.then_some(()));
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.close();
    }
}

fn accept_until_closed(listener: TcpListener, arrivals: &Watched<Arrivals>) {
    loop {
        let accepted = listener.accept();
        let at = Instant::now();
        let go_on = arrivals.change(|arrivals| match accepted {
            _ if arrivals.closed => false,
            Ok((stream, _)) => {
                arrivals.total += 1;
                arrivals.queue.push_back(Incoming { stream, at });
                true
            }
            // A connection that was gone before it could be accepted is none.
            Err(error) => error.kind() == io::ErrorKind::ConnectionAborted,
        });
        if !go_on {
            break;
        }
    }
    drop(listener);
    arrivals.change(|arrivals| {
        arrivals.closed = true;
        arrivals.gone = true;
    });
}

impl Incoming {
    /// The node's side of the connection.
    pub fn remote_address(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }

    /// Does the TLS handshake as the accepting side. On an error the connection is closed.
    pub fn tls(self, options: ServerOptions, deadline: Instant) -> Result<Connection, ConnectError> {
        self.tls_in(options, deadline, Manner::PEER)
    }

    pub(crate) fn tls_in(
        self,
        options: ServerOptions,
        deadline: Instant,
        manner: Manner,
    ) -> Result<Connection, ConnectError> {
        let mut tls = tls::server(options.versions, options.certificate)?;
        tls::handshake(&mut tls, &self.stream, deadline)?;
        let rustls::Connection::Server(server) = &tls else { unreachable!("tls::server makes servers") };
        let facts = TlsFacts {
            version: super::dial::version(&tls),
            server_name: server.server_name().map(str::to_owned),
            ..TlsFacts::default()
        };
        Connection::start(self.stream, Some(tls), facts, manner)
    }

    /// Keeps the connection without ever beginning TLS: to stall, to send garbage, to see when the node gives up.
    pub fn stall(self) -> Result<Connection, ConnectError> {
        self.raw_in(Manner::PEER)
    }

    pub(crate) fn raw_in(self, manner: Manner) -> Result<Connection, ConnectError> {
        Connection::start(self.stream, None, TlsFacts::default(), manner)
    }

    /// Ends the connection with RST, as if nobody had listened.
    pub(crate) fn reset(self) {
        // Only fails on a socket that is no socket; dropping it is what sends.
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }
}
