//! Schedules repeat, worlds without faults are content, and worlds with faults are not.

use super::{
    course::{self, Tracing},
    schedule::Schedule,
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
