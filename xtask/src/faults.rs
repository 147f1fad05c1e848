//! `cargo xtask faults`: plant each fault of a node and show which cases catch it.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context, bail};
use clap::Args;
use conformance::case::Case;
use conformance::cluster::Manifest;
use conformance::delivery::Delivery;
use conformance::results::{CaseResult, Outcome};
use conformance::run::{self, Options};
use conformance::setup;
use conformance::suite::Suite;
use indicatif::{ProgressBar, ProgressDrawTarget};
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
    /// How many faults are planted at once, each in nodes of its own [default: four a core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    at_once: Option<u16>,
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
    let at_once = arguments.at_once.map_or_else(crate::cases::default_jobs, usize::from);
    let planting =
        Planting { suite: &suite, manifest: &manifest, path: &path, target: &target, all_cases: arguments.all_cases };
    println!("{:<44} {:<9} caught by", "fault", "breaks");
    let mut missed = Vec::new();
    for (fault, caught) in planting.all(&faults, at_once)? {
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

/// How many cases of one fault run at once: several faults do.
const JOBS: usize = 4;

/// What all faults have in common.
struct Planting<'a> {
    suite: &'a Suite,
    manifest: &'a Manifest,
    path: &'a Path,
    target: &'a Path,
    all_cases: bool,
}

impl Planting<'_> {
    /// Plants every fault, several at once; the results come in the order of the faults.
    fn all<'f>(&self, faults: &'f [Fault], at_once: usize) -> anyhow::Result<Vec<(&'f Fault, Caught)>> {
        let next = AtomicUsize::new(0);
        let progress = ProgressBar::with_draw_target(
            Some(faults.len() as u64),
            if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() },
        );
        let results = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..at_once.max(1) {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(fault) = faults.get(index) else { break };
                        let caught = self.plant(fault);
                        progress.inc(1);
                        results.lock().unwrap_or_else(PoisonError::into_inner).push((index, caught));
                    }
                });
            }
        });
        progress.finish_and_clear();
        let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        results.sort_by_key(|(index, _)| *index);
        results.into_iter().map(|(index, caught)| Ok((&faults[index], caught?))).collect()
    }

    fn plant(&self, fault: &Fault) -> anyhow::Result<Caught> {
        let options = setup::Options {
            manifest: self.path.to_owned(),
            target_directory: self.target.to_owned(),
            fault: Some(fault.id.clone()),
            repeat: format!("cargo xtask conformance --fault {}", fault.id),
            delivery: Delivery::Whole,
            patience: PATIENCE,
        };
        let ready = setup::probe(self.suite, self.manifest.clone(), &options)
            .with_context(|| format!("the node with the fault {} cannot be judged", fault.id))?;
        let cites = |requirements: &[String]| requirements.contains(&fault.requirement);
        let selected: Vec<&Case> =
            self.suite.cases.iter().filter(|case| self.all_cases || cites(&case.requirements)).collect();
        // Slow cases are asked only where no quick one has caught it.
        let (slow, quick): (Vec<&Case>, Vec<&Case>) =
            selected.into_iter().partition(|case| case.slow && !self.all_cases);
        let failed = |case: &&CaseResult| matches!(case.outcome, Outcome::Fail { .. });
        let mut played: Vec<CaseResult> = Vec::new();
        for cases in [quick, slow] {
            if !self.all_cases && played.iter().any(|case| failed(&case)) {
                break;
            }
            let cases: Vec<Case> = cases.into_iter().cloned().collect();
            let filters = vec![fault.requirement.clone()];
            let run_options = Options { jobs: JOBS, repeat: 1, command: options.repeat.clone(), filters, left_out: 0 };
            let results = run::run(&ready.environment, ready.facts.clone(), &cases, &run_options, |result| {
                // One case that catches it is enough, where nobody asked for the whole picture.
                self.all_cases || !matches!(result.outcome, Outcome::Fail { .. })
            });
            played.extend(results.cases);
        }
        let (by, others): (Vec<&CaseResult>, Vec<&CaseResult>) =
            played.iter().filter(failed).partition(|case| cites(&case.requirements));
        let by: BTreeSet<String> = by.into_iter().map(|case| case.id.clone()).collect();
        Ok(Caught { by: by.into_iter().collect(), others: others.len(), run: played.len() })
    }
}
