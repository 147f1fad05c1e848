//! Faults of whose PID it is (REG-21 to REG-29).

use super::{send_to_others, unregister_to};
use crate::{
    faults::{
        filter::{Context, Filter},
        payload::{Home, edited, entries, home, is, peer, unregister},
        single::{on_frame_in, on_frame_out},
        table::Fault,
    },
    node::{ConnId, GlobalPid, Input, Output},
    wire::{
        NodeId, NodeName, Payload, WirePid,
        name::MAX_NODE_NAME,
        registry::{GLOBAL_REGISTER, GLOBAL_SYNC, GlobalEntry},
    },
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "own-entry-with-a-node-id-is-stored",
        requirement: "REG-21",
        description: "The node id of an entry whose owner is the sender is not looked at.",
        make: || {
            entries_in(|context, conn, entry| match home(context, conn, &entry) {
                Home::Peer => Some(GlobalEntry { pid: WirePid { node: NodeId::OWN, ..entry.pid }, ..entry }),
                _ => Some(entry),
            })
        },
    },
    Fault {
        id: "directed-entries-of-a-sync-are-ignored",
        requirement: "REG-22",
        description: "GLOBAL_SYNC's entries of live processes of the receiver are not stored.",
        make: || {
            on_frame_in(|context, conn, payload| {
                if !is(GLOBAL_SYNC, &payload) {
                    return Some(payload);
                }
                let is_dropped =
                    |entry: &GlobalEntry<'_>| home(context, conn, entry) == Home::Here && is_alive(context, entry);
                edited(&payload, |entry| (!is_dropped(&entry)).then_some(entry))
            })
        },
    },
    Fault {
        id: "directed-entries-are-stored-only-all-local",
        requirement: "REG-22",
        description: "An entry of a live process of the receiver that carries the receiver's creation is ignored.",
        make: || {
            entries_in(|context, conn, entry| {
                let is_ours = home(context, conn, &entry) == Home::Here && is_alive(context, &entry);
                (!is_ours || entry.pid.creation == 0).then_some(entry)
            })
        },
    },
    Fault {
        id: "dead-entry-is-not-told-to-its-sender",
        requirement: "REG-23",
        description: "GLOBAL_UNREGISTER of an entry of a dead process goes to all sessions but the sender's.",
        make: || DeadEntry::told(|to, sender| to != sender),
    },
    Fault {
        id: "dead-entry-is-told-to-its-sender-alone",
        requirement: "REG-23",
        description: "GLOBAL_UNREGISTER of an entry of a dead process goes to the sender's session only.",
        make: || DeadEntry::told(|to, sender| to == sender),
    },
    Fault {
        id: "directed-entry-of-a-taken-name-is-answered",
        requirement: "REG-24",
        description: "The sender of an entry of the receiver is sent GLOBAL_UNREGISTER when the name is taken.",
        make: || {
            entries_in(|context, conn, entry| {
                if home(context, conn, &entry) == Home::Here && context.whereis(entry.name).is_some() {
                    context.send(conn, unregister(entry.name));
                }
                Some(entry)
            })
        },
    },
    Fault {
        id: "dead-entry-of-a-taken-name-is-told",
        requirement: "REG-24",
        description: "An entry of a dead process is told as GLOBAL_UNREGISTER even if another process has the name.",
        make: || {
            entries_in(|context, conn, entry| {
                let is_dead = home(context, conn, &entry) == Home::Here && !is_alive(context, &entry);
                if is_dead && context.whereis(entry.name).is_some() {
                    send_to_others(context, None, &unregister(entry.name));
                }
                Some(entry)
            })
        },
    },
    Fault {
        id: "third-entry-gets-its-senders-creation",
        requirement: "REG-25",
        description: "An entry of a node that is not connected is stored with the creation of who tells it.",
        make: || {
            thirds_in(|context, conn, entry, live| {
                let sender = context.connection(conn).and_then(|view| view.creation);
                let creation = sender.filter(|_| live.is_none()).map_or(entry.pid.creation, |sender| sender.get());
                Some(with_creation(entry, creation))
            })
        },
    },
    Fault {
        id: "third-entry-of-a-connected-owner-is-ignored",
        requirement: "REG-25",
        description: "An entry of a third node counts only if that is not connected, and could not tell it itself.",
        make: || thirds_in(|_, _, entry, live| live.is_none().then_some(entry)),
    },
    Fault {
        id: "third-entry-of-creation-0-is-stored",
        requirement: "REG-26",
        description: "An entry of a third node whose creation is 0 is stored as one of creation 1.",
        make: || {
            thirds_in(|_, _, entry, live| {
                let creation = if entry.pid.creation == 0 { live.unwrap_or(1) } else { entry.pid.creation };
                Some(with_creation(entry, creation))
            })
        },
    },
    Fault {
        id: "third-entry-of-another-run-is-stored",
        requirement: "REG-27",
        description: "An entry of a connected third node is stored for its present run, whatever its creation.",
        make: || {
            thirds_in(|_, _, entry, live| {
                let creation = live.filter(|_| entry.pid.creation != 0).unwrap_or(entry.pid.creation);
                Some(with_creation(entry, creation))
            })
        },
    },
    Fault {
        id: "entry-without-owner-is-the-senders",
        requirement: "REG-28",
        description: "An entry whose owner is empty is stored as its sender's.",
        make: || {
            on_frame_in(|context, conn, payload| {
                let Some(sender) = peer(context, conn) else { return Some(payload) };
                edited(&payload, |entry| {
                    let is_empty = entry.owner.is_empty();
                    let own = GlobalEntry { owner: sender.as_str(), pid: WirePid::own(entry.pid.local), ..entry };
                    Some(if is_empty { own } else { entry })
                })
            })
        },
    },
    Fault {
        id: "long-owner-is-stored",
        requirement: "REG-28",
        description: "Of an owner that is too long as many bytes are taken as a node name may have.",
        make: || {
            entries_in(|_, _, entry| {
                let end = entry.owner.floor_char_boundary(MAX_NODE_NAME);
                Some(GlobalEntry { owner: &entry.owner[..end], ..entry })
            })
        },
    },
    Fault {
        id: "owner-without-a-valid-port-is-stored",
        requirement: "REG-28",
        description: "What stands behind the host of an owner is ignored if it is no port.",
        make: || {
            entries_in(|_, _, entry| {
                let without = entry.owner.rsplit_once(':').map(|(owner, _)| owner);
                let owner = without.filter(|_| NodeName::parse(entry.owner).is_err()).unwrap_or(entry.owner);
                Some(GlobalEntry { owner, ..entry })
            })
        },
    },
    Fault {
        id: "relayed-entry-without-its-creation",
        requirement: "REG-29",
        description: "GLOBAL_SYNC has creation 0 with processes of other nodes.",
        make: || relayed_out(GLOBAL_SYNC, |entry, _| with_creation(entry, 0)),
    },
    Fault {
        id: "registered-remote-process-has-the-own-creation",
        requirement: "REG-29",
        description: "GLOBAL_REGISTER of another node's process carries the creation of the node that tells it.",
        make: || relayed_out(GLOBAL_REGISTER, with_creation),
    },
    Fault {
        id: "relayed-local-ids-have-32-bits",
        requirement: "REG-29",
        description: "GLOBAL_SYNC has the lower 32 bits of the local ids of other nodes' processes.",
        make: || {
            relayed_out(GLOBAL_SYNC, |entry, _| {
                let high = entry.pid.to_u64() & (0xff << 32);
                GlobalEntry { pid: WirePid::from_u64(entry.pid.to_u64() - high), ..entry }
            })
        },
    },
];

