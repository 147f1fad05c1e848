//! The parameters of each method. Members that are not listed are ignored.

use serde::Deserialize;

use super::value::{PidValue, ReasonValue, bytes};

#[derive(Debug, Deserialize)]
pub(crate) struct Initialize {
    pub(crate) protocol: u64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Start {
    pub(crate) name: String,
    #[serde(deserialize_with = "bytes")]
    pub(crate) cookie: Vec<u8>,
    pub(crate) heartbeat_interval_ms: Option<u64>,
    pub(crate) heartbeat_timeout_ms: Option<u64>,
    pub(crate) handshake_timeout_ms: Option<u64>,
    pub(crate) listen: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Node {
    pub(crate) node: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Spawn {
    pub(crate) function: String,
    #[serde(default, deserialize_with = "bytes")]
    pub(crate) args: Vec<u8>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Exit {
    pub(crate) pid: PidValue,
    #[serde(rename = "reason")]
    pub(crate) _reason: ReasonValue<PidValue>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Register {
    pub(crate) name: String,
    pub(crate) pid: PidValue,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Name {
    pub(crate) name: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Broadcast {
    pub(crate) room: String,
    pub(crate) text: String,
    pub(crate) except: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Membership {
    pub(crate) member: String,
    pub(crate) room: String,
}
