//! Why a message cannot be written, and why bytes cannot be read.

use serde::{Deserialize, Serialize};

use super::Segment;

/// Why a message cannot be encoded. Each names the field as [`Segment::field`] would.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The schema has no such message.
    #[error("no message is called {0}")]
    UnknownMessage(String),
    /// A field of the layout has no value.
    #[error("{field} is missing")]
    Missing {
        /// The field.
        field: String,
    },
    /// A value for a field that the layout does not have.
    #[error("there is no field {field}")]
    Unknown {
        /// The field.
        field: String,
    },
    /// A value that is not shaped like its type.
    #[error("{field} is {ty}, and {found} is not")]
    Shape {
        /// The field.
        field: String,
        /// Its type in the schema's notation.
        ty: String,
        /// The value.
        found: String,
    },
    /// A number, length or count that its bits cannot hold.
    #[error("{field} is at most {limit}, not {found}")]
    TooGreat {
        /// The field.
        field: String,
        /// The greatest number that fits, inclusive.
        limit: u64,
        /// The number.
        found: u64,
    },
    /// More than [`super::DEPTH_LIMIT`] levels.
    #[error("{field} is too deep")]
    TooDeep {
        /// The field at which the limit was passed.
        field: String,
    },
}

/// Why a payload cannot be decoded, and how far it could be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct DecodeError {
    /// The cause.
    pub kind: DecodeErrorKind,
    /// The message, once its tag was known.
    pub message: Option<String>,
    /// What was read before the fault.
    pub segments: Vec<Segment>,
    /// Where the faulty field begins, in bytes from the payload's start.
    pub offset: usize,
}

/// The causes. Fields are named as [`Segment::field`] would.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeErrorKind {
    /// A payload of no bytes has no tag.
    #[error("empty payload")]
    Empty,
    /// No message of that phase has that tag.
    #[error("unknown tag {0:#04x}")]
    UnknownTag(u8),
    /// The payload ends before the field does.
    #[error("{field} ends early, at offset {offset}: {available} of {needed} bytes are there")]
    UnexpectedEnd {
        /// The field.
        field: String,
        /// Where it begins.
        offset: usize,
        /// How many bytes it should have.
        needed: u64,
        /// How many are left.
        available: usize,
    },
    /// A string that is not UTF-8.
    #[error("{field} at offset {offset} is not UTF-8")]
    InvalidUtf8 {
        /// The field.
        field: String,
        /// Where its text begins.
        offset: usize,
    },
    /// No variant of the union has that tag.
    #[error("{field} at offset {offset} has no variant {tag}")]
    UnknownVariant {
        /// The field.
        field: String,
        /// Where the tag stands.
        offset: usize,
        /// The tag byte.
        tag: u8,
    },
    /// More than [`super::DEPTH_LIMIT`] levels.
    #[error("{field} at offset {offset} is too deep")]
    TooDeep {
        /// The field at which the limit was passed.
        field: String,
        /// Where it begins.
        offset: usize,
    },
}

/// The causes as the control protocol tells them apart: `data.kind` of error -32020.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Undecodable {
    /// No tag.
    Empty,
    /// A tag that no message of the phase has.
    UnknownTag,
    /// Too short for its layout, or invalid, wherever in the message.
    Malformed,
}

impl DecodeErrorKind {
    /// The coarse cause, which is all that a node under test has to know.
    pub fn undecodable(&self) -> Undecodable {
        match self {
            Self::Empty => Undecodable::Empty,
            Self::UnknownTag(_) => Undecodable::UnknownTag,
            _ => Undecodable::Malformed,
        }
    }
}
