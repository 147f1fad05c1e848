//! Reports: results, rendered. In reading order: one failure for a person, the summary of a run, JUnit for CI, the matrix.

mod failure;
mod junit;
mod matrix;
mod summary;

pub use failure::{failure, problem};
pub use junit::junit;
pub use matrix::{matrix, matrix_of};
pub use summary::summary;
