//! The harness's own view of bytes: an interpreter of [`crate::schema`]. Pure functions, no I/O, no code of any node.
//!
//! Reading order: the values of messages, their payloads, frames and the proof, then what is made of them for people and for lies.

mod error;
mod explain;
mod frame;
mod json;
mod message;
pub mod mutate;
mod payload;
mod proof;
mod summary;
#[cfg(test)]
mod tests;
mod value;

pub use error::{DecodeError, DecodeErrorKind, EncodeError, Undecodable};
pub use explain::{Explanation, Row, explain, explain_frame};
pub use frame::{FrameReader, LENGTH_BYTES, TooLong, frame};
pub use json::{ValueError, ValueProblem, plain_json};
pub use message::{Decoded, Encoded, Message, Segment};
pub use mutate::{Mutation, MutationError};
pub use payload::{DEPTH_LIMIT, decode, encode};
pub use proof::{PROOF_BYTES, proof};
pub use summary::summary;
pub use value::{Pid, Value};
