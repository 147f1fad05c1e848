//! `cargo xtask spec check`: the spec against itself.

use std::process::ExitCode;

use clap::Subcommand;
use conformance::requirement::{Level, Spec};
use conformance::schema;

use crate::workspace;

/// The spec.
#[derive(Debug, Subcommand)]
pub(crate) enum SpecCommand {
    /// Check ids and waivers, and the layout tables of the prose against the schema.
    Check,
}

/// Runs the command.
pub(crate) fn run(command: &SpecCommand) -> anyhow::Result<ExitCode> {
    let SpecCommand::Check = command;
    let folder = workspace::root()?.join("spec");
    let spec = Spec::load(&folder)?;
    schema::load(&folder.join("schema"))?;
    let differences = schema::prose::check(&folder);
    for difference in &differences {
        eprintln!("error: {difference}");
    }
    if !differences.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    let musts = spec.requirements.values().filter(|requirement| requirement.level == Level::Must).count();
    println!(
        "{} requirements ({musts} MUST), {} waivers; prose and schema agree on all layouts",
        spec.requirements.len(),
        spec.waivers.len()
    );
    Ok(ExitCode::SUCCESS)
}
