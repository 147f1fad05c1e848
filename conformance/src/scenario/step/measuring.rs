//! What steps say that measure a node's process.

use schemars::JsonSchema;
use serde::Deserialize;

/// See [`super::Verb::Memory`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// The node; the scenario's only one unless said otherwise.
    #[serde(default)]
    pub node: Option<String>,
    /// Notes the resident memory under this name.
    #[serde(default)]
    pub note: Option<String>,
    /// Judges by how much the memory has grown since this note, at its largest.
    #[serde(default)]
    pub since: Option<String>,
    /// Most MiB of growth.
    #[serde(default)]
    pub at_most_mib: Option<u64>,
}

/// See [`super::Verb::Descriptors`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Descriptors {
    /// The node; the scenario's only one unless said otherwise.
    #[serde(default)]
    pub node: Option<String>,
    /// Notes the number of open files under this name.
    #[serde(default)]
    pub note: Option<String>,
    /// Awaits that there are hardly more than at this note.
    #[serde(default)]
    pub since: Option<String>,
    /// How many more there may be.
    #[serde(default)]
    pub at_most: Option<u64>,
}
