//! Somebody without the cookie, dialled once: it dials back and passes each challenge that it gets on to the other end,
//! to have its victim answer it (HS-27). Never answers anything by itself.

use super::{
    schedule::Place,
    wires::{Arrival, End, EndState, Side, WireId},
    world::World,
};
use crate::{
    node::{Command, ConnId, Role},
    wire::{
        Message,
        handshake::{ChallengeMessage, Name},
        message::Phase,
    },
};

/// A name that is smaller than all nodes', so that nodes go on while their own dial to it is under way (MEM-20).
const NAME: &str = "0M@h:65000";

/// Where it stands.
#[derive(Debug, Default)]
pub(crate) struct Mirror {
    pub(crate) port: Option<u16>,
    /// Behind all nodes' places.
    pub(crate) place: Place,
    /// The wire that its victim has opened, and that on which it has dialled back.
    pub(crate) dialled: Option<WireId>,
    back: Option<WireId>,
    last: u64,
}

impl Mirror {
    pub(crate) fn is_at(&self, place: Place) -> bool {
        self.port.is_some() && self.place == place
    }
}

impl World {
    /// Has a node dial the mirror.
    pub(crate) fn reflect(&mut self, victim: Place, place: Place) {
        let last = self.mirror.last;
        self.mirror = Mirror { port: Some(65_000), place, dialled: None, back: None, last };
        self.command(victim, Command::Connect(super::world::parsed(NAME)));
    }

    pub(crate) fn mirrored(&mut self, wire: WireId, side: Side, what: Arrival) {
        if matches!(what, Arrival::Closed) {
            self.wires.end_mut((wire, side)).state = EndState::Gone;
            return;
        }
        self.wires.end_mut((wire, side)).state = EndState::Open;
        match what {
            // Dialled: the victim's NAME is on its way; meanwhile its own challenge is asked for.
            // A dial that an earlier victim made long ago may arrive now: to answer for another node is no reflection (HS-H1).
            Arrival::Accepted if self.mirror.dialled == Some(wire) => {
                let victim = self.wires.get(wire).ends[0].place;
                let Some(to) = self.accepting_end(victim) else { return };
                self.mirror.last += 1;
                let conn = ConnId { role: Role::Dialled, serial: self.mirror.last };
                let from = End { place: self.mirror.place, run: 0, conn, state: EndState::Coming };
                self.mirror.back = Some(self.join(from, to));
            }
            Arrival::Dialled => {
                if let Ok(name) = (Name { name: NAME, creation: 1 }).encode() {
                    self.wires.send(wire, 1, Arrival::Frame(name.into()));
                }
            }
            Arrival::Frame(payload) => match (Message::decode(Phase::Handshake, &payload), self.mirror.dialled) {
                (Ok((Message::Challenge(message), _)), Some(dialled)) if Some(wire) == self.mirror.back => {
                    let reflected = ChallengeMessage { name: NAME, creation: 1, challenge: message.challenge };
                    if let Ok(payload) = reflected.encode() {
                        self.wires.send(dialled, 0, Arrival::Frame(payload.into()));
                    }
                }
                (Ok((Message::Reply(_), _)), _) => {
                    let victim = self.wires.get(wire).ends[0].place;
                    let called = self.called(victim).to_owned();
                    self.judge.complain(format!("{called} answers a challenge of its own, reflected (HS-27)"));
                }
                _ => {}
            },
            Arrival::Accepted | Arrival::Closed => {}
        }
    }
}
