//! The values of the control protocol as JSON: bytes in hexadecimal, PIDs by node name.

use serde::{Deserialize, Deserializer, Serialize, de::Error};

use crate::{
    node::GlobalPid,
    wire::{LocalId, NodeId, WirePid},
};

/// A PID by its node's name and creation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PidValue {
    node: String,
    creation: u8,
    local: u64,
}

impl PidValue {
    /// `None` when the local id needs more than 40 bits.
    pub(crate) fn global(self) -> Option<GlobalPid> {
        Some(GlobalPid { node: self.node, creation: self.creation, local: LocalId::new(self.local)? })
    }
}

impl From<&GlobalPid> for PidValue {
    fn from(pid: &GlobalPid) -> Self {
        Self { node: pid.node.clone(), creation: pid.creation, local: pid.local.get() }
    }
}

/// A PID as it stands on the wire; in `codec` only.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct WirePidValue {
    node_id: u16,
    creation: u8,
    local: u64,
}

impl WirePidValue {
    /// `None` when the local id needs more than 40 bits.
    pub(crate) fn wire(self) -> Option<WirePid> {
        let local = LocalId::new(self.local)?;
        Some(WirePid { node: NodeId(self.node_id), creation: self.creation, local })
    }
}

impl From<WirePid> for WirePidValue {
    fn from(pid: WirePid) -> Self {
        Self { node_id: pid.node.0, creation: pid.creation, local: pid.local.get() }
    }
}

/// Why a process is to end.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[allow(dead_code, reason = "only checked until there is somebody to tell")]
pub(crate) enum ReasonValue {
    Normal,
    Error { text: String },
    Killed,
    Linked { pid: PidValue, reason: Box<Self> },
    Shutdown,
    Custom { text: String },
    NoConnection,
}

/// Reads bytes.
pub(crate) fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let digits = String::deserialize(deserializer)?;
    hex::decode(digits).map_err(|why| D::Error::custom(format!("no hexadecimal bytes: {why}")))
}

/// Reads exactly `N` bytes.
pub(crate) fn array<'de, D: Deserializer<'de>, const N: usize>(deserializer: D) -> Result<[u8; N], D::Error> {
    let bytes = bytes(deserializer)?;
    <[u8; N]>::try_from(bytes).map_err(|bytes| D::Error::custom(format!("{} bytes instead of {N}", bytes.len())))
}
