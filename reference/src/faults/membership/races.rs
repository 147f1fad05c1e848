//! Filters about connections that overtake each other, which remember something.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    claims::{Verdict, judged},
    dial_again,
};
use crate::{
    faults::{
        filter::{Context, Filter},
        payload::names,
    },
    node::{Answer, Command, CommandError, ConnId, Event, How, Input, Output, Refusal, Role, Token},
    wire::{
        Message, NodeName,
        handshake::{Ack, Challenge},
        message::Phase,
    },
};

/// Sends ACK in front of the close for `refusal`.
pub(super) struct AckFirst {
    refusal: Refusal,
    asked: BTreeMap<ConnId, Challenge>,
    closing: Option<(ConnId, How)>,
}

impl AckFirst {
    pub(super) fn because(refusal: Refusal) -> Box<dyn Filter> {
        Box::new(Self { refusal, asked: BTreeMap::new(), closing: None })
    }
}

impl Filter for AckFirst {
    fn frame_in(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        let in_handshake = context.connection(conn).is_some_and(|view| view.phase == Phase::Handshake);
        if in_handshake
            && conn.role == Role::Accepted
            && let Ok((Message::Reply(reply), _)) = Message::decode(Phase::Handshake, &payload)
        {
            self.asked.insert(conn, reply.challenge);
        }
        Some(payload)
    }

    /// The close comes first, the reason behind it.
    fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        if let Some((conn, how)) = self.closing.take() {
            if matches!(&output, Output::Event(Event::Refused(_, why)) if *why == self.refusal)
                && let Some((challenge, identity)) = self.asked.remove(&conn).zip(context.identity())
                && let Ok(ack) = (Ack { proof: identity.cookie.prove(&challenge) }).encode()
            {
                context.send(conn, ack);
            }
            context.add_output(Output::Close(conn, how));
        }
        match output {
            Output::Close(conn, how) if self.asked.contains_key(&conn) => {
                self.closing = Some((conn, how));
                None
            }
            _ => Some(output),
        }
    }
}

/// Knows which dials have TLS.
#[derive(Default)]
pub(super) struct CountsFromTls {
    secured: BTreeSet<ConnId>,
}

impl Filter for CountsFromTls {
    fn input(&mut self, _context: &mut Context<'_>, input: Input) -> Option<Input> {
        if let Input::Dialled(conn) = &input {
            self.secured.insert(*conn);
        }
        Some(input)
    }

    fn frame_in(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        judged(context, conn, payload, |context, claim| {
            let dial = claim.own_dial(context).filter(|dial| !self.secured.contains(dial));
            Verdict::after(dial.filter(|_| claim.is_larger(context)))
        })
    }
}

/// Forgets to close a dial that an accepted connection has superseded.
#[derive(Default)]
pub(super) struct OpenDial {
    closing: Option<(ConnId, How)>,
}

impl Filter for OpenDial {
    fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        let superseded = matches!(output, Output::Event(Event::Refused(_, Refusal::Superseded)));
        if let Some((conn, how)) = self.closing.take().filter(|_| !superseded) {
            context.add_output(Output::Close(conn, how));
        }
        match output {
            Output::Close(conn, how) if conn.role == Role::Dialled => {
                self.closing = Some((conn, how));
                None
            }
            _ => Some(output),
        }
    }
}

/// Dials listed names whose nodes came by themselves as soon as a dial has ended.
#[derive(Default)]
pub(super) struct QueueForgetsNobody {
    listed: BTreeSet<NodeName>,
    came: Vec<NodeName>,
}

impl Filter for QueueForgetsNobody {
    fn frame_in(&mut self, context: &mut Context<'_>, _conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        let live: BTreeSet<_> = context.sessions().into_iter().filter_map(|(_, view)| view.peer).collect();
        let listed = names(&payload).into_iter().flatten().filter_map(|name| NodeName::parse(name).ok());
        self.listed.extend(listed.filter(|name| !live.contains(name)));
        Some(payload)
    }

    fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        match &output {
            Output::Dial { conn, .. } => {
                let dials = context.dials();
                self.listed.retain(|name| !dials.iter().any(|(dial, target)| dial == conn && target == name));
            }
            Output::Event(Event::SessionOpened(peer, _)) => {
                if let Some(peer) = self.listed.take(peer) {
                    self.came.push(peer);
                }
            }
            Output::Event(Event::DialFailed(..)) => {
                self.came.drain(..).for_each(|peer| dial_again(context, &peer));
            }
            _ => {}
        }
        Some(output)
    }
}

/// Whether a request to connect fails although its session has come, by its name and those that still wait.
type ConnectFails = fn(&Context<'_>, &NodeName, &BTreeMap<Token, NodeName>) -> bool;

/// Remembers the requests to connect that wait.
pub(super) struct Connects {
    fails: ConnectFails,
    waiting: BTreeMap<Token, NodeName>,
}

impl Connects {
    pub(super) fn failing(fails: ConnectFails) -> Box<dyn Filter> {
        Box::new(Self { fails, waiting: BTreeMap::new() })
    }
}

impl Filter for Connects {
    fn input(&mut self, context: &mut Context<'_>, input: Input) -> Option<Input> {
        if let Input::Command(token, Command::Connect(name)) = &input
            && !context.sessions().iter().any(|(_, view)| view.peer.as_ref() == Some(name))
        {
            self.waiting.insert(*token, name.clone());
        }
        Some(input)
    }

    fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        if let Output::Reply(token, Ok(Answer::Done)) = &output
            && let Some(name) = self.waiting.remove(token)
            && (self.fails)(context, &name, &self.waiting)
        {
            return Some(Output::Reply(*token, Err(CommandError::ConnectFailed("the dial was closed".into()))));
        }
        Some(output)
    }
}
