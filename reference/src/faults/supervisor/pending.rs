//! Faults of what happens to a child while its SPAWN is pending (SUP-12).

use std::collections::{BTreeMap, BTreeSet};

use super::{answer, inject};
use crate::{
    faults::{
        filter::{Context, Filter},
        process::edit::message,
        table::Fault,
    },
    node::{ConnId, Input},
    wire::{
        self, LocalId, Message, Payload,
        process::{Exit, Spawn},
        reason::Root,
    },
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "an-exit-before-its-spawn-reply-is-forgotten",
        requirement: "SUP-12",
        description: "A child whose EXIT comes before its SPAWN_REPLY is taken for alive.",
        make: || Box::new(ForgottenExits::default()),
    },
    Fault {
        id: "children-lost-while-pending-count-twice",
        requirement: "SUP-12",
        description: "A child whose link fires while its SPAWN is pending crashes twice.",
        make: || Box::new(CountedTwice::default()),
    },
];

/// Drops EXITs of processes that have linked themselves to the requester of a pending SPAWN of their session.
#[derive(Default)]
struct ForgottenExits {
    /// Of each session the pending SPAWNs' requests and requesters.
    pending: BTreeMap<ConnId, BTreeMap<u64, LocalId>>,
    linked: BTreeSet<(ConnId, LocalId)>,
}

impl Filter for ForgottenExits {
    fn frame_in(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        let pending = self.pending.entry(conn).or_default();
        match message(&payload) {
            Some(Message::Link(link)) if pending.values().any(|requester| *requester == link.to.local) => {
                self.linked.insert((conn, link.from.local));
            }
            Some(Message::Exit(exit)) if self.linked.contains(&(conn, exit.from.local)) => return None,
            Some(Message::SpawnReply(reply)) => {
                pending.remove(&reply.request);
                self.linked.retain(|(of, _)| *of != conn);
            }
            _ => {}
        }
        Some(payload)
    }

    fn frame_out(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        if let Some(Message::Spawn(spawn)) = message(&payload) {
            self.pending.entry(conn).or_default().insert(spawn.request, spawn.requester.local);
        }
        Some(payload)
    }
}

/// Has a child crash once more that was lost between its LINK and its SPAWN_REPLY.
#[derive(Default)]
struct CountedTwice {
    /// Of each session the requesters of pending SPAWNs, and whether LINK has come.
    pending: BTreeMap<ConnId, BTreeMap<u64, (LocalId, bool)>>,
    /// Requesters that will have lost one more.
    marked: BTreeSet<LocalId>,
}

impl Filter for CountedTwice {
    fn frame_in(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        let pending = self.pending.entry(conn).or_default();
        match message(&payload) {
            Some(Message::Link(link)) => {
                pending.values_mut().filter(|(to, _)| *to == link.to.local).for_each(|(_, linked)| *linked = true);
            }
            Some(Message::SpawnReply(reply)) => drop(pending.remove(&reply.request)),
            _ => {}
        }
        Some(payload)
    }

    fn input(&mut self, _context: &mut Context<'_>, input: Input) -> Option<Input> {
        if let Input::Closed(conn) = &input {
            let pending = self.pending.remove(conn).unwrap_or_default().into_values();
            self.marked.extend(pending.filter(|(_, linked)| *linked).map(|(requester, _)| requester));
        }
        Some(input)
    }

    fn frame_out(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        let Some(Message::Spawn(Spawn { request, requester, .. })) = message(&payload) else { return Some(payload) };
        if !self.marked.remove(&requester.local) {
            self.pending.entry(conn).or_default().insert(request, (requester.local, false));
            return Some(payload);
        }
        let Some(from) = answer(context, conn, request, requester) else { return Some(payload) };
        inject(
            context,
            conn,
            &Message::Exit(Exit { from, to: requester, reason: wire::Reason::from(Root::NoConnection) }),
        );
        None
    }
}
