//! Faults of what becomes of names when their processes or nodes end (REG-17 to REG-20).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{is_last, send_to_others, unregister_to};
use crate::{
    faults::{
        cause::{at_session_start, on_output_of},
        filter::{Context, Filter},
        payload::{entries, peer, register, unregister},
        table::Fault,
    },
    node::{Answer, Command, ConnId, GlobalPid, Input, Output, Role, Token},
    wire::{
        WirePid,
        handshake::{ACK, REPLY},
        registry::{GLOBAL_SYNC, GlobalEntry},
    },
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "second-name-of-an-ended-process-is-not-told",
        requirement: "REG-17",
        description: "Of the names of a process that ends the first alone is told.",
        make: || {
            let mut told = None;
            on_output_of(is_exit, move |_, output| match &output {
                Output::Send(_, payload) if unregister_to(&output).is_some() => {
                    (told.get_or_insert_with(|| payload.clone()) == payload).then_some(output)
                }
                _ => {
                    told = None;
                    Some(output)
                }
            })
        },
    },
    Fault {
        id: "end-of-a-process-is-not-told-to-dialled-peers",
        requirement: "REG-17",
        description: "The names of a process that ends are told to those peers only that came by themselves.",
        make: || {
            on_output_of(is_exit, |_, output| {
                let to_dialled = unregister_to(&output).is_some_and(|conn| conn.role == Role::Dialled);
                (!to_dialled).then_some(output)
            })
        },
    },
    Fault {
        id: "lost-nodes-names-are-told-twice",
        requirement: "REG-18",
        description: "GLOBAL_UNREGISTER of a lost node's name is sent twice to each session.",
        make: || {
            on_output_of(is_end, |context, output| {
                if let (Some(conn), Output::Send(_, payload)) = (unregister_to(&output), &output) {
                    context.send(conn, payload.clone());
                }
                Some(output)
            })
        },
    },
    Fault {
        id: "lost-nodes-names-are-told-to-one-too-few",
        requirement: "REG-18",
        description: "Of several remaining sessions the last is not told of a lost node's names.",
        make: || {
            on_output_of(is_end, |context, output| {
                let to_last = unregister_to(&output).is_some_and(|conn| is_last(context, conn));
                (!to_last).then_some(output)
            })
        },
    },
    Fault {
        id: "replaced-nodes-names-are-not-told",
        requirement: "REG-18",
        description: "The names of a node that comes back with another creation are removed, and told to nobody.",
        make: || {
            on_output_of(
                |input| matches!(input, Input::Frame(_, payload) if matches!(payload.first(), Some(&(REPLY | ACK)))),
                |_, output| unregister_to(&output).is_none().then_some(output),
            )
        },
    },
    Fault {
        id: "names-of-a-sync-right-before-the-end-stay",
        requirement: "REG-18",
        description: "Where GLOBAL_SYNC is the last that a lost node has said, its names are still told to those who ask for all.",
        make: || Box::new(LateSync::default()),
    },
    Fault {
        id: "names-that-a-lost-node-has-told-go-with-it",
        requirement: "REG-19",
        description: "When a node disconnects, other owners' names that it has told are removed, too.",
        make: || Box::new(Tellers::default()),
    },
    Fault {
        id: "former-entries-become-the-new-runs",
        requirement: "REG-20",
        description: "Entries with another creation than the session's are kept, and get the session's.",
        make: || {
            at_session_start(|context, start| {
                let former = start.names.iter().filter(|(_, pid)| pid.creation != start.creation.get());
                for (name, pid) in former.filter(|_| !start.replaces) {
                    let pid_held = WirePid::own(pid.local);
                    let entry = register(&GlobalEntry { name, pid: pid_held, owner: &pid.node });
                    context.add_input(Input::Frame(start.conn, entry));
                }
            })
        },
    },
    Fault {
        id: "dropped-former-entries-are-told",
        requirement: "REG-20",
        description: "Entries that are dropped for their creation when a session begins are told to all sessions.",
        make: || {
            at_session_start(|context, start| {
                let former = start.names.iter().filter(|(_, pid)| pid.creation != start.creation.get());
                for (name, _) in former.filter(|_| !start.replaces) {
                    send_to_others(context, None, &unregister(name));
                }
            })
        },
    },
    Fault {
        id: "entries-of-the-same-run-are-dropped",
        requirement: "REG-20",
        description: "When a session begins, all entries of its peer are dropped, whatever their creation.",
        make: || {
            at_session_start(|context, start| {
                start.names.iter().for_each(|(name, _)| context.add_input(Input::Frame(start.conn, unregister(name))));
            })
        },
    },
];

fn is_exit(input: &Input) -> bool {
    matches!(input, Input::Command(_, Command::Exit { .. }))
}

/// A session may have ended: closed, or its PONG is missing.
fn is_end(input: &Input) -> bool {
    matches!(input, Input::Closed(_) | Input::Tick)
}

/// Remembers which session has told each name.
#[derive(Default)]
struct Tellers {
    by_name: BTreeMap<String, ConnId>,
}

impl Filter for Tellers {
    fn frame_in(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        for entry in entries(&payload).iter().filter(|entry| context.whereis(entry.name).is_none()) {
            self.by_name.insert(entry.name.to_owned(), conn);
        }
        Some(payload)
    }

    fn input(&mut self, context: &mut Context<'_>, input: Input) -> Option<Input> {
        if let Input::Closed(conn) = &input
            && let Some(peer) = peer(context, *conn)
        {
            for (name, _) in self.by_name.extract_if(.., |_, teller| teller == conn) {
                if context.whereis(&name).is_some_and(|pid| pid.node != peer.as_str()) {
                    context.add_input(Input::Command(Token(u64::MAX), Command::Unregister(name)));
                }
            }
        }
        Some(input)
    }
}

/// Remembers which sessions have said nothing behind their GLOBAL_SYNC, and what those owned that ended so.
#[derive(Default)]
struct LateSync {
    synced_last: BTreeSet<ConnId>,
    stale: Vec<(Arc<str>, GlobalPid)>,
}

impl Filter for LateSync {
    fn frame_in(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        if payload.first() == Some(&GLOBAL_SYNC) {
            self.synced_last.insert(conn);
        } else {
            self.synced_last.remove(&conn);
        }
        Some(payload)
    }

    fn input(&mut self, context: &mut Context<'_>, input: Input) -> Option<Input> {
        if let Input::Closed(conn) = &input
            && self.synced_last.remove(conn)
            && let Some(peer) = peer(context, *conn)
        {
            self.stale = context.names().into_iter().filter(|(_, pid)| pid.node == peer.as_str()).collect();
        }
        Some(input)
    }

    fn output(&mut self, _context: &mut Context<'_>, output: Output) -> Option<Output> {
        match output {
            Output::Reply(token, Ok(Answer::Names(mut names))) => {
                names.append(&mut self.stale);
                Some(Output::Reply(token, Ok(Answer::Names(names))))
            }
            _ => Some(output),
        }
    }
}
