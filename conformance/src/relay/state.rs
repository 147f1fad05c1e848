//! All relayed connections of a case and all faults that have been asked for. No sockets, no threads; what has to be closed is told
//! to the caller, who does it without the lock.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;

use crate::peer::{Close, Connection};

use super::Mode;
use super::fault::{CutHow, Fault, Place, Refusal, Rule, Shape, Split};
use super::link::{From, Link, Side};
use super::wire::Wire;

/// Ends of connections, and how each is to be closed.
pub(super) type Closes = Vec<(Connection, Close)>;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) wires: Vec<Wire>,
    /// The scenario's keys by node name.
    pub(super) keys: HashMap<String, String>,
    /// The relays by the scenario's keys.
    pub(crate) modes: HashMap<String, Mode>,
    rules: Vec<Rule>,
    next_rule: u64,
    refusals: Vec<Refusal>,
    shapes: Vec<(Link, From, Shape)>,
    /// The case is over: everything ends.
    pub(super) over: bool,
}

/// What stands at the head of a direction.
pub(super) struct Sight<'a> {
    pub(super) message: Option<&'a str>,
    /// Its fields as JSON, where it can be decoded. Called only when a rule asks.
    pub(super) fields: &'a dyn Fn() -> Option<Value>,
    /// It has been passed on.
    pub(super) passed: bool,
}

/// What strikes at a frame, besides holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Strikes {
    /// The byte of it that is turned over.
    pub(super) corrupt: Option<usize>,
    /// What is cut, how, and how many bytes of the frame go out before, its length included.
    pub(super) cut: Option<(From, CutHow, Option<usize>)>,
}

/// How a direction passes on.
#[derive(Debug, Clone, Default)]
pub(super) struct Shapes {
    pub(super) delay: Duration,
    pub(super) bytes_per_second: Option<u64>,
    pub(super) split: Option<Split>,
}

impl State {
    /// Asks for a fault. A hold without a place holds at once, a corruption without one strikes at what comes next.
    pub(crate) fn add(&mut self, link: Link, from: From, place: Option<Place>, fault: Fault) {
        let id = self.next_rule;
        self.next_rule += 1;
        let rule = Rule { id, link, from, place, fault };
        if rule.place.is_none() && rule.fault == Fault::Hold {
            for wire in &mut self.wires {
                hold_at_once(&rule, wire);
            }
        }
        self.rules.push(rule);
    }

    pub(crate) fn refuse(&mut self, link: Link, how: CutHow) {
        self.refusals.push(Refusal { link, how });
    }

    /// Later shapes of a kind stand before earlier ones.
    pub(crate) fn shape(&mut self, link: Link, from: From, shape: Shape) {
        self.shapes.push((link, from, shape));
    }

    /// Opens what is held, or lets so many frames through. A hold that has been reached is done with when nothing is held by it any more.
    pub(crate) fn release(&mut self, link: &Link, from: &From, frames: Option<u64>) {
        let mut released = Vec::new();
        for wire in self.wires.iter_mut().filter(|wire| link.covers(&wire.parties)) {
            let parties = wire.parties.clone();
            for side in Side::BOTH.into_iter().filter(|side| from.includes(*side, &parties)) {
                let flow = wire.flow(side);
                if let Some(frames) = frames {
                    flow.permits += frames;
                    continue;
                }
                released.append(&mut flow.held_by);
                flow.at_point = false;
            }
        }
        if frames.is_some() {
            return;
        }
        let holding: Vec<u64> =
            self.wires.iter().flat_map(|wire| &wire.flows).flat_map(|flow| &flow.held_by).copied().collect();
        self.rules.retain(|rule| {
            let meant = released.contains(&rule.id)
                || (rule.fault == Fault::Hold && rule.place.is_none() && rule.link.has_ends_of(link));
            !meant || holding.contains(&rule.id)
        });
    }

