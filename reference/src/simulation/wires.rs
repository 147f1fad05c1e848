//! Connections between nodes: what is under way on them, how long it takes, and how they break. Knows no messages but
//! those of the heartbeat, which are under way at all times.

use std::{
    cmp::Ordering,
    collections::{BTreeSet, BinaryHeap, VecDeque},
};

use super::{
    random::Random,
    schedule::{Noticed, Place},
};
use crate::{
    node::ConnId,
    wire::{
        Payload,
        membership::{PING, PONG},
        registry::GLOBAL_UNREGISTER,
    },
};

/// Simulated microseconds since the world began.
pub(crate) type Micros = u64;

/// Which run of a node it is, from 0.
pub(crate) type Run = u32;

pub(crate) type WireId = usize;

/// One end of a wire: 0 is the dialling one.
pub(crate) type Side = usize;

/// What comes to one end of a wire.
#[derive(Clone, Debug)]
pub(crate) enum Arrival {
    Accepted,
    Dialled,
    Frame(Payload),
    Closed,
}

/// Something that is to happen at some time.
#[derive(Debug)]
pub(crate) enum Happening {
    /// At that end, unless the wire is severed; `sure` is what a break itself tells.
    Arrives {
        wire: WireId,
        side: Side,
        what: Arrival,
        sure: bool,
    },
    /// A dial fails that has no wire.
    Refused {
        place: Place,
        run: Run,
        conn: ConnId,
    },
    Wakes {
        place: Place,
        run: Run,
    },
    Step(usize),
}

struct Due {
    at: Micros,
    order: u64,
    happening: Happening,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    /// The earliest is the greatest, as a heap wants it.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

/// Where an end of a wire is, and whether it is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) place: Place,
    pub(crate) run: Run,
    pub(crate) conn: ConnId,
    pub(crate) state: EndState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndState {
    Coming,
    Open,
    Gone,
}

/// Why nothing passes a wire any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severed {
    /// One of its nodes has crashed.
    Crash,
    Network,
}

pub(crate) struct Wire {
    pub(crate) ends: [End; 2],
    pub(crate) severed: Option<Severed>,
    /// When the last of what is under way to each end arrives.
    last: [Micros; 2],
    /// What is held up on the way to each end.
    held: [VecDeque<Arrival>; 2],
}

/// All wires, and all that is to happen.
#[derive(Default)]
pub(crate) struct Wires {
    pub(crate) now: Micros,
    all: Vec<Wire>,
    queue: BinaryHeap<Due>,
    order: u64,
    /// As `order`, for what goes before everything of its time.
    early: u64,
    seed: u64,
    /// First and number of the nodes that are parted from the others.
    parted: Option<(Place, usize)>,
    blocked: BTreeSet<(Place, Place)>,
    /// Arrivals under way that are no heartbeats.
    busy: usize,
    /// GLOBAL_UNREGISTERs among them.
    unregisters: usize,
}

