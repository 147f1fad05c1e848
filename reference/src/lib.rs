//! A clean-room node of the Snow distribution protocol, version 5, written from the prose in `spec/` alone.
//!
//! Reading order: `wire` says what the bytes are, `node` decides what they cause (pure: no sockets, clocks or
//! randomness), `net` is the only part that touches the world, `control` lets a harness drive it, `faults` plants bugs
//! around the node, never inside it, and `simulation` runs whole clusters of it in simulated time.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub(crate) mod wire;

pub(crate) mod node;

pub(crate) mod net;

#[cfg(test)]
mod seeds;

pub mod by_hand;
pub mod control;
pub mod faults;
pub mod model;
pub mod simulation;
