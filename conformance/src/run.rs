//! A run: selected cases, played by several threads, gathered into results.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::case::Case;
use crate::cluster;
use crate::requirement::{Requirement, Spec};
use crate::results::{CaseResult, FORMAT, NodeFacts, RequirementRow, Results, VERSION};
use crate::runner::{Environment, play};

/// How a run is made.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many cases are played at once, from 1.
    pub jobs: usize,
    /// How often each case is played, from 1.
    pub repeat: u32,
    /// The command, for the results.
    pub command: String,
    /// Filters that selected the cases, for the results.
    pub filters: Vec<String>,
    /// How many cases the filters select besides, in the set that is not run, for the results.
    pub left_out: usize,
}

/// Plays all cases; `observe` hears of each result as it comes, on the calling thread, and may end the run by returning `false`.
///
/// The results hold what was played, ordered by id and repetition.
pub fn run(
    environment: &Environment,
    facts: NodeFacts,
    cases: &[Case],
    options: &Options,
    mut observe: impl FnMut(&CaseResult) -> bool,
) -> Results {
    let start = Instant::now();
    let started_unix_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
    let queue = Mutex::new(ordered(cases, options.repeat));
    let stopped = AtomicBool::new(false);
    let (sender, receiver) = mpsc::channel();
    let mut results = Vec::new();
    thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            let (sender, queue, stopped) = (sender.clone(), &queue, &stopped);
            let play_all = move || {
                while !stopped.load(Ordering::Relaxed) {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some((case, repetition)) = next else { break };
                    if sender.send(play(environment, case, repetition)).is_err() {
                        break;
                    }
                }
            };
            // What a node says may be nested deeply, and so is what is done with it.
            let thread = thread::Builder::new().name("cases".to_owned()).stack_size(cluster::STACK);
            thread.spawn_scoped(scope, play_all).expect("a system that has no threads left cannot judge anything");
        }
        drop(sender);
        for result in receiver {
            if !observe(&result) {
                stopped.store(true, Ordering::Relaxed);
            }
            results.push(result);
        }
    });
    results.sort_by(|a, b| a.id.cmp(&b.id).then(a.repetition.cmp(&b.repetition)));
    Results {
        format: FORMAT.to_owned(),
        version: VERSION,
        started_unix_ms,
        duration_ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
        command: options.command.clone(),
        filters: options.filters.clone(),
        left_out: options.left_out,
        delivery: environment.delivery,
        node: facts,
        implementations: Vec::new(),
        requirements: requirements(&environment.spec),
        cases: results,
    }
}

/// The requirements as results keep them.
pub(crate) fn requirements(spec: &Spec) -> Vec<RequirementRow> {
    let row = |requirement: &Requirement| RequirementRow {
        id: requirement.id.clone(),
        level: requirement.level,
        text: requirement.text.clone(),
    };
    spec.requirements.values().map(row).collect()
}

/// Cases that wait for timers first, so that the others run while they wait.
fn ordered(cases: &[Case], repeat: u32) -> VecDeque<(&Case, u32)> {
    let mut queue = VecDeque::new();
    for repetition in 1..=repeat.max(1) {
        let (waiting, others): (Vec<&Case>, Vec<&Case>) = cases.iter().partition(|case| case.waits());
        queue.extend(waiting.into_iter().chain(others).map(|case| (case, repetition)));
    }
    queue
}
