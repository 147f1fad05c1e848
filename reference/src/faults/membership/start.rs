//! Faults of the session start, and of what a node tells of itself (MEM-1 to MEM-5).

use std::collections::BTreeSet;

use crate::{
    faults::{
        filter::{Context, Filter},
        payload::{decode, encode, is, names, peer, peer_list},
        single::{on_frame_in, on_frame_out, on_output},
        table::Fault,
    },
    node::{Answer, ConnId, Event, Output, Role},
    wire::{
        Message, Payload,
        membership::PEER_LIST,
        registry::{GLOBAL_REGISTER, GLOBAL_SYNC, GlobalSync},
    },
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "peer-list-with-its-receiver",
        requirement: "MEM-1",
        description: "PEER_LIST names the receiver too.",
        make: || {
            on_frame_out(|context, conn, payload| {
                let receiver = peer(context, conn);
                list_sent(&payload, |names| names.extend(receiver.as_ref().map(|name| name.as_str())))
            })
        },
    },
    Fault {
        id: "peer-list-without-its-last-name",
        requirement: "MEM-1",
        description: "A PEER_LIST of two names or more is sent without the last one.",
        make: || on_frame_out(|_, _, payload| list_sent(&payload, |names| names.truncate((names.len() - 1).max(1)))),
    },
    Fault {
        id: "no-peer-list-for-dialled-peers",
        requirement: "MEM-1",
        description: "Only peers that came by themselves get PEER_LIST.",
        make: || {
            on_frame_out(|_, conn, payload| {
                (conn.role == Role::Accepted || !is(PEER_LIST, &payload)).then_some(payload)
            })
        },
    },
    Fault {
        id: "global-sync-before-peer-list",
        requirement: "MEM-2",
        description: "A session starts with GLOBAL_SYNC, and PEER_LIST follows.",
        make: || Box::new(SyncBeforeList::default()),
    },
    Fault {
        id: "empty-peer-list-is-sent",
        requirement: "MEM-3",
        description: "A PEER_LIST without names is sent where no other node is connected.",
        make: || Box::new(EmptyStart { list: true, ..EmptyStart::default() }),
    },
    Fault {
        id: "empty-global-sync-is-sent",
        requirement: "MEM-3",
        description: "A GLOBAL_SYNC without entries is sent where the table is empty.",
        make: || Box::new(EmptyStart { sync: true, ..EmptyStart::default() }),
    },
    Fault {
        id: "empty-peer-list-ends-the-session",
        requirement: "MEM-4",
        description: "A PEER_LIST without names is taken for a violation of the protocol.",
        make: || closing_frame_in(|payload| names(payload).is_some_and(|names| names.is_empty())),
    },
    Fault {
        id: "empty-global-sync-ends-the-session",
        requirement: "MEM-4",
        description: "A GLOBAL_SYNC without entries is taken for a violation of the protocol.",
        make: || {
            closing_frame_in(
                |payload| matches!(decode(payload), Some(Message::GlobalSync(sync)) if sync.entries.is_empty()),
            )
        },
    },
    Fault {
        id: "registrations-wait-for-the-peers-start",
        requirement: "MEM-4",
        description: "GLOBAL_REGISTER is ignored in sessions that did not start with PEER_LIST or GLOBAL_SYNC.",
        make: || {
            let mut started = BTreeSet::new();
            on_frame_in(move |_, conn, payload| {
                if is(PEER_LIST, &payload) || is(GLOBAL_SYNC, &payload) {
                    started.insert(conn);
                }
                (started.contains(&conn) || !is(GLOBAL_REGISTER, &payload)).then_some(payload)
            })
        },
    },
    Fault {
        id: "dials-under-way-are-listed",
        requirement: "MEM-5",
        description: "Nodes that are being dialled are listed as connected.",
        make: || {
            on_output(|context, output| {
                let Output::Reply(token, Ok(Answer::Nodes(mut nodes))) = output else { return Some(output) };
                nodes.extend(context.dials().into_iter().map(|(_, name)| name));
                Some(Output::Reply(token, Ok(Answer::Nodes(nodes))))
            })
        },
    },
    Fault {
        id: "dialled-nodes-are-not-listed",
        requirement: "MEM-5",
        description: "A node lists those nodes only that have come by themselves.",
        make: || {
            on_output(|context, output| {
                let Output::Reply(token, Ok(Answer::Nodes(_))) = output else { return Some(output) };
                let came = context.sessions().into_iter().filter(|(conn, _)| conn.role == Role::Accepted);
                Some(Output::Reply(token, Ok(Answer::Nodes(came.filter_map(|(_, view)| view.peer).collect()))))
            })
        },
    },
    Fault {
        id: "own-name-without-its-port",
        requirement: "MEM-5",
        description: "A node tells its own name without the port.",
        make: || {
            on_output(|_, output| {
                let Output::Reply(token, Ok(Answer::Whoami { name, creation })) = output else { return Some(output) };
                let name = name.rsplit_once(':').map_or(&*name, |(name, _)| name).to_owned();
                Some(Output::Reply(token, Ok(Answer::Whoami { name, creation })))
            })
        },
    },
];

/// Rewrites the names of a PEER_LIST on its way out; other messages stay as they are.
fn list_sent<'a>(payload: &'a Payload, edit: impl FnOnce(&mut Vec<&'a str>)) -> Option<Payload> {
    let Some(mut peers) = names(payload) else { return Some(payload.clone()) };
    edit(&mut peers);
    Some(peer_list(peers).into())
}

/// Ends the session in which such a payload arrives.
fn closing_frame_in(is_wrong: fn(&[u8]) -> bool) -> Box<dyn Filter> {
    on_frame_in(move |context, conn, payload| {
        if !is_wrong(&payload) {
            return Some(payload);
        }
        context.close(conn);
        None
    })
}

/// Keeps PEER_LIST back until the next output: when that is the table, the table goes first.
#[derive(Default)]
struct SyncBeforeList {
    list: Option<(ConnId, Payload)>,
}

impl Filter for SyncBeforeList {
    fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        let held = self.list.take().map(|(conn, payload)| Output::Send(conn, payload));
        match output {
            Output::Send(conn, payload) if is(PEER_LIST, &payload) => {
                self.list = Some((conn, payload));
                None
            }
            Output::Sync(..) => {
                context.add_output(output);
                held.into_iter().for_each(|held| context.add_output(held));
                None
            }
            _ => {
                held.into_iter().for_each(|held| context.add_output(held));
                Some(output)
            }
        }
    }
}

/// Sends what should have been left out: the list before the table, both before the session is told.
#[derive(Default)]
struct EmptyStart {
    list: bool,
    sync: bool,
    listed: bool,
    synced: bool,
}

impl Filter for EmptyStart {
    fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        let empty_list = || peer_list(Vec::new());
        match &output {
            Output::Send(_, payload) if is(PEER_LIST, payload) => self.listed = true,
            Output::Sync(conn, _) => {
                if self.list && !self.listed {
                    context.send(*conn, empty_list());
                }
                (self.listed, self.synced) = (true, true);
            }
            Output::Event(Event::SessionOpened(peer, _)) => {
                let session = context.sessions().into_iter().find(|(_, view)| view.peer.as_ref() == Some(peer));
                if let Some((conn, _)) = session {
                    if self.list && !self.listed {
                        context.send(conn, empty_list());
                    }
                    if self.sync && !self.synced {
                        context.send(conn, encode(&Message::GlobalSync(GlobalSync { entries: Vec::new() })));
                    }
                }
                (self.listed, self.synced) = (false, false);
            }
            _ => {}
        }
        Some(output)
    }
}
