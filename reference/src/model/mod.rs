//! Every order in which things may happen to two or three pure nodes: what always holds, and the shortest way to each
//! hazard of the spec.
//!
//! Reading order: `cluster` is a state and what leads from it to the next, `scenario` what is checked from where,
//! `hazards` and `proofs` say which, `attacker` is somebody without the cookie, `trace` tells a way as the spec does.
//! The clock stands still, so whatever needs time to pass is a step of the scenario.

mod attacker;
mod cluster;
mod hazards;
mod proofs;
mod report;
mod scenario;
mod trace;

#[cfg(test)]
mod tests;

pub use report::{Checked, check_all};
