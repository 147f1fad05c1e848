//! Steps of the control protocol that listen: notifications, one by one or many in order.

use std::cell::RefCell;
use std::time::Instant;

use indexmap::IndexMap;
use serde_json::{Value, json};

use crate::cluster::{CallError, Event};
use crate::results::Cause;
use crate::scenario::Matcher;
use crate::scenario::expression::{EvaluationError, shortened};
use crate::scenario::matcher::{Captures, MatchError, Mismatch};
use crate::scenario::step::{self, Events};

use super::calls::call_stop;
use super::context::Context;
use super::stop::{Broken, StepResult, Stop};

/// How many notifications a report shows.
const SHOWN: usize = 20;

impl Context<'_> {
    /// Awaits a notification that no earlier step took.
    pub(super) fn event(&mut self, step: &step::Event) -> StepResult {
        let key = self.node_key(step.node.as_deref())?;
        let wanted = Wanted::new(self.name(&step.method)?, &step.params);
        match self.next_event(&key, &wanted, self.deadline)? {
            Ok((_, captures)) => {
                self.variables.extend(captures);
                Ok(())
            }
            Err(CallError::TimedOut { .. }) => Err(self.untold(&key, &wanted)?.into()),
            Err(error) => Err(call_stop(&key, &wanted.method, error)),
        }
    }

    /// After a barrier: no such notification may be left.
    pub(super) fn no_event(&mut self, step: &step::Event) -> StepResult {
        let key = self.node_key(step.node.as_deref())?;
        let deadline = self.deadline;
        self.node(&key)?
            .client()?
            .call("barrier", json!({}), deadline)
            .map_err(|error| call_stop(&key, "barrier", error))?;
        let wanted = Wanted::new(self.name(&step.method)?, &step.params);
        match self.next_event(&key, &wanted, Instant::now())? {
            Err(CallError::TimedOut { .. }) => Ok(()),
            Err(error) => Err(call_stop(&key, &wanted.method, error)),
            Ok((event, _)) => {
                Err(Stop::broken(Cause::UnexpectedFrame, format!("`{key}` told {}, which it must not", wanted.method))
                    .expected(format!("no {}", wanted.describe(self)?))
                    .actual(told(&event))
                    .into())
            }
        }
    }

    /// Awaits many notifications and judges them together.
    pub(super) fn events(&mut self, step: &Events) -> StepResult {
        let key = self.node_key(step.node.as_deref())?;
        let wanted = Wanted::new(self.name(&step.method)?, &step.params);
        let count = usize::try_from(step.count.number("count", self)?).unwrap_or(usize::MAX);
        let wrong = RefCell::new(None);
        let found = self
            .node(&key)?
            .client()?
            .next_events(self.deadline, &wanted.method, count, |event| wanted.fits(self, event, &wrong).is_some());
        if let Some(error) = wrong.take() {
            return Err(error.into());
        }
        let events = match found {
            Ok(events) => events,
            Err(CallError::TimedOut { .. }) => return Err(self.too_few(&key, &wanted, count)?.into()),
            Err(error) => return Err(call_stop(&key, &wanted.method, error)),
        };
        let Some(matcher) = &step.are else { return Ok(()) };
        let judged = events.into_iter().map(|mut event| match &step.field {
            Some(field) => event.params.shift_remove(field).unwrap_or(Value::Null),
            None => {
                event.params.shift_remove("seq");
                Value::Object(event.params)
            }
        });
        let sentence = format!("the notifications {} of `{key}` are wrong", wanted.method);
        self.hold(&Value::Array(judged.collect()), matcher, Cause::WrongAnswer, &sentence)
    }

    /// Takes the oldest notification that matches, with what it captures.
    fn next_event(
        &self,
        key: &str,
        wanted: &Wanted,
        deadline: Instant,
    ) -> StepResult<Result<(Event, Captures), CallError>> {
        let captured = RefCell::new(Captures::new());
        let wrong = RefCell::new(None);
        let event = self.node(key)?.client()?.next_event(deadline, &wanted.method, |event| {
            let captures = wanted.fits(self, event, &wrong);
            captures.map(|captures| captured.replace(captures)).is_some()
        });
        match wrong.into_inner() {
            Some(error) => Err(error.into()),
            None => Ok(event.map(|event| (event, captured.into_inner()))),
        }
    }

    /// Why an awaited notification did not come: the nearest one that did, or that there is none.
    fn untold(&self, key: &str, wanted: &Wanted) -> StepResult<Broken> {
        let told_so_far = self.node(key)?.client()?.untaken_events();
        let nearest = wanted.nearest(self, &told_so_far);
        let broken = match nearest {
            Some((event, mismatch)) => Stop::broken(
                Cause::WrongAnswer,
                format!("`{key}` told {} with a wrong {}", wanted.method, mismatch.path),
            )
            .expected(format!("{} = {}", mismatch.path, mismatch.expected))
            .actual(format!("{} = {} in {}", mismatch.path, mismatch.actual, told(event))),
            None => Stop::broken(Cause::MissingFrame, format!("`{key}` did not tell {}", wanted.method))
                .expected(wanted.describe(self)?),
        };
        Ok(broken.meanwhile(self.told_by(key)?))
    }

    fn too_few(&self, key: &str, wanted: &Wanted, count: usize) -> StepResult<Broken> {
        let wrong = RefCell::new(None);
        let fits = |event: &Event| wanted.fits(self, event, &wrong).is_some();
        let found = self.node(key)?.client()?.untaken_events().iter().filter(|event| fits(event)).count();
        Ok(Stop::broken(Cause::MissingFrame, format!("`{key}` told too few {}", wanted.method))
            .expected(format!("{count} of {}", wanted.describe(self)?))
            .actual(format!("{found} of them"))
            .meanwhile(self.told_by(key)?))
    }

    /// What a node has told last.
    fn told_by(&self, key: &str) -> StepResult<Vec<String>> {
        let events = self.node(key)?.client()?.events();
        let left_out = events.len().saturating_sub(SHOWN);
        let mut lines: Vec<String> = events[left_out..].iter().map(|event| format!("{key}: {}", told(event))).collect();
        if left_out > 0 {
            lines.insert(0, format!("{key}: {left_out} earlier notifications left out"));
        }
        Ok(lines)
    }
}

