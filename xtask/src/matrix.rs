//! `cargo xtask matrix`: what was sent in each state of a connection, and what came of it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use conformance::case::{CaseSet, Kind};
use conformance::delivery::Delivery;
use conformance::report;
use conformance::run::{self, Options};
use conformance::setup;

use crate::workspace;

/// Runs the cases of the matrix and prints it. Exit codes as of `conformance`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The manifest of the node to judge [default: the reference node's].
    #[arg(long, value_name = "MANIFEST")]
    node: Option<PathBuf>,
    /// Show how many inputs each cell has, and run none.
    #[arg(long)]
    list: bool,
    /// Plant this fault, in a node that has some.
    #[arg(long, value_name = "ID", hide = true)]
    fault: Option<String>,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let suite = match workspace::suite()? {
        Ok(suite) => suite,
        Err(code) => return Ok(code),
    };
    let filters = vec!["/matrix/".to_owned()];
    let cases = match suite.select(&filters, CaseSet::All) {
        Ok(selection) => selection.cases,
        Err(message) => bail!(message),
    };
    if arguments.list {
        let all = cases.iter().filter_map(|case| match &case.kind {
            Kind::Matrix(matrix) => Some(matrix.as_ref()),
            Kind::Scenario(..) | Kind::Vector(_) | Kind::Delivery(_) => None,
        });
        print!("{}", report::matrix_of(all));
        return Ok(ExitCode::SUCCESS);
    }
    let manifest = match &arguments.node {
        Some(path) => path.clone(),
        None => workspace::default_manifest()?,
    };
    let mut repeat = "cargo xtask conformance".to_owned();
    if let Some(node) = &arguments.node {
        repeat.push_str(&format!(" --node {}", node.display()));
    }
    if let Some(fault) = &arguments.fault {
        repeat.push_str(&format!(" --fault {fault}"));
    }
    let options = setup::Options {
        manifest,
        target_directory: workspace::target_directory()?,
        fault: arguments.fault.clone(),
        repeat: repeat.clone(),
        delivery: Delivery::Whole,
        patience: 1.0,
    };
    let ready = match workspace::ready(&suite, &options) {
        Ok(ready) => ready,
        Err(code) => return Ok(code),
    };
    let options = Options { jobs: crate::cases::default_jobs(), repeat: 1, command: repeat, filters, left_out: 0 };
    let results = run::run(&ready.environment, ready.facts.clone(), &cases, &options, |_| true);
    print!("{}", report::failures(&results, report::Detail::OneOfAKind));
    print!("{}", report::matrix(&results));
    Ok(ExitCode::from(results.conclusion().exit_code()))
}
