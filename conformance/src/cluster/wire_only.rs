//! A node that can only be started and spoken to on its port.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;
use thiserror::Error;

use super::command::CommandLine;
use super::port::fixed_port;
use super::process::{Exit, NodeProcess, Pipes, SpawnError};

/// How long one attempt to connect may take, and the pause to the next one.
const ATTEMPT: Duration = Duration::from_millis(200);
const PAUSE: Duration = Duration::from_millis(10);

/// What a wire-only node is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireOnlyStart {
    /// The part of its name before the `@`.
    pub label: String,
    /// Where it binds: a loopback address.
    pub host: IpAddr,
    /// The port that it binds; `None`: a free one. Give the former one to start a node again under its name.
    pub port: Option<u16>,
    /// The port that its name carries, where that is not the one it binds: it is dialled through something that stands before it.
    pub named_port: Option<u16>,
    /// The cookie's bytes.
    pub cookie: Vec<u8>,
}

impl WireOnlyStart {
    /// A node on a free port of 127.0.0.1.
    pub fn new(label: &str, cookie: &[u8]) -> Self {
        Self {
            label: label.to_owned(),
            host: Ipv4Addr::LOCALHOST.into(),
            port: None,
            named_port: None,
            cookie: cookie.to_owned(),
        }
    }
}

/// A wire-only node that accepts connections.
#[derive(Debug)]
pub struct WireOnlyNode {
    /// Its process.
    pub process: NodeProcess,
    /// Its name, port included.
    pub name: String,
    /// Where it accepts connections.
    pub address: SocketAddr,
    /// Readable by this user only; removed when the node is dropped.
    _cookie: NamedTempFile,
}

/// A wire-only node that did not come up.
#[derive(Debug, Error)]
pub enum StartError {
    /// The process could not be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// No port, or no file for the cookie.
    #[error("cannot prepare the node's {what}: {reason}; check the limits of this machine and its temporary folder")]
    Harness {
        /// The thing.
        what: &'static str,
        /// What the system said.
        reason: io::Error,
    },
    /// It ended instead of listening.
    #[error("the node {exit} before it accepted connections on {address}; its last words:\n{log}")]
    Exited {
        /// How it ended.
        exit: Exit,
        /// Where it should have listened.
        address: SocketAddr,
        /// The end of its log.
        log: String,
    },
    /// It did not listen in time.
    #[error("timed out waiting for the node to accept connections on {address}; its last words:\n{log}")]
    TimedOut {
        /// Where it should have listened.
        address: SocketAddr,
        /// The end of its log.
        log: String,
    },
}

impl WireOnlyNode {
    /// Starts the node and waits until its port accepts connections. The node sees those attempts: connections on which
    /// nothing is said.
    pub fn start(run: &CommandLine, start: &WireOnlyStart, deadline: Instant) -> Result<Self, StartError> {
        let harness = |what| move |reason| StartError::Harness { what, reason };
        let address = match start.port {
            Some(port) => SocketAddr::new(start.host, port),
            None => SocketAddr::new(start.host, fixed_port(start.host).map_err(harness("port"))?),
        };
        let host = match start.host {
            IpAddr::V4(host) => host.to_string(),
            IpAddr::V6(host) => format!("[{host}]"),
        };
        // Temporary files are made with mode 0600.
        let mut cookie = NamedTempFile::with_prefix("cookie-").map_err(harness("cookie file"))?;
        cookie.write_all(&start.cookie).and_then(|()| cookie.flush()).map_err(harness("cookie file"))?;
        let name = format!("{}@{host}:{}", start.label, start.named_port.unwrap_or(address.port()));
        let command = run
            .filled("name", &name)
            .filled("host", &host)
            .filled("port", &address.port().to_string())
            .filled("cookie_file", &cookie.path().to_string_lossy());
        let process = NodeProcess::spawn(&command, Pipes::LogOnly)?;
        await_listening(&process, address, deadline)?;
        Ok(Self { process, name, address, _cookie: cookie })
    }
}

fn await_listening(process: &NodeProcess, address: SocketAddr, deadline: Instant) -> Result<(), StartError> {
    loop {
        let log = || process.inner().log_tail();
        if let Some(exit) = process.exit() {
            return Err(StartError::Exited { exit, address, log: log() });
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(StartError::TimedOut { address, log: log() });
        }
        if TcpStream::connect_timeout(&address, left.min(ATTEMPT)).is_ok() {
            return Ok(());
        }
        // Nothing tells when a port begins to listen; that the process ends is told.
        process.wait(deadline.min(Instant::now() + PAUSE));
    }
}
