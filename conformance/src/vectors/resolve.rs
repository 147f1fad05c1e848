//! From what people wrote in vector files to bytes: fills the computed parts in, and yields the vectors ready to judge by.

use std::collections::HashMap;

use super::file::{
    FileBytes, FileHmac, FilePart, FileParty, FileSegment, FileSet, FileStep, FileStream, FileTranscript, FileVector,
    Outcome, StreamEnd, Verdict,
};
use super::terms::{self, ExpectedTerm};

use crate::codec::{
    DecodeError, EncodeError, Encoded, FrameReader, Message, MutationError, PROOF_BYTES, Segment, Undecodable, Value,
    ValueError, decode, encode, frame, mutate, proof,
};
use crate::schema::{Phase, Schema, Type};

/// The vectors of one family, in file order: payloads, terms, streams, transcripts.
#[derive(Clone, Debug)]
pub struct VectorSet {
    /// The family word.
    pub family: String,
    /// Its vectors.
    pub vectors: Vec<Golden>,
}

/// One golden vector.
#[derive(Clone, Debug)]
pub struct Golden {
    /// Such as `registry/global-register-minimal`; never reused.
    pub id: String,
    /// Ids of the requirements that it shows.
    pub requirements: Vec<String>,
    /// What is special about it.
    pub note: Option<String>,
    /// The bytes and what they mean.
    pub body: Body,
}

/// The four sorts of vectors.
#[derive(Clone, Debug)]
pub enum Body {
    /// One payload, without its frame's length.
    Payload {
        /// The phase in which it comes.
        phase: Phase,
        /// Its bytes, segment by segment.
        encoded: Encoded,
        /// What they are.
        expected: Expected,
        /// Whether a node has to be able to write it, too.
        sendable: bool,
    },
    /// One term.
    Term {
        /// Its bytes, segment by segment; none where it cannot be written.
        encoded: Encoded,
        /// What they are.
        expected: ExpectedTerm,
    },
    /// Bytes as they arrive.
    Stream {
        /// The phase, whose limit holds.
        phase: Phase,
        /// The pieces.
        chunks: Vec<Vec<u8>>,
        /// The payloads in them.
        frames: Vec<Vec<u8>>,
        /// Where they end.
        end: StreamEnd,
    },
    /// A whole handshake.
    Transcript {
        /// Its messages, in order.
        steps: Vec<Step>,
    },
}

/// What a payload is.
#[derive(Clone, Debug)]
pub enum Expected {
    /// A message, with what is left over behind it.
    Message(Message),
    /// Nothing that can be read.
    Undecodable(Undecodable),
}

/// One message of a handshake.
#[derive(Clone, Debug)]
pub struct Step {
    /// `initiator` or `acceptor`.
    pub from: &'static str,
    /// What is sent.
    pub message: Message,
    /// Its bytes.
    pub encoded: Encoded,
    /// Where the proof in it comes from.
    pub hmac: Option<Hmac>,
}

/// A proof and its origin.
#[derive(Clone, Debug)]
pub struct Hmac {
    /// The sender's cookie.
    pub key: Vec<u8>,
    /// The receiver's challenge.
    pub input: Vec<u8>,
    /// HMAC-SHA256 of the two.
    pub output: [u8; PROOF_BYTES],
}

/// A vector from which no bytes follow, or others than it says.
#[derive(Debug, thiserror::Error)]
#[error("{id}: {problem}")]
pub struct ResolveError {
    /// The vector.
    pub id: String,
    /// What is wrong with it.
    pub problem: ResolveProblem,
}

