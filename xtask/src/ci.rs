//! `cargo xtask ci`: everything that has to hold, in the order in which it is cheapest to find out that it does not.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, bail};
use clap::Args;

use crate::workspace;

/// Runs every check; ends at the first that fails.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Name the checks and run none.
    #[arg(long)]
    list: bool,
}

/// Name, program, arguments.
type Check = (&'static str, &'static str, &'static [&'static str]);

const CHECKS: &[Check] = &[
    ("format", "cargo", &["fmt", "--all", "--check"]),
    ("clippy", "cargo", &["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"]),
    ("documentation", "cargo", &["doc", "--workspace", "--no-deps", "--quiet"]),
    ("deny", "cargo", &["deny", "--log-level", "warn", "check", "bans", "licenses", "sources"]),
    ("independence", "xtask", &["independence"]),
    ("spec", "xtask", &["spec", "check"]),
    ("scenarios", "xtask", &["scenarios", "check"]),
    ("vectors", "xtask", &["vectors", "check"]),
    ("doctor", "xtask", &["doctor"]),
    ("tests of reference and tools", "cargo", &["test", "--quiet", "--workspace", "--exclude", "conformance"]),
    (
        "tests of the harness",
        "cargo",
        &["test", "--quiet", "-p", "conformance", "--lib", "--bins", "--test", "trivial_nodes", "--test", "doctor"],
    ),
    ("hazards", "xtask", &["hazards", "--check"]),
    ("simulation", "xtask", &["simulate", "--seed", "1", "--schedules", "100000"]),
    ("fuzz", "xtask", &["fuzz", "--seed", "5", "--count", "4000"]),
    ("coverage", "xtask", &["coverage"]),
    ("promises", "xtask", &["coverage", "--promises"]),
    ("conformance of the reference", "xtask", &["conformance", "--slowest"]),
    // Few at a time: each is about many connections or many bytes.
    ("slow cases", "xtask", &["conformance", "--set", "slow", "--jobs", "2"]),
    ("cases as tests", "cargo", &["test", "--quiet", "-p", "conformance", "--test", "conformance", "right-cookie"]),
    ("mixed clusters", "xtask", &["interop", "--require-all", "--nodes", "reference,python"]),
    ("trivial nodes", "xtask", &["trivial"]),
    ("faults", "xtask", &["faults"]),
];

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let root = workspace::root()?;
    if arguments.list {
        for (name, program, words) in CHECKS {
            println!("{name:<30} {} {}", shown(program), words.join(" "));
        }
        return Ok(ExitCode::SUCCESS);
    }
    // Asked now: a check that builds this program anew puts another file in its place, and then the system no longer tells.
    let this = std::env::current_exe().context("finding this program")?;
    for (index, (name, program, words)) in CHECKS.iter().enumerate() {
        println!("[{}/{}] {name}: {} {}", index + 1, CHECKS.len(), shown(program), words.join(" "));
        let start = Instant::now();
        let status = command(program, &this)
            .args(*words)
            .current_dir(&root)
            .env("RUSTDOCFLAGS", "--deny warnings")
            // No check is left out because a program is not there.
            .env("SNOW_REQUIRE_ALL", "1")
            .status()
            .with_context(|| format!("{program} could not be run"))?;
        if !status.success() {
            bail!("{name} failed ({status}); repeat it with `{} {}`", shown(program), words.join(" "));
        }
        println!("[{}/{}] {name}: passed in {} s\n", index + 1, CHECKS.len(), start.elapsed().as_secs());
    }
    println!("all {} checks passed", CHECKS.len());
    Ok(ExitCode::SUCCESS)
}

fn shown(program: &str) -> &str {
    if program == "xtask" { "cargo xtask" } else { program }
}

/// This program itself stands for `xtask`: no second build while checks run.
fn command(program: &str, this: &Path) -> Command {
    if program == "xtask" { Command::new(this) } else { Command::new(program) }
}
