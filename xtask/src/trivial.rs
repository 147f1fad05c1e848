//! `cargo xtask trivial`: nodes that do nothing right pass no MUST case.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use conformance::case::CaseSet;
use conformance::delivery::Delivery;
use conformance::requirement::Level;
use conformance::results::Outcome;
use conformance::run::{self, Options};
use conformance::setup;

use crate::workspace;

/// The nodes: one closes at once, one accepts and stalls, one agrees with everything, one sends garbage.
const NODES: [&str; 4] = ["close", "stall", "agree", "garbage"];

/// Nothing comes of waiting for these nodes.
const PATIENCE: f64 = 0.1;

/// Runs the suite against four nodes that do nothing right; fails when a MUST case passes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Cases whose id contains this, or that judge this requirement; all cases where none is given.
    filter: Vec<String>,
    /// Only this node.
    #[arg(long, value_name = "NAME", value_parser = NODES)]
    node: Option<String>,
    /// How many cases are run at once: far more than for a real node, since they only wait.
    #[arg(long, value_name = "N", default_value_t = 32)]
    jobs: usize,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let suite = match workspace::suite()? {
        Ok(suite) => suite,
        Err(code) => return Ok(code),
    };
    let cases = match suite.select(&arguments.filter, CaseSet::All) {
        Ok(selection) => selection.cases,
        Err(message) => bail!(message),
    };
    let folder = workspace::root()?.join("conformance/nodes/trivial");
    let mut passed = 0;
    for node in NODES.into_iter().filter(|node| arguments.node.as_deref().is_none_or(|only| only == *node)) {
        let manifest: PathBuf = folder.join(format!("{node}.yaml"));
        let options = setup::Options {
            repeat: format!("cargo xtask conformance --node {}", manifest.display()),
            manifest,
            target_directory: workspace::target_directory()?,
            fault: None,
            delivery: Delivery::Whole,
            patience: PATIENCE,
        };
        let manifest = setup::build(&options.manifest, &options.target_directory)?;
        // They claim everything and have nothing: that no case is passed by that is what is to be shown.
        let ready = setup::believe(&suite, manifest, &options).with_context(|| format!("the trivial node `{node}`"))?;
        let run_options = Options {
            jobs: arguments.jobs,
            repeat: 1,
            command: options.repeat.clone(),
            filters: arguments.filter.clone(),
            left_out: 0,
        };
        let results = run::run(&ready.environment, ready.facts.clone(), &cases, &run_options, |_| true);
        let wrong: Vec<&str> = results
            .cases
            .iter()
            .filter(|case| case.level == Level::Must && matches!(case.outcome, Outcome::Pass))
            .map(|case| case.id.as_str())
            .collect();
        println!("{node:<8} passes {} of {} cases", wrong.len(), results.cases.len());
        for id in &wrong {
            println!("         passed, which it must not: {id}");
        }
        passed += wrong.len();
    }
    Ok(if passed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
