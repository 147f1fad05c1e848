//! What is done to a world, and when: a list that follows from a seed, as plain data. Knows no node.

use std::{collections::BTreeSet, fmt};

use super::random::Random;

/// A node, by its place among the nodes of a world.
pub(crate) type Place = usize;

/// A process, a name, a monitor or a member, by a number that no other of its kind has.
pub(crate) type Number = usize;

/// Simulated milliseconds since the world began.
pub(crate) type Millis = u64;

/// What a schedule may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No hazard of the registry can strike, so tables are judged, too (RES-9). See `guard.rs`.
    Calm,
    /// Anything at any time; tables are left alone.
    Wild,
}

/// Which ends of connections that break are told: the others find it by their heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Noticed {
    pub(crate) here: bool,
    pub(crate) there: bool,
}

/// One thing to do. What makes no sense when its time has come, since something that it needs is not there, is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Connect {
        from: Place,
        to: Place,
    },
    /// The node's process ends, and with it all that it had. Unless it is noticed its peers are told nothing.
    Crash {
        node: Place,
        noticed: bool,
    },
    /// Under the same name, with the next creation.
    Restart {
        node: Place,
    },
    /// The nodes from `first` on, `count` of them, are parted from the others: connections break, and dials hang.
    Part {
        first: Place,
        count: usize,
        noticed: Noticed,
    },
    /// What breaks between two nodes: connections that are there, and nothing else.
    Break {
        one: Place,
        other: Place,
        noticed: Noticed,
    },
    /// What goes one way is held up, and dials either way hang.
    Block {
        from: Place,
        to: Place,
    },
    /// All that is blocked or parted is no more.
    Heal,
    Spawn {
        process: Number,
        node: Place,
        traps: bool,
    },
    Kill {
        process: Number,
        normally: bool,
    },
    Link {
        from: Number,
        to: Number,
    },
    Unlink {
        from: Number,
        to: Number,
    },
    Monitor {
        monitor: Number,
        from: Number,
        to: Number,
    },
    Demonitor {
        monitor: Number,
    },
    Watch {
        process: Number,
        node: Place,
    },
    /// By the node on which the process lives.
    Register {
        name: Number,
        process: Number,
    },
    Unregister {
        name: Number,
    },
    /// By any node.
    Send {
        from: Place,
        to: Number,
    },
    Join {
        member: Number,
        node: Place,
    },
    Leave {
        member: Number,
    },
    Broadcast {
        from: Place,
    },
    /// Somebody without the cookie is dialled and dials, and passes each challenge that it gets on to the other end.
    Reflect {
        node: Place,
    },
}

/// An operation and its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) at: Millis,
    pub(crate) operation: Operation,
}

/// All that a run of a world depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    pub(crate) seed: u64,
    pub(crate) kind: Kind,
    pub(crate) nodes: usize,
    /// Nodes that never start: what minimising has taken out.
    pub(crate) absent: BTreeSet<Place>,
    pub(crate) steps: Vec<Step>,
}

/// How long a world may take to find a loss by heartbeats, with some to spare.
pub(crate) const FINDING: Millis = 17_000;

impl Schedule {
    /// Half of all seeds are calm, half are wild. Without a number of nodes there are 3 to 5.
    pub(crate) fn new(seed: u64, nodes: Option<usize>) -> Self {
        let mut random = Random::of(&[seed]);
        let nodes = nodes.unwrap_or(3 + random.index(3)).max(2);
        let kind = if random.once_in(2) { Kind::Calm } else { Kind::Wild };
        let mut writer =
            Writer { random, nodes, now: 0, steps: Vec::new(), processes: 0, names: 0, monitors: 0, members: 0 };
        match kind {
            Kind::Calm => writer.calm(),
            Kind::Wild => writer.wild(),
        }
        writer.steps.sort_by_key(|step| step.at);
        Self { seed, kind, nodes, absent: BTreeSet::new(), steps: writer.steps }
    }
}

struct Writer {
    random: Random,
    nodes: usize,
    now: Millis,
    steps: Vec<Step>,
    processes: usize,
    names: usize,
    monitors: usize,
    members: usize,
}

impl Writer {
    fn calm(&mut self) {
        self.introductions();
        self.now += 2_000;
        for _ in 0..1 + self.random.index(3) {
            self.work(10, 1_000);
            self.now += 1_500;
            self.disturbance();
            self.introductions();
            self.now += 3_000;
        }
        self.work(10, 1_000);
        self.now += 1_000;
    }

