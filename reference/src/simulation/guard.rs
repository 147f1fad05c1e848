//! What a calm world is allowed to do: nothing by which a hazard of the registry could strike, so that its tables can be
//! judged (RES-9). Looks, and changes nothing.
//!
//! Why no hazard is left. A name is registered once, on one node, for a process of that node, by that node: no two
//! owners (REG-H1), no registration that a late clean-up could delete (REG-H4), no process of another node (REG-H5). What
//! remains can go wrong only where a removal misses a node, or comes to one that should keep the name:
//!
//! - Names are *added* at any time. Tables are joined whole at session start and grow in any order to the same union.
//! - Names are *removed one by one* (a process with names ends, a name is unregistered) only in a world that is whole:
//!   every two nodes have a session, and nothing is under way. So each node hears of it from the owner itself, behind
//!   the REGISTER, and no table is on its way in which the name still stands (REG-H3). Processes with names trap exits,
//!   so that links do not end them at other times.
//! - Names are *removed with their node* when it is lost. That begins in a world that is whole, too, so at most one node
//!   or group is being lost. Nodes that only some have lost would be REG-H2: a crash is the end of all of a node's
//!   sessions, and what is parted is parted from all others; before anybody connects again over a network that was
//!   parted, each end of each broken session has found that out, and no GLOBAL_UNREGISTER is under way any more.
//!   After a crash connections may come earlier: the next run has other names, and former entries that somebody still
//!   tells are dropped when, or ignored because, the session with the next run begins (REG-20, REG-27).

use super::{
    schedule::{Number, Operation, Schedule},
    wires::{EndState, Severed},
    world::World,
};
use crate::wire::message::Phase;

/// Whether an operation may be done now.
pub(crate) fn allows(world: &World, schedule: &Schedule, operation: Operation) -> bool {
    match operation {
        Operation::Connect { .. } => may_connect(world),
        Operation::Crash { .. } | Operation::Part { .. } | Operation::Unregister { .. } => is_whole(world, schedule),
        Operation::Kill { process, .. } => !has_names(world, process) || is_whole(world, schedule),
        Operation::Register { name, process } => {
            !world.judge.names.contains_key(&name)
                && world.judge.processes.get(&process).is_some_and(|known| known.traps)
        }
        Operation::Break { .. } | Operation::Block { .. } | Operation::Reflect { .. } => false,
        _ => true,
    }
}

/// Every two nodes have a session, of which both know, and nothing is under way.
pub(crate) fn is_whole(world: &World, schedule: &Schedule) -> bool {
    let live = world.live();
    let is_joined = live.iter().all(|place| {
        world.host(*place).is_some_and(|host| {
            let held = host.node.holdings();
            held.sessions == live.len() - 1
                && held.handshakes == 0
                && !has_broken(world, &[Severed::Crash, Severed::Network])
        })
    });
    live.len() + schedule.absent.len() == schedule.nodes
        && world.wires.is_whole()
        && world.wires.are_quiet()
        && is_joined
}

fn may_connect(world: &World) -> bool {
    !has_broken(world, &[Severed::Network]) && !world.wires.carry_unregisters()
}

/// Whether anybody takes a broken connection for a session, or for one that may become one.
fn has_broken(world: &World, why: &[Severed]) -> bool {
    world.live().iter().filter_map(|place| world.host(*place)).any(|host| {
        host.conns.iter().any(|(conn, wire)| {
            let is_broken = wire.is_some_and(|(wire, side)| {
                let wire = world.wires.get(wire);
                wire.ends[side].state != EndState::Gone && wire.severed.is_some_and(|severed| why.contains(&severed))
            });
            is_broken && host.node.phase(*conn) == Some(Phase::Session)
        })
    })
}

fn has_names(world: &World, process: Number) -> bool {
    world.judge.names.values().any(|name| name.process == process && !name.is_unregistered)
}
