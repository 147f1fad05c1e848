//! Faults of what comes behind the point at which a connection has to be closed (RES-1).

use std::collections::BTreeSet;

use crate::{
    faults::{
        filter::{Context, Filter},
        table::Fault,
    },
    node::{ConnId, Role},
    wire::{MAX_HANDSHAKE_PAYLOAD, MAX_SESSION_PAYLOAD, framing::HEADER, handshake::REPLY, message::Phase},
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "frames-behind-an-over-long-length-count",
        requirement: "RES-1",
        description: "In a session a length over the limit closes the connection only when what came with it has been read.",
        make: || Box::new(LengthLast { phase: Phase::Session, limit: MAX_SESSION_PAYLOAD }),
    },
    Fault {
        id: "frames-behind-an-over-long-handshake-length-count",
        requirement: "RES-1",
        description: "In the handshake a length over the limit closes the connection only when what came with it has been read.",
        make: || Box::new(LengthLast { phase: Phase::Handshake, limit: MAX_HANDSHAKE_PAYLOAD }),
    },
    Fault {
        id: "a-reply-behind-a-wrong-message-counts",
        requirement: "RES-1",
        description: "Where more comes with a message out of turn, the acceptor looks for REPLY behind it before it closes.",
        make: || Box::<LooksForReply>::default(),
    },
];

/// Puts a length over the limit behind all that came with it.
struct LengthLast {
    phase: Phase,
    limit: usize,
}

impl Filter for LengthLast {
    fn bytes_in(&mut self, context: &mut Context<'_>, conn: ConnId, bytes: Vec<u8>) -> Vec<u8> {
        if context.phase(conn) != Some(self.phase) {
            return bytes;
        }
        let mut at = 0;
        // Peers that this is for send whole frames; what is no frame is left as it is.
        while let Some(header) = bytes[at..].first_chunk::<HEADER>() {
            let length = u32::from_le_bytes(*header) as usize;
            if length > self.limit {
                return [&bytes[..at], &bytes[at + HEADER..], header.as_slice()].concat();
            }
            at += HEADER + length;
            if at > bytes.len() {
                break;
            }
        }
        bytes
    }
}

#[derive(Default)]
struct LooksForReply {
    /// Connections whose last piece had several frames in it.
    many: BTreeSet<ConnId>,
}

impl Filter for LooksForReply {
    fn bytes_in(&mut self, _context: &mut Context<'_>, conn: ConnId, bytes: Vec<u8>) -> Vec<u8> {
        let first = bytes.first_chunk::<HEADER>().map(|header| u32::from_le_bytes(*header) as usize);
        if first.is_some_and(|length| bytes.len() > HEADER + length) {
            self.many.insert(conn);
        } else {
            self.many.remove(&conn);
        }
        bytes
    }

    fn frame_in(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        let view = context.connection(conn);
        let awaits_reply = conn.role == Role::Accepted
            && view.is_some_and(|view| view.phase == Phase::Handshake && view.peer.is_some());
        let skipped = awaits_reply && self.many.contains(&conn) && payload.first() != Some(&REPLY);
        (!skipped).then_some(payload)
    }
}
