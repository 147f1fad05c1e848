//! Faults of spawning.

use std::collections::{BTreeMap, VecDeque};

use super::{
    super::{
        filter::{Context, Filter},
        payload,
        single::on_output,
        table::Fault,
    },
    edit::{coming, going, is, message, sent_to_all, sent_twice},
};
use crate::{
    node::{CommandError, ConnId, Input, Output},
    wire::{
        Message, Payload,
        membership::PONG,
        process::{LINK, SPAWN, SPAWN_REPLY, Spawn, SpawnReply},
    },
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "spawns-are-answered-twice",
        requirement: "PROC-54",
        description: "SPAWN_REPLY is sent twice.",
        make: || sent_twice(SPAWN_REPLY),
    },
    Fault {
        id: "requests-have-32-bits",
        requirement: "PROC-54",
        description: "SPAWN_REPLY carries the lower 32 bits of its request.",
        make: || {
            going(|_, _, message| match message {
                Message::SpawnReply(reply) => {
                    Some(Message::SpawnReply(SpawnReply { request: reply.request & 0xffff_ffff, ..reply }))
                }
                message => Some(message),
            })
        },
    },
    Fault {
        id: "args-are-forgotten",
        requirement: "PROC-54",
        description: "A collector is started instead of a function that has argument bytes.",
        make: || {
            coming(|_, _, message| match message {
                Message::Spawn(spawn) if !spawn.args.is_empty() => {
                    Some(Message::Spawn(Spawn { function: b"collector", args: &[], ..spawn }))
                }
                message => Some(message),
            })
        },
    },
    Fault {
        id: "unknown-functions-are-collectors",
        requirement: "PROC-55",
        description: "A collector is started where the function is unknown.",
        make: || functions(|function| if is_offered(function) { function } else { b"collector" }),
    },
    Fault {
        id: "empty-function-is-a-collector",
        requirement: "PROC-55",
        description: "A collector is started where the function's name is empty.",
        make: || functions(|function| if function.is_empty() { b"collector" } else { function }),
    },
    Fault {
        id: "functions-that-are-not-utf8-are-ignored",
        requirement: "PROC-55",
        description: "A SPAWN of a function that is not UTF-8 is not answered.",
        make: || {
            coming(|_, _, message| match message {
                Message::Spawn(spawn) if str::from_utf8(spawn.function).is_err() => None,
                message => Some(message),
            })
        },
    },
    Fault {
        id: "refusals-carry-a-local-id",
        requirement: "PROC-55",
        description: "SPAWN_REPLY of a refusal carries local id 1.",
        make: || {
            going(|_, _, message| match message {
                Message::SpawnReply(reply) if reply.status == SpawnReply::REFUSED => {
                    Some(Message::SpawnReply(SpawnReply { local: 1, ..reply }))
                }
                message => Some(message),
            })
        },
    },
    Fault {
        id: "link-follows-its-reply",
        requirement: "PROC-56",
        description: "SPAWN_REPLY is sent before the LINK of the new process.",
        make: || Box::new(Late { tag: LINK, is_due: |payload| is(SPAWN_REPLY, payload), kept: BTreeMap::new() }),
    },
    Fault {
        id: "exit-overtakes-its-reply",
        requirement: "PROC-56",
        description: "The EXIT of a process that ends at once is sent before its SPAWN_REPLY.",
        make: || Box::new(Late { tag: SPAWN_REPLY, is_due: |payload| !is(LINK, payload), kept: BTreeMap::new() }),
    },
    Fault {
        id: "spawning-does-not-link",
        requirement: "PROC-56",
        description: "The link of a SPAWN is not looked at.",
        make: || links(0),
    },
    Fault {
        id: "spawning-always-links",
        requirement: "PROC-57",
        description: "Every process that is spawned is linked to its requester.",
        make: || links(1),
    },
    Fault {
        id: "spawns-go-to-all-sessions",
        requirement: "PROC-58",
        description: "A SPAWN goes out on every session.",
        make: || sent_to_all(SPAWN),
    },
    Fault {
        id: "requests-are-all-alike",
        requirement: "PROC-58",
        description: "Every SPAWN has the request 1; replies are taken in the order of the requests.",
        make: || Box::new(Alike::default()),
    },
    Fault {
        id: "refusals-are-processes",
        requirement: "PROC-59",
        description: "The status of SPAWN_REPLY is not looked at.",
        make: || {
            coming(|_, _, message| match message {
                Message::SpawnReply(reply) => {
                    Some(Message::SpawnReply(SpawnReply { status: SpawnReply::SPAWNED, ..reply }))
                }
                message => Some(message),
            })
        },
    },
    Fault {
        id: "new-local-ids-have-32-bits",
        requirement: "PROC-59",
        description: "The local id of SPAWN_REPLY is read with 32 bits.",
        make: || {
            coming(|_, _, message| match message {
                Message::SpawnReply(reply) => {
                    Some(Message::SpawnReply(SpawnReply { local: reply.local & 0xffff_ffff, ..reply }))
                }
                message => Some(message),
            })
        },
    },
    Fault {
        id: "replies-of-other-sessions-count",
        requirement: "PROC-60",
        description: "A SPAWN_REPLY counts on whatever session it comes.",
        make: || Box::new(AnySession::default()),
    },
    Fault {
        id: "unknown-replies-close",
        requirement: "PROC-60",
        description: "A SPAWN_REPLY to a request that its session has never seen closes the session.",
        make: || Box::new(Unknown::default()),
    },
    Fault {
        id: "spawns-outlive-their-session",
        requirement: "PROC-63",
        description: "A SPAWN that is pending when its session ends is never answered to its caller.",
        make: || {
            on_output(|_, output| match output {
                Output::Reply(_, Err(CommandError::NoConnection)) => None,
                output => Some(output),
            })
        },
    },
];

