//! Reports: results, rendered. In reading order: one failure for a person, the summary of a run, JUnit for CI.

mod failure;
mod junit;
mod summary;

pub use failure::{failure, problem};
pub use junit::junit;
pub use summary::summary;
