//! The classes of inputs: the rows of the table. An input's class follows from its bytes, not from how they were made.

use serde::{Deserialize, Serialize};

use super::sample::Words;
use super::state::State;
use crate::codec::{self, DecodeErrorKind, Decoded, Value};
use crate::schema::{Phase, Schema};

/// A kind of input to which there is one reaction in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// What the handshake has to go on with.
    Awaited,
    /// The same, with bytes left over.
    AwaitedLeftOver,
    /// The same, too short for its layout.
    AwaitedShort,
    /// The same, with a text that is none.
    AwaitedNotUtf8,
    /// The same, with creation 0.
    CreationZero,
    /// The same, with a name that is not valid (NAME), or not the one dialled (CHALLENGE).
    WrongName,
    /// The same, with a proof that is wrong.
    WrongProof,
    /// A message of the handshake that is not awaited.
    HandshakeMessage,
    /// A well-formed message of a session.
    Message,
    /// The same, with bytes left over.
    LeftOver,
    /// A message of a session that is too short for its layout.
    Short,
    /// A message of a session with a text that is none.
    NotUtf8,
    /// An EXIT that is short, not UTF-8 or of an unknown kind in its reason.
    ExitReason,
    /// A MONITOR_EXIT that is.
    MonitorExitReason,
    /// A PING with fewer than 8 bytes.
    ShortPing,
    /// A tag that no message has.
    UnknownTag,
    /// A frame of length 0.
    Empty,
    /// The length of a payload over the limit, and no payload.
    OverLong,
}

impl Class {
    /// All of them, in the order of the table's rows.
    pub const ALL: [Self; 18] = [
        Self::Awaited,
        Self::AwaitedLeftOver,
        Self::AwaitedShort,
        Self::AwaitedNotUtf8,
        Self::CreationZero,
        Self::WrongName,
        Self::WrongProof,
        Self::HandshakeMessage,
        Self::Message,
        Self::LeftOver,
        Self::Short,
        Self::NotUtf8,
        Self::ExitReason,
        Self::MonitorExitReason,
        Self::ShortPing,
        Self::UnknownTag,
        Self::Empty,
        Self::OverLong,
    ];

    /// Its row's head in the table.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Awaited => "the awaited message",
            Self::AwaitedLeftOver => "the awaited message, bytes left over",
            Self::AwaitedShort => "the awaited message, too short",
            Self::AwaitedNotUtf8 => "the awaited message, not UTF-8",
            Self::CreationZero => "the awaited message, creation 0",
            Self::WrongName => "the awaited message, wrong name",
            Self::WrongProof => "the awaited message, wrong proof",
            Self::HandshakeMessage => "another message of the handshake",
            Self::Message => "a message of a session",
            Self::LeftOver => "a message of a session, bytes left over",
            Self::Short => "a message of a session, too short",
            Self::NotUtf8 => "a message of a session, not UTF-8",
            Self::ExitReason => "EXIT whose reason cannot be read",
            Self::MonitorExitReason => "MONITOR_EXIT whose reason cannot be read",
            Self::ShortPing => "PING of fewer than 8 bytes",
            Self::UnknownTag => "an unknown tag",
            Self::Empty => "an empty frame",
            Self::OverLong => "a length over the limit",
        }
    }

    /// The class of a payload in a state; `words` are what the right handshake message says.
    pub(super) fn of(schema: &Schema, state: State, payload: &[u8], words: &Words) -> Self {
        if payload.is_empty() {
            return Self::Empty;
        }
        let of_handshake = schema.by_tag(Phase::Handshake, payload[0]);
        match (state.awaited(), of_handshake) {
            (Some(awaited), Some(layout)) if layout.name == awaited => Self::of_awaited(schema, payload, words),
            (_, Some(_)) => Self::HandshakeMessage,
            (_, None) => Self::of_session(schema, payload),
        }
    }

    fn of_awaited(schema: &Schema, payload: &[u8], words: &Words) -> Self {
        let Decoded { message, .. } = match codec::decode(schema, Phase::Handshake, payload) {
            Ok(decoded) => decoded,
            Err(error) => {
                return match error.kind {
                    DecodeErrorKind::InvalidUtf8 { .. } => Self::AwaitedNotUtf8,
                    _ => Self::AwaitedShort,
                };
            }
        };
        let says = |field: &str| message.fields.get(field);
        let is_wrong_name = |name: &str| match message.name.as_str() {
            "CHALLENGE" => name != words.node_name(),
            _ => !may_be_a_node(name),
        };
        if matches!(says("name"), Some(Value::Text(name)) if is_wrong_name(name)) {
            Self::WrongName
        } else if says("creation") == Some(&Value::Uint(0)) {
            Self::CreationZero
        } else if matches!(says("proof"), Some(Value::Bytes(proof)) if *proof != words.proof) {
            Self::WrongProof
        } else if message.left_over.is_empty() {
            Self::Awaited
        } else {
            Self::AwaitedLeftOver
        }
    }

    fn of_session(schema: &Schema, payload: &[u8]) -> Self {
        let error = match codec::decode(schema, Phase::Session, payload) {
            Ok(decoded) if decoded.message.left_over.is_empty() => return Self::Message,
            Ok(_) => return Self::LeftOver,
            Err(error) => error,
        };
        let is_in_reason = match &error.kind {
            DecodeErrorKind::UnexpectedEnd { field, .. }
            | DecodeErrorKind::InvalidUtf8 { field, .. }
            | DecodeErrorKind::UnknownVariant { field, .. } => field.starts_with("reason"),
            _ => false,
        };
        match (error.message.as_deref(), error.kind) {
            (None, _) => Self::UnknownTag,
            (Some("EXIT"), _) if is_in_reason => Self::ExitReason,
            (Some("MONITOR_EXIT"), _) if is_in_reason => Self::MonitorExitReason,
            (Some("PING"), _) => Self::ShortPing,
            (_, DecodeErrorKind::InvalidUtf8 { .. }) => Self::NotUtf8,
            _ => Self::Short,
        }
    }
}

/// Enough to tell the names that inputs carry apart: `name@host:port` with a port other than 0.
fn may_be_a_node(name: &str) -> bool {
    let Some((label, host)) = name.split_once('@') else { return false };
    let Some((host, port)) = host.rsplit_once(':') else { return false };
    !label.is_empty() && !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
}
