//! Links: what an EXIT does, who is told of an end, and what undoes a link.

use super::{
    Bench,
    scene::{error, is_silent, own, pid, root, sends, sent, told, wire},
};
use crate::{
    node::{Command, CommandError, ConnId, GlobalPid, SpawnRequest},
    wire::{
        Message, Reason, WirePid,
        process::{Exit, Link, Monitor, MonitorExit, Spawn},
        reason::Root,
    },
};

fn link(from: WirePid, to: WirePid) -> Message<'static> {
    Message::Link(Link { from, to })
}

fn unlink(from: WirePid, to: WirePid) -> Message<'static> {
    Message::Unlink(Link { from, to })
}

fn exit(from: WirePid, to: WirePid, reason: Reason) -> Message<'static> {
    Message::Exit(Exit { from, to, reason })
}

/// The peer's process 5 is linked to a new process, as its parent or not.
fn linked(bench: &mut Bench, conn: ConnId, as_parent: bool, traps: bool) -> (u64, GlobalPid) {
    let request = Spawn { request: 1, requester: own(5), link: as_parent.into(), function: b"collector", args: b"" };
    let (local, process) = if as_parent {
        let outputs = bench.says(conn, &Message::Spawn(request));
        assert!(told(&outputs).is_empty());
        // Local ids count up, so the next one says which this was.
        let (next, next_pid) = bench.collector();
        bench.kill(&next_pid, Root::Normal);
        (next - 1, pid("m@h", 9, next - 1))
    } else {
        let (local, process) = bench.collector();
        bench.says(conn, &link(own(5), own(local)));
        (local, process)
    };
    bench.done(Command::TrapExit { pid: process.clone(), enabled: traps });
    (local, process)
}

#[test]
fn what_an_exit_does_depends_on_its_reason_on_trapping_and_on_who_sends_it() {
    // Reason, and what comes of it: (of a stranger, trapping), (of the parent, trapping).
    let message = |reason: &str| format!("exited <p@h.5.3> {reason}");
    let ended = |reason: &str| format!("ended {reason}");
    let via = |reason: &str| format!("ended linked <p@h.5.3> {reason}");
    let table = [
        (root(Root::Normal), [message("normal"), message("normal"), message("normal"), message("normal")]),
        (root(Root::Shutdown), [message("shutdown"), message("shutdown"), ended("shutdown"), message("shutdown")]),
        (root(Root::Killed), [via("killed"), message("killed"), ended("killed"), ended("killed")]),
        (error("boom"), [via("error boom"), message("error boom"), via("error boom"), message("error boom")]),
        (root(Root::Custom("c".into())), [via("custom c"), message("custom c"), via("custom c"), message("custom c")]),
        (
            root(Root::NoConnection),
            [via("noconnection"), message("noconnection"), via("noconnection"), message("noconnection")],
        ),
        (
            Reason { linked: vec![own(8)], root: Root::Shutdown },
            [
                via("linked <p@h.8.3> shutdown"),
                message("linked <p@h.8.3> shutdown"),
                via("linked <p@h.8.3> shutdown"),
                message("linked <p@h.8.3> shutdown"),
            ],
        ),
    ];
    for (reason, expected) in table {
        for (case, expected) in expected.into_iter().enumerate() {
            let (as_parent, traps) = (case >= 2, case % 2 == 1);
            let mut bench = Bench::new("m@h");
            let (conn, _) = bench.session("p@h", 3);
            let (local, process) = linked(&mut bench, conn, as_parent, traps);
            let outputs = bench.says(conn, &exit(own(5), wire(0, 9, local), reason.clone()));
            assert_eq!(told(&outputs), [format!("{local} {expected}")], "{reason:?} {case}");
            let has_ended = expected.starts_with("ended");
            assert_eq!(bench.is_alive(&process), !has_ended);
            // Only the parent is told of an end that it has caused.
            let answers = sent(conn, &outputs).len();
            assert_eq!(answers, usize::from(has_ended && as_parent), "{reason:?} {case}");
            // A stranger's EXIT has undone the link, the parent's has not.
            if !has_ended {
                let again = bench.says(conn, &exit(own(5), wire(0, 9, local), root(Root::Normal)));
                assert_eq!(told(&again).len(), usize::from(as_parent), "{reason:?} {case}");
            }
        }
    }
}

