//! Whole clusters of pure nodes in one thread, in simulated time, after a seed: what no test over sockets can repeat.
//!
//! Reading order: `schedule` says what is done and when, `course` runs one schedule, `world` and `wires` let it happen,
//! `operations` do it, `judge` and `rest` say what is wrong, `guard` why calm worlds have no hazards, `search` and
//! `minimise` look through many schedules and shorten what fails. The node knows nothing of all that.

pub(crate) mod course;
mod guard;
mod host;
mod judge;
pub(crate) mod minimise;
mod mirror;
mod operations;
mod random;
mod rest;
pub(crate) mod schedule;
mod search;
pub(crate) mod told;
mod wires;
pub(crate) mod words;
mod world;

#[cfg(test)]
mod tests;

pub use search::{Found, Options, search};
