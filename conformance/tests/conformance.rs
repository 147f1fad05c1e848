//! The suite as tests: one trial a case, so that `cargo test`, its filters, `--list`, `--test-threads` and nextest work as people expect.
//!
//! Slow cases are ignored tests: `--ignored`, `--include-ignored`. The node is the reference, or the one whose manifest `SNOW_NODE` names.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::thread;

use conformance::case::Case;
use conformance::delivery::Delivery;
use conformance::deviation::{self, Deviations};
use conformance::report;
use conformance::results::{CaseResult, NodeFacts, Outcome, Results};
use conformance::run::{self, Options};
use conformance::setup::{self, Ready};
use conformance::suite::Suite;
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Most of a case is waiting.
    arguments.test_threads.get_or_insert(thread::available_parallelism().map_or(4, |cores| cores.get() * 4));
    let suite = match Suite::load(&root()) {
        Ok(suite) => Arc::new(suite),
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(4);
        }
    };
    let node: Arc<OnceLock<Result<Node, String>>> = Arc::default();
    let mut cases = suite.cases.clone();
    cases.sort_by_key(|case| !case.waits());
    let trials = cases
        .into_iter()
        .map(|case| {
            let (suite, node) = (suite.clone(), node.clone());
            let kind = case.level.to_string();
            let slow = case.slow;
            Trial::test(case.id.clone(), move || trial(node.get_or_init(|| ready(&suite)), &case))
                .with_kind(kind)
                .with_ignored_flag(slow)
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What all trials judge.
struct Node {
    ready: Ready,
    deviations: Option<Deviations>,
}

/// Builds and probes the node, once, when the first trial runs: listing needs none.
fn ready(suite: &Suite) -> Result<Node, String> {
    let manifest = std::env::var_os("SNOW_NODE").map_or_else(|| suite.root.join("reference/node.yaml"), PathBuf::from);
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    // This program stands in <target>/<profile>/deps.
    let target_directory = program.ancestors().nth(3).ok_or("this program stands in no target folder")?.to_owned();
    let options = setup::Options {
        repeat: format!("cargo xtask conformance --node {}", manifest.display()),
        manifest,
        target_directory,
        fault: None,
        delivery: Delivery::Whole,
        patience: 1.0,
    };
    let ready = setup::build(&options.manifest, &options.target_directory)
        .and_then(|manifest| setup::probe(suite, manifest, &options))
        .map_err(|error| error.to_string())?;
    let deviations = ready.deviations.as_ref().map(|file| Deviations::load(file, suite)).transpose();
    Ok(Node { deviations: deviations.map_err(|error| error.to_string())?, ready })
}

fn trial(node: &Result<Node, String>, case: &Case) -> Result<(), Failed> {
    let Node { ready: node, deviations } = node.as_ref().map_err(Failed::from)?;
    let options = Options { jobs: 1, repeat: 1, command: String::new(), filters: vec![case.id.clone()], left_out: 0 };
    let mut results = run::run(&node.environment, node.facts.clone(), std::slice::from_ref(case), &options, |_| true);
    if let Some(deviations) = deviations {
        deviation::judge(deviations, &mut results);
    }
    results.cases.iter().try_for_each(|result| judged(&results, result, &node.facts))?;
    let problems = results.deviations.iter().flat_map(|report| &report.problems);
    let lines: Vec<String> = problems.map(|problem| format!("{}: {}", problem.place, problem.message)).collect();
    if lines.is_empty() { Ok(()) } else { Err(lines.join("\n").into()) }
}

/// A skipped case and a known deviation pass here, as libtest knows no skipping at run time; the line says so.
fn judged(results: &Results, case: &CaseResult, facts: &NodeFacts) -> Result<(), Failed> {
    match &case.outcome {
        Outcome::Pass => Ok(()),
        Outcome::Skipped { missing } => {
            println!("{}: skipped, {} lacks the capability {missing}", case.id, facts.name);
            Ok(())
        }
        Outcome::Fail { failure } if let Some(known) = &case.deviation => {
            println!("{}: known deviation, {}, {}: {}", case.id, failure.requirement, failure.cause, known.reason);
            Ok(())
        }
        Outcome::Fail { failure } => Err(report::failure(results, case, failure).into()),
        Outcome::Error { problem } => Err(report::problem(case, problem).into()),
    }
}
