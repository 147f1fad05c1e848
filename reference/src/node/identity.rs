//! Who a node is and which times it keeps, and how processes are named outside any node's numbering.

use std::{fmt, time::Duration};

use crate::wire::{Creation, LocalId, NodeName, handshake::Cookie};

/// The owner of names and processes on a node that has not been started (REG-9).
pub(crate) const NONODE: &str = "nonode@nohost";

/// What a node gets at start. `Debug` does not show the cookie.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) name: NodeName,
    pub(crate) creation: Creation,
    pub(crate) cookie: Cookie,
    pub(crate) timings: Timings,
}

/// The configurable times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timings {
    /// Between two PINGs of a session (MEM-33).
    pub(crate) heartbeat_interval: Duration,
    /// From PING to PONG (MEM-35).
    pub(crate) heartbeat_timeout: Duration,
    /// From TCP accept or connect to the end of the handshake (HS-28, HS-29).
    pub(crate) handshake_timeout: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            heartbeat_interval: Duration::from_secs(60),
            heartbeat_timeout: Duration::from_secs(15),
            handshake_timeout: Duration::from_secs(7),
        }
    }
}

/// A process by the name and creation of its node: the identity that means the same everywhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GlobalPid {
    /// A node name, or [`NONODE`].
    pub(crate) node: String,
    /// 0 only together with [`NONODE`].
    pub(crate) creation: u8,
    pub(crate) local: LocalId,
}

impl fmt::Display for GlobalPid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, creation, local } = self;
        write!(f, "<{node}.{}.{creation}>", local.get())
    }
}

/// A process in a reason, as people see it. Without a node it is one that could not be resolved (PROC-12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShownPid {
    pub(crate) node: Option<String>,
    pub(crate) creation: u8,
    pub(crate) local: LocalId,
}
