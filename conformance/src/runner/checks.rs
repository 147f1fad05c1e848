//! Steps that compute, compare, repeat and take the time; they touch neither wire nor node.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::results::Cause;
use crate::scenario::matcher::{Captures, MatchError};
use crate::scenario::step::{Check, Elapsed, For};
use crate::scenario::{Expression, Matcher};

use super::context::Context;
use super::stop::{StepResult, Stop};

impl Context<'_> {
    /// Gives values names.
    pub(super) fn bind(&mut self, names: &indexmap::IndexMap<String, Expression>) -> StepResult {
        for (name, expression) in names {
            let value = expression.evaluate(self)?;
            self.variables.insert(name.clone(), value);
        }
        Ok(())
    }

    /// Runs steps once for each value.
    pub(super) fn repeat(&mut self, step: &For) -> StepResult {
        let values: Vec<Value> = match &step.range {
            Some((from, to)) => (from.number("range", self)?..=to.number("range", self)?).map(Value::from).collect(),
            None => match step.of.as_ref().map(|of| of.evaluate(self)).transpose()? {
                Some(Value::Array(values)) => values,
                _ => return Err(Stop::Harness("`for` needs `range`, or a list in `of`".to_owned())),
            },
        };
        for value in values {
            self.variables.insert(step.each.clone(), value);
            for inner in &step.steps {
                self.step(inner)?;
            }
        }
        Ok(())
    }

    /// Judges a value.
    pub(super) fn check(&mut self, step: &Check) -> StepResult {
        let value = step.that.evaluate(self)?;
        let because = step.because.clone().unwrap_or_else(|| "a value is not what it has to be".to_owned());
        self.hold(&value, &step.is, Cause::WrongBytes, &because)
    }

    /// Holds a value against a matcher; keeps what it captures.
    pub(super) fn hold(&mut self, value: &Value, matcher: &Matcher, cause: Cause, sentence: &str) -> StepResult {
        let mut captures = Captures::new();
        match matcher.check(value, self, &mut captures) {
            Ok(()) => {
                self.variables.extend(captures);
                Ok(())
            }
            Err(MatchError::Evaluation(error)) => Err(error.into()),
            Err(MatchError::Mismatch(mismatch)) => {
                let at = |text: String| match mismatch.path.as_str() {
                    "" => text,
                    path => format!("{path} = {text}"),
                };
                Err(Stop::broken(cause, sentence)
                    .expected(at(mismatch.expected.clone()))
                    .actual(at(mismatch.actual.clone()))
                    .into())
            }
        }
    }

    /// Judges the time since a clock.
    pub(super) fn elapsed(&mut self, step: &Elapsed) -> StepResult {
        let elapsed = self.since(&step.since)?.elapsed();
        self.judge_time(
            elapsed,
            step.at_least_ms.as_ref(),
            step.at_most_ms.as_ref(),
            &format!("since `{}`", step.since),
        )
    }

    /// Judges a time against limits in milliseconds, both inclusive.
    pub(super) fn judge_time(
        &mut self,
        elapsed: Duration,
        at_least_ms: Option<&Expression>,
        at_most_ms: Option<&Expression>,
        what: &str,
    ) -> StepResult {
        let ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        if let Some(limit) = at_least_ms {
            let limit = limit.number("a limit in ms", self)?;
            if ms < limit {
                return Err(Stop::broken(Cause::EarlyClose, format!("too early {what}"))
                    .expected(format!("not before {limit} ms"))
                    .actual(format!("{ms} ms"))
                    .into());
            }
        }
        if let Some(limit) = at_most_ms {
            let limit = limit.number("a limit in ms", self)?;
            if ms > limit {
                return Err(Stop::broken(Cause::StillOpen, format!("too late {what}"))
                    .expected(format!("within {limit} ms"))
                    .actual(format!("{ms} ms"))
                    .into());
            }
        }
        Ok(())
    }

    /// The time of a `clock` step.
    pub(super) fn since(&self, clock: &str) -> StepResult<Instant> {
        self.clocks.get(clock).copied().ok_or_else(|| Stop::Harness(format!("there is no clock `{clock}`")))
    }
}
