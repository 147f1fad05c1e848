//! Judges a node's codec by a golden vector, over the control protocol.

use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::case::Case;
use crate::cluster::{CallError, ControlClient, RpcError};
use crate::codec::{self, TERM, Undecodable, Unreadable};
use crate::results::{Blame, Cause, Failure, NodeLog, Outcome, Problem};
use crate::schema::{Phase, Schema};
use crate::vectors::{CodecUnderTest, Fault, Finding, Golden, Reading, StreamEnd, TermReading, judge_one};

use super::environment::Environment;
use super::pool::CodecProcess;
use super::stop::Stop;

/// How long one vector may take: the largest are a text of 16 MiB and a list of a million items, which go back and forth as JSON.
const DEADLINE: Duration = Duration::from_secs(120);

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
    let deadline = Instant::now() + DEADLINE;
    let mut asked = Asked { client: &process.client, schema: &environment.schema, deadline, crash: None };
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

/// Errors of the control protocol that are answers about bytes and about values.
const UNDECODABLE: i64 = -32020;
const UNENCODABLE: i64 = -32021;

/// `data.kind` of such an error; any other is a refusal to answer.
fn kind<T: DeserializeOwned>(error: RpcError, code: i64) -> Result<T, Fault> {
    let kind = error.data.as_ref().and_then(|data| data.get("kind")).cloned().unwrap_or_default();
    match serde_json::from_value(kind) {
        Ok(kind) if error.code == code => Ok(kind),
        _ => Err(Fault::Refused(error.to_string())),
    }
}

impl CodecUnderTest for Asked<'_> {
    fn decode(&mut self, phase: Phase, payload: &[u8]) -> Result<Result<Reading, Undecodable>, Fault> {
        let params = json!({"phase": phase_name(phase), "bytes": hex::encode(payload)});
        match self.call("codec.decode", params)? {
            Ok(mut result) => {
                let message = result["message"].as_str().unwrap_or_default().to_owned();
                let mut fields = result["fields"].take();
                codec::heard(self.schema, &message, &mut fields);
                Ok(Ok(Reading { message, fields, left_over: bytes(result.get("left_over"))? }))
            }
            Err(error) => kind(error, UNDECODABLE).map(Err),
        }
    }

    fn encode(&mut self, message: &str, fields: &Value) -> Result<Vec<u8>, Fault> {
        let mut fields = fields.clone();
        codec::spoken(self.schema, message, &mut fields);
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

    fn term_decode(&mut self, term: &[u8]) -> Result<Result<TermReading, Unreadable>, Fault> {
        match self.call("term.decode", json!({"bytes": hex::encode(term)}))? {
            Ok(mut result) => {
                let mut term = result["term"].take();
                codec::heard_document(self.schema, TERM, &mut term);
                Ok(Ok(TermReading { term, left_over: bytes(result.get("left_over"))? }))
            }
            Err(error) => kind(error, UNDECODABLE).map(Err),
        }
    }

    fn term_encode(&mut self, mut term: Value) -> Result<Result<Vec<u8>, String>, Fault> {
        codec::spoken_document(self.schema, TERM, &mut term);
        let mut params = json!({});
        params["term"] = term;
        match self.call("term.encode", params)? {
            Ok(result) => bytes(result.get("bytes")).map(Ok),
            Err(error) => kind(error, UNENCODABLE).map(Err),
        }
    }
}
