//! What the loss of a session and the end of a process drag along, however much that is.

use super::{
    Bench,
    bench::events,
    scene::{error, own, pid, sends, sent, told, wire},
};
use crate::{
    node::{Command, Event, GlobalPid, Input, Output},
    wire::{
        Message, NodeName,
        process::{Exit, Link, Monitor, MonitorExit, Send},
        reason::Root,
    },
};

#[test]
fn a_disconnect_fires_links_and_monitors_across_it_once_and_forgets_those_of_the_peer() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    let (other, _) = bench.session("q@h", 5);
    let (trapping, trapper) = bench.trapper();
    let (_, victim) = bench.collector();
    let (_, bystander) = bench.collector();
    bench.says(conn, &Message::Link(Link { from: own(5), to: own(1) }));
    bench.says(conn, &Message::Link(Link { from: own(6), to: own(1) }));
    bench.links(&victim, &pid("p@h", 3, 7));
    bench.says(other, &Message::Monitor(Monitor { from: own(8), to: own(2), reference: 1 }));
    bench.says(conn, &Message::Monitor(Monitor { from: own(8), to: own(2), reference: 2 }));
    bench.says(conn, &Message::Monitor(Monitor { from: own(8), to: own(3), reference: 3 }));
    bench.links(&bystander, &pid("q@h", 5, 7));
    bench.monitors(&trapper, &pid("p@h", 3, 7));
    bench.monitors(&trapper, &pid("q@h", 5, 7));
    bench.done(Command::Register { name: "victim".into(), pid: victim.clone() });
    bench.done(Command::WatchNode { pid: trapper.clone(), node: NodeName::parse("p@h").unwrap() });

    let outputs = bench.input(Input::Closed(conn));
    let mut lines = told(&outputs);
    lines.sort();
    assert_eq!(
        lines,
        [
            "1 down #1 <p@h.7.3> noconnection",
            "1 exited <p@h.5.3> noconnection",
            "1 exited <p@h.6.3> noconnection",
            "1 nodedown p@h",
            "2 ended linked <p@h.7.3> noconnection",
        ]
    );
    assert_eq!(events(&outputs), ["-p@h/3"]);
    assert!(matches!(outputs.last(), Some(Output::Event(Event::SessionClosed(..)))));
    let reason = crate::wire::Reason { linked: vec![wire(1, 3, 7)], root: Root::NoConnection };
    let down = MonitorExit { monitored: own(2), monitoring: wire(2, 5, 8), reference: 1, reason };
    sends(other, &outputs, &[Message::MonitorExit(down), Message::GlobalUnregister("victim")]);
    assert!(sent(conn, &outputs).is_empty());
    assert!(bench.is_alive(&trapper) && bench.is_alive(&bystander));

    // Nothing of it is left for a later session.
    let (again, _) = bench.session("p@h", 3);
    assert!(told(&bench.says(again, &exit(5, trapping))).is_empty());
    assert!(sent(again, &bench.kill(&bystander, Root::Killed)).is_empty());
    assert!(sent(again, &bench.kill(&trapper, Root::Killed)).is_empty());
}

fn exit(from: u64, to: u64) -> Message<'static> {
    Message::Exit(Exit { from: own(from), to: own(to), reason: error("boom") })
}

#[test]
fn a_restarted_peer_finds_the_effects_of_its_former_runs_end() {
    let mut bench = Bench::new("m@h");
    let (former, _) = bench.session("p@h", 3);
    let (_, victim) = bench.collector();
    let (watching, watcher) = bench.collector();
    bench.done(Command::WatchNode { pid: watcher, node: NodeName::parse("p@h").unwrap() });
    bench.says(former, &Message::Link(Link { from: own(5), to: own(1) }));
    bench.done(Command::Register { name: "victim".into(), pid: victim });
    let (conn, outputs) = bench.session("p@h", 4);
    assert_eq!(events(&outputs), ["-p@h/3", "+p@h/4"]);
    assert_eq!(
        told(&outputs),
        [
            "1 ended linked <p@h.5.3> noconnection".to_owned(),
            format!("{watching} nodedown p@h"),
            format!("{watching} nodeup p@h"),
        ]
    );
    assert_eq!(sent(conn, &outputs).len(), 1, "ACK alone: the table is empty, and nothing is told of the clean-up");
}

