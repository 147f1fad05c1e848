//! What went over one connection and when, kept for the report of a failed case.

use std::time::Instant;

/// How many bytes of one entry are kept. A trace is for reading; 16 MiB of filler are not.
const KEPT: usize = 64 * 1024;

/// How many bytes of what is no frame are shown: enough to know it by.
const SHOWN: usize = 32;

/// One thing that happened on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceEntry {
    /// When it was received whole, or enqueued for sending.
    pub at: Instant,
    /// What it was.
    pub what: Trace,
}

/// The kinds of trace entries. `length` is the true one in bytes; of longer ones only the first 64 KiB are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trace {
    /// Bytes as they were enqueued, length prefixes included.
    Sent {
        /// The bytes, or their beginning.
        bytes: Vec<u8>,
        /// How many there were.
        length: usize,
    },
    /// One frame's payload, without its length prefix; on a connection without TLS, bytes as they came.
    Received {
        /// The payload, or its beginning.
        payload: Vec<u8>,
        /// How many bytes there were.
        length: usize,
    },
    /// Anything else worth knowing: closes, stalls, TLS errors.
    Note(String),
}

impl Trace {
    pub(crate) fn sent(bytes: &[u8]) -> Self {
        Self::Sent { bytes: kept(bytes), length: bytes.len() }
    }

    pub(crate) fn received(payload: &[u8]) -> Self {
        Self::Received { payload: kept(payload), length: payload.len() }
    }
}

fn kept(bytes: &[u8]) -> Vec<u8> {
    bytes[..bytes.len().min(KEPT)].to_vec()
}

/// Bytes that are no frame, for people: `length` of them, of which at least the beginning is at hand.
pub(crate) fn shown(bytes: &[u8], length: usize) -> String {
    let begin = hex::encode(&bytes[..bytes.len().min(SHOWN)]);
    let rest = if length > SHOWN { "…" } else { "" };
    format!("{begin}{rest} ({length} bytes)")
}
