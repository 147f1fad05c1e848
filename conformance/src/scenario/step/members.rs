//! What steps of WebSocket members say.

use schemars::JsonSchema;
use serde::Deserialize;

use super::connections::Sessions;
use crate::scenario::Expression;

/// See [`super::Verb::Member`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberStep {
    /// The member's name in later steps; `${name.member}` is the id that the node gave it.
    pub name: String,
    /// The node; the scenario's only one unless said otherwise.
    #[serde(default)]
    pub node: Option<String>,
    /// The room.
    pub room: Expression,
}

/// See [`super::Verb::Texts`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Texts {
    /// The members, each of which gets the same.
    pub member: Sessions,
    /// The texts, in order; nothing may stand between them.
    pub are: Vec<Expression>,
}

/// See [`super::Verb::MemberSend`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberSend {
    /// The member.
    pub member: String,
    /// The text.
    pub text: Expression,
}

/// See [`super::Verb::MemberReading`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberReading {
    /// The member.
    pub member: String,
    /// Whether its bytes are read.
    pub enabled: bool,
}

/// See [`super::Verb::CloseMember`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseMember {
    /// The member.
    pub member: String,
    /// `true`: without a WebSocket close frame.
    #[serde(default)]
    pub abruptly: bool,
}
