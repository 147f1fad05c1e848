//! `cargo xtask simulate`: whole clusters of the reference node in simulated time. All that is here is which program.

use std::process::{Command, ExitCode};

use anyhow::Context;
use clap::Args;

use crate::workspace;

/// Runs schedules of operations and faults, each derived from its seed, and says what is wrong; arguments are the
/// program's own: `cargo xtask simulate --help` lists them.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    /// --seed N, --nodes N, --schedules N, --seconds N, --threads N, --fault ID.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    arguments: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    program("snow-simulate", &arguments.arguments)
}

/// Builds a program of the reference and runs it; its exit code is ours.
pub(crate) fn program(name: &str, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let status = Command::new("cargo")
        .args(["run", "--quiet", "--package", "reference", "--bin", name, "--"])
        .args(arguments)
        .current_dir(workspace::root()?)
        .status()
        .with_context(|| format!("{name} could not be run"))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}
