//! Draws a list of deeds from a seed: a pure function, so that the same seed makes the same deeds. It never looks at a node.
//!
//! Correct nodes may disagree for good where a hazard of `spec/registry.md` has struck (RES-9). None can here, by what is drawn:
//!
//! * *REG-H1 (two owners) and REG-H4 (a late clean-up deletes a newer registration)* need a name that is registered twice. Every name is
//!   registered once, by one node, for a process of its own; a restarted node's processes have new names.
//! * *REG-H5 (an UNREGISTER overtakes its REGISTER)* needs a name that somebody else than the process's node registers. Here REGISTER and
//!   UNREGISTER come from one node and go the same way, in order.
//! * *REG-H2 (one lost connection unregisters for all)* needs a node that has lost its session with a name's owner and keeps one with a
//!   node that has not. A killed node's sessions all end. A cut parts the whole cluster, and all links are held before the first is cut
//!   (`partition`): whoever loses an owner can tell it only to those who lose that owner, too. What they tell each other has been taken
//!   in before the parts come together again, by [`Action::Settle`]: else it would delete what the owner has told anew.
//! * *REG-H3 (a relayed name outlives its owner)* needs a GLOBAL_SYNC that carries a name while its owner, or its process, ends. Sessions
//!   begin (join, restart, heal) in a settled cluster alone, and until all of them have begun and their syncs have been taken in, nothing
//!   ends: no process, no node, no session. So [`Action::Settle`] stands before every beginning that follows an end, and before every
//!   end that follows a beginning.
//!
//! Settled is more than quiet: all nodes of a part list each other and hold one table, every end has been told, and after that a message
//! has gone from every node to every other and has come, so that nothing that was sent before is still under way (PROC-21).
//!
//! Everything else may happen at any time, also while sessions begin or end: registrations, texts, messages, monitors.

use std::fmt;

use crate::scenario::step::Deed;

/// One deed. Nodes and processes are numbers; nodes from 0 in the order of the scenario, processes in the order of their registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// Starts nodes, and then introduces them all at once, each to one: (node, to). The very first one is introduced to itself: to nobody.
    Begin(Vec<(usize, usize)>),
    /// Kills nodes at once.
    Kill(Vec<usize>),
    /// Cuts all links between these live nodes and the other live ones.
    Cut(Vec<usize>),
    /// Lets all links work again and introduces nodes of one part to nodes of the other, each to one.
    Heal(Vec<(usize, usize)>),
    /// Spawns the next process on this node and registers it under a name of its own.
    Register(usize),
    /// Ends a process.
    End(usize),
    /// A process of the node monitors this process.
    Monitor { by: usize, process: usize },
    /// The node sends this process a message.
    Message { by: usize, process: usize },
    /// The node broadcasts a text.
    Broadcast(usize),
    /// Waits until everything that has to come of all deeds so far has come.
    Settle,
}

/// SplitMix64: 20 lines that will draw the same numbers in ten years, which no crate promises.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0. That small numbers are a little more frequent is of no matter.
    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// `count` of the items, in any order.
    fn some_of<T: Copy>(&mut self, items: &[T], count: usize) -> Vec<T> {
        let mut left = items.to_vec();
        (0..count.min(left.len())).map(|_| left.swap_remove(self.below(left.len()))).collect()
    }
}

/// What the deeds so far have made of the cluster, if its nodes are correct.
struct Model {
    /// Which nodes have run at all.
    started: Vec<bool>,
    up: Vec<bool>,
    /// While the cluster is parted: who is in the part that was cut off.
    parted: Option<Vec<usize>>,
    /// Pairs whose session has been known to be there, and that nothing has ended since.
    connected: Vec<Vec<bool>>,
    /// The node of each process, and whether it lives.
    processes: Vec<(usize, bool)>,
    /// Something has ended since the last [`Action::Settle`].
    ending: bool,
    /// Sessions have begun since.
    beginning: bool,
}

