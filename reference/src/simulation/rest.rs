//! What has to be so in a world that has come to rest: nothing is under way, no fault is left, and every two nodes have
//! a session again. Looks, and changes nothing.

use std::collections::BTreeMap;

use super::{
    judge::{Life, Tie},
    schedule::{Kind, Number, Place},
    world::World,
};
use crate::node::Holdings;

/// What is wrong, if anything is.
///
/// # Errors
/// What is wrong first.
pub(crate) fn judge(world: &World, kind: Kind) -> Result<(), String> {
    if !every_two_have_a_session(world) {
        return Err("not every two nodes have a session, the same on both sides (MEM-15, RES-9)".into());
    }
    for place in world.live() {
        nothing_is_left_behind(world, place)?;
    }
    if world.judge.has_unanswered() {
        return Err("a command has not been answered".into());
    }
    monitors(world)?;
    links(world)?;
    watches(world)?;
    messages(world)?;
    texts(world)?;
    if kind == Kind::Calm { tables(world) } else { Ok(()) }
}

/// As above, where all processes have ended.
///
/// # Errors
/// What is wrong first.
pub(crate) fn judge_empty(world: &World, kind: Kind) -> Result<(), String> {
    for place in world.live() {
        let held = holdings(world, place);
        let Holdings { sessions, heartbeats, names, .. } = held;
        // In a wild world hazards have left names behind, or not.
        let names = if kind == Kind::Wild { names } else { 0 };
        if held != (Holdings { sessions, heartbeats, names, ..Holdings::default() }) {
            return Err(format!("{} has kept something of processes that have ended: {held:?}", world.called(place)));
        }
    }
    Ok(())
}

/// Each of the two takes the same connection for it.
pub(crate) fn every_two_have_a_session(world: &World) -> bool {
    let live = world.live();
    live.iter().all(|place| {
        let Some(host) = world.host(*place) else { return false };
        let mut peers: Vec<Place> = Vec::new();
        for (conn, view) in host.node.session_views() {
            let (Some(Some((wire, side))), Some(peer)) = (host.conns.get(&conn).copied(), view.peer) else {
                return false;
            };
            let end = world.wires.get(wire).ends[1 - side];
            if world.wires.get(wire).severed.is_some() || peer != *world.name(end.place) {
                return false;
            }
            peers.push(end.place);
            let is_mutual = world.host(end.place).and_then(|other| other.node.connection(end.conn));
            if is_mutual.is_none_or(|view| view.peer.as_ref() != Some(world.name(*place))) {
                return false;
            }
        }
        peers.sort_unstable();
        let others: Vec<Place> = live.iter().copied().filter(|other| other != place).collect();
        peers == others && lists(world, *place) == others
    })
}

/// What the judge has been told agrees with it.
fn lists(world: &World, place: Place) -> Vec<Place> {
    let life = world.judge.life(place);
    let live = world.live().into_iter();
    live.filter(|peer| world.judge.session(life, *peer).is_some()).collect()
}

fn holdings(world: &World, place: Place) -> Holdings {
    world.host(place).map(|host| host.node.holdings()).unwrap_or_default()
}

fn nothing_is_left_behind(world: &World, place: Place) -> Result<(), String> {
    let held = holdings(world, place);
    let Holdings { sessions, processes, links, watches, names, heartbeats, .. } = held;
    let (monitors, peer_monitors) = live_monitors(world, place);
    let expected = Holdings {
        sessions,
        processes,
        links,
        watches,
        names,
        heartbeats,
        monitors,
        peer_monitors,
        ..Holdings::default()
    };
    let has_wires = world.host(place).is_some_and(|host| host.conns.len() == sessions);
    if held != expected || !has_wires || heartbeats < sessions || heartbeats > 2 * sessions {
        let has = if has_wires { "" } else { ", and a connection that is no session" };
        return Err(format!(
            "{} has kept too much or too little: {held:?}{has}; expected {expected:?}",
            world.called(place)
        ));
    }
    Ok(())
}

/// How many monitors a node's processes hold, and how many others' hold on them.
fn live_monitors(world: &World, place: Place) -> (usize, usize) {
    let life = world.judge.life(place);
    let live = world.judge.monitors.values().filter(|tie| !tie.is_undone && !is_over(world, tie));
    let live: Vec<_> = live
        .filter_map(|tie| Some((world.judge.processes.get(&tie.from)?, world.judge.processes.get(&tie.to)?)))
        .filter(|(from, to)| from.is_alive && to.is_alive)
        .collect();
    let held = live.iter().filter(|(from, _)| from.life == life).count();
    let on_own = live.iter().filter(|(from, to)| to.life == life && from.life != life).count();
    (held, on_own)
}

