//! The four messages: what is in them, and which are taken.

use super::{
    super::{
        filter::{Context, Filter},
        single::{on_frame_in, on_frame_out},
        table::Fault,
    },
    identity::with_creation,
};
use crate::{
    node::{ConnId, Role},
    wire::{
        Message, Reader,
        handshake::{ACK, CHALLENGE, NAME, Name, REPLY},
        membership::{PING, PONG},
        message::Phase,
    },
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "name-carries-creation-1",
        requirement: "HS-5",
        description: "NAME carries 1 instead of the node's creation.",
        make: || {
            on_frame_out(|_, conn, payload| {
                let edited = (conn.role == Role::Dialled).then(|| with_creation(&payload, |_| 1)).flatten();
                Some(edited.unwrap_or(payload))
            })
        },
    },
    Fault {
        id: "challenge-carries-the-peers-creation",
        requirement: "HS-6",
        description: "CHALLENGE carries the creation that NAME brought.",
        make: || {
            on_frame_out(|context, conn, payload| {
                let theirs = context.connection(conn).and_then(|view| view.creation);
                let is_it = conn.role == Role::Accepted && payload.first() == Some(&CHALLENGE);
                let edited = theirs.filter(|_| is_it).and_then(|theirs| with_creation(&payload, |_| theirs.get()));
                Some(edited.unwrap_or(payload))
            })
        },
    },
    Fault {
        id: "second-name-is-ignored",
        requirement: "HS-12",
        description: "The acceptor ignores a second NAME and goes on waiting for REPLY.",
        make: || ignores(|expected, tag| expected == REPLY && tag == NAME),
    },
    Fault {
        id: "initiator-ignores-wrong-tags",
        requirement: "HS-12",
        description: "The initiator ignores messages that are out of turn, as it does in a session.",
        make: || ignores(|expected, tag| (expected == CHALLENGE || expected == ACK) && tag != expected),
    },
    Fault {
        id: "wrong-tag-is-answered",
        requirement: "HS-12",
        description: "The acceptor says what it waits for before it closes on a message out of turn.",
        make: || {
            on_frame_in(|context, conn, payload| {
                let expected = expected(context, conn).filter(|_| conn.role == Role::Accepted);
                if expected.is_some_and(|expected| payload.first().is_some_and(|tag| *tag != expected)) {
                    context.send(conn, *b"\xffout of turn");
                }
                Some(payload)
            })
        },
    },
    Fault {
        id: "ping-is-answered-in-the-handshake",
        requirement: "HS-12",
        description: "A PING is answered in the handshake too, which goes on.",
        make: || {
            on_frame_in(|context, conn, payload| {
                if expected(context, conn).is_some() && payload.first() == Some(&PING) {
                    context.send(conn, [&[PONG], &payload[1..]].concat());
                    return None;
                }
                Some(payload)
            })
        },
    },
    Fault {
        id: "short-reply-is-padded",
        requirement: "HS-13",
        description: "What is missing of the challenge in REPLY is taken for zeros.",
        make: || {
            on_frame_in(|_, conn, mut payload| {
                if conn.role == Role::Accepted && payload.first() == Some(&REPLY) && payload.len() >= 33 {
                    payload.resize(payload.len().max(65), 0);
                }
                Some(payload)
            })
        },
    },
    Fault {
        id: "bad-utf8-in-name-is-replaced",
        requirement: "HS-14",
        description: "The acceptor reads U+FFFD for what is not UTF-8 in NAME.",
        make: || on_frame_in(|_, _, payload| Some(with_replaced_name(&payload).unwrap_or(payload))),
    },
    Fault {
        id: "left-over-bytes-behind-reply-close",
        requirement: "HS-15",
        description: "The acceptor closes on bytes behind REPLY.",
        make: || closes_on_left_over(REPLY),
    },
    Fault {
        id: "left-over-bytes-behind-challenge-close",
        requirement: "HS-15",
        description: "The initiator closes on bytes behind CHALLENGE.",
        make: || closes_on_left_over(CHALLENGE),
    },
];

/// The tag of the message that the peer has to send next; `None` in a session.
fn expected(context: &Context<'_>, conn: ConnId) -> Option<u8> {
    let view = context.connection(conn).filter(|view| view.phase == Phase::Handshake)?;
    Some(match (conn.role, view.creation) {
        (Role::Accepted, None) => NAME,
        (Role::Accepted, Some(_)) => REPLY,
        (Role::Dialled, None) => CHALLENGE,
        (Role::Dialled, Some(_)) => ACK,
    })
}

/// Drops the handshake's messages that are ignored, by the tag that is expected and the one that came.
fn ignores(is_ignored: fn(u8, u8) -> bool) -> Box<dyn Filter> {
    on_frame_in(move |context, conn, payload| match (expected(context, conn), payload.first()) {
        (Some(expected), Some(tag)) if is_ignored(expected, *tag) => None,
        _ => Some(payload),
    })
}

fn closes_on_left_over(tag: u8) -> Box<dyn Filter> {
    on_frame_in(move |context, conn, payload| {
        let has_left_over = Message::decode(Phase::Handshake, &payload).is_ok_and(|(_, rest)| !rest.is_empty());
        if has_left_over && payload.first() == Some(&tag) && context.phase(conn) == Some(Phase::Handshake) {
            context.close(conn);
            return None;
        }
        Some(payload)
    })
}

/// `None` for anything but a NAME.
fn with_replaced_name(payload: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::new(payload.strip_prefix(&[NAME])?);
    let length = reader.u16().ok()?;
    let name = String::from_utf8_lossy(reader.bytes(length.into()).ok()?);
    Name { name: &name, creation: reader.u8().ok()? }.encode().ok()
}