/// What can be wrong with a vector.
#[derive(Debug, thiserror::Error)]
pub enum ResolveProblem {
    /// A field that does not fit the schema.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// A message that cannot be written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// A mutation that does not apply to its origin.
    #[error("mutation: {0}")]
    Mutation(#[from] MutationError),
    /// Not a message with fields or a term, and not a mutation of one.
    #[error("has either message and fields, or a term, or of and what is changed")]
    Source,
    /// `of` names no vector that is a valid message with fields.
    #[error("there is no origin {0}")]
    Origin(String),
    /// The message belongs to the other phase.
    #[error("{0} is not a message of that phase")]
    Phase(String),
    /// What stands in the file is not what the codec finds.
    #[error("says {said}, and the codec finds {found}")]
    Disagreement {
        /// In the file.
        said: String,
        /// By the codec.
        found: String,
    },
    /// Hex, or a number of bytes, that does not belong there.
    #[error("{0}")]
    Bytes(&'static str),
}

/// Fills in everything computed, in place, and returns the vectors of each set.
pub(super) fn resolve(schema: &Schema, files: &mut [FileSet]) -> Result<Vec<VectorSet>, ResolveError> {
    let mut origins: HashMap<String, Encoded> = HashMap::new();
    for vector in files.iter().flat_map(|file| &file.vectors).filter(|vector| vector.of.is_none()) {
        let encoded = origin(schema, vector).map_err(|problem| ResolveError { id: vector.id.clone(), problem })?;
        origins.insert(vector.id.clone(), encoded);
    }
    for vector in files.iter().flat_map(|file| &file.terms).filter(|vector| vector.of.is_none()) {
        let encoded =
            terms::origin(schema, vector).map_err(|problem| ResolveError { id: vector.id.clone(), problem })?;
        origins.extend(encoded.map(|encoded| (vector.id.clone(), encoded)));
    }
    let mut sets = Vec::new();
    for file in files {
        let mut vectors = Vec::new();
        for vector in &mut file.vectors {
            let body = payload(schema, &origins, vector);
            vectors.push(golden(&vector.id, &vector.requirements, &vector.note, body)?);
        }
        for vector in &mut file.terms {
            let body = terms::resolve(schema, &origins, vector);
            vectors.push(golden(&vector.id, &vector.requirements, &vector.note, body)?);
        }
        for vector in &mut file.streams {
            let body = stream(schema, vector);
            vectors.push(golden(&vector.id, &vector.requirements, &vector.note, body)?);
        }
        for vector in &mut file.transcripts {
            let body = transcript(schema, vector);
            vectors.push(golden(&vector.id, &vector.requirements, &vector.note, body)?);
        }
        sets.push(VectorSet { family: file.family.clone(), vectors });
    }
    Ok(sets)
}

pub(super) fn golden(
    id: &str,
    requirements: &[String],
    note: &Option<String>,
    body: Result<Body, ResolveProblem>,
) -> Result<Golden, ResolveError> {
    let body = body.map_err(|problem| ResolveError { id: id.to_owned(), problem })?;
    Ok(Golden { id: id.to_owned(), requirements: requirements.to_vec(), note: note.clone(), body })
}

/// The bytes of a vector that is no mutation.
pub(super) fn origin(schema: &Schema, vector: &FileVector) -> Result<Encoded, ResolveProblem> {
    let (Some(name), Some(fields), None) = (&vector.message, &vector.fields, &vector.mutation) else {
        return Err(ResolveProblem::Source);
    };
    let message = Message::from_json(schema, name, fields)?;
    if schema.message(name).is_none_or(|layout| layout.phase != vector.phase) {
        return Err(ResolveProblem::Phase(name.clone()));
    }
    Ok(encode(schema, &message)?)
}

pub(super) fn payload(
    schema: &Schema,
    origins: &HashMap<String, Encoded>,
    vector: &mut FileVector,
) -> Result<Body, ResolveProblem> {
    let encoded = match (&vector.of, &vector.mutation) {
        (None, _) => origins.get(&vector.id).cloned().ok_or(ResolveProblem::Source)?,
        (Some(of), Some(mutation)) => {
            let origin = origins.get(of).ok_or_else(|| ResolveProblem::Origin(of.clone()))?;
            mutate::mutate(origin, mutation)?
        }
        // The same bytes in another phase: their tag means something else there.
        (Some(of), None) => origins.get(of).cloned().ok_or_else(|| ResolveProblem::Origin(of.clone()))?,
    };
    let outcome = decode(schema, vector.phase, &encoded.payload());
    let found = outcome.as_ref().map_or_else(|error| error.kind.undecodable().into(), |_| Verdict::Valid);
    if found != vector.verdict {
        let reason = outcome.err().map_or_else(String::new, |error| format!(": {error}"));
        let found = format!("{found}{reason}");
        return Err(ResolveProblem::Disagreement { said: vector.verdict.to_string(), found });
    }
    let expected = match outcome {
        Ok(decoded) => {
            if vector.of.is_some() {
                vector.message = Some(decoded.message.name.clone());
                vector.fields = Some(decoded.message.fields_json());
            }
            let left_over = &decoded.message.left_over;
            vector.left_over = (!left_over.is_empty()).then(|| hex::encode(left_over));
            vector.error = None;
            Expected::Message(decoded.message)
        }
        Err(DecodeError { kind, message, .. }) => {
            (vector.message, vector.fields, vector.left_over) = (message, None, None);
            vector.error = Some(kind.to_string());
            Expected::Undecodable(kind.undecodable())
        }
    };
    vector.segments = segments(&encoded);
    Ok(Body::Payload { phase: vector.phase, encoded, expected, sendable: vector.sendable })
}

/// A payload of more segments than this shows only the first [`SHOWN`] of them in its file.
const MANY: usize = 64;
const SHOWN: usize = 12;

pub(super) fn segments(encoded: &Encoded) -> Vec<FileSegment> {
    let segment = |Segment { field, bytes, meaning }: &Segment| FileSegment {
        field: field.clone(),
        hex: FileBytes::new(bytes),
        meaning: meaning.clone(),
    };
    let all = &encoded.segments;
    if all.len() <= MANY {
        return all.iter().map(segment).collect();
    }
    let (shown, others) = all.split_at(SHOWN);
    let others = Segment {
        field: "…".to_owned(),
        bytes: others.iter().flat_map(|segment| &segment.bytes).copied().collect(),
        meaning: match others.split_last() {
            // Only the many items that have no segments of their own are named as a whole.
            Some((many, others)) if many.field.ends_with(']') => {
                format!("{} more segments and {}, in the same way", others.len(), many.meaning)
            }
            _ => format!("{} more segments, in the same way", others.len()),
        },
    };
    shown.iter().chain([&others]).map(segment).collect()
}

pub(super) fn stream(schema: &Schema, vector: &mut FileStream) -> Result<Body, ResolveProblem> {
    let given = |name: &str, json| match Value::from_json(schema, name, &Type::Rest, json)? {
        Value::Bytes(bytes) => Ok(bytes),
        _ => Err(ResolveProblem::Bytes("a part is bytes")),
    };
    let mut bytes = Vec::new();
    for part in &vector.parts {
        bytes.extend(match part {
            FilePart::Frame(part) => frame(&given("frame", &part.frame)?),
            FilePart::Length(part) => part.length.to_le_bytes().to_vec(),
            FilePart::Bytes(part) => given("bytes", &part.bytes)?,
        });
    }
    let mut chunks = Vec::new();
    let mut start = 0;
    for end in vector.cuts.iter().copied().chain([bytes.len()]) {
        let chunk = bytes.get(start..end).filter(|chunk| !chunk.is_empty());
        chunks.push(chunk.ok_or(ResolveProblem::Bytes("cuts are offsets inside the stream, in order"))?.to_vec());
        start = end;
    }
    let (frames, end) = read(schema.limit(vector.phase), &chunks);
    if end != vector.end {
        return Err(ResolveProblem::Disagreement { said: vector.end.to_string(), found: end.to_string() });
    }
    vector.chunks = chunks.iter().map(|chunk| FileBytes::new(chunk)).collect();
    vector.frames = frames.iter().map(|frame| FileBytes::new(frame)).collect();
    Ok(Body::Stream { phase: vector.phase, chunks, frames, end })
}

fn read(limit: u32, chunks: &[Vec<u8>]) -> (Vec<Vec<u8>>, StreamEnd) {
    let mut reader = FrameReader::new(limit);
    let mut frames = Vec::new();
    for chunk in chunks {
        reader.push(chunk);
        loop {
            match reader.next_payload() {
                Ok(Some(payload)) => frames.push(payload),
                Ok(None) => break,
                Err(_) => return (frames, StreamEnd::TooLong),
            }
        }
    }
    (frames, if reader.waiting() == 0 { StreamEnd::Complete } else { StreamEnd::Incomplete })
}

/// A side of a handshake, with its hex read.
struct Party {
    name: Value,
    creation: Value,
    cookie: Vec<u8>,
    challenge: Vec<u8>,
}

impl Party {
    fn new(file: &FileParty) -> Result<Self, ResolveProblem> {
        let cookie = hex::decode(&file.cookie).ok().filter(|cookie| !cookie.is_empty());
        let challenge = hex::decode(&file.challenge).ok().filter(|challenge| challenge.len() == PROOF_BYTES);
        Ok(Self {
            name: Value::Text(file.name.clone()),
            creation: Value::Uint(file.creation.into()),
            cookie: cookie.ok_or(ResolveProblem::Bytes("a cookie is hex of at least one byte"))?,
            challenge: challenge.ok_or(ResolveProblem::Bytes("a challenge is hex of 32 bytes"))?,
        })
    }

    /// This side's answer to the other's challenge.
    fn answer(&self, other: &Self) -> Hmac {
        let (key, input) = (self.cookie.clone(), other.challenge.clone());
        Hmac { output: proof(&key, &input), key, input }
    }
}

pub(super) fn transcript(schema: &Schema, vector: &mut FileTranscript) -> Result<Body, ResolveProblem> {
    let (initiator, acceptor) = (Party::new(&vector.initiator)?, Party::new(&vector.acceptor)?);
    if (vector.outcome == Outcome::Session) != (initiator.cookie == acceptor.cookie) {
        let found = if initiator.cookie == acceptor.cookie { "equal cookies" } else { "different cookies" };
        return Err(ResolveProblem::Disagreement { said: vector.outcome.to_string(), found: found.to_owned() });
    }
    let challenge = |party: &Party| ("challenge", Value::Bytes(party.challenge.clone()));
    let named = |party: &Party| [("name", party.name.clone()), ("creation", party.creation.clone())];
    let proven = |hmac: &Hmac| ("proof", Value::Bytes(hmac.output.to_vec()));
    let (reply, ack) = (initiator.answer(&acceptor), acceptor.answer(&initiator));
    let [name, creation] = named(&acceptor);
    let mut sent = vec![
        ("initiator", "NAME", named(&initiator).to_vec(), None),
        ("acceptor", "CHALLENGE", vec![name, creation, challenge(&acceptor)], None),
        ("initiator", "REPLY", vec![proven(&reply), challenge(&initiator)], Some((reply, &acceptor))),
        ("acceptor", "ACK", vec![proven(&ack)], Some((ack, &initiator))),
    ];
    if vector.outcome == Outcome::ReplyRefused {
        sent.pop();
    }
    vector.steps.clear();
    let mut steps = Vec::new();
    for (from, name, fields, hmac) in sent {
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let message = Message { name: name.to_owned(), fields, left_over: Vec::new() };
        let encoded = encode(schema, &message)?;
        let file_hmac = hmac.as_ref().map(|(hmac, checker)| {
            let expected = proof(&checker.cookie, &hmac.input);
            FileHmac {
                key: hex::encode(&hmac.key),
                input: hex::encode(&hmac.input),
                output: hex::encode(hmac.output),
                expected: (expected != hmac.output).then(|| hex::encode(expected)),
            }
        });
        vector.steps.push(FileStep {
            from: from.to_owned(),
            message: name.to_owned(),
            hmac: file_hmac,
            segments: segments(&encoded),
        });
        steps.push(Step { from, message, encoded, hmac: hmac.map(|(hmac, _)| hmac) });
    }
    Ok(Body::Transcript { steps })
}
