//! Spawning: processes that callers and peers want here, and those that are wanted on other nodes (PROC-54 to PROC-60,
//! PROC-63).

use std::collections::BTreeMap;

use super::{
    Answer, CommandError, ConnId, GlobalPid, Node, Origin, Session, Token, supervisor::Attempt, supervisors::Heard,
};
use crate::wire::{
    LocalId, Message, NodeId, NodeName, WirePid,
    process::{Link, Spawn, SpawnReply},
};

/// Who waits for a process on another node, and is told by [`Node::spawn_answered`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    Command(Token),
    /// A supervisor, for one of its children.
    Supervisor(LocalId, Attempt),
}

/// The SPAWNs that wait for their replies.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spawns {
    pending: BTreeMap<(NodeId, u64), Caller>,
    last: u64,
}

impl Spawns {
    pub(crate) fn count(&self) -> usize {
        self.pending.len()
    }

    fn take_node(&mut self, node: NodeId) -> Vec<Caller> {
        let keys: Vec<_> = self.pending.range((node, 0)..=(node, u64::MAX)).map(|(key, _)| *key).collect();
        keys.iter().filter_map(|key| self.pending.remove(key)).collect()
    }

    pub(crate) fn take_all(&mut self) -> Vec<Caller> {
        std::mem::take(&mut self.pending).into_values().collect()
    }
}

/// What a local caller asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct SpawnRequest {
    pub(crate) function: String,
    pub(crate) args: Vec<u8>,
    /// The node that it is to run on; this one if `None`.
    pub(crate) node: Option<String>,
    /// The requester; needed for another node, and for a link.
    pub(crate) from: Option<GlobalPid>,
    /// Whether the requester becomes its parent.
    pub(crate) link: bool,
}

impl Node {
    /// `process.spawn`: answered at once, or when the other node has answered.
    pub(super) fn spawn(&mut self, token: Token, request: &SpawnRequest) {
        if let Some(result) = self.spawn_wherever(token, request).transpose() {
            self.reply(token, result.map(|held| Answer::Pid(Some(self.global_pid(held)))));
        }
    }

    /// The new process; `None` while another node is asked for it.
    fn spawn_wherever(&mut self, token: Token, request: &SpawnRequest) -> Result<Option<WirePid>, CommandError> {
        let SpawnRequest { function, args, node, from, link } = request;
        let requester = from.as_ref().map(|pid| self.own_live(pid)).transpose()?;
        let here = self.own_pid(LocalId::ZERO).node;
        let elsewhere = node.as_ref().filter(|node| **node != here);
        if requester.is_none() && (elsewhere.is_some() || *link) {
            return Err(CommandError::Missing("from"));
        }
        let parent = requester.filter(|_| *link);
        match (elsewhere, requester) {
            (Some(node), Some(requester)) => {
                let name = NodeName::parse(node).map_err(|_| CommandError::NotConnected(node.clone()))?;
                self.spawn_there(&name, function, args, requester, *link, Caller::Command(token))?;
                Ok(None)
            }
            _ => {
                let local = self.spawn_here(function.as_bytes(), args, Origin::Here, parent.map(WirePid::own));
                Ok(Some(WirePid::own(local.ok_or(CommandError::Refused)?)))
            }
        }
    }

    /// Starts a process on this node, linked to `parent` before its function runs, which is due now; `None` when there
    /// is no such function.
    pub(super) fn spawn_here(
        &mut self,
        function: &[u8],
        args: &[u8],
        origin: Origin,
        parent: Option<WirePid>,
    ) -> Option<LocalId> {
        let function = self.function(function, args, origin)?;
        let local = self.processes.insert(function);
        if let Some(parent) = parent {
            self.links.join(WirePid::own(local), parent);
            self.links.set_parent(local, parent);
        }
        self.run(local);
        Some(local)
    }

    /// Asks another node for a process (PROC-58). Unless this is refused, [`Node::spawn_answered`] tells the caller
    /// what came of it, once.
    ///
    /// # Errors
    /// [`CommandError::NotConnected`], and [`CommandError::TooLarge`] when the request does not fit a frame.
    pub(super) fn spawn_there(
        &mut self,
        node: &NodeName,
        function: &str,
        args: &[u8],
        requester: LocalId,
        link: bool,
        caller: Caller,
    ) -> Result<(), CommandError> {
        let session = self.sessions.named(node).ok_or_else(|| CommandError::NotConnected(node.to_string()))?;
        let (conn, id) = (session.conn, session.id);
        let (request, requester) = (self.spawns.last + 1, WirePid::own(requester));
        let spawn = Spawn { request, requester, link: u8::from(link), function: function.as_bytes(), args };
        self.send(conn, &Message::Spawn(spawn))?;
        self.spawns.last = request;
        self.spawns.pending.insert((id, request), caller);
        Ok(())
    }

    /// LINK, then SPAWN_REPLY, then whatever the function does (PROC-56).
    pub(super) fn spawn_received(&mut self, conn: ConnId, spawn: &Spawn<'_>) {
        let Some(requester) = self.own_field(conn, spawn.requester) else { return };
        let parent = Some(requester).filter(|_| spawn.link == 1);
        let request = spawn.request;
        let reply = match self.spawn_here(spawn.function, spawn.args, Origin::Peer(conn), parent) {
            Some(local) => {
                if let Some(to) = parent {
                    self.send_small(conn, &Message::Link(Link { from: WirePid::own(local), to }));
                }
                SpawnReply { request, status: SpawnReply::SPAWNED, local: local.get() }
            }
            None => SpawnReply { request, status: SpawnReply::REFUSED, local: 0 },
        };
        self.send_small(conn, &Message::SpawnReply(reply));
    }

    /// One that nobody waits for on this session is ignored (PROC-60). A status that means nothing, and a local id
    /// that no process can have, are refusals.
    pub(super) fn spawn_reply_received(&mut self, conn: ConnId, reply: SpawnReply) {
        let Some(session) = self.sessions.get(conn) else { return };
        let (node, creation) = (session.id, session.creation.get());
        let Some(caller) = self.spawns.pending.remove(&(node, reply.request)) else { return };
        let local = LocalId::new(reply.local).filter(|_| reply.status == SpawnReply::SPAWNED);
        let spawned = local.map(|local| WirePid { node, creation, local });
        self.spawn_answered(caller, spawned.ok_or(CommandError::Refused));
    }

    /// The session with `peer` has ended: what was asked of it fails (PROC-63).
    pub(super) fn fail_spawns(&mut self, peer: &Session) {
        for caller in self.spawns.take_node(peer.id) {
            self.spawn_answered(caller, Err(CommandError::NoConnection));
        }
    }

    /// What came of a [`Node::spawn_there`]: the new process, as held, or why there is none.
    pub(super) fn spawn_answered(&mut self, caller: Caller, result: Result<WirePid, CommandError>) {
        match caller {
            Caller::Command(token) => {
                self.reply(token, result.map(|held| Answer::Pid(Some(self.global_pid(held)))));
            }
            Caller::Supervisor(supervisor, attempt) => {
                self.supervisors.hear(supervisor, Heard::Spawned(attempt, result.map_err(Into::into)));
            }
        }
    }
}
