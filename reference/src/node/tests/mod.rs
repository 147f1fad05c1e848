//! Tests of the pure node: scripted peers, fake time, counted randomness. Nodes among themselves are tested in
//! `model` and `simulation`.

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

use bench::{Bench, challenge_of, frames_to, identity};
