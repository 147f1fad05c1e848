//! Frames that are taken apart or put together wrongly (FRAME-8 to FRAME-16). What each filter does stands in its line of
//! the table.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use super::super::{
    filter::{Context, Filter},
    stream::{Place, Places},
};
use crate::{
    node::{Answer, Command, CommandError, ConnId, Input, Output},
    wire::{
        MAX_SESSION_PAYLOAD, Payload,
        message::Phase,
        room::{ROOM_BROADCAST, RoomBroadcast},
    },
};

/// 1 for a connection in that phase.
pub(super) fn one_in(phase: Phase, context: &Context<'_>, conn: ConnId) -> usize {
    usize::from(context.phase(conn) == Some(phase))
}

#[derive(Default)]
pub(super) struct SplitLengthIsLost(Places);

impl Filter for SplitLengthIsLost {
    fn bytes_in(&mut self, _context: &mut Context<'_>, conn: ConnId, mut bytes: Vec<u8>) -> Vec<u8> {
        let place = self.0.of(conn);
        place.advance(&bytes, |_| {});
        bytes.truncate(bytes.len().saturating_sub(place.bytes_of_length()));
        if place.bytes_of_length() > 0 {
            *place = Place::default();
        }
        bytes
    }
}

/// Closes a connection in `phase` that pauses for longer than `most` within a frame.
pub(in super::super) fn pause_closes(phase: Phase, most: Duration) -> Box<dyn Filter> {
    Box::new(PauseCloses { phase, most, places: Places::default(), last: BTreeMap::new() })
}

struct PauseCloses {
    phase: Phase,
    most: Duration,
    places: Places,
    last: BTreeMap<ConnId, Instant>,
}

impl Filter for PauseCloses {
    fn bytes_in(&mut self, context: &mut Context<'_>, conn: ConnId, bytes: Vec<u8>) -> Vec<u8> {
        let place = self.places.of(conn);
        let pause = self.last.insert(conn, context.now).map(|last| context.now - last);
        if place.is_within_a_frame() && context.phase(conn) == Some(self.phase) && pause > Some(self.most) {
            context.close(conn);
        }
        place.advance(&bytes, |_| {});
        bytes
    }
}

#[derive(Default)]
pub(super) struct LostBehindHandshake {
    at_read: Option<Phase>,
}

impl Filter for LostBehindHandshake {
    fn bytes_in(&mut self, context: &mut Context<'_>, conn: ConnId, bytes: Vec<u8>) -> Vec<u8> {
        self.at_read = context.phase(conn);
        bytes
    }

    fn frame_in(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        (self.at_read == context.phase(conn)).then_some(payload)
    }
}

#[derive(Default)]
pub(super) struct OneFrameARead {
    has_come: bool,
}

impl Filter for OneFrameARead {
    fn bytes_in(&mut self, _context: &mut Context<'_>, _conn: ConnId, bytes: Vec<u8>) -> Vec<u8> {
        self.has_come = false;
        bytes
    }

    fn frame_in(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        let is_first = context.phase(conn) == Some(Phase::Handshake) || !self.has_come;
        self.has_come = true;
        is_first.then_some(payload)
    }
}

#[derive(Default)]
pub(super) struct OversizedIsNoDisconnect {
    places: Places,
    oversized: BTreeSet<ConnId>,
}

impl Filter for OversizedIsNoDisconnect {
    fn bytes_in(&mut self, _context: &mut Context<'_>, conn: ConnId, bytes: Vec<u8>) -> Vec<u8> {
        let mut is_oversized = false;
        self.places.of(conn).advance(&bytes, |length| is_oversized |= length > MAX_SESSION_PAYLOAD);
        if is_oversized {
            self.oversized.insert(conn);
        }
        bytes
    }

    fn input(&mut self, _context: &mut Context<'_>, input: Input) -> Option<Input> {
        match input {
            Input::Closed(conn) if self.oversized.contains(&conn) => None,
            input => Some(input),
        }
    }
}

pub(super) fn send_oversized(context: &mut Context<'_>, input: Input) -> Option<Input> {
    match input {
        Input::Command(token, Command::Broadcast { room, text, except })
            if (RoomBroadcast { room: &room, text: &text }).encode().is_ok() =>
        {
            Some(Input::Command(token, Command::Broadcast { room, text, except }))
        }
        Input::Command(token, Command::Broadcast { room, text, .. }) => {
            let room_length = (room.len() as u16).to_le_bytes();
            let text_length = (text.len() as u32).to_le_bytes();
            let payload: Payload =
                [&[ROOM_BROADCAST], &room_length[..], room.as_bytes(), &text_length, text.as_bytes()].concat().into();
            for (conn, _) in context.sessions() {
                context.send(conn, payload.clone());
            }
            context.add_output(Output::Reply(token, Ok(Answer::Failed(0))));
            None
        }
        input => Some(input),
    }
}

pub(super) fn succeed_with_oversized(_context: &mut Context<'_>, output: Output) -> Option<Output> {
    match output {
        Output::Reply(token, Err(CommandError::TooLarge)) => Some(Output::Reply(token, Ok(Answer::Failed(0)))),
        output => Some(output),
    }
}

pub(super) fn end_sessions_over_oversized(context: &mut Context<'_>, output: Output) -> Option<Output> {
    if matches!(output, Output::Reply(_, Err(CommandError::TooLarge))) {
        for (conn, _) in context.sessions() {
            context.close(conn);
        }
    }
    Some(output)
}
