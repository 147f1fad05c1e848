//! Terms in vector files: what people write of them, the bytes that follow, and what a codec has to make of both.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::file::{FileSegment, plain};
use super::resolve::{Body, ResolveProblem, segments};
use crate::codec::{
    EncodeError, Encoded, Mutation, Segment, TERM, Unreadable, Value, decode_document, encode_document, mutate,
};
use crate::schema::{Schema, Type};

/// One term: a value, a mutation `of` one, or bytes that no value and no one change of its bytes gives.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileTerm {
    pub(super) id: String,
    #[serde(default)]
    pub(super) requirements: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) of: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) mutation: Option<Mutation>,
    /// Bytes that cannot be read: hex, `{repeat: hex, times: n}`, or a list of these.
    #[serde(default, deserialize_with = "plain", skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<Json>,
    /// Given where there is neither `of` nor `bytes`; else computed, where the bytes can be read.
    #[serde(default, deserialize_with = "plain", skip_serializing_if = "Option::is_none")]
    pub(super) term: Option<Json>,
    /// Computed: hex of what readers ignore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) left_over: Option<String>,
    pub(super) verdict: TermVerdict,
    /// Computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    /// Computed.
    #[serde(default)]
    pub(super) segments: Vec<FileSegment>,
}

/// What a codec makes of a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum TermVerdict {
    /// It can be written and read, or it cannot be written.
    Writing(Writing),
    /// Its bytes cannot be read: `data.kind` of the control protocol's error -32020.
    Unreadable(Unreadable),
}

/// Whether a value has a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Writing {
    /// It is written as these bytes, and they are read as this value.
    Valid,
    /// It holds a closure, and is refused.
    Refused,
}

impl TermVerdict {
    /// Bytes that are the form of a value.
    pub const VALID: Self = Self::Writing(Writing::Valid);
}

impl fmt::Display for TermVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = serde_json::to_value(self).unwrap_or_default();
        f.write_str(word.as_str().unwrap_or_default())
    }
}

/// What a term is.
#[derive(Clone, Debug)]
pub enum ExpectedTerm {
    /// A value, which is written as these bytes but for what is left over.
    Value {
        /// As in files: long ones in shorthand.
        term: Json,
        /// What is behind it.
        left_over: Vec<u8>,
    },
    /// Nothing that can be read.
    Unreadable(Unreadable),
    /// A value that cannot be written, as in files.
    Refused(Json),
}

/// Up to so many levels readers may go by the control protocol, and from [`crate::schema::DocumentLayout::depth`] on they need not:
/// between the two nothing can be expected of any.
const CONTROL_DEPTH: usize = 1000;

/// Terms with more bytes are kept as people wrote them: a million items would take as many maps.
const LARGE: usize = 1 << 16;

/// The bytes of a term that is no mutation; `None` for one that has no form.
pub(super) fn origin(schema: &Schema, vector: &FileTerm) -> Result<Option<Encoded>, ResolveProblem> {
    if let (Some(bytes), None, None) = (&vector.bytes, &vector.term, &vector.mutation) {
        return given(schema, bytes).map(Some);
    }
    let (Some(term), None, None) = (&vector.term, &vector.mutation, &vector.bytes) else {
        return Err(ResolveProblem::Source);
    };
    match encode_document(schema, TERM, &value(schema, term)?) {
        Err(EncodeError::Forbidden { .. }) if vector.verdict == TermVerdict::Writing(Writing::Refused) => Ok(None),
        encoded => Ok(Some(encoded?)),
    }
}

/// Bytes that a person wrote, part by part.
fn given(schema: &Schema, bytes: &Json) -> Result<Encoded, ResolveProblem> {
    let parts = bytes.as_array().map_or(std::slice::from_ref(bytes), Vec::as_slice);
    let mut segments = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let field = format!("bytes[{index}]");
        let Value::Bytes(bytes) = Value::from_json(schema, &field, &Type::Rest, part)? else {
            return Err(ResolveProblem::Bytes("a part is bytes"));
        };
        segments.push(Segment { field, bytes, meaning: "as they are".to_owned() });
    }
    Ok(Encoded { segments })
}

