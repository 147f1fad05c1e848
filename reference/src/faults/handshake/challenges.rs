//! Challenges: stale ones sent, reflected ones answered.

use std::collections::BTreeMap;

use super::super::{
    filter::{Context, Filter},
    single::on_entropy,
    table::Fault,
};
use crate::{
    node::{ConnId, Role},
    wire::{
        Message, Payload,
        handshake::{Ack, CHALLENGE, Challenge, ChallengeMessage, Reply},
        message::Phase,
    },
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "constant-challenges",
        requirement: "HS-19",
        description: "All challenges are the same 32 bytes.",
        make: || {
            on_entropy(|bytes| {
                if bytes.len() == CHALLENGE_BYTES {
                    bytes.fill(0x5a);
                }
            })
        },
    },
    Fault {
        id: "every-second-challenge-is-a-repeat",
        requirement: "HS-19",
        description: "Each challenge is sent on two connections.",
        make: || {
            let mut last: Option<Vec<u8>> = None;
            on_entropy(move |bytes| {
                if bytes.len() == CHALLENGE_BYTES {
                    match last.take() {
                        Some(last) => bytes.copy_from_slice(&last),
                        None => last = Some(bytes.to_vec()),
                    }
                }
            })
        },
    },
    Fault {
        id: "constant-challenges-in-reply",
        requirement: "HS-19",
        description: "The initiator's challenges are the same in each dial.",
        make: || Box::new(ConstantInReply::default()),
    },
    Fault {
        id: "initiator-answers-its-own-challenge",
        requirement: "HS-27",
        description: "The initiator answers every challenge, those of its own node among them.",
        make: || answers_reflected(Role::Dialled),
    },
    Fault {
        id: "acceptor-answers-its-own-challenge",
        requirement: "HS-27",
        description: "The acceptor answers every challenge, those of its own node among them.",
        make: || answers_reflected(Role::Accepted),
    },
];

/// Randomness of this length is asked for challenges alone.
const CHALLENGE_BYTES: usize = 32;

#[derive(Default)]
struct ConstantInReply {
    /// CHALLENGE is being answered.
    replies: bool,
}

impl Filter for ConstantInReply {
    fn frame_in(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        self.replies = conn.role == Role::Dialled && payload.first() == Some(&CHALLENGE);
        Some(payload)
    }

    fn entropy(&mut self, bytes: &mut [u8]) {
        if self.replies && bytes.len() == CHALLENGE_BYTES {
            bytes.fill(0x5a);
        }
    }
}

fn answers_reflected(role: Role) -> Box<dyn Filter> {
    Box::new(AnswersReflected { role, theirs: BTreeMap::new() })
}

/// Has the node see another challenge than the one that came, so that it finds nothing wrong with it; and proves the one
/// that came.
struct AnswersReflected {
    role: Role,
    theirs: BTreeMap<ConnId, Challenge>,
}

impl Filter for AnswersReflected {
    fn frame_in(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        if conn.role != self.role || context.phase(conn) != Some(Phase::Handshake) {
            return Some(payload);
        }
        match Message::decode(Phase::Handshake, &payload) {
            Ok((Message::Challenge(message), _)) => {
                self.theirs.insert(conn, message.challenge);
                ChallengeMessage { challenge: disguised(message.challenge), ..message }.encode().ok()
            }
            Ok((Message::Reply(reply), _)) => {
                self.theirs.insert(conn, reply.challenge);
                Reply { challenge: disguised(reply.challenge), ..reply }.encode().ok()
            }
            _ => Some(payload),
        }
    }

    fn frame_out(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        let (Some(theirs), Some(identity)) = (self.theirs.get(&conn), context.identity()) else { return Some(payload) };
        let proof = identity.cookie.prove(theirs);
        match Message::decode(Phase::Handshake, &payload) {
            Ok((Message::Reply(reply), _)) => Some(Reply { proof, ..reply }.encode().ok()?.into()),
            Ok((Message::Ack(_), _)) => Some(Ack { proof }.encode().ok()?.into()),
            _ => Some(payload),
        }
    }
}

fn disguised(challenge: Challenge) -> Challenge {
    challenge.map(|byte| !byte)
}
