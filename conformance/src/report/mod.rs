//! Reports: results, rendered. In reading order: one failure for a person, all of them, the summary of a run and the rung that it shows, JUnit for CI, the matrix.

mod failure;
mod failures;
mod junit;
mod matrix;
mod rung;
mod summary;

pub use failure::{failure, problem};
pub use failures::{Detail, failures};
pub use junit::junit;
pub use matrix::{matrix, matrix_of};
pub use rung::rung;
pub use summary::summary;
