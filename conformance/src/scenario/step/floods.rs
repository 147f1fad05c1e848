//! What steps say that open many connections and leave them.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::scenario::Expression;

/// See [`super::Verb::Flood`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flood {
    /// The flood's name in later steps.
    pub name: String,
    /// The node; the scenario's only one unless said otherwise.
    #[serde(default)]
    pub to: Option<String>,
    /// How many connections, up to 5,000.
    pub connections: Expression,
    /// How far each goes before it stalls.
    pub through: FloodStep,
    /// How many have to get that far at least; none unless said otherwise, since a node may close some to make room.
    #[serde(default)]
    pub at_least: Option<Expression>,
}

/// The step at which the connections of a flood stall. Each has a node name of its own in its NAME.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FloodStep {
    /// TCP alone.
    Tcp,
    /// Half a ClientHello.
    TlsStarted,
    /// TLS is up, and nothing is said.
    Tls,
    /// NAME is sent, CHALLENGE left unread.
    Name,
    /// CHALLENGE has come and is not answered.
    Challenge,
    /// REPLY is sent, with a wrong proof: the node has to close each.
    WrongReply,
}

/// See [`super::Verb::DialRate`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DialRate {
    /// The peers at which the connections come in.
    pub peers: super::Peers,
    /// A clock that was set before the first of them could come.
    pub since: String,
    /// Most connections in each span.
    pub at_most: Expression,
    /// The span's milliseconds.
    pub per_ms: Expression,
}
