//! Faults of the handshake.

use std::collections::BTreeMap;

use super::{
    filter::{Context, Filter},
    table::Fault,
};
use crate::{
    node::ConnId,
    wire::{
        Message, Payload,
        handshake::{Challenge, Reply},
        message::Phase,
    },
};

pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        id: "accept-any-proof-in-reply",
        requirement: "HS-9",
        description: "The acceptor takes every REPLY for right, whatever its proof.",
        make: || Box::new(AcceptAnyProofInReply::default()),
    },
    Fault {
        id: "constant-challenges",
        requirement: "HS-19",
        description: "All challenges are the same 32 bytes.",
        make: || Box::new(ConstantChallenges),
    },
];

/// Writes the right proof into every REPLY before the node sees it.
#[derive(Default)]
struct AcceptAnyProofInReply {
    sent: BTreeMap<ConnId, Challenge>,
}

impl Filter for AcceptAnyProofInReply {
    fn frame_out(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        if let Ok((Message::Challenge(message), _)) = Message::decode(Phase::Handshake, &payload) {
            self.sent.insert(conn, message.challenge);
        }
        Some(payload)
    }

    fn frame_in(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        let reply = match Message::decode(Phase::Handshake, &payload) {
            Ok((Message::Reply(reply), _)) => reply,
            _ => return Some(payload),
        };
        let (Some(identity), Some(challenge)) = (context.identity(), self.sent.remove(&conn)) else {
            return Some(payload);
        };
        Reply { proof: identity.cookie.prove(&challenge), ..reply }.encode().ok()
    }
}

struct ConstantChallenges;

impl Filter for ConstantChallenges {
    fn entropy(&mut self, bytes: &mut [u8]) {
        if bytes.len() == 32 {
            bytes.fill(0x5a);
        }
    }
}
