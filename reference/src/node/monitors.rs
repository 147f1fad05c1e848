//! Monitors: which processes watch which, and what they are told (PROC-29 to PROC-38).

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use super::{Answer, CommandError, ConnId, GlobalPid, Node, Origin, Reason, Session, Target, Told, exits::Due};
use crate::wire::{
    LocalId, Message, NodeId, WirePid,
    process::{Monitor, MonitorExit},
};

/// The monitors that processes of this node hold, by reference, by target and by watcher.
#[derive(Clone, Debug, Default)]
pub(crate) struct Monitors {
    by_reference: BTreeMap<u64, Held>,
    by_target: BTreeSet<(WirePid, u64)>,
    by_watcher: BTreeSet<(LocalId, u64)>,
    last: u64,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    watcher: LocalId,
    target: WirePid,
}

impl Monitors {
    pub(crate) fn count(&self) -> usize {
        self.by_reference.len()
    }

    /// A reference that no other monitor of this node has (PROC-34).
    fn next_reference(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn insert(&mut self, reference: u64, watcher: LocalId, target: WirePid) {
        self.by_reference.insert(reference, Held { watcher, target });
        self.by_target.insert((target, reference));
        self.by_watcher.insert((watcher, reference));
    }

    fn remove(&mut self, reference: u64) -> Option<Held> {
        let held = self.by_reference.remove(&reference)?;
        self.by_target.remove(&(held.target, reference));
        self.by_watcher.remove(&(held.watcher, reference));
        Some(held)
    }

    fn of_target(&self, target: WirePid) -> Vec<u64> {
        let range = self.by_target.range((target, 0)..);
        range.take_while(|(other, _)| *other == target).map(|(_, reference)| *reference).collect()
    }

    fn of_node(&self, node: NodeId) -> Vec<u64> {
        let range = self.by_target.range((WirePid::first_of(node), 0)..);
        range.take_while(|(target, _)| target.node == node).map(|(_, reference)| *reference).collect()
    }

    fn of_watcher(&self, watcher: LocalId) -> Vec<u64> {
        let range = self.by_watcher.range((watcher, 0)..);
        range.take_while(|(other, _)| *other == watcher).map(|(_, reference)| *reference).collect()
    }
}

/// The monitors that processes of other nodes hold on this one's, by session and reference, and by target.
#[derive(Clone, Debug, Default)]
pub(crate) struct PeerMonitors {
    by_reference: BTreeMap<(NodeId, u64), PeerHeld>,
    by_target: BTreeSet<(LocalId, NodeId, u64)>,
}

#[derive(Clone, Copy, Debug)]
struct PeerHeld {
    watcher: WirePid,
    target: LocalId,
}

impl PeerMonitors {
    pub(crate) fn count(&self) -> usize {
        self.by_reference.len()
    }

    /// A reference that is in use on its session keeps the monitor that it has.
    fn insert(&mut self, reference: u64, watcher: WirePid, target: LocalId) {
        if let Entry::Vacant(entry) = self.by_reference.entry((watcher.node, reference)) {
            entry.insert(PeerHeld { watcher, target });
            self.by_target.insert((target, watcher.node, reference));
        }
    }

    fn remove(&mut self, node: NodeId, reference: u64) -> Option<PeerHeld> {
        let held = self.by_reference.remove(&(node, reference))?;
        self.by_target.remove(&(held.target, node, reference));
        Some(held)
    }

    fn of_target(&self, target: LocalId) -> Vec<(NodeId, u64)> {
        let range = self.by_target.range((target, NodeId::OWN, 0)..);
        range.take_while(|(other, ..)| *other == target).map(|(_, node, reference)| (*node, *reference)).collect()
    }

    fn of_node(&self, node: NodeId) -> Vec<u64> {
        let range = self.by_reference.range((node, 0)..=(node, u64::MAX));
        range.map(|((_, reference), _)| *reference).collect()
    }
}

impl Node {
    /// `process.monitor` (PROC-34, PROC-38, PROC-53).
    pub(super) fn monitor(&mut self, pid: &GlobalPid, target: &GlobalPid) -> Result<Answer, CommandError> {
        let watcher = self.own_live(pid)?;
        let target = self.target(target)?;
        let reference = self.monitors.next_reference();
        match target {
            Target::Own(local) => self.monitors.insert(reference, watcher, WirePid::own(local)),
            Target::Remote(conn, to) => {
                self.monitors.insert(reference, watcher, to);
                self.send_small(conn, &Message::Monitor(Monitor { from: WirePid::own(watcher), to, reference }));
            }
            Target::Gone(from) => {
                let told = Told::Down { reference, from, reason: Reason::no_process() };
                self.due.push_back(Due::Tell(watcher, told));
            }
        }
        Ok(Answer::Monitor(reference))
    }

