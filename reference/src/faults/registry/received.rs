//! Faults of what peers tell of names, and of what they are told at a session's start (REG-10 to REG-16).

use std::collections::BTreeSet;

use super::send_to_others;
use crate::{
    faults::{
        filter::{Context, Filter},
        payload::{Home, decode, edited, entries, home, is, peer, unregister},
        single::{on_frame_in, on_frame_out},
        table::Fault,
    },
    node::{ConnId, Input, Role},
    wire::{
        Message, NodeId, Payload,
        registry::{GLOBAL_REGISTER, GLOBAL_SYNC, GLOBAL_UNREGISTER, GlobalEntry},
    },
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "unregistered-name-stays-taken",
        requirement: "REG-10",
        description: "A name that a peer has unregistered once is never stored again.",
        make: || {
            let mut gone = BTreeSet::new();
            on_frame_in(move |_, _, payload| {
                if let Some(name) = unregistered(&payload) {
                    gone.insert(name.to_owned());
                }
                edited(&payload, |entry| (!gone.contains(entry.name)).then_some(entry))
            })
        },
    },
    Fault {
        id: "register-by-dialled-peers-is-ignored",
        requirement: "REG-10",
        description: "GLOBAL_REGISTER counts only when it comes from a peer that came by itself.",
        make: || {
            on_frame_in(|_, conn, payload| {
                (conn.role == Role::Accepted || !is(GLOBAL_REGISTER, &payload)).then_some(payload)
            })
        },
    },
    Fault {
        id: "later-register-wins",
        requirement: "REG-11",
        description: "GLOBAL_REGISTER of a process of its sender replaces what another node's process has.",
        make: || {
            on_frame_in(|context, conn, payload| {
                replacing(context, conn, payload, |context, entry_name| {
                    let own = context.identity().map(|identity| identity.name.as_str());
                    context.whereis(entry_name).is_some_and(|pid| Some(pid.node.as_str()) != own)
                })
            })
        },
    },
    Fault {
        id: "own-name-is-given-away",
        requirement: "REG-11",
        description: "GLOBAL_REGISTER of a process of its sender replaces what the node's own process has.",
        make: || {
            on_frame_in(|context, conn, payload| {
                replacing(context, conn, payload, |context, entry_name| {
                    let own = context.identity().map(|identity| identity.name.as_str());
                    context.whereis(entry_name).is_some_and(|pid| Some(pid.node.as_str()) == own)
                })
            })
        },
    },
    Fault {
        id: "unregister-by-others-is-ignored",
        requirement: "REG-12",
        description: "GLOBAL_UNREGISTER counts only when it comes from the name's owner.",
        make: || {
            on_frame_in(|context, conn, payload| {
                let owner = unregistered(&payload).and_then(|name| context.whereis(name)).map(|pid| pid.node);
                let sender = peer(context, conn).map(|peer| peer.to_string());
                (owner.is_none() || owner == sender).then_some(payload)
            })
        },
    },
    Fault {
        id: "unregister-of-an-own-name-is-ignored",
        requirement: "REG-12",
        description: "GLOBAL_UNREGISTER does not touch the names of the node's own processes.",
        make: || {
            on_frame_in(|context, _, payload| {
                let owner = unregistered(&payload).and_then(|name| context.whereis(name)).map(|pid| pid.node);
                let own = context.identity().map(|identity| identity.name.to_string());
                (owner.is_none() || owner != own).then_some(payload)
            })
        },
    },
    Fault {
        id: "unregister-of-an-unknown-name-ends-the-session",
        requirement: "REG-12",
        description: "GLOBAL_UNREGISTER of an unknown name is taken for a violation of the protocol.",
        make: || {
            on_frame_in(|context, conn, payload| {
                if unregistered(&payload).is_none_or(|name| context.whereis(name).is_some()) {
                    return Some(payload);
                }
                context.close(conn);
                None
            })
        },
    },
    Fault {
        id: "register-is-passed-on",
        requirement: "REG-13",
        description: "GLOBAL_REGISTER of a free name is sent on to the other sessions.",
        make: || {
            on_frame_in(|context, conn, payload| {
                let is_new = entries(&payload).iter().all(|entry| context.whereis(entry.name).is_none());
                if is(GLOBAL_REGISTER, &payload) && is_new {
                    send_to_others(context, Some(conn), &payload);
                }
                Some(payload)
            })
        },
    },
    Fault {
        id: "unregister-is-passed-on",
        requirement: "REG-13",
        description: "GLOBAL_UNREGISTER of a name that is there is sent on to the other sessions.",
        make: || {
            on_frame_in(|context, conn, payload| {
                if unregistered(&payload).is_some_and(|name| context.whereis(name).is_some()) {
                    send_to_others(context, Some(conn), &payload);
                }
                Some(payload)
            })
        },
    },
    Fault {
        id: "sync-is-passed-on",
        requirement: "REG-13",
        description: "GLOBAL_SYNC is sent on to the other sessions.",
        make: || {
            on_frame_in(|context, conn, payload| {
                if is(GLOBAL_SYNC, &payload) {
                    send_to_others(context, Some(conn), &payload);
                }
                Some(payload)
            })
        },
    },
    Fault {
        id: "sync-is-read-up-to-a-taken-name",
        requirement: "REG-14",
        description: "Entries behind one whose name is taken are skipped as well.",
        make: || {
            on_frame_in(|context, _, payload| {
                let mut taken = false;
                edited(&payload, |entry| {
                    taken |= context.whereis(entry.name).is_some();
                    (!taken).then_some(entry)
                })
            })
        },
    },
    Fault {
        id: "second-sync-is-ignored",
        requirement: "REG-14",
        description: "Of all GLOBAL_SYNCs of a session the first alone counts.",
        make: || {
            let mut synced = BTreeSet::new();
            on_frame_in(move |_, conn, payload| (!is(GLOBAL_SYNC, &payload) || synced.insert(conn)).then_some(payload))
        },
    },
    Fault {
        id: "sync-replaces-the-senders-names",
        requirement: "REG-14",
        description: "An entry of GLOBAL_SYNC replaces what a process of its sender had under that name.",
        make: || {
            on_frame_in(|context, conn, payload| {
                let sender = peer(context, conn).map(|peer| peer.to_string());
                if !is(GLOBAL_SYNC, &payload) {
                    return Some(payload);
                }
                let mut replaced = entries(&payload);
                replaced.retain(|entry| {
                    let holder = context.whereis(entry.name).map(|pid| pid.node);
                    is_own_field(context, conn, entry) && holder == sender
                });
                replaced.iter().for_each(|entry| context.add_input(Input::Frame(conn, unregister(entry.name))));
                context.add_input(Input::Frame(conn, payload));
                None
            })
        },
    },
    Fault {
        id: "sync-without-other-owners",
        requirement: "REG-15",
        description: "GLOBAL_SYNC has the names of the node's own processes only.",
        make: || sync_out(|here| here == Home::Here),
    },
    Fault {
        id: "sync-without-the-receivers-names",
        requirement: "REG-15",
        description: "GLOBAL_SYNC leaves out the names that its receiver owns.",
        make: || sync_out(|here| here != Home::Peer),
    },
    Fault {
        id: "no-sync-for-dialled-peers",
        requirement: "REG-15",
        description: "Only peers that came by themselves get GLOBAL_SYNC.",
        make: || {
            on_frame_out(|_, conn, payload| {
                (conn.role == Role::Accepted || !is(GLOBAL_SYNC, &payload)).then_some(payload)
            })
        },
    },
    Fault {
        id: "further-sync-frames-are-lost",
        requirement: "REG-16",
        description: "Of a table that needs several GLOBAL_SYNC frames the first alone is sent.",
        make: || {
            let mut synced = BTreeSet::new();
            on_frame_out(move |_, conn, payload| (!is(GLOBAL_SYNC, &payload) || synced.insert(conn)).then_some(payload))
        },
    },
    Fault {
        id: "entry-that-does-not-fit-is-lost",
        requirement: "REG-16",
        description: "The entry that would not have fitted a GLOBAL_SYNC frame is missing in the next one too.",
        make: || {
            let mut synced = BTreeSet::new();
            on_frame_out(move |_, conn, payload| {
                if !is(GLOBAL_SYNC, &payload) || synced.insert(conn) {
                    return Some(payload);
                }
                let mut first = true;
                edited(&payload, |entry| (!std::mem::take(&mut first)).then_some(entry)).map(Payload::from)
            })
        },
    },
];

