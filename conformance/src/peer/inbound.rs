//! What has arrived on a connection and how it is to be judged. No sockets, no threads.

use std::collections::VecDeque;
use std::time::Instant;

use super::manner::Manner;
use super::{HANDSHAKE_LIMIT, SESSION_LIMIT};

const PING: u8 = 0xF0;

/// Which rules hold for what arrives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Payloads have at most 4096 bytes; a PING is a message like any other.
    #[default]
    Handshake,
    /// Payloads have at most 16 MiB; PINGs are answered.
    Session,
}

/// What a wait on a connection ended with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// A whole frame.
    Frame {
        /// When its last byte was read.
        at: Instant,
        /// The payload, without its length prefix.
        payload: Vec<u8>,
    },
    /// The connection has ended; all frames that came before have been taken. It stays so.
    Closed(Closing),
    /// The deadline passed and nothing had come.
    TimedOut,
}

/// The end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// When it was noticed.
    pub at: Instant,
    /// What it was.
    pub kind: ClosingKind,
    /// The stream ended within a frame.
    pub mid_frame: bool,
}

/// The ways in which a connection ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClosingKind {
    /// TCP FIN without a TLS `close_notify`.
    Fin,
    /// A TLS `close_notify`.
    CloseNotify,
    /// TCP RST.
    Reset,
    /// Any other TLS alert, by its name.
    Alert(String),
    /// The other side sent what is no TLS.
    BadTls(String),
    /// The other side announced a frame that the phase does not allow. The peer reads no further.
    TooLong {
        /// The length in bytes, as announced.
        announced: usize,
    },
    /// This peer itself reset or abandoned the connection.
    Own,
    /// Another error of the network.
    Failed(String),
}

/// A PING that the node sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ping {
    /// When it was read.
    pub at: Instant,
    /// Its first 8 bytes after the tag.
    pub nonce: [u8; 8],
    /// Whether a PONG was sent by itself.
    pub answered: bool,
}

#[derive(Debug)]
struct Frame {
    at: Instant,
    payload: Vec<u8>,
}

/// The receiving side's state.
#[derive(Debug)]
pub(crate) struct Inbound {
    phase: Phase,
    frames: VecDeque<Frame>,
    queued: usize,
    /// The length of the frame that is under way, if its header has arrived.
    announced: Option<usize>,
    closing: Option<Closing>,
    answer_pings: bool,
    pings: Vec<Ping>,
    /// Past this many queued bytes the reader stops reading.
    most_queued: usize,
    /// The peer reads. Else the reader leaves everything in the kernel.
    pub(crate) reading: bool,
    /// What arrives is traced but no longer queued: the peer has closed its side for good.
    pub(crate) discarding: bool,
    /// The reader must end.
    pub(crate) aborted: bool,
}

impl Default for Inbound {
    fn default() -> Self {
        Self {
            phase: Phase::default(),
            frames: VecDeque::new(),
            queued: 0,
            announced: None,
            closing: None,
            answer_pings: true,
            pings: Vec::new(),
            most_queued: Manner::PEER.most_queued,
            reading: true,
            discarding: false,
            aborted: false,
        }
    }
}

impl Inbound {
    /// Nothing has arrived yet.
    pub(crate) fn new(most_queued: usize) -> Self {
        Self { most_queued, ..Self::default() }
    }

    /// Takes in a whole frame. The result is a nonce to answer at once, if the frame is a PING and the peer is well-behaved.
    pub(crate) fn arrive(&mut self, at: Instant, payload: Vec<u8>) -> Option<[u8; 8]> {
        let nonce = ping_nonce(&payload);
        let answered = nonce.is_some() && self.phase == Phase::Session && self.answer_pings;
        if let Some(nonce) = nonce.filter(|_| self.phase == Phase::Session) {
            self.pings.push(Ping { at, nonce, answered });
        }
        if answered {
            return nonce;
        }
        if !self.discarding {
            self.queued += payload.len();
            self.frames.push_back(Frame { at, payload });
        }
        None
    }

    pub(crate) fn set_announced(&mut self, announced: Option<usize>) {
        self.announced = announced;
    }

