//! Inputs that nobody has written: two codecs have to agree on every one of them, and no node may mind.
//!
//! In reading order: choices (the same for the same seed), what inputs are and begin from, how they are made, where two codecs differ,
//! asking a node, and what is found. No verdict of a case comes from here.

mod choices;
mod compare;
mod finding;
mod generator;
mod input;
mod minimise;
mod mutations;
mod opponent;
mod regressions;
mod respondent;
mod run;
mod seeds;
#[cfg(test)]
mod tests;
mod values;
mod wire;

pub use choices::Choices;
pub use compare::Disagreement;
pub use finding::Finding;
pub use generator::Generator;
pub use input::{Input, Target};
pub use regressions::{Regression, load as load_regressions};
pub use run::{Limit, Outcome, Plan, ask, run};
pub use seeds::Seeds;
pub use wire::run as run_on_the_wire;