/// The name in a GLOBAL_UNREGISTER.
fn unregistered(payload: &[u8]) -> Option<&str> {
    match decode(payload).filter(|_| is(GLOBAL_UNREGISTER, payload))? {
        Message::GlobalUnregister(name) => Some(name),
        _ => None,
    }
}

/// Whether an entry is of a process of its sender, as it should be written.
fn is_own_field(context: &Context<'_>, conn: ConnId, entry: &GlobalEntry<'_>) -> bool {
    home(context, conn, entry) == Home::Peer && entry.pid.node == NodeId::OWN
}

/// Frees the name of a GLOBAL_REGISTER by its sender first, if `is_free_anyway`.
fn replacing(
    context: &mut Context<'_>,
    conn: ConnId,
    payload: Vec<u8>,
    is_free_anyway: fn(&Context<'_>, &str) -> bool,
) -> Option<Vec<u8>> {
    if is(GLOBAL_REGISTER, &payload)
        && let [entry] = entries(&payload)[..]
        && is_own_field(context, conn, &entry)
        && is_free_anyway(context, entry.name)
    {
        context.add_input(Input::Frame(conn, unregister(entry.name)));
        context.add_input(Input::Frame(conn, payload));
        return None;
    }
    Some(payload)
}

/// Sends only those entries of GLOBAL_SYNC whose owner is at such a place.
fn sync_out(is_sent: fn(Home) -> bool) -> Box<dyn Filter> {
    on_frame_out(move |context, conn, payload| {
        if !is(GLOBAL_SYNC, &payload) {
            return Some(payload);
        }
        edited(&payload, |entry| is_sent(home(context, conn, &entry)).then_some(entry)).map(Payload::from)
    })
}