    /// Changes the phase. PINGs that came with the end of the handshake are answered now: their nonces are the result.
    pub(crate) fn enter(&mut self, phase: Phase) -> Vec<[u8; 8]> {
        let mut nonces = Vec::new();
        if phase == Phase::Session && self.phase == Phase::Handshake {
            for Frame { at, payload } in std::mem::take(&mut self.frames) {
                self.phase = phase;
                self.queued -= payload.len();
                nonces.extend(self.arrive(at, payload));
            }
        }
        self.phase = phase;
        nonces
    }

    pub(crate) fn set_answer_pings(&mut self, answer: bool) {
        self.answer_pings = answer;
    }

    pub(crate) fn pings(&self) -> &[Ping] {
        &self.pings
    }

    /// The next thing for the case, if there is one. The phase's limit is applied here and not on arrival: what came
    /// right behind the handshake's last message is judged as part of the session.
    pub(crate) fn take(&mut self) -> Option<Received> {
        let limit = match self.phase {
            Phase::Handshake => HANDSHAKE_LIMIT,
            Phase::Session => SESSION_LIMIT,
        };
        let next = self.frames.front().map(|frame| frame.payload.len()).or(self.announced);
        if let Some(announced) = next.filter(|length| *length > limit && self.closing_is_not_too_long()) {
            self.frames.clear();
            self.queued = 0;
            self.closing =
                Some(Closing { at: Instant::now(), kind: ClosingKind::TooLong { announced }, mid_frame: true });
        }
        if let Some(Frame { at, payload }) = self.frames.pop_front() {
            self.queued -= payload.len();
            return Some(Received::Frame { at, payload });
        }
        self.closing.clone().map(Received::Closed)
    }

    /// Puts a frame back in front of the queue.
    pub(crate) fn put_back(&mut self, at: Instant, payload: Vec<u8>) {
        self.queued += payload.len();
        self.frames.push_front(Frame { at, payload });
    }

    /// Records the end. The first one counts: an RST after a FIN is no news.
    pub(crate) fn close(&mut self, closing: Closing) {
        self.closing.get_or_insert(closing);
    }

    pub(crate) fn closing(&self) -> Option<&Closing> {
        self.closing.as_ref()
    }

    /// Whether the reader may take more from the kernel.
    pub(crate) fn may_read(&self) -> bool {
        self.reading && self.queued < self.most_queued
    }

    fn closing_is_not_too_long(&self) -> bool {
        !matches!(self.closing, Some(Closing { kind: ClosingKind::TooLong { .. }, .. }))
    }
}

fn ping_nonce(payload: &[u8]) -> Option<[u8; 8]> {
    match payload {
        [PING, rest @ ..] => rest.first_chunk().copied(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ping() -> Vec<u8> {
        vec![PING, 1, 2, 3, 4, 5, 6, 7, 8]
    }

    #[test]
    fn a_ping_behind_the_handshake_is_answered_when_the_session_begins() {
        let mut inbound = Inbound::default();
        assert_eq!(inbound.arrive(Instant::now(), vec![4]), None);
        assert_eq!(inbound.arrive(Instant::now(), ping()), None);
        assert!(matches!(inbound.take(), Some(Received::Frame { payload, .. }) if payload == [4]));
        assert_eq!(inbound.enter(Phase::Session), [[1, 2, 3, 4, 5, 6, 7, 8]]);
        assert_eq!(inbound.take(), None);
        assert_eq!(inbound.pings().len(), 1);
    }

    #[test]
    fn a_long_frame_is_judged_by_the_phase_in_which_it_is_taken() {
        let long = vec![0x1D; HANDSHAKE_LIMIT + 1];
        let mut inbound = Inbound::default();
        inbound.arrive(Instant::now(), long.clone());
        inbound.enter(Phase::Session);
        assert!(matches!(inbound.take(), Some(Received::Frame { .. })));

        let mut inbound = Inbound::default();
        inbound.arrive(Instant::now(), long);
        for _ in 0..2 {
            let taken = inbound.take();
            assert!(
                matches!(taken, Some(Received::Closed(Closing { kind: ClosingKind::TooLong { announced: 4097 }, .. }))),
                "{taken:?}"
            );
        }
    }

    #[test]
    fn a_long_frame_is_judged_before_its_payload() {
        let mut inbound = Inbound::default();
        inbound.set_announced(Some(HANDSHAKE_LIMIT));
        assert_eq!(inbound.take(), None);
        inbound.set_announced(Some(HANDSHAKE_LIMIT + 1));
        assert!(matches!(inbound.take(), Some(Received::Closed(_))));
    }
}
