//! The harness's own view of bytes: an interpreter of [`crate::schema`]. Pure functions, no I/O, no code of any node.
//!
//! Reading order: the values of messages, their payloads, documents, frames and the proof, then what is made of them for people and for lies.

mod document;
#[cfg(test)]
mod document_tests;
mod error;
mod explain;
mod fields;
mod frame;
mod json;
mod line;
mod message;
pub mod mutate;
mod path;
mod payload;
mod proof;
mod segments;
mod shorthand;
mod summary;
#[cfg(test)]
mod tests;
mod value;

pub use document::{DecodedDocument, TERM, decode_document, encode_document};
pub use error::{DecodeError, DecodeErrorKind, EncodeError, Undecodable, Unreadable};
pub use explain::{Explanation, Row, explain, explain_frame, explain_term};
pub use fields::DEPTH_LIMIT;
pub use frame::{FrameReader, LENGTH_BYTES, TooLong, frame};
pub use json::{ValueError, ValueProblem, plain_json};
pub use line::{heard, heard_document, spoken, spoken_document};
pub use message::{Decoded, Encoded, Message, Segment};
pub use mutate::{Mutation, MutationError};
pub use payload::{decode, encode};
pub use proof::{PROOF_BYTES, proof};
pub use shorthand::spelled_out;
pub use summary::summary;
pub use value::{Pid, Value};
