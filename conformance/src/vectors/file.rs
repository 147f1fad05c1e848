//! What a vector file holds: a closed format, half of it written by people, half (segments, errors, chunks, steps) computed.

use std::fmt;

use ring::digest::{SHA256, digest};
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::terms::FileTerm;
use crate::codec::{Mutation, Undecodable, plain_json};
use crate::schema::Phase;

/// One file: the vectors of a family.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileSet {
    pub(super) family: String,
    #[serde(default)]
    pub(super) vectors: Vec<FileVector>,
    #[serde(default)]
    pub(super) terms: Vec<FileTerm>,
    #[serde(default)]
    pub(super) streams: Vec<FileStream>,
    #[serde(default)]
    pub(super) transcripts: Vec<FileTranscript>,
}

impl FileSet {
    /// The ids of its vectors, in the order in which they are resolved.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        let vectors = self.vectors.iter().map(|vector| vector.id.as_str());
        let terms = self.terms.iter().map(|vector| vector.id.as_str());
        let streams = self.streams.iter().map(|vector| vector.id.as_str());
        let transcripts = self.transcripts.iter().map(|vector| vector.id.as_str());
        vectors.chain(terms).chain(streams).chain(transcripts)
    }
}

/// One payload: a message with its fields, or a mutation `of` such a one.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileVector {
    pub(super) id: String,
    #[serde(default)]
    pub(super) requirements: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<String>,
    pub(super) phase: Phase,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) of: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) mutation: Option<Mutation>,
    /// Given where there is no `of`; else computed, where the tag is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
    /// Given where there is no `of`; else computed, where the payload is valid.
    #[serde(default, deserialize_with = "plain", skip_serializing_if = "Option::is_none")]
    pub(super) fields: Option<Json>,
    /// Computed: hex of what receivers ignore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) left_over: Option<String>,
    /// Whether a node may send it. What none may send is decoded and never asked to be encoded.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub(super) sendable: bool,
    pub(super) verdict: Verdict,
    /// Computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    /// Computed.
    #[serde(default)]
    pub(super) segments: Vec<FileSegment>,
}

/// What a codec makes of a payload; the last three are `data.kind` of the control protocol's error -32020.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is a message, which the protocol may still forbid (creation 0).
    Valid,
    /// No tag.
    Empty,
    /// A tag that no message of the phase has.
    UnknownTag,
    /// Too short for its layout, or invalid UTF-8.
    Malformed,
}

impl From<Undecodable> for Verdict {
    fn from(undecodable: Undecodable) -> Self {
        match undecodable {
            Undecodable::Empty => Self::Empty,
            Undecodable::UnknownTag => Self::UnknownTag,
            Undecodable::Malformed => Self::Malformed,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Valid => "valid",
            Self::Empty => "empty",
            Self::UnknownTag => "unknown_tag",
            Self::Malformed => "malformed",
        })
    }
}

/// Bytes of a payload that belong together.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileSegment {
    pub(super) field: String,
    pub(super) hex: FileBytes,
    pub(super) meaning: String,
}

/// Computed bytes: as hex, or, so that files stay readable, long ones by length and digest.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub(super) enum FileBytes {
    Plain(String),
    Long(LongBytes),
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LongBytes {
    pub(super) length: usize,
    pub(super) sha256: String,
}

/// More bytes than this are long.
const LONG: usize = 256;

impl FileBytes {
    pub(super) fn new(bytes: &[u8]) -> Self {
        if bytes.len() <= LONG {
            return Self::Plain(hex::encode(bytes));
        }
        let sha256 = hex::encode(digest(&SHA256, bytes));
        Self::Long(LongBytes { length: bytes.len(), sha256 })
    }

    /// How many bytes these are.
    pub(super) fn length(&self) -> usize {
        match self {
            Self::Plain(hex) => hex.len() / 2,
            Self::Long(long) => long.length,
        }
    }
}

/// Bytes as they arrive, and the frames in them.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileStream {
    pub(super) id: String,
    #[serde(default)]
    pub(super) requirements: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<String>,
    pub(super) phase: Phase,
    /// The stream, part by part.
    pub(super) parts: Vec<FilePart>,
    /// Offsets at which one piece ends and the next begins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) cuts: Vec<usize>,
    pub(super) end: StreamEnd,
    /// Computed: the pieces.
    #[serde(default)]
    pub(super) chunks: Vec<FileBytes>,
    /// Computed: the payloads.
    #[serde(default)]
    pub(super) frames: Vec<FileBytes>,
}

/// One part of a stream.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub(super) enum FilePart {
    /// A payload with its length before it.
    Frame(PartFrame),
    /// A length alone.
    Length(PartLength),
    /// Any bytes.
    Bytes(PartBytes),
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartFrame {
    /// Hex, or `{repeat: hex, times: n}`.
    pub(super) frame: Json,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartLength {
    pub(super) length: u32,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartBytes {
    /// Hex, or `{repeat: hex, times: n}`.
    pub(super) bytes: Json,
}

/// How a stream ends, as `codec.frames` of the control protocol says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamEnd {
    /// Behind a whole frame.
    Complete,
    /// Within a frame.
    Incomplete,
    /// At a length over the phase's limit; what follows is not read.
    TooLong,
}

impl fmt::Display for StreamEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Complete => "complete",
            Self::Incomplete => "incomplete",
            Self::TooLong => "too_long",
        })
    }
}

/// One whole handshake.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileTranscript {
    pub(super) id: String,
    #[serde(default)]
    pub(super) requirements: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<String>,
    pub(super) initiator: FileParty,
    pub(super) acceptor: FileParty,
    pub(super) outcome: Outcome,
    /// Computed.
    #[serde(default)]
    pub(super) steps: Vec<FileStep>,
}

/// One side of a handshake.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileParty {
    pub(super) name: String,
    pub(super) creation: u8,
    /// Hex.
    pub(super) cookie: String,
    /// Hex.
    pub(super) challenge: String,
}

/// How a handshake ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// Both know the same cookie.
    Session,
    /// The acceptor finds the proof in REPLY wrong.
    ReplyRefused,
    /// The acceptor does not look, and the initiator finds the proof in ACK wrong.
    AckRefused,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Session => "session",
            Self::ReplyRefused => "reply_refused",
            Self::AckRefused => "ack_refused",
        })
    }
}

/// One message of a handshake.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileStep {
    pub(super) from: String,
    pub(super) message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) hmac: Option<FileHmac>,
    pub(super) segments: Vec<FileSegment>,
}

/// How a proof comes about. All hex.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileHmac {
    pub(super) key: String,
    pub(super) input: String,
    pub(super) output: String,
    /// What the other side computes, where that is something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expected: Option<String>,
}

fn yes() -> bool {
    true
}

fn is_yes(answer: &bool) -> bool {
    *answer
}

/// By way of YAML's own value, which refuses duplicate keys.
pub(super) fn plain<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Json>, D::Error> {
    let yaml = serde_yaml::Value::deserialize(from)?;
    plain_json(&yaml).map(Some).map_err(D::Error::custom)
}
