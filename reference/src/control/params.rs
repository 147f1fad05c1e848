//! The parameters of each method. Members that are not listed are ignored.

use serde::Deserialize;

use super::value::{PidValue, ReasonValue, ShownPidValue, bytes, some_bytes};

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
    pub(crate) node: Option<String>,
    pub(crate) from: Option<PidValue>,
    #[serde(default)]
    pub(crate) link: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Exit {
    pub(crate) pid: PidValue,
    pub(crate) reason: ReasonValue<ShownPidValue>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Pid {
    pub(crate) pid: PidValue,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Send {
    pub(crate) to: PidValue,
    #[serde(deserialize_with = "bytes")]
    pub(crate) bytes: Vec<u8>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct SendNamed {
    pub(crate) node: String,
    pub(crate) name: String,
    #[serde(deserialize_with = "bytes")]
    pub(crate) bytes: Vec<u8>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Link {
    pub(crate) pid: PidValue,
    pub(crate) to: PidValue,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Monitor {
    pub(crate) pid: PidValue,
    pub(crate) target: PidValue,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Demonitor {
    pub(crate) pid: PidValue,
    #[serde(rename = "ref")]
    pub(crate) reference: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct TrapExit {
    pub(crate) pid: PidValue,
    pub(crate) enabled: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct WatchNode {
    pub(crate) pid: PidValue,
    pub(crate) node: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct StartSupervisor {
    pub(crate) strategy: StrategyName,
    pub(crate) max_restarts: u64,
    pub(crate) max_seconds: u64,
    pub(crate) children: Vec<Child>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StrategyName {
    OneForOne,
    OneForAll,
    RestForOne,
    SimpleOneForOne,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Child {
    pub(crate) id: String,
    pub(crate) function: String,
    #[serde(default, deserialize_with = "bytes")]
    pub(crate) args: Vec<u8>,
    pub(crate) restart: RestartName,
    pub(crate) node: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RestartName {
    Permanent,
    Transient,
    Temporary,
}

#[derive(Debug, Deserialize)]
pub(crate) struct StartChild {
    pub(crate) supervisor: PidValue,
    #[serde(default, deserialize_with = "some_bytes")]
    pub(crate) args: Option<Vec<u8>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Supervisor {
    pub(crate) supervisor: PidValue,
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
