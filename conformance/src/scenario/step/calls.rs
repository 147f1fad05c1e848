//! What steps say that use the control protocol.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::connections::Sessions;
use crate::scenario::{Expression, Matcher};

/// See [`super::Verb::Call`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The node; the scenario's only one unless said otherwise.
    #[serde(default)]
    pub node: Option<String>,
    /// The method.
    pub method: String,
    /// Its parameters.
    #[serde(default)]
    pub params: IndexMap<String, Expression>,
    /// What its result has to be; anything unless said otherwise.
    #[serde(default)]
    pub result: Option<Matcher>,
    /// The error that it has to end with, by its name in the control protocol: `name taken`.
    #[serde(default)]
    pub error: Option<String>,
}

/// See [`super::Verb::StartCall`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StartCall {
    /// Name under which its answer is awaited.
    pub id: String,
    /// The node; the scenario's only one unless said otherwise.
    #[serde(default)]
    pub node: Option<String>,
    /// The method.
    pub method: String,
    /// Its parameters.
    #[serde(default)]
    pub params: IndexMap<String, Expression>,
}

/// See [`super::Verb::Await`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Await {
    /// The call.
    pub call: String,
    /// What its result has to be.
    #[serde(default)]
    pub result: Option<Matcher>,
    /// The error that it has to end with.
    #[serde(default)]
    pub error: Option<String>,
    /// Milliseconds within which the answer has to come.
    #[serde(default)]
    pub within_ms: Option<Expression>,
}

/// See [`super::Verb::Eventually`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Eventually {
    /// The nodes; the scenario's only one unless said otherwise.
    #[serde(default)]
    pub node: Option<Sessions>,
    /// The method.
    pub method: String,
    /// Its parameters.
    #[serde(default)]
    pub params: IndexMap<String, Expression>,
    /// What its result has to become.
    #[serde(default)]
    pub result: Option<Matcher>,
    /// Or: the error that it has to come to.
    #[serde(default)]
    pub error: Option<String>,
}

/// See [`super::Verb::Event`] and [`super::Verb::NoEvent`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// The node; the scenario's only one unless said otherwise.
    #[serde(default)]
    pub node: Option<String>,
    /// The notification's method.
    pub method: String,
    /// What its parameters have to be.
    #[serde(default)]
    pub params: IndexMap<String, Matcher>,
}

/// See [`super::Verb::Events`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Events {
    /// The node; the scenario's only one unless said otherwise.
    #[serde(default)]
    pub node: Option<String>,
    /// The notifications' method.
    pub method: String,
    /// What the parameters of each have to be; others are passed over.
    #[serde(default)]
    pub params: IndexMap<String, Matcher>,
    /// How many are awaited.
    pub count: Expression,
    /// Judges this parameter of each, not all of them.
    #[serde(default)]
    pub field: Option<String>,
    /// What the list of their parameters (without `seq`) has to be, in the order in which they came.
    #[serde(default)]
    pub are: Option<Matcher>,
}
