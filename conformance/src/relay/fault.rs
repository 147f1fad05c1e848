//! The faults of links, and the points at which they strike. Data; what comes of it is the state's and the pumps' business.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::link::{From, Link};

/// Judges the fields of a frame, as JSON. Scenarios make it; a relay only asks it.
#[derive(Clone)]
pub(crate) struct FieldCheck(pub(crate) Arc<dyn Fn(&Value) -> bool + Send + Sync>);

impl fmt::Debug for FieldCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FieldCheck")
    }
}

/// A point of the protocol.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// The relay has accepted a TCP connection and done nothing else.
    Connect,
    /// A frame stands at the head of its direction.
    Frame {
        /// Its message, by its name in the schema.
        message: String,
        /// What its fields have to be.
        fields: Option<FieldCheck>,
        /// Who sends it.
        from: From,
        /// The how-manieth such frame of its connection, from 1.
        nth: u64,
        /// The point lies behind the frame, which is passed on, and not before it.
        after: bool,
    },
}

/// What happens at a point, or at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing is passed on until it is released; nothing is lost.
    Hold,
    /// The connection, or one direction of it, ends.
    Cut {
        how: CutHow,
        /// So many bytes of the frame at the point still go out, its length included.
        keep: Option<usize>,
    },
    /// One byte of the frame, or of the next bytes, is turned over.
    Corrupt {
        /// Which, from 0: of the payload, or of the ciphertext.
        byte: usize,
    },
}

/// How a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CutHow {
    /// FIN, without a `close_notify`.
    Fin,
    /// RST.
    Reset,
    /// Nothing is told: what is sent vanishes.
    Silent,
}

/// A fault that has been asked for and may not have struck yet.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) id: u64,
    pub(super) link: Link,
    pub(super) from: From,
    /// `None`: at once, for connections that stand and for those to come.
    pub(super) place: Option<Place>,
    pub(super) fault: Fault,
}

/// How a direction passes on what goes over it, for as long as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Each frame is late by that much; the rate stays.
    Delay(Duration),
    /// Bytes a second, at most.
    Throttle(u64),
    /// Frames go in pieces, each a write (and a TLS record) of its own.
    Split(Split),
}

/// Where bytes are cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Split {
    /// Pieces of that many bytes.
    Every(usize),
    /// Pieces of these sizes, then the rest.
    Sizes(Vec<usize>),
}

impl Split {
    /// Cuts bytes; every piece has at least one, and none is lost.
    pub(super) fn cut<'a>(&self, bytes: &'a [u8]) -> Vec<&'a [u8]> {
        match self {
            Self::Every(size) => bytes.chunks((*size).max(1)).collect(),
            Self::Sizes(sizes) => {
                let mut rest = bytes;
                let mut pieces = Vec::new();
                for size in sizes {
                    let (piece, after) = rest.split_at((*size).min(rest.len()));
                    pieces.push(piece);
                    rest = after;
                }
                pieces.push(rest);
                pieces.retain(|piece| !piece.is_empty());
                pieces
            }
        }
    }
}

/// Connections that are to come to nothing.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) link: Link,
    pub(super) how: CutHow,
}
