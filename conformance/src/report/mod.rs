//! Reports: results, rendered. In reading order: one failure for a person, all of them, the summary of a run with its score, its rung and
//! known deviations, JUnit for CI, the matrix, and the table of mixed clusters.

mod deviations;
mod failure;
mod failures;
mod interop;
mod junit;
mod matrix;
mod rung;
mod score;
mod summary;

pub use failure::{failure, problem};
pub use failures::{Detail, failures};
pub use interop::{interop, with_cast};
pub use junit::junit;
pub use matrix::{matrix, matrix_of};
pub use rung::rung;
pub use summary::summary;
