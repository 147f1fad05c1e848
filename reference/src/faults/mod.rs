//! Planted faults: bugs around the node, each of which breaks one requirement, so that every case can be seen red.
//!
//! A fault is a `Filter` between the net and the pure node. To add one: write its filter in the file of its family,
//! and add a line to that file's table. `filter.rs` says what a filter can do.

mod filter;
mod handshake;
mod membership;
mod planted;
mod table;

pub use planted::{Planted, UnknownFault};
pub use table::list_json;

pub(crate) use filter::Context;
