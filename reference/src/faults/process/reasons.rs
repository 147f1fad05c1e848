//! Faults of reasons: how they are read, nested and written.

use super::{
    super::{filter::Filter, payload, single::on_frame_in, table::Fault},
    edit::{coming, going, is, message},
};
use crate::wire::{
    Message, NodeId, Reason, WirePid,
    process::{EXIT, MONITOR_EXIT},
    reason::Root,
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "nested-pids-of-third-nodes-are-dropped",
        requirement: "PROC-12",
        description: "An EXIT or MONITOR_EXIT with a nested PID that cannot be resolved is ignored.",
        make: || {
            coming(|_, _, mut message| match reason(&mut message) {
                Some(reason) if reason.linked.iter().any(|pid| pid.node != NodeId::OWN) => None,
                _ => Some(message),
            })
        },
    },
    Fault {
        id: "nested-pids-are-all-the-senders",
        requirement: "PROC-12",
        description: "Every nested PID is taken for one of the sender's.",
        make: || nested(|pid| pid.node = NodeId::OWN),
    },
    Fault {
        id: "nested-pids-are-never-resolved",
        requirement: "PROC-12",
        description: "No nested PID is resolved, not even the sender's own.",
        make: || nested(|pid| pid.node = NodeId(u16::MAX)),
    },
    Fault {
        id: "reasons-of-32-levels-are-cut",
        requirement: "PROC-25",
        description: "A reason is cut behind 32 levels.",
        make: || {
            coming(|_, _, mut message| {
                if let Some(reason) = reason(&mut message)
                    && reason.linked.len() >= 32
                {
                    reason.linked.truncate(31);
                    reason.root = Root::Error("nested too deep".into());
                }
                Some(message)
            })
        },
    },
    Fault {
        id: "deep-reasons-are-dropped",
        requirement: "PROC-25",
        description: "An EXIT or MONITOR_EXIT whose reason has more than 64 levels is ignored.",
        make: || on_frame_in(|_, _, payload| (levels(&payload) <= 64).then_some(payload)),
    },
    Fault {
        id: "unreadable-exits-count",
        requirement: "PROC-26",
        description: "An EXIT whose reason cannot be read counts, with the reason error `unknown`.",
        make: || {
            on_frame_in(|_, _, payload| {
                let fields = payload.get(..17).filter(|_| is(EXIT, &payload) && message(&payload).is_none());
                Some(match fields {
                    Some(fields) => [fields, &UNKNOWN].concat(),
                    None => payload,
                })
            })
        },
    },
    Fault {
        id: "unreadable-monitor-exits-are-dropped",
        requirement: "PROC-27",
        description: "A MONITOR_EXIT whose reason cannot be read is ignored.",
        make: || on_frame_in(|_, _, payload| (!is_unreadable_monitor_exit(&payload)).then_some(payload)),
    },
    Fault {
        id: "unreadable-monitor-exits-are-normal",
        requirement: "PROC-27",
        description: "A MONITOR_EXIT whose reason cannot be read counts, with the reason normal.",
        make: || {
            on_frame_in(|_, _, mut payload| {
                if is_unreadable_monitor_exit(&payload) {
                    payload.truncate(25);
                    payload.push(0);
                }
                Some(payload)
            })
        },
    },
    Fault {
        id: "large-reasons-are-not-told",
        requirement: "PROC-28",
        description: "An EXIT or MONITOR_EXIT whose reason does not fit a frame is not sent.",
        make: || {
            going(|_, _, mut message| match reason(&mut message) {
                Some(reason) if *reason == Reason::unknown() => None,
                _ => Some(message),
            })
        },
    },
    Fault {
        id: "large-reasons-are-truncated",
        requirement: "PROC-28",
        description: "A reason that does not fit a frame is sent with no text.",
        make: || {
            going(|_, _, mut message| {
                if let Some(reason) = reason(&mut message)
                    && *reason == Reason::unknown()
                {
                    reason.root = Root::Custom("".into());
                }
                Some(message)
            })
        },
    },
];

/// *error* `unknown` on the wire.
const UNKNOWN: [u8; 16] = *b"\x01\x07\0\0\0\0\0\0\0unknown";

/// The reason of a message, if it has one.
pub(super) fn reason<'m>(message: &'m mut Message<'_>) -> Option<&'m mut Reason> {
    match message {
        Message::Exit(exit) => Some(&mut exit.reason),
        Message::MonitorExit(exit) => Some(&mut exit.reason),
        _ => None,
    }
}

/// Rewrites the nested PIDs of what comes.
fn nested(edit: fn(&mut WirePid)) -> Box<dyn Filter> {
    coming(move |_, _, mut message| {
        if let Some(reason) = reason(&mut message) {
            reason.linked.iter_mut().for_each(edit);
        }
        Some(message)
    })
}

/// The levels of the reason in a payload, which the node's own reader cuts.
fn levels(payload: &[u8]) -> usize {
    let start = match payload.first() {
        Some(&EXIT) => 17,
        Some(&MONITOR_EXIT) => 25,
        _ => return 0,
    };
    let linked = payload.get(start..).unwrap_or_default().chunks(9).take_while(|chunk| chunk[0] == 3);
    linked.count() + 1
}

fn is_unreadable_monitor_exit(bytes: &[u8]) -> bool {
    is(MONITOR_EXIT, bytes) && bytes.len() >= 25 && payload::decode(bytes).is_none()
}
