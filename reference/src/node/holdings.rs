//! What a node keeps, as counts that an observer may look at: what is left behind shows here and nowhere else.

use super::{Node, Timer};

/// How much of each kind there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Holdings {
    pub(crate) sessions: usize,
    pub(crate) handshakes: usize,
    pub(crate) dials: usize,
    /// Listed names that wait for a dial.
    pub(crate) listed: usize,
    /// Names with whose nodes callers wait for a session.
    pub(crate) waiting: usize,
    pub(crate) processes: usize,
    /// From each end within this node; so one between two own processes counts twice, as does one across.
    pub(crate) links: usize,
    /// Held by own processes.
    pub(crate) monitors: usize,
    /// Held by processes of peers on own ones.
    pub(crate) peer_monitors: usize,
    pub(crate) watches: usize,
    pub(crate) spawns: usize,
    pub(crate) names: usize,
    /// Timers of handshakes and of callers that wait.
    pub(crate) deadlines: usize,
    /// Timers of heartbeats: at most two a session.
    pub(crate) heartbeats: usize,
}

impl Node {
    /// What is kept now.
    pub(crate) fn holdings(&self) -> Holdings {
        let (dials, listed, waiting) = self.dials.counts();
        let is_heartbeat = |timer: &&Timer| matches!(timer, Timer::Ping(_) | Timer::Pong(_));
        let heartbeats = self.timers.all().filter(is_heartbeat).count();
        Holdings {
            sessions: self.sessions.conns().len(),
            handshakes: self.handshakes.len(),
            dials,
            listed,
            waiting,
            processes: self.processes.count(),
            links: self.links.count(),
            monitors: self.monitors.count(),
            peer_monitors: self.peer_monitors.count(),
            watches: self.watchers.count(),
            spawns: self.spawns.count(),
            names: self.registry.entries().count(),
            deadlines: self.timers.all().count() - heartbeats,
            heartbeats,
        }
    }
}
