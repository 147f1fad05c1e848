//! Somebody who does not know the cookie: what it has heard, and what it can say with that. Says nothing by itself.

use super::cluster::{Arrival, Cluster, End, Place, name};
use crate::{
    node::{ConnId, Role},
    wire::{
        Message, Payload,
        handshake::{Ack, Challenge, ChallengeMessage, Name, Proof, Reply},
        message::Phase,
    },
};

/// Its own challenge; it does not need another one.
const CHALLENGE: Challenge = [0xAA; 32];

/// What it knows and what it may still do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Attacker {
    /// It is reached by every dial, and passes on what it hears, instead of speaking under a name of its own.
    pub(crate) is_in_the_middle: bool,
    /// How much it may still say.
    left: u8,
    dials: u64,
    challenges: Vec<Challenge>,
    proofs: Vec<Proof>,
    heard: Vec<Payload>,
}

/// What it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    Dials(Place),
    Says(End, Payload),
}

impl Attacker {
    pub(crate) fn new(is_in_the_middle: bool, left: u8) -> Self {
        Self { is_in_the_middle, left, dials: 0, challenges: vec![], proofs: vec![], heard: vec![] }
    }

    pub(crate) fn hears(&mut self, arrival: &Arrival) {
        let Arrival::Frame(payload) = arrival else { return };
        if self.is_in_the_middle {
            return self.heard.push(payload.clone());
        }
        match Message::decode(Phase::Handshake, payload) {
            Ok((Message::Challenge(message), _)) => self.challenges.push(message.challenge),
            Ok((Message::Reply(reply), _)) => {
                self.proofs.push(reply.proof);
                self.challenges.push(reply.challenge);
            }
            Ok((Message::Ack(ack), _)) => self.proofs.push(ack.proof),
            _ => {}
        }
    }

    /// All that it could say.
    fn words(&self, own: &str) -> Vec<Payload> {
        if self.is_in_the_middle {
            return self.heard.clone();
        }
        let mut words = vec![Name { name: own, creation: 1 }.encode()];
        for challenge in &self.challenges {
            words.push(ChallengeMessage { name: own, creation: 1, challenge: *challenge }.encode());
        }
        for proof in &self.proofs {
            words.push(Reply { proof: *proof, challenge: CHALLENGE }.encode());
            words.push(Ack { proof: *proof }.encode());
        }
        words.into_iter().flatten().map(Payload::from).collect()
    }
}

impl Cluster {
    /// All that the attacker can do now. Without the last say of a connection there is no use in dialling a second time.
    pub(crate) fn moves(&self) -> Vec<Move> {
        let (Some(attacker), place) = (&self.attacker, self.places().end) else { return vec![] };
        if attacker.left == 0 {
            return vec![];
        }
        let mut moves = vec![];
        if attacker.dials == 0 {
            moves.extend(self.places().map(Move::Dials));
        }
        let words = attacker.words(name(place, place).as_str());
        for end in self.ends(place) {
            moves.extend(words.iter().map(|payload| Move::Says(end, payload.clone())));
        }
        moves
    }

    pub(crate) fn attack(&mut self, attack: &Move) {
        let place = self.places().end;
        let Some(attacker) = &mut self.attacker else { return };
        match attack {
            Move::Dials(to) => {
                attacker.dials += 1;
                let from = (place, ConnId { role: Role::Dialled, serial: attacker.dials });
                self.dial_from(from, *to);
            }
            Move::Says(end, payload) => {
                attacker.left -= 1;
                if let Some(other) = self.other(*end) {
                    self.send(other, Arrival::Frame(payload.clone()));
                }
            }
        }
    }
}
