//! Deviations: failures that the owner of an implementation knows, with their reasons. In reading order: the days on which they are to be
//! looked at again, the cases that an entry stands for, the file, what
//! is found of it, its entries against results, the file written from results.
//!
//! A listed case is run like any other. An entry excuses one failure by its fingerprint, the requirement that was broken and the class of the
//! cause; what has rotted is an error, so that the file always says what is the case.

mod date;
mod file;
mod finding;
mod judge;
mod pattern;
#[cfg(test)]
mod tests;
mod write;

pub use date::Date;
pub use file::{Deviations, DeviationsError, Entry};
pub use finding::{Deviation, DeviationProblem, DeviationReport, ProblemKind};
pub use judge::judge;
pub use pattern::Pattern;
pub use write::{Written, write};
