//! `cargo xtask bench`: how long the suite takes, and which cases take longest.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use conformance::delivery::Delivery;
use conformance::results::Outcome;
use conformance::run::{self, Options};
use conformance::setup;

use crate::{cases::default_jobs, workspace};

/// Times the whole suite against the reference node: one run to warm up, then as many as asked for.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How many runs are timed.
    #[arg(long, value_name = "N", default_value_t = 3)]
    runs: usize,
    /// How many cases are run at once [default: four a core].
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// How many of the slowest cases are named.
    #[arg(long, value_name = "N", default_value_t = 10)]
    slowest: usize,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let suite = match workspace::suite()? {
        Ok(suite) => suite,
        Err(code) => return Ok(code),
    };
    let options = setup::Options {
        manifest: workspace::default_manifest()?,
        target_directory: workspace::target_directory()?,
        fault: None,
        repeat: "cargo xtask conformance".to_owned(),
        delivery: Delivery::Whole,
        patience: 1.0,
    };
    let manifest = setup::build(&options.manifest, &options.target_directory)?;
    let ready = setup::probe(&suite, manifest, &options)?;
    let jobs = arguments.jobs.unwrap_or_else(default_jobs);
    let run_options =
        Options { jobs, repeat: 1, command: "cargo xtask bench".to_owned(), filters: Vec::new(), left_out: 0 };
    let mut suite_ms = Vec::new();
    let mut case_ms: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for turn in 0..=arguments.runs {
        let results = run::run(&ready.environment, ready.facts.clone(), &suite.cases, &run_options, |_| true);
        if let Some(case) = results.cases.iter().find(|case| !matches!(case.outcome, Outcome::Pass)) {
            bail!("{} did not pass; times of a suite that fails say nothing", case.id);
        }
        if turn == 0 {
            continue;
        }
        suite_ms.push(results.duration_ms);
        for case in results.cases {
            case_ms.entry(case.id).or_default().push(case.duration_ms);
        }
    }
    println!("{} cases, {jobs} at once, {} runs after one to warm up", suite.cases.len(), arguments.runs);
    println!("{:>8} {:>8} {:>8}  ms", "least", "median", "most");
    row(&mut suite_ms, "the whole suite");
    let mut slowest: Vec<(String, Vec<u64>)> = case_ms.into_iter().collect();
    slowest.sort_by_key(|(_, times)| std::cmp::Reverse(times.iter().sum::<u64>()));
    for (id, mut times) in slowest.into_iter().take(arguments.slowest) {
        row(&mut times, &id);
    }
    Ok(ExitCode::SUCCESS)
}

fn row(times: &mut [u64], what: &str) {
    times.sort_unstable();
    if let (Some(least), Some(most)) = (times.first(), times.last()) {
        println!("{least:>8} {:>8} {most:>8}  {what}", times[times.len() / 2]);
    }
}
