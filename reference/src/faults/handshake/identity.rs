//! Names and creations: the node's own, and those that peers claim.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

use super::super::{
    filter::{Context, Filter},
    single::{on_frame_in, on_frame_out, on_input, on_output, on_request},
    table::Fault,
};
use crate::{
    node::{Answer, Command, Input, Output, Role},
    wire::{
        Creation, Message, Payload,
        handshake::{ChallengeMessage, Name},
        message::Phase,
    },
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "control-characters-are-taken-out-of-own-name",
        requirement: "HS-1",
        description: "A node starts under a name with control characters, having taken them out.",
        make: || rewrites_request("node.start", "name", |name| name.replace(char::is_control, "")),
    },
    Fault {
        id: "connect-takes-the-nearest-port",
        requirement: "HS-1",
        description: "A node takes 65535 for a larger port when it is to connect.",
        make: || rewrites_request("node.connect", "node", |name| with_port(name, |port| port.min(65_535))),
    },
    Fault {
        id: "peer-names-are-compared-without-case",
        requirement: "HS-2",
        description: "A peer whose name differs from a connected one's only in case is taken for that one.",
        make: || {
            on_frame_in(|context, _, payload| {
                let is_same = |name: &str, peer: &str| peer.eq_ignore_ascii_case(name);
                let connected: Vec<_> = context.sessions().into_iter().filter_map(|(_, view)| view.peer).collect();
                let known = |name: &str| connected.iter().find(|peer| is_same(name, peer.as_str()));
                Some(renamed(payload, |name| known(name).map_or(name, |peer| peer.as_str()).to_owned()))
            })
        },
    },
    Fault {
        id: "default-port-is-spelled-out",
        requirement: "HS-2",
        description: "A peer without a port in its name is known as the one with port 9000.",
        make: || {
            on_frame_in(|_, _, payload| {
                let has_port = |name: &str| name.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
                let spelled = |name: &str| if has_port(name) { name.to_owned() } else { format!("{name}:9000") };
                Some(renamed(payload, spelled))
            })
        },
    },
    Fault {
        id: "own-name-is-told-with-port-0",
        requirement: "HS-3",
        description: "A node tells its own name as it was asked for: with port 0.",
        make: || {
            on_output(|_, output| match output {
                Output::Reply(token, Ok(Answer::Whoami { name, creation })) => {
                    let name = with_port(&name, |_| 0);
                    Some(Output::Reply(token, Ok(Answer::Whoami { name, creation })))
                }
                output => Some(output),
            })
        },
    },
    Fault {
        id: "own-name-is-connected",
        requirement: "HS-4",
        description: "A node that is to connect to itself says that it is connected.",
        make: || {
            on_input(|context, input| match input {
                Input::Command(token, Command::Connect(name))
                    if context.identity().is_some_and(|identity| identity.name == name) =>
                {
                    context.add_output(Output::Reply(token, Ok(Answer::Done)));
                    None
                }
                input => Some(input),
            })
        },
    },
    Fault {
        id: "creation-counts-handshakes",
        requirement: "HS-21",
        description: "Every handshake announces the next creation.",
        make: || {
            let mut handshakes = 0_u64;
            on_frame_out(move |_, _, payload| {
                let next = |creation: u8| (u64::from(creation) - 1 + handshakes) % 255 + 1;
                let announced = with_creation(&payload, |creation| next(creation) as u8);
                handshakes += u64::from(announced.is_some());
                Some(announced.unwrap_or(payload))
            })
        },
    },
    Fault {
        id: "creation-is-always-1",
        requirement: "HS-22",
        description: "Every run of a node has creation 1.",
        make: || starts_with_creation(|| 1),
    },
    Fault {
        id: "creation-is-drawn",
        requirement: "HS-22",
        description: "The creation is drawn from a few dozen, so that runs share one now and then.",
        make: || starts_with_creation(|| (RandomState::new().hash_one(()) % 48 + 1) as u8),
    },
    Fault {
        id: "creation-is-the-hour",
        requirement: "HS-22",
        description: "The creation is the hour of the start, so that a quick restart has the same.",
        make: || {
            starts_with_creation(|| {
                let hours = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs() / 3_600);
                (hours % 255 + 1) as u8
            })
        },
    },
    Fault {
        id: "creation-0-in-name-is-taken",
        requirement: "HS-23",
        description: "The acceptor takes a creation of 0.",
        make: || takes_creation_0(Role::Accepted),
    },
    Fault {
        id: "creation-0-in-challenge-is-taken",
        requirement: "HS-23",
        description: "The initiator takes a creation of 0.",
        make: || takes_creation_0(Role::Dialled),
    },
    Fault {
        id: "own-name-is-let-in",
        requirement: "HS-24",
        description: "The acceptor goes on with a peer that claims its own name.",
        make: || {
            on_frame_in(|context, _, payload| {
                let own = |name: &str| context.identity().is_some_and(|identity| identity.name.as_str() == name);
                Some(renamed(payload, |name| if own(name) { format!("other-{name}") } else { name.to_owned() }))
            })
        },
    },
    Fault {
        id: "port-0-in-name-is-the-default-port",
        requirement: "HS-25",
        description: "The acceptor takes port 0 in NAME for no port.",
        make: || on_frame_in(|_, _, payload| Some(renamed(payload, |name| with_port(name, default_for_0)))),
    },
    Fault {
        id: "port-in-name-wraps-around",
        requirement: "HS-25",
        description: "The acceptor takes ports past 65,535 in NAME modulo 65,536.",
        make: || on_frame_in(|_, _, payload| Some(renamed(payload, |name| with_port(name, wrapped)))),
    },
    Fault {
        id: "c1-controls-in-name-are-taken",
        requirement: "HS-25",
        description: "The acceptor looks for ASCII's control characters in NAME and for no others.",
        make: || {
            on_frame_in(|_, _, payload| {
                let is_c1 = |character: char| ('\u{80}'..='\u{9f}').contains(&character);
                Some(renamed(payload, |name| name.replace(is_c1, "?")))
            })
        },
    },
    Fault {
        id: "challenge-of-another-host-is-taken",
        requirement: "HS-26",
        description: "The initiator compares what stands before the @ of the acceptor's name.",
        make: || {
            on_frame_in(|context, conn, payload| {
                let target = context.connection(conn).and_then(|view| view.peer);
                let before_at = |name: &str| name.split_once('@').map(|(before, _)| before.to_owned());
                let expected = |name: &str| {
                    target.as_ref().map(|target| target.as_str()).filter(|target| before_at(target) == before_at(name))
                };
                Some(match Message::decode(Phase::Handshake, &payload) {
                    Ok((Message::Challenge(message), _)) if let Some(name) = expected(message.name) => {
                        ChallengeMessage { name, ..message }.encode().unwrap_or_default()
                    }
                    _ => payload,
                })
            })
        },
    },
];

