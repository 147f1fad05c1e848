//! The writer thread of a connection: the only one that writes to its socket. It holds no lock while it does.

use std::io::{ErrorKind, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::connection::Shared;
use super::outbound::{Job, Outbound};
use super::trace::Trace;

/// How much is encrypted at a time: bounds memory, and lets the reader have its turn at TLS.
const CHUNK: usize = 256 * 1024;

/// Writes until there is nothing more to write: finished, failed or abandoned.
pub(crate) fn run(stream: &TcpStream, shared: &Shared) {
    let writer = Writer { stream, shared };
    while let Some(job) = shared.outbound.wait(Outbound::take) {
        let was_queued = !matches!(job, Job::Tls);
        let outcome = writer.perform(job);
        shared.outbound.change(|outbound| {
            if let Err(failure) = outcome {
                outbound.reset |= failure == Failure::Reset;
                outbound.failed.get_or_insert(failure.to_string());
            }
            outbound.finish(was_queued && outbound.failed.is_none());
        });
    }
    see_off(stream, shared);
}

/// Stays until the reader has ended or a farewell is over, and ends the reader then. A socket that is closed while there
/// is something to read sends RST, and that would take from the other side what it has not read yet.
fn see_off(stream: &TcpStream, shared: &Shared) {
    let over = |outbound: &mut Outbound| (outbound.reader_ended || outbound.aborted).then_some(());
    let farewell = shared.outbound.wait(|outbound| match over(outbound) {
        Some(()) => Some(None),
        None => outbound.farewell.map(Some),
    });
    if let Some(until) = farewell
        && shared.outbound.wait_until(until, over).is_none()
    {
        shared.inbound.change(|inbound| inbound.aborted = true);
        // Wakes the reader; a socket that is gone needs no waking.
        let _ = stream.shutdown(Shutdown::Both);
    }
}

struct Writer<'a> {
    stream: &'a TcpStream,
    shared: &'a Shared,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Failure {
    #[error("the node reset it")]
    Reset,
    #[error("this peer gave it up")]
    Aborted,
    #[error("{0}")]
    Other(String),
}

impl Writer<'_> {
    fn perform(&self, job: Job) -> Result<(), Failure> {
        match job {
            Job::Send(bytes) => bytes.chunks(CHUNK).try_for_each(|chunk| self.write(&self.seal(chunk)?)),
            Job::Beneath(bytes) => self.write(&bytes),
            Job::Tls => self.write(&self.seal(&[])?),
            Job::Pause(pause) => self.pause(pause),
            Job::Finish { close_notify } => {
                if close_notify && let Some(tls) = &self.shared.tls {
                    tls.lock().unwrap_or_else(PoisonError::into_inner).send_close_notify();
                    self.write(&self.seal(&[])?)?;
                }
                self.shared.note(Trace::Note("FIN sent".to_owned()));
                // Fails when the other side has reset the connection, which the reader reports.
                let _ = self.stream.shutdown(Shutdown::Write);
                Ok(())
            }
        }
    }

    /// The TLS records that carry these bytes, after those that TLS itself wants to send.
    fn seal(&self, plain: &[u8]) -> Result<Vec<u8>, Failure> {
        let Some(tls) = &self.shared.tls else { return Ok(plain.to_vec()) };
        let failed = |error: std::io::Error| Failure::Other(error.to_string());
        let mut tls = tls.lock().unwrap_or_else(PoisonError::into_inner);
        let mut records = Vec::with_capacity(plain.len() + plain.len() / 256 + 64);
        tls.set_buffer_limit(None);
        tls.writer().write_all(plain).map_err(failed)?;
        while tls.wants_write() {
            tls.write_tls(&mut records).map_err(failed)?;
        }
        Ok(records)
    }

    fn write(&self, mut bytes: &[u8]) -> Result<(), Failure> {
        let mut stream = self.stream;
        while !bytes.is_empty() {
            match stream.write(bytes) {
                Ok(0) => return Err(Failure::Other("the socket takes no bytes".to_owned())),
                Ok(written) => bytes = &bytes[written..],
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                        if self.shared.outbound.look().is_aborted() {
                            return Err(Failure::Aborted);
                        }
                    }
                    ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => return Err(Failure::Reset),
                    _ => return Err(Failure::Other(error.to_string())),
                },
            }
        }
        Ok(())
    }

    fn pause(&self, pause: Duration) -> Result<(), Failure> {
        let over = Instant::now() + pause;
        // A connection that has been given up keeps no pauses, even if what is enqueued still has its time.
        match self
            .shared
            .outbound
            .wait_until(over, |outbound| (outbound.aborted || outbound.farewell.is_some()).then_some(()))
        {
            Some(()) => Err(Failure::Aborted),
            None => Ok(()),
        }
    }
}
