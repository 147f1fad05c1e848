//! One schedule from the first step to the verdict: the steps, then the end of all faults, the reconnection, the rest,
//! and the end of all processes.

use super::{
    guard, rest,
    schedule::{Operation, Schedule},
    wires::Happening,
    world::World,
};
use crate::faults::UnknownFault;

/// What came of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// What is wrong, if anything is.
    pub(crate) complaint: Option<String>,
    /// What happened, line by line, if that was wanted.
    pub(crate) trace: Vec<String>,
}

/// Whether a trace is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tracing {
    Off,
    On,
}

/// How often nodes that have no session connect again before the world is given up: 25 s are enough to find every loss
/// by heartbeats and to give every dial up, and then two rounds for the nodes that were introduced meanwhile.
const ROUNDS: u64 = 40;

const SECOND: u64 = 1_000_000;

/// Runs a schedule.
///
/// # Errors
/// [`UnknownFault`].
pub(crate) fn run(schedule: &Schedule, faults: &[String], tracing: Tracing) -> Result<Verdict, UnknownFault> {
    let mut world = World::new(schedule.seed, schedule.nodes, faults);
    if tracing == Tracing::On {
        world.trace();
    }
    for place in 0..schedule.nodes {
        let name = world.name(place).to_string();
        world.judge.knows(&name, place);
        if !schedule.absent.contains(&place) {
            world.start(place)?;
        }
    }
    for (index, step) in schedule.steps.iter().enumerate() {
        world.wires.at(step.at * 1_000, Happening::Step(index));
    }
    world.has_bad_dials = true;
    let last = schedule.steps.last().map_or(0, |step| step.at * 1_000);
    let mut unknown = None;
    world.run_until(last, |world, index| unknown = world.operate(schedule, schedule.steps[index].operation).err());
    if let Some(unknown) = unknown {
        return Err(unknown);
    }
    let result = come_to_rest(&mut world, schedule)?;
    if let Err(why) = result {
        world.judge.complain(why);
    }
    let complaint = world.judge.complaint().map(ToOwned::to_owned);
    Ok(Verdict { complaint, trace: world.into_trace() })
}

fn come_to_rest(world: &mut World, schedule: &Schedule) -> Result<Result<(), String>, UnknownFault> {
    world.has_bad_dials = false;
    world.operate(schedule, Operation::Heal)?;
    for node in 0..schedule.nodes {
        world.operate(schedule, Operation::Restart { node })?;
    }
    for round in 0..ROUNDS {
        if rest::every_two_have_a_session(world) && guard::is_whole(world, schedule) {
            break;
        }
        reconnect(world, schedule, round)?;
        pass(world, SECOND);
    }
    // Whoever waits for a peer's own dial gives up after a second.
    pass(world, 3 * SECOND);
    let result = rest::judge(world, schedule.kind);
    if result.is_err() || !world.judge.is_content() {
        return Ok(result);
    }
    for process in world.judge.processes.keys().copied().collect::<Vec<_>>() {
        world.kill(process, true);
    }
    pass(world, 2 * SECOND);
    Ok(rest::judge_empty(world, schedule.kind))
}

/// Each two nodes of which one lists the other not connect, now from the one, now from the other.
fn reconnect(world: &mut World, schedule: &Schedule, round: u64) -> Result<(), UnknownFault> {
    for one in world.live() {
        for other in world.live().into_iter().filter(|other| *other > one) {
            let lists = |from, to| world.judge.session(world.judge.life(from), to).is_some();
            if !lists(one, other) || !lists(other, one) {
                let (from, to) = if round.is_multiple_of(2) { (one, other) } else { (other, one) };
                world.operate(schedule, Operation::Connect { from, to })?;
            }
        }
    }
    Ok(())
}

fn pass(world: &mut World, time: u64) {
    let until = world.wires.now + time;
    world.run_until(until, |_, _| {});
}