/// A notification that is awaited, or that must not come.
struct Wanted {
    method: String,
    params: Matcher,
}

impl Wanted {
    fn new(method: String, params: &IndexMap<String, Matcher>) -> Self {
        Self { method, params: Matcher::Object(params.clone()) }
    }

    /// What is captured, if this is one. A mistake of the scenario ends the search, too, and goes to `wrong`.
    fn fits(&self, context: &Context<'_>, event: &Event, wrong: &RefCell<Option<EvaluationError>>) -> Option<Captures> {
        if event.method != self.method {
            return None;
        }
        let mut captures = Captures::new();
        match self.params.check_object(&event.params, context, &mut captures) {
            Ok(()) => Some(captures),
            Err(MatchError::Mismatch(_)) => None,
            Err(MatchError::Evaluation(error)) => {
                wrong.replace(Some(error));
                Some(captures)
            }
        }
    }

    /// The last notification of this method of which at least one parameter is right, and the most are.
    fn nearest<'e>(&self, context: &Context<'_>, events: &'e [Event]) -> Option<(&'e Event, Mismatch)> {
        let Matcher::Object(wanted) = &self.params else { return None };
        let right = |event: &Event| {
            let holds = |(key, matcher): &(&String, &Matcher)| {
                let value = event.params.get(*key);
                value.is_some_and(|value| matcher.check(value, context, &mut Captures::new()).is_ok())
            };
            wanted.iter().filter(holds).count()
        };
        let same_method = events.iter().filter(|event| event.method == self.method);
        let (right, event) = same_method.map(|event| (right(event), event)).max_by_key(|(right, _)| *right)?;
        match self.params.check_object(&event.params, context, &mut Captures::new()) {
            Err(MatchError::Mismatch(mismatch)) if right > 0 => Some((event, mismatch)),
            _ => None,
        }
    }

    fn describe(&self, context: &Context<'_>) -> StepResult<String> {
        Ok(format!("{} {}", self.method, self.params.describe(context)?))
    }
}

/// A notification, for people: cut where it grows long.
fn told(event: &Event) -> String {
    format!("{} {}", event.method, shortened(&Value::Object(event.params.clone())))
}
