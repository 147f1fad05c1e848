//! `cargo xtask chaos`: play the scenarios that draw what they do from a seed, with fresh seeds, until one fails.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::bail;
use clap::Args;
use conformance::case::Case;
use conformance::delivery::Delivery;
use conformance::report;
use conformance::results::Outcome;
use conformance::run::{self, Options};
use conformance::setup;

use crate::workspace;

/// The variable of a table's row that says what is drawn.
const SEED: &str = "seed";

/// Every seed that is played is printed, and so is the command that plays just that one again. Exit codes are those of `cargo xtask conformance`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Scenarios whose id contains this; all that have a seed where none is given. `<scenario>[seed-N]` stands for `--seed N`, too.
    filter: Option<String>,
    /// The manifest of the node to judge [default: the reference node's].
    #[arg(long, value_name = "MANIFEST")]
    node: Option<PathBuf>,
    /// The first seed; each round takes the next one [default: the clock's].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How many seeds each scenario is played with.
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rounds: Option<u32>,
    /// How many are played at once.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
    /// Plant this fault, in a node that has some (`cargo xtask faults --list`).
    #[arg(long, value_name = "ID", hide = true)]
    fault: Option<String>,
}

/// Rounds where nothing is said and no seed is given; with a seed, just that one.
const ROUNDS: u32 = 20;

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let suite = match workspace::suite()? {
        Ok(suite) => suite,
        Err(code) => return Ok(code),
    };
    let (filter, named) = split(arguments.filter.as_deref().unwrap_or_default());
    let mut scenarios: Vec<&Case> = Vec::new();
    for case in suite.cases.iter().filter(|case| case.id.contains(filter)) {
        let is_first = scenarios.last().is_none_or(|last| scenario_of(last) != scenario_of(case));
        if is_first && case.with_variable(SEED, 0).is_some() {
            scenarios.push(case);
        }
    }
    if scenarios.is_empty() {
        bail!("no scenario that has a seed matches `{filter}`");
    }
    let given = arguments.seed.or(named);
    let first = given.unwrap_or_else(fresh_seed);
    let rounds = arguments.rounds.unwrap_or(if given.is_some() { 1 } else { ROUNDS });
    let seeds = (0..u64::from(rounds)).map(|round| first.wrapping_add(round));
    let cases: Vec<Case> =
        seeds.flat_map(|seed| scenarios.iter().filter_map(move |case| case.with_variable(SEED, seed))).collect();

    let mut repeat = "cargo xtask chaos".to_owned();
    if let Some(node) = &arguments.node {
        repeat.push_str(&format!(" --node {}", node.display()));
    }
    if let Some(fault) = &arguments.fault {
        repeat.push_str(&format!(" --fault {fault}"));
    }
    let options = setup::Options {
        manifest: match &arguments.node {
            Some(path) => path.clone(),
            None => workspace::default_manifest()?,
        },
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
    let options = Options { jobs: arguments.jobs.into(), repeat: 1, command: repeat, filters: Vec::new(), left_out: 0 };
    let results = run::run(&ready.environment, ready.facts, &cases, &options, |result| {
        let passed = matches!(result.outcome, Outcome::Pass | Outcome::Skipped { .. });
        println!("{} {:>6} ms  {}", if passed { "passed" } else { "FAILED" }, result.duration_ms, result.id);
        passed
    });
    println!();
    print!("{}", report::failures(&results, report::Detail::OneOfAKind));
    println!("{} of {} seeds played", results.cases.len(), cases.len());
    Ok(ExitCode::from(results.conclusion().exit_code()))
}

/// A filter, and the seed that it names.
fn split(filter: &str) -> (&str, Option<u64>) {
    let named = filter.strip_suffix(']').and_then(|rest| rest.rsplit_once("[seed-"));
    match named.and_then(|(scenario, seed)| Some((scenario, seed.parse().ok()?))) {
        Some((scenario, seed)) => (scenario, Some(seed)),
        None => (filter, None),
    }
}

fn scenario_of(case: &Case) -> &str {
    case.id.split('[').next().unwrap_or_default()
}

/// Another one each time; the number is printed, so that it need not be a good one.
fn fresh_seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(0))
}
