//! Whom a broadcast reaches, here and through sessions, and what its caller is told.

use super::{
    super::{
        filter::{Context, Filter},
        single::{on_frame_in, on_frame_out, on_input, on_output},
        table::Fault,
    },
    Rooms,
};
use crate::{
    node::{Answer, Command, CommandError, ConnId, Input, MemberId, Output, Role, Token},
    wire::{
        Message, Payload,
        message::Phase,
        room::{ROOM_BROADCAST, RoomBroadcast},
    },
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "broadcast-misses-the-newest-member",
        requirement: "ROOM-1",
        description: "The last of several local members gets nothing of a broadcast made here.",
        make: || Box::new(Delivery { made: Made::Here, edit: drop_newest, has_come: false }),
    },
    Fault {
        id: "broadcast-reaches-the-first-member-twice",
        requirement: "ROOM-1",
        description: "The first of several local members gets a broadcast made here twice.",
        make: || Box::new(Delivery { made: Made::Here, edit: repeat_oldest, has_come: false }),
    },
    Fault {
        id: "broadcast-without-local-members-stays-here",
        requirement: "ROOM-2",
        description: "A broadcast is sent to no session when the room has no local members.",
        make: || Box::new(NeedsLocalMembers::default()),
    },
    Fault {
        id: "broadcast-skips-dialled-sessions",
        requirement: "ROOM-2",
        description: "A broadcast is sent only to the nodes that have dialled this one.",
        make: || {
            on_frame_out(|_, conn, payload| {
                let is_skipped = conn.role == Role::Dialled && payload.first() == Some(&ROOM_BROADCAST);
                (!is_skipped).then_some(payload)
            })
        },
    },
    Fault {
        id: "exception-is-forgotten",
        requirement: "ROOM-3",
        description: "The excepted member gets the broadcast too.",
        make: || {
            on_input(|_, mut input| {
                if let Input::Command(_, Command::Broadcast { except, .. }) = &mut input {
                    *except = None;
                }
                Some(input)
            })
        },
    },
    Fault {
        id: "broadcast-with-exception-stays-here",
        requirement: "ROOM-3",
        description: "A broadcast that excepts a member is sent to no session.",
        make: || Box::new(ExceptionStaysHere::default()),
    },
    Fault {
        id: "received-broadcast-misses-the-newest-member",
        requirement: "ROOM-4",
        description: "The last of several local members gets nothing of a received ROOM_BROADCAST.",
        make: || Box::new(Delivery { made: Made::Elsewhere, edit: drop_newest, has_come: false }),
    },
    Fault {
        id: "received-broadcast-reaches-the-first-member-twice",
        requirement: "ROOM-4",
        description: "The first of several local members gets a received ROOM_BROADCAST twice.",
        make: || Box::new(Delivery { made: Made::Elsewhere, edit: repeat_oldest, has_come: false }),
    },
    Fault {
        id: "received-broadcast-reaches-all-rooms",
        requirement: "ROOM-4",
        description: "The local members of all rooms get a received ROOM_BROADCAST.",
        make: || Box::new(ReachesAllRooms::default()),
    },
    Fault {
        id: "received-broadcast-is-forwarded",
        requirement: "ROOM-5",
        description: "A received ROOM_BROADCAST is sent on to all other sessions.",
        make: || {
            on_frame_in(|context, conn, payload| {
                if context.phase(conn) == Some(Phase::Session) && payload.first() == Some(&ROOM_BROADCAST) {
                    for (other, _) in context.sessions().into_iter().filter(|(other, _)| *other != conn) {
                        context.send(other, payload.clone());
                    }
                }
                Some(payload)
            })
        },
    },
    Fault {
        id: "broadcast-to-an-empty-room-is-an-error",
        requirement: "ROOM-6",
        description: "A broadcast to a room without local members fails, although it is sent to all sessions.",
        make: || Box::new(EmptyRoomIsError::default()),
    },
    Fault {
        id: "received-broadcast-of-an-empty-room-closes",
        requirement: "ROOM-6",
        description: "A received ROOM_BROADCAST of a room without local members closes its session.",
        make: || Box::new(EmptyRoomCloses::default()),
    },
    Fault {
        id: "result-counts-those-served",
        requirement: "ROOM-10",
        description: "The result of a broadcast is the number of local deliveries that did not fail.",
        make: || {
            let mut deliveries = Vec::<(Token, usize)>::new();
            on_output(move |_, output| {
                match &output {
                    Output::Deliver { members, report: Some(token), .. } => deliveries.push((*token, members.len())),
                    Output::Reply(token, Ok(Answer::Failed(failed))) => {
                        let delivered = deliveries.extract_if(.., |(of, _)| of == token).last();
                        let served = delivered.map_or(0, |(_, count)| count.saturating_sub(*failed));
                        return Some(Output::Reply(*token, Ok(Answer::Failed(served))));
                    }
                    _ => {}
                }
                Some(output)
            })
        },
    },
    Fault {
        id: "broadcast-needs-a-session",
        requirement: "ROOM-16",
        description: "A broadcast fails where no node is connected.",
        make: || {
            on_input(|context, input| match input {
                Input::Command(token, Command::Broadcast { .. }) if context.sessions().is_empty() => {
                    let why = CommandError::Failed("no node is connected".into());
                    context.add_output(Output::Reply(token, Err(why)));
                    None
                }
                input => Some(input),
            })
        },
    },
    Fault {
        id: "failed-deliveries-are-not-counted",
        requirement: "ROOM-17",
        description: "The result of a broadcast is always 0.",
        make: || {
            on_output(|_, output| match output {
                Output::Reply(token, Ok(Answer::Failed(_))) => Some(Output::Reply(token, Ok(Answer::Failed(0)))),
                output => Some(output),
            })
        },
    },
];

