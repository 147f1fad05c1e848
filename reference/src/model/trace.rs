//! A way through a scenario's states as the spec tells hazards: who says what to whom, and what callers do. Leaves out
//! what says nothing: TCP, and handshakes unless they are what it is about.

use super::{
    cluster::{Arrival, Cluster, Effects, Process, Step, cookie},
    scenario::{Act, Scenario, State},
};
use crate::{
    node::Event,
    simulation::{told, words},
    wire::{
        Message,
        handshake::{Challenge, Proof},
        message::Phase,
    },
};

/// Where remarks stand, unless what they remark is longer.
const COLUMN: usize = 41;

/// Whether handshakes are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handshakes {
    Shown,
    LeftOut,
}

/// The lines of a way.
pub(crate) fn lines(scenario: &Scenario, way: &[(State, Option<Act>)], handshakes: Handshakes) -> Vec<String> {
    let mut teller = Teller { handshakes, challenges: Vec::new(), lines: Vec::new() };
    for (state, act) in way {
        match act {
            Some(Act::Step(lane)) => {
                let step = &scenario.lanes[*lane][state.done[*lane]];
                let effects = state.cluster.clone().step(step).unwrap_or_default();
                let says_all = matches!(step, Step::Ends(_));
                let remark = if says_all { String::new() } else { teller.remark(&effects) };
                teller.push(does(&state.cluster, step), remark);
            }
            Some(Act::Deliver(end)) => {
                let Some((other, arrival)) = state.cluster.next(*end) else { continue };
                let effects = state.cluster.clone().deliver(*end).unwrap_or_default();
                teller.arrives(&state.cluster, other.0, end.0, arrival, &effects);
            }
            Some(Act::Attack(_)) | None => {}
        }
    }
    teller.lines
}

struct Teller {
    handshakes: Handshakes,
    /// In the order in which they were first heard.
    challenges: Vec<Challenge>,
    lines: Vec<String>,
}

impl Teller {
    fn push(&mut self, line: String, remark: String) {
        let line = if remark.is_empty() { line } else { format!("{line:<COLUMN$}{remark}") };
        self.lines.push(line);
    }

    fn arrives(&mut self, cluster: &Cluster, from: usize, to: usize, arrival: &Arrival, effects: &Effects) {
        let (from, to) = (cluster.called(from), cluster.called(to));
        let remark = self.remark(effects);
        match arrival {
            Arrival::Frame(payload) => match Message::decode(Phase::Handshake, payload) {
                Ok((message, _)) if self.handshakes == Handshakes::Shown => {
                    let words = self.handshake(&message);
                    self.push(format!("{from} -> {to}  {words}"), remark);
                }
                Ok(_) => self.events(to, effects),
                Err(_) => {
                    let remark = if effects.is_ignored { "ignored".to_owned() } else { remark };
                    self.push(format!("{from} -> {to}  {}", words::payload(payload)), remark);
                }
            },
            Arrival::Closed if self.handshakes == Handshakes::Shown || !effects.events.is_empty() => {
                self.push(format!("{to}       loses its connection to {from}"), remark);
            }
            Arrival::Accepted | Arrival::Dialled | Arrival::Closed => {}
        }
    }

    /// What a handshake that is not told has led to.
    fn events(&mut self, place: &str, effects: &Effects) {
        let remark = self.remark(effects);
        if !remark.is_empty() {
            self.lines.push(format!("{place}       {remark}"));
        }
    }

    fn remark(&self, effects: &Effects) -> String {
        let is_told = |event: &&Event| !matches!(event, Event::DialFailed(..));
        let told: Vec<_> = effects.events.iter().filter(is_told).map(event).collect();
        told.join("; ")
    }

    fn handshake(&mut self, message: &Message<'_>) -> String {
        match message {
            Message::Name(name) => format!("NAME {}", words::node(name.name)),
            Message::Challenge(message) => {
                format!("CHALLENGE {}, {}", words::node(message.name), self.challenge(message.challenge))
            }
            Message::Reply(reply) => {
                let proof = self.proof(&reply.proof);
                format!("REPLY {proof}, {}", self.challenge(reply.challenge))
            }
            Message::Ack(ack) => format!("ACK {}", self.proof(&ack.proof)),
            other => words::message(other),
        }
    }

    fn challenge(&mut self, challenge: Challenge) -> String {
        let known = self.challenges.iter().position(|other| *other == challenge);
        let index = known.unwrap_or_else(|| {
            self.challenges.push(challenge);
            self.challenges.len() - 1
        });
        format!("c{}", index + 1)
    }

    fn proof(&self, proof: &Proof) -> String {
        let of = self.challenges.iter().position(|challenge| cookie().prove(challenge) == *proof);
        of.map_or_else(|| "a wrong proof".to_owned(), |index| format!("HMAC(c{})", index + 1))
    }
}

/// An event as a remark.
fn event(event: &Event) -> String {
    match event {
        Event::SessionOpened(peer, _) => format!("session with {} begins", words::node(peer.as_str())),
        Event::SessionClosed(peer, _) => format!("session with {} has ended", words::node(peer.as_str())),
        Event::Refused(_, why) => format!("closed: {why}"),
        other => told::event(other),
    }
}

/// What a caller does, or what befalls.
fn does(cluster: &Cluster, step: &Step) -> String {
    let called = |place: &usize| cluster.called(*place);
    let process = |Process(place, _, local): &Process| format!("{}'s {local}", called(place));
    match step {
        Step::Connect(from, to) => format!("{}       connects to {}", called(from), called(to)),
        Step::Register(place, name, Process(owner, _, _)) if place == owner => {
            format!("{}       registers {name}", called(place))
        }
        Step::Register(place, name, of) => format!("{}       registers {name} for {}", called(place), process(of)),
        Step::Unregister(place, name) => format!("{}       unregisters {name}", called(place)),
        Step::Spawn(place) => format!("{}       starts a process", called(place)),
        Step::SpawnLinked(place, local, on) => {
            format!("{}       its {local} spawns on {}, linked", called(place), called(on))
        }
        Step::Link(place, local, to) => format!("{}       links its {local} to {}", called(place), process(to)),
        Step::Ends(Process(place, _, local)) => format!("{}       its {local} ends", called(place)),
        Step::Send(place, to) => format!("{}       sends to {}", called(place), process(to)),
        Step::Cut(one, other) => format!("{} - {}   their connection is lost", called(one), called(other)),
        Step::Crash(place) => format!("{}       ends", called(place)),
        Step::Start(place, creation) => format!("{}       starts again, creation {creation}", called(place)),
    }
}
