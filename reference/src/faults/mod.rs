//! Planted faults: bugs around the node, each of which breaks one requirement, so that every case can be seen red.
//!
//! A fault is a `Filter` between the net and the pure node. To add one: add a line to the table of its family, and
//! write its filter there, unless it is one hook alone (`single.rs`). `filter.rs` says what a filter can do.

mod filter;
mod planted;
mod table;

mod cause;
mod payload;
mod single;
mod stream;
mod told;

mod cluster;
mod codec;
mod framing;
mod handshake;
mod matrix;
mod membership;
mod process;
mod registry;
mod resilience;
mod room;
mod supervisor;
mod term;

pub use planted::{Planted, UnknownFault};
pub use table::list_json;

pub(crate) use filter::Context;
