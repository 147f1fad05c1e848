//! `cargo xtask doctor`: examine an adapter alone, before any case is run against its node.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use conformance::{doctor, schema};

use crate::workspace;

/// Exit codes: 0 nothing is wrong, 2 wrong usage, 3 the adapter has to be corrected.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The manifest of the node to examine [default: the reference node's].
    #[arg(long, value_name = "MANIFEST")]
    node: Option<PathBuf>,
    /// Seconds that it may take for anything it is asked.
    #[arg(long, value_name = "SECONDS", default_value_t = doctor::PATIENCE.as_secs(), value_parser = clap::value_parser!(u64).range(1..=3600))]
    patience: u64,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let manifest = match &arguments.node {
        Some(path) => path.clone(),
        None => workspace::default_manifest()?,
    };
    let schema = schema::load(&workspace::root()?.join("spec/schema"))?;
    let patience = Duration::from_secs(arguments.patience);
    let report = doctor::examine(&manifest, &workspace::target_directory()?, &schema, patience);
    println!("{report}");
    Ok(if report.failed().is_empty() { ExitCode::SUCCESS } else { ExitCode::from(3) })
}
