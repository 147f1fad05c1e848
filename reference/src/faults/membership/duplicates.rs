//! Faults of the one session per pair (MEM-16 to MEM-23).

use std::cmp::Ordering;

use super::{
    claims::{Claim, Verdict, on_claim, on_right_reply},
    dial_again,
    races::{AckFirst, Connects, CountsFromTls, OpenDial, QueueForgetsNobody},
    unregister_all,
};
use crate::{
    faults::{
        filter::Context,
        single::{on_input, on_output},
        table::Fault,
    },
    node::{Command, ConnId, ConnectionView, Event, Input, Output, Refusal, Role},
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "second-connection-replaces-the-session",
        requirement: "MEM-16",
        description: "A connection with the live session's name and creation replaces it.",
        make: || on_claim(|context, claim| Verdict::after(claim.twin(context))),
    },
    Fault {
        id: "second-connection-beside-a-dialled-session",
        requirement: "MEM-16",
        description: "NAME is tested against those sessions only that the peer has opened.",
        make: || {
            on_claim(|context, claim| {
                Verdict::Challenge.when(claim.twin(context).is_some_and(|live| live.role == Role::Dialled))
            })
        },
    },
    Fault {
        id: "reply-replaces-the-session-that-overtook-it",
        requirement: "MEM-17",
        description: "A right REPLY replaces a session with that name and creation that has begun since NAME.",
        make: || on_right_reply(|context, claim| Verdict::after(claim.twin(context))),
    },
    Fault {
        id: "live-session-is-tested-behind-ack",
        requirement: "MEM-17",
        description: "A session that has begun since NAME closes the connection only when ACK has been sent.",
        make: || AckFirst::because(Refusal::Duplicate),
    },
    Fault {
        id: "own-dial-is-tested-at-reply-only",
        requirement: "MEM-18",
        description: "A smaller node whose own dial is under way closes the connection at REPLY, not at NAME.",
        make: || {
            on_claim(|context, claim| {
                Verdict::Challenge.when(claim.is_larger(context) && claim.own_dial(context).is_some())
            })
        },
    },
    Fault {
        id: "own-dial-without-tls-does-not-count",
        requirement: "MEM-18",
        description: "A smaller node gives up its own dial for an accepted connection until the dial has TLS.",
        make: || Box::new(CountsFromTls::default()),
    },
    Fault {
        id: "own-dial-that-awaits-ack-does-not-count",
        requirement: "MEM-18",
        description: "A smaller node gives up its own dial for an accepted connection once it has sent REPLY on it.",
        make: || {
            on_claim(|context, claim| {
                let replied = |dial: &ConnId| context.connection(*dial).is_some_and(|view| view.creation.is_some());
                Verdict::after(claim.own_dial(context).filter(|dial| claim.is_larger(context) && replied(dial)))
            })
        },
    },
    Fault {
        id: "reply-ends-a-dial-that-began-since-name",
        requirement: "MEM-19",
        description: "A smaller node gives up an own dial that has begun since NAME when a right REPLY comes.",
        make: || {
            on_right_reply(|context, claim| {
                Verdict::after(claim.own_dial(context).filter(|_| claim.is_larger(context)))
            })
        },
    },
    Fault {
        id: "own-dial-is-tested-behind-ack",
        requirement: "MEM-19",
        description: "A smaller node's own dial that has begun since NAME closes the connection behind ACK only.",
        make: || AckFirst::because(Refusal::OwnDial),
    },
    Fault {
        id: "larger-node-refuses-beside-its-own-dial",
        requirement: "MEM-20",
        description: "A larger node whose own dial is under way closes the connection at NAME.",
        make: || {
            on_claim(|context, claim| {
                Verdict::Close.when(!claim.is_larger(context) && claim.own_dial(context).is_some())
            })
        },
    },
    Fault {
        id: "larger-node-refuses-once-its-dial-is-challenged",
        requirement: "MEM-20",
        description: "A larger node whose own dial has got CHALLENGE closes an accepted connection at REPLY.",
        make: || {
            on_right_reply(|context, claim| {
                let dial = claim.own_dial(context).and_then(|dial| context.connection(dial));
                Verdict::Close.when(!claim.is_larger(context) && dial.is_some_and(|dial| dial.creation.is_some()))
            })
        },
    },
    Fault {
        id: "small-letters-come-before-capitals",
        requirement: "MEM-20",
        description: "Which name is the larger one is decided with small letters in front of capitals.",
        make: || on_claim(|context, claim| by_order(context, claim, capitals_last)),
    },
    Fault {
        id: "names-are-compared-as-utf-16",
        requirement: "MEM-20",
        description: "Which name is the larger one is decided by UTF-16 units, not by bytes.",
        make: || {
            on_claim(|context, claim| {
                by_order(context, claim, |name| name.encode_utf16().flat_map(u16::to_be_bytes).collect())
            })
        },
    },
    Fault {
        id: "superseded-dial-stays-open",
        requirement: "MEM-21",
        description: "The own dial is not closed when an accepted connection authenticates.",
        make: || Box::new(OpenDial::default()),
    },
    Fault {
        id: "superseded-dial-is-told-as-a-session",
        requirement: "MEM-21",
        description: "The end of the own dial that an accepted connection supersedes is told as a session's.",
        make: || {
            on_output(|context, output| {
                if let Output::Event(Event::Refused(_, Refusal::Superseded)) = &output
                    && let Some(view) = newest(context)
                    && let (Some(peer), Some(creation)) = (view.peer, view.creation)
                {
                    context.add_output(Output::Event(Event::SessionClosed(peer, creation)));
                }
                Some(output)
            })
        },
    },
    Fault {
        id: "superseded-dial-is-cleaned-up",
        requirement: "MEM-21",
        description: "When an accepted connection supersedes the own dial, the peer's names are removed.",
        make: || {
            on_output(|context, output| {
                if let Output::Event(Event::Refused(_, Refusal::Superseded)) = &output
                    && let Some(peer) = newest(context).and_then(|view| view.peer)
                {
                    unregister_all(context, peer.as_str());
                }
                Some(output)
            })
        },
    },
    Fault {
        id: "queued-name-is-dialled-though-connected",
        requirement: "MEM-22",
        description: "A listed name that waits for a place is dialled although its node has come by itself.",
        make: || Box::new(QueueForgetsNobody::default()),
    },
    Fault {
        id: "connect-dials-though-connected",
        requirement: "MEM-22",
        description: "A request to connect opens a connection even if there is a session.",
        make: || {
            on_input(|context, input| {
                if let Input::Command(_, Command::Connect(name)) = &input
                    && context.sessions().iter().any(|(_, view)| view.peer.as_ref() == Some(name))
                {
                    dial_again(context, name);
                }
                Some(input)
            })
        },
    },
    Fault {
        id: "connect-fails-if-the-peer-comes-first",
        requirement: "MEM-23",
        description: "A request to connect fails when an accepted connection supersedes its dial.",
        make: || {
            Connects::failing(|context, name, _| {
                let mut sessions = context.sessions().into_iter();
                sessions.any(|(conn, view)| conn.role == Role::Accepted && view.peer.as_ref() == Some(name))
            })
        },
    },
    Fault {
        id: "last-connect-of-several-succeeds",
        requirement: "MEM-23",
        description: "Where several requests to connect wait for one session, only the last succeeds.",
        make: || Connects::failing(|_, name, waiting| waiting.values().any(|other| other == name)),
    },
];

/// The session that began last on an accepted connection.
fn newest(context: &Context<'_>) -> Option<ConnectionView> {
    let accepted = context.sessions().into_iter().filter(|(conn, _)| conn.role == Role::Accepted);
    accepted.max_by_key(|(conn, _)| *conn).map(|(_, view)| view)
}

fn capitals_last(name: &str) -> Vec<u8> {
    let swapped =
        |byte: u8| if byte.is_ascii_lowercase() { byte.to_ascii_uppercase() } else { byte.to_ascii_lowercase() };
    name.bytes().map(swapped).collect()
}

/// Decides by another order than that of bytes.
fn by_order(context: &Context<'_>, claim: &Claim, key: fn(&str) -> Vec<u8>) -> Verdict {
    let (Some(identity), Some(dial)) = (context.identity(), claim.own_dial(context)) else { return Verdict::Right };
    let own_is_smaller = key(identity.name.as_str()).cmp(&key(claim.peer.as_str())) == Ordering::Less;
    match (own_is_smaller, claim.is_larger(context)) {
        (true, false) => Verdict::Close,
        (false, true) => Verdict::After(dial),
        _ => Verdict::Right,
    }
}
