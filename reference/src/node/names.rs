//! Global names between nodes: what callers and peers may do to the table, and who is told (REG-1 to REG-30).

use std::sync::Arc;

use super::{
    Answer, CommandError, ConnId, GlobalPid, Node, Output, SyncStream,
    registry::{Entry, Owner},
};
use crate::wire::{
    Creation, NodeId, NodeName, WirePid,
    registry::{self as wire, GlobalEntry, GlobalSync},
};

/// Most bytes of a global name; at least one is needed (REG-4).
const MAX_NAME: usize = 65_535;

impl Node {
    pub(super) fn register(&mut self, name: &str, pid: &GlobalPid) -> Result<Answer, CommandError> {
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(CommandError::InvalidName("a global name has 1 to 65,535 bytes".into()));
        }
        if self.registry.get(name).is_some() {
            return Err(CommandError::NameTaken);
        }
        let (pid, owner) = self.held(pid)?;
        let entry = self.registry.insert(name, pid, owner);
        self.tell_registered(&entry)?;
        Ok(Answer::Done)
    }

    pub(super) fn unregister(&mut self, name: &str) -> Result<Answer, CommandError> {
        self.registry.remove(name).ok_or(CommandError::UnknownName)?;
        self.tell_unregistered(name);
        Ok(Answer::Done)
    }

    /// The process that has a name.
    pub(crate) fn whereis(&self, name: &str) -> Option<GlobalPid> {
        self.registry.get(name).map(|entry| self.global(entry))
    }

    /// All names, sorted, and whose they are.
    pub(crate) fn names(&self) -> Vec<(Arc<str>, GlobalPid)> {
        self.registry.entries().map(|entry| (entry.name.clone(), self.global(entry))).collect()
    }

    /// Removes the names of a local process that has ended (REG-17).
    pub(super) fn forget_process(&mut self, pid: WirePid) {
        for name in self.registry.remove_pid(pid) {
            self.tell_unregistered(&name);
        }
    }

    /// Removes the names of a node whose session has ended (REG-18, REG-19).
    pub(super) fn forget_owner(&mut self, owner: &NodeName) {
        for name in self.registry.remove_owner(owner) {
            self.tell_unregistered(&name);
        }
    }

    /// The whole table for a new session; nothing when it is empty (MEM-3, REG-15).
    pub(super) fn send_table(&mut self, conn: ConnId) {
        let Some(identity) = &self.identity else { return };
        let entries: Vec<_> = self.registry.entries().cloned().collect();
        if !entries.is_empty() {
            self.outputs.push(Output::Sync(conn, SyncStream::new(identity.name.clone(), entries)));
        }
    }

    pub(super) fn registered(&mut self, conn: ConnId, entry: &GlobalEntry<'_>) {
        if self.registry.get(entry.name).is_some() || entry.name.is_empty() {
            return;
        }
        let (Some(session), Some(identity)) = (self.sessions.get(conn), &self.identity) else { return };
        if entry.owner == session.peer.as_str() {
            // An own field: stored under our id for the sender and its creation, never as it stands (PROC-3, REG-21).
            if entry.pid.node == NodeId::OWN {
                let pid = WirePid { node: session.id, creation: session.creation.get(), local: entry.pid.local };
                self.registry.insert(entry.name, pid, Owner::Node(session.peer.clone()));
            }
        } else if entry.owner == identity.name.as_str() {
            self.registered_ours(entry);
        } else if let Ok(owner) = NodeName::parse(entry.owner) {
            self.registered_third(entry, owner);
        }
    }

    pub(super) fn unregistered(&mut self, name: &str) {
        self.registry.remove(name);
    }

    pub(super) fn synced(&mut self, conn: ConnId, sync: &GlobalSync<'_>) {
        for entry in &sync.entries {
            self.registered(conn, entry);
        }
    }

    /// A directed field: it names a process of ours, dead or alive (REG-22, REG-23, PROC-4, PROC-5).
    fn registered_ours(&mut self, entry: &GlobalEntry<'_>) {
        match self.directed_field(entry.pid) {
            Some(local) => drop(self.registry.insert(entry.name, WirePid::own(local), Owner::Own)),
            None => self.tell_unregistered(entry.name),
        }
    }

    /// The owner's name decides; the node id written is in the sender's numbering and says nothing (REG-25 to REG-27).
    fn registered_third(&mut self, entry: &GlobalEntry<'_>, owner: NodeName) {
        let Some(creation) = Creation::new(entry.pid.creation) else { return };
        if self.sessions.named(&owner).is_some_and(|session| session.creation != creation) {
            return;
        }
        if let Some(id) = self.numbering.for_owner(&owner) {
            let pid = WirePid { node: id, creation: creation.get(), local: entry.pid.local };
            self.registry.insert(entry.name, pid, Owner::Node(owner));
        }
    }

    fn tell_registered(&mut self, entry: &Arc<Entry>) -> Result<(), CommandError> {
        if let Some(identity) = &self.identity {
            let payload = entry.on_wire(&identity.name).encode_register().map_err(|_| CommandError::TooLarge)?;
            self.send_to_all(payload);
        }
        Ok(())
    }

    fn tell_unregistered(&mut self, name: &str) {
        // A name in the table, or one that came in a string(u16), fits its field.
        if let Ok(payload) = wire::encode_unregister(name) {
            self.send_to_all(payload);
        }
    }

    /// How this node holds a PID that a caller named, and who owns it (REG-3, REG-5).
    fn held(&self, pid: &GlobalPid) -> Result<(WirePid, Owner), CommandError> {
        if let Some(local) = self.own_process(pid)? {
            return Ok((WirePid::own(local), Owner::Own));
        }
        let session = NodeName::parse(&pid.node)
            .ok()
            .and_then(|node| self.sessions.named(&node))
            .filter(|session| session.creation.get() == pid.creation)
            .ok_or_else(|| CommandError::NotConnected(pid.node.clone()))?;
        let held = WirePid { node: session.id, creation: pid.creation, local: pid.local };
        Ok((held, Owner::Node(session.peer.clone())))
    }

    fn global(&self, entry: &Entry) -> GlobalPid {
        self.global_pid(entry.pid)
    }
}
