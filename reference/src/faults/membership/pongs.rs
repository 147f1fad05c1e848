//! Filters about PING and PONG that remember something.

use std::{
    collections::BTreeMap,
    mem,
    time::{Duration, Instant},
};

use super::heartbeat::answer;
use crate::{
    faults::{
        filter::{Context, Filter},
        payload::is,
    },
    node::{ConnId, Input, Output},
    wire::{
        Payload,
        membership::{PING, PONG},
        message::Phase,
    },
};

/// How long what is kept back may wait for a reason to go.
const WHILE: Duration = Duration::from_millis(50);

/// Which session's frame the node is handling.
#[derive(Default)]
struct Cause(Option<ConnId>);

impl Cause {
    fn follow(&mut self, context: &Context<'_>, input: &Input) {
        self.0 = match input {
            Input::Frame(conn, _) if context.phase(*conn) == Some(Phase::Session) => Some(*conn),
            _ => None,
        };
    }
}

/// What is kept back, and until when at the latest.
#[derive(Default)]
struct Late {
    outputs: Vec<Output>,
    due: Option<Instant>,
}

impl Late {
    fn keep(&mut self, context: &Context<'_>, output: Output) {
        self.due.get_or_insert(context.now + WHILE);
        self.outputs.push(output);
    }

    fn release(&mut self, context: &mut Context<'_>) {
        mem::take(self).outputs.into_iter().for_each(|output| context.add_output(output));
    }
}

/// Keeps back what a frame causes to be sent to its own session until the next PONG there, or for a while.
#[derive(Default)]
pub(super) struct BehindPong {
    cause: Cause,
    late: Late,
}

impl Filter for BehindPong {
    fn input(&mut self, context: &mut Context<'_>, input: Input) -> Option<Input> {
        let before = self.cause.0;
        self.cause.follow(context, &input);
        if self.cause.0 != before {
            self.late.release(context);
        }
        Some(input)
    }

    fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        match output {
            Output::Send(conn, payload) if Some(conn) == self.cause.0 && is(PONG, &payload) => {
                context.send(conn, payload);
                self.late.release(context);
                None
            }
            Output::Send(conn, _) if Some(conn) == self.cause.0 => {
                self.late.keep(context, output);
                None
            }
            _ => Some(output),
        }
    }

    fn wake(&self) -> Option<Instant> {
        self.late.due
    }

    fn awake(&mut self, context: &mut Context<'_>) {
        self.late.release(context);
    }
}

/// Keeps back for a while what a frame causes to be sent, where `which` says so of its session, the one that the payload is for, and the payload.
pub(super) struct Collected {
    which: fn(ConnId, ConnId, &[u8]) -> bool,
    cause: Cause,
    late: Late,
}

impl Collected {
    pub(super) fn of(which: fn(ConnId, ConnId, &[u8]) -> bool) -> Box<dyn Filter> {
        Box::new(Self { which, cause: Cause::default(), late: Late::default() })
    }
}

impl Filter for Collected {
    fn input(&mut self, context: &mut Context<'_>, input: Input) -> Option<Input> {
        self.cause.follow(context, &input);
        Some(input)
    }

    fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        match (&output, self.cause.0) {
            (Output::Send(conn, payload), Some(cause)) if (self.which)(cause, *conn, payload) => {
                self.late.keep(context, output);
                None
            }
            _ => Some(output),
        }
    }

    fn wake(&self) -> Option<Instant> {
        self.late.due
    }

    fn awake(&mut self, context: &mut Context<'_>) {
        self.late.release(context);
    }
}

/// Keeps PONGs back while a PING of the node is open in the session.
#[derive(Default)]
pub(super) struct BehindPing {
    open: BTreeMap<ConnId, Vec<Payload>>,
}

impl Filter for BehindPing {
    fn frame_out(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        if is(PING, &payload) {
            self.open.entry(conn).or_default();
        }
        match self.open.get_mut(&conn) {
            Some(waiting) if is(PONG, &payload) => {
                waiting.push(payload);
                None
            }
            _ => Some(payload),
        }
    }

    fn frame_in(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        if is(PONG, &payload) {
            self.open.remove(&conn).into_iter().flatten().for_each(|pong| context.send(conn, pong));
        }
        Some(payload)
    }
}