/// Draws deeds for this many nodes: `steps` of them, with what has to stand between them, and an end in which all live nodes are joined.
pub(super) fn plan(seed: u64, nodes: usize, steps: usize, deeds: &[Deed]) -> Vec<Action> {
    let mut draw = Draw(seed);
    let mut model = Model {
        started: vec![false; nodes],
        up: vec![false; nodes],
        parted: None,
        connected: vec![vec![false; nodes]; nodes],
        processes: Vec::new(),
        ending: false,
        beginning: false,
    };
    let mut plan = Vec::new();
    let first = if deeds.contains(&Deed::Join) { 2 + draw.below(nodes.max(2) - 1) } else { nodes };
    let all: Vec<usize> = (0..nodes).collect();
    let first = draw.some_of(&all, first.min(nodes));
    model.begin(&mut draw, &first, &mut plan);
    let mut left = steps;
    while left > 0 {
        let possible: Vec<Deed> = deeds.iter().copied().filter(|deed| model.possible(*deed)).collect();
        if possible.is_empty() {
            break;
        }
        // What ends or begins sessions is rarer than what uses them, or there would be nothing to lose.
        let (rough, gentle): (Vec<Deed>, Vec<Deed>) = possible.into_iter().partition(|deed| is_rough(*deed));
        let from = if gentle.is_empty() || (!rough.is_empty() && draw.below(10) < 3) { &rough } else { &gentle };
        let deed = draw.one_of(from);
        model.act(deed, &mut draw, &mut plan);
        left -= 1;
    }
    if model.parted.is_some() {
        model.heal(&mut draw, &mut plan);
    }
    let down: Vec<usize> = all.iter().copied().filter(|node| !model.up[*node]).collect();
    let returning = if down.is_empty() { 0 } else { draw.below(down.len() + 1) };
    if returning > 0 && (deeds.contains(&Deed::Restart) || deeds.contains(&Deed::Join)) {
        let returning = draw.some_of(&down, returning);
        model.begin(&mut draw, &returning, &mut plan);
    }
    model.settle(&mut plan);
    plan
}

fn is_rough(deed: Deed) -> bool {
    matches!(deed, Deed::Join | Deed::Restart | Deed::Kill | Deed::Cut | Deed::Heal)
}

impl Model {
    fn nodes(&self, which: impl Fn(usize) -> bool) -> Vec<usize> {
        (0..self.up.len()).filter(|node| which(*node)).collect()
    }

    fn live(&self) -> Vec<usize> {
        self.nodes(|node| self.up[node])
    }

    fn down(&self, started: bool) -> Vec<usize> {
        self.nodes(|node| !self.up[node] && self.started[node] == started)
    }

    fn living(&self) -> Vec<usize> {
        (0..self.processes.len()).filter(|process| self.processes[*process].1).collect()
    }

    /// Node and process of another node, where there is a session.
    fn reachable(&self) -> Vec<(usize, usize)> {
        let from = |by: usize| self.living().into_iter().map(move |process| (by, process));
        let pairs = self.live().into_iter().flat_map(from);
        pairs.filter(|(by, process)| self.connected[*by][self.processes[*process].0]).collect()
    }

    fn possible(&self, deed: Deed) -> bool {
        match deed {
            Deed::Join => self.parted.is_none() && !self.down(false).is_empty(),
            Deed::Restart => self.parted.is_none() && !self.down(true).is_empty(),
            Deed::Kill => !self.mortal().is_empty(),
            Deed::Cut => self.parted.is_none() && self.live().len() > 1,
            Deed::Heal => self.parted.is_some(),
            Deed::Register | Deed::Broadcast => true,
            Deed::EndProcess => !self.living().is_empty(),
            Deed::Monitor | Deed::Message => !self.reachable().is_empty(),
        }
    }

    /// Nodes of which any one may be killed: somebody stays in every part.
    fn mortal(&self) -> Vec<usize> {
        let live = self.live();
        let stays = |node: &usize| live.iter().any(|other| other != node && self.together(*node, *other));
        live.iter().copied().filter(stays).collect()
    }

    fn together(&self, a: usize, b: usize) -> bool {
        self.parted.as_ref().is_none_or(|part| part.contains(&a) == part.contains(&b))
    }

