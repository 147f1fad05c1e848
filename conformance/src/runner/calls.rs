//! Steps of the control protocol that ask: requests and answers.

use std::thread;
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::cluster::{CallError, RpcError};
use crate::results::Cause;
use crate::scenario::step::{Await, Call, Eventually, StartCall};
use crate::scenario::{Expression, Matcher};

use super::context::{Asked, Context};
use super::stop::{StepResult, Stop};

/// The errors of the control protocol by name: `spec/control.md`, "Errors".
const ERRORS: &[(&str, i64)] = &[
    ("unknown method", -32601),
    ("invalid params", -32602),
    ("failed", -32000),
    ("not started", -32001),
    ("already started", -32002),
    ("invalid name", -32003),
    ("connect failed", -32004),
    ("name taken", -32005),
    ("unknown name", -32006),
    ("no process", -32007),
    ("not connected", -32008),
    ("too large", -32009),
    ("unknown member", -32010),
    ("refused", -32011),
    ("noconnection", -32012),
    ("undecodable", -32020),
    ("unencodable", -32021),
];

/// Between two looks at a state that has to come about.
pub(super) const POLL: Duration = Duration::from_millis(20);

impl Context<'_> {
    /// Calls a method and judges its answer.
    pub(super) fn call(&mut self, step: &Call) -> StepResult {
        let key = self.node_key(step.node.as_deref())?;
        let params = self.params(&step.params)?;
        let method = self.name(&step.method)?;
        let params = if method == "node.start" { self.bound_params(&key, params)? } else { params };
        let deadline = self.deadline;
        let note = self.ledger.asked(&key, &method, &params);
        let answer = self.node(&key)?.client()?.call(&method, params, deadline);
        self.ledger.answered(note, &answer);
        if let (Ok(started), "node.start") = (&answer, method.as_str()) {
            let started = started.clone();
            self.started_by_hand(&key, &started)?;
        }
        self.judge_answer(&key, &method, answer, step.result.as_ref(), step.error.as_deref())
    }

    /// Sends a request.
    pub(super) fn start_call(&mut self, step: &StartCall) -> StepResult {
        let key = self.node_key(step.node.as_deref())?;
        let params = self.params(&step.params)?;
        let id = self.name(&step.id)?;
        self.send_request(id, key, &step.method, params)
    }

    /// Sends a request whose answer is awaited under `id`.
    pub(super) fn send_request(&mut self, id: String, key: String, method: &str, params: Value) -> StepResult {
        let note = self.ledger.asked(&key, method, &params);
        let pending = self.node(&key)?.client()?.start_call(method, params);
        self.pending.insert(id, Asked { node: key, method: method.to_owned(), note, pending });
        Ok(())
    }

    /// Awaits the answer to an earlier request.
    pub(super) fn await_answer(&mut self, step: &Await) -> StepResult {
        let id = self.name(&step.call)?;
        let Asked { node: key, method, note, pending } =
            self.pending.shift_remove(&id).ok_or_else(|| Stop::Harness(format!("no call `{id}` is under way")))?;
        let deadline = self.within(step.within_ms.as_ref())?;
        let answer = pending.wait(deadline);
        self.ledger.answered(note, &answer);
        self.judge_answer(&key, &method, answer, step.result.as_ref(), step.error.as_deref())
    }

    /// Calls a method until its result matches.
    pub(super) fn eventually(&mut self, step: &Eventually) -> StepResult {
        let keys = match &step.node {
            Some(nodes) => nodes.names().to_vec(),
            None => vec![self.node_key(None)?],
        };
        for key in keys {
            let key = self.name(&key)?;
            let params = self.params(&step.params)?;
            loop {
                let answer = self.node(&key)?.client()?.call(&step.method, params.clone(), self.deadline);
                let judged = self.judge_answer(&key, &step.method, answer, step.result.as_ref(), step.error.as_deref());
                match judged {
                    Ok(()) => break,
                    // A wrong answer may become right; anything else will not.
                    Err(Stop::Broken(broken))
                        if broken.cause == Cause::WrongAnswer && Instant::now() < self.deadline =>
                    {
                        thread::sleep(POLL);
                    }
                    Err(stop) => return Err(stop),
                }
            }
        }
        Ok(())
    }

    fn params(&self, params: &IndexMap<String, Expression>) -> StepResult<Value> {
        let mut object = Map::new();
        for (name, value) in params {
            object.insert(name.clone(), value.evaluate(self)?);
        }
        Ok(Value::Object(object))
    }

    fn judge_answer(
        &mut self,
        key: &str,
        method: &str,
        answer: Result<Value, CallError>,
        result: Option<&Matcher>,
        error: Option<&str>,
    ) -> StepResult {
        match (answer, error) {
            (Ok(value), None) => match result {
                Some(matcher) => {
                    let sentence = format!("`{key}` answered {method} with a wrong result");
                    self.hold(&value, matcher, Cause::WrongAnswer, &sentence)
                }
                None => Ok(()),
            },
            (Ok(value), Some(error)) => {
                Err(Stop::broken(Cause::WrongAnswer, format!("`{key}` did {method}, which is an error"))
                    .expected(format!("error {} ({error})", code(error)?))
                    .actual(format!("result {value}"))
                    .into())
            }
            (Err(CallError::Rpc(RpcError { code: actual, message, .. })), Some(error)) => {
                let expected = code(error)?;
                if actual == expected {
                    return Ok(());
                }
                Err(Stop::broken(Cause::WrongAnswer, format!("`{key}` refused {method} with another error"))
                    .expected(format!("error {expected} ({error})"))
                    .actual(format!("error {actual}: {message}"))
                    .into())
            }
            (Err(error), _) => Err(call_stop(key, method, error)),
        }
    }
}

fn code(name: &str) -> StepResult<i64> {
    ERRORS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, code)| *code)
        .ok_or_else(|| Stop::Harness(format!("the control protocol has no error `{name}`")))
}

/// An answer that is no result, where a result was needed.
pub(super) fn call_stop(key: &str, method: &str, error: CallError) -> Stop {
    match error {
        CallError::Rpc(RpcError { code: -32601, .. }) => Stop::Adapter(format!(
            "`{key}` does not know the method {method}, which a capability that it claims asks for"
        )),
        CallError::Rpc(RpcError { code, message, .. }) => {
            Stop::broken(Cause::WrongAnswer, format!("`{key}` refused {method}"))
                .expected("a result")
                .actual(format!("error {code}: {message}"))
                .into()
        }
        CallError::Exited { .. } => {
            Stop::broken(Cause::Crash, format!("`{key}` ended during {method}: {error}")).blames("FRAME-21").into()
        }
        CallError::TimedOut { .. } => Stop::broken(Cause::Crash, format!("`{key}` did not answer {method}"))
            .expected("an answer")
            .actual("nothing by the case's deadline")
            .into(),
        CallError::AdapterFault(fault) => Stop::Adapter(format!("`{key}`: {fault}")),
    }
}
