//! Deadlines as data: the caller asks for the next one and ticks when it has come.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use super::input::ConnId;
use crate::wire::{LocalId, NodeName};

/// What is due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// The handshake has to be done.
    Handshake(ConnId),
    /// The next PING.
    Ping(ConnId),
    /// The oldest unanswered PING's PONG.
    Pong(ConnId),
    /// Listed names may be dialled again (RES-3).
    Listed,
    /// The peer's own dial should have come by now.
    Grace(NodeName),
    /// The child that a supervisor stops should have ended by now.
    Supervisor(LocalId),
}

/// At most one deadline a timer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    by_time: BTreeSet<(Instant, Timer)>,
    by_timer: BTreeMap<Timer, Instant>,
}

impl Timers {
    pub(crate) fn set(&mut self, timer: Timer, at: Instant) {
        self.cancel(&timer);
        self.by_time.insert((at, timer.clone()));
        self.by_timer.insert(timer, at);
    }

    pub(crate) fn cancel(&mut self, timer: &Timer) {
        if let Some((timer, at)) = self.by_timer.remove_entry(timer) {
            self.by_time.remove(&(at, timer));
        }
    }

    pub(crate) fn is_set(&self, timer: &Timer) -> bool {
        self.by_timer.contains_key(timer)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Timer> {
        self.by_timer.keys()
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes the earliest timer that is due at `now`, inclusive.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        let (_, timer) = self.by_time.pop_first()?;
        self.by_timer.remove(&timer);
        Some(timer)
    }
}
