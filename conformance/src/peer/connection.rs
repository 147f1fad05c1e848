//! One connection of a scripted peer, in either role: a handle to what its reader and writer threads do.

use std::fmt;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::SockRef;
use thiserror::Error;

use super::dial::ConnectError;
use super::facts::TlsFacts;
use super::inbound::{Closing, ClosingKind, Inbound, Phase, Ping, Received};
use super::manner::Manner;
use super::outbound::{Job, Outbound};
use super::trace::{Trace, TraceEntry, shown};
use super::{frame, reader, writer};
use crate::watched::Watched;

const PONG: u8 = 0xF1;

/// How long a blocked write goes on before the writer looks whether it should still be writing.
const WRITE_SLICE: Duration = Duration::from_millis(50);

/// How long an orderly close may still take after the last handle is gone: sending what is enqueued, and seeing the other
/// side close.
const FAREWELL: Duration = Duration::from_secs(1);

/// A connection, with TLS or without. Clones are handles to the same one; when the last is dropped, it is closed and its
/// threads end.
#[derive(Clone)]
pub struct Connection {
    handle: Arc<Handle>,
}

/// What the handles and the two threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) inbound: Watched<Inbound>,
    pub(crate) outbound: Watched<Outbound>,
    /// Never held over a read, a write or another lock. Without TLS there is none.
    pub(crate) tls: Option<Mutex<rustls::Connection>>,
    pub(crate) manner: Manner,
    trace: Mutex<Vec<TraceEntry>>,
}

struct Handle {
    shared: Arc<Shared>,
    /// The handles' own share of the socket. The last share that goes closes it, which an RST needs.
    stream: Mutex<Option<Arc<TcpStream>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    facts: TlsFacts,
    local: Option<SocketAddr>,
    remote: Option<SocketAddr>,
}

/// How a peer ends its side of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Close {
    /// All that is enqueued, then FIN without a `close_notify`. What still arrives is read but not queued.
    Fin,
    /// The same with a `close_notify` before the FIN.
    CloseNotifyThenFin,
    /// RST, at once; what is enqueued is lost. When the call returns the RST has been sent.
    Reset,
    /// All that is enqueued, then FIN; the peer goes on to receive.
    HalfClose,
}

/// What was enqueued did not get out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FlushError {
    /// The node does not read fast enough, or a pause has not passed yet.
    #[error("timed out waiting for the node to take what this peer sends; a node must go on reading")]
    TimedOut,
    /// The connection ended before.
    #[error("the connection ended before all was sent: {0}")]
    Closed(String),
}

impl Connection {
    pub(crate) fn start(
        stream: TcpStream,
        tls: Option<rustls::Connection>,
        facts: TlsFacts,
        manner: Manner,
    ) -> Result<Self, ConnectError> {
        let harness = |error: std::io::Error| ConnectError::Harness(error.to_string());
        // Pieces must leave as they were cut, not as Nagle would join them.
        stream.set_nodelay(true).map_err(harness)?;
        stream.set_read_timeout(None).map_err(harness)?;
        stream.set_write_timeout(Some(WRITE_SLICE)).map_err(harness)?;
        let (local, remote) = (stream.local_addr().ok(), stream.peer_addr().ok());
        let stream = Arc::new(stream);
        let shared = Arc::new(Shared {
            inbound: Watched::new(Inbound::new(manner.most_queued)),
            outbound: Watched::default(),
            tls: tls.map(Mutex::new),
            manner,
            trace: Mutex::default(),
        });
        let connection = Self {
            handle: Arc::new(Handle {
                shared: shared.clone(),
                stream: Mutex::new(Some(stream.clone())),
                threads: Mutex::default(),
                facts,
                local,
                remote,
            }),
        };
        let port = remote.map_or(0, |address| address.port());
        let (to_read, reading) = (stream.clone(), shared.clone());
        connection.spawn(format!("read {port}"), move || reader::run(&to_read, &reading)).map_err(harness)?;
        connection.spawn(format!("write {port}"), move || writer::run(&stream, &shared)).map_err(harness)?;
        Ok(connection)
    }

    /// Enqueues bytes as they stand. Never blocks; errors show when flushing, or as the connection's end.
    pub fn send(&self, bytes: &[u8]) {
        self.send_pieces([(bytes.to_vec(), Duration::ZERO)]);
    }

