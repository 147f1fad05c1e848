//! The values of the control protocol as JSON: bytes in hexadecimal, PIDs by node name.

use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_json::{Value, json};

use crate::{
    node::{GlobalPid, Reason, ShownPid},
    wire::{self, LocalId, NodeId, WirePid, reason::Root},
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

/// A PID in a reason; without a node it could not be resolved (PROC-12).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ShownPidValue {
    node: Option<String>,
    creation: u8,
    local: u64,
}

impl ShownPidValue {
    fn shown(self) -> Option<ShownPid> {
        Some(ShownPid { node: self.node, creation: self.creation, local: LocalId::new(self.local)? })
    }
}

impl From<ShownPid> for ShownPidValue {
    fn from(pid: ShownPid) -> Self {
        Self { node: pid.node, creation: pid.creation, local: pid.local.get() }
    }
}

/// A reason, its PIDs as in the rest of the message: by node name, or in `codec` as on the wire.
///
/// Nested values are as deep as the JSON reader allows, which is little; reasons of peers never become one of these.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum ReasonValue<P> {
    Normal,
    Error { text: String },
    Killed,
    Linked { pid: P, reason: Box<Self> },
    Shutdown,
    Custom { text: String },
    NoConnection,
}

/// A reason as it stands on the wire; in `codec` only.
pub(crate) type WireReasonValue = ReasonValue<WirePidValue>;

impl<P: Clone> ReasonValue<P> {
    fn reason<Q>(&self, pid: impl Fn(P) -> Option<Q>) -> Option<wire::Reason<Q>> {
        let (mut linked, mut value) = (Vec::new(), self);
        let root = loop {
            value = match value {
                Self::Linked { pid: nested, reason } => {
                    linked.push(pid(nested.clone())?);
                    reason
                }
                Self::Normal => break Root::Normal,
                Self::Error { text } => break Root::Error(text.as_str().into()),
                Self::Killed => break Root::Killed,
                Self::Shutdown => break Root::Shutdown,
                Self::Custom { text } => break Root::Custom(text.as_str().into()),
                Self::NoConnection => break Root::NoConnection,
            };
        };
        Some(wire::Reason { linked, root })
    }
}

impl ReasonValue<ShownPidValue> {
    /// `None` when a local id needs more than 40 bits.
    pub(crate) fn shown(&self) -> Option<wire::Reason<ShownPid>> {
        self.reason(ShownPidValue::shown)
    }
}

impl WireReasonValue {
    /// `None` when a local id needs more than 40 bits.
    pub(crate) fn wire(&self) -> Option<wire::Reason> {
        self.reason(WirePidValue::wire)
    }
}

/// A reason as it stands on the wire, as JSON.
pub(crate) fn wire_reason(reason: &wire::Reason) -> Value {
    reason_value(reason.map(|pid| json!(WirePidValue::from(*pid))))
}

/// A reason that a process of this node is told, or ends with; `own` is that process.
pub(crate) fn reason(reason: &Reason, own: &GlobalPid) -> Value {
    reason_value(reason.levels().map(|pid| json!(ShownPidValue::from(pid.shown(own)))))
}

fn reason_value(wire::Reason { linked, root }: wire::Reason<Value>) -> Value {
    let root = match root {
        Root::Normal => json!({"kind": "normal"}),
        Root::Error(text) => json!({"kind": "error", "text": &*text}),
        Root::Killed => json!({"kind": "killed"}),
        Root::Shutdown => json!({"kind": "shutdown"}),
        Root::Custom(text) => json!({"kind": "custom", "text": &*text}),
        Root::NoConnection => json!({"kind": "noconnection"}),
    };
    linked.into_iter().rfold(root, |reason, pid| json!({"kind": "linked", "pid": pid, "reason": reason}))
}

/// Reads a u64: a string of decimal digits, or a number.
pub(crate) fn decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Decimal {
        Number(u64),
        Digits(String),
    }
    match Decimal::deserialize(deserializer)? {
        Decimal::Number(number) => Ok(number),
        Decimal::Digits(digits) => digits.parse().map_err(|why| D::Error::custom(format!("no decimal number: {why}"))),
    }
}

/// Reads bytes.
pub(crate) fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let digits = String::deserialize(deserializer)?;
    hex::decode(digits).map_err(|why| D::Error::custom(format!("no hexadecimal bytes: {why}")))
}

/// Reads bytes that are there.
pub(crate) fn some_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
    bytes(deserializer).map(Some)
}

/// Reads exactly `N` bytes.
pub(crate) fn array<'de, D: Deserializer<'de>, const N: usize>(deserializer: D) -> Result<[u8; N], D::Error> {
    let bytes = bytes(deserializer)?;
    <[u8; N]>::try_from(bytes).map_err(|bytes| D::Error::custom(format!("{} bytes instead of {N}", bytes.len())))
}
