//! Golden vectors: `vectors/*.yaml`, in which people say what and the codec says which bytes.
//!
//! Reading order: what the files hold, the bytes that follow from it, the text that is written back, what has to hold of all files
//! together, and how a node's codec is judged by them.

mod corpus;
mod coverage;
mod file;
mod judge;
mod judge_terms;
mod ledger;
mod render;
mod resolve;
mod terms;
#[cfg(test)]
mod tests;
mod unresolved;

pub use corpus::{Corpus, Fill, Problem, check, export, generate, load, open};
pub use file::{StreamEnd, Verdict};
pub use judge::{CodecUnderTest, Fault, Finding, Reading, VectorOutcome, judge, judge_one};
pub(crate) use judge::{brief, difference, place, short};
pub use judge_terms::TermReading;
pub use resolve::{Body, Expected, Golden, Hmac, ResolveError, ResolveProblem, Step, VectorSet};
pub use terms::{ExpectedTerm, TermVerdict, Writing};
pub use unresolved::Unresolved;