    fn act(&mut self, deed: Deed, draw: &mut Draw, plan: &mut Vec<Action>) {
        match deed {
            Deed::Join | Deed::Restart => {
                let candidates = self.down(deed == Deed::Restart);
                let count = 1 + draw.below(candidates.len());
                let nodes = draw.some_of(&candidates, count);
                self.begin(draw, &nodes, plan);
            }
            Deed::Kill => self.kill(draw, plan),
            Deed::Cut => self.cut(draw, plan),
            Deed::Heal => self.heal(draw, plan),
            Deed::Register => {
                let node = draw.one_of(&self.live());
                self.processes.push((node, true));
                plan.push(Action::Register(node));
            }
            Deed::EndProcess => {
                self.before_an_end(plan);
                let process = draw.one_of(&self.living());
                self.processes[process].1 = false;
                self.ending = true;
                plan.push(Action::End(process));
            }
            Deed::Broadcast => plan.push(Action::Broadcast(draw.one_of(&self.live()))),
            Deed::Monitor => {
                let (by, process) = draw.one_of(&self.reachable());
                plan.push(Action::Monitor { by, process });
            }
            Deed::Message => {
                let (by, process) = draw.one_of(&self.reachable());
                plan.push(Action::Message { by, process });
            }
        }
    }

    fn settle(&mut self, plan: &mut Vec<Action>) {
        plan.push(Action::Settle);
        (self.ending, self.beginning) = (false, false);
        for a in 0..self.up.len() {
            for b in 0..self.up.len() {
                self.connected[a][b] = a != b && self.up[a] && self.up[b] && self.together(a, b);
            }
        }
    }

    fn before_an_end(&mut self, plan: &mut Vec<Action>) {
        if self.beginning {
            self.settle(plan);
        }
    }

    fn before_a_beginning(&mut self, plan: &mut Vec<Action>) {
        if self.ending || self.beginning {
            self.settle(plan);
        }
    }

    /// Each is introduced to one that is there already or comes with it.
    fn begin(&mut self, draw: &mut Draw, nodes: &[usize], plan: &mut Vec<Action>) {
        self.before_a_beginning(plan);
        let mut hosts = self.live();
        let mut introductions = Vec::new();
        for node in nodes {
            let to = if hosts.is_empty() { *node } else { draw.one_of(&hosts) };
            introductions.push((*node, to));
            hosts.push(*node);
            (self.up[*node], self.started[*node]) = (true, true);
        }
        self.beginning = true;
        plan.push(Action::Begin(introductions));
    }

    fn kill(&mut self, draw: &mut Draw, plan: &mut Vec<Action>) {
        self.before_an_end(plan);
        let mut killed = Vec::new();
        let most = 1 + draw.below(2);
        while killed.len() < most && !self.mortal().is_empty() {
            let node = draw.one_of(&self.mortal());
            self.up[node] = false;
            for other in 0..self.up.len() {
                (self.connected[node][other], self.connected[other][node]) = (false, false);
            }
            self.processes.iter_mut().filter(|process| process.0 == node).for_each(|process| process.1 = false);
            killed.push(node);
        }
        self.ending = true;
        plan.push(Action::Kill(killed));
    }

    fn cut(&mut self, draw: &mut Draw, plan: &mut Vec<Action>) {
        self.before_an_end(plan);
        let live = self.live();
        let size = 1 + draw.below(live.len() - 1);
        let part = draw.some_of(&live, size);
        for a in &part {
            for b in live.iter().filter(|b| !part.contains(b)) {
                (self.connected[*a][*b], self.connected[*b][*a]) = (false, false);
            }
        }
        self.parted = Some(part.clone());
        self.ending = true;
        plan.push(Action::Cut(part));
    }

    /// One introduction joins two meshes: each of the two tells the other its part, and who is told dials (MEM-6). The smaller part's nodes
    /// are all introduced half of the time.
    fn heal(&mut self, draw: &mut Draw, plan: &mut Vec<Action>) {
        self.before_a_beginning(plan);
        let part = self.parted.take().unwrap_or_default();
        let (inside, outside): (Vec<usize>, Vec<usize>) = self.live().into_iter().partition(|node| part.contains(node));
        let count = if draw.below(2) == 0 { 1 } else { inside.len() };
        let introduced = draw.some_of(&inside, count);
        let introductions = introduced.into_iter().map(|node| (node, draw.one_of(&outside))).collect();
        self.beginning = true;
        plan.push(Action::Heal(introductions));
    }
}

