//! Handshakes that are never given up, and handshakes that wait for one another.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use super::super::{
    filter::{Context, Filter},
    single::on_transport,
    table::Fault,
};
use crate::{
    node::{CommandError, ConnId, How, Input, Output, Role},
    wire::{handshake::NAME, message::Phase},
};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        id: "stall-before-name-is-never-closed",
        requirement: "HS-28",
        description: "The handshake timeout closes no accepted connection that has sent nothing but TLS's own bytes.",
        make: || never_closes(|stalled| stalled.heard.is_none()),
    },
    Fault {
        id: "stall-after-name-is-never-closed",
        requirement: "HS-28",
        description: "The handshake timeout closes no accepted connection that has sent NAME.",
        make: || never_closes(|stalled| stalled.is_named),
    },
    Fault {
        id: "drip-is-never-closed",
        requirement: "HS-28",
        description: "The handshake timeout closes no accepted connection that has sent a byte in the last second.",
        make: || never_closes(|stalled| stalled.heard.is_some_and(|heard| heard.elapsed() < Duration::from_secs(1))),
    },
    Fault {
        id: "name-begins-the-time-anew",
        requirement: "HS-28",
        description: "The handshake timeout of an accepted connection begins anew when NAME has come.",
        make: || {
            anew(|context, input| match input {
                Input::Frame(conn, payload) if conn.role == Role::Accepted && payload.first() == Some(&NAME) => {
                    (context.phase(*conn) == Some(Phase::Handshake)).then_some(*conn)
                }
                _ => None,
            })
        },
    },
    Fault {
        id: "tls-begins-a-dials-time-anew",
        requirement: "HS-29",
        description: "The handshake timeout of a dial begins anew when TLS is done.",
        make: || {
            anew(|_, input| match input {
                Input::Dialled(conn) => Some(*conn),
                _ => None,
            })
        },
    },
    Fault {
        id: "timed-out-dial-stays-open",
        requirement: "HS-29",
        description: "The caller is told that a dial has timed out, but the connection is not closed.",
        make: || at_timeout(|output| matches!(output, Output::Close(conn, How::Flush) if conn.role == Role::Dialled)),
    },
    Fault {
        id: "timed-out-dial-is-not-told",
        requirement: "HS-29",
        description: "A dial that has timed out is closed, but its caller waits on.",
        make: || at_timeout(|output| matches!(output, Output::Reply(_, Err(CommandError::ConnectFailed(_))))),
    },
    Fault {
        id: "one-tls-handshake-at-a-time",
        requirement: "HS-30",
        description: "The acceptor sets up TLS on one connection at a time.",
        make: || on_transport(|transport| transport.turns = 1),
    },
    Fault {
        id: "one-handshake-at-a-time",
        requirement: "HS-30",
        description: "The acceptor reads from no other new connection between a NAME and its REPLY.",
        make: || Box::new(OneAtATime::default()),
    },
];

/// What an accepted connection has come to.
#[derive(Clone, Copy, Default)]
struct Stalled {
    is_named: bool,
    heard: Option<Instant>,
}

/// Leaves connections open that the timeout should have closed, if they are `spared`.
fn never_closes(spared: fn(&Stalled) -> bool) -> Box<dyn Filter> {
    Box::new(NeverCloses { spared, connections: BTreeMap::new(), is_tick: false })
}

struct NeverCloses {
    spared: fn(&Stalled) -> bool,
    connections: BTreeMap<ConnId, Stalled>,
    is_tick: bool,
}

impl Filter for NeverCloses {
    fn bytes_in(&mut self, context: &mut Context<'_>, conn: ConnId, bytes: Vec<u8>) -> Vec<u8> {
        self.connections.entry(conn).and_modify(|stalled| stalled.heard = Some(context.now));
        bytes
    }

    fn frame_in(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        self.connections.entry(conn).and_modify(|stalled| stalled.is_named |= payload.first() == Some(&NAME));
        Some(payload)
    }

    fn input(&mut self, _context: &mut Context<'_>, input: Input) -> Option<Input> {
        if let Input::Accepted(conn) = input {
            self.connections.insert(conn, Stalled::default());
        }
        self.is_tick = matches!(input, Input::Tick);
        Some(input)
    }

