//! Results: what a run found, in the form in which it is kept. Every report is rendered from this and from nothing else.
//!
//! The file format is described in `conformance/results.md`; [`VERSION`] goes up when a reader of the old form would err.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::delivery::Delivery;
pub use crate::deviation::{Deviation, DeviationProblem, DeviationReport, ProblemKind};
use crate::matrix::{Class, State};
use crate::requirement::Level;
use crate::rung::Rung;

/// Name of the format, in the file's `format`.
pub const FORMAT: &str = "snowproof-results";
/// Version of the format, in the file's `version`.
pub const VERSION: u32 = 1;

/// One run of the suite against one implementation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// Always [`FORMAT`].
    pub format: String,
    /// Always [`VERSION`].
    pub version: u32,
    /// When the run began: milliseconds since 1970, UTC.
    pub started_unix_ms: u64,
    /// Milliseconds that it took.
    pub duration_ms: u64,
    /// The command that repeats it.
    pub command: String,
    /// Filters that selected the cases; none means all of them, and only then is anything said about conformance as a whole.
    pub filters: Vec<String>,
    /// The highest rung whose cases were run, where that is not all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<Rung>,
    /// How many cases the filters select besides and the run left out: those of the slow set, or all others.
    #[serde(default)]
    pub left_out: usize,
    /// How what the peers sent arrived.
    #[serde(default)]
    pub delivery: Delivery,
    /// What was judged.
    pub node: NodeFacts,
    /// The implementations of a run of mixed clusters; none where there is one implementation, which is `node`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub implementations: Vec<NodeFacts>,
    /// What the file of known deviations came to, where the manifest names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviations: Option<DeviationReport>,
    /// Every requirement of the spec, judged or not.
    pub requirements: Vec<RequirementRow>,
    /// Every case that was selected, once a repetition, in the order of their ids.
    pub cases: Vec<CaseResult>,
}

/// The implementation under test, as its manifest and its `initialize` describe it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeFacts {
    /// The manifest's name.
    pub name: String,
    /// The manifest's language.
    pub language: String,
    /// The version that `initialize` told; none for a wire-only node.
    pub version: Option<String>,
    /// The manifest's path.
    pub manifest: String,
    /// What it can do: `control` and what `initialize` told.
    pub capabilities: Vec<String>,
    /// Capabilities that it does not claim, `control` included: requirements that need them are not judged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undeclared: Vec<String>,
    /// Those of them that answered the probe all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unclaimed_but_working: Vec<String>,
    /// Capabilities that `initialize` told and the manifest, which lists some, does not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_in_manifest: Vec<String>,
}

/// One requirement, as it stood in the spec when the run was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequirementRow {
    /// Its id.
    pub id: String,
    /// Its level.
    pub level: Level,
    /// Its text.
    pub text: String,
    /// Why no case was run that judges it; none where one was, and where nobody said what the suite has besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_run: Option<NotRun>,
}

/// Why no case of a requirement was run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotRun {
    /// Its cases are in the set that was not run.
    OtherSet,
    /// Its cases were not among those that were asked for.
    NotSelected,
    /// The suite has no case of it.
    NoCase,
}

/// What became of one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseResult {
    /// `<family>/<slug>`, with `[row]` where a table made it.
    pub id: String,
    /// One sentence: stimulus and verdict.
    pub title: String,
    /// The family.
    pub family: String,
    /// MUST if any of its requirements is one.
    pub level: Level,
    /// The rung that it belongs to; none in files of old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rung: Option<Rung>,
    /// The requirements that it judges.
    pub requirements: Vec<String>,
    /// Which repetition this is, from 1.
    pub repetition: u32,
    /// Milliseconds that it took.
    pub duration_ms: u64,
    /// The verdict, and what belongs to it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The known deviation that excuses the failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviation: Option<Deviation>,
    /// The cells of the matrix that it exercises; none for other cases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cells: Vec<CellResult>,
    /// In mixed clusters: which implementation played each node, by the node's key in the scenario.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub nodes: BTreeMap<String, String>,
    /// In mixed clusters: at whose door it lies that the case did not pass, as far as that was found out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blame: Option<Blamed>,
}

