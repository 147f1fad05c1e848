//! Schedules repeat, worlds without faults are content, and worlds with faults are not.

use super::{
    course::{self, Tracing},
    schedule::{Operation, Schedule},
    search::least,
};

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..20 {
        let run = || course::run(&Schedule::new(seed, None), &[], Tracing::On).unwrap();
        let first = run();
        assert!(first.trace.len() > 20, "seed {seed}: {} lines say nothing", first.trace.len());
        assert_eq!(first, run(), "seed {seed}");
    }
}

#[test]
fn nodes_without_faults_are_right() {
    for seed in 0..200 {
        let verdict = course::run(&Schedule::new(seed, None), &[], Tracing::Off).unwrap();
        assert_eq!(verdict.complaint, None, "seed {seed}");
    }
}

/// What a fault looks like in the simulation.
struct Red {
    fault: &'static str,
    seed: u64,
    /// Part of the complaint.
    complaint: &'static str,
    /// Most steps of the shortest schedule.
    steps: usize,
    /// A part of its trace that has to do with it.
    line: &'static str,
}

const RED: &[Red] = &[
    Red {
        fault: "register-is-not-told-to-the-last-session",
        seed: 5,
        complaint: "table is wrong (RES-9): missing",
        steps: 6,
        line: "registers x",
    },
    Red {
        fault: "no-sync-for-dialled-peers",
        seed: 41,
        complaint: "table is wrong (RES-9): missing",
        steps: 4,
        line: "registers x",
    },
    Red {
        fault: "names-that-a-lost-node-has-told-go-with-it",
        seed: 35,
        complaint: "table is wrong (RES-9): missing",
        steps: 8,
        line: "has ended",
    },
    Red {
        fault: "unregister-is-not-told-to-the-last-session",
        seed: 41,
        complaint: "table is wrong (RES-9): missing [], wrong",
        steps: 8,
        line: "unregisters x",
    },
    Red {
        fault: "superseded-dial-is-told-as-a-session",
        seed: 2,
        complaint: "ends that had not begun (MEM-39, MEM-42)",
        steps: 4,
        line: "has ended",
    },
    Red {
        fault: "replaced-session-is-not-told",
        seed: 2,
        complaint: "begins before the first has ended (MEM-39)",
        steps: 5,
        line: "creation 2, begins",
    },
    Red {
        fault: "missing-pong-is-ignored-in-dialled-sessions",
        seed: 10,
        complaint: "not every two nodes have a session",
        steps: 8,
        line: "has ended",
    },
    Red {
        fault: "timed-out-dial-is-not-told",
        seed: 1,
        complaint: "a command has not been answered",
        steps: 4,
        line: "dials",
    },
    Red {
        fault: "monitors-across-a-loss-are-silent",
        seed: 8,
        complaint: "is lost (PROC-29, PROC-62)",
        steps: 8,
        line: "monitors",
    },
    Red {
        fault: "downs-are-told-twice",
        seed: 3,
        complaint: "fires twice (PROC-35)",
        steps: 8,
        line: "is told by monitor 1",
    },
    Red {
        fault: "initiator-answers-its-own-challenge",
        seed: 1,
        complaint: "answers a challenge of its own, reflected (HS-27)",
        steps: 1,
        line: "CHALLENGE 0M",
    },
    Red {
        fault: "received-broadcast-misses-the-newest-member",
        seed: 11,
        complaint: "is lost (ROOM-2, ROOM-4)",
        steps: 8,
        line: "ROOM_BROADCAST",
    },
];

#[test]
fn planted_faults_are_found_and_shortened() {
    for Red { fault, seed, complaint, steps, line } in RED {
        let (schedule, faults) = (Schedule::new(*seed, None), [(*fault).to_owned()]);
        let verdict = course::run(&schedule, &faults, Tracing::Off).unwrap();
        let found = verdict.complaint.unwrap_or_default();
        assert!(found.contains(complaint), "{fault}: {found:?}");
        let least = least(&schedule, &faults);
        let verdict = course::run(&least, &faults, Tracing::On).unwrap();
        let trace = verdict.trace.join("\n");
        assert!(least.steps.len() <= *steps, "{fault}: {} steps\n{trace}", least.steps.len());
        assert!(trace.contains(line), "{fault}:\n{trace}");
        let again = course::run(&least, &[], Tracing::Off).unwrap();
        assert_eq!(again.complaint, None, "{fault} is not what is wrong");
    }
}

/// What the generator writes is what it is meant to: both kinds, and every operation.
#[test]
fn schedules_have_everything() {
    let steps: Vec<_> = (0..400).flat_map(|seed| Schedule::new(seed, None).steps).collect();
    let kinds: std::collections::BTreeSet<String> = steps
        .iter()
        .map(|step| format!("{:?}", step.operation).split_once(' ').map_or("Heal".into(), |(word, _)| word.to_owned()))
        .collect();
    assert_eq!(kinds.len(), 21, "{kinds:?}");
    assert!(steps.iter().any(|step| step.operation == Operation::Heal));
}
