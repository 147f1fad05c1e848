//! Why a case ends before its last step.

use crate::results::{BytePlace, Cause};
use crate::scenario::expression::EvaluationError;

/// The end of a case, short of its last step.
#[derive(Debug)]
pub enum Stop {
    /// The node broke a requirement.
    Broken(Box<Broken>),
    /// The adapter, or the set-up of a node, failed.
    Adapter(String),
    /// The harness or the scenario failed.
    Harness(String),
}

/// How a requirement was broken.
#[derive(Debug)]
pub struct Broken {
    /// One sentence.
    pub sentence: String,
    /// The class of the cause.
    pub cause: Cause,
    /// The requirement, where the step itself knows it better than the scenario does.
    pub requirement: Option<&'static str>,
    /// What was expected, decoded.
    pub expected: Option<String>,
    /// What was there instead, decoded.
    pub actual: Option<String>,
    /// Where in the bytes they differ.
    pub bytes: Option<BytePlace>,
    /// What arrived while something else was awaited.
    pub meanwhile: Vec<String>,
}

impl Stop {
    /// A broken requirement.
    pub(crate) fn broken(cause: Cause, sentence: impl Into<String>) -> Broken {
        Broken {
            sentence: sentence.into(),
            cause,
            requirement: None,
            expected: None,
            actual: None,
            bytes: None,
            meanwhile: Vec::new(),
        }
    }
}

impl Broken {
    pub(crate) fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    pub(crate) fn actual(mut self, actual: impl Into<String>) -> Self {
        self.actual = Some(actual.into());
        self
    }

    pub(crate) fn bytes(mut self, bytes: Option<BytePlace>) -> Self {
        self.bytes = bytes;
        self
    }

    pub(crate) fn meanwhile(mut self, meanwhile: Vec<String>) -> Self {
        self.meanwhile = meanwhile;
        self
    }

    pub(crate) fn blames(mut self, requirement: &'static str) -> Self {
        self.requirement = Some(requirement);
        self
    }
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Self {
        Self::Broken(Box::new(broken))
    }
}

impl From<EvaluationError> for Stop {
    fn from(error: EvaluationError) -> Self {
        Self::Harness(error.to_string())
    }
}

/// What a step comes to.
pub(crate) type StepResult<T = ()> = Result<T, Stop>;
