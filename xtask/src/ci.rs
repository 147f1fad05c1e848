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
    /// Fail where a check needs a program that is not on this machine, rather than to say so and leave it out.
    #[arg(long)]
    require_all: bool,
}

/// Name, program, arguments.
type Check = (&'static str, &'static str, &'static [&'static str]);

/// The families in which nodes talk most to each other: two thirds of all clusters, which is what there is time for.
const MIXED: &[&str] = &["interop", "membership/", "registry/", "room/", "process/", "supervisor/"];

/// A node that shares nothing with the reference: judged, and checked by its own tests.
struct SecondOpinion {
    language: &'static str,
    /// The program without which it cannot be built.
    needs: &'static str,
    folder: &'static str,
    tests: &'static [&'static str],
}

const SECOND_OPINIONS: &[SecondOpinion] = &[
    SecondOpinion {
        language: "Python",
        needs: "python3.11",
        folder: "conformance/nodes/python",
        tests: &[".venv/bin/python", "-m", "unittest", "tests.test_vectors"],
    },
    SecondOpinion { language: "Go", needs: "go", folder: "conformance/nodes/go", tests: &["go", "test", "./..."] },
    SecondOpinion {
        language: "TypeScript",
        needs: "node",
        folder: "conformance/nodes/typescript",
        tests: &["npm", "test", "--silent"],
    },
];

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
    ("trivial nodes", "xtask", &["trivial"]),
    ("faults", "xtask", &["faults"]),
];

/// Mixed clusters and second opinions come before this check.
const BEFORE: &str = "trivial nodes";

/// One check, ready to be run.
struct Step {
    name: String,
    program: &'static str,
    words: Vec<String>,
    folder: &'static str,
    /// A program that is no part of what every checkout needs.
    needs: Option<&'static str>,
}

fn steps(require_all: bool) -> Vec<Step> {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let step = |(name, program, words): &Check| Step {
        name: (*name).to_owned(),
        program,
        words: owned(words),
        folder: "",
        needs: None,
    };
    let mut steps: Vec<Step> = CHECKS.iter().map(step).collect();
    let all = require_all.then(|| "--require-all".to_owned());
    let mixed = MIXED.iter().map(|word| (*word).to_owned()).chain(all).collect();
    let mut others = vec![Step { words: mixed, ..step(&("mixed clusters", "xtask", &[])) }];
    for SecondOpinion { language, needs, folder, tests } in SECOND_OPINIONS {
        let of_node = |name: String, program, words, folder| Step { name, program, words, folder, needs: Some(*needs) };
        let manifest = format!("{folder}/node.yaml");
        let judged = vec!["conformance".to_owned(), "--node".to_owned(), manifest];
        others.push(of_node(format!("the node in {language}"), "xtask", judged, ""));
        others.push(of_node(format!("tests of the node in {language}"), tests[0], owned(&tests[1..]), folder));
    }
    let at = steps.iter().position(|step| step.name == BEFORE).unwrap_or(steps.len());
    steps.splice(at..at, others);
    steps
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let root = workspace::root()?;
    let steps = steps(arguments.require_all);
    if arguments.list {
        for step in &steps {
            println!("{:<30} {}", step.name, step.shown());
        }
        return Ok(ExitCode::SUCCESS);
    }
    // Asked now: a check that builds this program anew puts another file in its place, and then the system no longer tells.
    let this = std::env::current_exe().context("finding this program")?;
    let mut left_out = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let Step { name, program, words, folder, needs } = step;
        println!("[{}/{}] {name}: {}", index + 1, steps.len(), step.shown());
        if let Some(missing) = needs.filter(|needs| !is_there(needs)) {
            if arguments.require_all {
                bail!("{name} needs `{missing}`, which is not on this machine");
            }
            println!("[{}/{}] {name}: left out, since `{missing}` is not on this machine\n", index + 1, steps.len());
            left_out.push(format!("{name} (for want of {missing})"));
            continue;
        }
        let start = Instant::now();
        let status = command(program, &this, &root.join(folder))
            .args(words)
            .current_dir(root.join(folder))
            .env("RUSTDOCFLAGS", "--deny warnings")
            .envs(arguments.require_all.then_some(("SNOW_REQUIRE_ALL", "1")))
            .status()
            .with_context(|| format!("{program} could not be run"))?;
        if !status.success() {
            bail!("{name} failed ({status}); repeat it with `{}`", step.shown());
        }
        println!("[{}/{}] {name}: passed in {} s\n", index + 1, steps.len(), start.elapsed().as_secs());
    }
    match left_out.len() {
        0 => println!("all {} checks passed", steps.len()),
        count => println!("{} checks passed, {count} left out: {}", steps.len() - count, left_out.join(", ")),
    }
    Ok(ExitCode::SUCCESS)
}

impl Step {
    /// What a person types.
    fn shown(&self) -> String {
        let program = if self.program == "xtask" { "cargo xtask" } else { self.program };
        let place = if self.folder.is_empty() { String::new() } else { format!("cd {} && ", self.folder) };
        format!("{place}{program} {}", self.words.join(" "))
    }
}

/// Whether there is such a program on the search path.
fn is_there(program: &str) -> bool {
    let Some(path) = std::env::var_os("PATH") else { return false };
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// This program itself stands for `xtask`: no second build while checks run. A path is in the check's folder.
fn command(program: &str, this: &Path, folder: &Path) -> Command {
    if program == "xtask" {
        Command::new(this)
    } else if program.contains('/') {
        Command::new(folder.join(program))
    } else {
        Command::new(program)
    }
}