impl Wires {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, order: 1 << 32, ..Self::default() }
    }

    pub(crate) fn get(&self, wire: WireId) -> &Wire {
        &self.all[wire]
    }

    pub(crate) fn end_mut(&mut self, (wire, side): (WireId, Side)) -> &mut End {
        &mut self.all[wire].ends[side]
    }

    pub(crate) fn at(&mut self, at: Micros, happening: Happening) {
        self.order += 1;
        self.queue.push(Due { at: at.max(self.now), order: self.order, happening });
    }

    /// The next happening up to a time; the clock jumps to it.
    pub(crate) fn next(&mut self, until: Micros) -> Option<Happening> {
        if self.queue.peek().is_none_or(|due| due.at > until) {
            self.now = until;
            return None;
        }
        let due = self.queue.pop()?;
        self.now = due.at;
        Some(due.happening)
    }

    /// Whether nothing but heartbeats is under way.
    pub(crate) fn are_quiet(&self) -> bool {
        self.busy == 0
    }

    pub(crate) fn carry_unregisters(&self) -> bool {
        self.unregisters > 0
    }

    /// Whether both ways between two nodes are free.
    pub(crate) fn are_free(&self, one: Place, other: Place) -> bool {
        !self.is_held_up(one, other) && !self.is_held_up(other, one)
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.parted.is_none() && self.blocked.is_empty()
    }

    fn is_held_up(&self, from: Place, to: Place) -> bool {
        self.blocked.contains(&(from, to)) || self.is_parted(from) != self.is_parted(to)
    }

    fn is_parted(&self, place: Place) -> bool {
        self.parted.is_some_and(|(first, count)| (first..first + count).contains(&place))
    }

    /// How long the next thing takes from one node to another: most links are quick, some are slow. Depends on nothing
    /// that happens elsewhere.
    pub(crate) fn delay(&self, from: Place, to: Place, number: u64) -> Micros {
        let link = Random::of(&[self.seed, 1, from as u64, to as u64]).below(8);
        let slowness = if link == 0 { 10 } else { 1 };
        slowness * (100 + Random::of(&[self.seed, from as u64, to as u64, number]).below(20_000))
    }

    /// A connection whose ends are about to be told of it.
    pub(crate) fn join(&mut self, from: End, to: End) -> WireId {
        let (last, held) = ([self.now; 2], [VecDeque::new(), VecDeque::new()]);
        self.all.push(Wire { ends: [from, to], severed: None, last, held });
        let wire = self.all.len() - 1;
        self.send(wire, 1, Arrival::Accepted);
        self.all[wire].last[0] = self.all[wire].last[1];
        self.send(wire, 0, Arrival::Dialled);
        wire
    }

    /// Sends something to an end.
    pub(crate) fn send(&mut self, wire: WireId, side: Side, what: Arrival) {
        let Wire { ends, last, severed, .. } = &self.all[wire];
        if severed.is_some() || ends[side].state == EndState::Gone {
            return;
        }
        let delay = self.delay(ends[1 - side].place, ends[side].place, last[side]);
        let at = (self.now + delay).max(last[side] + 1);
        self.all[wire].last[side] = at;
        self.count(&what, 1);
        self.at(at, Happening::Arrives { wire, side, what, sure: false });
    }

    /// Something has come to an end: returned unless it is lost or held up.
    pub(crate) fn arrived(&mut self, wire: WireId, side: Side, what: Arrival, sure: bool) -> Option<Arrival> {
        self.count(&what, -1);
        let Wire { ends, severed, .. } = &self.all[wire];
        if ends[side].state == EndState::Gone || severed.is_some() && !sure {
            return None;
        }
        if !sure && self.is_held_up(ends[1 - side].place, ends[side].place) {
            self.count(&what, 1);
            self.all[wire].held[side].push_back(what);
            return None;
        }
        Some(what)
    }

    /// Nothing passes any more; the ends that notice are told within a moment.
    pub(crate) fn sever(&mut self, wire: WireId, why: Severed, noticed: [bool; 2]) {
        if self.all[wire].severed.is_some() {
            return;
        }
        self.all[wire].severed = Some(why);
        for side in [0, 1] {
            for held in std::mem::take(&mut self.all[wire].held[side]) {
                self.count(&held, -1);
            }
            if noticed[side] && self.all[wire].ends[side].state != EndState::Gone {
                let at = self.now + 1 + Random::of(&[self.seed, 2, wire as u64, side as u64]).below(50_000);
                self.count(&Arrival::Closed, 1);
                self.at(at, Happening::Arrives { wire, side, what: Arrival::Closed, sure: true });
            }
        }
    }

    /// Severs all wires between places for which `is_cut` says how; the first place given is the dialling end's.
    pub(crate) fn sever_where(&mut self, is_cut: impl Fn(&Wire) -> Option<[bool; 2]>, why: Severed) {
        for wire in 0..self.all.len() {
            if let Some(noticed) = is_cut(&self.all[wire]) {
                self.sever(wire, why, noticed);
            }
        }
    }

    pub(crate) fn part(&mut self, first: Place, count: usize, noticed: Noticed) {
        self.parted = Some((first, count));
        let inside = move |end: &End| (first..first + count).contains(&end.place);
        let told = move |end: &End| if inside(end) { noticed.here } else { noticed.there };
        let is_cut = move |wire: &Wire| {
            let [from, to] = &wire.ends;
            (inside(from) != inside(to)).then(|| [told(from), told(to)])
        };
        self.sever_where(is_cut, Severed::Network);
    }

    pub(crate) fn block(&mut self, from: Place, to: Place) {
        self.blocked.insert((from, to));
    }

    /// Everything passes again; what was held up comes now, in order.
    pub(crate) fn heal(&mut self) {
        self.parted = None;
        self.blocked.clear();
        for wire in 0..self.all.len() {
            for side in [0, 1] {
                for what in std::mem::take(&mut self.all[wire].held[side]) {
                    // Before anything that is still under way.
                    self.early += 1;
                    let happening = Happening::Arrives { wire, side, what, sure: false };
                    self.queue.push(Due { at: self.now, order: self.early, happening });
                }
            }
        }
    }

    fn count(&mut self, what: &Arrival, by: isize) {
        let first = match what {
            Arrival::Frame(payload) => payload.first().copied(),
            _ => None,
        };
        if !matches!(first, Some(PING | PONG)) {
            self.busy = self.busy.saturating_add_signed(by);
        }
        if first == Some(GLOBAL_UNREGISTER) {
            self.unregisters = self.unregisters.saturating_add_signed(by);
        }
    }
}
