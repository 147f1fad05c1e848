//! The hazards of the spec, each as a scenario in which something can go wrong. How it goes wrong is found, not written.

use super::{
    attacker::Attacker,
    cluster::{Cluster, Ground, Process, Step},
    scenario::{Scenario, When},
    trace::Handshakes,
};

const A: usize = 0;
const B: usize = 1;
const C: usize = 2;
/// The attacker behind two nodes.
const M: usize = 2;

/// A hazard and how it is found.
pub(crate) struct Hazard {
    /// As in the spec; several with one id stand under each other.
    pub(crate) id: &'static str,
    /// The chapter that it stands in.
    pub(crate) chapter: &'static str,
    /// What is so before.
    pub(crate) given: &'static str,
    pub(crate) scenario: fn() -> Scenario,
    pub(crate) handshakes: Handshakes,
    /// What is wrong in the end.
    pub(crate) wrong: &'static str,
}

/// All that can be found.
pub(crate) const HAZARDS: &[Hazard] = &[
    Hazard {
        id: "REG-H1",
        chapter: "registry",
        given: "A and B are connected",
        scenario: || Scenario {
            given: vec![Step::Connect(A, B), Step::Spawn(A), Step::Spawn(B)],
            lanes: vec![vec![registers(A)], vec![registers(B)]],
            is_wrong: |cluster| cluster.owner(A, "x") != cluster.owner(B, "x"),
            ..Scenario::default()
        },
        handshakes: Handshakes::LeftOut,
        wrong: "x is A's process on A and B's on B, for good",
    },
    Hazard {
        id: "REG-H2",
        chapter: "registry",
        given: "A, B and C are connected, C has registered x",
        scenario: || Scenario {
            nodes: 3,
            given: [mesh(), vec![Step::Spawn(C), registers(C)]].concat(),
            lanes: vec![vec![Step::Cut(B, C)]],
            is_wrong: |cluster| cluster.are_connected(A, C) && cluster.owner(A, "x").is_none(),
            ..Scenario::default()
        },
        handshakes: Handshakes::LeftOut,
        wrong: "A does not know x, although it is connected to C, where x lives",
    },
    Hazard {
        id: "REG-H3",
        chapter: "registry",
        given: "B and C are connected, C has registered x",
        scenario: || Scenario {
            lanes: vec![vec![Step::Connect(A, B), Step::Cut(A, B)], vec![Step::Crash(C)]],
            is_wrong: |cluster| {
                let is_alone = cluster.peers(A).is_empty() && cluster.node(C).is_none();
                is_alone && cluster.owner(A, "x").is_some()
            },
            ..relayed()
        },
        handshakes: Handshakes::LeftOut,
        wrong: "A keeps x, although C has ended",
    },
    Hazard {
        id: "REG-H3",
        chapter: "registry",
        given: "B and C are connected, C has registered x",
        scenario: || Scenario {
            lanes: vec![vec![Step::Connect(A, B)], vec![Step::Crash(C)]],
            is_wrong: |cluster| {
                let is_lost = cluster.node(C).is_none() && cluster.are_connected(A, B);
                is_lost && cluster.owner(A, "x").is_some()
            },
            ..relayed()
        },
        handshakes: Handshakes::LeftOut,
        wrong: "A keeps x, although C has ended and A and B are connected",
    },
    Hazard {
        id: "REG-H3",
        chapter: "registry",
        given: "B and C are connected, C has registered x",
        scenario: || Scenario {
            lanes: vec![vec![Step::Connect(A, B)], vec![Step::Unregister(C, "x")]],
            is_wrong: |cluster| {
                let is_unregistered = !cluster.facts.registered.contains_key("x");
                is_unregistered && cluster.are_connected(A, C) && cluster.owner(A, "x").is_some()
            },
            ..relayed()
        },
        handshakes: Handshakes::LeftOut,
        wrong: "A keeps x, although C has unregistered it and all are connected",
    },
    Hazard {
        id: "REG-H4",
        chapter: "registry",
        given: "A, B and C are connected, C has registered x",
        scenario: || Scenario {
            nodes: 3,
            given: [mesh(), vec![Step::Spawn(C), registers(C), Step::Spawn(A)]].concat(),
            lanes: vec![vec![Step::Crash(C)], vec![registers(A)]],
            is_wrong: |cluster| cluster.facts.registered.get("x") == Some(&A) && cluster.owner(A, "x").is_none(),
            ..Scenario::default()
        },
        handshakes: Handshakes::LeftOut,
        wrong: "A does not know x, which it has registered for a process that lives",
    },
    Hazard {
        id: "REG-H5",
        chapter: "registry",
        given: "A, B and C are connected, B has the process 1",
        scenario: || Scenario {
            nodes: 3,
            given: [mesh(), vec![Step::Spawn(B)]].concat(),
            lanes: vec![vec![Step::Register(A, "x", Process(B, 1, 1))], vec![Step::Ends(Process(B, 1, 1))]],
            is_wrong: |cluster| cluster.owner(C, "x").is_some_and(|process| !cluster.is_alive(process)),
            ..Scenario::default()
        },
        handshakes: Handshakes::LeftOut,
        wrong: "C keeps x for a process that is dead, although all are connected",
    },
    Hazard {
        id: "MEM-H1",
        chapter: "membership",
        given: "dials from A to B hang, those from B to A arrive",
        scenario: || Scenario {
            lanes: vec![vec![Step::Connect(A, B)], vec![Step::Connect(B, A)]],
            ground: Ground { unreachable: Some((A, B)), ..Ground::default() },
            when: When::AtTheEnd,
            is_wrong: |cluster| !cluster.are_connected(A, B),
            ..Scenario::default()
        },
        handshakes: Handshakes::Shown,
        wrong: "A and B have no session, and get none until A's dial has timed out",
    },
    Hazard {
        id: "HS-H1",
        chapter: "handshake",
        given: "M does not know the cookie",
        scenario: || Scenario {
            lanes: vec![vec![Step::Connect(A, M)]],
            attacker: Some(Attacker::new(false, 3)),
            when: When::Always,
            is_wrong: |cluster| cluster.peers(B).contains(&M),
            ..Scenario::default()
        },
        handshakes: Handshakes::Shown,
        wrong: "B takes M for authenticated",
    },
    Hazard {
        id: "HS-H2",
        chapter: "handshake",
        given: "M does not know the cookie, and dials to B reach M",
        scenario: || Scenario {
            lanes: vec![vec![Step::Connect(A, B)]],
            attacker: Some(Attacker::new(true, 4)),
            when: When::Always,
            is_wrong: |cluster| cluster.are_connected(A, B),
            ..Scenario::default()
        },
        handshakes: Handshakes::Shown,
        wrong: "A and B take each other for authenticated, and M ends both TLS connections",
    },
    Hazard {
        id: "HS-H3",
        chapter: "handshake",
        given: "A and B are connected, B holds the PID of A's process 1",
        scenario: || Scenario {
            given: vec![Step::Connect(A, B), Step::Spawn(A)],
            lanes: vec![vec![
                Step::Crash(A),
                Step::Start(A, 1),
                Step::Spawn(A),
                Step::Connect(B, A),
                Step::Send(B, Process(A, 1, 1)),
            ]],
            is_wrong: |cluster| !cluster.facts.received.is_empty(),
            ..Scenario::default()
        },
        handshakes: Handshakes::LeftOut,
        wrong: "a process of the second run gets what was meant for one of the first",
    },
    Hazard {
        id: "PROC-H2",
        chapter: "process",
        given: "A and B are connected, A has the process 1 and does not answer LINKs to the dead (PROC-40)",
        scenario: || Scenario {
            given: vec![Step::Connect(A, B), Step::Spawn(A)],
            lanes: vec![vec![Step::SpawnLinked(A, 1, B)], vec![Step::Ends(Process(A, 1, 1))]],
            ground: Ground { silent: Some(A), ..Ground::default() },
            is_wrong: |cluster| cluster.is_alive(Process(B, 1, 1)) && !cluster.is_alive(Process(A, 1, 1)),
            ..Scenario::default()
        },
        handshakes: Handshakes::LeftOut,
        wrong: "B's 1 lives, although its parent has ended for another reason than normal",
    },
];

/// A, B and C, each connected to the others.
pub(crate) fn mesh() -> Vec<Step> {
    vec![Step::Connect(A, B), Step::Connect(B, C)]
}

/// The process 1 of a node, which lives, gets the name x.
fn registers(place: usize) -> Step {
    Step::Register(place, "x", Process(place, 1, 1))
}

fn relayed() -> Scenario {
    Scenario { nodes: 3, given: vec![Step::Connect(B, C), Step::Spawn(C), registers(C)], ..Scenario::default() }
}

/// Whether all nodes' tables are the same.
pub(crate) fn tables_are_equal(cluster: &Cluster) -> bool {
    cluster.places().all(|place| cluster.table(place) == cluster.table(A))
}
