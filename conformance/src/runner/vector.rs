//! Judges a node's codec by a golden vector, over the control protocol.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::case::Case;
use crate::cluster::{CallError, ControlClient, RpcError};
use crate::codec::{Undecodable, Unreadable};
use crate::results::{Blame, Cause, Failure, NodeLog, Outcome, Problem};
use crate::schema::{Phase, Schema};
use crate::vectors::{CodecUnderTest, Fault, Finding, Reading, StreamEnd, TermReading, Unresolved, judge_one};

use super::answers;
use super::environment::Environment;
use super::pool::CodecProcess;
use super::stop::Stop;

/// How long one vector may take: the largest are a text of 16 MiB and a list of a million items, which go back and forth as JSON.
const DEADLINE: Duration = Duration::from_secs(120);

/// Judges by one vector.
pub(super) fn judge(environment: &Environment, case: &Case, vector: &Unresolved) -> Outcome {
    let problem = |blame, message: String, logs| Outcome::Error {
        problem: Box::new(Problem { blame, message, logs, repeat: environment.repeat_of(case) }),
    };
    let vector = match vector.resolved(&environment.schema) {
        Ok(vector) => vector,
        Err(wrong) => return problem(Blame::Harness, wrong.to_string(), Vec::new()),
    };
    let implementation = environment.implementation();
    let process = match implementation.codecs.take(|| implementation.launch(0)) {
        Ok(process) => process,
        Err(Stop::Harness(message)) => return problem(Blame::Harness, message, Vec::new()),
        Err(Stop::Adapter(message)) => return problem(Blame::Adapter, message, Vec::new()),
        Err(Stop::Broken(broken)) => return problem(Blame::Adapter, broken.sentence, Vec::new()),
    };
    let deadline = Instant::now() + DEADLINE;
    let mut asked = Asked { client: &process.client, schema: &environment.schema, deadline, crash: None };
    let finding = judge_one(&vector, &mut asked);
    let crash = asked.crash.take();
    let failure = |cause, sentence: String, lines: Vec<String>| {
        let mut lines = lines.into_iter();
        Outcome::Fail {
            failure: Box::new(Failure {
                requirement: case.requirements[0].clone(),
                sentence,
                cause,
                place: Some(format!("vectors/{}.yaml", case.family)),
                expected: None,
                actual: lines.next(),
                bytes: None,
                meanwhile: lines.collect(),
                sessions: Vec::new(),
                logs: logs(&process),
                repeat: environment.repeat_of(case),
            }),
        }
    };
    let outcome = match (finding, crash) {
        (_, Some(crash)) => failure(Cause::Crash, format!("the node ended over this vector: {crash}"), Vec::new()),
        (Finding::Pass, None) => Outcome::Pass,
        (Finding::Fail(lines), None) => {
            failure(Cause::WrongBytes, "the node's codec and the vector disagree".to_owned(), lines)
        }
        (Finding::Error(message), None) => problem(Blame::Adapter, message, logs(&process)),
    };
    if matches!(outcome, Outcome::Pass | Outcome::Fail { .. }) {
        implementation.codecs.put_back(process);
    }
    outcome
}

fn logs(process: &CodecProcess) -> Vec<NodeLog> {
    let lines = process.process.log();
    let tail = &lines[lines.len().saturating_sub(20)..];
    vec![NodeLog { node: "codec".to_owned(), lines: tail.iter().map(|line| line.text.clone()).collect() }]
}

/// A node's codec, asked over the control protocol.
struct Asked<'a> {
    client: &'a ControlClient,
    schema: &'a Schema,
    deadline: Instant,
    crash: Option<String>,
}

impl Asked<'_> {
    fn call(&mut self, method: &str, params: Value) -> Result<Result<Value, RpcError>, Fault> {
        match self.client.call(method, params, self.deadline) {
            Ok(result) => Ok(Ok(result)),
            Err(CallError::Rpc(error)) => Ok(Err(error)),
            Err(error @ CallError::Exited { .. }) => {
                self.crash = Some(error.to_string());
                Err(Fault::Refused(error.to_string()))
            }
            Err(error) => Err(Fault::Unanswered(error.to_string())),
        }
    }
}

impl CodecUnderTest for Asked<'_> {
    fn decode(&mut self, phase: Phase, payload: &[u8]) -> Result<Result<Reading, Undecodable>, Fault> {
        answers::reading(self.schema, self.call("codec.decode", answers::of_bytes(phase, payload))?)
    }

    fn encode(&mut self, message: &str, fields: &Value) -> Result<Vec<u8>, Fault> {
        answers::written(self.call("codec.encode", answers::of_message(self.schema, message, fields.clone()))?)
    }

    fn frames(&mut self, phase: Phase, stream: &[u8]) -> Result<(Vec<Vec<u8>>, StreamEnd), Fault> {
        answers::frames(self.call("codec.frames", answers::of_bytes(phase, stream))?)
    }

    fn proof(&mut self, cookie: &[u8], challenge: &[u8]) -> Result<Vec<u8>, Fault> {
        let params = json!({"cookie": hex::encode(cookie), "challenge": hex::encode(challenge)});
        answers::proof(self.call("codec.proof", params)?)
    }

    fn term_decode(&mut self, term: &[u8]) -> Result<Result<TermReading, Unreadable>, Fault> {
        answers::term_reading(self.schema, self.call("term.decode", answers::of_term_bytes(term))?)
    }

    fn term_encode(&mut self, term: Value) -> Result<Result<Vec<u8>, String>, Fault> {
        answers::term_written(self.call("term.encode", answers::of_term(self.schema, term))?)
    }
}
