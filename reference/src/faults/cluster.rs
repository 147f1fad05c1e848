//! Faults that show between several nodes alone: what a node does wrong with peers that have been there before, or with several that
//! are lost at once. The first run and the first session of everybody go well.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    filter::{Context, Filter},
    payload::{is, peer, register},
    single::on_output,
    table::Fault,
};
use crate::{
    node::{Answer, ConnId, Event, GlobalPid, Input, Output, Reason},
    wire::{NodeName, Payload, WirePid, membership::PEER_LIST, registry::GlobalEntry, room::ROOM_BROADCAST},
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "names-of-nodes-that-are-lost-together-stay",
        requirement: "RES-9",
        description: "When a second node is lost within half a second, its names are removed, and taken in again.",
        make: || Box::new(LostTogether::default()),
    },
    Fault {
        id: "returning-peers-are-sent-no-table",
        requirement: "RES-9",
        description: "A peer that has had a session before is sent no GLOBAL_SYNC on its next one.",
        make: || {
            with_former(|former, context, output| match &output {
                Output::Sync(conn, _) if former.has(context, *conn) => None,
                _ => Some(output),
            })
        },
    },
    Fault {
        id: "returning-peers-are-told-no-registrations",
        requirement: "RES-9",
        description: "A peer that has had a session before is sent no GLOBAL_REGISTER on its next one.",
        make: || {
            Box::new(Sending {
                former: Former::default(),
                sent: |former, context, conn, payload| {
                    !(is(crate::wire::registry::GLOBAL_REGISTER, payload) && former.has(context, conn))
                },
            })
        },
    },
    Fault {
        id: "lists-of-returning-peers-are-ignored",
        requirement: "MEM-15",
        description: "PEER_LIST of a peer that has had a session before is not read.",
        make: || {
            Box::new(Reading {
                former: Former::default(),
                read: |former, context, conn, payload| match payload {
                    payload if is(PEER_LIST, payload) && former.has(context, conn) => 0,
                    _ => 1,
                },
            })
        },
    },
    Fault {
        id: "nodes-that-return-are-listed-twice",
        requirement: "MEM-5",
        description: "A connected node that has had a session before is listed twice.",
        make: || {
            with_former(|former, _, output| match output {
                Output::Reply(token, Ok(Answer::Nodes(mut nodes))) => {
                    let again: Vec<NodeName> = nodes.iter().filter(|node| former.0.contains(node)).cloned().collect();
                    nodes.extend(again);
                    Some(Output::Reply(token, Ok(Answer::Nodes(nodes))))
                }
                output => Some(output),
            })
        },
    },
    Fault {
        id: "second-loss-of-a-peer-is-told-twice",
        requirement: "MEM-39",
        description: "The end of a session with a peer that has lost one before is told twice.",
        make: || {
            with_former(|former, context, output| {
                if let Output::Event(event @ Event::SessionClosed(peer, _)) = &output
                    && former.0.contains(peer)
                {
                    context.add_output(Output::Event(event.clone()));
                }
                Some(output)
            })
        },
    },
    Fault {
        id: "lost-monitors-fire-again-when-the-node-returns",
        requirement: "PROC-62",
        description: "Monitors that a connection's loss has fired fire once more when a session with that node begins.",
        make: || {
            let fired = RefCell::new(Vec::new());
            on_output(move |context, output| {
                match &output {
                    Output::Event(event @ Event::Down { from, reason, .. }) if *reason == Reason::no_connection() => {
                        fired.borrow_mut().push((from.node.clone(), event.clone()));
                    }
                    Output::Event(Event::SessionOpened(peer, _)) => {
                        let again =
                            fired.borrow_mut().extract_if(.., |(node, _)| *node == peer.as_str()).collect::<Vec<_>>();
                        again.into_iter().for_each(|(_, event)| context.add_output(Output::Event(event)));
                    }
                    _ => {}
                }
                Some(output)
            })
        },
    },
    Fault {
        id: "texts-of-returning-peers-are-delivered-twice",
        requirement: "ROOM-4",
        description: "ROOM_BROADCAST of a peer that has had a session before is delivered twice.",
        make: || {
            Box::new(Reading {
                former: Former::default(),
                read: |former, context, conn, payload| match payload {
                    payload if is(ROOM_BROADCAST, payload) && former.has(context, conn) => 2,
                    _ => 1,
                },
            })
        },
    },
    Fault {
        id: "returning-peers-are-sent-no-texts",
        requirement: "ROOM-2",
        description: "A peer that has had a session before is sent no ROOM_BROADCAST on its next one.",
        make: || {
            Box::new(Sending {
                former: Former::default(),
                sent: |former, context, conn, payload| !(is(ROOM_BROADCAST, payload) && former.has(context, conn)),
            })
        },
    },
];

