//! What is checked from where: a cluster to begin with, what may be done in it, and what must not come of that; for the
//! model checker, which goes through all orders, the shortest ways first.

use std::{
    hash::{Hash, Hasher},
    time::Instant,
};

use stateright::{Checker, Model, Property};

use super::{
    attacker::{Attacker, Move},
    cluster::{Cluster, End, Ground, Step},
};

/// A cluster, and what may be done in it.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) nodes: usize,
    /// Done before, each step with all that comes of it.
    pub(crate) given: Vec<Step>,
    /// Done in the order of each lane, and in any order between lanes.
    pub(crate) lanes: Vec<Vec<Step>>,
    pub(crate) ground: Ground,
    pub(crate) attacker: Option<Attacker>,
    pub(crate) when: When,
    /// Whether something is wrong.
    pub(crate) is_wrong: fn(&Cluster) -> bool,
}

/// In which states it is asked whether something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Always,
    /// Nothing is under way.
    AtRest,
    /// Nothing is under way and nothing is left to be done.
    AtTheEnd,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            nodes: 2,
            given: vec![],
            lanes: vec![],
            ground: Ground::default(),
            attacker: None,
            when: When::AtRest,
            is_wrong: |_| false,
        }
    }
}

/// What may happen next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// The next step of a lane.
    Step(usize),
    Deliver(End),
    Attack(Move),
}

/// A cluster, and how far the lanes are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    pub(crate) cluster: Cluster,
    pub(crate) done: Vec<usize>,
}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.cluster.hash(state);
        self.done.hash(state);
    }
}

/// What came of a check.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// The shortest way to what is wrong: each state with what is done in it.
    pub(crate) way: Option<Vec<(State, Option<Act>)>>,
    /// Different states that were seen.
    pub(crate) states: usize,
    /// The length of the longest way that was looked at.
    pub(crate) depth: usize,
}

impl Scenario {
    /// Goes through all orders, or up to the first in which something is wrong.
    pub(crate) fn check(self) -> Outcome {
        let checked = Checking { beginning: Instant::now(), scenario: self }.checker().threads(1).spawn_bfs().join();
        Outcome {
            way: checked.discovery(RIGHT).map(|way| way.into_vec()),
            states: checked.unique_state_count(),
            depth: checked.max_depth(),
        }
    }

    fn beginning(&self, now: Instant) -> State {
        let mut cluster = Cluster::new(self.nodes, self.ground.clone(), now);
        for step in &self.given {
            cluster.step(step);
            while let Some(end) = cluster.busy().first().copied() {
                cluster.deliver(end);
            }
        }
        cluster.facts.begun.clear();
        cluster.attacker.clone_from(&self.attacker);
        State { cluster, done: vec![0; self.lanes.len()] }
    }

    /// The state after an act; `None` when it cannot be done.
    pub(crate) fn after(&self, state: &State, act: &Act) -> Option<State> {
        let mut next = state.clone();
        match act {
            Act::Step(lane) => {
                let step = self.lanes[*lane].get(state.done[*lane])?;
                next.cluster.step(step)?;
                next.done[*lane] += 1;
            }
            Act::Deliver(end) => {
                next.cluster.deliver(*end)?;
            }
            Act::Attack(attack) => next.cluster.attack(attack),
        }
        Some(next)
    }

    fn is_right(&self, state: &State) -> bool {
        let is_done = || state.done.iter().zip(&self.lanes).all(|(done, lane)| *done == lane.len());
        let is_asked = match self.when {
            When::Always => true,
            When::AtRest => state.cluster.is_at_rest(),
            When::AtTheEnd => state.cluster.is_at_rest() && is_done(),
        };
        !is_asked || !(self.is_wrong)(&state.cluster)
    }
}

/// The one property.
const RIGHT: &str = "right";

struct Checking {
    beginning: Instant,
    scenario: Scenario,
}

impl Model for Checking {
    type State = State;
    type Action = Act;

    fn init_states(&self) -> Vec<State> {
        vec![self.scenario.beginning(self.beginning)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Act>) {
        let lanes = self.scenario.lanes.iter().enumerate();
        actions.extend(lanes.filter(|(lane, steps)| state.done[*lane] < steps.len()).map(|(lane, _)| Act::Step(lane)));
        actions.extend(state.cluster.busy().into_iter().map(Act::Deliver));
        actions.extend(state.cluster.moves().into_iter().map(Act::Attack));
    }

    fn next_state(&self, state: &State, act: Act) -> Option<State> {
        self.scenario.after(state, &act)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always(RIGHT, |checking: &Self, state: &State| checking.scenario.is_right(state))]
    }
}
