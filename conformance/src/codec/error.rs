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
    /// A kind that has no form.
    #[error("{field} is a {kind}, which has no binary form")]
    Forbidden {
        /// The field.
        field: String,
        /// The kind.
        kind: String,
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
    /// Another number than the only one that may stand there.
    #[error("{field} at offset {offset} is {found}; only {only} is known")]
    OtherThanOnly {
        /// The field.
        field: String,
        /// Where it begins.
        offset: usize,
        /// The number that may stand there.
        only: u64,
        /// The one that does.
        found: u64,
    },
    /// A kind that has no form stands in a union.
    #[error("{field} at offset {offset} is a {kind}, which has no binary form")]
    Forbidden {
        /// The field.
        field: String,
        /// Where the tag stands.
        offset: usize,
        /// The kind.
        kind: String,
    },
    /// A length or count over the limit of its field.
    #[error("{field} at offset {offset} says {announced}; the limit is {limit}")]
    TooLarge {
        /// The length or count.
        field: String,
        /// Where it stands.
        offset: usize,
        /// The greatest that is accepted, inclusive.
        limit: u64,
        /// What it says.
        announced: u64,
    },
    /// More than [`super::DEPTH_LIMIT`] levels, or than the document's.
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

/// Why a term cannot be read: `data.kind` of error -32020 in answers to `term.decode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unreadable {
    /// The bytes end before the value does (TERM-6).
    UnexpectedEnd,
    /// A tag that no kind has (TERM-7).
    InvalidTag,
    /// Another version than the one there is (TERM-8).
    UnsupportedVersion,
    /// A closure, which has no form (TERM-9).
    Closure,
    /// A length or count over its limit (TERM-11, TERM-12).
    TooLarge,
    /// Text that is not UTF-8 (TERM-13).
    InvalidUtf8,
    /// Nested deeper than the reader accepts (TERM-15).
    TooDeep,
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