fn default_for_0(port: u64) -> u64 {
    if port == 0 { 9_000 } else { port }
}

fn wrapped(port: u64) -> u64 {
    if port > 65_535 { (port % 65_536).max(1) } else { port }
}

/// `name` with its port as `edit` leaves it; as it is where there is no port, or nothing to change about it.
fn with_port(name: &str, edit: impl Fn(u64) -> u64) -> String {
    let edited = name.rsplit_once(':').and_then(|(rest, digits)| {
        let port = digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        (edit(port) != port).then(|| format!("{rest}:{}", edit(port)))
    });
    edited.unwrap_or_else(|| name.to_owned())
}

/// Changes a text among the parameters of a control request.
fn rewrites_request(method: &'static str, key: &'static str, edit: fn(&str) -> String) -> Box<dyn Filter> {
    on_request(move |asked, params| {
        if asked == method
            && let Some(value) = params.get_mut(key)
            && let Some(text) = value.as_str()
        {
            *value = Value::String(edit(text));
        }
    })
}

/// A NAME with another name; other messages stay as they are.
fn renamed(payload: Vec<u8>, edit: impl Fn(&str) -> String) -> Vec<u8> {
    match Message::decode(Phase::Handshake, &payload) {
        Ok((Message::Name(Name { name, creation }), _)) => {
            Name { name: &edit(name), creation }.encode().unwrap_or_default()
        }
        _ => payload,
    }
}

/// A NAME or a CHALLENGE with another creation; `None` for other messages.
pub(super) fn with_creation(payload: &[u8], edit: impl Fn(u8) -> u8) -> Option<Payload> {
    let encoded = match Message::decode(Phase::Handshake, payload).ok()?.0 {
        Message::Name(Name { name, creation }) => Name { name, creation: edit(creation) }.encode(),
        Message::Challenge(message) => ChallengeMessage { creation: edit(message.creation), ..message }.encode(),
        _ => return None,
    };
    Some(encoded.ok()?.into())
}

fn starts_with_creation(creation: fn() -> u8) -> Box<dyn Filter> {
    on_input(move |_, mut input| {
        if let (Input::Start(identity), Some(creation)) = (&mut input, Creation::new(creation())) {
            identity.creation = creation;
        }
        Some(input)
    })
}

fn takes_creation_0(role: Role) -> Box<dyn Filter> {
    on_frame_in(move |context: &mut Context<'_>, conn, payload| {
        let is_it = conn.role == role && context.phase(conn) == Some(Phase::Handshake);
        let taken = is_it.then(|| with_creation(&payload, |creation| creation.max(1))).flatten();
        Some(taken.map_or(payload, |taken| taken.to_vec()))
    })
}