/// At whose door it lies that a mixed cluster did not pass a case: what the same case came to with the reference in the place of others.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Blamed {
    /// These, by the node that each plays: the one in whose place the reference passes; or several that do not pass with the reference
    /// as all others.
    Nodes {
        /// Implementations by node.
        nodes: BTreeMap<String, String>,
    },
    /// These together, by the node that each plays: none breaks it where the reference plays the others.
    Combination {
        /// Implementations by node.
        nodes: BTreeMap<String, String>,
    },
    /// The reference alone does not pass it: the suite or the scenario, or the machine.
    ReferenceAlone,
    /// The same nodes passed it when they played it again.
    Unsteady,
}

/// What became of the inputs of one class in one state, as far as one case sends them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellResult {
    /// The state.
    pub state: State,
    /// The class of input.
    pub class: Class,
    /// To how many inputs the node reacted as it has to.
    pub passed: usize,
    /// To how many it did not: 0 or 1, as the first ends its case.
    pub failed: usize,
    /// How many it was not sent.
    pub left_out: usize,
}

/// A verdict with its reasons.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Outcome {
    /// The node did what the requirements ask.
    Pass,
    /// The node broke a requirement.
    Fail {
        /// How.
        failure: Box<Failure>,
    },
    /// The case was not run.
    Skipped {
        /// The capability that is missing.
        missing: String,
    },
    /// There is no verdict: the adapter or the harness is at fault, never the node.
    Error {
        /// What happened.
        problem: Box<Problem>,
    },
}

/// Why a case failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The requirement that was broken.
    pub requirement: String,
    /// One sentence of what went wrong.
    pub sentence: String,
    /// The class of the cause.
    pub cause: Cause,
    /// Where in the scenario or vector: `file:line`.
    pub place: Option<String>,
    /// What was expected, decoded.
    pub expected: Option<String>,
    /// What was there instead, decoded.
    pub actual: Option<String>,
    /// Where in the bytes they differ.
    pub bytes: Option<BytePlace>,
    /// What arrived while something else was awaited.
    pub meanwhile: Vec<String>,
    /// The last frames of every connection.
    pub sessions: Vec<SessionTrace>,
    /// The tail of every node's standard error.
    pub logs: Vec<NodeLog>,
    /// The command that repeats just this case.
    pub repeat: String,
}

/// The classes of causes, for people and for deviation files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The frame is the right one and its bytes are not.
    WrongBytes,
    /// A frame or a notification came that should not have come.
    UnexpectedFrame,
    /// A frame, a connection, a notification or a text that was awaited did not come.
    MissingFrame,
    /// A connection ended that should have lived.
    EarlyClose,
    /// A connection lives that should have ended.
    StillOpen,
    /// The node's process ended or stopped answering.
    Crash,
    /// The node's answer to a request, or what it tells in a notification, is wrong.
    WrongAnswer,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::WrongBytes => "wrong bytes",
            Self::UnexpectedFrame => "unexpected frame",
            Self::MissingFrame => "missing frame",
            Self::EarlyClose => "early close",
            Self::StillOpen => "still open",
            Self::Crash => "crash",
            Self::WrongAnswer => "wrong answer",
        })
    }
}

/// A place in a payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BytePlace {
    /// The field, as in the schema: `entries[0].pid`.
    pub field: String,
    /// Offset of the field within the payload, in bytes.
    pub offset: usize,
    /// The field's bytes, in hex, cut where they grow long.
    pub hex: String,
}

/// The last frames of one connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionTrace {
    /// The connection's name in the scenario, and who is at its ends.
    pub session: String,
    /// Frames and notes, oldest first.
    pub lines: Vec<TraceLine>,
    /// How many earlier ones were left out.
    pub left_out: usize,
}

/// One frame or note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceLine {
    /// Milliseconds since the case began.
    pub at_ms: u64,
    /// Who sent it.
    pub direction: Direction,
    /// What it was, decoded.
    pub text: String,
}

/// Who sent a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The harness.
    ToNode,
    /// The node.
    FromNode,
    /// Nobody: a note about the connection.
    Note,
}

/// The end of a node's standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeLog {
    /// The node's key in the scenario.
    pub node: String,
    /// Its last lines.
    pub lines: Vec<String>,
}