/// A deed in words, with the nodes' names.
pub(super) struct Shown<'a>(pub(super) &'a Action, pub(super) &'a [String]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(action, nodes) = self;
        let list = |which: &[usize]| which.iter().map(|node| nodes[*node].as_str()).collect::<Vec<_>>().join(", ");
        let introduced = |pairs: &[(usize, usize)]| {
            let pair = |(node, to): &(usize, usize)| {
                if node == to { nodes[*node].clone() } else { format!("{} to {}", nodes[*node], nodes[*to]) }
            };
            pairs.iter().map(pair).collect::<Vec<_>>().join(", ")
        };
        match action {
            Action::Begin(pairs) => write!(f, "start, and introduce {}", introduced(pairs)),
            Action::Kill(killed) => write!(f, "kill {}", list(killed)),
            Action::Cut(part) => write!(f, "cut {} off", list(part)),
            Action::Heal(pairs) => write!(f, "heal, and introduce {}", introduced(pairs)),
            Action::Register(node) => write!(f, "register the next process on {}", nodes[*node]),
            Action::End(process) => write!(f, "end process {process}"),
            Action::Monitor { by, process } => write!(f, "{} monitors process {process}", nodes[*by]),
            Action::Message { by, process } => write!(f, "{} sends to process {process}", nodes[*by]),
            Action::Broadcast(node) => write!(f, "{} broadcasts", nodes[*node]),
            Action::Settle => f.write_str("settle"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Deed; 10] = [
        Deed::Join,
        Deed::Restart,
        Deed::Kill,
        Deed::Cut,
        Deed::Heal,
        Deed::Register,
        Deed::EndProcess,
        Deed::Broadcast,
        Deed::Monitor,
        Deed::Message,
    ];

    #[test]
    fn the_same_seed_draws_the_same_deeds_and_another_others() {
        assert_eq!(plan(7, 5, 40, &ALL), plan(7, 5, 40, &ALL));
        assert_ne!(plan(7, 5, 40, &ALL), plan(8, 5, 40, &ALL));
    }

    #[test]
    fn the_draw_is_splitmix64() {
        let mut draw = Draw(1_234_567);
        assert_eq!([draw.next(), draw.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    /// The construction that keeps the hazards out, seen from outside: over many seeds, between an end and a beginning, whichever is first,
    /// everything settles.
    #[test]
    fn between_ends_and_beginnings_everything_settles() {
        for seed in 0..2_000 {
            let (mut ending, mut beginning) = (false, false);
            let mut live = [false; 5];
            let mut parted = false;
            for action in plan(seed, 5, 40, &ALL) {
                match action {
                    Action::Begin(pairs) => {
                        assert!(!ending && !beginning && !parted, "seed {seed}");
                        pairs.iter().for_each(|(node, _)| live[*node] = true);
                        assert!(pairs.iter().all(|(_, to)| live[*to]), "seed {seed}");
                        beginning = true;
                    }
                    Action::Heal(pairs) => {
                        assert!(!ending && !beginning && parted && !pairs.is_empty(), "seed {seed}");
                        (beginning, parted) = (true, false);
                    }
                    Action::Kill(killed) => {
                        assert!(!beginning && !killed.is_empty(), "seed {seed}");
                        killed.iter().for_each(|node| live[*node] = false);
                        assert!(live.contains(&true), "seed {seed}");
                        ending = true;
                    }
                    Action::Cut(part) => {
                        assert!(!beginning && !parted && !part.is_empty(), "seed {seed}");
                        (ending, parted) = (true, true);
                    }
                    Action::End(_) => {
                        assert!(!beginning, "seed {seed}");
                        ending = true;
                    }
                    Action::Settle => (ending, beginning) = (false, false),
                    Action::Register(node) | Action::Broadcast(node) => assert!(live[node], "seed {seed}"),
                    Action::Monitor { by, .. } | Action::Message { by, .. } => assert!(live[by], "seed {seed}"),
                }
            }
            assert!(!ending && !beginning && !parted, "seed {seed}");
        }
    }
}