    /// `process.demonitor` (PROC-37). Undoing what is not there changes nothing; nor does one process undo another's.
    pub(super) fn demonitor(&mut self, pid: &GlobalPid, reference: Option<u64>) -> Result<Answer, CommandError> {
        let watcher = self.own_live(pid)?;
        if let Some(reference) = reference
            && self.monitors.by_reference.get(&reference).is_some_and(|held| held.watcher == watcher)
        {
            self.undo_monitor(reference);
        }
        Ok(Answer::Done)
    }

    pub(super) fn monitor_received(&mut self, conn: ConnId, Monitor { from, to, reference }: Monitor) {
        let Some(watcher) = self.own_field(conn, from) else { return };
        match self.directed_field(to) {
            Some(target) => self.peer_monitors.insert(reference, watcher, target),
            None => self.send_monitor_exit(conn, to.local, watcher, reference, &Reason::no_process()),
        }
    }

    /// The reference alone tells which monitor it is (PROC-31, PROC-32).
    pub(super) fn demonitor_received(&mut self, conn: ConnId, Monitor { from, reference, .. }: Monitor) {
        if let Some(watcher) = self.own_field(conn, from) {
            self.peer_monitors.remove(watcher.node, reference);
        }
    }

    /// The reference of a live monitor of this session tells its watcher; any other is ignored (PROC-35, PROC-36).
    pub(super) fn monitor_exit_received(&mut self, conn: ConnId, exit: &MonitorExit) {
        let reference = exit.reference;
        let (Some(session), Some(held)) = (self.sessions.get(conn), self.monitors.by_reference.get(&reference)) else {
            return;
        };
        if held.target.node == session.id {
            let reason = self.received_reason(Origin::Peer(conn), &exit.reason);
            self.fire_monitor(reference, &reason);
        }
    }

    /// All who watch a process that has ended are told, on every node (PROC-29, PROC-33, PROC-45).
    pub(super) fn fire_monitors(&mut self, target: LocalId, reason: &Reason) {
        for reference in self.monitors.of_target(WirePid::own(target)) {
            self.fire_monitor(reference, reason);
        }
        for (node, reference) in self.peer_monitors.of_target(target) {
            let Some(held) = self.peer_monitors.remove(node, reference) else { continue };
            if let Some(conn) = self.sessions.numbered(node).map(|session| session.conn) {
                self.send_monitor_exit(conn, target, held.watcher, reference, reason);
            }
        }
    }

    /// The watcher has ended: its monitors are undone, so that other nodes need not keep them.
    pub(super) fn drop_monitors_of(&mut self, watcher: LocalId) {
        for reference in self.monitors.of_watcher(watcher) {
            self.undo_monitor(reference);
        }
    }

    /// The session with `peer` has ended: monitors across it fire, and those that it held are gone (PROC-62, PROC-64).
    pub(super) fn break_monitors(&mut self, peer: &Session) {
        for reference in self.monitors.of_node(peer.id) {
            self.fire_monitor(reference, &Reason::no_connection());
        }
        for reference in self.peer_monitors.of_node(peer.id) {
            self.peer_monitors.remove(peer.id, reference);
        }
    }

    fn fire_monitor(&mut self, reference: u64, reason: &Reason) {
        if let Some(Held { watcher, target }) = self.monitors.remove(reference) {
            self.tell(watcher, Told::Down { reference, from: target, reason: reason.clone() });
        }
    }

    fn undo_monitor(&mut self, reference: u64) {
        let Some(Held { watcher, target: to }) = self.monitors.remove(reference) else { return };
        if let Some(conn) = self.sessions.numbered(to.node).map(|session| session.conn) {
            self.send_small(conn, &Message::Demonitor(Monitor { from: WirePid::own(watcher), to, reference }));
        }
    }

    fn send_monitor_exit(&mut self, conn: ConnId, target: LocalId, watcher: WirePid, reference: u64, reason: &Reason) {
        let (monitored, reason) = (WirePid::own(target), reason.on_wire().fitting(MonitorExit::ROOM));
        let length = reason.length();
        let exit = MonitorExit { monitored, monitoring: watcher, reference, reason };
        self.send_late(conn, Message::MonitorExit(exit), length);
    }
}
