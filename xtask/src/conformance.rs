//! `cargo xtask conformance`: judge one node.

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use conformance::case::{Case, CaseSet};
use conformance::delivery::Delivery;
use conformance::report::{self, Detail};
use conformance::results::{Outcome, Results};
use conformance::run::{self, Options};
use conformance::rung::Rung;
use conformance::setup;
use conformance::suite::Selection;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::workspace;

/// Exit codes: 0 conforms, 1 does not, 2 wrong usage or nothing selected, 3 the adapter or set-up failed, 4 the harness failed.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Cases whose id contains this, or that judge this requirement; all cases where none is given.
    filter: Vec<String>,
    /// The manifest of the node to judge [default: the reference node's].
    #[arg(long, value_name = "MANIFEST")]
    node: Option<PathBuf>,
    /// Which cases: those that are quick (two minutes), those that are slow by their nature (ten), or all. A case that is named in full is run anyway.
    #[arg(long, value_name = "SET", value_enum, default_value_t = Set::Quick)]
    set: Set,
    /// Only cases up to this rung: 0 bytes, 1 wire, 2 membership, 3 registry, 4 room, 5 process, 6 supervisor (number or name).
    #[arg(long, value_name = "N")]
    rung: Option<Rung>,
    /// List the selected cases and run none.
    #[arg(long)]
    list: bool,
    /// How many cases are run at once [default: four a core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Write the results as JSON (conformance/results.md describes them).
    #[arg(long, value_name = "FILE.json")]
    results: Option<PathBuf>,
    /// Write a JUnit report.
    #[arg(long, value_name = "FILE.xml")]
    junit: Option<PathBuf>,
    /// Run every case so many times.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    repeat: u32,
    /// Show each failure in full, and not one of each kind.
    #[arg(long)]
    each_failure: bool,
    /// Name the slowest cases at the end.
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "10")]
    slowest: Option<usize>,
    /// How what scripted peers send arrives: as it is sent, byte by byte, in segments with pauses, or together with what follows.
    #[arg(long, value_name = "SCHEDULE", value_enum, default_value_t = Schedule::Whole)]
    delivery: Schedule,
    /// Plant this fault, in a node that has some (`cargo xtask faults --list`).
    #[arg(long, value_name = "ID", hide = true)]
    fault: Option<String>,
}

/// See [`CaseSet`].
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Set {
    Quick,
    Slow,
    All,
}

impl From<Set> for CaseSet {
    fn from(set: Set) -> Self {
        match set {
            Set::Quick => Self::Quick,
            Set::Slow => Self::Slow,
            Set::All => Self::All,
        }
    }
}

/// See [`Delivery`].
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Schedule {
    Whole,
    Bytes,
    Segments,
    Joined,
}

impl From<Schedule> for Delivery {
    fn from(schedule: Schedule) -> Self {
        match schedule {
            Schedule::Whole => Self::Whole,
            Schedule::Bytes => Self::Bytes,
            Schedule::Segments => Self::Segments,
            Schedule::Joined => Self::Joined,
        }
    }
}