#[test]
fn a_child_that_its_parent_has_ended_tells_it_with_its_reason() {
    for (order, told_back) in [
        (root(Root::Shutdown), root(Root::Shutdown)),
        (root(Root::Killed), root(Root::Killed)),
        // Seen from here the parent is 5 on node 1; the parent sees it as unresolved.
        (error("boom"), Reason { linked: vec![wire(1, 3, 5)], root: Root::Error("boom".into()) }),
    ] {
        let mut bench = Bench::new("m@h");
        let (conn, _) = bench.session("p@h", 3);
        let (local, _) = linked(&mut bench, conn, true, false);
        let outputs = bench.says(conn, &exit(own(5), own(local), order));
        sends(conn, &outputs, &[exit(own(local), wire(1, 3, 5), told_back)]);
    }
}

#[test]
fn an_end_is_told_once_to_each_link_and_monitor_on_every_node() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    let (other, _) = bench.session("q@h", 5);
    let (local, process) = bench.collector();
    let (watcher, watcher_pid) = bench.trapper();
    for _ in 0..2 {
        bench.says(conn, &link(own(5), own(local)));
        bench.says(other, &link(own(6), own(local)));
    }
    bench.says(other, &Message::Monitor(Monitor { from: own(7), to: own(local), reference: 77 }));
    bench.links(&watcher_pid, &process);
    bench.monitors(&watcher_pid, &process);
    let outputs = bench.says(conn, &exit(own(5), own(local), error("boom")));
    let reason = "linked <p@h.5.3> error boom";
    assert_eq!(
        told(&outputs),
        [
            format!("{local} ended {reason}"),
            format!("{watcher} down #1 <m@h.{local}.9> {reason}"),
            format!("{watcher} exited <m@h.{local}.9> {reason}"),
        ]
    );
    let reason = Reason { linked: vec![wire(1, 3, 5)], root: Root::Error("boom".into()) };
    let (monitored, monitoring) = (own(local), wire(2, 5, 7));
    let down = MonitorExit { monitored, monitoring, reference: 77, reason: reason.clone() };
    // Nothing goes back to where the EXIT came from.
    sends(conn, &outputs, &[]);
    sends(other, &outputs, &[exit(own(local), wire(2, 5, 6), reason), Message::MonitorExit(down)]);
    assert!(!bench.is_alive(&process));
}

#[test]
fn what_is_not_there_answers_with_noproc() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    let (local, process) = bench.collector();
    for to in [own(99), wire(0, 9, 99), wire(7, 9, 99)] {
        let outputs = bench.says(conn, &link(own(5), to));
        sends(conn, &outputs, &[exit(own(99), wire(1, 3, 5), error("noproc"))]);
    }
    for former in [wire(0, 8, local), wire(7, 8, local)] {
        assert!(bench.says(conn, &link(own(5), former)).is_empty());
    }
    assert_eq!(sent(conn, &bench.kill(&process, Root::Killed)), Vec::<Vec<u8>>::new());
    // Of a former run: nothing is sent, and the link fires here.
    for gone in [pid("p@h", 2, 7), pid("m@h", 9, local), pid("m@h", 8, 1)] {
        let (trapping, trapper) = bench.trapper();
        let outputs = bench.links(&trapper, &gone);
        assert_eq!(told(&outputs), [format!("{trapping} exited {gone} error noproc")]);
        assert!(is_silent(&outputs) && bench.is_alive(&trapper));
        let (plain, victim) = bench.collector();
        let outputs = bench.links(&victim, &gone);
        assert_eq!(
            told(&outputs),
            [format!("{plain} ended linked <{}.{}.{}> error noproc", gone.node, gone.local.get(), gone.creation)]
        );
        assert!(is_silent(&outputs));
    }
    let (_, process) = bench.collector();
    let nowhere = Command::Link { pid: process, to: pid("x@h", 1, 1) };
    assert_eq!(bench.refused(nowhere), CommandError::NotConnected("x@h".into()));
}

