//! The only sockets, clocks and randomness: what the pure node needs of the world, and nothing that it decides.

pub(crate) mod driver;
mod link;
mod listener;
mod members;
mod outbox;
mod perform;
mod random;
pub(crate) mod start;
pub(crate) mod tls;

pub(crate) use driver::{Driver, Happening, Report};
pub(crate) use start::{StartOptions, Started};
