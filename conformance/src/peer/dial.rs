//! Connecting to a node: TCP, then TLS as a node would do it.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use rustls::ProtocolVersion;
use socket2::{Domain, Socket, Type};
use thiserror::Error;

use super::SERVER_NAME;
use super::connection::Connection;
use super::facts::TlsFacts;
use super::manner::Manner;
use super::tls::{self, TlsVersion};

/// How a connecting peer does TCP and TLS. The default is as a node does it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientOptions {
    /// The versions that are offered.
    pub versions: TlsVersion,
    /// The server name (SNI) that is sent; `None` sends none. It must look like a DNS name.
    pub server_name: Option<String>,
    /// The kernel's receive buffer in bytes, set before connecting; see [`super::ListenerOptions`].
    pub receive_buffer: Option<usize>,
    /// How long TLS is not begun once TCP stands.
    pub tls_after: Duration,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            versions: TlsVersion::Any,
            server_name: Some(SERVER_NAME.to_owned()),
            receive_buffer: None,
            tls_after: Duration::ZERO,
        }
    }
}

/// Why no connection with TLS came about.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConnectError {
    /// TCP: nobody listens there.
    #[error("{0} refused the TCP connection; check that the node listens there and still runs")]
    Refused(SocketAddr),
    /// The deadline passed.
    #[error("timed out waiting for {awaited}")]
    TimedOut {
        /// What did not come.
        awaited: &'static str,
    },
    /// The other side closed the connection (FIN) during the TLS handshake.
    #[error("the other side closed the connection during the TLS handshake, without an alert")]
    Closed,
    /// The other side reset the connection (RST) during the TLS handshake.
    #[error("the other side reset the connection during the TLS handshake")]
    Reset,
    /// The other side ended the TLS handshake with this alert.
    #[error("the other side refused the TLS handshake with alert {0}")]
    Alert(String),
    /// What the other side said in the TLS handshake is wrong.
    #[error("the other side broke the TLS handshake: {0}")]
    Tls(String),
    /// Another error of the network.
    #[error("connecting failed: {0}")]
    Io(String),
    /// The harness could not do its part; nothing is said about the node.
    #[error("the harness could not set up the connection: {0}")]
    Harness(String),
}

impl Connection {
    /// Connects by TCP and does the TLS handshake as the connecting side.
    pub fn dial(address: SocketAddr, options: &ClientOptions, deadline: Instant) -> Result<Self, ConnectError> {
        let stream = connect(address, options.receive_buffer, deadline)?;
        // A stall that the scenario asks for, and no wait for anything.
        thread::sleep(options.tls_after);
        Self::secure(stream, options, deadline, Manner::PEER)
    }

    /// Does the TLS handshake as the connecting side on a TCP connection.
    pub(crate) fn secure(
        stream: TcpStream,
        options: &ClientOptions,
        deadline: Instant,
        manner: Manner,
    ) -> Result<Self, ConnectError> {
        let (mut tls, asked) = tls::client(options.versions, options.server_name.as_deref())?;
        tls::handshake(&mut tls, &stream, deadline)?;
        let facts = TlsFacts {
            version: version(&tls),
            server_name: None,
            client_certificate_asked: asked.load(Ordering::Relaxed),
            certificate: tls.peer_certificates().and_then(|chain| chain.first()).map(|first| first.to_vec()),
        };
        Self::start(stream, Some(tls), facts, manner)
    }

    /// Connects by TCP only: to stall, or to send what is no TLS. What arrives is traced and not queued.
    pub fn dial_tcp(address: SocketAddr, deadline: Instant) -> Result<Self, ConnectError> {
        Self::plain(connect(address, None, deadline)?, Manner::PEER)
    }

    /// Leaves a TCP connection without TLS.
    pub(crate) fn plain(stream: TcpStream, manner: Manner) -> Result<Self, ConnectError> {
        Self::start(stream, None, TlsFacts::default(), manner)
    }
}

pub(crate) fn connect(
    address: SocketAddr,
    receive_buffer: Option<usize>,
    deadline: Instant,
) -> Result<TcpStream, ConnectError> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::ConnectionRefused => ConnectError::Refused(address),
        ErrorKind::TimedOut | ErrorKind::WouldBlock => ConnectError::TimedOut { awaited: "the TCP connection" },
        _ => ConnectError::Io(error.to_string()),
    };
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(ConnectError::TimedOut { awaited: "the TCP connection" });
    }
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).map_err(failed)?;
    if let Some(size) = receive_buffer {
        socket.set_recv_buffer_size(size).map_err(failed)?;
    }
    socket.connect_timeout(&address.into(), left).map_err(failed)?;
    Ok(socket.into())
}

pub(crate) fn version(tls: &rustls::Connection) -> Option<TlsVersion> {
    match tls.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => Some(TlsVersion::V12),
        Some(ProtocolVersion::TLSv1_3) => Some(TlsVersion::V13),
        _ => None,
    }
}