fn with_creation(entry: GlobalEntry<'_>, creation: u8) -> GlobalEntry<'_> {
    GlobalEntry { pid: WirePid { creation, ..entry.pid }, ..entry }
}

/// Whether an entry of the receiver names a live process there.
fn is_alive(context: &Context<'_>, entry: &GlobalEntry<'_>) -> bool {
    let creation = match (entry.pid, context.identity()) {
        (WirePid { node: NodeId::OWN, creation: 0, .. }, Some(identity)) => identity.creation.get(),
        (pid, _) => pid.creation,
    };
    context.is_alive(&GlobalPid { node: entry.owner.to_owned(), creation, local: entry.pid.local })
}

/// Rewrites every entry that comes.
fn entries_in(
    edit: for<'a> fn(&mut Context<'_>, ConnId, GlobalEntry<'a>) -> Option<GlobalEntry<'a>>,
) -> Box<dyn Filter> {
    on_frame_in(move |context, conn, payload| edited(&payload, |entry| edit(context, conn, entry)))
}

/// Rewrites every entry of a third node that comes; `edit` gets the creation of the owner's session as well.
fn thirds_in(
    edit: for<'a> fn(&Context<'_>, ConnId, GlobalEntry<'a>, Option<u8>) -> Option<GlobalEntry<'a>>,
) -> Box<dyn Filter> {
    on_frame_in(move |context, conn, payload| {
        let sessions = context.sessions();
        edited(&payload, |entry| {
            if home(context, conn, &entry) != Home::Third {
                return Some(entry);
            }
            let owns = |peer: &NodeName| peer.as_str() == entry.owner;
            let session = sessions.iter().find(|(_, view)| view.peer.as_ref().is_some_and(owns));
            let live = session.and_then(|(_, view)| view.creation).map(|creation| creation.get());
            edit(context, conn, entry, live)
        })
    })
}

/// Rewrites other nodes' entries in such messages; `edit` gets the own creation as well.
fn relayed_out(tag: u8, edit: for<'a> fn(GlobalEntry<'a>, u8) -> GlobalEntry<'a>) -> Box<dyn Filter> {
    on_frame_out(move |context, conn, payload| {
        let Some(identity) = context.identity().filter(|_| is(tag, &payload)) else { return Some(payload) };
        edited(&payload, |entry| match home(context, conn, &entry) {
            Home::Here => Some(entry),
            Home::Peer | Home::Third => Some(edit(entry, identity.creation.get())),
        })
        .map(Payload::from)
    })
}

/// Knows who has told what is being handled.
struct DeadEntry {
    is_told: fn(ConnId, ConnId) -> bool,
    sender: Option<ConnId>,
}

impl DeadEntry {
    /// `is_told` gets the connection to which GLOBAL_UNREGISTER is sent, and the sender's.
    fn told(is_told: fn(ConnId, ConnId) -> bool) -> Box<dyn Filter> {
        Box::new(Self { is_told, sender: None })
    }
}

impl Filter for DeadEntry {
    fn input(&mut self, _context: &mut Context<'_>, input: Input) -> Option<Input> {
        self.sender = match &input {
            Input::Frame(conn, payload) if !entries(payload).is_empty() => Some(*conn),
            _ => None,
        };
        Some(input)
    }

    fn output(&mut self, _context: &mut Context<'_>, output: Output) -> Option<Output> {
        let is_told = unregister_to(&output).zip(self.sender).is_none_or(|(to, sender)| (self.is_told)(to, sender));
        is_told.then_some(output)
    }
}
