//! Monitors: what they are known by, who is told, once, and what nobody is told.

use super::{
    Bench,
    scene::{error, is_silent, own, pid, root, sends, sent, told, wire},
};
use crate::{
    node::{Command, CommandError},
    wire::{
        Message, Reason, WirePid,
        process::{Monitor, MonitorExit},
        reason::Root,
    },
};

fn monitor(from: u64, to: WirePid, reference: u64) -> Monitor {
    Monitor { from: own(from), to, reference }
}

fn down(monitored: u64, monitoring: WirePid, reference: u64, reason: Reason) -> Message<'static> {
    Message::MonitorExit(MonitorExit { monitored: own(monitored), monitoring, reference, reason })
}

#[test]
fn each_monitor_of_each_session_is_told_of_the_end_once() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    let (other, _) = bench.session("q@h", 5);
    let (local, process) = bench.collector();
    for (session, reference) in [(conn, 1), (conn, 2), (conn, u64::MAX), (other, 1), (other, 2)] {
        assert!(bench.says(session, &Message::Monitor(monitor(5, own(local), reference))).is_empty());
    }
    bench.says(conn, &Message::Demonitor(monitor(5, own(local), 2)));
    bench.says(conn, &Message::Demonitor(monitor(5, own(local), 3)));
    let outputs = bench.kill(&process, Root::Custom("why".into()));
    let why = root(Root::Custom("why".into()));
    let to = wire(1, 3, 5);
    sends(conn, &outputs, &[down(local, to, 1, why.clone()), down(local, to, u64::MAX, why.clone())]);
    let to = wire(2, 5, 5);
    sends(other, &outputs, &[down(local, to, 1, why.clone()), down(local, to, 2, why)]);
}

#[test]
fn what_is_not_there_is_down_at_once() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    let (watching, watcher) = bench.collector();
    for to in [own(99), wire(0, 8, watching), wire(3, 8, watching)] {
        let outputs = bench.says(conn, &Message::Monitor(monitor(5, to, 7)));
        sends(conn, &outputs, &[down(to.local.get(), wire(1, 3, 5), 7, error("noproc"))]);
    }
    for gone in [pid("p@h", 2, 7), pid("m@h", 9, 99), pid("m@h", 8, watching)] {
        let (reference, outputs) = bench.monitors(&watcher, &gone);
        assert_eq!(told(&outputs), [format!("{watching} down #{reference} {gone} error noproc")]);
        assert!(is_silent(&outputs));
    }
    let nowhere = Command::Monitor { pid: watcher, target: pid("x@h", 1, 1) };
    assert_eq!(bench.refused(nowhere), CommandError::NotConnected("x@h".into()));
}

#[test]
fn the_reference_on_its_session_is_what_a_monitor_is_known_by() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    let (other, _) = bench.session("q@h", 5);
    let (watching, watcher) = bench.collector();
    let target = pid("p@h", 3, 7);
    let (first, outputs) = bench.monitors(&watcher, &target);
    let of = |reference| Monitor { from: own(watching), to: wire(1, 3, 7), reference };
    sends(conn, &outputs, &[Message::Monitor(of(first))]);
    sends(other, &outputs, &[]);
    let (second, outputs) = bench.monitors(&watcher, &target);
    sends(conn, &outputs, &[Message::Monitor(of(second))]);
    assert_ne!(first, second);

    let end = |reference| down(7, wire(0, 9, watching), reference, error("boom"));
    assert!(bench.says(other, &end(first)).is_empty());
    assert!(bench.says(conn, &end(999)).is_empty());
    // Neither of the PIDs is needed to find it.
    let odd = MonitorExit { monitored: wire(5, 5, 5), monitoring: own(99), reference: first, reason: error("boom") };
    let line = |reference: u64, reason: &str| format!("{watching} down #{reference} <p@h.7.3> {reason}");
    assert_eq!(told(&bench.says(conn, &Message::MonitorExit(odd))), [line(first, "error boom")]);
    assert!(bench.says(conn, &end(first)).is_empty());

    let undo = |pid: &_, reference| Command::Demonitor { pid: Clone::clone(pid), reference };
    let (_, stranger) = bench.collector();
    for command in [undo(&stranger, Some(second)), undo(&watcher, Some(first)), undo(&watcher, None)] {
        assert!(is_silent(&bench.done(command)));
    }
    sends(conn, &bench.done(undo(&watcher, Some(second))), &[Message::Demonitor(of(second))]);
    assert!(bench.says(conn, &end(second)).is_empty());

    // One that cannot be read counts.
    let (third, _) = bench.monitors(&watcher, &target);
    let mut bytes = end(third).encode().unwrap();
    bytes[25] = 99;
    assert_eq!(told(&bench.frame(conn, bytes)), [line(third, "error unknown")]);
    // A watcher's end undoes its monitors.
    let (fourth, _) = bench.monitors(&watcher, &target);
    sends(conn, &bench.kill(&watcher, Root::Normal), &[Message::Demonitor(of(fourth))]);
    assert!(bench.says(conn, &end(fourth)).is_empty());
}

#[test]
fn a_reason_that_would_not_fit_is_told_as_unknown() {
    for (length, fits) in [(16_777_216 - 25 - 9, true), (16_777_216 - 25 - 9 + 1, false), (4_096, true)] {
        let mut bench = Bench::new("m@h");
        let (conn, _) = bench.session("p@h", 3);
        let (local, process) = bench.collector();
        bench.says(conn, &Message::Monitor(monitor(5, own(local), 1)));
        let text = "x".repeat(length);
        let outputs = bench.kill(&process, Root::Error(text.as_str().into()));
        let told = if fits { error(&text) } else { error("unknown") };
        assert!(sent(conn, &outputs).iter().all(|frame| frame.len() <= 16_777_216));
        sends(conn, &outputs, &[down(local, wire(1, 3, 5), 1, told)]);
    }
}
