//! One relayed connection: who is at its ends, what is held or cut on it, and what went over it. No sockets of its own, no threads.

use std::collections::HashMap;
use std::time::Instant;

use crate::peer::Connection;
use crate::schema::Phase;

use super::link::{Parties, Side};

/// How many bytes of one frame are kept for reports and for judging its fields.
const KEPT: usize = 64 * 1024;

/// A connection that a relay has accepted, ended or not.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) number: usize,
    pub(super) parties: Parties,
    pub(super) flows: [Flow; 2],
    /// ACK has been passed on.
    pub(crate) authenticated: bool,
    /// One of its ends has closed it, or it has been cut.
    pub(crate) over: bool,
    /// The dialler's and the fronted node's, each from the end of its TLS handshake on.
    pub(super) ends: [Option<Connection>; 2],
    /// One of the ends has not come about, or both directions are done with.
    pub(super) gone: bool,
    pub(crate) lines: Vec<Line>,
    /// How many frames have met a rule's description, by rule.
    pub(super) met: HashMap<u64, u64>,
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// The rules that hold it.
    pub(super) held_by: Vec<u64>,
    /// One of them holds it at a point, which has been reached.
    pub(super) at_point: bool,
    /// Frames that may go although it is held.
    pub(super) permits: u64,
    /// Something stands before the gate.
    pub(super) waiting: bool,
    /// What comes is lost.
    pub(super) cut: bool,
}

/// Something that happened on a connection.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) at: Instant,
    pub(crate) what: Crossing,
}

/// What happened.
#[derive(Debug)]
pub(crate) enum Crossing {
    /// A frame (in mode tcp: bytes) reached the end of its way through the relay.
    Frame {
        from: Side,
        phase: Phase,
        /// The payload, or its beginning.
        payload: Vec<u8>,
        /// How many bytes there were.
        length: usize,
        fate: Fate,
    },
    /// Anything else worth knowing.
    Note(String),
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Passed on as it was.
    Passed,
    /// Passed on with one byte turned over.
    Corrupted,
    /// Passed on in part: so many bytes of it, its length included.
    Part(usize),
    /// Lost.
    Lost,
}

impl Wire {
    pub(super) fn new(number: usize, fronted: &str) -> Self {
        Self {
            number,
            parties: Parties { dialler: None, fronted: fronted.to_owned() },
            flows: <[Flow; 2]>::default(),
            authenticated: false,
            over: false,
            ends: [None, None],
            gone: false,
            lines: Vec::new(),
            met: HashMap::new(),
        }
    }

    /// Who opened it, as far as is known.
    pub(crate) fn dialler(&self) -> Option<&str> {
        self.parties.dialler.as_deref()
    }

    /// Before whom the relay stands.
    pub(crate) fn fronted(&self) -> &str {
        &self.parties.fronted
    }

    pub(super) fn phase(&self) -> Phase {
        if self.authenticated { Phase::Session } else { Phase::Handshake }
    }

    pub(super) fn flow(&mut self, from: Side) -> &mut Flow {
        &mut self.flows[from as usize]
    }

    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.lines.push(Line { at: Instant::now(), what: Crossing::Note(text.into()) });
    }

    pub(super) fn crossed(&mut self, from: Side, payload: &[u8], fate: Fate) {
        let phase = self.phase();
        let kept = payload[..payload.len().min(KEPT)].to_vec();
        let what = Crossing::Frame { from, phase, payload: kept, length: payload.len(), fate };
        self.lines.push(Line { at: Instant::now(), what });
    }
}
