//! Messages to processes, by PID and by local name (PROC-13 to PROC-24).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Answer, CommandError, Event, GlobalPid, Node, Reason, Target, functions::Function};
use crate::wire::{
    LocalId, Message, NodeId, NodeName, WirePid,
    process::{RegSend, Send},
};

/// Most bytes of a local name; at least one is needed.
const MAX_NAME: usize = 65_535;

/// Names that processes have on their own node. Never told to others.
#[derive(Clone, Debug, Default)]
pub(crate) struct LocalNames {
    by_name: BTreeMap<Arc<str>, LocalId>,
    by_process: BTreeSet<(LocalId, Arc<str>)>,
}

impl LocalNames {
    fn get(&self, name: &str) -> Option<LocalId> {
        self.by_name.get(name).copied()
    }

    /// The name must be free.
    fn insert(&mut self, name: &str, local: LocalId) {
        let name: Arc<str> = name.into();
        self.by_name.insert(name.clone(), local);
        self.by_process.insert((local, name));
    }

    /// Its names are free again (PROC-24).
    pub(crate) fn remove_process(&mut self, local: LocalId) {
        let names = self.by_process.range((local, Arc::from(""))..).take_while(|(other, _)| *other == local);
        for entry in names.cloned().collect::<Vec<_>>() {
            self.by_name.remove(&entry.1);
            self.by_process.remove(&entry);
        }
    }
}

impl Node {
    /// `process.send`. To a node that is not connected it vanishes; to a process of a former run it goes with the
    /// creation that it was named with (PROC-11).
    pub(super) fn send_message(&mut self, to: &GlobalPid, message: &[u8]) -> Result<Answer, CommandError> {
        match self.target(to) {
            Ok(Target::Own(local)) => self.deliver(local, message),
            Ok(Target::Remote(_, held) | Target::Gone(held)) => self.send_to(held, message)?,
            Err(_) => {}
        }
        Ok(Answer::Done)
    }

    /// `process.send_named`.
    pub(super) fn send_named(&mut self, node: &str, name: &str, message: &[u8]) -> Result<Answer, CommandError> {
        if node == self.own_pid(LocalId::ZERO).node {
            if let Some(local) = self.local_names.get(name) {
                self.deliver(local, message);
            }
        } else if let Some(conn) = self.conn_of(node) {
            self.send(conn, &Message::RegSend(RegSend { name, message }))?;
        }
        Ok(Answer::Done)
    }

    /// `process.register` (PROC-23).
    pub(super) fn register_local(&mut self, pid: &GlobalPid, name: &str) -> Result<Answer, CommandError> {
        let local = self.own_live(pid)?;
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(CommandError::InvalidName("a local name has 1 to 65,535 bytes".into()));
        }
        if self.local_names.get(name).is_some() {
            return Err(CommandError::NameTaken);
        }
        self.local_names.insert(name, local);
        Ok(Answer::Done)
    }

    pub(super) fn send_received(&mut self, Send { target, message }: Send<'_>) {
        if let Some(local) = self.directed_field(target) {
            self.deliver(local, message);
        }
    }

    pub(super) fn reg_send_received(&mut self, RegSend { name, message }: RegSend<'_>) {
        if let Some(local) = self.local_names.get(name) {
            self.deliver(local, message);
        }
    }

    /// Gives a message to a process of this node, dead or alive.
    fn deliver(&mut self, mut to: LocalId, message: &[u8]) {
        // One that has been handed on more often than there are processes is going round in a circle of relays, which
        // nobody will ever see: there it may as well stop.
        for _ in 0..=self.processes.count() {
            let Some(process) = self.processes.get(to) else { return };
            match &process.function {
                Function::Relay(bits) => {
                    let next = WirePid::from_u64(*bits);
                    if next.node == NodeId::OWN {
                        to = next.local;
                        continue;
                    }
                    // What came by a short local name may be too long to go on by a PID; there is nobody to tell.
                    return self.send_to(next, message).unwrap_or_default();
                }
                Function::Collector => {
                    return self.event(Event::Message { pid: self.own_pid(to), bytes: message.into() });
                }
                Function::CrashOnMessage => {
                    return self.end(to, Reason::error(&String::from_utf8_lossy(message)));
                }
                Function::Nowhere | Function::Exit(_) | Function::Supervisor => return,
            }
        }
    }

    /// One SEND on the session of the process's node, if there is one (PROC-17). A PID that is held across a reconnect
    /// still routes, since it is the node's id that leads there (PROC-22).
    fn send_to(&mut self, target: WirePid, message: &[u8]) -> Result<(), CommandError> {
        match self.sessions.numbered(target.node).map(|session| session.conn) {
            Some(conn) => self.send(conn, &Message::Send(Send { target, message })),
            None => Ok(()),
        }
    }

    fn conn_of(&self, node: &str) -> Option<super::ConnId> {
        self.sessions.named(&NodeName::parse(node).ok()?).map(|session| session.conn)
    }
}