    /// Enqueues a payload with its length in front. Never blocks.
    pub fn send_frame(&self, payload: &[u8]) {
        self.send(&frame(payload));
    }

    /// Enqueues pieces, each with the pause before it. Each is written by itself, in TLS records of its own; together
    /// they keep their place among other sends. Never blocks.
    pub fn send_pieces(&self, pieces: impl IntoIterator<Item = (Vec<u8>, Duration)>) {
        let shared = &self.handle.shared;
        shared.outbound.change(|outbound| {
            for (bytes, pause) in pieces {
                if !pause.is_zero() {
                    outbound.push(Job::Pause(pause));
                }
                shared.enqueue(outbound, bytes);
            }
        });
    }

    /// Enqueues bytes that go straight into TCP, past TLS: to the other side they are a broken TLS record. Never blocks.
    pub fn send_beneath_tls(&self, bytes: &[u8]) {
        let shared = &self.handle.shared;
        shared.outbound.change(|outbound| {
            if outbound.push(Job::Beneath(bytes.to_vec())) {
                shared.note(Trace::Note(format!("sent beneath TLS: {}", shown(bytes, bytes.len()))));
            }
        });
    }

    /// Waits until all that has been enqueued, a close included, has been handed to the kernel.
    pub fn flush(&self, deadline: Instant) -> Result<(), FlushError> {
        let outbound = &self.handle.shared.outbound;
        let mark = outbound.look().mark();
        outbound
            .wait_until(deadline, |outbound| match &outbound.failed {
                _ if outbound.has_done(mark) => Some(Ok(())),
                Some(failed) => Some(Err(FlushError::Closed(failed.clone()))),
                None => outbound.is_aborted().then(|| Err(FlushError::Closed("this peer reset it".to_owned()))),
            })
            .unwrap_or(Err(FlushError::TimedOut))
    }

    /// The next frame or the connection's end, whichever comes first. Frames that came before the end come first.
    pub fn next(&self, deadline: Instant) -> Received {
        let taken = self.handle.shared.inbound.wait_until(deadline, Inbound::take).unwrap_or(Received::TimedOut);
        // The reader may be waiting for room in the queue.
        self.handle.shared.inbound.change(|_| ());
        taken
    }

    /// What [`Connection::next`] would return at this moment, taken without waiting.
    pub fn try_next(&self) -> Option<Received> {
        self.handle.shared.inbound.change(Inbound::take)
    }

    /// Puts a frame back, so that it comes next.
    pub fn put_back(&self, at: Instant, payload: Vec<u8>) {
        self.handle.shared.inbound.change(|inbound| inbound.put_back(at, payload));
    }

    /// How the connection has ended, if it has, whatever frames still wait to be taken.
    pub fn closing(&self) -> Option<Closing> {
        self.handle.shared.inbound.look().closing().cloned()
    }

    /// Waits for the connection's end and leaves the frames in the queue. `None`: it still stands at the deadline.
    pub fn wait_closed(&self, deadline: Instant) -> Option<Closing> {
        self.handle.shared.inbound.wait_until(deadline, |inbound| inbound.closing().cloned())
    }

    /// Ends this side. An orderly close follows what is enqueued and does not wait for it: see [`Connection::flush`].
    pub fn close(&self, how: Close) {
        let shared = &self.handle.shared;
        shared.note(Trace::Note(format!("this peer closes: {how:?}")));
        if how == Close::Reset {
            self.handle.reset();
            return;
        }
        if how != Close::HalfClose {
            shared.inbound.change(|inbound| inbound.discarding = true);
        }
        let close_notify = how == Close::CloseNotifyThenFin;
        // Closing twice is closing once.
        shared.outbound.change(|outbound| outbound.push(Job::Finish { close_notify }));
    }

    /// Whether the peer reads from the network. One that does not notices neither frames nor the connection's end.
    pub fn set_reading(&self, reading: bool) {
        self.handle
            .shared
            .note(Trace::Note(format!("this peer {} reading", if reading { "goes on" } else { "stops" })));
        self.handle.shared.inbound.change(|inbound| inbound.reading = reading);
    }

