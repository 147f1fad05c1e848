//! Tests of the pure node: nodes wired in memory, fake time, counted randomness.

mod anything;
mod bench;
mod exits;
mod handshake;
mod heartbeat;
mod hostile;
mod links;
mod membership;
mod messages;
mod monitors;
mod registry;
mod resilience;
mod rooms;
mod scene;
mod spawning;
mod supervisors;
mod world;

use bench::{Bench, challenge_of, frames_to, identity};
use world::World;
