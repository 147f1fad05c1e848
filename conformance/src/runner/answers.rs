//! What a node's codec is asked over the control protocol, and its answers, read as what vectors and the fuzzer compare.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::cluster::RpcError;
use crate::codec::{self, TERM, Undecodable, Unreadable};
use crate::schema::{Phase, Schema};
use crate::vectors::{Fault, Reading, StreamEnd, TermReading};

/// A result or the node's own error.
pub(crate) type Answer = Result<Value, RpcError>;

/// Errors of the control protocol that are answers about bytes and about values.
const UNDECODABLE: i64 = -32020;
const UNENCODABLE: i64 = -32021;

/// Parameters of `codec.decode` and `codec.frames`.
pub(crate) fn of_bytes(phase: Phase, bytes: &[u8]) -> Value {
    json!({"phase": phase.to_string(), "bytes": hex::encode(bytes)})
}

/// Parameters of `codec.encode`; the fields as they stand in files.
pub(crate) fn of_message(schema: &Schema, message: &str, mut fields: Value) -> Value {
    codec::spoken(schema, message, &mut fields);
    let mut params = json!({"message": message});
    params["fields"] = fields;
    params
}

/// Parameters of `term.decode`.
pub(crate) fn of_term_bytes(bytes: &[u8]) -> Value {
    json!({"bytes": hex::encode(bytes)})
}

/// Parameters of `term.encode`; the term as it stands in files.
pub(crate) fn of_term(schema: &Schema, mut term: Value) -> Value {
    codec::spoken_document(schema, TERM, &mut term);
    let mut params = json!({});
    params["term"] = term;
    params
}

/// The answer to `codec.decode`.
pub(crate) fn reading(schema: &Schema, answer: Answer) -> Result<Result<Reading, Undecodable>, Fault> {
    match answer {
        Ok(mut result) => {
            let message = result["message"].as_str().unwrap_or_default().to_owned();
            let mut fields = result["fields"].take();
            codec::heard(schema, &message, &mut fields);
            Ok(Ok(Reading { message, fields, left_over: bytes(result.get("left_over"))? }))
        }
        Err(error) => kind(error, UNDECODABLE).map(Err),
    }
}

/// The answer to `codec.encode`.
pub(crate) fn written(answer: Answer) -> Result<Vec<u8>, Fault> {
    bytes(refused(answer)?.get("bytes"))
}

/// The answer to `codec.frames`.
pub(crate) fn frames(answer: Answer) -> Result<(Vec<Vec<u8>>, StreamEnd), Fault> {
    let result = refused(answer)?;
    let frames = result["frames"].as_array().into_iter().flatten().map(|frame| bytes(Some(frame)));
    let frames = frames.collect::<Result<_, _>>()?;
    let end = serde_json::from_value(result["end"].clone()).map_err(|error| Fault::Refused(error.to_string()))?;
    Ok((frames, end))
}

/// The answer to `codec.proof`.
pub(crate) fn proof(answer: Answer) -> Result<Vec<u8>, Fault> {
    bytes(refused(answer)?.get("proof"))
}

/// The answer to `term.decode`.
pub(crate) fn term_reading(schema: &Schema, answer: Answer) -> Result<Result<TermReading, Unreadable>, Fault> {
    match answer {
        Ok(mut result) => {
            let mut term = result["term"].take();
            codec::heard_document(schema, TERM, &mut term);
            Ok(Ok(TermReading { term, left_over: bytes(result.get("left_over"))? }))
        }
        Err(error) => kind(error, UNDECODABLE).map(Err),
    }
}

/// The answer to `term.encode`.
pub(crate) fn term_written(answer: Answer) -> Result<Result<Vec<u8>, String>, Fault> {
    match answer {
        Ok(result) => bytes(result.get("bytes")).map(Ok),
        Err(error) => kind(error, UNENCODABLE).map(Err),
    }
}

fn refused(answer: Answer) -> Result<Value, Fault> {
    answer.map_err(|error| Fault::Refused(error.to_string()))
}

/// Bytes in an answer; the schema has seen to it that they are hex.
fn bytes(value: Option<&Value>) -> Result<Vec<u8>, Fault> {
    value
        .and_then(Value::as_str)
        .and_then(|text| hex::decode(text).ok())
        .ok_or_else(|| Fault::Refused("the answer has no bytes".to_owned()))
}

/// `data.kind` of such an error; any other is a refusal to answer.
fn kind<T: DeserializeOwned>(error: RpcError, code: i64) -> Result<T, Fault> {
    let kind = error.data.as_ref().and_then(|data| data.get("kind")).cloned().unwrap_or_default();
    match serde_json::from_value(kind) {
        Ok(kind) if error.code == code => Ok(kind),
        _ => Err(Fault::Refused(error.to_string())),
    }
}
