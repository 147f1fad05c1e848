//! What the node is told: connections, frames, members, commands, time.

use std::{fmt, sync::Arc};

use super::{
    identity::{GlobalPid, Identity, ShownPid},
    spawning::SpawnRequest,
    supervisor::Settings,
};
use crate::wire::{self, NodeName};

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Role {
    /// The peer did: we are the acceptor.
    Accepted,
    /// We did: we are the initiator.
    Dialled,
}

/// A connection. The net counts the accepted ones, the node counts the dialled ones; no number is used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ConnId {
    pub(crate) role: Role,
    pub(crate) serial: u64,
}

impl fmt::Debug for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.role {
            Role::Accepted => write!(f, "accepted#{}", self.serial),
            Role::Dialled => write!(f, "dialled#{}", self.serial),
        }
    }
}

/// A WebSocket connection to the rooms endpoint. Never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MemberId(pub(crate) u64);

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{}", self.0)
    }
}

/// Joins an answer to its command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Token(pub(crate) u64);

/// One thing that happened to the node.
#[derive(Debug)]
pub(crate) enum Input {
    /// The node gets its name and may listen from now on. Once only.
    Start(Identity),
    /// A TCP connection was accepted; its handshake timeout starts now, before TLS (HS-28).
    Accepted(ConnId),
    /// A dial that the node asked for has TLS up.
    Dialled(ConnId),
    /// A dial that the node asked for came to nothing, and why.
    DialFailed(ConnId, String),
    /// A payload arrived, whole.
    Frame(ConnId, Vec<u8>),
    /// The connection is gone: end of stream, reset, TLS error, a frame over the limit, a queue over its bound.
    Closed(ConnId),
    /// [`super::Node::next_timer`] has come.
    Tick,
    /// A WebSocket client connected to a room.
    MemberJoined { member: MemberId, room: Arc<str> },
    /// A WebSocket connection ended.
    MemberLeft(MemberId),
    /// How many deliveries of a [`super::Output::Deliver`] with a `report` failed.
    Delivered { report: Token, failed: usize },
    /// Somebody local wants something; answered by exactly one [`super::Output::Reply`].
    Command(Token, Command),
}

/// What a local caller may ask for.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    Connect(NodeName),
    Nodes,
    Whoami,
    Spawn(SpawnRequest),
    /// End a process of this node, whatever it traps.
    Exit {
        pid: GlobalPid,
        reason: wire::Reason<ShownPid>,
    },
    /// Is this a live process of this node?
    Alive(GlobalPid),
    Send {
        to: GlobalPid,
        bytes: Vec<u8>,
    },
    SendNamed {
        node: String,
        name: String,
        bytes: Vec<u8>,
    },
    RegisterLocal {
        pid: GlobalPid,
        name: String,
    },
    Link {
        pid: GlobalPid,
        to: GlobalPid,
    },
    Unlink {
        pid: GlobalPid,
        to: GlobalPid,
    },
    Monitor {
        pid: GlobalPid,
        target: GlobalPid,
    },
    /// `reference` is `None` when it is none that was ever given.
    Demonitor {
        pid: GlobalPid,
        reference: Option<u64>,
    },
    TrapExit {
        pid: GlobalPid,
        enabled: bool,
    },
    WatchNode {
        pid: GlobalPid,
        node: NodeName,
    },
    StartSupervisor(Box<Settings>),
    /// A child of a simple_one_for_one supervisor, with arguments of its own or the template's.
    StartChild {
        supervisor: GlobalPid,
        args: Option<Vec<u8>>,
    },
    Children(GlobalPid),
    StopSupervisor(GlobalPid),
    Register {
        name: String,
        pid: GlobalPid,
    },
    Unregister(String),
    Whereis(String),
    Names,
    Broadcast {
        room: String,
        text: String,
        except: Option<MemberId>,
    },
    Join {
        member: MemberId,
        room: Arc<str>,
    },
    Leave {
        member: MemberId,
        room: Arc<str>,
    },
    /// Close all sessions; nothing else is to follow.
    Stop,
}
