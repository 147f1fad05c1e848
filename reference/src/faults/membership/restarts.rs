//! Faults of nodes that come again, restarted or not (MEM-24 to MEM-28).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::claims::{Verdict, judged, on_any_reply, on_claim, on_right_reply};
use crate::{
    faults::{
        cause::at_session_start,
        filter::{Context, Filter},
        payload::unregister,
        single::on_output,
        table::Fault,
    },
    node::{ConnId, Event, GlobalPid, How, Input, Output, Role},
    wire::{
        Creation, NodeId, NodeName, WirePid,
        registry::{GlobalEntry, GlobalSync},
    },
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "restarted-node-is-refused",
        requirement: "MEM-24",
        description: "A connection from the name of a live session is closed at NAME, whatever its creation.",
        make: || on_claim(|context, claim| Verdict::Close.when(claim.former(context).is_some())),
    },
    Fault {
        id: "replaced-session-stays-open",
        requirement: "MEM-24",
        description: "The connection of a session that has been replaced is not closed.",
        make: || Box::new(OpenFormer::default()),
    },
    Fault {
        id: "replaced-session-is-not-told",
        requirement: "MEM-24",
        description: "The end of a session that has been replaced is not told.",
        make: || {
            on_output(|context, output| {
                let Output::Event(Event::SessionClosed(peer, _)) = &output else { return Some(output) };
                let is_back = context.sessions().iter().any(|(_, view)| view.peer.as_ref() == Some(peer));
                (!is_back).then_some(output)
            })
        },
    },
    Fault {
        id: "restarted-node-replaces-at-name",
        requirement: "MEM-25",
        description: "NAME with another creation ends the live session.",
        make: || on_claim(|context, claim| Verdict::after(claim.former(context))),
    },
    Fault {
        id: "wrong-proof-replaces",
        requirement: "MEM-25",
        description: "REPLY on a connection with another creation ends the live session before its proof is looked at.",
        make: || on_any_reply(|context, claim| Verdict::after(claim.former(context))),
    },
    Fault {
        id: "sync-from-before-the-clean-up",
        requirement: "MEM-26",
        description: "GLOBAL_SYNC of a session that replaces another still has the names of the peer's former run.",
        make: || {
            at_session_start(|context, start| {
                if start.replaces
                    && let Ok(sync) = (GlobalSync { entries: entries(&start.names) }).encode()
                {
                    context.send(start.conn, sync);
                }
            })
        },
    },
    Fault {
        id: "clean-up-is-told-to-the-new-session",
        requirement: "MEM-26",
        description: "A session that replaces another is told which names have been removed.",
        make: || {
            at_session_start(|context, start| {
                if start.replaces {
                    start.names.iter().for_each(|(name, _)| context.send(start.conn, unregister(name)));
                }
            })
        },
    },
    Fault {
        id: "older-connection-replaces",
        requirement: "MEM-27",
        description: "A right REPLY replaces a session of another creation, even one whose NAME was read later.",
        make: || on_right_reply(|context, claim| Verdict::after(claim.former(context))),
    },
    Fault {
        id: "older-connection-replaces-a-dialled-session",
        requirement: "MEM-27",
        description: "A right REPLY replaces a session of another creation, if the node has opened that later.",
        make: || {
            on_right_reply(|context, claim| {
                Verdict::after(claim.former(context).filter(|former| former.role == Role::Dialled))
            })
        },
    },
    Fault {
        id: "lost-run-may-not-come-back",
        requirement: "MEM-28",
        description: "A peer whose session has ended is accepted with another creation only.",
        make: || Box::new(Gone::default()),
    },
    Fault {
        id: "lost-node-is-not-dialled",
        requirement: "MEM-28",
        description: "A node whose session has ended may come back, but is not dialled any more.",
        make: || Box::new(GoneToDial::default()),
    },
];

/// Former names as the entries that a table had of them. The node id is not the node's, and means nothing to the peer.
fn entries(names: &[(Arc<str>, GlobalPid)]) -> Vec<GlobalEntry<'_>> {
    let held = |pid: &GlobalPid| WirePid { node: NodeId(1), creation: pid.creation, local: pid.local };
    names.iter().map(|(name, pid)| GlobalEntry { name, pid: held(pid), owner: &pid.node }).collect()
}

/// Knows whose the connections were before the node closed them.
#[derive(Default)]
struct OpenFormer {
    before: BTreeMap<ConnId, Option<NodeName>>,
}

impl Filter for OpenFormer {
    fn input(&mut self, context: &mut Context<'_>, input: Input) -> Option<Input> {
        self.before = context.sessions().into_iter().map(|(conn, view)| (conn, view.peer)).collect();
        Some(input)
    }

    fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        let Output::Close(conn, How::AtOnce) = &output else { return Some(output) };
        let former = self.before.get(conn).cloned().flatten();
        let is_back = former.is_some() && context.sessions().into_iter().any(|(_, view)| view.peer == former);
        (!is_back).then_some(output)
    }
}

/// Knows which runs have ended.
#[derive(Default)]
struct Gone {
    runs: BTreeSet<(NodeName, Creation)>,
}

impl Filter for Gone {
    fn frame_in(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        judged(context, conn, payload, |_, claim| {
            let run = Creation::new(claim.creation).map(|creation| (claim.peer.clone(), creation));
            Verdict::Close.when(run.is_some_and(|run| self.runs.contains(&run)))
        })
    }

    fn output(&mut self, _context: &mut Context<'_>, output: Output) -> Option<Output> {
        if let Output::Event(Event::SessionClosed(peer, creation)) = &output {
            self.runs.insert((peer.clone(), *creation));
        }
        Some(output)
    }
}

/// Knows which nodes are lost.
#[derive(Default)]
struct GoneToDial {
    names: BTreeSet<NodeName>,
}

impl Filter for GoneToDial {
    fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        match &output {
            Output::Event(Event::SessionClosed(peer, _)) => drop(self.names.insert(peer.clone())),
            Output::Dial { conn, .. } => {
                let mut dials = context.dials().into_iter();
                if dials.any(|(dial, name)| dial == *conn && self.names.contains(&name)) {
                    context.add_input(Input::DialFailed(*conn, "it is lost".into()));
                    return None;
                }
            }
            _ => {}
        }
        Some(output)
    }
}
