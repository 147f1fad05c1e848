//! The head of a scenario: everything but its steps.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Expression, Step};

/// One scenario file. With a `table` it stands for one case a row, else for one case.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// One sentence: stimulus and verdict.
    pub title: String,
    /// Ids of the requirements that the scenario judges; the first is blamed where a step cites none itself.
    pub requirements: Vec<String>,
    /// What has to be known beyond the title: why the case is built as it is.
    #[serde(default)]
    pub note: Option<String>,
    /// Capabilities without which the case is skipped; `control` stands for having an adapter at all.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Capabilities that the frames of the case seem to ask for (`process`), and that it does not need: every node can be asked.
    #[serde(default)]
    pub needs_not: Vec<String>,
    /// For a case that expects a refusal: the case that shows the same thing accepted, as `<family>/<slug>`.
    #[serde(default)]
    pub twin: Option<String>,
    /// Milliseconds that the whole case may take, start of its nodes included; 20,000 unless said otherwise.
    #[serde(default)]
    pub deadline_ms: Option<u64>,
    /// `true`: it takes long by its nature (many connections, many bytes, long timers), and runs in the slow set alone.
    #[serde(default)]
    pub slow: bool,
    /// Timers that every node of the case is started with; those not given are the protocol's defaults.
    #[serde(default)]
    pub timers: Timers,
    /// The cluster's cookie as text, unless a node or a peer has its own.
    #[serde(default)]
    pub cookie: Option<Expression>,
    /// Rows of parameters: one case each, named by `case`; the other keys are variables.
    #[serde(default)]
    pub table: Vec<Row>,
    /// Nodes of the implementation under test. One node `n` where nothing is said.
    #[serde(default = "one_node")]
    pub nodes: IndexMap<String, NodeSpec>,
    /// Peers, played by the harness. Each has its own name and listens on its own port.
    #[serde(default)]
    pub peers: IndexMap<String, PeerSpec>,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

fn one_node() -> IndexMap<String, NodeSpec> {
    IndexMap::from([("n".to_owned(), NodeSpec::default())])
}

/// One row of a scenario's table.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Row {
    /// The row's slug: the case is `<family>/<scenario>[<case>]`.
    pub case: String,
    /// Variables of the row, reached as `${key}`.
    #[serde(flatten)]
    pub variables: IndexMap<String, serde_json::Value>,
}

/// A node under test.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeSpec {
    /// What stands before the `@`; the key in `nodes` unless said otherwise.
    #[serde(default)]
    pub name: Option<Expression>,
    /// Host on which it listens: `127.0.0.1` unless said otherwise, or `[::1]`.
    #[serde(default)]
    pub host: Option<String>,
    /// This node's cookie, where it is not the cluster's.
    #[serde(default)]
    pub cookie: Option<Expression>,
    /// Timers of this node alone, over those of the scenario.
    #[serde(default)]
    pub timers: Timers,
    /// Puts a relay before it: its name carries the relay's port, and it listens on another.
    #[serde(default)]
    pub relay: Option<RelayMode>,
    /// `at_once` (the default); `later`: by a `start` step; `process_only`: launched, but `node.start` is left to the steps.
    #[serde(default)]
    pub start: StartWhen,
}

/// What a relay before a node or a peer does with TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RelayMode {
    /// TLS goes through: the relay sees neither names nor frames.
    Tcp,
    /// It ends TLS on both sides: faults are placed at frames, and for pairs of nodes.
    Tls,
}

/// When a node is started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StartWhen {
    /// Before the first step.
    #[default]
    AtOnce,
    /// By a `start` step.
    Later,
    /// The process runs from the beginning, `node.start` is called by the steps.
    ProcessOnly,
}

/// A peer that the harness plays.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PeerSpec {
    /// What stands before the `@`; the key in `peers` unless said otherwise.
    #[serde(default)]
    pub name: Option<Expression>,
    /// Host on which it listens: `127.0.0.1` unless said otherwise, or `[::1]`.
    #[serde(default)]
    pub host: Option<String>,
    /// The creation that it announces: 5 unless said otherwise.
    #[serde(default)]
    pub creation: Option<u8>,
    /// The peer's cookie, where it is not the cluster's.
    #[serde(default)]
    pub cookie: Option<Expression>,
    /// Puts a relay before it: its name carries the relay's port.
    #[serde(default)]
    pub relay: Option<RelayMode>,
    /// `false`: its port refuses connections for as long as the case runs.
    #[serde(default)]
    pub listens: Option<bool>,
}

/// Times that a node is started with, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Timers {
    /// From one PING to the next.
    #[serde(default)]
    pub heartbeat_interval_ms: Option<u64>,
    /// From a PING to the end of a session whose PONG does not come.
    #[serde(default)]
    pub heartbeat_timeout_ms: Option<u64>,
    /// From TCP connect to the end of a connection that has not authenticated.
    #[serde(default)]
    pub handshake_timeout_ms: Option<u64>,
}

impl Timers {
    /// These timers, with those of `fallback` where nothing is said.
    #[must_use]
    pub fn or(self, fallback: Self) -> Self {
        Self {
            heartbeat_interval_ms: self.heartbeat_interval_ms.or(fallback.heartbeat_interval_ms),
            heartbeat_timeout_ms: self.heartbeat_timeout_ms.or(fallback.heartbeat_timeout_ms),
            handshake_timeout_ms: self.handshake_timeout_ms.or(fallback.handshake_timeout_ms),
        }
    }

    /// The protocol's defaults, complete.
    #[must_use]
    pub const fn protocol_defaults() -> Self {
        Self {
            heartbeat_interval_ms: Some(60_000),
            heartbeat_timeout_ms: Some(15_000),
            handshake_timeout_ms: Some(7_000),
        }
    }
}
