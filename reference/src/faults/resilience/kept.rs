//! Faults of what a node keeps that nobody has asked it to keep (RES-7, RES-8).

use crate::{
    faults::{
        filter::Filter,
        payload,
        single::{on_frame_in, on_frame_out, on_peer_patience},
        table::Fault,
    },
    wire::{
        membership::PING,
        process::{DEMONITOR, REG_SEND, SEND, SPAWN, UNLINK},
        registry::GLOBAL_UNREGISTER,
    },
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "without-bound-for-a-peer-that-reads-nothing",
        requirement: "RES-7",
        description: "As much as there is to say waits for a peer that reads nothing.",
        make: || on_peer_patience(|_| usize::MAX),
    },
    Fault {
        id: "half-a-gibibyte-for-a-peer-that-reads-nothing",
        requirement: "RES-7",
        description: "Up to 512 MiB wait for a peer that reads nothing.",
        make: || on_peer_patience(|_| 512 * 1_024 * 1_024),
    },
    Fault {
        id: "what-was-sent-is-kept",
        requirement: "RES-7",
        description: "Large payloads are kept when they have been sent, in case they have to be sent again.",
        make: || {
            let mut kept = Vec::new();
            on_frame_out(move |_, _, payload| {
                if payload.len() > 4_096 {
                    kept.push(payload.clone());
                }
                Some(payload)
            })
        },
    },
    Fault {
        id: "buffers-of-large-frames-are-kept",
        requirement: "RES-8",
        description: "The buffer of every large frame is kept, for the next one.",
        make: || {
            let mut kept = Vec::new();
            on_frame_in(move |_, _, payload| {
                if payload.len() > 1_024 * 1_024 {
                    kept.push(payload.clone());
                }
                Some(payload)
            })
        },
    },
    Fault {
        id: "listed-names-wait-without-bound",
        requirement: "RES-8",
        description: "All names of all lists are kept until their turn comes, which is never.",
        make: || {
            let mut kept = Vec::new();
            on_frame_in(move |_, _, payload| {
                kept.extend(payload::names(&payload).into_iter().flatten().map(str::to_owned));
                Some(payload)
            })
        },
    },
    Fault {
        id: "pings-are-remembered",
        requirement: "RES-8",
        description: "Something is kept for every PING that has been answered.",
        make: || remembers(&[PING], 2_048),
    },
    Fault {
        id: "unregistered-names-are-never-forgotten",
        requirement: "RES-8",
        description: "Something is kept for every name that has been unregistered.",
        make: || remembers(&[GLOBAL_UNREGISTER], 1_024),
    },
    Fault {
        id: "lost-messages-are-kept",
        requirement: "RES-8",
        description: "Something is kept for every message, whether it reaches a process or not.",
        make: || remembers(&[SEND, REG_SEND], 256),
    },
    Fault {
        id: "undone-links-are-never-forgotten",
        requirement: "RES-8",
        description: "Something is kept for every link that has been undone.",
        make: || remembers(&[UNLINK], 512),
    },
    Fault {
        id: "undone-monitors-are-never-forgotten",
        requirement: "RES-8",
        description: "Something is kept for every monitor that has been undone.",
        make: || remembers(&[DEMONITOR], 512),
    },
    Fault {
        id: "refused-spawns-are-never-forgotten",
        requirement: "RES-8",
        description: "Something is kept for every SPAWN that has been refused.",
        make: || remembers(&[SPAWN], 4_096),
    },
];

/// Keeps so many bytes for each message of these tags.
fn remembers(tags: &'static [u8], bytes: usize) -> Box<dyn Filter> {
    let mut kept = Vec::new();
    on_frame_in(move |_, _, payload| {
        if tags.iter().any(|tag| payload::is(*tag, &payload)) {
            kept.push(vec![1_u8; bytes]);
        }
        Some(payload)
    })
}
