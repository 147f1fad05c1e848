//! `cargo xtask spec check`: the spec against itself, its promises included.

use std::process::ExitCode;

use clap::Subcommand;
use conformance::control;
use conformance::matrix;
use conformance::promise;
use conformance::requirement::{Level, Spec};
use conformance::schema;

use crate::workspace;

/// The spec.
#[derive(Debug, Subcommand)]
pub(crate) enum SpecCommand {
    /// Check ids and waivers, and the tables of the prose against the schemas.
    Check,
}

/// Runs the command.
pub(crate) fn run(command: &SpecCommand) -> anyhow::Result<ExitCode> {
    let SpecCommand::Check = command;
    let folder = workspace::root()?.join("spec");
    let spec = Spec::load(&folder)?;
    let schema = schema::load(&folder.join("schema"))?;
    let mut differences: Vec<String> = schema::prose::check(&folder).iter().map(ToString::to_string).collect();
    differences.extend(control::check(&folder));
    differences.extend(matrix::check(&folder, &spec, &schema));
    let promises = promise::load(&folder, &spec).unwrap_or_else(|wrong| {
        differences.extend(wrong);
        Vec::new()
    });
    for difference in &differences {
        eprintln!("error: {difference}");
    }
    if !differences.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    let musts = spec.requirements.values().filter(|requirement| requirement.level == Level::Must).count();
    println!(
        "{} requirements ({musts} MUST), {} waivers, {} promises; prose and schemas agree on all layouts and methods; each class of input has a reaction in each state",
        spec.requirements.len(),
        spec.waivers.len(),
        promises.len()
    );
    Ok(ExitCode::SUCCESS)
}
