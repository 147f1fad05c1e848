//! Faults of PIDs and node ids.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{
    filter::{Context, Filter},
    payload::{Home, edited, entries, home, is, pids_edited},
    single::{on_frame_in, on_frame_out},
    table::Fault,
};
use crate::{
    node::{ConnId, Event, Output, Role},
    wire::{
        LocalId, Message, NodeId, NodeName, Payload, WirePid,
        message::Phase,
        registry::{GLOBAL_SYNC, GlobalEntry, GlobalSync},
    },
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "local-ids-have-32-bits",
        requirement: "PROC-1",
        description: "Only the lower 32 bits of a local id are read.",
        make: || {
            on_frame_in(|_, _, payload| edited(&payload, |entry| Some(with_bits(entry, |bits| bits & !(0xff << 32)))))
        },
    },
    Fault {
        id: "creation-stands-above-the-node-id",
        requirement: "PROC-1",
        description: "PIDs are read and written with the creation in bits 56 to 63, the node id in bits 40 to 55.",
        make: || Box::new(CreationOnTop),
    },
    Fault {
        id: "own-pids-with-the-own-creation",
        requirement: "PROC-2",
        description: "A process of the node itself is written with node id 0 and the node's creation.",
        make: || {
            pids_out(Home::Here, |context, pid| {
                pid.creation = context.identity().map_or(0, |identity| identity.creation.get());
            })
        },
    },
    Fault {
        id: "own-pids-with-a-node-id",
        requirement: "PROC-2",
        description: "A process of the node itself is written with node id 1.",
        make: || pids_out(Home::Here, |_, pid| pid.node = NodeId(1)),
    },
    Fault {
        id: "own-field-of-another-creation-is-ignored",
        requirement: "PROC-3",
        description: "An own field is stored only with creation 0 or with the sender's.",
        make: || {
            on_frame_in(|context, conn, payload| {
                let announced = context.connection(conn).and_then(|view| view.creation).map(|creation| creation.get());
                edited(&payload, |entry| {
                    let is_odd = entry.pid.creation != 0 && Some(entry.pid.creation) != announced;
                    (home(context, conn, &entry) != Home::Peer || !is_odd).then_some(entry)
                })
            })
        },
    },
    Fault {
        id: "creation-of-an-own-field-is-believed",
        requirement: "PROC-3",
        description: "An own field is stored with the creation written in it, unless that is 0.",
        make: || Box::new(Believed::default()),
    },
    Fault {
        id: "node-id-of-a-directed-field-counts",
        requirement: "PROC-4",
        description: "A directed field with another node id than 0 names no live process.",
        make: || {
            directed_in(|_, pid| {
                if pid.node != NodeId::OWN {
                    *pid = nobody();
                }
            })
        },
    },
    Fault {
        id: "directed-field-of-a-former-run-is-alive",
        requirement: "PROC-5",
        description: "The creation of a directed field is not looked at.",
        make: || directed_in(|own, pid| pid.creation = own),
    },
    Fault {
        id: "all-local-directed-field-is-dead",
        requirement: "PROC-5",
        description: "A directed field with node id 0 and creation 0 names no live process.",
        make: || {
            directed_in(|_, pid| {
                if pid.node == NodeId::OWN && pid.creation == 0 {
                    *pid = nobody();
                }
            })
        },
    },
    Fault {
        id: "node-ids-count-from-0",
        requirement: "PROC-6",
        description: "The first node id that is given is 0.",
        make: || on_frame_out(|_, _, payload| ids_out(&payload, |_, id| id - 1)),
    },
    Fault {
        id: "node-ids-wrap-at-2",
        requirement: "PROC-6",
        description: "The third node name gets the node id of the first.",
        make: || on_frame_out(|_, _, payload| ids_out(&payload, |_, id| (id - 1) % 2 + 1)),
    },
    Fault {
        id: "node-id-changes-with-a-disconnect",
        requirement: "PROC-7",
        description: "A name that comes back after a disconnect gets another node id.",
        make: || Box::new(Renumbered::default()),
    },
    Fault {
        id: "peers-are-refused-when-owners-are",
        requirement: "PROC-8",
        description: "Past 64,511 owners peers with a new name are refused.",
        make: || Box::new(OneLimit::default()),
    },
    Fault {
        id: "entries-take-the-last-ids",
        requirement: "PROC-8",
        description: "Entries of new owners are stored past 64,511 ids, too.",
        make: || Box::new(NoneKept::default()),
    },
];