/// Peers of which a session has ended.
#[derive(Default)]
struct Former(BTreeSet<NodeName>);

impl Former {
    fn has(&self, context: &Context<'_>, conn: ConnId) -> bool {
        peer(context, conn).is_some_and(|peer| self.0.contains(&peer))
    }

    fn follow(&mut self, output: &Output) {
        if let Output::Event(Event::SessionClosed(peer, _)) = output {
            self.0.insert(peer.clone());
        }
    }
}

/// Changes outputs, knowing who has been there before.
fn with_former(hook: fn(&Former, &mut Context<'_>, Output) -> Option<Output>) -> Box<dyn Filter> {
    let former = Rc::new(RefCell::new(Former::default()));
    on_output(move |context, output| {
        let lost = match &output {
            Output::Event(Event::SessionClosed(peer, _)) => Some(peer.clone()),
            _ => None,
        };
        let output = hook(&former.borrow(), context, output);
        former.borrow_mut().0.extend(lost);
        output
    })
}

/// Reads each payload so many times, knowing who has been there before.
struct Reading {
    former: Former,
    read: fn(&Former, &Context<'_>, ConnId, &[u8]) -> usize,
}

impl Filter for Reading {
    fn frame_in(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        match (self.read)(&self.former, context, conn, &payload) {
            0 => None,
            times => {
                (1..times).for_each(|_| context.add_input(Input::Frame(conn, payload.clone())));
                Some(payload)
            }
        }
    }

    fn output(&mut self, _context: &mut Context<'_>, output: Output) -> Option<Output> {
        self.former.follow(&output);
        Some(output)
    }
}

/// Sends some payloads alone, knowing who has been there before.
struct Sending {
    former: Former,
    sent: fn(&Former, &Context<'_>, ConnId, &Payload) -> bool,
}

impl Filter for Sending {
    fn output(&mut self, _context: &mut Context<'_>, output: Output) -> Option<Output> {
        self.former.follow(&output);
        Some(output)
    }

    fn frame_out(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        (self.sent)(&self.former, context, conn, &payload).then_some(payload)
    }
}

/// How soon after another one a node is lost together with it.
const TOGETHER: Duration = Duration::from_millis(500);

/// Takes the names of a node that is lost soon after another one in again, as if somebody had told them.
#[derive(Default)]
struct LostTogether {
    last: Option<Instant>,
    before: Vec<(Arc<str>, GlobalPid)>,
}

impl Filter for LostTogether {
    fn input(&mut self, context: &mut Context<'_>, input: Input) -> Option<Input> {
        if let Input::Closed(_) = input {
            self.before = context.names();
        }
        Some(input)
    }

    fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        if let Output::Event(Event::SessionClosed(peer, _)) = &output {
            let now = context.now;
            let is_second = self.last.replace(now).is_some_and(|last| now.duration_since(last) < TOGETHER);
            if let Some((teller, _)) = context.sessions().into_iter().next().filter(|_| is_second) {
                for (name, pid) in self.before.iter().filter(|(_, pid)| pid.node == peer.as_str()) {
                    let told = WirePid { creation: pid.creation, ..WirePid::own(pid.local) };
                    let entry = register(&GlobalEntry { name, pid: told, owner: &pid.node });
                    context.add_input(Input::Frame(teller, entry));
                }
            }
        }
        Some(output)
    }
}
