//! The runner: plays one case against one implementation and says what came of it.
//!
//! In reading order: a stop (why a case ends before its last step), implementations and who plays which node, the environment (what all cases share), the context (nodes,
//! peers, sessions and names of one case), the steps by what they touch, and `play`, which does one case from start to verdict.

pub(crate) mod answers;
mod calls;
mod chaos;
mod checks;
mod context;
mod converged;
mod delivery;
mod dials;
mod environment;
mod floods;
mod frames;
mod handshake;
mod history;
mod implementation;
mod introductions;
mod invariants;
mod ledger;
mod links;
mod matrix;
mod measuring;
mod members;
mod nodes;
mod notifications;
mod observed;
mod play;
mod pool;
mod running;
mod sending;
mod sessions;
mod stop;
mod vector;

pub use environment::Environment;
pub use implementation::{Assignment, Implementation};
pub use play::play;
pub use pool::CodecPool;
pub use stop::Stop;