/// Where a broadcast was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Made {
    Here,
    Elsewhere,
}

/// Changes who gets a text.
struct Delivery {
    made: Made,
    edit: fn(&mut Vec<MemberId>),
    /// What is delivered has come from another node: a new member's id has not.
    has_come: bool,
}

impl Filter for Delivery {
    fn input(&mut self, _context: &mut Context<'_>, input: Input) -> Option<Input> {
        self.has_come = matches!(input, Input::Frame(..));
        Some(input)
    }

    fn output(&mut self, _context: &mut Context<'_>, mut output: Output) -> Option<Output> {
        if let Output::Deliver { members, report, .. } = &mut output {
            let is_it = match self.made {
                Made::Here => report.is_some(),
                Made::Elsewhere => self.has_come && report.is_none(),
            };
            if is_it && members.len() > 1 {
                (self.edit)(members);
            }
        }
        Some(output)
    }
}

fn drop_newest(members: &mut Vec<MemberId>) {
    members.pop();
}

fn repeat_oldest(members: &mut Vec<MemberId>) {
    members.insert(0, members[0]);
}

#[derive(Default)]
struct NeedsLocalMembers {
    has_members: bool,
}

impl Filter for NeedsLocalMembers {
    fn input(&mut self, _context: &mut Context<'_>, input: Input) -> Option<Input> {
        self.has_members = false;
        Some(input)
    }

    fn output(&mut self, _context: &mut Context<'_>, output: Output) -> Option<Output> {
        self.has_members |= matches!(output, Output::Deliver { .. });
        Some(output)
    }

    fn frame_out(&mut self, _context: &mut Context<'_>, _conn: ConnId, payload: Payload) -> Option<Payload> {
        (self.has_members || payload.first() != Some(&ROOM_BROADCAST)).then_some(payload)
    }
}

#[derive(Default)]
struct ExceptionStaysHere {
    has_exception: bool,
}

impl Filter for ExceptionStaysHere {
    fn input(&mut self, _context: &mut Context<'_>, input: Input) -> Option<Input> {
        self.has_exception = matches!(input, Input::Command(_, Command::Broadcast { except: Some(_), .. }));
        Some(input)
    }

    fn frame_out(&mut self, _context: &mut Context<'_>, _conn: ConnId, payload: Payload) -> Option<Payload> {
        (!self.has_exception || payload.first() != Some(&ROOM_BROADCAST)).then_some(payload)
    }
}

/// A ROOM_BROADCAST in a session.
fn received<'a>(context: &Context<'_>, conn: ConnId, payload: &'a [u8]) -> Option<RoomBroadcast<'a>> {
    if context.phase(conn)? != Phase::Session || payload.first()? != &ROOM_BROADCAST {
        return None;
    }
    match Message::decode(Phase::Session, payload).ok()?.0 {
        Message::RoomBroadcast(message) => Some(message),
        _ => None,
    }
}

#[derive(Default)]
struct ReachesAllRooms(Rooms);

impl Filter for ReachesAllRooms {
    fn input(&mut self, _context: &mut Context<'_>, input: Input) -> Option<Input> {
        self.0.follow(&input);
        Some(input)
    }

    fn frame_in(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        if let Some(message) = received(context, conn, &payload) {
            for room in self.0.all().into_iter().filter(|room| **room != *message.room) {
                let copy = RoomBroadcast { room: &room, ..message.clone() }.encode().unwrap_or_default();
                context.add_input(Input::Frame(conn, copy));
            }
        }
        Some(payload)
    }
}

#[derive(Default)]
struct EmptyRoomCloses(Rooms);

impl Filter for EmptyRoomCloses {
    fn input(&mut self, _context: &mut Context<'_>, input: Input) -> Option<Input> {
        self.0.follow(&input);
        Some(input)
    }

    fn frame_in(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        if received(context, conn, &payload).is_some_and(|message| self.0.is_empty(message.room)) {
            context.close(conn);
            return None;
        }
        Some(payload)
    }
}

#[derive(Default)]
struct EmptyRoomIsError {
    rooms: Rooms,
    fails: Option<Token>,
}

impl Filter for EmptyRoomIsError {
    fn input(&mut self, _context: &mut Context<'_>, input: Input) -> Option<Input> {
        self.rooms.follow(&input);
        if let Input::Command(token, Command::Broadcast { room, .. }) = &input {
            self.fails = self.rooms.is_empty(room).then_some(*token);
        }
        Some(input)
    }

    fn output(&mut self, _context: &mut Context<'_>, output: Output) -> Option<Output> {
        match output {
            Output::Reply(token, Ok(Answer::Failed(_))) if self.fails == Some(token) => {
                Some(Output::Reply(token, Err(CommandError::Failed("there is no such room".into()))))
            }
            output => Some(output),
        }
    }
}
