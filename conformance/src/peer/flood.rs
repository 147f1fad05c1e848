//! Many connections to one node that go as far as a step of the handshake and no further. Knows no messages: what is sent
//! is given as bytes.
//!
//! A stalled connection costs a socket and nothing else: no threads, and no TLS state once its step is reached.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::dial::ConnectError;
use super::tls::{self, TlsVersion};
use super::{HANDSHAKE_LIMIT, SERVER_NAME};

/// How many connections are on their way at once: more would measure the harness.
const THREADS: usize = 8;

/// Between two looks at connections that are awaited to end.
const PAUSE: Duration = Duration::from_millis(20);

/// How far each connection of a flood goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// TCP alone.
    Tcp,
    /// Half of TLS's first message.
    TlsStarted,
    /// TLS is up.
    Tls,
    /// The first frame is sent, and its answer left unread.
    FirstFrame,
    /// The first frame is answered.
    FirstAnswer,
    /// The second frame is sent, and what comes then left unread.
    SecondFrame,
}

/// What a flood consists of.
pub struct FloodPlan<'a> {
    /// The node.
    pub address: SocketAddr,
    /// How many connections.
    pub connections: usize,
    /// How far each goes.
    pub depth: Depth,
    /// The first frame of the connection with this number, its length included.
    pub first: &'a (dyn Fn(usize) -> Vec<u8> + Sync),
    /// The second frame.
    pub second: &'a [u8],
    /// Connections that are not at their step by then stay where they are.
    pub patience: Instant,
}

/// Connections that stall, until they are dropped.
#[derive(Debug)]
pub struct Flood {
    streams: Vec<TcpStream>,
    /// How many have come to their step; the node may have ended them since.
    pub reached: usize,
    /// How many the node ended before.
    pub ended_early: usize,
}

/// The harness could not open its connections; nothing is said about the node.
#[derive(Debug, thiserror::Error)]
#[error(
    "a flood of {connections} connections could not be opened: {reason}; check `ulimit -n`, or run fewer cases at a time"
)]
pub struct FloodError {
    connections: usize,
    reason: String,
}

/// What has come of one connection.
enum Stalled {
    AtItsStep(TcpStream),
    Before(TcpStream),
    Ended,
}

impl Flood {
    /// Opens all connections, some at a time, and brings them to their step.
    ///
    /// # Errors
    /// When this machine has no descriptors, ports or threads left.
    pub fn open(plan: &FloodPlan<'_>) -> Result<Self, FloodError> {
        let next = AtomicUsize::new(0);
        let results = Mutex::new(Vec::with_capacity(plan.connections));
        thread::scope(|scope| {
            for _ in 0..THREADS.min(plan.connections) {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= plan.connections {
                            return;
                        }
                        let result = plan.stall(number);
                        let failed = result.is_err();
                        results.lock().unwrap_or_else(PoisonError::into_inner).push(result);
                        if failed {
                            return;
                        }
                    }
                });
            }
        });
        let mut flood = Self { streams: Vec::new(), reached: 0, ended_early: 0 };
        for result in results.into_inner().unwrap_or_else(PoisonError::into_inner) {
            match result.map_err(|reason| FloodError { connections: plan.connections, reason })? {
                Stalled::AtItsStep(stream) => {
                    flood.reached += 1;
                    flood.streams.push(stream);
                }
                Stalled::Before(stream) => flood.streams.push(stream),
                Stalled::Ended => flood.ended_early += 1,
            }
        }
        Ok(flood)
    }

    /// Waits until the node has ended all of them; returns how many still stand at the deadline.
    pub fn wait_ended(&mut self, deadline: Instant) -> usize {
        loop {
            self.streams.retain(|stream| !has_ended(stream));
            if self.streams.is_empty() || Instant::now() >= deadline {
                return self.streams.len();
            }
            thread::sleep(PAUSE);
        }
    }
}

impl FloodPlan<'_> {
    fn stall(&self, number: usize) -> Result<Stalled, String> {
        let left = self.patience.saturating_duration_since(Instant::now()).max(Duration::from_millis(100));
        let stream = match TcpStream::connect_timeout(&self.address, left) {
            Ok(stream) => stream,
            // The node's queue of new connections is full, or it refuses them: that is its way to bear the flood.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset | ErrorKind::TimedOut
                ) =>
            {
                return Ok(Stalled::Ended);
            }
            Err(error) => return Err(error.to_string()),
        };
        match self.advance(&stream, number) {
            Ok(()) => Ok(Stalled::AtItsStep(stream)),
            Err(ConnectError::TimedOut { .. }) => Ok(Stalled::Before(stream)),
            Err(ConnectError::Harness(reason)) => Err(reason),
            Err(_) => Ok(Stalled::Ended),
        }
    }

    fn advance(&self, mut stream: &TcpStream, number: usize) -> Result<(), ConnectError> {
        if self.depth < Depth::TlsStarted {
            return Ok(());
        }
        let (mut tls, _) = tls::client(TlsVersion::Any, Some(SERVER_NAME))?;
        if self.depth == Depth::TlsStarted {
            let mut hello = Vec::new();
            tls.write_tls(&mut hello).map_err(failed)?;
            return stream.write_all(&hello[..hello.len() / 2]).map_err(failed);
        }
        tls::handshake(&mut tls, stream, self.patience)?;
        if self.depth < Depth::FirstFrame {
            return Ok(());
        }
        self.send(&mut tls, stream, &(self.first)(number))?;
        if self.depth < Depth::FirstAnswer {
            return Ok(());
        }
        self.skip_frame(&mut tls, stream)?;
        if self.depth < Depth::SecondFrame {
            return Ok(());
        }
        self.send(&mut tls, stream, self.second)
    }

    fn send(&self, tls: &mut rustls::Connection, stream: &TcpStream, bytes: &[u8]) -> Result<(), ConnectError> {
        tls.writer().write_all(bytes).map_err(failed)?;
        tls::handshake(tls, stream, self.patience)
    }

    fn skip_frame(&self, tls: &mut rustls::Connection, mut stream: &TcpStream) -> Result<(), ConnectError> {
        let mut bytes = Vec::new();
        loop {
            let mut piece = [0; HANDSHAKE_LIMIT];
            match tls.reader().read(&mut piece) {
                Ok(0) => return Err(ConnectError::Closed),
                Ok(count) => bytes.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(failed(error)),
                Err(_) => {}
            }
            if let Some((length, payload)) = bytes.split_first_chunk::<4>()
                && payload.len() >= u32::from_le_bytes(*length) as usize
            {
                return Ok(());
            }
            let left = self.patience.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ConnectError::TimedOut { awaited: "a frame" });
            }
            stream.set_read_timeout(Some(left)).map_err(failed)?;
            if tls.read_tls(&mut stream).map_err(failed)? == 0 {
                return Err(ConnectError::Closed);
            }
            tls.process_new_packets().map_err(|error| ConnectError::Tls(error.to_string()))?;
        }
    }
}

fn failed(error: io::Error) -> ConnectError {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => ConnectError::TimedOut { awaited: "a step of a flood" },
        _ => ConnectError::Io(error.to_string()),
    }
}

/// Takes what has come, which nobody wants, and looks whether the end is behind it.
fn has_ended(mut stream: &TcpStream) -> bool {
    if stream.set_nonblocking(true).is_err() {
        return true;
    }
    let mut bytes = [0; HANDSHAKE_LIMIT];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return error.kind() != ErrorKind::WouldBlock,
        }
    }
}