#[test]
fn links_are_made_and_undone_from_both_ends() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    let (local, process) = bench.trapper();
    let theirs = pid("p@h", 3, 5);
    sends(conn, &bench.links(&process, &theirs), &[link(own(local), wire(1, 3, 5))]);
    assert!(is_silent(&bench.links(&process, &theirs)));
    let undo = Command::Unlink { pid: process.clone(), to: theirs.clone() };
    sends(conn, &bench.done(undo.clone()), &[unlink(own(local), wire(1, 3, 5))]);
    assert!(is_silent(&bench.done(undo)));
    assert!(told(&bench.says(conn, &exit(own(5), own(local), error("late")))).is_empty());

    bench.says(conn, &link(own(5), own(local)));
    bench.says(conn, &unlink(own(6), own(local)));
    assert_eq!(told(&bench.says(conn, &exit(own(5), own(local), error("boom")))).len(), 1);
    bench.says(conn, &link(own(5), own(local)));
    bench.says(conn, &unlink(own(5), own(local)));
    assert!(told(&bench.says(conn, &exit(own(5), own(local), error("late")))).is_empty());
    assert!(is_silent(&bench.kill(&process, Root::Killed)));
}

#[test]
fn own_fields_of_other_nodes_are_ignored_whole() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    let (local, process) = bench.trapper();
    let watch = |from, reference| Monitor { from, to: own(local), reference };
    bench.says(conn, &link(own(5), own(local)));
    bench.says(conn, &Message::Monitor(watch(own(5), 1)));
    let foreign = wire(1, 3, 5);
    for message in [
        exit(foreign, own(local), error("boom")),
        unlink(foreign, own(local)),
        link(foreign, own(local)),
        link(foreign, own(99)),
        Message::Monitor(watch(foreign, 2)),
        Message::Monitor(Monitor { to: own(99), ..watch(foreign, 2) }),
        Message::Demonitor(watch(foreign, 1)),
        Message::Spawn(Spawn { request: 1, requester: foreign, link: 1, function: b"collector", args: b"" }),
    ] {
        assert!(bench.says(conn, &message).is_empty(), "{message:?}");
    }
    assert_eq!(sent(conn, &bench.kill(&process, Root::Killed)).len(), 2);
    assert_eq!(bench.collector().0, local + 1);
}

#[test]
fn processes_of_one_node_keep_the_same_rules_in_silence() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    let spawn = |from: &GlobalPid, function: &str| {
        let (function, from) = (function.to_owned(), Some(from.clone()));
        Command::Spawn(SpawnRequest { function, from, link: true, ..SpawnRequest::default() })
    };
    for (reason, trapping, expected) in [
        (Root::Shutdown, false, "2 ended shutdown"),
        (Root::Shutdown, true, "2 exited <m@h.1.9> shutdown"),
        (Root::Killed, true, "2 ended killed"),
        (Root::Normal, false, "2 exited <m@h.1.9> normal"),
        (Root::Error("e".into()), false, "2 ended linked <m@h.1.9> error e"),
    ] {
        let mut bench = Bench::new("m@h");
        let (_, parent) = bench.collector();
        bench.command(spawn(&parent, "collector"));
        let child = pid("m@h", 9, 2);
        bench.done(Command::TrapExit { pid: child, enabled: trapping });
        let outputs = bench.kill(&parent, reason.clone());
        assert_eq!(told(&outputs)[1..], [expected], "{reason:?}");
    }
    let (_, one) = bench.trapper();
    let (_, other) = bench.collector();
    assert!(is_silent(&bench.links(&one, &other)) && is_silent(&bench.links(&one, &one)));
    let (reference, outputs) = bench.monitors(&other, &one);
    assert!(is_silent(&outputs));
    assert!(is_silent(&bench.done(Command::Demonitor { pid: one.clone(), reference: Some(reference) })));
    let outputs = bench.kill(&other, Root::Killed);
    assert_eq!(told(&outputs), ["2 ended killed", "1 exited <m@h.2.9> killed"]);
    sends(conn, &outputs, &[]);
    let (_, third) = bench.collector();
    bench.links(&one, &third);
    bench.done(Command::Unlink { pid: third.clone(), to: one.clone() });
    assert_eq!(told(&bench.kill(&third, Root::Killed)), ["3 ended killed"]);
    let (answer, outputs) = bench.command(spawn(&one, "exit"));
    assert!(matches!(answer, Some(Ok(_))) && is_silent(&outputs));
    assert_eq!(told(&outputs).len(), 2);
}