    fn output(&mut self, _context: &mut Context<'_>, output: Output) -> Option<Output> {
        match output {
            // A session that misses its heartbeat is closed at once.
            Output::Close(conn, How::Flush)
                if self.is_tick && self.connections.get(&conn).is_some_and(|stalled| (self.spared)(stalled)) =>
            {
                None
            }
            output => Some(output),
        }
    }
}

/// Has a connection's handshake timeout begin anew with an input of which `begins` says so.
fn anew(begins: fn(&Context<'_>, &Input) -> Option<ConnId>) -> Box<dyn Filter> {
    Box::new(Anew { begins, timeout: Duration::ZERO, begun: BTreeMap::new(), late: Vec::new(), is_tick: false })
}

struct Anew {
    begins: fn(&Context<'_>, &Input) -> Option<ConnId>,
    timeout: Duration,
    begun: BTreeMap<ConnId, Instant>,
    /// Closes, and when they are done.
    late: Vec<(Instant, Output)>,
    is_tick: bool,
}

impl Filter for Anew {
    fn input(&mut self, context: &mut Context<'_>, input: Input) -> Option<Input> {
        if let Input::Start(identity) = &input {
            self.timeout = identity.timings.handshake_timeout;
        }
        if let Some(conn) = (self.begins)(context, &input) {
            self.begun.insert(conn, context.now);
        }
        self.is_tick = matches!(input, Input::Tick);
        Some(input)
    }

    fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        if self.is_tick
            && let Output::Close(conn, How::Flush) = &output
            && let Some(due) = self.begun.get(conn).map(|begun| *begun + self.timeout)
            && due > context.now
        {
            self.late.push((due, output));
            return None;
        }
        Some(output)
    }

    fn wake(&self) -> Option<Instant> {
        self.late.iter().map(|(due, _)| *due).min()
    }

    fn awake(&mut self, context: &mut Context<'_>) {
        let now = context.now;
        for (_, output) in self.late.extract_if(.., |(due, _)| *due <= now) {
            context.add_output(output);
        }
    }
}

/// Drops what comes of timers, if it is `forgotten`.
fn at_timeout(forgotten: fn(&Output) -> bool) -> Box<dyn Filter> {
    Box::new(AtTimeout { forgotten, is_tick: false })
}

struct AtTimeout {
    forgotten: fn(&Output) -> bool,
    is_tick: bool,
}

impl Filter for AtTimeout {
    fn input(&mut self, _context: &mut Context<'_>, input: Input) -> Option<Input> {
        self.is_tick = matches!(input, Input::Tick);
        Some(input)
    }

    fn output(&mut self, _context: &mut Context<'_>, output: Output) -> Option<Output> {
        (!self.is_tick || !(self.forgotten)(&output)).then_some(output)
    }
}

#[derive(Default)]
struct OneAtATime {
    busy: Option<ConnId>,
    waiting: Vec<(ConnId, Vec<u8>)>,
    ended: BTreeSet<ConnId>,
}

impl Filter for OneAtATime {
    fn frame_in(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        if conn.role != Role::Accepted || context.phase(conn) != Some(Phase::Handshake) {
            return Some(payload);
        }
        if *self.busy.get_or_insert(conn) == conn {
            return Some(payload);
        }
        self.waiting.push((conn, payload));
        None
    }

    fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        self.next(context);
        Some(output)
    }

    fn input(&mut self, context: &mut Context<'_>, input: Input) -> Option<Input> {
        if let Input::Closed(conn) = input {
            self.ended.insert(conn);
        }
        self.next(context);
        Some(input)
    }
}

impl OneAtATime {
    /// Lets the next handshake go on when the one before is over.
    fn next(&mut self, context: &mut Context<'_>) {
        let is_over = |conn: &ConnId| self.ended.contains(conn) || context.phase(*conn) != Some(Phase::Handshake);
        if self.busy.is_some_and(|busy| is_over(&busy)) {
            self.waiting.retain(|(conn, _)| !is_over(conn));
            self.busy = self.waiting.first().map(|(conn, _)| *conn);
            let busy = self.busy;
            for (conn, payload) in self.waiting.extract_if(.., |(conn, _)| Some(*conn) == busy) {
                context.add_input(Input::Frame(conn, payload));
            }
        }
    }
}
