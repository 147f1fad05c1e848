//! Faults of sessions, mesh and heartbeat.

use super::{
    filter::{Context, Filter},
    table::Fault,
};
use crate::{
    node::ConnId,
    wire::{Payload, membership::PONG},
};

pub(crate) const FAULTS: &[Fault] = &[Fault {
    id: "pong-with-zeros",
    requirement: "MEM-29",
    description: "Every PONG carries zeros instead of the PING's bytes.",
    make: || Box::new(PongWithZeros),
}];

struct PongWithZeros;

impl Filter for PongWithZeros {
    fn frame_out(&mut self, _context: &mut Context<'_>, _conn: ConnId, payload: Payload) -> Option<Payload> {
        if payload.first() == Some(&PONG) { Some([&[PONG][..], &[0; 8]].concat().into()) } else { Some(payload) }
    }
}
