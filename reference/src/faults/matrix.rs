//! Faults that show in single cells of the table "Reactions" (`spec/resilience.md`): one message, one role, one state. What each does
//! stands in its line.

use std::time::Duration;

use super::{
    filter::Context,
    framing::{closes, pause_closes},
    payload,
    single::{on_bytes_in, on_frame_in},
    table::Fault,
};
use crate::{
    node::{ConnId, Input, Role},
    wire::{
        MAX_SESSION_PAYLOAD, Message,
        framing::HEADER,
        handshake::{ACK, NAME},
        membership::PEER_LIST,
        message::{Phase, Undecodable},
        process::{DEMONITOR, EXIT, MONITOR},
        reader::{Malformed, Reader},
    },
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "short-monitor-closes",
        requirement: "FRAME-18",
        description: "A MONITOR that is too short closes its session; other short messages do not.",
        make: || closes(|phase, payload| payload.first() == Some(&MONITOR) && is_short(phase, payload)),
    },
    Fault {
        id: "short-demonitor-counts",
        requirement: "FRAME-18",
        description: "A DEMONITOR that is cut inside its reference is acted on, with zeros for what is missing.",
        make: || {
            on_frame_in(|_, _, mut payload| {
                let is_cut = payload.first() == Some(&DEMONITOR) && (18..25).contains(&payload.len());
                payload.resize(if is_cut { 25 } else { payload.len() }, 0);
                Some(payload)
            })
        },
    },
    Fault {
        id: "entries-behind-a-fault-are-dialled",
        requirement: "FRAME-19",
        description: "A name in a PEER_LIST that is not UTF-8 is passed over, and those behind it are dialled.",
        make: || on_frame_in(|_, _, payload| Some(without_bad_names(&payload).unwrap_or(payload))),
    },
    Fault {
        id: "handshake-message-closes-a-dialled-session",
        requirement: "FRAME-17",
        description: "A message of the handshake closes a session that the node has opened.",
        make: || {
            on_frame_in(|context, conn, payload| {
                let is_it = payload.first().is_some_and(|tag| (NAME..=ACK).contains(tag));
                if is_it && conn.role == Role::Dialled && context.phase(conn) == Some(Phase::Session) {
                    context.close(conn);
                    return None;
                }
                Some(payload)
            })
        },
    },
    Fault {
        id: "empty-frame-before-ack-is-ignored",
        requirement: "HS-13",
        description: "The initiator passes over an empty frame where ACK should come.",
        make: || {
            on_frame_in(|context, conn, payload| {
                let awaits_ack = conn.role == Role::Dialled
                    && context.phase(conn) == Some(Phase::Handshake)
                    && context.connection(conn).is_some_and(|connection| connection.creation.is_some());
                (!payload.is_empty() || !awaits_ack).then_some(payload)
            })
        },
    },
    Fault {
        id: "unknown-reason-in-exit-closes",
        requirement: "PROC-26",
        description: "An EXIT with a reason of an unknown kind closes its session.",
        make: || closes(|_, payload| payload.first() == Some(&EXIT) && payload.get(17).is_some_and(|kind| *kind > 6)),
    },
    Fault {
        id: "frames-behind-an-over-long-length-count-as-anothers",
        requirement: "RES-1",
        description: "What comes in one piece behind a length over the limit counts as if another session had sent it.",
        make: || on_bytes_in(count_what_is_behind),
    },
    Fault {
        id: "pause-of-200-ms-in-a-session-closes",
        requirement: "FRAME-9",
        description: "A read that times out after 200 ms within a frame closes its session.",
        make: || pause_closes(Phase::Session, Duration::from_millis(200)),
    },
];

fn is_short(phase: Phase, payload: &[u8]) -> bool {
    let decoded = Message::decode(Phase::Session, payload);
    phase == Phase::Session && decoded.err() == Some(Undecodable::Malformed(Malformed::Short))
}

/// `None` for anything but a PEER_LIST that has bad names.
fn without_bad_names(payload: &[u8]) -> Option<Vec<u8>> {
    let rest = payload.strip_prefix(&[PEER_LIST])?;
    Message::decode(Phase::Session, payload).err()?;
    let mut reader = Reader::new(rest);
    let count = reader.u16().ok()?;
    let mut names = Vec::new();
    for _ in 0..count {
        let length = reader.u16().ok()?;
        names.extend(std::str::from_utf8(reader.bytes(usize::from(length)).ok()?).ok());
    }
    Some(payload::peer_list(names))
}

/// The node has forgotten the connection by then, so that its frames are taken for those of another session.
fn count_what_is_behind(context: &mut Context<'_>, conn: ConnId, bytes: Vec<u8>) -> Vec<u8> {
    let mut rest = &bytes[..];
    let mut is_behind = false;
    while let Some((header, after)) = rest.split_first_chunk::<HEADER>() {
        let length = u32::from_le_bytes(*header) as usize;
        if length > MAX_SESSION_PAYLOAD {
            (is_behind, rest) = (true, after);
            continue;
        }
        let Some((payload, after)) = after.split_at_checked(length) else { break };
        let other = context.sessions().into_iter().map(|(other, _)| other).find(|other| *other != conn);
        if let (true, Some(other)) = (is_behind, other) {
            context.add_input(Input::Frame(other, payload.to_vec()));
        }
        rest = after;
    }
    bytes
}
