//! What steps say that repeat, compare and take the time.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Step;
use crate::scenario::{Expression, Matcher};

/// See [`super::Verb::For`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct For {
    /// The variable.
    pub each: String,
    /// Its values: a list.
    #[serde(default)]
    pub of: Option<Expression>,
    /// Or: the numbers from the first to the last, inclusive.
    #[serde(default)]
    pub range: Option<(Expression, Expression)>,
    /// What to do for each.
    pub steps: Vec<Step>,
}

/// See [`super::Verb::Check`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The value.
    pub that: Expression,
    /// What it has to be.
    pub is: Matcher,
    /// One sentence for the report when it is not.
    #[serde(default)]
    pub because: Option<String>,
}

/// See [`super::Verb::Elapsed`].
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Elapsed {
    /// The clock.
    pub since: String,
    /// Least milliseconds.
    #[serde(default)]
    pub at_least_ms: Option<Expression>,
    /// Most milliseconds.
    #[serde(default)]
    pub at_most_ms: Option<Expression>,
}
