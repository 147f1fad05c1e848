//! The runner: plays one case against one implementation and says what came of it.
//!
//! In reading order: a stop (why a case ends before its last step), the context (nodes, peers, sessions and names of one
//! case), the steps by what they touch, and `play`, which does one case from start to verdict.

mod calls;
mod checks;
mod context;
mod frames;
mod members;
mod nodes;
mod observed;
mod play;
mod sessions;
mod stop;
mod vector;

pub use play::{Environment, play};
pub use stop::Stop;
pub use vector::CodecPool;
