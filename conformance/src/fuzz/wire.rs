//! stub
use super::input::Target;
use super::run::{Outcome, Plan};
use crate::runner::Environment;
/// stub
/// # Errors
/// stub
pub fn run(_plan: &Plan<'_>, _environment: &Environment, target: Target) -> Result<Outcome, String> {
    Ok(Outcome { target, inputs: 0, elapsed: std::time::Duration::ZERO, findings: vec![] })
}
