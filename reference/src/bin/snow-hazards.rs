//! The command line of the model checker.

use std::process::ExitCode;

/// Prints what was found as JSON: `{"hazards": […], "proofs": […]}`. Exit code 1: a hazard was not found, or a claim is
/// broken.
fn main() -> ExitCode {
    let checked = reference::model::check_all();
    println!("{:#}", serde_json::json!({"hazards": checked.hazards, "proofs": checked.proofs}));
    if checked.is_right() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
