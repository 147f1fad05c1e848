//! How far a run has come, on standard error: a bar on a terminal, elsewhere a line now and then.

use std::io::IsTerminal;
use std::time::Duration;

use conformance::report;
use conformance::results::{CaseResult, Outcome};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// After how many cases a line is printed where there is no terminal.
const REPORTED: u64 = 250;

/// How many cases are named as soon as they have not passed; the report names the others.
const NAMED: u64 = 20;

/// How far a run has come.
pub(crate) struct Progress {
    bar: ProgressBar,
    total: u64,
    failed: u64,
}

impl Progress {
    /// Of a run of so many cases.
    pub(crate) fn of(total: u64) -> Self {
        let is_seen = std::io::stderr().is_terminal();
        let target = if is_seen { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        if let Ok(style) = ProgressStyle::with_template("{elapsed:>4} [{bar:30}] {pos}/{len} {wide_msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { bar, total, failed: 0 }
    }

    /// One case is done; nothing is said of a failure that is known.
    pub(crate) fn hears_of(&mut self, result: &CaseResult, is_known: bool) {
        let case = report::with_cast(result);
        if matches!(result.outcome, Outcome::Fail { .. } | Outcome::Error { .. }) && !is_known {
            self.failed += 1;
            match self.failed {
                ..=NAMED => self.bar.suspend(|| eprintln!("not passed: {case}")),
                number if number == NAMED + 1 => self.bar.suspend(|| eprintln!("… more: the report will name them")),
                _ => {}
            }
        }
        let failed = self.failed;
        self.bar.set_message(if failed == 0 { case } else { format!("{failed} not passed; {case}") });
        self.bar.inc(1);
        // Where nobody draws a bar, a line now and then says that it goes on.
        if self.bar.is_hidden() && self.bar.position().is_multiple_of(REPORTED) {
            eprintln!("{} of {} cases, {failed} not passed", self.bar.position(), self.total);
        }
    }

    /// Clears the bar.
    pub(crate) fn end(self) {
        self.bar.finish_and_clear();
    }
}
