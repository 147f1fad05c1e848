//! `cargo xtask scenarios`: check scenario files, and write the JSON Schema that editors use.

use std::fs;
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use conformance::scenario::schema::scenario_schema;

use crate::workspace;

/// Where the schema stands.
const SCHEMA: &str = "conformance/scenario.schema.json";

/// Scenario files.
#[derive(Debug, Subcommand)]
pub(crate) enum ScenariosCommand {
    /// Load everything and say what is wrong; also whether the JSON Schema is current.
    Check,
    /// Write conformance/scenario.schema.json from the types that read scenarios.
    Schema,
}

/// Runs the command.
pub(crate) fn run(command: &ScenariosCommand) -> anyhow::Result<ExitCode> {
    let path = workspace::root()?.join(SCHEMA);
    let text = serde_json::to_string_pretty(&scenario_schema()).context("writing the schema")? + "\n";
    match command {
        ScenariosCommand::Schema => {
            fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
            println!("wrote {SCHEMA}");
            Ok(ExitCode::SUCCESS)
        }
        ScenariosCommand::Check => {
            let suite = match workspace::suite()? {
                Ok(suite) => suite,
                Err(code) => return Ok(code),
            };
            if fs::read_to_string(&path).ok().as_deref() != Some(&text) {
                eprintln!("error: {SCHEMA} is stale; `cargo xtask scenarios schema` writes it anew");
                return Ok(ExitCode::FAILURE);
            }
            let missing = suite.missing_twins();
            for line in &missing {
                eprintln!("error: {line}");
            }
            if !missing.is_empty() {
                return Ok(ExitCode::FAILURE);
            }
            println!("{} cases are well-formed", suite.cases.len());
            Ok(ExitCode::SUCCESS)
        }
    }
}
