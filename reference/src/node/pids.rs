//! Whose PID it is: from fields of messages and words of callers to processes as this node holds them, and back.
//!
//! As held, a PID is a [`WirePid`] in this node's numbering: own processes all-local, others under this node's id for
//! their node, with their creation.

use super::{Answer, CommandError, ConnId, GlobalPid, NONODE, Nested, Node, Reason};
use crate::wire::{self, LocalId, NodeId, NodeName, WirePid};

/// What a PID that a caller names turns out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A live process of this node.
    Own(LocalId),
    /// A process of a connected node, as far as is known alive.
    Remote(ConnId, WirePid),
    /// A process of this node that has ended, or one of a former run of this or a connected node (PROC-38). Held with
    /// the creation that it was named with.
    Gone(WirePid),
}

/// A run of this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    This,
    Former,
}

/// A process of a former run of this node, as held.
fn former(pid: &GlobalPid) -> WirePid {
    WirePid { creation: pid.creation, ..WirePid::own(pid.local) }
}

/// In whose numbering argument bytes are: that of whoever wants the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Here,
    Peer(ConnId),
}

impl Node {
    pub(super) fn whoami(&self) -> Answer {
        match &self.identity {
            Some(identity) => Answer::Whoami { name: identity.name.to_string(), creation: identity.creation.get() },
            None => Answer::Whoami { name: NONODE.into(), creation: 0 },
        }
    }

    /// A process of this node as callers know it.
    pub(super) fn own_pid(&self, local: LocalId) -> GlobalPid {
        match &self.identity {
            Some(identity) => GlobalPid { node: identity.name.to_string(), creation: identity.creation.get(), local },
            None => GlobalPid { node: NONODE.into(), creation: 0, local },
        }
    }

    /// Any process as callers know it.
    pub(super) fn global_pid(&self, held: WirePid) -> GlobalPid {
        let WirePid { node, creation, local } = held;
        match self.numbering.name(node) {
            Some(name) => GlobalPid { node: name.to_string(), creation, local },
            // One of a former run of this node has been named with its creation.
            None if creation != 0 => GlobalPid { creation, ..self.own_pid(local) },
            None => self.own_pid(local),
        }
    }

    /// The live process of this node that `pid` names; `None` when it is another node's. A PID that was given out
    /// before the start still names its process.
    ///
    /// # Errors
    /// [`CommandError::NoProcess`] when it is this node's and dead, or of a former run.
    pub(crate) fn own_process(&self, pid: &GlobalPid) -> Result<Option<LocalId>, CommandError> {
        match self.of_this_node(pid) {
            Some(Run::This) if self.processes.is_alive(pid.local) => Ok(Some(pid.local)),
            Some(_) => Err(CommandError::NoProcess),
            None => Ok(None),
        }
    }

    /// In which run of this node a process has been; `None` for another node's.
    fn of_this_node(&self, pid: &GlobalPid) -> Option<Run> {
        let own = self.own_pid(pid.local);
        let before_start = pid.node == NONODE && pid.creation == 0;
        if *pid == own || before_start { Some(Run::This) } else { (pid.node == own.node).then_some(Run::Former) }
    }

    /// # Errors
    /// [`CommandError::NoProcess`] when `pid` is no live process of this node.
    pub(super) fn own_live(&self, pid: &GlobalPid) -> Result<LocalId, CommandError> {
        self.own_process(pid)?.ok_or(CommandError::NoProcess)
    }

    /// # Errors
    /// [`CommandError::NotConnected`] when it is another node's, and no session with that node is live.
    pub(super) fn target(&self, pid: &GlobalPid) -> Result<Target, CommandError> {
        match self.of_this_node(pid) {
            Some(Run::This) if self.processes.is_alive(pid.local) => return Ok(Target::Own(pid.local)),
            Some(Run::This) => return Ok(Target::Gone(WirePid::own(pid.local))),
            Some(Run::Former) => return Ok(Target::Gone(former(pid))),
            None => {}
        }
        let node = NodeName::parse(&pid.node).ok();
        let session = node.and_then(|node| self.sessions.named(&node));
        let session = session.ok_or_else(|| CommandError::NotConnected(pid.node.clone()))?;
        let held = WirePid { node: session.id, creation: pid.creation, local: pid.local };
        let is_current = session.creation.get() == pid.creation;
        Ok(if is_current { Target::Remote(session.conn, held) } else { Target::Gone(held) })
    }

    /// The process that an own field names, as held; `None` when it is not the sender's, and the message is to be
    /// ignored (PROC-3, PROC-10).
    pub(super) fn own_field(&self, conn: ConnId, field: WirePid) -> Option<WirePid> {
        let session = self.sessions.get(conn).filter(|_| field.node == NodeId::OWN)?;
        Some(WirePid { node: session.id, creation: session.creation.get(), local: field.local })
    }

    /// The live process that a directed field names (PROC-4, PROC-5).
    pub(super) fn directed_field(&self, field: WirePid) -> Option<LocalId> {
        let WirePid { node, creation, local } = field;
        let all_local = node == NodeId::OWN && creation == 0;
        let this_run = self.identity.as_ref().is_some_and(|identity| identity.creation.get() == creation);
        ((all_local || this_run) && self.processes.is_alive(local)).then_some(local)
    }

    /// Whether a directed field names a process of a former run of this node.
    pub(super) fn is_former(&self, field: WirePid) -> bool {
        let own = self.identity.as_ref().map_or(0, |identity| identity.creation.get());
        field.creation != 0 && field.creation != own
    }

    /// The process that a PID among argument bytes names, as held; `None` when it cannot be resolved.
    pub(super) fn argument(&self, origin: Origin, field: WirePid) -> Option<WirePid> {
        match origin {
            Origin::Peer(conn) => self.own_field(conn, field),
            Origin::Here if field.node == NodeId::OWN => Some(WirePid::own(field.local)),
            Origin::Here => self.numbering.name(field.node).map(|_| field),
        }
    }

    /// A reason that stands in a message or among argument bytes (PROC-12).
    pub(super) fn received_reason(&self, origin: Origin, reason: &wire::Reason) -> Reason {
        Reason::from_levels(reason, |field| {
            self.argument(origin, *field).map_or(Nested::Opaque(*field), |held| self.nested(held))
        })
    }

    /// A reason that a caller has named. A node that has no id gets one that is nobody's, since the reader cannot
    /// resolve it in any case.
    pub(super) fn named_reason(&self, reason: &wire::Reason<super::ShownPid>) -> Reason {
        Reason::from_levels(reason, |pid| {
            let unresolved = WirePid { node: NodeId(u16::MAX), creation: pid.creation, local: pid.local };
            let Some(node) = &pid.node else { return Nested::Opaque(unresolved) };
            let named = GlobalPid { node: node.clone(), creation: pid.creation, local: pid.local };
            match self.of_this_node(&named) {
                Some(Run::This) => return Nested::Own(WirePid::own(pid.local)),
                Some(Run::Former) => return Nested::Own(former(&named)),
                None => {}
            }
            match NodeName::parse(node) {
                Ok(name) => {
                    let node = self.numbering.id(&name).unwrap_or(unresolved.node);
                    Nested::Other(name, WirePid { node, ..unresolved })
                }
                Err(_) => Nested::Opaque(unresolved),
            }
        })
    }

    /// A process as it stands in a reason.
    pub(super) fn nested(&self, held: WirePid) -> Nested {
        match self.numbering.name(held.node) {
            Some(name) => Nested::Other(name.clone(), held),
            None => Nested::Own(held),
        }
    }
}
