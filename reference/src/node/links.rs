//! Links: which processes are joined, who is whose parent, and what is said about it (PROC-39 to PROC-53).

use std::collections::{BTreeMap, BTreeSet};

use super::{Answer, CommandError, ConnId, GlobalPid, Node, Origin, Reason, Session, Target, exits::Due};
use crate::wire::{
    LocalId, Message, NodeId, WirePid,
    process::{Exit, Link},
};

/// Links by both of their ends, each of which is a process of this node or one that it holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links {
    /// Every link twice, once from each end; flat, since most processes have few.
    pairs: BTreeSet<(WirePid, WirePid)>,
    /// The requesters that spawned with a link.
    parents: BTreeMap<LocalId, WirePid>,
}

impl Links {
    /// False when the two are joined already: they are at most once.
    pub(crate) fn join(&mut self, one: WirePid, other: WirePid) -> bool {
        self.pairs.insert((one, other)) && self.pairs.insert((other, one))
    }

    /// False when the two are not joined.
    pub(crate) fn part(&mut self, one: WirePid, other: WirePid) -> bool {
        self.pairs.remove(&(one, other)) && self.pairs.remove(&(other, one))
    }

    pub(crate) fn are_joined(&self, one: WirePid, other: WirePid) -> bool {
        self.pairs.contains(&(one, other))
    }

    /// Every link twice, once from each end.
    pub(crate) fn count(&self) -> usize {
        self.pairs.len()
    }

    pub(crate) fn parent(&self, child: LocalId) -> Option<WirePid> {
        self.parents.get(&child).copied()
    }

    pub(crate) fn set_parent(&mut self, child: LocalId, parent: WirePid) {
        self.parents.insert(child, parent);
    }

    /// Parts a process of this node that has ended from all others; returns these.
    fn take_process(&mut self, local: LocalId) -> Vec<WirePid> {
        self.parents.remove(&local);
        let own = WirePid::own(local);
        let pairs = self.pairs.range((own, WirePid::FIRST)..);
        let others: Vec<_> = pairs.take_while(|(one, _)| *one == own).map(|(_, other)| *other).collect();
        for other in &others {
            self.part(own, *other);
        }
        others
    }

    /// Parts the processes of a node from those of this one; returns the pairs, theirs first.
    fn take_node(&mut self, node: NodeId) -> Vec<(WirePid, LocalId)> {
        let pairs = self.pairs.range((WirePid::first_of(node), WirePid::FIRST)..);
        let pairs = pairs.take_while(|(theirs, _)| theirs.node == node);
        let pairs: Vec<_> = pairs.map(|(theirs, ours)| (*theirs, ours.local)).collect();
        for (theirs, ours) in &pairs {
            self.part(*theirs, WirePid::own(*ours));
        }
        pairs
    }
}

impl Node {
    /// `process.link` (PROC-38, PROC-51, PROC-53). Linking twice is linking once, a process to itself is nothing.
    pub(super) fn link(&mut self, pid: &GlobalPid, to: &GlobalPid) -> Result<Answer, CommandError> {
        let local = self.own_live(pid)?;
        let own = WirePid::own(local);
        match self.target(to)? {
            Target::Own(other) if other == local => {}
            Target::Own(other) => {
                self.links.join(own, WirePid::own(other));
            }
            Target::Remote(conn, other) => {
                if self.links.join(own, other) {
                    self.send_small(conn, &Message::Link(Link { from: own, to: other }));
                }
            }
            Target::Gone(other) => {
                self.due.push_back(Due::Exit { from: other, to: local, reason: Reason::no_process() });
            }
        }
        Ok(Answer::Done)
    }

    /// `process.unlink` (PROC-47, PROC-51). Undoing what is not there changes nothing.
    pub(super) fn unlink(&mut self, pid: &GlobalPid, to: &GlobalPid) -> Result<Answer, CommandError> {
        let own = WirePid::own(self.own_live(pid)?);
        match self.target(to) {
            Ok(Target::Own(other)) => {
                self.links.part(own, WirePid::own(other));
            }
            Ok(Target::Remote(conn, other)) => {
                if self.links.part(own, other) {
                    self.send_small(conn, &Message::Unlink(Link { from: own, to: other }));
                }
            }
            Ok(Target::Gone(_)) | Err(_) => {}
        }
        Ok(Answer::Done)
    }

    /// What is not there is answered (PROC-40).
    pub(super) fn link_received(&mut self, conn: ConnId, Link { from, to }: Link) {
        let Some(from) = self.own_field(conn, from) else { return };
        match self.directed_field(to) {
            Some(local) => {
                self.links.join(WirePid::own(local), from);
            }
            // Nothing is said of a former run: an EXIT would be taken for one of a present process (PROC-H1).
            None if self.is_former(to) => {}
            None => self.send_exit(conn, WirePid::own(to.local), from, &Reason::no_process()),
        }
    }

    pub(super) fn unlink_received(&mut self, conn: ConnId, Link { from, to }: Link) {
        if let Some((from, local)) = self.own_field(conn, from).zip(self.directed_field(to)) {
            self.links.part(WirePid::own(local), from);
        }
    }

    /// Without a link it is ignored; one from the parent leaves the link as it is, since it may be an order (PROC-41,
    /// PROC-46).
    pub(super) fn exit_received(&mut self, conn: ConnId, exit: &Exit) {
        let Some((from, to)) = self.own_field(conn, exit.from).zip(self.directed_field(exit.to)) else { return };
        let own = WirePid::own(to);
        if !self.links.are_joined(own, from) {
            return;
        }
        if self.links.parent(to) != Some(from) {
            self.links.part(own, from);
        }
        let reason = self.received_reason(Origin::Peer(conn), &exit.reason);
        self.due.push_back(Due::Exit { from, to, reason });
    }

    /// All who are linked to a process that has ended are told, on every node (PROC-39, PROC-45, PROC-52).
    pub(super) fn fire_links(&mut self, local: LocalId, reason: &Reason) {
        let own = WirePid::own(local);
        for other in self.links.take_process(local) {
            self.exit_to(own, other, reason);
        }
    }

    /// The session with `peer` has ended: its links fire (PROC-61, PROC-64).
    pub(super) fn break_links(&mut self, peer: &Session) {
        for (from, to) in self.links.take_node(peer.id) {
            self.due.push_back(Due::Exit { from, to, reason: Reason::no_connection() });
        }
    }

    /// Gives an EXIT from a process of this node to one that it is linked to. The link is the caller's to undo: a
    /// parent's order leaves it.
    pub(super) fn exit_to(&mut self, from: WirePid, to: WirePid, reason: &Reason) {
        if to.node == NodeId::OWN {
            self.due.push_back(Due::Exit { from, to: to.local, reason: reason.clone() });
        } else if let Some(conn) = self.sessions.numbered(to.node).map(|session| session.conn) {
            self.send_exit(conn, from, to, reason);
        }
    }

    fn send_exit(&mut self, conn: ConnId, from: WirePid, to: WirePid, reason: &Reason) {
        let reason = reason.on_wire().fitting(Exit::ROOM);
        let length = reason.length();
        self.send_late(conn, Message::Exit(Exit { from, to, reason }), length);
    }
}
