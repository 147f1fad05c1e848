//! Tests of the pure node: nodes wired in memory, fake time, counted randomness.

mod bench;
mod handshake;
mod heartbeat;
mod membership;
mod registry;
mod rooms;
mod supervisors;
mod world;

use bench::{Bench, challenge_of, frames_to, identity};
use world::World;
