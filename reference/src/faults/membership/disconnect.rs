//! Faults of the end of a session (MEM-39 to MEM-42).

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use super::unregister_all;
use crate::{
    faults::{
        filter::{Context, Filter},
        payload::is,
        single::{on_input, on_output},
        table::Fault,
    },
    node::{Answer, ConnId, Event, Input, Output, Refusal, Role},
    wire::{
        Creation, Message, NodeName, Payload,
        membership::{PING, PONG},
        message::Phase,
    },
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "end-is-told-again-by-the-heartbeat",
        requirement: "MEM-39",
        description: "A session that ends while a PING is open is told to have ended again when the timeout comes.",
        make: || Box::new(ToldAgain::default()),
    },
    Fault {
        id: "lost-node-stays-listed",
        requirement: "MEM-39",
        description: "The last node that was lost is still listed.",
        make: || {
            let mut lost = None;
            on_output(move |_, output| match output {
                Output::Event(Event::SessionClosed(ref peer, _)) => {
                    lost = Some(peer.clone());
                    Some(output)
                }
                Output::Reply(token, Ok(Answer::Nodes(mut nodes))) => {
                    nodes.extend(lost.clone().filter(|lost| !nodes.contains(lost)));
                    Some(Output::Reply(token, Ok(Answer::Nodes(nodes))))
                }
                _ => Some(output),
            })
        },
    },
    Fault {
        id: "reset-is-not-noticed",
        requirement: "MEM-40",
        description: "A connection that was reset is left to the heartbeat.",
        make: || Box::new(Unnoticed("reset")),
    },
    Fault {
        id: "fin-without-close-notify-is-not-noticed",
        requirement: "MEM-40",
        description: "A connection that ended without TLS's close_notify is left to the heartbeat.",
        make: || Box::new(Unnoticed("close_notify")),
    },
    Fault {
        id: "end-waits-for-dials",
        requirement: "MEM-41",
        description: "The effects of a disconnect wait until no dial is under way.",
        make: || Box::new(AfterDials::default()),
    },
    Fault {
        id: "frames-before-an-end-are-dropped",
        requirement: "MEM-47",
        description: "What a session still has waiting when its connection ends is thrown away.",
        make: || Box::new(DroppedAtTheEnd::default()),
    },
    Fault {
        id: "unauthenticated-end-is-told",
        requirement: "MEM-42",
        description: "The end of a connection whose NAME was read is told as the end of a session.",
        make: || {
            on_input(|context, input| {
                if let Input::Closed(conn) = &input
                    && let Some(view) = context.connection(*conn).filter(|view| view.phase == Phase::Handshake)
                    && let (Role::Accepted, Some(peer), Some(creation)) = (conn.role, view.peer, view.creation)
                {
                    context.add_output(Output::Event(Event::SessionClosed(peer, creation)));
                }
                Some(input)
            })
        },
    },
    Fault {
        id: "refused-duplicate-is-cleaned-up",
        requirement: "MEM-42",
        description: "When a duplicate is refused, the names of its node are removed.",
        make: || Box::new(RefusedIsCleanedUp::default()),
    },
];

/// Remembers open PINGs, and ends that have to be told again.
#[derive(Default)]
struct ToldAgain {
    open: BTreeMap<NodeName, ConnId>,
    again: Option<(Instant, NodeName, Creation)>,
}

impl Filter for ToldAgain {
    fn frame_out(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        if is(PING, &payload)
            && let Some(peer) = context.connection(conn).and_then(|view| view.peer)
        {
            self.open.insert(peer, conn);
        }
        Some(payload)
    }

    fn frame_in(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        if is(PONG, &payload) {
            self.open.retain(|_, pinged| *pinged != conn);
        }
        Some(payload)
    }

    fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        if let Output::Event(Event::SessionClosed(peer, creation)) = &output
            && self.open.remove(peer).is_some()
            && let Some(identity) = context.identity()
        {
            self.again = Some((context.now + identity.timings.heartbeat_timeout, peer.clone(), *creation));
        }
        Some(output)
    }

    fn wake(&self) -> Option<Instant> {
        self.again.as_ref().map(|(due, ..)| *due)
    }

    fn awake(&mut self, context: &mut Context<'_>) {
        if let Some((_, peer, creation)) = self.again.take() {
            context.add_output(Output::Event(Event::SessionClosed(peer, creation)));
        }
    }
}

/// Misses ends that the net tells with this word.
struct Unnoticed(&'static str);

impl Filter for Unnoticed {
    fn lost(&mut self, _context: &mut Context<'_>, conn: ConnId, why: &str) -> Option<ConnId> {
        (!why.contains(self.0)).then_some(conn)
    }
}

/// Keeps ends of sessions back while dials are under way.
#[derive(Default)]
struct AfterDials {
    ended: Vec<ConnId>,
    look_again: Option<Instant>,
}

impl Filter for AfterDials {
    fn input(&mut self, context: &mut Context<'_>, input: Input) -> Option<Input> {
        match input {
            Input::Closed(conn) if !context.dials().is_empty() => {
                self.ended.push(conn);
                self.look_again = Some(context.now);
                None
            }
            _ => Some(input),
        }
    }

    fn wake(&self) -> Option<Instant> {
        self.look_again
    }

    fn awake(&mut self, context: &mut Context<'_>) {
        if context.dials().is_empty() {
            self.ended.drain(..).for_each(|conn| context.add_input(Input::Closed(conn)));
            self.look_again = None;
        } else {
            self.look_again = Some(context.now + Duration::from_millis(20));
        }
    }
}

/// How long frames of sessions wait.
const WAIT: Duration = Duration::from_millis(5);

/// Lets frames of sessions wait a little, in their order, and loses those that wait when their connection ends.
#[derive(Default)]
struct DroppedAtTheEnd {
    waiting: VecDeque<(Instant, ConnId, Vec<u8>)>,
}

impl Filter for DroppedAtTheEnd {
    fn input(&mut self, context: &mut Context<'_>, input: Input) -> Option<Input> {
        match input {
            Input::Frame(conn, payload) if context.phase(conn) == Some(Phase::Session) => {
                self.waiting.push_back((context.now + WAIT, conn, payload));
                None
            }
            Input::Closed(conn) => {
                self.waiting.retain(|(_, of, _)| *of != conn);
                Some(input)
            }
            _ => Some(input),
        }
    }

    fn wake(&self) -> Option<Instant> {
        self.waiting.front().map(|(due, ..)| *due)
    }

    fn awake(&mut self, context: &mut Context<'_>) {
        while let Some((_, conn, payload)) = self.waiting.pop_front_if(|(due, ..)| *due <= context.now) {
            context.add_input(Input::Frame(conn, payload));
        }
    }
}

/// Remembers which names connections have claimed.
#[derive(Default)]
struct RefusedIsCleanedUp {
    claimed: BTreeMap<ConnId, String>,
}

impl Filter for RefusedIsCleanedUp {
    fn frame_in(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        if let Ok((Message::Name(name), _)) = Message::decode(Phase::Handshake, &payload) {
            self.claimed.insert(conn, name.name.to_owned());
        }
        Some(payload)
    }

    fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        if let Output::Event(Event::Refused(conn, Refusal::Duplicate)) = &output
            && let Some(node) = self.claimed.remove(conn)
        {
            unregister_all(context, &node);
        }
        Some(output)
    }
}