/// How many cases are run at once where nobody says: most of a case is waiting.
pub(crate) fn default_jobs() -> usize {
    thread::available_parallelism().map_or(4, |cores| cores.get() * 4)
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let suite = match workspace::suite()? {
        Ok(suite) => suite,
        Err(code) => return Ok(code),
    };
    let Selection { cases, left_out } = match suite.select(&arguments.filter, arguments.set.into()) {
        Ok(Selection { cases, .. }) if cases.is_empty() => bail!("the suite has no cases"),
        Ok(selection) => selection,
        Err(message) => bail!(message),
    };
    let (cases, left_out) = match arguments.rung {
        None => (cases, left_out),
        Some(rung) => {
            let cases = up_to(rung, cases)?;
            // What the other set has above the rung is not left out by the choice of the set.
            let all = suite.select(&arguments.filter, CaseSet::All).map_err(anyhow::Error::msg)?.cases;
            let left_out = all.iter().filter(|case| case.rung() <= rung).count() - cases.len();
            (cases, left_out)
        }
    };
    if arguments.list {
        list(&cases);
        return Ok(ExitCode::SUCCESS);
    }
    // Found out now, not when the run is over.
    let outputs = Outputs::open(arguments)?;
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
    match Delivery::from(arguments.delivery) {
        Delivery::Whole => {}
        delivery => repeat.push_str(&format!(" --delivery {delivery}")),
    }
    let options = setup::Options {
        manifest,
        target_directory: workspace::target_directory()?,
        fault: arguments.fault.clone(),
        repeat: repeat.clone(),
        delivery: arguments.delivery.into(),
        patience: 1.0,
    };
    let ready = match workspace::ready(&suite, &options) {
        Ok(ready) => ready,
        Err(code) => return Ok(code),
    };
    if let Some(rung) = arguments.rung {
        repeat.push_str(&format!(" --rung {}", rung.number()));
    }
    let mut results = play(arguments, &ready, &cases, left_out, repeat);
    results.up_to = arguments.rung;
    let detail = if arguments.each_failure { Detail::Each } else { Detail::OneOfAKind };
    print!("{}", report::failures(&results, detail));
    println!("{}", report::summary(&results).trim_end());
    if let Some(count) = arguments.slowest {
        slowest(&results, count);
    }
    outputs.write(&results)?;
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

fn list(cases: &[Case]) {
    // A reader such as `head` may close the pipe.
    let mut out = std::io::stdout().lock();
    for case in cases {
        if writeln!(out, "{:<7} {}  {}  [{}]", case.level, case.rung().number(), case.id, case.requirements.join(" "))
            .is_err()
        {
            return;
        }
    }
}

/// After how many cases a line is printed where there is no terminal.
const REPORTED: u64 = 250;

fn play(arguments: &Arguments, ready: &setup::Ready, cases: &[Case], left_out: usize, repeat: String) -> Results {
    let total = cases.len() as u64 * u64::from(arguments.repeat);
    let bar = ProgressBar::with_draw_target(
        Some(total),
        if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() },
    );
    if let Ok(style) = ProgressStyle::with_template("{elapsed:>4} [{bar:30}] {pos}/{len} {wide_msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(250));
    let options = Options {
        jobs: arguments.jobs.map_or_else(default_jobs, usize::from),
        repeat: arguments.repeat,
        command: [repeat].into_iter().chain(arguments.filter.iter().cloned()).collect::<Vec<_>>().join(" "),
        filters: arguments.filter.clone(),
        left_out,
    };
    let mut failed = 0;
    let results = run::run(&ready.environment, ready.facts.clone(), cases, &options, |result| {
        if matches!(result.outcome, Outcome::Fail { .. } | Outcome::Error { .. }) {
            failed += 1;
            bar.suspend(|| eprintln!("not passed: {}", result.id));
        }
        bar.set_message(if failed == 0 { result.id.clone() } else { format!("{failed} not passed; {}", result.id) });
        bar.inc(1);
        // Where nobody draws a bar, a line now and then says that it goes on.
        if bar.is_hidden() && bar.position().is_multiple_of(REPORTED) {
            eprintln!("{} of {total} cases, {failed} not passed", bar.position());
        }
        true
    });
    bar.finish_and_clear();
    results
}

fn slowest(results: &Results, count: usize) {
    let mut cases: Vec<_> = results.cases.iter().collect();
    cases.sort_by_key(|case| std::cmp::Reverse(case.duration_ms));
    println!("\nslowest cases");
    for case in cases.into_iter().take(count) {
        println!("{:>6} ms  {}", case.duration_ms, case.id);
    }
}

/// The files to write, opened before the run.
struct Outputs {
    results: Option<(PathBuf, File)>,
    junit: Option<(PathBuf, File)>,
}

impl Outputs {
    fn open(arguments: &Arguments) -> anyhow::Result<Self> {
        let open = |path: &Option<PathBuf>| -> anyhow::Result<Option<(PathBuf, File)>> {
            let Some(path) = path else { return Ok(None) };
            Ok(Some((path.clone(), create(path)?)))
        };
        Ok(Self { results: open(&arguments.results)?, junit: open(&arguments.junit)? })
    }

    fn write(self, results: &Results) -> anyhow::Result<()> {
        if let Some((path, file)) = self.results {
            serde_json::to_writer_pretty(&file, results).with_context(|| format!("writing {}", path.display()))?;
        }
        if let Some((path, mut file)) = self.junit {
            let text = report::junit(results).context("making the JUnit report")?;
            file.write_all(text.as_bytes()).with_context(|| format!("writing {}", path.display()))?;
        }
        Ok(())
    }
}

fn create(path: &Path) -> anyhow::Result<File> {
    File::create(path).with_context(|| format!("{} cannot be written", path.display()))
}
