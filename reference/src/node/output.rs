//! What the node wants done, and what it tells.

use std::sync::Arc;

use super::{
    identity::GlobalPid,
    input::{ConnId, MemberId, Token},
    reasons::Reason,
    sync::SyncStream,
};
use crate::wire::{Creation, Message, NodeName, Payload, writer::TooLarge};

/// How a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// After what is queued has been sent, within a bounded time.
    Flush,
    /// Now; what is queued is lost.
    AtOnce,
}

/// One thing to do. They are done in order.
#[derive(Clone, Debug)]
pub(crate) enum Output {
    /// Open a connection; answered by `Dialled` or `DialFailed`.
    Dial { conn: ConnId, host: String, port: u16 },
    /// Send a payload as one frame.
    Send(ConnId, Payload),
    /// Send a message, made into a frame only now: many of them may share one long text.
    SendLate(ConnId, Box<Message<'static>>),
    /// Send a table, in as many GLOBAL_SYNC frames as it takes, made as the connection drains. Not counted towards the
    /// bound of what may wait (MEM-38).
    Sync(ConnId, SyncStream),
    /// Close; no `Closed` need come back.
    Close(ConnId, How),
    /// Answer a command.
    Reply(Token, Result<Answer, CommandError>),
    /// Tell what happened.
    Event(Event),
    /// Send a text message to each of `members`; with `report`, say by `Delivered` how many deliveries failed.
    Deliver { members: Vec<MemberId>, text: String, report: Option<Token> },
}

/// What a command gives when it succeeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    Nodes(Vec<NodeName>),
    Whoami {
        name: String,
        creation: u8,
    },
    Pid(Option<GlobalPid>),
    Names(Vec<(Arc<str>, GlobalPid)>),
    /// A supervisor's: each with its id and, while it runs, its process.
    Children(Vec<(String, Option<GlobalPid>)>),
    Alive(bool),
    /// A monitor's reference.
    Monitor(u64),
    /// How many local deliveries failed (ROOM-10).
    Failed(usize),
}

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CommandError {
    #[error("{0}")]
    Failed(String),
    #[error("the node is not started")]
    NotStarted,
    #[error("the node is already started")]
    AlreadyStarted,
    #[error("{0}")]
    InvalidName(String),
    #[error("no session came about: {0}")]
    ConnectFailed(String),
    #[error("the name is registered already")]
    NameTaken,
    #[error("the name is not registered")]
    UnknownName,
    #[error("the PID names no live process of this node")]
    NoProcess,
    #[error("{0} is not connected")]
    NotConnected(String),
    #[error("what would have to be sent does not fit a frame")]
    TooLarge,
    #[error("there is no such member")]
    UnknownMember,
    #[error("there is no such function")]
    Refused,
    #[error("the session ended before the answer came")]
    NoConnection,
    #[error("`{0}` is needed")]
    Missing(&'static str),
}

/// What happened, for notifications and logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    SessionOpened(NodeName, Creation),
    /// The session has ended and its clean-up is done.
    SessionClosed(NodeName, Creation),
    /// A collector has got a message.
    Message {
        pid: GlobalPid,
        bytes: Vec<u8>,
    },
    /// A process is told that `from`, which it monitors, has ended.
    Down {
        pid: GlobalPid,
        reference: u64,
        from: GlobalPid,
        reason: Reason,
    },
    /// An exit over a link was delivered to a process as a message.
    Exited {
        pid: GlobalPid,
        from: GlobalPid,
        reason: Reason,
    },
    /// A process of this node has ended, however.
    ProcessEnded {
        pid: GlobalPid,
        reason: Reason,
    },
    /// A process is told of a node that it watches.
    NodeUp {
        pid: GlobalPid,
        node: NodeName,
    },
    /// A process is told of a node that it watches.
    NodeDown {
        pid: GlobalPid,
        node: NodeName,
    },
    /// A connection was closed before it became a session. For the log only (MEM-42).
    Refused(ConnId, Refusal),
    /// A dial came to nothing. For the log only.
    DialFailed(NodeName, String),
}

/// Why the node closed a connection that was not authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the handshake took longer than the handshake timeout")]
    TimedOut,
    #[error("a message out of turn, too short, or not UTF-8")]
    BadMessage,
    #[error("a creation of 0")]
    CreationZero,
    #[error("our own name")]
    OwnName,
    #[error("a name that is not valid")]
    InvalidName,
    #[error("another name than the one dialled")]
    OtherName,
    #[error("a wrong proof of the cookie")]
    WrongProof,
    #[error("one of our own challenges, reflected")]
    Reflected,
    #[error("a session with that name is live")]
    Duplicate,
    #[error("our own dial to that name is under way")]
    OwnDial,
    #[error("its name was read before that of the live session")]
    Outdated,
    #[error("an accepted connection from that name became the session")]
    Superseded,
    #[error("all node ids are given")]
    NoNodeId,
    #[error("the node is not started")]
    NotStarted,
    #[error("too many connections wait for authentication")]
    Crowded,
}

impl From<TooLarge> for Refusal {
    /// Of a handshake message that we cannot send; node names are too short for that.
    fn from(_: TooLarge) -> Self {
        Self::InvalidName
    }
}
