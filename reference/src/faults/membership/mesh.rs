//! Faults of the mesh (MEM-6 to MEM-15).

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    ops::Range,
};

use super::{
    NOBODY,
    claims::remove,
    dial_again,
    lists::{BlameTheList, OneByOne, ReadAfterDials},
};
use crate::{
    faults::{
        filter::{Context, Filter},
        payload::{names, peer_list},
        single::{on_frame_in, on_input, on_output},
        table::Fault,
    },
    node::{Command, ConnId, ConnectionView, Event, Input, Output, Refusal, Role},
    wire::NodeName,
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "last-listed-name-is-not-dialled",
        requirement: "MEM-6",
        description: "The last name of every PEER_LIST is overlooked.",
        make: || list_in(|_, _, names| names.truncate(names.len().saturating_sub(1))),
    },
    Fault {
        id: "lists-of-dialled-peers-are-ignored",
        requirement: "MEM-6",
        description: "PEER_LIST counts only when it comes from a peer that came by itself.",
        make: || {
            list_in(|_, conn, names| {
                if conn.role == Role::Dialled {
                    names.clear();
                }
            })
        },
    },
    Fault {
        id: "second-list-is-ignored",
        requirement: "MEM-6",
        description: "Of all PEER_LISTs of a session the first alone counts.",
        make: || {
            let mut heard = BTreeSet::new();
            list_in(move |_, conn, names| {
                if !heard.insert(conn) {
                    names.clear();
                }
            })
        },
    },
    Fault {
        id: "names-behind-the-own-are-not-dialled",
        requirement: "MEM-7",
        description: "A PEER_LIST is read up to the node's own name only.",
        make: || {
            list_in(|context, _, names| {
                let own = context.identity().map(|identity| identity.name.as_str());
                let read = names.iter().position(|name| Some(*name) == own).unwrap_or(names.len());
                names.truncate(read);
            })
        },
    },
    Fault {
        id: "connected-names-in-a-list-are-dialled",
        requirement: "MEM-8",
        description: "Names of connected nodes in a PEER_LIST are dialled once more.",
        make: || {
            list_in(|context, conn, names| {
                let connected: Vec<_> = names.iter().filter_map(|name| connected(context, name)).collect();
                let others = connected.into_iter().filter(|(session, _)| *session != conn);
                others.for_each(|(_, peer)| dial_again(context, &peer));
            })
        },
    },
    Fault {
        id: "connected-names-in-a-list-lose-their-sessions",
        requirement: "MEM-8",
        description: "A session whose peer stands in another session's PEER_LIST is closed, and opened anew.",
        make: || {
            list_in(|context, conn, names| {
                let connected: Vec<_> = names.iter().filter_map(|name| connected(context, name)).collect();
                let others = connected.into_iter().filter(|(session, _)| *session != conn);
                others.for_each(|(session, _)| context.close(session));
            })
        },
    },
    Fault {
        id: "names-behind-an-invalid-one-are-not-dialled",
        requirement: "MEM-9",
        description: "A PEER_LIST is read up to the first name that is not valid.",
        make: || {
            list_in(|_, _, names| {
                let read = names.iter().position(|name| NodeName::parse(name).is_err()).unwrap_or(names.len());
                names.truncate(read);
            })
        },
    },
    Fault {
        id: "control-characters-in-listed-names-are-dropped",
        requirement: "MEM-9",
        description: "A listed name that has control characters is dialled without them.",
        make: || {
            on_frame_in(|_, _, payload| {
                let Some(names) = names(&payload) else { return Some(payload) };
                let cleaned: Vec<String> =
                    names.iter().map(|name| name.chars().filter(|letter| !letter.is_control()).collect()).collect();
                Some(peer_list(cleaned.iter().map(String::as_str).collect()))
            })
        },
    },
    Fault {
        id: "unreachable-name-ends-the-lists-session",
        requirement: "MEM-10",
        description: "The session that brought the last list is ended when a dial fails.",
        make: || Box::new(BlameTheList::default()),
    },
    Fault {
        id: "unreachable-name-ends-the-other-dials",
        requirement: "MEM-10",
        description: "When one dial fails, all others under way are given up with it.",
        make: || {
            on_input(|context, input| {
                if let Input::DialFailed(failed, _) = &input {
                    for (conn, _) in context.dials().into_iter().filter(|(conn, _)| conn != failed) {
                        remove(context, conn);
                    }
                }
                Some(input)
            })
        },
    },
    Fault {
        id: "second-peers-list-dials-again",
        requirement: "MEM-11",
        description: "A connected node is dialled once more when another peer lists it than before.",
        make: || {
            let mut listed_by = BTreeMap::new();
            list_in(move |context, conn, names| {
                for name in names.iter() {
                    let first = *listed_by.entry(name.to_string()).or_insert(conn);
                    if let Some((_, peer)) = connected(context, name).filter(|_| first != conn) {
                        dial_again(context, &peer);
                    }
                }
            })
        },
    },
    Fault {
        id: "list-is-dialled-before-anything-else-is-read",
        requirement: "MEM-12",
        description: "The session that brought a list is not read while dials are under way.",
        make: || Box::new(ReadAfterDials::default()),
    },
    Fault {
        id: "nine-dials-at-once",
        requirement: "MEM-13",
        description: "The ninth name of a PEER_LIST does not wait for a place.",
        make: || list_in(|context, _, names| without_place(context, names, 8..9)),
    },
    Fault {
        id: "places-for-each-list",
        requirement: "MEM-13",
        description: "Every PEER_LIST but the first has 8 places of its own.",
        make: || {
            let mut lists = 0;
            list_in(move |context, _, names| {
                lists += 1;
                if lists > 1 {
                    without_place(context, names, 0..8);
                }
            })
        },
    },
    Fault {
        id: "listed-names-are-dialled-one-by-one",
        requirement: "MEM-14",
        description: "A dial starts when the one before it is over.",
        make: || Box::new(OneByOne::default()),
    },
    Fault {
        id: "lists-are-ignored-while-dialling",
        requirement: "MEM-14",
        description: "A PEER_LIST that comes while a dial is under way is lost.",
        make: || {
            list_in(|context, _, names| {
                if !context.dials().is_empty() {
                    names.clear();
                }
            })
        },
    },
    Fault {
        id: "place-of-a-hanging-dial-is-lost",
        requirement: "MEM-14",
        description: "A dial that has timed out keeps its place; what should follow it is not dialled.",
        make: || {
            let mut lost = false;
            on_output(move |_, output| {
                match &output {
                    Output::Event(Event::Refused(conn, Refusal::TimedOut)) => lost |= conn.role == Role::Dialled,
                    Output::Dial { .. } if mem::take(&mut lost) => return None,
                    _ => {}
                }
                Some(output)
            })
        },
    },
    Fault {
        id: "smaller-names-are-left-to-dial",
        requirement: "MEM-15",
        description: "Of listed names a node dials the larger ones only, as if the others would dial it.",
        make: || {
            list_in(|context, _, names| {
                let own = context.identity().map(|identity| identity.name.as_str());
                names.retain(|name| own.is_some_and(|own| *name > own));
            })
        },
    },
];

/// Rewrites the names of every PEER_LIST before the node sees it.
fn list_in(mut edit: impl FnMut(&mut Context<'_>, ConnId, &mut Vec<&str>) + 'static) -> Box<dyn Filter> {
    on_frame_in(move |context, conn, payload| {
        let Some(mut names) = names(&payload) else { return Some(payload) };
        edit(context, conn, &mut names);
        Some(peer_list(names))
    })
}

/// The session with a node, if it is connected.
fn connected(context: &Context<'_>, name: &str) -> Option<(ConnId, NodeName)> {
    let named = |(conn, view): (ConnId, ConnectionView)| Some((conn, view.peer?));
    context.sessions().into_iter().filter_map(named).find(|(_, peer)| peer.as_str() == name)
}

/// Dials these names of a list outside the places.
fn without_place(context: &mut Context<'_>, names: &mut Vec<&str>, which: Range<usize>) {
    let end = which.end.min(names.len());
    for name in names.drain(which.start.min(end)..end).filter_map(|name| NodeName::parse(name).ok()) {
        context.add_input(Input::Command(NOBODY, Command::Connect(name)));
    }
}
