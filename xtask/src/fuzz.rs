//! `cargo xtask fuzz`: ask a node about inputs that nobody has written.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use clap::Args;
use conformance::delivery::Delivery;
use conformance::fuzz::{self, Finding, Input, Limit, Outcome, Plan, Seeds, Target};
use conformance::setup;
use conformance::vectors;

use crate::workspace;

/// How long each target is fuzzed where nobody says.
const SECONDS: u64 = 5;

/// Exit codes: 0 nothing was found, 1 something was, 2 wrong usage, 3 the adapter or set-up failed.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The manifest of the node to ask [default: the reference node's].
    #[arg(long, value_name = "MANIFEST")]
    node: Option<PathBuf>,
    /// Where the choices begin: the same seed gives the same inputs [default: another one each time, which is shown].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Spend so long on each target.
    #[arg(long, value_name = "N", conflicts_with = "count")]
    seconds: Option<u64>,
    /// Make so many inputs for each target.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// What to fuzz: codec, frames, term, handshake, session [default: all that the node can be asked about].
    #[arg(long, value_name = "TARGET")]
    target: Vec<Target>,
    /// Ask about this input alone, as a finding names it.
    #[arg(long, value_name = "TARGET:PHASE:HEX", conflicts_with_all = ["seed", "seconds", "count", "target"])]
    input: Option<Input>,
    /// Plant this fault, in a node that has some (`cargo xtask faults --list`).
    #[arg(long, value_name = "ID", hide = true)]
    fault: Option<String>,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let suite = match workspace::suite()? {
        Ok(suite) => suite,
        Err(code) => return Ok(code),
    };
    let corpus = vectors::load(&suite.schema, &suite.root.join("vectors")).context("the vectors")?;
    let kept = match fuzz::load_regressions(&suite.root.join("conformance/fuzz/regressions")) {
        Ok(kept) => kept,
        Err(message) => bail!(message),
    };
    let repeat = repeat(arguments);
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
    let ready = setup::build(&options.manifest, &options.target_directory)
        .and_then(|manifest| setup::probe(&suite, manifest, &options));
    let environment = match ready {
        Ok(ready) => ready.environment,
        Err(error) => {
            eprintln!("error: {error}");
            return Ok(ExitCode::from(workspace::SETUP));
        }
    };
    let seeds = Seeds::new(&corpus);
    let limit = Limit {
        count: arguments.count,
        time: match (arguments.seconds, arguments.count) {
            (None, Some(_)) => None,
            (seconds, _) => Some(Duration::from_secs(seconds.unwrap_or(SECONDS))),
        },
    };
    let plan = Plan {
        spec: &suite.spec,
        schema: &suite.schema,
        seeds: &seeds,
        node: &environment.implementation().run,
        seed: arguments.seed.unwrap_or_else(any_seed),
        limit,
        repeat: &repeat,
    };
    if let Some(input) = &arguments.input {
        return conclude(fuzz::ask(&plan, input).map(|outcome| vec![outcome]));
    }
    let can = |target: Target| target.capability().is_none_or(|name| environment.implementation().can(name));
    let targets: Vec<Target> = match arguments.target.as_slice() {
        [] => Target::ALL.into_iter().filter(|target| can(*target)).collect(),
        asked => asked.to_vec(),
    };
    if let Some(target) = targets.iter().find(|target| !can(**target)) {
        bail!(
            "{} does not have the capability `{}`",
            environment.implementation().manifest.name,
            target.capability().unwrap_or_default()
        );
    }
    println!("seed {}", plan.seed);
    let mut outcomes = Vec::new();
    for target in targets {
        let outcome = if target.is_of_the_codec() {
            fuzz::run(&plan, target, &kept)
        } else {
            fuzz::run_on_the_wire(&plan, &environment, target)
        };
        match outcome {
            Ok(outcome) => {
                show(&outcome);
                outcomes.push(outcome);
            }
            Err(message) => return conclude(Err(message)),
        }
    }
    conclude(Ok(outcomes))
}

fn show(Outcome { target, inputs, elapsed, findings }: &Outcome) {
    let seconds = elapsed.as_secs_f64();
    let rate = *inputs as f64 / seconds.max(0.001);
    let found = findings.len();
    println!("{target:<10} {inputs:>8} inputs in {seconds:>5.1} s, {rate:>7.0} a second, {found} found");
}

fn conclude(outcomes: Result<Vec<Outcome>, String>) -> anyhow::Result<ExitCode> {
    let outcomes = match outcomes {
        Ok(outcomes) => outcomes,
        Err(message) => {
            eprintln!("error: {message}");
            return Ok(ExitCode::from(workspace::SETUP));
        }
    };
    let findings: Vec<&Finding> = outcomes.iter().flat_map(|outcome| &outcome.findings).collect();
    for finding in &findings {
        print!("\n{finding}");
    }
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The command without what chooses inputs.
fn repeat(arguments: &Arguments) -> String {
    let mut repeat = "cargo xtask fuzz".to_owned();
    if let Some(node) = &arguments.node {
        repeat.push_str(&format!(" --node {}", node.display()));
    }
    if let Some(fault) = &arguments.fault {
        repeat.push_str(&format!(" --fault {fault}"));
    }
    repeat
}

/// A seed that people can type.
fn any_seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(since.subsec_nanos()) ^ (since.as_secs() % 1_000_000)
}
