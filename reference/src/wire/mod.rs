//! Bytes to messages and back: one file a family, encode beside decode.
//!
//! Nothing here knows a session, and nothing allocates for what is only announced (FRAME-23).

pub(crate) mod framing;
pub(crate) mod handshake;
pub(crate) mod membership;
pub(crate) mod message;
pub(crate) mod name;
pub(crate) mod pid;
pub(crate) mod process;
pub(crate) mod reader;
pub(crate) mod reason;
pub(crate) mod registry;
pub(crate) mod room;
pub(crate) mod term;
pub(crate) mod writer;

#[cfg(test)]
mod fuzz;

pub(crate) use framing::{FrameReader, MAX_HANDSHAKE_PAYLOAD, MAX_SESSION_PAYLOAD, Payload};
pub(crate) use message::Message;
pub(crate) use name::{InvalidName, NodeName};
pub(crate) use pid::{Creation, LocalId, NodeId, WirePid};
pub(crate) use reader::Reader;
pub(crate) use reason::Reason;
