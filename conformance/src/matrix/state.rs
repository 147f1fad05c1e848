//! The states in which a connection can be, seen from the node under test: the columns of the table.

use serde::{Deserialize, Serialize};

/// What the node under test awaits on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It has accepted the connection, and nothing has come.
    AwaitingName,
    /// It has accepted the connection and sent CHALLENGE.
    AwaitingReply,
    /// It has dialled and sent NAME.
    AwaitingChallenge,
    /// It has dialled and sent REPLY.
    AwaitingAck,
    /// A session that the peer has opened.
    Acceptor,
    /// A session that the node has opened.
    Initiator,
    /// Something for which it has to close stands before, in the same write (RES-1).
    Closing,
}

impl State {
    /// All of them, in the order of the table's columns.
    pub const ALL: [Self; 7] = [
        Self::AwaitingName,
        Self::AwaitingReply,
        Self::AwaitingChallenge,
        Self::AwaitingAck,
        Self::Acceptor,
        Self::Initiator,
        Self::Closing,
    ];

    /// Its column's head in the table.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::AwaitingName => "NAME awaited",
            Self::AwaitingReply => "REPLY awaited",
            Self::AwaitingChallenge => "CHALLENGE awaited",
            Self::AwaitingAck => "ACK awaited",
            Self::Acceptor => "session, as acceptor",
            Self::Initiator => "session, as initiator",
            Self::Closing => "closing",
        }
    }

    /// Its part of the ids of cases.
    #[must_use]
    pub const fn slug(self) -> &'static str {
        match self {
            Self::AwaitingName => "awaiting-name",
            Self::AwaitingReply => "awaiting-reply",
            Self::AwaitingChallenge => "awaiting-challenge",
            Self::AwaitingAck => "awaiting-ack",
            Self::Acceptor => "acceptor",
            Self::Initiator => "initiator",
            Self::Closing => "closing",
        }
    }

    /// The handshake message that is awaited; `None` once there is a session, or there will be none.
    #[must_use]
    pub const fn awaited(self) -> Option<&'static str> {
        match self {
            Self::AwaitingName => Some("NAME"),
            Self::AwaitingReply => Some("REPLY"),
            Self::AwaitingChallenge => Some("CHALLENGE"),
            Self::AwaitingAck => Some("ACK"),
            Self::Acceptor | Self::Initiator | Self::Closing => None,
        }
    }

    /// Whether there is a session.
    #[must_use]
    pub const fn is_session(self) -> bool {
        matches!(self, Self::Acceptor | Self::Initiator)
    }

    /// Whether the node has opened the connection.
    #[must_use]
    pub const fn is_dialled(self) -> bool {
        matches!(self, Self::AwaitingChallenge | Self::AwaitingAck | Self::Initiator)
    }
}
