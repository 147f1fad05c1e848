//! Faults of PING and PONG (MEM-29 to MEM-38).

use std::collections::BTreeMap;

use super::pongs::{BehindDials, BehindPing, BehindPong, Collected, HeldUp, Impatient, NewestAlone, Open};
use crate::{
    faults::{
        filter::{Context, Filter},
        payload::is,
        single::{on_entropy, on_frame_in, on_frame_out, on_input},
        table::Fault,
    },
    node::{ConnId, Input, Role, Timings},
    wire::{
        membership::{PING, PONG},
        process::SEND,
    },
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "pong-with-zeros",
        requirement: "MEM-29",
        description: "Every PONG carries zeros instead of the PING's bytes.",
        make: || {
            on_frame_out(|_, _, payload| {
                Some(if is(PONG, &payload) { [&[PONG][..], &[0; 8]].concat().into() } else { payload })
            })
        },
    },
    Fault {
        id: "repeated-ping-is-not-answered",
        requirement: "MEM-29",
        description: "A PING with the same bytes as the one before it gets no PONG.",
        make: || {
            let mut last = BTreeMap::new();
            on_frame_in(move |_, conn, payload| {
                let repeats = is(PING, &payload) && last.insert(conn, payload.clone()).as_ref() == Some(&payload);
                (!repeats).then_some(payload)
            })
        },
    },
    Fault {
        id: "pong-overtakes-effects",
        requirement: "MEM-30",
        description: "PONG comes before what earlier frames of its session cause to be sent there.",
        make: || Box::new(BehindPong::default()),
    },
    Fault {
        id: "effects-on-other-sessions-are-collected",
        requirement: "MEM-30",
        description: "What a frame causes to be sent to other sessions is collected for a while, PONG or not.",
        make: || Collected::of(|cause, conn, _| conn != cause),
    },
    Fault {
        id: "relays-lag-behind-pong",
        requirement: "MEM-30",
        description: "What relays send on is collected for a while, PONG or not.",
        make: || Collected::of(|_, _, payload| is(SEND, payload)),
    },
    Fault {
        id: "pong-waits-for-the-own-ping",
        requirement: "MEM-31",
        description: "A PING is answered when the node's own has been.",
        make: || Box::new(BehindPing::default()),
    },
    Fault {
        id: "pong-waits-for-dials",
        requirement: "MEM-31",
        description: "A PING is answered when no dial is under way.",
        make: || Box::new(BehindDials::default()),
    },
    Fault {
        id: "long-ping-gets-a-long-pong",
        requirement: "MEM-32",
        description: "A PING with more than 8 bytes is answered with all of them.",
        make: || {
            on_frame_in(|context, conn, payload| {
                if !is(PING, &payload) || payload.len() <= 9 {
                    return Some(payload);
                }
                context.send(conn, [&[PONG], &payload[1..]].concat());
                None
            })
        },
    },
    Fault {
        id: "short-ping-is-answered",
        requirement: "MEM-32",
        description: "A PING with fewer than 8 bytes is answered with zeros for the others.",
        make: || {
            on_frame_in(|_, _, mut payload| {
                if is(PING, &payload) {
                    payload.resize(payload.len().max(9), 0);
                }
                Some(payload)
            })
        },
    },
    Fault {
        id: "pings-at-half-the-interval",
        requirement: "MEM-33",
        description: "PINGs are sent twice in every heartbeat interval.",
        make: || timed(|timings| timings.heartbeat_interval /= 2),
    },
    Fault {
        id: "pings-at-every-second-interval",
        requirement: "MEM-33",
        description: "PINGs are sent once in two heartbeat intervals.",
        make: || timed(|timings| timings.heartbeat_interval *= 2),
    },
    Fault {
        id: "no-pings-in-accepted-sessions",
        requirement: "MEM-33",
        description: "PINGs are sent in those sessions only that the node has opened.",
        make: || unsent(|conn, _| conn.role == Role::Accepted),
    },
    Fault {
        id: "one-ping-a-session",
        requirement: "MEM-33",
        description: "Only the first PING of a session is sent.",
        make: || unsent(|_, sent| sent > 0),
    },
    Fault {
        id: "pings-count",
        requirement: "MEM-34",
        description: "The bytes of PINGs are a counter's.",
        make: || {
            let mut last = 0_u64;
            on_entropy(move |bytes| {
                if bytes.len() == 8 {
                    last += 1;
                    bytes.copy_from_slice(&last.to_le_bytes());
                }
            })
        },
    },
    Fault {
        id: "pings-repeat",
        requirement: "MEM-34",
        description: "Every second PING carries the bytes of the one before it.",
        make: || {
            let mut last: Option<Vec<u8>> = None;
            on_entropy(move |bytes| {
                if bytes.len() == 8 {
                    match last.take() {
                        Some(repeated) => bytes.copy_from_slice(&repeated),
                        None => last = Some(bytes.to_vec()),
                    }
                }
            })
        },
    },
    Fault {
        id: "any-frame-answers-a-ping",
        requirement: "MEM-35",
        description: "A peer that sends anything is taken to be alive, without PONG.",
        make: || Open::answered_by(|_, _| true),
    },
    Fault {
        id: "pongs-have-twice-the-time",
        requirement: "MEM-35",
        description: "A PING has to be answered within twice the heartbeat timeout.",
        make: || timed(|timings| timings.heartbeat_timeout *= 2),
    },
    Fault {
        id: "missing-pong-is-ignored-in-dialled-sessions",
        requirement: "MEM-35",
        description: "A missing PONG ends only those sessions that the peer has opened.",
        make: || {
            on_frame_out(|context, conn, payload| {
                if is(PING, &payload) && conn.role == Role::Dialled {
                    answer(context, conn, &payload);
                }
                Some(payload)
            })
        },
    },
    Fault {
        id: "any-pong-answers-a-ping",
        requirement: "MEM-36",
        description: "The bytes of a PONG are not looked at.",
        make: || Open::answered_by(|_, payload| is(PONG, payload)),
    },
    Fault {
        id: "short-pong-answers-a-ping",
        requirement: "MEM-36",
        description: "Of a PONG only as many bytes are compared as have come.",
        make: || Open::answered_by(|ping, payload| is(PONG, payload) && ping[1..].starts_with(&payload[1..])),
    },
    Fault {
        id: "pong-is-compared-by-four-bytes",
        requirement: "MEM-36",
        description: "Only the first four bytes of a PONG are compared.",
        make: || {
            Open::answered_by(|ping, payload| is(PONG, payload) && payload.len() >= 9 && payload[1..5] == ping[1..5])
        },
    },
    Fault {
        id: "pongs-have-a-quarter-of-the-time",
        requirement: "MEM-37",
        description: "A PING has to be answered within a quarter of the heartbeat timeout.",
        make: || timed(|timings| timings.heartbeat_timeout /= 4),
    },
    Fault {
        id: "newest-ping-alone-counts",
        requirement: "MEM-37",
        description: "A PONG that comes when the next PING is sent already does not count.",
        make: || Box::new(NewestAlone::default()),
    },
    Fault {
        id: "patience-of-16-mib",
        requirement: "MEM-38",
        description: "A peer for which 16 MiB have been queued since it last sent anything is cut off.",
        make: || Box::new(Impatient::default()),
    },
    Fault {
        id: "deaf-peer-holds-up-the-others",
        requirement: "MEM-38",
        description: "Past a mebibyte for a peer that sends nothing, nothing is sent to the others.",
        make: || Box::new(HeldUp::default()),
    },
];

/// Changes the times that the node is started with.
fn timed(change: fn(&mut Timings)) -> Box<dyn Filter> {
    on_input(move |_, mut input| {
        if let Input::Start(identity) = &mut input {
            change(&mut identity.timings);
        }
        Some(input)
    })
}

/// Sends no PING where `is_unsent`, by connection and by how many were sent there; the node takes them for answered.
fn unsent(is_unsent: fn(ConnId, usize) -> bool) -> Box<dyn Filter> {
    let mut sent: BTreeMap<ConnId, usize> = BTreeMap::new();
    on_frame_out(move |context, conn, payload| {
        if !is(PING, &payload) {
            return Some(payload);
        }
        let before = sent.entry(conn).or_default();
        if is_unsent(conn, *before) {
            answer(context, conn, &payload);
            return None;
        }
        *before += 1;
        Some(payload)
    })
}

/// Has the node believe that its PING was answered.
pub(super) fn answer(context: &mut Context<'_>, conn: ConnId, ping: &[u8]) {
    context.add_input(Input::Frame(conn, [&[PONG], &ping[1..]].concat()));
}
