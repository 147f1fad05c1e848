//! What a file of deviations came to, in the form in which it is kept with the results.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What the owner of the implementation says of a failure that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deviation {
    /// The entry's id of a case, or form of ids.
    pub case: String,
    /// Why.
    pub reason: String,
    /// Where it is dealt with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The day until which it stands: `2027-01-31`.
    pub review: String,
    /// Where it is written: `file:line`.
    pub place: String,
}

/// What a file of deviations came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviationReport {
    /// The file.
    pub file: String,
    /// How many of its entries are of cases that were not run.
    #[serde(default)]
    pub not_run: usize,
    /// Entries that do not say what is the case. None is allowed.
    pub problems: Vec<DeviationProblem>,
}

/// What is wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviationProblem {
    /// The class of it.
    pub kind: ProblemKind,
    /// Where the entry is: `file:line`.
    pub place: String,
    /// The entry's id of a case, or form of ids.
    pub case: String,
    /// The cases that show it; none where it is the entry's alone.
    pub cases: Vec<String>,
    /// What happened, and what to do.
    pub message: String,
}

/// The classes of what is wrong with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// Its case passes.
    UnexpectedPass,
    /// Its case fails in another way.
    OtherFailure,
    /// Its case fails in some repetitions and passes in others.
    Flaky,
    /// Its case was skipped for want of a capability.
    NotJudged,
    /// Its day of review has passed.
    Lapsed,
}

impl fmt::Display for ProblemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::UnexpectedPass => "unexpected pass",
            Self::OtherFailure => "other failure",
            Self::Flaky => "flaky",
            Self::NotJudged => "not judged",
            Self::Lapsed => "lapsed",
        })
    }
}