fn value(schema: &Schema, term: &Json) -> Result<Value, ResolveProblem> {
    let open = schema.document(TERM).and_then(|layout| layout.open()).ok_or(ResolveProblem::Source)?;
    Ok(Value::from_json(schema, &open.name, &open.ty, term)?)
}

/// Fills in what is computed of one term.
pub(super) fn resolve(
    schema: &Schema,
    origins: &HashMap<String, Encoded>,
    vector: &mut FileTerm,
) -> Result<Body, ResolveProblem> {
    let disagreement = |found: String| ResolveProblem::Disagreement { said: vector.verdict.to_string(), found };
    let encoded = match (&vector.of, &vector.mutation) {
        (None, _) => match (origins.get(&vector.id), &vector.term) {
            (Some(encoded), _) => encoded.clone(),
            (None, Some(term)) => return Ok(refused(term.clone(), vector)),
            (None, None) => return Err(ResolveProblem::Source),
        },
        (Some(of), Some(mutation)) => {
            mutate::mutate(origins.get(of).ok_or_else(|| ResolveProblem::Origin(of.clone()))?, mutation)?
        }
        (Some(_), None) => return Err(ResolveProblem::Source),
    };
    let bytes = encoded.payload();
    let expected = match decode_document(schema, TERM, &bytes) {
        Ok(decoded) => {
            if vector.verdict != TermVerdict::VALID || vector.bytes.is_some() {
                return Err(disagreement(TermVerdict::VALID.to_string()));
            }
            let term = match &vector.term {
                Some(term) if vector.of.is_none() => {
                    if value(schema, term)? != decoded.value {
                        return Err(disagreement("another value behind its bytes".to_owned()));
                    }
                    if bytes.len() > LARGE { term.clone() } else { decoded.value.to_json() }
                }
                _ => {
                    let term = decoded.value.to_json();
                    vector.term = Some(term.clone());
                    term
                }
            };
            vector.left_over = (!decoded.left_over.is_empty()).then(|| hex::encode(&decoded.left_over));
            vector.error = None;
            ExpectedTerm::Value { term, left_over: decoded.left_over }
        }
        Err(error) => {
            let found = error.kind.unreadable();
            if vector.verdict != TermVerdict::Unreadable(found) {
                return Err(disagreement(format!("{}: {error}", TermVerdict::Unreadable(found))));
            }
            if found == Unreadable::TooDeep && !is_bottomless(vector) {
                return Err(disagreement(format!("fewer than {CONTROL_DEPTH} levels: readers may differ")));
            }
            (vector.term, vector.left_over) = (None, None);
            vector.error = Some(shortened(&error.to_string()));
            ExpectedTerm::Unreadable(found)
        }
    };
    vector.segments = segments(&encoded);
    Ok(Body::Term { encoded, expected })
}

fn refused(term: Json, vector: &mut FileTerm) -> Body {
    (vector.left_over, vector.error) = (None, None);
    vector.segments.clear();
    Body::Term { encoded: Encoded { segments: Vec::new() }, expected: ExpectedTerm::Refused(term) }
}

/// A value takes a byte at least, so what is repeated that often is as many levels, or more.
fn is_bottomless(vector: &FileTerm) -> bool {
    let often = |part: &Json| part["times"].as_u64().is_some_and(|times| times > CONTROL_DEPTH as u64);
    match (&vector.mutation, &vector.bytes) {
        (Some(Mutation::Repeat { times, .. }), _) => *times > CONTROL_DEPTH,
        (_, Some(bytes)) => often(bytes) || bytes.as_array().is_some_and(|parts| parts.iter().any(often)),
        _ => false,
    }
}

/// The place of a fault at the 129th level takes a thousand letters.
fn shortened(error: &str) -> String {
    let chars: Vec<char> = error.chars().collect();
    if chars.len() <= 160 {
        return error.to_owned();
    }
    let (begin, end) = (chars[..60].iter(), chars[chars.len() - 60..].iter());
    begin.chain(['…'].iter()).chain(end).collect()
}