fn is_offered(function: &[u8]) -> bool {
    [&b"collector"[..], b"relay", b"exit", b"crash_on_message"].contains(&function)
}

/// Puts other functions in the place of those that peers want.
fn functions(edit: for<'a> fn(&'a [u8]) -> &'a [u8]) -> Box<dyn Filter> {
    coming(move |_, _, message| match message {
        Message::Spawn(spawn) => Some(Message::Spawn(Spawn { function: edit(spawn.function), ..spawn })),
        message => Some(message),
    })
}

/// Spawns all processes with, or all without a link.
fn links(link: u8) -> Box<dyn Filter> {
    coming(move |_, _, message| match message {
        Message::Spawn(spawn) => Some(Message::Spawn(Spawn { link, ..spawn })),
        message => Some(message),
    })
}

/// Keeps messages with a tag until one goes out that `is_due` says, or PONG.
struct Late {
    tag: u8,
    is_due: fn(&[u8]) -> bool,
    kept: BTreeMap<ConnId, Vec<Payload>>,
}

impl Filter for Late {
    fn frame_out(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        if is(self.tag, &payload) {
            self.kept.entry(conn).or_default().push(payload);
            return None;
        }
        if !(self.is_due)(&payload) && !is(PONG, &payload) {
            return Some(payload);
        }
        let kept = self.kept.remove(&conn).unwrap_or_default();
        if is(PONG, &payload) {
            kept.into_iter().for_each(|kept| context.send(conn, kept));
            return Some(payload);
        }
        context.send(conn, payload);
        kept.into_iter().for_each(|kept| context.send(conn, kept));
        None
    }
}

/// Remembers the requests behind the ones that are told.
#[derive(Default)]
struct Alike {
    pending: BTreeMap<ConnId, VecDeque<u64>>,
}

impl Filter for Alike {
    fn frame_in(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        if let Some(Message::SpawnReply(reply)) = message(&payload)
            && reply.request == 1
            && let Some(request) = self.pending.entry(conn).or_default().pop_front()
        {
            return Some(payload::encode(&Message::SpawnReply(SpawnReply { request, ..reply })));
        }
        Some(payload)
    }

    fn frame_out(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        if let Some(Message::Spawn(spawn)) = message(&payload) {
            self.pending.entry(conn).or_default().push_back(spawn.request);
            return Some(payload::encode(&Message::Spawn(Spawn { request: 1, ..spawn })).into());
        }
        Some(payload)
    }
}

/// Remembers where each request went.
#[derive(Default)]
struct AnySession {
    pending: BTreeMap<u64, ConnId>,
}

impl Filter for AnySession {
    fn frame_in(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        if let Some(Message::SpawnReply(reply)) = message(&payload)
            && let Some(asked) = self.pending.remove(&reply.request)
            && asked != conn
        {
            context.add_input(Input::Frame(asked, payload));
            return None;
        }
        Some(payload)
    }

    fn frame_out(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        if let Some(Message::Spawn(spawn)) = message(&payload) {
            self.pending.insert(spawn.request, conn);
        }
        Some(payload)
    }
}

/// Remembers the requests of each session.
#[derive(Default)]
struct Unknown {
    asked: BTreeMap<ConnId, Vec<u64>>,
}

impl Filter for Unknown {
    fn frame_in(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        if let Some(Message::SpawnReply(reply)) = message(&payload)
            && !self.asked.entry(conn).or_default().contains(&reply.request)
        {
            context.close(conn);
            return None;
        }
        Some(payload)
    }

    fn frame_out(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        if let Some(Message::Spawn(spawn)) = message(&payload) {
            self.asked.entry(conn).or_default().push(spawn.request);
        }
        Some(payload)
    }
}
