//! Dials: which are under way, which wait their turn, and who waits for a session with whom.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use super::input::{ConnId, Role, Token};
use crate::wire::NodeName;

/// Most dials under way at once that peers' lists have caused (MEM-13).
const MAX_LISTED: usize = 8;

/// Most listed names that wait their turn, at least 1,024; what is listed past them is skipped, so that lists cannot fill
/// the memory: a name has up to 4,060 bytes.
const MAX_QUEUED: usize = 4_096;

/// Most dials that lists cause within [`WINDOW`] (RES-3).
const MAX_IN_WINDOW: usize = 256;

/// RES-3's 10 s, and a little more: a connection reaches its target some time after its dial has been asked for.
const WINDOW: Duration = Duration::from_millis(10_500);

/// Why a dial was started. Those that a caller asked for do not wait behind lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Caller,
    List,
}

#[derive(Clone, Debug)]
struct Dial {
    conn: ConnId,
    cause: Cause,
}

/// At most one dial a name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dials {
    under_way: BTreeMap<NodeName, Dial>,
    listed: VecDeque<NodeName>,
    is_listed: BTreeSet<NodeName>,
    /// When the last dials that lists have caused were started, the oldest first.
    started: VecDeque<Instant>,
    waiting: BTreeMap<NodeName, Vec<Token>>,
    last_serial: u64,
}

impl Dials {
    pub(crate) fn is_under_way(&self, name: &NodeName) -> bool {
        self.under_way.contains_key(name)
    }

    /// Queues a listed name; one that is queued or under way already stays as it is (MEM-11).
    pub(crate) fn queue(&mut self, name: NodeName) {
        let known = self.is_under_way(&name) || self.is_listed.contains(&name);
        if !known && self.listed.len() < MAX_QUEUED {
            self.is_listed.insert(name.clone());
            self.listed.push_back(name);
        }
    }

    /// The next queued name whose turn has come at `now`.
    pub(crate) fn next_listed(&mut self, now: Instant) -> Option<NodeName> {
        let busy = self.under_way.values().filter(|dial| dial.cause == Cause::List).count();
        if busy >= MAX_LISTED || self.listed_wait_until().is_some_and(|until| now < until) {
            return None;
        }
        // Names that were dropped or taken over by a caller are left behind in the queue.
        while let Some(name) = self.listed.pop_front() {
            if self.is_listed.remove(&name) {
                return Some(name);
            }
        }
        None
    }

    /// Until when listed names wait, whatever is under way; `None` when fewer than [`MAX_IN_WINDOW`] were ever dialled.
    pub(crate) fn listed_wait_until(&self) -> Option<Instant> {
        self.started.front().filter(|_| self.started.len() == MAX_IN_WINDOW).map(|oldest| *oldest + WINDOW)
    }

    pub(crate) fn has_queued(&self) -> bool {
        !self.is_listed.is_empty()
    }

    /// Notes a dial that starts at `now`; gives it its connection.
    pub(crate) fn start(&mut self, name: NodeName, cause: Cause, now: Instant) -> ConnId {
        if cause == Cause::List {
            if self.started.len() == MAX_IN_WINDOW {
                self.started.pop_front();
            }
            self.started.push_back(now);
        }
        self.last_serial += 1;
        let conn = ConnId { role: Role::Dialled, serial: self.last_serial };
        self.is_listed.remove(&name);
        self.under_way.insert(name, Dial { conn, cause });
        conn
    }

    /// Notes that a dial has ended, one way or the other.
    pub(crate) fn finish(&mut self, name: &NodeName) -> Option<ConnId> {
        self.under_way.remove(name).map(|dial| dial.conn)
    }

    /// Takes a name out of the queue: a session with it is live (MEM-22).
    pub(crate) fn drop_queued(&mut self, name: &NodeName) {
        self.is_listed.remove(name);
    }

    /// Somebody waits for a session with `name`.
    pub(crate) fn wait(&mut self, name: NodeName, token: Token) {
        self.waiting.entry(name).or_default().push(token);
    }

    pub(crate) fn has_waiting(&self, name: &NodeName) -> bool {
        self.waiting.contains_key(name)
    }

    pub(crate) fn take_waiting(&mut self, name: &NodeName) -> Vec<Token> {
        self.waiting.remove(name).unwrap_or_default()
    }

    /// How many dials are under way, and how many listed names and callers wait.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        (self.under_way.len(), self.is_listed.len(), self.waiting.len())
    }

    pub(crate) fn take_all_waiting(&mut self) -> Vec<Token> {
        std::mem::take(&mut self.waiting).into_values().flatten().collect()
    }
}
