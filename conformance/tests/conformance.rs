//! The suite as tests: one trial a case, so that `cargo test`, its filters, `--list`, `--test-threads` and nextest work as people expect.
//!
//! Slow cases are ignored tests: `--ignored`, `--include-ignored`. The node is the reference, or the one whose manifest `SNOW_NODE` names.
//! Each trial writes what it found into the folder that `SNOW_RESULTS` names, for `cargo xtask results merge`. Both paths are relative to the checkout:
//! test runners start trials elsewhere.

use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::thread;

use conformance::case::Case;
use conformance::cluster::Manifest;
use conformance::delivery::Delivery;
use conformance::deviation::{self, Deviations};
use conformance::merge;
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
    let manifest = std::env::var_os("SNOW_NODE").unwrap_or_else(|| "reference/node.yaml".into());
    let manifest = suite.root.join(manifest);
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
    let manifest = built(&options)?;
    let ready = setup::probe(suite, manifest, &options).map_err(|error| error.to_string())?;
    let deviations = ready.deviations.as_ref().map(|file| Deviations::load(file, suite)).transpose();
    Ok(Node { deviations: deviations.map_err(|error| error.to_string())?, ready })
}

/// Builds the node. Under nextest, which gives each trial a process of its own, only the first of a run does.
fn built(options: &setup::Options) -> Result<Manifest, String> {
    let build = || setup::build(&options.manifest, &options.target_directory).map_err(|error| error.to_string());
    let Ok(run) = std::env::var("NEXTEST_RUN_ID") else { return build() };
    let text = |error: std::io::Error| format!("remembering that the node has been built: {error}");
    let manifest = Manifest::load(&options.manifest, &options.target_directory).map_err(|error| error.to_string())?;
    let built = format!("{run} {}", manifest.path.display());
    let folder = options.target_directory.join("tmp");
    fs::create_dir_all(&folder).map_err(text)?;
    let open = File::options().create(true).truncate(false).read(true).write(true).open(folder.join("snow-built"));
    let mut file = open.map_err(text)?;
    // Given up with the file, however this process ends.
    file.lock().map_err(text)?;
    let mut last = String::new();
    file.read_to_string(&mut last).map_err(text)?;
    if last != built {
        build()?;
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(built.as_bytes())).map_err(text)?;
    }
    Ok(manifest)
}

fn trial(node: &Result<Node, String>, case: &Case) -> Result<(), Failed> {
    let Node { ready: node, deviations } = node.as_ref().map_err(Failed::from)?;
    let options = Options { jobs: 1, repeat: 1, command: String::new(), filters: vec![case.id.clone()], left_out: 0 };
    let mut results = run::run(&node.environment, node.facts.clone(), std::slice::from_ref(case), &options, |_| true);
    if let Some(deviations) = deviations {
        deviation::judge(deviations, &mut results);
    }
    let judged = results.cases.iter().try_for_each(|result| judged(&results, result, &node.facts));
    let problems = results.deviations.iter().flat_map(|report| &report.problems);
    let lines: Vec<String> = problems.map(|problem| format!("{}: {}", problem.place, problem.message)).collect();
    if let Some(folder) = std::env::var_os("SNOW_RESULTS") {
        merge::write_trial(&root().join(&folder), results)
            .map_err(|error| format!("the results cannot be written to {}: {error}", folder.display()))?;
    }
    judged?;
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
