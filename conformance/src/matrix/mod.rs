//! The matrix: every kind of input, well-formed and malformed in each way that the schema allows, in every state of a connection.
//!
//! Inputs are made from [`crate::schema`]; what has to come of each stands in the table "Reactions" of `spec/resilience.md`. Nothing is
//! played here. In reading order: the states (columns), the classes (rows), the table, what messages say, the inputs, the cases.

mod cases;
mod class;
mod inputs;
mod reactions;
mod sample;
mod state;
#[cfg(test)]
mod tests;

pub use cases::{Before, MatrixCase, Planned};
pub use class::Class;
pub use inputs::{Input, Made};
pub use reactions::{Cell, Reaction, Reactions};
pub(crate) use sample::{ITEMS, Words};
pub use state::State;

use std::path::Path;

use crate::requirement::Spec;
use crate::schema::Schema;

/// Reads the table and makes all cases.
///
/// # Errors
/// Everything that is wrong with the table, one line each.
pub(crate) fn load(folder: &Path, spec: &Spec, schema: &Schema) -> Result<Vec<MatrixCase>, Vec<String>> {
    let reactions = Reactions::load(folder, spec)?;
    cases::all(schema, &reactions)
}

/// Everything that is wrong with the table: cells that are missing, unknown requirements, reactions for which there is no input.
#[must_use]
pub fn check(folder: &Path, spec: &Spec, schema: &Schema) -> Vec<String> {
    load(folder, spec, schema).err().unwrap_or_default()
}
