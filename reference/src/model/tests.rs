//! Scenarios that a second is enough for, the others being `cargo xtask hazards`; and more nodes than all orders can be
//! gone through for, in some of them.

use std::time::Instant;

use super::{
    cluster::{Cluster, Ground, Process, Step},
    hazards::{HAZARDS, tables_are_equal},
    proofs::PROOFS,
    trace,
};

/// A small linear congruential generator: the same choices in every run.
struct Choices(u64);

impl Choices {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

fn settle(cluster: &mut Cluster, choices: &mut Choices) {
    for _ in 0..100_000 {
        let busy = cluster.busy();
        if busy.is_empty() {
            return;
        }
        cluster.deliver(busy[choices.below(busy.len())]).unwrap();
    }
    panic!("the cluster does not come to rest");
}

#[test]
fn hazards_of_two_nodes_are_found_and_told_the_same_way() {
    for hazard in HAZARDS.iter().filter(|hazard| (hazard.scenario)().nodes == 2) {
        let told = || {
            let scenario = (hazard.scenario)();
            let way = scenario.clone().check().way.unwrap();
            trace::lines(&scenario, &way, hazard.handshakes)
        };
        let lines = told();
        assert!(!lines.is_empty() && lines == told(), "{}: {lines:?}", hazard.id);
    }
}

#[test]
fn dials_at_the_same_time_make_one_session_in_every_order() {
    let outcome = (PROOFS[0].scenario)().check();
    assert!(outcome.way.is_none() && outcome.states > 50, "{} states", outcome.states);
}

#[test]
fn introductions_make_the_full_mesh() {
    for seed in 0..200 {
        let mut cluster = Cluster::new(5, Ground::default(), Instant::now());
        for number in 1..5 {
            cluster.step(&Step::Connect(number, (seed + number) % number)).unwrap();
        }
        settle(&mut cluster, &mut Choices(seed as u64));
        for place in cluster.places() {
            assert_eq!(cluster.peers(place).len(), 4, "seed {seed}, node {place}");
        }
        assert!(cluster.facts.ended.is_empty(), "seed {seed}");
    }
}

#[test]
fn all_hold_the_union_of_their_tables() {
    let mut cluster = Cluster::new(3, Ground::default(), Instant::now());
    for (place, name) in [(0, "x"), (1, "y"), (2, "z")] {
        cluster.step(&Step::Spawn(place)).unwrap();
        cluster.step(&Step::Register(place, name, Process(place, 1, 1))).unwrap();
    }
    for place in [0, 2] {
        cluster.step(&Step::Connect(place, 1)).unwrap();
        settle(&mut cluster, &mut Choices(7));
    }
    assert_eq!(cluster.table(1).len(), 3);
    assert!(tables_are_equal(&cluster));
}
