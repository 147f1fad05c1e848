//! `cargo xtask scenarios`: check scenario files, and write the JSON Schema that editors use.

use std::collections::BTreeSet;
use std::fs;
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use conformance::case::Kind;
use conformance::scenario::schema::scenario_schema;
use conformance::suite::Suite;

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
            let mut wrong = suite.missing_twins();
            wrong.extend(fixed_hosts(&suite)?);
            for line in &wrong {
                eprintln!("error: {line}");
            }
            if !wrong.is_empty() {
                return Ok(ExitCode::FAILURE);
            }
            println!("{} cases are well-formed", suite.cases.len());
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Names that lead to a peer's port on 127.0.0.1: a node on another machine would look for it there.
fn fixed_hosts(suite: &Suite) -> anyhow::Result<Vec<String>> {
    let paths: BTreeSet<_> = suite
        .cases
        .iter()
        .filter_map(|case| match &case.kind {
            Kind::Scenario(loaded, _) => Some(&loaded.path),
            Kind::Vector(_) | Kind::Matrix(_) | Kind::Delivery(_) => None,
        })
        .collect();
    let mut wrong = Vec::new();
    for path in paths {
        let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let lines = text.lines().enumerate().filter(|(_, line)| line.contains("127.0.0.1:${"));
        let here = path.strip_prefix(&suite.root).unwrap_or(path).display();
        wrong.extend(lines.map(|(line, _)| format!("{here}:{}: write `${{p.host}}:${{p.port}}`", line + 1)));
    }
    Ok(wrong)
}
