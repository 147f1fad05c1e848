//! What processes are told beside messages: exits over links, ends of those that they monitor, nodes that come and go.

use super::{Event, Node, Reason};
use crate::wire::{LocalId, NodeName, WirePid};

/// One thing that a process is told, whatever its function. PIDs are as this node holds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// An exit over the link with `from` was delivered as a message.
    Exited { from: WirePid, reason: Reason },
    /// The process that it monitors under `reference` has ended.
    Down { reference: u64, from: WirePid, reason: Reason },
    /// A session with a node that it watches has begun.
    NodeUp(NodeName),
    /// The session with a node that it watches has ended.
    NodeDown(NodeName),
}

impl Node {
    pub(super) fn tell(&mut self, local: LocalId, told: Told) {
        if !self.processes.is_alive(local) {
            return;
        }
        let pid = self.own_pid(local);
        let event = match told {
            Told::Exited { from, reason } => Event::Exited { pid, from: self.global_pid(from), reason },
            Told::Down { reference, from, reason } => {
                Event::Down { pid, reference, from: self.global_pid(from), reason }
            }
            Told::NodeUp(node) => Event::NodeUp { pid, node },
            Told::NodeDown(node) => Event::NodeDown { pid, node },
        };
        self.event(event);
    }
}
