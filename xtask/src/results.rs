//! `cargo xtask results`: what is done with results after the runs. Plays nothing.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use conformance::account::account;
use conformance::merge::{self, Whole};

use crate::cases::Set;
use crate::outputs::OutputArguments;
use crate::workspace;

/// What can be done with results.
#[derive(Debug, Subcommand)]
pub(crate) enum ResultsCommand {
    /// Put the results of shards together, and report on them as on one run.
    Merge(Merge),
}

/// Exit codes are those of `cargo xtask conformance`; 2 too where results do not belong together, or cases are missing with `--whole`.
#[derive(Debug, Args)]
pub(crate) struct Merge {
    /// Files that `--results` wrote, and folders of these or of what SNOW_RESULTS had trials write.
    #[arg(required = true, value_name = "FILE_OR_FOLDER")]
    places: Vec<PathBuf>,
    /// Which cases have to be there for a word on conformance.
    #[arg(long, value_name = "SET", value_enum, default_value_t = Set::Quick)]
    set: Set,
    /// Fail when there are cases that no shard ran.
    #[arg(long)]
    whole: bool,
    #[command(flatten)]
    outputs: OutputArguments,
}

/// How many cases are named that nobody ran.
const NAMED: usize = 10;

/// Runs the command.
pub(crate) fn run(command: &ResultsCommand) -> anyhow::Result<ExitCode> {
    let ResultsCommand::Merge(arguments) = command;
    let suite = match workspace::suite()? {
        Ok(suite) => suite,
        Err(code) => return Ok(code),
    };
    // Read before anything is written: an output may stand among the inputs.
    let parts = merge::read(&arguments.places)?;
    let mut merged = Whole::of(&suite, arguments.set.into()).merge(parts)?;
    let outputs = arguments.outputs.open()?;
    account(&suite.cases, arguments.set.into(), &mut merged.results);
    arguments.outputs.print(&merged.results);
    outputs.write(&merged.results)?;
    let missing = merged.missing.len();
    if missing > 0 {
        println!(
            "\n{missing} cases of the suite were run by no shard, so nothing is said about conformance as a whole:"
        );
        merged.missing.iter().take(NAMED).for_each(|id| println!("  {id}"));
        if missing > NAMED {
            println!("  … and {} more", missing - NAMED);
        }
    }
    println!("merged from {} files", merged.parts);
    if missing > 0 && arguments.whole {
        bail!("{missing} cases were run by no shard, and `--whole` asks for all of them");
    }
    Ok(ExitCode::from(merged.results.conclusion().exit_code()))
}
