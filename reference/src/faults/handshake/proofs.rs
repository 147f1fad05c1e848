//! Proofs of the cookie: wrong ones sent, wrong ones taken; and cookies that are not used as they are.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::{
    filter::{Context, Filter},
    single::{on_frame_out, on_request},
    table::Fault,
};
use crate::{
    node::ConnId,
    wire::{
        Message, Payload,
        handshake::{ACK, Ack, Challenge, Proof, REPLY, Reply},
        message::Phase,
    },
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "reply-proves-its-own-challenge",
        requirement: "HS-7",
        description: "The proof in REPLY is that of the challenge in REPLY.",
        make: || {
            on_frame_out(|context, _, payload| {
                let Ok((Message::Reply(reply), _)) = Message::decode(Phase::Handshake, &payload) else {
                    return Some(payload);
                };
                let proof = context.identity()?.cookie.prove(&reply.challenge);
                Some(Reply { proof, ..reply }.encode().ok()?.into())
            })
        },
    },
    Fault {
        id: "ack-repeats-the-peers-proof",
        requirement: "HS-8",
        description: "The proof in ACK is the one that REPLY brought.",
        make: || Box::new(AckRepeatsProof::default()),
    },
    Fault {
        id: "accept-any-proof-in-reply",
        requirement: "HS-9",
        description: "The acceptor takes every REPLY for right, whatever its proof.",
        make: || {
            takes(|payload, right| {
                if is_whole_reply(payload) {
                    payload[1..33].copy_from_slice(right)
                }
            })
        },
    },
    Fault {
        id: "reply-is-compared-to-its-last-byte-but-one",
        requirement: "HS-9",
        description: "The acceptor compares the first 31 bytes of the proof in REPLY.",
        make: || {
            takes(|payload, right| {
                if is_whole_reply(payload) && payload[1..32] == right[..31] {
                    payload[32] = right[31];
                }
            })
        },
    },
    Fault {
        id: "wrong-proof-is-told",
        requirement: "HS-9",
        description: "The acceptor says that the proof in REPLY is wrong before it closes.",
        make: || {
            judges(|context, conn, payload, right| {
                if is_whole_reply(payload) && payload[1..33] != *right {
                    context.send(conn, *b"\xffwrong proof");
                }
            })
        },
    },
    Fault {
        id: "accept-any-proof-in-ack",
        requirement: "HS-10",
        description: "The initiator takes every ACK for right, whatever its proof.",
        make: || {
            takes(|payload, right| {
                if payload.first() == Some(&ACK) && payload.len() >= 33 {
                    payload[1..33].copy_from_slice(right);
                }
            })
        },
    },
    Fault {
        id: "ack-is-compared-by-its-first-half",
        requirement: "HS-10",
        description: "The initiator compares the first 16 bytes of the proof in ACK.",
        make: || {
            takes(|payload, right| {
                if payload.first() == Some(&ACK) && payload.len() >= 33 && payload[1..17] == right[..16] {
                    payload[1..33].copy_from_slice(right);
                }
            })
        },
    },
    Fault {
        id: "short-ack-is-compared-as-far-as-it-goes",
        requirement: "HS-13",
        description: "The initiator takes the beginning of the right proof in ACK for the proof, and no bytes as well.",
        make: || {
            takes(|payload, right| {
                if payload.first() == Some(&ACK) && right.starts_with(&payload[1..]) {
                    payload.splice(1.., *right);
                }
            })
        },
    },
    Fault {
        id: "cookie-ends-at-nul",
        requirement: "HS-17",
        description: "A cookie ends before its first byte 0, unless it begins with it.",
        make: || {
            rewrites_cookie(|cookie| {
                let nul = cookie.iter().position(|byte| *byte == 0);
                cookie.truncate(nul.filter(|nul| *nul > 0).unwrap_or(cookie.len()));
            })
        },
    },
    Fault {
        id: "cookie-without-its-line-end",
        requirement: "HS-17",
        description: "A newline at the end of a cookie does not count.",
        make: || {
            rewrites_cookie(|cookie| {
                if cookie.len() > 1 && cookie.ends_with(b"\n") {
                    cookie.pop();
                }
            })
        },
    },
    Fault {
        id: "cookie-of-64-bytes-at-most",
        requirement: "HS-17",
        description: "What is behind the first 64 bytes of a cookie does not count.",
        make: || rewrites_cookie(|cookie| cookie.truncate(64)),
    },
    Fault {
        id: "empty-cookie-is-taken",
        requirement: "HS-18",
        description: "A node starts with an empty cookie.",
        // As HMAC's key, a byte 0 is the same as no byte.
        make: || {
            rewrites_cookie(|cookie| {
                if cookie.is_empty() {
                    cookie.push(0);
                }
            })
        },
    },
];

/// Changes the cookie that a node is started with.
fn rewrites_cookie(edit: fn(&mut Vec<u8>)) -> Box<dyn Filter> {
    on_request(move |method, params| {
        if method == "node.start"
            && let Some(value) = params.get_mut("cookie")
            && let Some(Ok(mut cookie)) = value.as_str().map(hex::decode)
        {
            edit(&mut cookie);
            *value = Value::String(hex::encode(cookie));
        }
    })
}

fn is_whole_reply(payload: &[u8]) -> bool {
    payload.first() == Some(&REPLY) && payload.len() >= 65
}

#[derive(Default)]
struct AckRepeatsProof {
    brought: BTreeMap<ConnId, Proof>,
}

impl Filter for AckRepeatsProof {
    fn frame_in(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        if let Ok((Message::Reply(reply), _)) = Message::decode(Phase::Handshake, &payload) {
            self.brought.insert(conn, reply.proof);
        }
        Some(payload)
    }

    fn frame_out(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        match self.brought.get(&conn) {
            Some(proof) if payload.first() == Some(&ACK) => Some(Ack { proof: *proof }.encode().ok()?.into()),
            _ => Some(payload),
        }
    }
}

/// Changes a REPLY or an ACK, the right proof being known.
fn takes(edit: fn(&mut Vec<u8>, &Proof)) -> Box<dyn Filter> {
    judges(move |_, _, payload, right| edit(payload, right))
}

fn judges(judge: impl FnMut(&mut Context<'_>, ConnId, &mut Vec<u8>, &Proof) + 'static) -> Box<dyn Filter> {
    Box::new(Judges { sent: BTreeMap::new(), judge })
}

struct Judges<F> {
    sent: BTreeMap<ConnId, Challenge>,
    judge: F,
}

impl<F: FnMut(&mut Context<'_>, ConnId, &mut Vec<u8>, &Proof)> Filter for Judges<F> {
    fn frame_out(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        let challenge = match Message::decode(Phase::Handshake, &payload) {
            Ok((Message::Challenge(message), _)) => Some(message.challenge),
            Ok((Message::Reply(message), _)) => Some(message.challenge),
            _ => None,
        };
        self.sent.extend(challenge.map(|challenge| (conn, challenge)));
        Some(payload)
    }

    fn frame_in(&mut self, context: &mut Context<'_>, conn: ConnId, mut payload: Vec<u8>) -> Option<Vec<u8>> {
        if let (Some(Phase::Handshake), Some(&(REPLY | ACK))) = (context.phase(conn), payload.first())
            && let (Some(identity), Some(challenge)) = (context.identity(), self.sent.get(&conn))
        {
            (self.judge)(context, conn, &mut payload, &identity.cookie.prove(challenge));
        }
        Some(payload)
    }
}
