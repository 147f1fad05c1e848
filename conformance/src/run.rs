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

/// One case, and what plays its nodes.
#[derive(Debug, Clone, Copy)]
pub struct Play<'a> {
    /// Who plays the nodes.
    pub environment: &'a Environment,
    /// What is played.
    pub case: &'a Case,
}

/// Plays all cases; `observe` hears of each result as it comes, on the calling thread, and may end the run by returning `false`.
///
/// The results hold what was played, ordered by id and repetition.
pub fn run(
    environment: &Environment,
    facts: NodeFacts,
    cases: &[Case],
    options: &Options,
    observe: impl FnMut(&CaseResult) -> bool,
) -> Results {
    let plays: Vec<Play<'_>> = cases.iter().map(|case| Play { environment, case }).collect();
    run_plays(environment, facts, &plays, options, observe)
}

/// Plays cases, each with nodes of its own; the rest as [`run`], with what these environments have in common taken from the first argument.
pub fn run_plays(
    common: &Environment,
    facts: NodeFacts,
    plays: &[Play<'_>],
    options: &Options,
    mut observe: impl FnMut(&CaseResult) -> bool,
) -> Results {
    let start = Instant::now();
    let started_unix_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
    let queue = Mutex::new(ordered(plays, options.repeat));
    let stopped = AtomicBool::new(false);
    let (sender, receiver) = mpsc::channel();
    let mut results = Vec::new();
    thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            let (sender, queue, stopped) = (sender.clone(), &queue, &stopped);
            let play_all = move || {
                while !stopped.load(Ordering::Relaxed) {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some((Play { environment, case }, repetition)) = next else { break };
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
    results.sort_by(|a, b| (&a.id, &a.nodes, a.repetition).cmp(&(&b.id, &b.nodes, b.repetition)));
    Results {
        format: FORMAT.to_owned(),
        version: VERSION,
        started_unix_ms,
        duration_ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
        command: options.command.clone(),
        filters: options.filters.clone(),
        up_to: None,
        left_out: options.left_out,
        delivery: common.delivery,
        node: facts,
        implementations: Vec::new(),
        deviations: None,
        requirements: requirements(&common.spec),
        cases: results,
    }
}

/// The requirements as results keep them.
pub(crate) fn requirements(spec: &Spec) -> Vec<RequirementRow> {
    let row = |requirement: &Requirement| RequirementRow {
        id: requirement.id.clone(),
        level: requirement.level,
        text: requirement.text.clone(),
        not_run: None,
    };
    spec.requirements.values().map(row).collect()
}

/// Cases that wait for timers first, so that the others run while they wait.
fn ordered<'a>(plays: &[Play<'a>], repeat: u32) -> VecDeque<(Play<'a>, u32)> {
    let mut queue = VecDeque::new();
    for repetition in 1..=repeat.max(1) {
        let (waiting, others): (Vec<Play<'_>>, Vec<Play<'_>>) = plays.iter().partition(|play| play.case.waits());
        queue.extend(waiting.into_iter().chain(others).map(|play| (play, repetition)));
    }
    queue
}