/// Why there is no verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// At whose door it lies.
    pub blame: Blame,
    /// What happened, and what to do.
    pub message: String,
    /// The tail of every node's standard error.
    pub logs: Vec<NodeLog>,
    /// The command that repeats just this case.
    pub repeat: String,
}

/// Who is at fault when there is no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// The adapter: what speaks the control protocol, or the manifest.
    Adapter,
    /// The harness or a scenario.
    Harness,
}

/// How a run ends, as the process's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conclusion {
    /// No MUST case failed: 0.
    Conforms,
    /// No case failed but those that are known to: 0.
    ConformsWithDeviations,
    /// A MUST case failed that is not known to: 1.
    DoesNotConform,
    /// What failed is known, and what is known is not all true: 1.
    DeviationsDoNotHold,
    /// The adapter or the set-up failed: 3.
    AdapterFailed,
    /// The harness failed: 4.
    HarnessFailed,
}

impl Conclusion {
    /// The exit code.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Conforms | Self::ConformsWithDeviations => 0,
            Self::DoesNotConform | Self::DeviationsDoNotHold => 1,
            Self::AdapterFailed => 3,
            Self::HarnessFailed => 4,
        }
    }
}

impl Results {
    /// Whether cases of every rung were asked for.
    #[must_use]
    pub fn is_of_all_rungs(&self) -> bool {
        self.up_to.is_none_or(|rung| rung == Rung::TOP)
    }

    /// What the run comes to. A run without a verdict in some case cannot conform; one where only SHOULD cases failed does.
    #[must_use]
    pub fn conclusion(&self) -> Conclusion {
        let blamed = |blame| {
            self.cases.iter().any(|case| matches!(&case.outcome, Outcome::Error { problem } if problem.blame == blame))
        };
        if blamed(Blame::Harness) {
            Conclusion::HarnessFailed
        } else if blamed(Blame::Adapter) {
            Conclusion::AdapterFailed
        } else if self.cases.iter().any(|case| {
            case.level == Level::Must && matches!(case.outcome, Outcome::Fail { .. }) && case.deviation.is_none()
        }) {
            Conclusion::DoesNotConform
        } else if self.deviations.as_ref().is_some_and(|report| !report.problems.is_empty()) {
            Conclusion::DeviationsDoNotHold
        } else if self.deviating() > 0 {
            Conclusion::ConformsWithDeviations
        } else {
            Conclusion::Conforms
        }
    }

    /// How many cases fail as they are known to.
    #[must_use]
    pub fn deviating(&self) -> usize {
        let known = self.cases.iter().filter(|case| case.deviation.is_some());
        known.map(|case| case.id.as_str()).collect::<BTreeSet<_>>().len()
    }
}

/// Results for tests: whatever a test does not say is empty.
#[cfg(test)]
pub(crate) mod sample {
    use super::*;

    pub(crate) fn case(id: &str, outcome: Outcome) -> CaseResult {
        CaseResult {
            id: id.to_owned(),
            title: String::new(),
            family: "f".to_owned(),
            level: Level::Must,
            rung: None,
            requirements: Vec::new(),
            repetition: 1,
            duration_ms: 0,
            outcome,
            deviation: None,
            cells: Vec::new(),
            nodes: BTreeMap::new(),
            blame: None,
        }
    }

    pub(crate) fn failure(requirement: &str, cause: Cause) -> Failure {
        Failure {
            requirement: requirement.to_owned(),
            sentence: String::new(),
            cause,
            place: None,
            expected: None,
            actual: None,
            bytes: None,
            meanwhile: Vec::new(),
            sessions: Vec::new(),
            logs: Vec::new(),
            repeat: String::new(),
        }
    }

    pub(crate) fn results(cases: Vec<CaseResult>) -> Results {
        Results {
            format: FORMAT.to_owned(),
            version: VERSION,
            started_unix_ms: 0,
            duration_ms: 0,
            command: String::new(),
            filters: Vec::new(),
            up_to: None,
            left_out: 0,
            delivery: Delivery::Whole,
            node: NodeFacts::default(),
            implementations: Vec::new(),
            deviations: None,
            requirements: Vec::new(),
            cases,
        }
    }
}
