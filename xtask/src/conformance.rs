//! `cargo xtask conformance`: judge one node.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use conformance::account::account;
use conformance::case::{Case, CaseSet};
use conformance::deviation::{self, Deviations};
use conformance::results::Results;
use conformance::run;
use conformance::rung::Rung;
use conformance::setup;
use conformance::suite::{Selection, Suite};

use crate::cases::{self, CaseArguments};
use crate::outputs::OutputArguments;
use crate::progress::Progress;
use crate::workspace;

/// Exit codes: 0 conforms, 1 does not, 2 wrong usage or nothing selected, 3 the adapter or set-up failed, 4 the harness failed.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    cases: CaseArguments,
    /// The manifest of the node to judge [default: the reference node's].
    #[arg(long, value_name = "MANIFEST")]
    node: Option<PathBuf>,
    /// Only cases up to this rung: 0 bytes, 1 wire, 2 membership, 3 registry, 4 room, 5 process, 6 supervisor (number or name).
    #[arg(long, value_name = "N")]
    rung: Option<Rung>,
    /// Write the failures of this run as known deviations, to the manifest's file or this one, and excuse none (conformance/results.md describes it).
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    write_deviations: Option<Option<PathBuf>>,
    #[command(flatten)]
    outputs: OutputArguments,
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
    let Selection { cases, left_out } = match suite.select(&arguments.cases.filter, arguments.cases.set.into()) {
        Ok(Selection { cases, .. }) if cases.is_empty() => bail!("the suite has no cases"),
        Ok(selection) => selection,
        Err(message) => bail!(message),
    };
    let (cases, left_out) = match arguments.rung {
        None => (cases, left_out),
        Some(rung) => {
            let cases = up_to(rung, cases)?;
            // What the other set has above the rung is not left out by the choice of the set.
            let all = suite.select(&arguments.cases.filter, CaseSet::All).map_err(anyhow::Error::msg)?.cases;
            let left_out = all.iter().filter(|case| case.rung() <= rung).count() - cases.len();
            (cases, left_out)
        }
    };
    if arguments.cases.list {
        cases::list(&cases);
        return Ok(ExitCode::SUCCESS);
    }
    // Found out now, not when the run is over.
    let outputs = arguments.outputs.open()?;
    let manifest = match &arguments.node {
        Some(path) => path.clone(),
        None => workspace::default_manifest()?,
    };
    let mut repeat = "cargo xtask conformance".to_owned();
    if let Some(node) = &arguments.node {
        repeat.push_str(&format!(" --node {}", node.display()));
    }
    if let Some(fault) = &arguments.fault {
        repeat.push_str(&format!(" --fault {fault}"));
    }
    repeat.push_str(&arguments.cases.delivery_option());
    let options = setup::Options {
        manifest,
        target_directory: workspace::target_directory()?,
        fault: arguments.fault.clone(),
        repeat: repeat.clone(),
        delivery: arguments.cases.delivery(),
        patience: 1.0,
    };
    let ready = match workspace::ready(&suite, &options) {
        Ok(ready) => ready,
        Err(code) => return Ok(code),
    };
    if let Some(rung) = arguments.rung {
        repeat.push_str(&format!(" --rung {}", rung.number()));
    }
    let known = match Known::of(arguments, &ready, &suite)? {
        Ok(known) => known,
        Err(code) => return Ok(code),
    };
    let excused = known.excused();
    let mut results = play(arguments, &ready, &cases, left_out, repeat, excused);
    results.up_to = arguments.rung;
    account(&suite.cases, arguments.cases.set.into(), &mut results);
    if let Some(deviations) = excused {
        deviation::judge(deviations, &mut results);
    }
    arguments.outputs.print(&results);
    outputs.write(&results)?;
    known.write(&suite, &results)?;
    Ok(ExitCode::from(results.conclusion().exit_code()))
}

/// The cases up to a rung.
fn up_to(rung: Rung, cases: Vec<Case>) -> anyhow::Result<Vec<Case>> {
    let kept: Vec<Case> = cases.into_iter().filter(|case| case.rung() <= rung).collect();
    if kept.is_empty() {
        bail!("all selected cases are above {rung}: leave `--rung` out");
    }
    Ok(kept)
}

fn play(
    arguments: &Arguments,
    ready: &setup::Ready,
    cases: &[Case],
    left_out: usize,
    repeat: String,
    known: Option<&Deviations>,
) -> Results {
    let command = [repeat].into_iter().chain(arguments.cases.filter.iter().cloned()).collect::<Vec<_>>().join(" ");
    let options = arguments.cases.options(command, left_out);
    let mut progress = Progress::of(cases.len() as u64 * u64::from(arguments.cases.repeat));
    let results = run::run(&ready.environment, ready.facts.clone(), cases, &options, |result| {
        progress.hears_of(result, known.is_some_and(|known| known.knows(result)));
        true
    });
    progress.end();
    results
}

/// What is known of failures: deviations that excuse them, or a file that they are to be written to.
enum Known {
    Nothing,
    Excused(Deviations),
    ToWrite { path: PathBuf, old: Option<Deviations> },
}

impl Known {
    /// Read before the run; or what is wrong with the file printed, and the exit code for that.
    fn of(arguments: &Arguments, ready: &setup::Ready, suite: &Suite) -> anyhow::Result<Result<Self, ExitCode>> {
        let loaded = match (&arguments.write_deviations, &ready.deviations) {
            (None, None) => Ok(Self::Nothing),
            (None, Some(path)) => Deviations::load(path, suite).map(Self::Excused),
            (Some(None), None) => bail!(
                "the manifest names no file of deviations: add `deviations: known.yaml` to it, or say `--write-deviations=FILE`"
            ),
            (Some(Some(path)), _) | (Some(None), Some(path)) => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                if folder.is_some_and(|folder| !folder.is_dir()) {
                    bail!("{} cannot be written: there is no such folder", path.display());
                }
                let old = path.exists().then(|| Deviations::read(path, suite)).transpose();
                old.map(|old| Self::ToWrite { path: path.clone(), old })
            }
        };
        Ok(loaded.map_err(|error| {
            for line in &error.0 {
                eprintln!("error: {line}");
            }
            ExitCode::from(workspace::SETUP)
        }))
    }

    const fn excused(&self) -> Option<&Deviations> {
        match self {
            Self::Excused(deviations) => Some(deviations),
            Self::Nothing | Self::ToWrite { .. } => None,
        }
    }

    /// Writes the file, where one is to be written, and says what is left to do.
    fn write(&self, suite: &Suite, results: &Results) -> anyhow::Result<()> {
        let Self::ToWrite { path, old } = self else { return Ok(()) };
        let ids: Vec<&str> = suite.cases.iter().map(|case| case.id.as_str()).collect();
        let written = deviation::write(old.as_ref(), results, &ids);
        fs::write(path, &written.text).with_context(|| format!("writing {}", path.display()))?;
        println!("{} deviations written to {}", written.entries, path.display());
        if written.without_reason > 0 {
            println!("{} of them have no reason yet: write it in the place of TODO", written.without_reason);
        }
        for id in &written.unsteady {
            println!("not written, as it does not always fail, or not always in the same way: {id}");
        }
        Ok(())
    }
}
