//! `cargo xtask coverage`: which cases judge a requirement, and which planted faults show that they do.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use conformance::requirement::{Level, WaiverOf};
use conformance::setup;

use crate::{faults, workspace};

/// Lists requirement, cases and faults; fails on a MUST without both.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The manifest of a node that has faults [default: the reference node's].
    #[arg(long, value_name = "MANIFEST")]
    node: Option<PathBuf>,
    /// Name every case and every fault, not only how many there are.
    #[arg(long)]
    verbose: bool,
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
    let cases = suite.cases_by_requirement();
    let mut gaps = Vec::new();
    println!("{:<10} {:<7} {:>5} {:>6}  first case / first fault", "id", "level", "cases", "faults");
    for requirement in suite.spec.requirements.values() {
        let judged: &[&str] = cases.get(requirement.id.as_str()).map_or(&[], Vec::as_slice);
        let planted: Vec<&str> =
            faults.iter().filter(|fault| fault.requirement == requirement.id).map(|fault| fault.id.as_str()).collect();
        let waiver = suite.spec.waiver(&requirement.id);
        let waived = waiver.map_or_else(String::new, |waiver| format!("  waived: {}", waiver.reason));
        println!(
            "{:<10} {:<7} {:>5} {:>6}  {} / {}{waived}",
            requirement.id,
            requirement.level,
            judged.len(),
            planted.len(),
            judged.first().unwrap_or(&"-"),
            planted.first().unwrap_or(&"-"),
        );
        if arguments.verbose {
            for case in judged {
                println!("           case  {case}");
            }
            for fault in &planted {
                println!("           fault {fault}");
            }
        }
        if requirement.level != Level::Must {
            continue;
        }
        let needs_case = !waiver.is_some_and(|waiver| waiver.of == WaiverOf::CaseAndFault);
        if needs_case && judged.is_empty() {
            gaps.push(format!("{} (MUST) is judged by no case", requirement.id));
        }
        if waiver.is_none() && planted.is_empty() {
            gaps.push(format!("{} (MUST) is broken by no planted fault", requirement.id));
        }
    }
    println!(
        "\n{} requirements ({} MUST), {} cases, {} faults, {} waivers",
        suite.spec.requirements.len(),
        suite.musts(),
        suite.cases.len(),
        faults.len(),
        suite.spec.waivers.len()
    );
    for gap in &gaps {
        eprintln!("gap: {gap}");
    }
    Ok(if gaps.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