/// Keeps PONGs back while a dial is under way.
#[derive(Default)]
pub(super) struct BehindDials {
    waiting: Vec<(ConnId, Payload)>,
    look_again: Option<Instant>,
}

impl Filter for BehindDials {
    fn frame_out(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        if !is(PONG, &payload) || context.dials().is_empty() {
            return Some(payload);
        }
        self.waiting.push((conn, payload));
        self.look_again = Some(context.now + WHILE);
        None
    }

    fn wake(&self) -> Option<Instant> {
        self.look_again
    }

    fn awake(&mut self, context: &mut Context<'_>) {
        self.look_again = Some(context.now + WHILE);
        if context.dials().is_empty() {
            mem::take(&mut self.waiting).into_iter().for_each(|(conn, pong)| context.send(conn, pong));
            self.look_again = None;
        }
    }
}

/// Remembers the open PINGs, and takes more for their answer than it should.
pub(super) struct Open {
    is_answer: fn(&[u8], &[u8]) -> bool,
    pings: BTreeMap<ConnId, Vec<Payload>>,
}

impl Open {
    /// `is_answer` gets the payloads of a PING and of what has come.
    pub(super) fn answered_by(is_answer: fn(&[u8], &[u8]) -> bool) -> Box<dyn Filter> {
        Box::new(Self { is_answer, pings: BTreeMap::new() })
    }
}

impl Filter for Open {
    fn frame_out(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        if is(PING, &payload) {
            self.pings.entry(conn).or_default().push(payload.clone());
        }
        Some(payload)
    }

    fn frame_in(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        let answered = self.pings.entry(conn).or_default().extract_if(.., |ping| (self.is_answer)(ping, &payload));
        answered.for_each(|ping| answer(context, conn, &ping));
        Some(payload)
    }
}

/// Remembers the last PING of each session, and overlooks answers to earlier ones.
#[derive(Default)]
pub(super) struct NewestAlone {
    newest: BTreeMap<ConnId, Payload>,
}

impl Filter for NewestAlone {
    fn frame_out(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        if is(PING, &payload) {
            self.newest.insert(conn, payload.clone());
        }
        Some(payload)
    }

    fn frame_in(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        let is_newest = |newest: &Payload| payload[1..].starts_with(&newest[1..]);
        (!is(PONG, &payload) || self.newest.get(&conn).is_some_and(is_newest)).then_some(payload)
    }
}

/// What has been sent to peers since they last sent anything, in bytes.
#[derive(Default)]
struct Backlog(BTreeMap<ConnId, usize>);

impl Backlog {
    /// The backlog with this payload.
    fn grow(&mut self, conn: ConnId, payload: &Payload) -> usize {
        let backlog = self.0.entry(conn).or_default();
        *backlog += payload.len();
        *backlog
    }
}

/// Cuts a peer off past 16 MiB.
#[derive(Default)]
pub(super) struct Impatient {
    backlog: Backlog,
}

impl Filter for Impatient {
    fn bytes_in(&mut self, _context: &mut Context<'_>, conn: ConnId, bytes: Vec<u8>) -> Vec<u8> {
        self.backlog.0.remove(&conn);
        bytes
    }

    fn frame_out(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        if self.backlog.grow(conn, &payload) > 16 * 1_024 * 1_024 {
            context.close(conn);
            return None;
        }
        Some(payload)
    }
}

/// Sends nothing to anybody else past 1 MiB, until the peer sends something again.
#[derive(Default)]
pub(super) struct HeldUp {
    backlog: Backlog,
    by: Option<ConnId>,
    waiting: Vec<Output>,
}

impl Filter for HeldUp {
    fn bytes_in(&mut self, context: &mut Context<'_>, conn: ConnId, bytes: Vec<u8>) -> Vec<u8> {
        self.backlog.0.remove(&conn);
        if self.by == Some(conn) {
            self.by = None;
            mem::take(&mut self.waiting).into_iter().for_each(|output| context.add_output(output));
        }
        bytes
    }

    fn frame_out(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        if self.by.is_some_and(|by| by != conn) {
            self.waiting.push(Output::Send(conn, payload));
            return None;
        }
        if self.backlog.grow(conn, &payload) > 1_024 * 1_024 {
            self.by = Some(conn);
        }
        Some(payload)
    }
}