fn with_bits(entry: GlobalEntry<'_>, change: fn(u64) -> u64) -> GlobalEntry<'_> {
    GlobalEntry { pid: WirePid::from_u64(change(entry.pid.to_u64())), ..entry }
}

/// Local ids count from 1: this process has never lived.
fn nobody() -> WirePid {
    WirePid::from_u64(0)
}

/// Rewrites the PIDs of a home on their way out.
fn pids_out(whose: Home, edit: fn(&Context<'_>, &mut WirePid)) -> Box<dyn Filter> {
    on_frame_out(move |context, conn, payload| {
        edited(&payload, |mut entry| {
            if home(context, conn, &entry) == whose {
                edit(context, &mut entry.pid);
            }
            Some(entry)
        })
        .map(Payload::from)
    })
}

/// Rewrites the node ids of other nodes on their way out; `edit` gets the owner, too.
fn ids_out(payload: &Payload, edit: impl Fn(&str, u16) -> u16) -> Option<Payload> {
    let edit = |entry: &WirePid, owner: &str| WirePid { node: NodeId(edit(owner, entry.node.0)), ..*entry };
    let others = |pid: &WirePid| pid.node != NodeId::OWN;
    edited(payload, |entry| {
        Some(if others(&entry.pid) { GlobalEntry { pid: edit(&entry.pid, entry.owner), ..entry } } else { entry })
    })
    .map(Payload::from)
}

/// Rewrites directed fields before the node sees them; `edit` gets the own creation, too.
fn directed_in(edit: fn(u8, &mut WirePid)) -> Box<dyn Filter> {
    on_frame_in(move |context, conn, payload| {
        let Some(identity) = context.identity() else { return Some(payload) };
        edited(&payload, |mut entry| {
            if home(context, conn, &entry) == Home::Here {
                edit(identity.creation.get(), &mut entry.pid);
            }
            Some(entry)
        })
    })
}

/// Reads and writes the two upper parts of a PID in each other's place.
struct CreationOnTop;

impl Filter for CreationOnTop {
    fn frame_in(&mut self, _context: &mut Context<'_>, _conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        let read = |bits: u64| (bits >> 56) << 40 | (bits >> 40 & 0xffff) << 48 | bits & 0xff_ffff_ffff;
        edited(&payload, |entry| Some(with_bits(entry, read)))
    }

    fn frame_out(&mut self, _context: &mut Context<'_>, _conn: ConnId, payload: Payload) -> Option<Payload> {
        let written = |bits: u64| (bits >> 40 & 0xff) << 56 | (bits >> 48) << 40 | bits & 0xff_ffff_ffff;
        edited(&payload, |entry| Some(with_bits(entry, written))).map(Payload::from)
    }
}

/// Remembers what creations senders have written with their own processes.
#[derive(Default)]
struct Believed {
    written: BTreeMap<(String, LocalId), u8>,
}

impl Filter for Believed {
    fn frame_in(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        for entry in entries(&payload) {
            if entry.pid.creation != 0 && home(context, conn, &entry) == Home::Peer {
                self.written.insert((entry.owner.to_owned(), entry.pid.local), entry.pid.creation);
            }
        }
        Some(payload)
    }

    fn output(&mut self, _context: &mut Context<'_>, output: Output) -> Option<Output> {
        Some(pids_edited(output, |pid| {
            pid.creation = *self.written.get(&(pid.node.clone(), pid.local)).unwrap_or(&pid.creation);
        }))
    }

    fn frame_out(&mut self, _context: &mut Context<'_>, _conn: ConnId, payload: Payload) -> Option<Payload> {
        edited(&payload, |mut entry| {
            let written = self.written.get(&(entry.owner.to_owned(), entry.pid.local));
            entry.pid.creation = *written.unwrap_or(&entry.pid.creation);
            Some(entry)
        })
        .map(Payload::from)
    }
}

/// Counts how often each node was lost.
#[derive(Default)]
struct Renumbered {
    losses: BTreeMap<NodeName, u16>,
}

impl Filter for Renumbered {
    fn output(&mut self, _context: &mut Context<'_>, output: Output) -> Option<Output> {
        if let Output::Event(Event::SessionClosed(peer, _)) = &output {
            *self.losses.entry(peer.clone()).or_default() += 1;
        }
        Some(output)
    }

    fn frame_out(&mut self, _context: &mut Context<'_>, _conn: ConnId, payload: Payload) -> Option<Payload> {
        let losses = |owner: &str| NodeName::parse(owner).ok().and_then(|owner| self.losses.get(&owner)).copied();
        ids_out(&payload, |owner, id| id + 1_000 * losses(owner).unwrap_or(0))
    }
}

/// Ids that owners may use up.
const FOR_OWNERS: usize = 64_511;

/// Counts all nodes that are known by name.
#[derive(Default)]
struct OneLimit {
    known: BTreeSet<String>,
}

impl Filter for OneLimit {
    fn frame_in(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        self.known.extend(entries(&payload).into_iter().map(|entry| entry.owner.to_owned()));
        let is_claim = context.phase(conn) == Some(Phase::Handshake) && conn.role == Role::Accepted;
        if is_claim
            && let Ok((Message::Name(claimed), _)) = Message::decode(Phase::Handshake, &payload)
            && self.known.len() >= FOR_OWNERS
            && !self.known.contains(claimed.name)
        {
            context.close(conn);
            return None;
        }
        Some(payload)
    }
}

/// Remembers all entries, and tells those that the node has ignored for want of an id.
#[derive(Default)]
struct NoneKept {
    told: BTreeMap<String, (WirePid, String)>,
}

impl Filter for NoneKept {
    fn frame_in(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        for entry in entries(&payload).iter().filter(|entry| home(context, conn, entry) == Home::Third) {
            self.told.insert(entry.name.to_owned(), (entry.pid, entry.owner.to_owned()));
        }
        Some(payload)
    }

    fn frame_out(&mut self, context: &mut Context<'_>, _conn: ConnId, payload: Payload) -> Option<Payload> {
        if !is(GLOBAL_SYNC, &payload) || self.told.len() < FOR_OWNERS {
            return Some(payload);
        }
        let ignored = self.told.iter().filter(|(name, _)| context.whereis(name).is_none());
        let mut entries = entries(&payload);
        entries.extend(ignored.map(|(name, (pid, owner))| GlobalEntry { name, pid: *pid, owner }));
        GlobalSync { entries }.encode().ok().map(Payload::from)
    }
}
