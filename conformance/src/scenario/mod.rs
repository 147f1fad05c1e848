//! Scenarios: what a YAML file under `scenarios/<family>/` says, as typed data.
//!
//! A scenario is data and this module knows nothing about running it. In reading order: the model (every key that
//! a file may have), expressions (values that are computed when a case runs), matchers (what a value is held
//! against), and the loader, which turns a file into the model or into one line that says where it is wrong.

pub mod expression;
mod function;
#[cfg(test)]
mod fuzz;
pub mod load;
pub mod matcher;
pub mod model;
pub mod schema;
pub(crate) mod short;
pub mod step;

pub use expression::{Expression, Scope};
pub use load::{LoadError, load};
pub use matcher::Matcher;
pub use model::{NodeSpec, PeerSpec, RelayMode, Row, Scenario, Timers};
pub use step::{Step, Verb};
