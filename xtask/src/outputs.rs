//! What a run leaves behind: what is printed of its results, and files for machines.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use conformance::report::{self, Detail};
use conformance::results::Results;

/// What to print and to write.
#[derive(Debug, Args)]
pub(crate) struct OutputArguments {
    /// Write the results as JSON (conformance/results.md describes them).
    #[arg(long, value_name = "FILE.json")]
    results: Option<PathBuf>,
    /// Write a JUnit report.
    #[arg(long, value_name = "FILE.xml")]
    junit: Option<PathBuf>,
    /// Show each failure in full, and not one of each kind.
    #[arg(long)]
    each_failure: bool,
    /// Name the slowest cases at the end, ten unless it says how many.
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "10")]
    slowest: Option<usize>,
}

impl OutputArguments {
    /// Opens the files, before anything is run.
    pub(crate) fn open(&self) -> anyhow::Result<Outputs> {
        let open = |path: &Option<PathBuf>| -> anyhow::Result<Option<(PathBuf, File)>> {
            let Some(path) = path else { return Ok(None) };
            Ok(Some((path.clone(), create(path)?)))
        };
        Ok(Outputs { results: open(&self.results)?, junit: open(&self.junit)? })
    }

    /// Prints failures and the summary.
    pub(crate) fn print(&self, results: &Results) {
        let detail = if self.each_failure { Detail::Each } else { Detail::OneOfAKind };
        print!("{}", report::failures(results, detail));
        println!("{}", report::summary(results).trim_end());
        if let Some(count) = self.slowest {
            slowest(results, count);
        }
    }
}

fn slowest(results: &Results, count: usize) {
    let mut cases: Vec<_> = results.cases.iter().collect();
    cases.sort_by_key(|case| std::cmp::Reverse(case.duration_ms));
    println!("\nslowest cases");
    for case in cases.into_iter().take(count) {
        println!("{:>6} ms  {}", case.duration_ms, report::with_cast(case));
    }
}

/// The files to write, opened before the run.
pub(crate) struct Outputs {
    results: Option<(PathBuf, File)>,
    junit: Option<(PathBuf, File)>,
}

impl Outputs {
    /// Writes them.
    pub(crate) fn write(self, results: &Results) -> anyhow::Result<()> {
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
