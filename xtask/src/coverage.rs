//! `cargo xtask coverage`: which cases judge a requirement, and which planted faults show that they do.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use conformance::requirement::{Level, Requirement, Waiver, WaiverOf};
use conformance::setup;
use conformance::suite::Suite;

use crate::faults::{self, Fault};
use crate::{promises, workspace};

/// Lists requirement, cases and faults; fails on a MUST without both.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The manifest of a node that has faults [default: the reference node's].
    #[arg(long, value_name = "MANIFEST")]
    node: Option<PathBuf>,
    /// Name every case and every fault, not only how many there are.
    #[arg(long)]
    verbose: bool,
    /// The promises to users (spec/promises.md) instead of the requirements that keep them.
    #[arg(long)]
    promises: bool,
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
    let manifest = match setup::build(&path, &workspace::target_directory()?) {
        Ok(manifest) => manifest,
        Err(error) => {
            eprintln!("error: {error}");
            return Ok(ExitCode::from(3));
        }
    };
    let faults = faults::list(&manifest)?;
    let gaps = if arguments.promises {
        match promises::show(&suite, &faults, arguments.verbose) {
            Ok(gaps) => gaps,
            Err(wrong) => {
                wrong.iter().for_each(|line| eprintln!("error: {line}"));
                return Ok(ExitCode::from(2));
            }
        }
    } else {
        requirements(&suite, &faults, arguments.verbose)
    };
    for gap in &gaps {
        eprintln!("gap: {gap}");
    }
    Ok(if gaps.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What there is of one requirement.
pub(crate) struct Covered<'a> {
    pub(crate) requirement: &'a Requirement,
    pub(crate) cases: Vec<&'a str>,
    pub(crate) faults: Vec<&'a str>,
    pub(crate) waiver: Option<&'a Waiver>,
}

/// What there is of each requirement, in the order of the spec.
pub(crate) fn covered<'a>(suite: &'a Suite, faults: &'a [Fault]) -> Vec<Covered<'a>> {
    let mut cases = suite.cases_by_requirement();
    let of = |requirement: &'a Requirement| Covered {
        requirement,
        cases: cases.remove(requirement.id.as_str()).unwrap_or_default(),
        faults: faults
            .iter()
            .filter(|fault| fault.requirement == requirement.id)
            .map(|fault| fault.id.as_str())
            .collect(),
        waiver: suite.spec.waiver(&requirement.id),
    };
    suite.spec.requirements.values().map(of).collect()
}

impl Covered<'_> {
    /// What is missing: only a MUST needs anything, and a waiver excuses it.
    pub(crate) fn gaps(&self) -> Vec<String> {
        let id = &self.requirement.id;
        let mut gaps = Vec::new();
        if self.requirement.level != Level::Must {
            return gaps;
        }
        let needs_case = !self.waiver.is_some_and(|waiver| waiver.of == WaiverOf::CaseAndFault);
        if needs_case && self.cases.is_empty() {
            gaps.push(format!("{id} (MUST) is judged by no case"));
        }
        if self.waiver.is_none() && self.faults.is_empty() {
            gaps.push(format!("{id} (MUST) is broken by no planted fault"));
        }
        gaps
    }
}

fn requirements(suite: &Suite, faults: &[Fault], verbose: bool) -> Vec<String> {
    let mut gaps = Vec::new();
    println!("{:<10} {:<7} {:>5} {:>6}  first case / first fault", "id", "level", "cases", "faults");
    for covered in covered(suite, faults) {
        let Covered { requirement, cases, faults, waiver } = &covered;
        let waived = waiver.map_or_else(String::new, |waiver| format!("  waived: {}", waiver.reason));
        println!(
            "{:<10} {:<7} {:>5} {:>6}  {} / {}{waived}",
            requirement.id,
            requirement.level,
            cases.len(),
            faults.len(),
            cases.first().unwrap_or(&"-"),
            faults.first().unwrap_or(&"-"),
        );
        if verbose {
            cases.iter().for_each(|case| println!("           case  {case}"));
            faults.iter().for_each(|fault| println!("           fault {fault}"));
        }
        gaps.extend(covered.gaps());
    }
    println!(
        "\n{} requirements ({} MUST), {} cases, {} faults, {} waivers",
        suite.spec.requirements.len(),
        suite.musts(),
        suite.cases.len(),
        faults.len(),
        suite.spec.waivers.len()
    );
    gaps
}
