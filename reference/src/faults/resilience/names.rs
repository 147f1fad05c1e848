//! Faults of names that look alike: nodes that take them for one name (REG-31, ROOM-18, PROC-66).

use crate::{
    faults::{
        filter::{Context, Filter},
        payload::{decode, edited, encode, unregister},
        table::Fault,
    },
    node::{Command, ConnId, Input},
    wire::Message,
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "global-names-are-composed",
        requirement: "REG-31",
        description: "A letter of a global name and the accent that follows it are taken for the letter with its accent.",
        make: || alike(Names::Global, composed),
    },
    Fault {
        id: "the-case-of-global-names-is-ignored",
        requirement: "REG-31",
        description: "Capital letters of global names are taken for small ones.",
        make: || alike(Names::Global, str::to_lowercase),
    },
    Fault {
        id: "invisible-characters-of-global-names-are-dropped",
        requirement: "REG-31",
        description: "Characters of global names that have no width are dropped.",
        make: || alike(Names::Global, visible),
    },
    Fault {
        id: "global-names-are-trimmed",
        requirement: "REG-31",
        description: "Spaces around global names are dropped.",
        make: || alike(Names::Global, |name| name.trim().to_owned()),
    },
    Fault {
        id: "room-names-are-composed",
        requirement: "ROOM-18",
        description: "A letter of a room's name and the accent that follows it are taken for the letter with its accent.",
        make: || alike(Names::Rooms, composed),
    },
    Fault {
        id: "the-case-of-room-names-is-ignored",
        requirement: "ROOM-18",
        description: "Capital letters of rooms' names are taken for small ones.",
        make: || alike(Names::Rooms, str::to_lowercase),
    },
    Fault {
        id: "received-rooms-are-trimmed",
        requirement: "ROOM-18",
        description: "Spaces around the room of a received ROOM_BROADCAST are dropped.",
        make: || alike(Names::ReceivedRooms, |name| name.trim().to_owned()),
    },
    Fault {
        id: "local-names-are-composed",
        requirement: "PROC-66",
        description: "A letter of a local name and the accent that follows it are taken for the letter with its accent.",
        make: || alike(Names::Local, composed),
    },
    Fault {
        id: "the-case-of-local-names-is-ignored",
        requirement: "PROC-66",
        description: "Capital letters of local names are taken for small ones.",
        make: || alike(Names::Local, str::to_lowercase),
    },
    Fault {
        id: "invisible-characters-of-local-names-from-afar-are-dropped",
        requirement: "PROC-66",
        description: "Characters of the name in a REG_SEND that have no width are dropped.",
        make: || alike(Names::LocalFromAfar, visible),
    },
];

/// Which names a fault takes for others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    Global,
    Rooms,
    ReceivedRooms,
    Local,
    LocalFromAfar,
}

fn alike(of: Names, taken_for: fn(&str) -> String) -> Box<dyn Filter> {
    Box::new(Alike { of, taken_for })
}

/// Puts what a name is taken for in the place of every name that comes from peers, callers and members.
struct Alike {
    of: Names,
    taken_for: fn(&str) -> String,
}

impl Filter for Alike {
    fn frame_in(&mut self, _context: &mut Context<'_>, _conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        let mut seen: Vec<String> = Vec::new();
        match (self.of, decode(&payload)) {
            (Names::Global, Some(Message::GlobalUnregister(name))) => Some(unregister(&(self.taken_for)(name))),
            (Names::Global, Some(Message::GlobalRegister(_) | Message::GlobalSync(_))) => {
                edited(&payload, |entry| {
                    seen.push((self.taken_for)(entry.name));
                    Some(entry)
                })?;
                let mut names = seen.iter();
                edited(&payload, |mut entry| {
                    entry.name = names.next()?;
                    Some(entry)
                })
            }
            (Names::Rooms | Names::ReceivedRooms, Some(Message::RoomBroadcast(mut broadcast))) => {
                let room = (self.taken_for)(broadcast.room);
                broadcast.room = &room;
                Some(encode(&Message::RoomBroadcast(broadcast)))
            }
            (Names::Local | Names::LocalFromAfar, Some(Message::RegSend(mut send))) => {
                let name = (self.taken_for)(send.name);
                send.name = &name;
                Some(encode(&Message::RegSend(send)))
            }
            _ => Some(payload),
        }
    }

    fn input(&mut self, _context: &mut Context<'_>, mut input: Input) -> Option<Input> {
        match (self.of, &mut input) {
            (Names::Rooms, Input::MemberJoined { room, .. } | Input::Command(_, Command::Join { room, .. })) => {
                *room = (self.taken_for)(room).into();
            }
            (Names::Rooms, Input::Command(_, Command::Leave { room, .. })) => *room = (self.taken_for)(room).into(),
            (Names::Rooms, Input::Command(_, Command::Broadcast { room, .. })) => *room = (self.taken_for)(room),
            (
                Names::Global,
                Input::Command(_, Command::Register { name, .. } | Command::Unregister(name) | Command::Whereis(name)),
            ) => *name = (self.taken_for)(name),
            (Names::Local, Input::Command(_, Command::RegisterLocal { name, .. })) => *name = (self.taken_for)(name),
            _ => {}
        }
        Some(input)
    }
}

/// A few of the letters that Unicode has composed and decomposed: enough to be wrong.
fn composed(name: &str) -> String {
    let pairs = [("e\u{301}", "\u{e9}"), ("a\u{308}", "\u{e4}"), ("\u{1100}\u{1161}", "\u{ac00}")];
    pairs.into_iter().fold(name.to_owned(), |name, (apart, together)| name.replace(apart, together))
}

fn visible(name: &str) -> String {
    name.replace(['\u{200b}', '\u{200d}', '\u{feff}'], "")
}