    /// Takes back everything that was asked for these ends. What has been cut stays cut.
    pub(crate) fn heal(&mut self, link: &Link) {
        let ids: Vec<u64> = self.rules.iter().filter(|rule| rule.link.has_ends_of(link)).map(|rule| rule.id).collect();
        self.rules.retain(|rule| !ids.contains(&rule.id));
        self.refusals.retain(|refusal| !refusal.link.has_ends_of(link));
        self.shapes.retain(|(shaped, ..)| !shaped.has_ends_of(link));
        for flow in self.wires.iter_mut().flat_map(|wire| &mut wire.flows) {
            flow.held_by.retain(|id| !ids.contains(id));
            flow.at_point &= !flow.held_by.is_empty();
        }
    }

    /// How many directions are held there: at a point that has been reached, or with something that waits to be passed on.
    pub(crate) fn held(&self, link: &Link, from: &From) -> usize {
        let held = |wire: &Wire| {
            Side::BOTH
                .into_iter()
                .filter(|side| from.includes(*side, &wire.parties))
                .map(|side| &wire.flows[side as usize])
                .filter(|flow| !flow.held_by.is_empty() && (flow.at_point || flow.waiting))
                .count()
        };
        self.wires.iter().filter(|wire| link.covers(&wire.parties)).map(held).sum()
    }

    /// The connections of a link, in the order in which they were opened.
    pub(crate) fn of<'a>(&'a self, link: &'a Link) -> impl Iterator<Item = &'a Wire> {
        self.wires.iter().filter(|wire| link.covers(&wire.parties))
    }

    /// Whether what this side of that connection sends is meant.
    pub(crate) fn is_from(wire: &Wire, from: &From, side: Side) -> bool {
        from.includes(side, &wire.parties)
    }

    /// A connection has been accepted. Its number, and whether it is to be refused before anything has been said.
    pub(super) fn opened(&mut self, fronted: &str) -> (usize, Option<CutHow>) {
        let number = self.wires.len();
        let mut wire = Wire::new(number, fronted);
        wire.note("accepted by the relay");
        let parties = wire.parties.clone();
        for rule in self.rules.iter().filter(|rule| rule.link.covers(&parties)) {
            match (&rule.place, rule.fault) {
                (Some(Place::Connect), Fault::Hold) => {
                    let flow = wire.flow(Side::Dialler);
                    flow.held_by.push(rule.id);
                    flow.at_point = true;
                }
                (None, Fault::Hold) => hold_at_once(rule, &mut wire),
                _ => {}
            }
        }
        let refused = self.refused(&wire);
        self.wires.push(wire);
        (number, refused)
    }

    /// NAME has been read. Whether the connection is to be refused.
    pub(super) fn named(&mut self, number: usize, name: &str) -> Option<CutHow> {
        let key = self.keys.get(name).cloned().unwrap_or_else(|| name.to_owned());
        let wire = &mut self.wires[number];
        // What holds whoever dials holds it already.
        let before = wire.parties.clone();
        wire.parties.dialler = Some(key);
        for rule in self.rules.iter().filter(|rule| rule.place.is_none() && rule.fault == Fault::Hold) {
            if !rule.link.covers(&before) {
                hold_at_once(rule, wire);
            }
        }
        self.refused(&self.wires[number])
    }

    fn refused(&self, wire: &Wire) -> Option<CutHow> {
        self.refusals.iter().rev().find(|refusal| refusal.link.covers(&wire.parties)).map(|refusal| refusal.how)
    }

    /// A frame stands at the head of its direction, or has been passed on: what waits for it strikes. Holds take hold here.
    pub(super) fn reach(&mut self, number: usize, side: Side, sight: &Sight<'_>) -> Strikes {
        let mut strikes = Strikes::default();
        let mut done = Vec::new();
        let wire = &mut self.wires[number];
        let parties = wire.parties.clone();
        for rule in self.rules.iter().filter(|rule| rule.link.covers(&parties)) {
            if !is_reached(rule, wire, side, sight) {
                continue;
            }
            match rule.fault {
                Fault::Hold => {
                    for side in Side::BOTH.into_iter().filter(|side| rule.from.includes(*side, &parties)) {
                        let flow = wire.flow(side);
                        flow.held_by.push(rule.id);
                        flow.at_point = true;
                    }
                    wire.note(format!("held at {}", sight.message.unwrap_or("bytes")));
                }
                Fault::Corrupt { byte } => {
                    strikes.corrupt = Some(byte);
                    done.push(rule.id);
                }
                Fault::Cut { how, keep } => {
                    strikes.cut = Some((rule.from.clone(), how, keep));
                    done.push(rule.id);
                }
            }
        }
        self.rules.retain(|rule| !done.contains(&rule.id));
        strikes
    }

