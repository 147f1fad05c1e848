//! Faults of restarts of several children, while they are under way (SUP-11).

use std::collections::{BTreeMap, BTreeSet};

use super::answer;
use crate::{
    faults::{
        filter::{Context, Filter},
        process::edit::message,
        table::Fault,
    },
    node::ConnId,
    wire::{self, LocalId, Message, Payload, process::Spawn, reason::Root},
};

pub(super) const FAULTS: &[Fault] = &[Fault {
    id: "a-crash-in-between-forgets-the-first",
    requirement: "SUP-11",
    description: "When a child crashes while others wait to be stopped, the one before it is not started again.",
    make: || Box::new(Forgetful::default()),
}];

/// Answers in a child's place the SPAWN that follows a crash while others are being stopped.
#[derive(Default)]
struct Forgetful {
    /// Of each supervisor the children that were told to end, and have not.
    stopping: BTreeMap<LocalId, BTreeSet<(ConnId, LocalId)>>,
    /// Supervisors whose next SPAWN is not sent.
    forgets: BTreeSet<LocalId>,
}

impl Filter for Forgetful {
    fn frame_in(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        if let Some(Message::Exit(exit)) = message(&payload)
            && let Some(stopping) = self.stopping.get_mut(&exit.to.local)
            && !stopping.remove(&(conn, exit.from.local))
            && !stopping.is_empty()
        {
            self.forgets.insert(exit.to.local);
        }
        Some(payload)
    }

    fn frame_out(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        match message(&payload) {
            Some(Message::Exit(exit)) if exit.reason == wire::Reason::from(Root::Shutdown) => {
                self.stopping.entry(exit.from.local).or_default().insert((conn, exit.to.local));
            }
            Some(Message::Spawn(Spawn { request, requester, .. })) if self.forgets.remove(&requester.local) => {
                answer(context, conn, request, requester)?;
                return None;
            }
            _ => {}
        }
        Some(payload)
    }
}
