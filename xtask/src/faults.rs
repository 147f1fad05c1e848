//! `cargo xtask faults`: plant each fault of a node and show which cases catch it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use anyhow::{Context, bail};
use clap::Args;
use conformance::case::Case;
use conformance::cluster::Manifest;
use conformance::results::{CaseResult, Outcome};
use conformance::run::{self, Options};
use conformance::setup;
use conformance::suite::Suite;
use serde::Deserialize;

use crate::workspace;

/// A fault is caught when a case that cites its requirement fails. By default only those cases are run.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Faults whose id contains this, or that break this requirement; all of them where none is given.
    filter: Vec<String>,
    /// The manifest of a node that has faults [default: the reference node's].
    #[arg(long, value_name = "MANIFEST")]
    node: Option<PathBuf>,
    /// List the faults and plant none.
    #[arg(long)]
    list: bool,
    /// Run the whole suite against each fault, and show everything that fails.
    #[arg(long)]
    all_cases: bool,
    /// How many cases are run at once [default: four a core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
}

/// A bug that a node can be started with.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Fault {
    /// Its name.
    pub(crate) id: String,
    /// The one requirement that it breaks.
    pub(crate) requirement: String,
    /// What it does.
    pub(crate) description: String,
}

/// Waiting for what a broken node will never do is most of the time that this takes.
const PATIENCE: f64 = 0.5;

/// Asks a built node for its faults.
pub(crate) fn list(manifest: &Manifest) -> anyhow::Result<Vec<Fault>> {
    let Some(faults) = &manifest.faults else {
        bail!("{}: has no `faults`", manifest.path.display());
    };
    let output = faults
        .list
        .command()
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{} could not be run", faults.list))?;
    if !output.status.success() {
        bail!("{} ended with {}: {}", faults.list, output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{} has to print a JSON list of {{id, requirement, description}}", faults.list))
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let suite = match workspace::suite()? {
        Ok(suite) => suite,
        Err(code) => return Ok(code),
    };
    let path = match &arguments.node {
        Some(path) => path.clone(),
        None => workspace::default_manifest()?,
    };
    let target = workspace::target_directory()?;
    let manifest = match setup::build(&path, &target) {
        Ok(manifest) => manifest,
        Err(error) => {
            eprintln!("error: {error}");
            return Ok(ExitCode::from(3));
        }
    };
    let faults = selected(list(&manifest)?, &arguments.filter)?;
    if arguments.list {
        for fault in &faults {
            println!("{:<44} {:<9} {}", fault.id, fault.requirement, fault.description);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let unknown: Vec<&str> = faults
        .iter()
        .filter(|fault| !suite.spec.requirements.contains_key(&fault.requirement))
        .map(|fault| fault.id.as_str())
        .collect();
    if !unknown.is_empty() {
        bail!("these faults break no requirement of the spec: {}", unknown.join(", "));
    }
    let jobs = arguments.jobs.map_or_else(crate::conformance::default_jobs, usize::from);
    println!("{:<44} {:<9} caught by", "fault", "breaks");
    let mut missed = Vec::new();
    for fault in &faults {
        let caught = plant(&suite, &manifest, &path, &target, fault, arguments.all_cases, jobs)?;
        println!("{:<44} {:<9} {}", fault.id, fault.requirement, shown(&caught));
        if caught.by.is_empty() {
            missed.push(fault);
        }
    }
    println!(
        "\n{} of {} faults caught by a case that cites the requirement",
        faults.len() - missed.len(),
        faults.len()
    );
    for fault in &missed {
        eprintln!("missed: {} ({}): {}", fault.id, fault.requirement, fault.description);
    }
    Ok(if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn selected(faults: Vec<Fault>, filters: &[String]) -> anyhow::Result<Vec<Fault>> {
    let matches = |fault: &Fault, filter: &String| fault.id.contains(filter) || fault.requirement == *filter;
    if let Some(filter) = filters.iter().find(|filter| !faults.iter().any(|fault| matches(fault, filter))) {
        bail!("no fault matches `{filter}` (`cargo xtask faults --list` shows them all)");
    }
    Ok(faults.into_iter().filter(|fault| filters.is_empty() || filters.iter().any(|f| matches(fault, f))).collect())
}

/// What failed under a fault.
struct Caught {
    /// Failing cases that cite the requirement.
    by: Vec<String>,
    /// Other failing cases.
    others: usize,
    /// How many cases were run.
    run: usize,
}

fn shown(caught: &Caught) -> String {
    let mut text = match caught.by.as_slice() {
        [] => format!("NOBODY ({} cases passed)", caught.run),
        [only] => only.clone(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    };
    if caught.others > 0 {
        text.push_str(&format!(" (and {} of other requirements)", caught.others));
    }
    text
}

fn plant(
    suite: &Suite,
    manifest: &Manifest,
    path: &Path,
    target: &Path,
    fault: &Fault,
    all_cases: bool,
    jobs: usize,
) -> anyhow::Result<Caught> {
    let options = setup::Options {
        manifest: path.to_owned(),
        target_directory: target.to_owned(),
        fault: Some(fault.id.clone()),
        repeat: format!("cargo xtask conformance --fault {}", fault.id),
        patience: PATIENCE,
    };
    let ready = setup::probe(suite, manifest.clone(), &options)
        .with_context(|| format!("the node with the fault {} cannot be judged", fault.id))?;
    let cites = |requirements: &[String]| requirements.contains(&fault.requirement);
    let cases: Vec<Case> = suite.cases.iter().filter(|case| all_cases || cites(&case.requirements)).cloned().collect();
    let run_options =
        Options { jobs, repeat: 1, command: options.repeat.clone(), filters: vec![fault.requirement.clone()] };
    let results = run::run(&ready.environment, ready.facts.clone(), &cases, &run_options, |result| {
        // One case that catches it is enough, where nobody asked for the whole picture.
        all_cases || !matches!(result.outcome, Outcome::Fail { .. })
    });
    let failed = |case: &&CaseResult| matches!(case.outcome, Outcome::Fail { .. });
    let by: BTreeSet<String> = results
        .cases
        .iter()
        .filter(failed)
        .filter(|case| cites(&case.requirements))
        .map(|case| case.id.clone())
        .collect();
    let others = results.cases.iter().filter(failed).filter(|case| !cites(&case.requirements)).count();
    Ok(Caught { by: by.into_iter().collect(), others, run: cases.len() })
}