    /// Cuts these directions of a connection.
    pub(super) fn cut(&mut self, number: usize, from: &From, how: CutHow) -> Closes {
        let wire = &mut self.wires[number];
        let parties = wire.parties.clone();
        let sides: Vec<Side> = Side::BOTH.into_iter().filter(|side| from.includes(*side, &parties)).collect();
        wire.over = true;
        wire.note(match sides.as_slice() {
            [one] => format!("cut ({how:?}), what the {one:?} sends"),
            _ => format!("cut ({how:?})"),
        });
        for side in &sides {
            wire.flow(*side).cut = true;
        }
        let end = |side: &Side| wire.ends[side.other() as usize].clone();
        let closes = |close| sides.iter().filter_map(end).map(|end| (end, close)).collect();
        match how {
            CutHow::Silent => Closes::new(),
            CutHow::Reset => closes(Close::Reset),
            // One direction alone: the other goes on.
            CutHow::Fin if sides.len() == 1 => closes(Close::HalfClose),
            CutHow::Fin => closes(Close::Fin),
        }
    }

    /// Cuts these directions of all connections of a link.
    pub(super) fn cut_all(&mut self, link: &Link, from: &From, how: CutHow) -> Closes {
        let stand = |wire: &&Wire| !wire.gone && link.covers(&wire.parties);
        let numbers: Vec<usize> = self.wires.iter().filter(stand).map(|wire| wire.number).collect();
        numbers.into_iter().flat_map(|number| self.cut(number, from, how)).collect()
    }

    /// How a direction passes on at this moment.
    pub(super) fn shapes(&self, number: usize, side: Side) -> Shapes {
        let wire = &self.wires[number];
        let mut shapes = Shapes::default();
        for (link, from, shape) in &self.shapes {
            if !link.covers(&wire.parties) || !from.includes(side, &wire.parties) {
                continue;
            }
            match shape {
                Shape::Delay(delay) => shapes.delay = *delay,
                Shape::Throttle(rate) => shapes.bytes_per_second = Some(*rate).filter(|rate| *rate > 0),
                Shape::Split(split) => shapes.split = Some(split.clone()),
            }
        }
        shapes
    }

    /// Ends everything: the ends that have to be closed.
    pub(super) fn end(&mut self) -> Vec<Connection> {
        self.over = true;
        self.wires.iter_mut().flat_map(|wire| wire.ends.each_mut().map(Option::take)).flatten().collect()
    }
}

fn hold_at_once(rule: &Rule, wire: &mut Wire) {
    if !rule.link.covers(&wire.parties) {
        return;
    }
    let parties = wire.parties.clone();
    for side in Side::BOTH.into_iter().filter(|side| rule.from.includes(*side, &parties)) {
        wire.flow(side).held_by.push(rule.id);
    }
}

/// Whether a fault that waits for a point, or for anything at all, strikes at this frame.
fn is_reached(rule: &Rule, wire: &mut Wire, side: Side, sight: &Sight<'_>) -> bool {
    match &rule.place {
        None => !sight.passed && rule.fault != Fault::Hold && rule.from.includes(side, &wire.parties),
        Some(Place::Connect) => false,
        Some(Place::Frame { message, fields, from, nth, after }) => {
            let meets = *after == sight.passed
                && from.includes(side, &wire.parties)
                && sight.message == Some(message)
                && fields.as_ref().is_none_or(|check| (sight.fields)().is_some_and(|fields| (check.0)(&fields)));
            let met = wire.met.entry(rule.id).or_default();
            *met += u64::from(meets);
            meets && *met == *nth
        }
    }
}