    /// Whether PINGs are answered by themselves in the session phase (true at first) or queued as frames.
    pub fn set_answer_pings(&self, answer: bool) {
        self.handle.shared.inbound.change(|inbound| inbound.set_answer_pings(answer));
    }

    /// Sets the rules for what arrives. PINGs that have arrived already are answered on entering the session phase.
    pub fn set_phase(&self, phase: Phase) {
        let nonces = self.handle.shared.inbound.change(|inbound| inbound.enter(phase));
        for nonce in nonces {
            self.handle.shared.answer(nonce);
        }
    }

    /// All PINGs of the session phase so far, answered or not. PINGs with fewer than 8 bytes are none.
    pub fn pings(&self) -> Vec<Ping> {
        self.handle.shared.inbound.look().pings().to_vec()
    }

    /// Waits until so many PINGs have come, or the connection has ended; returns all there are at that time or at the deadline.
    pub fn wait_pings(&self, count: usize, deadline: Instant) -> Vec<Ping> {
        self.handle.shared.inbound.wait_until(deadline, |inbound| {
            (inbound.pings().len() >= count || inbound.closing().is_some()).then_some(())
        });
        self.pings()
    }

    /// What TLS told about the other side.
    pub fn tls_facts(&self) -> &TlsFacts {
        &self.handle.facts
    }

    /// Everything that has happened on this connection, in order.
    pub fn trace(&self) -> Vec<TraceEntry> {
        self.handle.shared.trace.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// This side's address, while the connection could tell it.
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.handle.local
    }

    /// The node's address.
    pub fn remote_address(&self) -> Option<SocketAddr> {
        self.handle.remote
    }

    /// Counts, while it is not dropped, the threads that still hold the connection.
    #[cfg(test)]
    pub(crate) fn downgrade(&self) -> std::sync::Weak<Shared> {
        Arc::downgrade(&self.handle.shared)
    }

    fn spawn(&self, name: String, body: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        let thread = thread::Builder::new().name(name).spawn(body)?;
        self.handle.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("local", &self.handle.local).field("remote", &self.handle.remote).finish()
    }
}

impl Shared {
    pub(crate) fn note(&self, what: Trace) {
        if !self.manner.traced {
            return;
        }
        let entry = TraceEntry { at: Instant::now(), what };
        self.trace.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// Enqueues the PONG that answers a PING.
    pub(crate) fn answer(&self, nonce: [u8; 8]) {
        let mut pong = vec![PONG];
        pong.extend_from_slice(&nonce);
        let bytes = frame(&pong);
        self.outbound.change(|outbound| self.enqueue(outbound, bytes));
    }

    /// Under the lock of `outbound`, so that the trace has the order of the wire.
    fn enqueue(&self, outbound: &mut Outbound, bytes: Vec<u8>) {
        let entry = Trace::sent(&bytes);
        let length = bytes.len();
        if outbound.push(Job::Send(bytes)) {
            self.note(entry);
        } else {
            self.note(Trace::Note(format!("{length} bytes are not sent: this side has ended")));
        }
    }
}

impl Handle {
    /// Sends RST: the socket must be closed, all shares of it, with nothing to linger for.
    fn reset(&self) {
        let Some(stream) = self.stream.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        // Only fails on a socket that is no socket.
        let _ = SockRef::from(&*stream).set_linger(Some(Duration::ZERO));
        self.abort();
        // Wakes the reader and, other than a shutdown of both sides, sends nothing.
        let _ = stream.shutdown(Shutdown::Read);
        for thread in std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner)) {
            // A thread that panicked has dropped its share as well.
            let _ = thread.join();
        }
        drop(stream);
    }

    fn abort(&self) {
        self.shared.inbound.change(|inbound| {
            inbound.aborted = true;
            inbound.close(Closing { at: Instant::now(), kind: ClosingKind::Own, mid_frame: false });
        });
        self.shared.outbound.change(|outbound| outbound.aborted = true);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let Some(stream) = self.stream.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        if self.shared.outbound.look().is_orderly() {
            self.shared.inbound.change(|inbound| inbound.discarding = true);
            self.shared.outbound.change(|outbound| outbound.farewell = Some(Instant::now() + FAREWELL));
        } else {
            self.abort();
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}
