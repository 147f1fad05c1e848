//! The fields of each message as `codec.encode` is given them, named as in the tables of the spec.

use serde::Deserialize;

use super::value::{WirePidValue, WireReasonValue, array, bytes, decimal};

#[derive(Debug, Deserialize)]
pub(crate) struct NameFields {
    pub(crate) name: String,
    pub(crate) creation: u8,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ChallengeFields {
    pub(crate) name: String,
    pub(crate) creation: u8,
    #[serde(deserialize_with = "array")]
    pub(crate) challenge: [u8; 32],
}

#[derive(Debug, Deserialize)]
pub(crate) struct ReplyFields {
    #[serde(deserialize_with = "array")]
    pub(crate) proof: [u8; 32],
    #[serde(deserialize_with = "array")]
    pub(crate) challenge: [u8; 32],
}

#[derive(Debug, Deserialize)]
pub(crate) struct AckFields {
    #[serde(deserialize_with = "array")]
    pub(crate) proof: [u8; 32],
}

#[derive(Debug, Deserialize)]
pub(crate) struct PeerFields {
    pub(crate) name: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct PeerListFields {
    pub(crate) peers: Vec<PeerFields>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct NonceFields {
    #[serde(deserialize_with = "array")]
    pub(crate) nonce: [u8; 8],
}

#[derive(Debug, Deserialize)]
pub(crate) struct SendFields {
    pub(crate) target: WirePidValue,
    #[serde(deserialize_with = "bytes")]
    pub(crate) message: Vec<u8>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RegSendFields {
    pub(crate) name: String,
    #[serde(deserialize_with = "bytes")]
    pub(crate) message: Vec<u8>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct LinkFields {
    pub(crate) from: WirePidValue,
    pub(crate) to: WirePidValue,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ExitFields {
    pub(crate) from: WirePidValue,
    pub(crate) to: WirePidValue,
    pub(crate) reason: WireReasonValue,
}

#[derive(Debug, Deserialize)]
pub(crate) struct MonitorFields {
    pub(crate) from: WirePidValue,
    pub(crate) to: WirePidValue,
    #[serde(rename = "ref", deserialize_with = "decimal")]
    pub(crate) reference: u64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct MonitorExitFields {
    pub(crate) monitored: WirePidValue,
    pub(crate) monitoring: WirePidValue,
    #[serde(rename = "ref", deserialize_with = "decimal")]
    pub(crate) reference: u64,
    pub(crate) reason: WireReasonValue,
}

#[derive(Debug, Deserialize)]
pub(crate) struct SpawnFields {
    #[serde(deserialize_with = "decimal")]
    pub(crate) request: u64,
    pub(crate) requester: WirePidValue,
    pub(crate) link: u8,
    #[serde(deserialize_with = "bytes")]
    pub(crate) function: Vec<u8>,
    #[serde(deserialize_with = "bytes")]
    pub(crate) args: Vec<u8>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct SpawnReplyFields {
    #[serde(deserialize_with = "decimal")]
    pub(crate) request: u64,
    pub(crate) status: u8,
    #[serde(deserialize_with = "decimal")]
    pub(crate) local: u64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct EntryFields {
    pub(crate) name: String,
    pub(crate) pid: WirePidValue,
    pub(crate) owner: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct UnregisterFields {
    pub(crate) name: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct SyncFields {
    pub(crate) entries: Vec<EntryFields>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RoomFields {
    pub(crate) room: String,
    pub(crate) text: String,
}
