//! Peers that are believed before they are authenticated, and handshakes that harm others by failing.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{
    filter::{Context, Filter},
    table::Fault,
};
use crate::{
    node::{Answer, ConnId, Event, Input, Output, Refusal},
    wire::{FrameReader, MAX_SESSION_PAYLOAD, Message, NodeName, message::Phase},
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "wrong-proof-ends-the-session-of-that-name",
        requirement: "HS-16",
        description: "A wrong proof in REPLY ends the session with the node that NAME claimed to be.",
        make: || Box::new(EndsSessions { ended: |claimed, peer| claimed == peer, claims: BTreeMap::new() }),
    },
    Fault {
        id: "wrong-proof-ends-all-sessions",
        requirement: "HS-16",
        description: "A wrong proof ends all sessions.",
        make: || Box::new(EndsSessions { ended: |_, _| true, claims: BTreeMap::new() }),
    },
    Fault {
        id: "claimed-names-are-listed",
        requirement: "HS-31",
        description: "A node lists the peers that have sent NAME among those with which it has a session.",
        make: || Box::new(ListsClaims::default()),
    },
    Fault {
        id: "session-is-told-at-name",
        requirement: "HS-31",
        description: "A session is told when NAME is taken, and not told when it begins.",
        make: || Box::new(ToldAtName::default()),
    },
    Fault {
        id: "frames-behind-a-failure-count",
        requirement: "HS-31",
        description: "Messages of a session that come in one read with what fails the handshake take effect.",
        make: || Box::new(BehindFailureCount::default()),
    },
];

/// Whom connections claim to be, in NAME.
type Claims = BTreeMap<ConnId, NodeName>;

fn note_claim(claims: &mut Claims, conn: ConnId, payload: &[u8]) {
    if let Ok((Message::Name(name), _)) = Message::decode(Phase::Handshake, payload)
        && let Ok(name) = NodeName::parse(name.name)
    {
        claims.insert(conn, name);
    }
}

/// Ends sessions over a wrong proof: those that are `ended`, by the claimed name and the session's.
struct EndsSessions {
    ended: fn(&NodeName, &NodeName) -> bool,
    claims: Claims,
}

impl Filter for EndsSessions {
    fn frame_in(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        note_claim(&mut self.claims, conn, &payload);
        Some(payload)
    }

    fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        if let Output::Event(Event::Refused(conn, Refusal::WrongProof)) = &output
            && let Some(claimed) = self.claims.get(conn)
        {
            for (session, view) in context.sessions() {
                if view.peer.is_some_and(|peer| (self.ended)(claimed, &peer)) {
                    context.close(session);
                }
            }
        }
        Some(output)
    }
}

#[derive(Default)]
struct ListsClaims {
    claims: Claims,
}

impl Filter for ListsClaims {
    fn frame_in(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        note_claim(&mut self.claims, conn, &payload);
        Some(payload)
    }

    fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        match output {
            Output::Reply(token, Ok(Answer::Nodes(mut nodes))) => {
                self.claims.retain(|conn, _| context.phase(*conn) == Some(Phase::Handshake));
                nodes.extend(self.claims.values().cloned());
                Some(Output::Reply(token, Ok(Answer::Nodes(nodes))))
            }
            output => Some(output),
        }
    }
}

#[derive(Default)]
struct ToldAtName {
    told: BTreeSet<NodeName>,
}

impl Filter for ToldAtName {
    fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        if let Output::Send(conn, _) = &output
            && let Some(view) = context.connection(*conn)
            && let (Phase::Handshake, Some(peer), Some(creation)) = (view.phase, view.peer, view.creation)
            && self.told.insert(peer.clone())
        {
            context.add_output(Output::Event(Event::SessionOpened(peer, creation)));
        }
        match output {
            Output::Event(Event::SessionOpened(peer, _)) if self.told.remove(&peer) => None,
            output => Some(output),
        }
    }
}

#[derive(Default)]
struct BehindFailureCount {
    read: Option<(ConnId, Vec<Vec<u8>>)>,
}

impl Filter for BehindFailureCount {
    fn bytes_in(&mut self, context: &mut Context<'_>, conn: ConnId, bytes: Vec<u8>) -> Vec<u8> {
        let is_it = context.phase(conn) == Some(Phase::Handshake);
        self.read = is_it.then(|| (conn, frames(&bytes)));
        bytes
    }

    fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        if let Output::Close(conn, _) = &output
            && let Some((_, frames)) = self.read.take_if(|(read, _)| read == conn)
            && let Some((session, _)) = context.sessions().first()
        {
            for frame in frames.into_iter().filter(|frame| Message::decode(Phase::Session, frame).is_ok()) {
                context.add_input(Input::Frame(*session, frame));
            }
        }
        Some(output)
    }
}

/// The whole frames in `bytes`, which begin with one.
fn frames(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut reader = FrameReader::new();
    let next = || reader.next(&mut bytes, MAX_SESSION_PAYLOAD).ok().flatten();
    std::iter::from_fn(next).collect()
}