/// Whether what a tie goes to, or the session that it crosses, has ended since.
fn is_over(world: &World, tie: &Tie) -> bool {
    let (Some(from), Some(to)) = (world.judge.processes.get(&tie.from), world.judge.processes.get(&tie.to)) else {
        return true;
    };
    let is_local = from.life.0 == to.life.0;
    !to.is_alive || !is_local && !lives(world, from.life, to.life.0, tie.session)
}

/// Whether a session has lived to this day.
fn lives(world: &World, from: Life, to: Place, session: Option<u32>) -> bool {
    session.is_some() && world.judge.session(from, to) == session
}

fn monitors(world: &World) -> Result<(), String> {
    for tie in world.judge.monitors.values() {
        let Some(watcher) = world.judge.processes.get(&tie.from) else { continue };
        let has_fired = world.judge.fired.contains(&(watcher.life, tie.reference));
        if watcher.is_alive && !tie.is_undone && has_fired != is_over(world, tie) {
            let how = if has_fired { "has fired without a cause" } else { "is lost (PROC-29, PROC-62)" };
            return Err(format!("monitor {} of {} {how}", tie.reference, watcher.pid));
        }
    }
    Ok(())
}

/// Whoever has linked to a process that has ended, or over a session that has, was told or has ended itself.
fn links(world: &World) -> Result<(), String> {
    for tie in world.judge.links.iter().filter(|tie| !tie.is_undone && is_over(world, tie)) {
        let Some(from) = world.judge.processes.get(&tie.from) else { continue };
        if from.is_alive && !world.judge.exits.contains_key(&(tie.from, tie.to)) {
            return Err(format!("the link of {} to process {} is lost (PROC-39, PROC-61)", from.pid, tie.to));
        }
    }
    Ok(())
}

fn watches(world: &World) -> Result<(), String> {
    for watch in &world.judge.watches {
        let Some(process) = world.judge.processes.get(&watch.process) else { continue };
        if process.is_alive && !world.judge.is_up_to_date(watch, process.life) {
            let node = world.called(watch.node);
            return Err(format!("{} has not been told all that became of {node} (MEM-43, MEM-44)", process.pid));
        }
    }
    Ok(())
}

/// What was sent over a session that has lived has come, if its process has lived, too.
fn messages(world: &World) -> Result<(), String> {
    for (index, sent) in world.judge.sent.iter().enumerate() {
        let Some(to) = world.judge.processes.get(&sent.to) else { continue };
        let has_way =
            sent.from.0 == to.life.0 && sent.from == to.life || lives(world, sent.from, to.life.0, sent.session);
        if to.is_alive && has_way && !sent.has_come {
            return Err(format!("message {index} to {} is lost (PROC-13)", to.pid));
        }
    }
    Ok(())
}

fn texts(world: &World) -> Result<(), String> {
    for (index, text) in world.judge.texts.iter().enumerate() {
        let there = world.judge.members.iter().filter(|(_, member)| !member.has_left && member.joined <= index);
        for (number, member) in there {
            let over = text.sessions.iter().find(|(peer, _)| *peer == member.life.0);
            let is_current = world.judge.life(member.life.0) == member.life;
            let has_way = member.life == text.from
                || over.is_some_and(|(peer, session)| lives(world, text.from, *peer, Some(*session)));
            if is_current && has_way && !member.texts.contains(&index) {
                return Err(format!("text {index} to member {number} is lost (ROOM-2, ROOM-4)"));
            }
        }
    }
    Ok(())
}

/// Every node has each name that was registered for a process that lives, and no other (RES-9).
fn tables(world: &World) -> Result<(), String> {
    let mut expected: BTreeMap<String, String> = BTreeMap::new();
    for (number, name) in &world.judge.names {
        let process = &world.judge.processes.get(&name.process);
        if let Some(process) = process.filter(|process| process.is_alive && !name.is_unregistered) {
            expected.insert(registered(*number), process.pid.to_string());
        }
    }
    for place in world.live() {
        let Some(host) = world.host(place) else { continue };
        let names = host.node.names().into_iter();
        let table: BTreeMap<String, String> = names.map(|(name, pid)| (name.to_string(), pid.to_string())).collect();
        if table != expected {
            let called = world.called(place);
            let extra: Vec<_> = table.iter().filter(|(name, pid)| expected.get(*name) != Some(pid)).collect();
            let missing: Vec<_> = expected.iter().filter(|(name, pid)| table.get(*name) != Some(pid)).collect();
            return Err(format!("{called}'s table is wrong (RES-9): missing {missing:?}, wrong {extra:?}"));
        }
    }
    Ok(())
}

/// As `operations.rs` names them in calm worlds.
fn registered(number: Number) -> String {
    format!("x{number}")
}
