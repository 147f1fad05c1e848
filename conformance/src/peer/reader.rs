//! The reader thread of a connection: socket to TLS to frames to queue. It never writes and never waits for the writer's socket.

use std::io::{self, ErrorKind, Read};
use std::net::TcpStream;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::assembler::{Assembler, TooLong};
use super::connection::Shared;
use super::inbound::{Closing, ClosingKind};
use super::trace::Trace;

/// One read's worth of bytes: frames of 16 MiB come in some 64 reads.
const CHUNK: usize = 256 * 1024;

/// Reads until the connection ends or is abandoned.
pub(crate) fn run(stream: &TcpStream, shared: &Shared) {
    let mut reader = Reader { shared, assembler: Assembler::default(), plain: Vec::new() };
    let kind = reader.read_all(stream);
    let at = Instant::now();
    let kind = match kind {
        ClosingKind::Fin if writer_was_reset(shared) => ClosingKind::Reset,
        kind => kind,
    };
    shared.inbound.change(|inbound| {
        if !inbound.aborted {
            shared.note(Trace::Note(format!("the connection ended: {kind:?}")));
        }
        inbound.close(Closing { at, kind, mid_frame: !reader.assembler.is_between_frames() });
    });
    shared.outbound.change(|outbound| outbound.reader_ended = true);
}

struct Reader<'a> {
    shared: &'a Shared,
    assembler: Assembler,
    /// Decrypted bytes on their way to the assembler; kept to be used again.
    plain: Vec<u8>,
}

impl Reader<'_> {
    fn read_all(&mut self, mut stream: &TcpStream) -> ClosingKind {
        let mut chunk = vec![0; CHUNK];
        // The first frames may have come in one piece with the end of the TLS handshake.
        if let Err(kind) = self.take_in(&[]) {
            return kind;
        }
        loop {
            if !self.may_go_on() {
                return ClosingKind::Own;
            }
            // Looking first: bytes that come after the peer has stopped reading must stay where they are.
            match stream.peek(&mut [0]) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return ending(&error),
            }
            if !self.shared.inbound.look().may_read() {
                continue;
            }
            match stream.read(&mut chunk) {
                Ok(0) => return ClosingKind::Fin,
                Ok(length) => {
                    if let Err(kind) = self.take_in(&chunk[..length]) {
                        return kind;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return ending(&error),
            }
        }
    }

    /// Waits while the peer does not read. False: the reader must end.
    fn may_go_on(&self) -> bool {
        self.shared.inbound.wait(|inbound| (inbound.aborted || inbound.may_read()).then_some(!inbound.aborted))
    }

    fn take_in(&mut self, mut bytes: &[u8]) -> Result<(), ClosingKind> {
        let Some(tls) = &self.shared.tls else {
            if !bytes.is_empty() {
                self.shared.note(Trace::received(bytes));
                if self.shared.manner.queues_raw_bytes {
                    self.shared.inbound.change(|inbound| inbound.arrive(Instant::now(), bytes.to_vec()));
                }
            }
            return Ok(());
        };
        loop {
            self.plain.clear();
            let outcome = {
                let mut tls = tls.lock().unwrap_or_else(PoisonError::into_inner);
                let outcome = decrypt(&mut tls, &mut bytes, &mut self.plain);
                if tls.wants_write() {
                    drop(tls);
                    self.shared.outbound.change(super::outbound::Outbound::tls_has_something);
                }
                outcome
            };
            self.assemble()?;
            outcome?;
            if bytes.is_empty() {
                return Ok(());
            }
        }
    }

    fn assemble(&mut self) -> Result<(), ClosingKind> {
        if self.plain.is_empty() {
            return Ok(());
        }
        let mut payloads = Vec::new();
        let outcome = self.assembler.feed(&self.plain, &mut payloads);
        let at = Instant::now();
        let nonces: Vec<_> = self.shared.inbound.change(|inbound| {
            inbound.set_announced(self.assembler.announced());
            payloads
                .into_iter()
                .filter_map(|payload| {
                    self.shared.note(Trace::received(&payload));
                    inbound.arrive(at, payload)
                })
                .collect()
        });
        for nonce in nonces {
            self.shared.answer(nonce);
        }
        outcome.map_err(|TooLong { announced }| ClosingKind::TooLong { announced })
    }
}

/// Feeds TLS once and takes out what can be read. At most one buffer of TLS's own is used up, so that its size stays bounded.
fn decrypt(tls: &mut rustls::Connection, bytes: &mut &[u8], plain: &mut Vec<u8>) -> Result<(), ClosingKind> {
    if !bytes.is_empty() {
        tls.read_tls(bytes).map_err(|error| ClosingKind::BadTls(error.to_string()))?;
    }
    let state = tls.process_new_packets();
    let readable = match &state {
        Ok(state) => state.plaintext_bytes_to_read(),
        Err(_) => 0,
    };
    // Reads what is there; that TLS has no more for now is no error.
    let _ = tls.reader().take(readable as u64).read_to_end(plain);
    match state {
        Ok(state) if state.peer_has_closed() => Err(ClosingKind::CloseNotify),
        Ok(_) => Ok(()),
        Err(rustls::Error::AlertReceived(alert)) => Err(ClosingKind::Alert(format!("{alert:?}"))),
        Err(error) => Err(ClosingKind::BadTls(error.to_string())),
    }
}

fn ending(error: &io::Error) -> ClosingKind {
    match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => ClosingKind::Reset,
        _ => ClosingKind::Failed(error.to_string()),
    }
}

/// An RST is told by the kernel once. If the writer was told, the reader sees what looks like a FIN. A writer that is
/// inside a write at this moment is waited for, but not for long: after a true FIN it may be blocked rightly.
fn writer_was_reset(shared: &Shared) -> bool {
    let soon = Instant::now() + Duration::from_millis(100);
    shared.outbound.wait_until(soon, |outbound| (!outbound.busy || outbound.reset).then_some(()));
    shared.outbound.look().reset
}
