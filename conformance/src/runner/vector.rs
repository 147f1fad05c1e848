//! Judges a node's codec by a golden vector, over the control protocol.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::case::Case;
use crate::cluster::{CallError, ControlClient, RpcError};
use crate::codec::Undecodable;
use crate::results::{Blame, Cause, Failure, NodeLog, Outcome, Problem};
use crate::schema::Phase;
use crate::vectors::{CodecUnderTest, Fault, Finding, Golden, Reading, StreamEnd, judge_one};

use super::environment::Environment;
use super::pool::CodecProcess;
use super::stop::Stop;

/// How long one vector may take: the largest is a text of 16 MiB, which goes back and forth as JSON.
const DEADLINE: Duration = Duration::from_secs(60);

/// Judges by one vector.
pub(super) fn judge(environment: &Environment, case: &Case, vector: &Golden) -> Outcome {
    let problem = |blame, message: String, logs| Outcome::Error {
        problem: Box::new(Problem { blame, message, logs, repeat: environment.repeat_of(case) }),
    };
    let process = match environment.codecs.take(|| environment.launch()) {
        Ok(process) => process,
        Err(Stop::Harness(message)) => return problem(Blame::Harness, message, Vec::new()),
        Err(Stop::Adapter(message)) => return problem(Blame::Adapter, message, Vec::new()),
        Err(Stop::Broken(broken)) => return problem(Blame::Adapter, broken.sentence, Vec::new()),
    };
    let mut asked = Asked { client: &process.client, deadline: Instant::now() + DEADLINE, crash: None };
    let finding = judge_one(vector, &mut asked);
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
        environment.codecs.put_back(process);
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

    fn result(&mut self, method: &str, params: Value) -> Result<Value, Fault> {
        self.call(method, params)?.map_err(|error| Fault::Refused(error.to_string()))
    }
}

const fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Handshake => "handshake",
        Phase::Session => "session",
    }
}

/// Bytes in an answer; the schema has seen to it that they are hex.
fn bytes(value: Option<&Value>) -> Result<Vec<u8>, Fault> {
    value
        .and_then(Value::as_str)
        .and_then(|text| hex::decode(text).ok())
        .ok_or_else(|| Fault::Refused("the answer has no bytes".to_owned()))
}

impl CodecUnderTest for Asked<'_> {
    fn decode(&mut self, phase: Phase, payload: &[u8]) -> Result<Result<Reading, Undecodable>, Fault> {
        let params = json!({"phase": phase_name(phase), "bytes": hex::encode(payload)});
        match self.call("codec.decode", params)? {
            Ok(result) => Ok(Ok(Reading {
                message: result["message"].as_str().unwrap_or_default().to_owned(),
                fields: result["fields"].clone(),
                left_over: bytes(result.get("left_over"))?,
            })),
            Err(error) => {
                let kind = error.data.as_ref().and_then(|data| data.get("kind")).cloned().unwrap_or_default();
                match serde_json::from_value(kind) {
                    Ok(undecodable) if error.code == -32020 => Ok(Err(undecodable)),
                    _ => Err(Fault::Refused(error.to_string())),
                }
            }
        }
    }

    fn encode(&mut self, message: &str, fields: &Value) -> Result<Vec<u8>, Fault> {
        let result = self.result("codec.encode", json!({"message": message, "fields": fields}))?;
        bytes(result.get("bytes"))
    }

    fn frames(&mut self, phase: Phase, stream: &[u8]) -> Result<(Vec<Vec<u8>>, StreamEnd), Fault> {
        let params = json!({"phase": phase_name(phase), "bytes": hex::encode(stream)});
        let result = self.result("codec.frames", params)?;
        let frames = result["frames"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|frame| bytes(Some(frame)))
            .collect::<Result<_, _>>()?;
        let end = serde_json::from_value(result["end"].clone()).map_err(|error| Fault::Refused(error.to_string()))?;
        Ok((frames, end))
    }

    fn proof(&mut self, cookie: &[u8], challenge: &[u8]) -> Result<Vec<u8>, Fault> {
        let params = json!({"cookie": hex::encode(cookie), "challenge": hex::encode(challenge)});
        let result = self.result("codec.proof", params)?;
        bytes(result.get("proof"))
    }
}
