//! Which cases a command runs, and how: what `conformance` and `interop` ask alike. Who plays their nodes is not asked here.

use std::io::Write;
use std::thread;

use clap::Args;
use conformance::case::{Case, CaseSet};
use conformance::delivery::Delivery;
use conformance::run::Options;

/// Cases, and how to run them.
#[derive(Debug, Args)]
pub(crate) struct CaseArguments {
    /// Cases whose id contains this, or that judge this requirement; all that the command runs where none is given.
    pub(crate) filter: Vec<String>,
    /// Which cases: those that are quick (two minutes), those that are slow by their nature (ten), or all. A case that is named in full is run anyway.
    #[arg(long, value_name = "SET", value_enum, default_value_t = Set::Quick)]
    pub(crate) set: Set,
    /// List the selected cases, each with its level and its rung, and run none.
    #[arg(long)]
    pub(crate) list: bool,
    /// How many cases are run at once [default: four a core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Run every case so many times.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) repeat: u32,
    /// How what scripted peers send arrives: as it is sent, byte by byte, in segments with pauses, or together with what follows.
    #[arg(long, value_name = "SCHEDULE", value_enum, default_value_t = Schedule::Whole)]
    delivery: Schedule,
}

impl CaseArguments {
    pub(crate) fn delivery(&self) -> Delivery {
        self.delivery.into()
    }

    /// What a command that repeats one of the cases says of how they were run; it begins with a space, if it says anything.
    pub(crate) fn delivery_option(&self) -> String {
        match self.delivery() {
            Delivery::Whole => String::new(),
            delivery => format!(" --delivery {delivery}"),
        }
    }

    /// How the run is made; `left_out` cases of the other set are not in it.
    pub(crate) fn options(&self, command: String, left_out: usize) -> Options {
        Options {
            jobs: self.jobs.map_or_else(default_jobs, usize::from),
            repeat: self.repeat,
            command,
            filters: self.filter.clone(),
            left_out,
        }
    }
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
enum Schedule {
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

/// One line a case: its level, its rung, its id, what it judges.
pub(crate) fn list(cases: &[Case]) {
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
