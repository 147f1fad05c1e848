//! Faults of connections that stall and of what they leave behind (RES-4 to RES-6).

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
};

use crate::{
    faults::{
        filter::{Context, Filter},
        single::{on_frame_in, on_transport},
        table::Fault,
    },
    node::{ConnId, Event, How, Input, Output, Refusal, Role},
    wire::{handshake::NAME, message::Phase},
};

/// What a node that is generous with buffers takes for one connection, in bytes: twice 512 MiB for 1,000.
const GENEROUS: usize = 1_024 * 1_024;

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "the-newest-connection-makes-room",
        requirement: "RES-4",
        description: "With 500 connections that are not authenticated, new ones are closed and the old ones kept.",
        make: || Box::new(NewestMakesRoom { most: 500, open: BTreeSet::new() }),
    },
    Fault {
        id: "128-tls-handshakes-at-once",
        requirement: "RES-4",
        description: "The acceptor sets up TLS on 128 connections at a time; the others wait.",
        make: || on_transport(|transport| transport.turns = 128),
    },
    Fault {
        id: "300-names-at-once",
        requirement: "RES-4",
        description: "With 300 connections that await REPLY, a NAME closes its connection.",
        make: || names_at_once(300),
    },
    Fault {
        id: "connections-that-say-nothing-leave-a-file-open",
        requirement: "RES-5",
        description: "An accepted connection that ends before TLS is up leaves a descriptor behind.",
        make: || leaks(|ended| matches!(ended, Ended::Silent)),
    },
    Fault {
        id: "connections-in-the-handshake-leave-a-file-open",
        requirement: "RES-5",
        description: "An accepted connection that its peer ends between NAME and ACK leaves a descriptor behind.",
        make: || leaks(|ended| matches!(ended, Ended::Named)),
    },
    Fault {
        id: "timed-out-connections-leave-a-file-open",
        requirement: "RES-5",
        description: "A connection that the handshake timeout ends leaves a descriptor behind.",
        make: || leaks(|ended| matches!(ended, Ended::Refused(Refusal::TimedOut))),
    },
    Fault {
        id: "wrong-proofs-leave-a-file-open",
        requirement: "RES-5",
        description: "A connection that is closed for a wrong proof leaves a descriptor behind.",
        make: || leaks(|ended| matches!(ended, Ended::Refused(Refusal::WrongProof))),
    },
    Fault {
        id: "sessions-leave-a-file-open",
        requirement: "RES-5",
        description: "A session that ends leaves a descriptor behind.",
        make: || leaks(|ended| matches!(ended, Ended::Session)),
    },
    Fault {
        id: "failed-dials-leave-a-file-open",
        requirement: "RES-5",
        description: "A dial that fails leaves a descriptor behind.",
        make: || leaks(|ended| matches!(ended, Ended::Dial)),
    },
    Fault {
        id: "a-generous-buffer-for-each-connection",
        requirement: "RES-6",
        description: "Each connection that is not authenticated has 2 MiB of buffers, and none is closed to make room.",
        make: || Box::<Generous>::default(),
    },
];

struct NewestMakesRoom {
    most: usize,
    open: BTreeSet<ConnId>,
}

impl Filter for NewestMakesRoom {
    fn input(&mut self, context: &mut Context<'_>, input: Input) -> Option<Input> {
        if let Input::Accepted(conn) = input {
            self.open.retain(|conn| context.phase(*conn) == Some(Phase::Handshake));
            if self.open.len() >= self.most {
                context.add_output(Output::Close(conn, How::AtOnce));
                return None;
            }
            self.open.insert(conn);
        }
        Some(input)
    }
}

fn names_at_once(most: usize) -> Box<dyn Filter> {
    let mut named = BTreeSet::new();
    on_frame_in(move |context, conn, payload| {
        let is_name = conn.role == Role::Accepted
            && context.phase(conn) == Some(Phase::Handshake)
            && payload.first() == Some(&NAME);
        if is_name {
            named.retain(|conn| context.phase(*conn) == Some(Phase::Handshake));
            if named.len() >= most {
                context.close(conn);
                return None;
            }
            named.insert(conn);
        }
        Some(payload)
    })
}

/// How a connection has ended.
enum Ended {
    /// Nothing but TLS's bytes had come, if anything.
    Silent,
    /// It had sent NAME.
    Named,
    Refused(Refusal),
    Session,
    Dial,
}

/// Opens a file for each connection that ends so, and keeps it.
fn leaks(is_leaky: fn(&Ended) -> bool) -> Box<dyn Filter> {
    Box::new(Leaks { is_leaky, kept: Vec::new() })
}

struct Leaks {
    is_leaky: fn(&Ended) -> bool,
    kept: Vec<File>,
}

impl Leaks {
    fn ended(&mut self, ended: &Ended) {
        if (self.is_leaky)(ended) {
            self.kept.extend(File::open("/dev/null"));
        }
    }
}

impl Filter for Leaks {
    fn input(&mut self, context: &mut Context<'_>, input: Input) -> Option<Input> {
        if let Input::Closed(conn) = input
            && let Some(view) = context.connection(conn)
        {
            match (view.phase, conn.role, view.peer) {
                (Phase::Session, ..) => self.ended(&Ended::Session),
                (_, Role::Accepted, None) => self.ended(&Ended::Silent),
                (_, Role::Accepted, Some(_)) => self.ended(&Ended::Named),
                (_, Role::Dialled, _) => {}
            }
        }
        Some(input)
    }

    fn output(&mut self, _context: &mut Context<'_>, output: Output) -> Option<Output> {
        match &output {
            Output::Event(Event::Refused(_, refusal)) => self.ended(&Ended::Refused(*refusal)),
            Output::Event(Event::DialFailed(..)) => self.ended(&Ended::Dial),
            _ => {}
        }
        Some(output)
    }
}

#[derive(Default)]
struct Generous {
    buffers: BTreeMap<ConnId, [Vec<u8>; 2]>,
}

impl Filter for Generous {
    fn input(&mut self, context: &mut Context<'_>, input: Input) -> Option<Input> {
        if let Input::Accepted(conn) = input {
            // Those that have made room keep theirs until they are looked for.
            if self.buffers.len() > 1_000 {
                self.buffers.retain(|conn, _| context.phase(*conn) == Some(Phase::Handshake));
            }
            self.buffers.insert(conn, [vec![1; GENEROUS], vec![1; GENEROUS]]);
        }
        Some(input)
    }
}
