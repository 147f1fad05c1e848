//! Joining, leaving, vanishing, and not keeping up.

use std::{collections::BTreeMap, sync::Arc, thread, time::Duration};

use super::{
    super::{
        filter::{Context, Filter, NOBODY},
        single::{on_member_patience, on_undelivered},
        table::Fault,
    },
    Rooms,
};
use crate::node::{Answer, Command, Input, MemberId, Output};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "joins-are-counted",
        requirement: "ROOM-7",
        description: "A member that has joined a room twice has to leave it twice.",
        make: || Box::new(JoinsAreCounted::default()),
    },
    Fault {
        id: "joining-again-is-leaving",
        requirement: "ROOM-7",
        description: "A member that joins a room in which it is leaves it.",
        make: || Box::new(JoiningAgainIsLeaving::default()),
    },
    Fault {
        id: "leaving-one-room-is-leaving-all",
        requirement: "ROOM-8",
        description: "A member that leaves a room leaves all.",
        make: || Box::new(LeavingOneIsLeavingAll::default()),
    },
    Fault {
        id: "room-of-the-path-cannot-be-left",
        requirement: "ROOM-8",
        description: "A member stays in the room that its path named, whatever it leaves.",
        make: || Box::new(FirstRooms { of: BTreeMap::new(), edit: stay_in_first }),
    },
    Fault {
        id: "closed-member-stays-in-rooms-it-joined-later",
        requirement: "ROOM-9",
        description: "A closed connection leaves the room that its path named and no other.",
        make: || Box::new(FirstRooms { of: BTreeMap::new(), edit: leave_first_alone }),
    },
    Fault {
        id: "lost-member-is-waited-for",
        requirement: "ROOM-11",
        description: "The whole node waits for a minute for a member that takes no more, before it is cut off.",
        make: || {
            on_undelivered(|_, member| {
                thread::sleep(Duration::from_secs(60));
                Some(member)
            })
        },
    },
    Fault {
        id: "patience-of-512-messages",
        requirement: "ROOM-12",
        description: "A member for which 512 messages wait is disconnected.",
        make: || on_member_patience(|_| 512),
    },
    Fault {
        id: "slow-member-misses-texts",
        requirement: "ROOM-12",
        description: "A member that cannot keep up stays connected and misses texts.",
        make: || on_undelivered(|_, _| None),
    },
];

#[derive(Default)]
struct JoinsAreCounted {
    rooms: Rooms,
    more: BTreeMap<(MemberId, Arc<str>), u64>,
}

impl Filter for JoinsAreCounted {
    fn input(&mut self, context: &mut Context<'_>, input: Input) -> Option<Input> {
        match &input {
            Input::Command(_, Command::Join { member, room }) if self.rooms.has(*member, room) => {
                *self.more.entry((*member, room.clone())).or_default() += 1;
            }
            Input::Command(token, Command::Leave { member, room }) => {
                if let Some(more) = self.more.get_mut(&(*member, room.clone())).filter(|more| **more > 0) {
                    *more -= 1;
                    context.add_output(Output::Reply(*token, Ok(Answer::Done)));
                    return None;
                }
            }
            _ => {}
        }
        self.rooms.follow(&input);
        Some(input)
    }
}

#[derive(Default)]
struct JoiningAgainIsLeaving(Rooms);

impl Filter for JoiningAgainIsLeaving {
    fn input(&mut self, _context: &mut Context<'_>, input: Input) -> Option<Input> {
        let input = match input {
            Input::Command(token, Command::Join { member, room }) if self.0.has(member, &room) => {
                Input::Command(token, Command::Leave { member, room })
            }
            input => input,
        };
        self.0.follow(&input);
        Some(input)
    }
}

#[derive(Default)]
struct LeavingOneIsLeavingAll(Rooms);

impl Filter for LeavingOneIsLeavingAll {
    fn input(&mut self, context: &mut Context<'_>, input: Input) -> Option<Input> {
        if let Input::Command(_, Command::Leave { member, .. }) = input
            && let Some(rooms) = self.0.of.get_mut(&member)
        {
            for room in std::mem::take(rooms) {
                context.command(Command::Leave { member, room });
            }
        }
        self.0.follow(&input);
        Some(input)
    }
}

/// Knows the rooms that members' paths have named, and makes of an input what it should not be.
struct FirstRooms {
    of: BTreeMap<MemberId, Arc<str>>,
    edit: fn(Input, &BTreeMap<MemberId, Arc<str>>) -> Input,
}

impl Filter for FirstRooms {
    fn input(&mut self, _context: &mut Context<'_>, input: Input) -> Option<Input> {
        if let Input::MemberJoined { member, room } = &input {
            self.of.insert(*member, room.clone());
        }
        Some((self.edit)(input, &self.of))
    }
}

/// Joining a room in which one is has no effect, as leaving has none here.
fn stay_in_first(input: Input, first: &BTreeMap<MemberId, Arc<str>>) -> Input {
    match input {
        Input::Command(token, Command::Leave { member, room }) if first.get(&member) == Some(&room) => {
            Input::Command(token, Command::Join { member, room })
        }
        input => input,
    }
}

fn leave_first_alone(input: Input, first: &BTreeMap<MemberId, Arc<str>>) -> Input {
    match input {
        Input::MemberLeft(member) if let Some(room) = first.get(&member) => {
            Input::Command(NOBODY, Command::Leave { member, room: room.clone() })
        }
        input => input,
    }
}
