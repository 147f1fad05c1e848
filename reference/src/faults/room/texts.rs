//! What members get: texts that are changed, dropped, or late.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::super::{
    filter::{Context, Filter},
    single::{on_frame_in, on_input, on_output},
    table::Fault,
};
use crate::{
    node::{Command, CommandError, ConnId, Input, Output},
    wire::{Message, message::Phase, room::ROOM_BROADCAST},
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "text-ends-at-nul",
        requirement: "ROOM-13",
        description: "Members get a text up to its first U+0000.",
        make: || delivers(|text| text.split('\0').next().unwrap_or_default().to_owned()),
    },
    Fault {
        id: "four-byte-characters-are-replaced",
        requirement: "ROOM-13",
        description: "Members get U+FFFD for each character past U+FFFF.",
        make: || delivers(|text| text.replace(|character| character > '\u{ffff}', "\u{fffd}")),
    },
    Fault {
        id: "room-names-are-compared-without-case",
        requirement: "ROOM-13",
        description: "Rooms whose names differ only in case are one.",
        make: || {
            on_input(|_, mut input| {
                match &mut input {
                    Input::MemberJoined { room, .. }
                    | Input::Command(_, Command::Join { room, .. } | Command::Leave { room, .. }) => {
                        *room = room.to_lowercase().into();
                    }
                    Input::Command(_, Command::Broadcast { room, .. }) => *room = room.to_lowercase(),
                    _ => {}
                }
                Some(input)
            })
        },
    },
    Fault {
        id: "empty-text-is-an-error",
        requirement: "ROOM-14",
        description: "A broadcast of an empty text fails.",
        make: || {
            on_input(|context, input| match input {
                Input::Command(token, Command::Broadcast { text, .. }) if text.is_empty() => {
                    let why = CommandError::Failed("there is nothing to send".into());
                    context.add_output(Output::Reply(token, Err(why)));
                    None
                }
                input => Some(input),
            })
        },
    },
    Fault {
        id: "received-empty-text-is-dropped",
        requirement: "ROOM-14",
        description: "A received ROOM_BROADCAST without text is ignored.",
        make: || on_frame_in(|_, _, payload| (text_length(&payload) != Some(0)).then_some(payload)),
    },
    Fault {
        id: "every-tenth-broadcast-is-late",
        requirement: "ROOM-15",
        description: "Every tenth broadcast made here reaches local members 20 ms late.",
        make: || Box::new(EveryTenthIsLate::default()),
    },
    Fault {
        id: "long-received-texts-are-late",
        requirement: "ROOM-15",
        description: "Received texts of more than 1,000 bytes reach members 20 ms late.",
        make: || Box::new(LongAreLate::default()),
    },
];

/// Changes what members get; a new member's id has nothing in it that a fault changes.
fn delivers(edit: fn(&str) -> String) -> Box<dyn Filter> {
    on_output(move |_, mut output| {
        if let Output::Deliver { text, .. } = &mut output {
            *text = edit(text);
        }
        Some(output)
    })
}

/// `None` for anything but a ROOM_BROADCAST.
fn text_length(payload: &[u8]) -> Option<usize> {
    payload.first().filter(|tag| **tag == ROOM_BROADCAST)?;
    match Message::decode(Phase::Session, payload).ok()?.0 {
        Message::RoomBroadcast(message) => Some(message.text.len()),
        _ => None,
    }
}

const LATENESS: Duration = Duration::from_millis(20);

/// What has to wait, and until when.
struct Late<T>(VecDeque<(Instant, T)>);

impl<T> Default for Late<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Late<T> {
    fn push(&mut self, late: T, now: Instant) {
        self.0.push_back((now + LATENESS, late));
    }

    fn next(&self) -> Option<Instant> {
        self.0.front().map(|(due, _)| *due)
    }

    fn due(&mut self, now: Instant) -> impl Iterator<Item = T> {
        let count = self.0.iter().take_while(|(due, _)| *due <= now).count();
        self.0.drain(..count).map(|(_, late)| late)
    }
}

#[derive(Default)]
struct EveryTenthIsLate {
    made: u64,
    late: Late<Output>,
}

impl Filter for EveryTenthIsLate {
    fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        self.made += u64::from(matches!(output, Output::Deliver { report: Some(_), .. }));
        if !matches!(output, Output::Deliver { report: Some(_), .. }) || !self.made.is_multiple_of(10) {
            return Some(output);
        }
        self.late.push(output, context.now);
        None
    }

    fn wake(&self) -> Option<Instant> {
        self.late.next()
    }

    fn awake(&mut self, context: &mut Context<'_>) {
        self.late.due(context.now).for_each(|output| context.add_output(output));
    }
}

#[derive(Default)]
struct LongAreLate(Late<(ConnId, Vec<u8>)>);

impl Filter for LongAreLate {
    fn frame_in(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        if context.phase(conn) != Some(Phase::Session) || text_length(&payload).is_none_or(|length| length <= 1_000) {
            return Some(payload);
        }
        self.0.push((conn, payload), context.now);
        None
    }

    fn wake(&self) -> Option<Instant> {
        self.0.next()
    }

    fn awake(&mut self, context: &mut Context<'_>) {
        self.0.due(context.now).for_each(|(conn, payload)| context.add_input(Input::Frame(conn, payload)));
    }
}