    fn wild(&mut self) {
        self.introductions();
        self.now += self.random.below(500);
        for _ in 0..3 + self.random.index(6) {
            self.work(6, 2_000);
            let long = self.random.once_in(4);
            self.now += self.random.below(if long { 15_000 } else { 1_500 });
            let operation = self.fault();
            self.push(0, operation);
            self.work(3, 500);
            if self.random.once_in(2) {
                self.introductions();
            }
        }
        self.now += 1_000;
    }

    /// Each node but one is introduced to another; some dial both ways at once.
    fn introductions(&mut self) {
        for node in 1..self.nodes {
            let other = self.random.index(node);
            let (from, to) = if self.random.once_in(2) { (node, other) } else { (other, node) };
            self.push(200, Operation::Connect { from, to });
            if self.random.once_in(3) {
                self.push(200, Operation::Connect { from: to, to: from });
            }
        }
        self.now += 200;
    }

    /// One thing that makes sessions end, and what undoes it.
    fn disturbance(&mut self) {
        let noticed = self.noticed();
        if self.random.once_in(2) {
            let node = self.place();
            self.push(0, Operation::Crash { node, noticed: noticed.here });
            self.work(3, 300);
            self.now += self.patience(noticed.here);
            self.push(0, Operation::Restart { node });
        } else {
            let first = self.place();
            let count = 1 + self.random.index(2);
            self.push(0, Operation::Part { first, count, noticed });
            self.work(3, 300);
            self.now += self.patience(noticed.here && noticed.there);
            self.push(0, Operation::Heal);
        }
        self.now += 10;
    }

    /// Mostly long enough for the loss to be found.
    fn patience(&mut self, noticed: bool) -> Millis {
        if noticed || self.random.once_in(4) { self.random.below(1_000) } else { FINDING }
    }

    fn noticed(&mut self) -> Noticed {
        Noticed { here: !self.random.once_in(3), there: !self.random.once_in(3) }
    }

    fn fault(&mut self) -> Operation {
        let (noticed, one) = (self.noticed(), self.place());
        let other = (one + 1 + self.random.index(self.nodes - 1)) % self.nodes;
        match self.random.below(9) {
            0 | 1 => Operation::Crash { node: one, noticed: noticed.here },
            2 => Operation::Restart { node: one },
            3 | 4 => Operation::Break { one, other, noticed },
            5 => Operation::Block { from: one, to: other },
            6 => Operation::Part { first: one, count: 1, noticed },
            7 => Operation::Reflect { node: one },
            _ => Operation::Heal,
        }
    }

    fn work(&mut self, amount: usize, within: Millis) {
        for _ in 0..amount {
            let operation = self.use_of_processes();
            self.push(within, operation);
        }
        self.now += within;
    }

    fn use_of_processes(&mut self) -> Operation {
        let (process, other) = (self.random.index(self.processes), self.random.index(self.processes));
        let node = self.place();
        match self.random.below(if self.processes < 2 { 2 } else { 24 }) {
            0..=3 => {
                self.processes += 1;
                Operation::Spawn { process: self.processes - 1, node, traps: !self.random.once_in(3) }
            }
            4 | 5 => Operation::Kill { process, normally: self.random.once_in(2) },
            6 | 7 => Operation::Link { from: process, to: other },
            8 => Operation::Unlink { from: process, to: other },
            9..=11 => {
                self.monitors += 1;
                Operation::Monitor { monitor: self.monitors - 1, from: process, to: other }
            }
            12 => Operation::Demonitor { monitor: self.random.index(self.monitors) },
            13 => Operation::Watch { process, node },
            14..=16 => {
                self.names += 1;
                Operation::Register { name: self.names - 1, process }
            }
            17 => Operation::Unregister { name: self.random.index(self.names) },
            18..=20 => Operation::Send { from: node, to: process },
            21 => {
                self.members += 1;
                Operation::Join { member: self.members - 1, node }
            }
            22 if self.random.once_in(3) => Operation::Leave { member: self.random.index(self.members) },
            _ => Operation::Broadcast { from: node },
        }
    }

    fn place(&mut self) -> Place {
        self.random.index(self.nodes)
    }

    fn push(&mut self, within: Millis, operation: Operation) {
        let at = self.now + self.random.below(within);
        self.steps.push(Step { at, operation });
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Calm { "calm" } else { "wild" })
    }
}
