//! Many schedules, one seed after the other, until one fails or the time is over; and the report of one that does.

use std::{
    fmt::Write,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::{
    course::{self, Tracing},
    minimise::minimise,
    schedule::Schedule,
};
use crate::faults::{Planted, UnknownFault};

/// What to look through.
#[derive(Clone, Debug)]
pub struct Options {
    /// The first seed.
    pub seed: u64,
    /// How many nodes each world has; 3 to 5 if `None`.
    pub nodes: Option<usize>,
    /// How many schedules at most.
    pub schedules: u64,
    /// How long at most.
    pub time: Duration,
    /// How many threads look.
    pub threads: usize,
    /// Faults that all nodes have.
    pub faults: Vec<String>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing is wrong in so many schedules.
    Nothing {
        /// How many schedules were run.
        schedules: u64,
    },
    /// One fails: its report, for people.
    Failure(String),
}

/// Runs schedules until one fails.
///
/// # Errors
/// [`UnknownFault`].
pub fn search(options: &Options) -> Result<Found, UnknownFault> {
    Planted::new(options.faults.iter().map(String::as_str))?;
    let (next, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let (first_failure, is_over) = (AtomicU64::new(u64::MAX), AtomicBool::new(false));
    let end = Instant::now() + options.time;
    thread::scope(|scope| {
        for _ in 0..options.threads.max(1) {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) && Instant::now() < end {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= options.schedules {
                        break;
                    }
                    let seed = options.seed.wrapping_add(number);
                    let schedule = Schedule::new(seed, options.nodes);
                    let verdict = course::run(&schedule, &options.faults, Tracing::Off);
                    if verdict.is_ok_and(|verdict| verdict.complaint.is_some()) {
                        first_failure.fetch_min(number, Ordering::Relaxed);
                        is_over.store(true, Ordering::Relaxed);
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    match first_failure.into_inner() {
        u64::MAX => Ok(Found::Nothing { schedules: done.into_inner() }),
        number => report(options.seed.wrapping_add(number), options).map(Found::Failure),
    }
}

/// The shortest form of a failing schedule, what happens in it, and the command that repeats it.
fn report(seed: u64, options: &Options) -> Result<String, UnknownFault> {
    let schedule = Schedule::new(seed, options.nodes);
    let least = least(&schedule, &options.faults);
    let verdict = course::run(&least, &options.faults, Tracing::On)?;
    let mut text = String::new();
    let complaint = verdict.complaint.unwrap_or_default();
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(text, "seed {seed}, {} nodes, {}: {complaint}", schedule.nodes, schedule.kind);
    let (steps, nodes) = (least.steps.len(), least.nodes - least.absent.len());
    let _ = writeln!(text, "shortened from {} steps to {steps}, on {nodes} nodes:", schedule.steps.len());
    for line in verdict.trace {
        let _ = writeln!(text, "  {line}");
    }
    let nodes = options.nodes.map_or_else(String::new, |nodes| format!(" --nodes {nodes}"));
    let faults: String = options.faults.iter().map(|fault| format!(" --fault {fault}")).collect();
    let _ = writeln!(text, "repeat: cargo xtask simulate --seed {seed}{nodes}{faults} --schedules 1");
    Ok(text)
}

/// The shortest schedule that fails like this one: with the same complaint, but for its numbers.
pub(crate) fn least(schedule: &Schedule, faults: &[String]) -> Schedule {
    let complaint = |schedule: &Schedule| {
        let verdict = course::run(schedule, faults, Tracing::Off).ok()?;
        verdict.complaint.map(|complaint| kind_of(&complaint))
    };
    let original = complaint(schedule);
    minimise(schedule, |shorter| original.is_some() && complaint(shorter) == original)
}

/// A complaint without what differs from run to run: its requirements, or else its words that have no figures.
fn kind_of(complaint: &str) -> String {
    match complaint.split_once('(') {
        Some((_, rest)) => rest.split(')').next().unwrap_or_default().to_owned(),
        None => complaint.split(' ').filter(|word| word.chars().all(char::is_lowercase)).collect(),
    }
}