#[test]
fn watches_of_nodes_tell_changes_of_that_node_and_last_until_the_process_ends() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    let (_, watcher) = bench.collector();
    for node in ["p@h", "p@h", "q@h"] {
        let watch = Command::WatchNode { pid: watcher.clone(), node: NodeName::parse(node).unwrap() };
        assert!(told(&bench.done(watch)).is_empty(), "only changes are told");
    }
    assert_eq!(told(&bench.input(Input::Closed(conn))), ["1 nodedown p@h"]);
    for creation in [3, 4] {
        let (lost, _) = bench.named("p@h", creation);
        assert!(told(&bench.input(Input::Closed(lost))).is_empty(), "it never authenticated");
        let (conn, outputs) = bench.session("p@h", creation);
        assert_eq!(told(&outputs), ["1 nodeup p@h"]);
        let (other, outputs) = bench.session("r@h", creation);
        assert!(told(&outputs).is_empty() && told(&bench.input(Input::Closed(other))).is_empty());
        assert_eq!(told(&bench.input(Input::Closed(conn))), ["1 nodedown p@h"]);
        assert!(told(&bench.input(Input::Closed(conn))).is_empty(), "once");
    }
    assert_eq!(told(&bench.session("q@h", 5).1), ["1 nodeup q@h"]);
    bench.kill(&watcher, Root::Normal);
    let (conn, outputs) = bench.session("p@h", 3);
    assert!(told(&outputs).is_empty() && told(&bench.input(Input::Closed(conn))).is_empty());
}

/// Links each process to the one before it.
fn chain(bench: &mut Bench, length: usize) -> Vec<GlobalPid> {
    let processes: Vec<_> = (0..length).map(|_| bench.collector().1).collect();
    for pair in processes.windows(2) {
        bench.links(&pair[0], &pair[1]);
    }
    processes
}

#[test]
fn a_chain_of_links_may_be_as_long_as_it_likes() {
    let mut bench = Bench::new("m@h");
    let processes = chain(&mut bench, 100_000);
    let (conn, _) = bench.session("p@h", 3);
    bench.says(conn, &Message::Monitor(Monitor { from: own(5), to: own(100_000), reference: 1 }));
    let outputs = bench.kill(&processes[0], Root::Killed);
    let ended = outputs.iter().filter(|output| matches!(output, Output::Event(Event::ProcessEnded { .. })));
    assert_eq!(ended.count(), 100_000);
    let frame = &sent(conn, &outputs)[0];
    match Message::decode(crate::wire::message::Phase::Session, frame).unwrap().0 {
        Message::MonitorExit(exit) => {
            assert_eq!((exit.reason.linked.len(), exit.reason.linked[0]), (63, own(99_999)));
            assert_eq!(exit.reason.root, Root::Error("nested too deep".into()));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn many_links_and_monitors_of_one_process_cost_what_they_are() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    let (_, hub) = bench.collector();
    let (_, bystander) = bench.collector();
    for number in 0..100_000 {
        bench.says(conn, &Message::Link(Link { from: own(number), to: own(1) }));
        bench.says(conn, &Message::Monitor(Monitor { from: own(number), to: own(1), reference: number }));
        bench.says(conn, &Message::Link(Link { from: own(number), to: own(2) }));
    }
    // A long text is shared by all who are told, and made into frames one at a time.
    let outputs = bench.kill(&hub, Root::Error("x".repeat(1 << 20).as_str().into()));
    let late = outputs.iter().filter(|output| matches!(output, Output::SendLate(..)));
    assert_eq!(late.count(), 200_000);
    drop(outputs);
    let outputs = bench.input(Input::Closed(conn));
    assert_eq!(told(&outputs).len(), 1);
    assert!(!bench.is_alive(&bystander));
}

/// Messages, exits and what comes of them, in the order of the frames of a session.
#[test]
fn all_messages_of_a_session_take_effect_in_order() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    let (local, _) = bench.trapper();
    let send = |message| Message::Send(Send { target: own(local), message });
    let mut lines = Vec::new();
    for message in
        [send(b"1"), Message::Link(Link { from: own(5), to: own(local) }), send(b"2"), exit(5, local), send(b"3")]
    {
        lines.extend(told(&bench.says(conn, &message)));
    }
    assert_eq!(lines, ["1 got 1", "1 got 2", "1 exited <p@h.5.3> error boom", "1 got 3"]);
}
