//! What always holds, in all orders in which a few steps and all that comes of them may happen.

use super::{
    cluster::{Cluster, Process, Step},
    hazards::{mesh, tables_are_equal},
    scenario::{Scenario, When},
};

const A: usize = 0;
const B: usize = 1;
const C: usize = 2;

/// A claim, and the scenario in which it is tried.
pub(crate) struct Proof {
    pub(crate) claim: &'static str,
    pub(crate) scenario: fn() -> Scenario,
}

pub(crate) const PROOFS: &[Proof] = &[
    Proof {
        claim: "of two dials at the same time one session comes, no end is told, and both succeed (MEM-16 to MEM-23)",
        scenario: || Scenario {
            lanes: vec![vec![Step::Connect(A, B)], vec![Step::Connect(B, A)]],
            when: When::AtTheEnd,
            is_wrong: |cluster| !has_one_session_each(cluster) || cluster.facts.failed > 0,
            ..Scenario::default()
        },
    },
    Proof {
        claim: "where a connection is lost while both dial, both or neither have a session once all is quiet (MEM-28)",
        scenario: || Scenario {
            given: vec![Step::Connect(A, B)],
            lanes: vec![vec![Step::Cut(A, B), Step::Connect(A, B)], vec![Step::Connect(B, A)]],
            when: When::AtTheEnd,
            // One end may know of the loss later than the other dials, and the dial is refused (MEM-16), so there may
            // be none.
            is_wrong: |cluster| cluster.peers(A).contains(&B) != cluster.peers(B).contains(&A),
            ..Scenario::default()
        },
    },
    Proof {
        claim: "a node that starts again while dials go both ways has a session, and names of its former run are gone (MEM-24, REG-20)",
        scenario: || Scenario {
            given: vec![Step::Connect(A, B), Step::Spawn(A), Step::Register(A, "x", Process(A, 1, 1))],
            lanes: vec![vec![Step::Crash(A), Step::Start(A, 2), Step::Connect(A, B)], vec![Step::Connect(B, A)]],
            when: When::AtTheEnd,
            is_wrong: |cluster| !cluster.are_connected(A, B) || !cluster.table(B).is_empty(),
            ..Scenario::default()
        },
    },
    Proof {
        claim: "two nodes that connect while they register and unregister different names have equal tables",
        scenario: || Scenario {
            given: vec![Step::Spawn(A), Step::Spawn(B)],
            lanes: vec![
                vec![Step::Connect(A, B)],
                vec![Step::Connect(B, A)],
                vec![Step::Register(A, "x", Process(A, 1, 1)), Step::Unregister(A, "x")],
                vec![Step::Register(B, "y", Process(B, 1, 1)), Step::Ends(Process(B, 1, 1))],
            ],
            when: When::AtTheEnd,
            is_wrong: |cluster| !tables_are_equal(cluster) || !has_one_session_each(cluster),
            ..Scenario::default()
        },
    },
    Proof {
        claim: "three nodes that all dial at the same time have one session each two, and no end is told (MEM-11, MEM-15)",
        scenario: || Scenario {
            nodes: 3,
            lanes: vec![vec![Step::Connect(A, B)], vec![Step::Connect(B, C)], vec![Step::Connect(C, A)]],
            when: When::AtTheEnd,
            is_wrong: |cluster| !has_one_session_each(cluster) || cluster.facts.failed > 0,
            ..Scenario::default()
        },
    },
    Proof {
        claim: "three nodes that form a mesh while they register different names have equal tables (MEM-15, RES-9)",
        scenario: || Scenario {
            nodes: 3,
            given: vec![Step::Spawn(A), Step::Spawn(C)],
            lanes: vec![
                vec![Step::Connect(A, B)],
                vec![Step::Connect(C, B)],
                vec![Step::Register(A, "x", Process(A, 1, 1))],
                vec![Step::Register(C, "z", Process(C, 1, 1))],
            ],
            when: When::AtTheEnd,
            is_wrong: |cluster| !tables_are_equal(cluster) || !has_one_session_each(cluster),
            ..Scenario::default()
        },
    },
    Proof {
        claim: "in a mesh of three, different names may come and go in any order: tables are equal (RES-9)",
        scenario: || Scenario {
            nodes: 3,
            given: [mesh(), vec![Step::Spawn(A), Step::Spawn(B), Step::Spawn(C)]].concat(),
            lanes: vec![
                vec![Step::Register(A, "x", Process(A, 1, 1)), Step::Unregister(A, "x")],
                vec![Step::Register(B, "y", Process(B, 1, 1)), Step::Ends(Process(B, 1, 1))],
                vec![Step::Register(C, "z", Process(C, 1, 1))],
            ],
            when: When::AtTheEnd,
            is_wrong: |cluster| !tables_are_equal(cluster),
            ..Scenario::default()
        },
    },
    Proof {
        claim: "PROC-H1 does not strike where PROC-38 is kept: no live process of a new run is taken for dead",
        scenario: || Scenario {
            given: vec![Step::Connect(A, B), Step::Spawn(A), Step::Spawn(B)],
            lanes: vec![
                vec![Step::Crash(A), Step::Start(A, 2), Step::Spawn(A), Step::Connect(A, B)],
                vec![Step::Link(B, 1, Process(A, 1, 1))],
                vec![Step::Link(B, 1, Process(A, 2, 1))],
            ],
            is_wrong: |cluster| {
                let is_present = |(_, _, from): &(usize, u64, String)| from == "<A@h:1.1.2>";
                cluster.are_connected(A, B) && cluster.facts.exits.iter().any(is_present)
            },
            ..Scenario::default()
        },
    },
];

/// Every two nodes are connected; each of their sessions is the first, and none has ended.
fn has_one_session_each(cluster: &Cluster) -> bool {
    let mut pairs = cluster.places().flat_map(|one| cluster.places().map(move |other| (one, other)));
    let is_one = |(one, other)| one == other || cluster.facts.begun.get(&(one, other)) == Some(&1);
    pairs.all(|(one, other)| is_one((one, other)) && (one == other || cluster.are_connected(one, other)))
        && cluster.facts.ended.is_empty()
}
