//! Supervisors on a node: children here and on scripted peers, sessions that go and come, ends from outside.

use std::time::Duration;

use super::Bench;
use crate::{
    node::{
        Answer, ChildSpec, Command, CommandError, ConnId, Event, GlobalPid, Input, Output, Restart, Settings,
        SpawnRequest, Strategy,
    },
    wire::{
        LocalId, Message, NodeName, Reason, WirePid, handshake,
        message::Phase,
        process::{Exit, Link, SpawnReply},
        reason::Root,
    },
};

const PEER: &str = "p@h:1";

fn local(number: u64) -> LocalId {
    LocalId::new(number).unwrap()
}

fn own(number: u64) -> WirePid {
    WirePid::own(local(number))
}

fn pid(node: &str, creation: u8, number: u64) -> GlobalPid {
    GlobalPid { node: node.into(), creation, local: local(number) }
}

/// `function/node`, without a node one of the supervisor's own; its id is its place.
fn settings(strategy: Strategy, max_restarts: usize, children: &[&str]) -> Settings {
    let child = |(place, words): (usize, &&str)| {
        let (function, node) = words.split_once('/').unwrap_or((words, ""));
        ChildSpec {
            id: place.to_string(),
            function: function.into(),
            args: vec![2],
            restart: Restart::Permanent,
            node: (!node.is_empty()).then(|| NodeName::parse(node).unwrap()),
        }
    };
    let children = children.iter().enumerate().map(child).collect();
    Settings { strategy, max_restarts, period: Duration::from_secs(10), children }
}

fn supervisor(strategy: Strategy, max_restarts: usize, children: &[&str]) -> Command {
    Command::StartSupervisor(Box::new(settings(strategy, max_restarts, children)))
}

/// What a node has done: frames, ends of processes, answers. Sessions and notifications of EXITs are left out.
fn words(outputs: Vec<Output>) -> String {
    let word = |output| match output {
        // The last step of a handshake.
        Output::Send(_, payload) if payload[0] == handshake::ACK => None,
        Output::Send(_, payload) => match Message::decode(Phase::Session, &payload).unwrap().0 {
            Message::Spawn(spawn) => {
                assert_eq!((spawn.link, spawn.args), (1, &[2][..]));
                let function = std::str::from_utf8(spawn.function).unwrap();
                Some(format!("SPAWN {} {function} for {}", spawn.request, spawn.requester.local.get()))
            }
            Message::Exit(exit) => Some(format!(
                "EXIT {} to {}.{} {}",
                exit.from.local.get(),
                exit.to.creation,
                exit.to.local.get(),
                root(&exit.reason)
            )),
            _ => None,
        },
        Output::Event(Event::ProcessEnded { pid, reason }) => {
            Some(format!("{} ended {}", pid.local.get(), root(&reason.on_wire())))
        }
        Output::Reply(_, Ok(Answer::Pid(Some(pid)))) => Some(format!("= {}", pid.local.get())),
        Output::Reply(_, Ok(_)) => Some("=".into()),
        Output::Reply(_, Err(why)) => Some(format!("= {why:?}")),
        _ => None,
    };
    outputs.into_iter().filter_map(word).collect::<Vec<_>>().join(", ")
}

fn root(reason: &Reason) -> String {
    format!("{}{:?}", "linked ".repeat(reason.linked.len()), reason.root)
}

impl Bench {
    fn asks(&mut self, command: Command) -> String {
        words(self.command(command).1)
    }

    fn peer_says(&mut self, conn: ConnId, message: &Message<'_>) -> String {
        words(self.frame(conn, message.encode().unwrap()))
    }

    /// LINK from the peer's process `number` to the supervisor.
    fn peer_links(&mut self, conn: ConnId, number: u64, supervisor: u64) -> String {
        self.peer_says(conn, &Message::Link(Link { from: own(number), to: own(supervisor) }))
    }

    /// The peer has started `number` for the supervisor 1.
    fn spawned(&mut self, conn: ConnId, request: u64, number: u64) -> String {
        assert_eq!(self.peer_links(conn, number, 1), "");
        let reply = SpawnReply { request, status: SpawnReply::SPAWNED, local: number };
        self.peer_says(conn, &Message::SpawnReply(reply))
    }

    fn refuses(&mut self, conn: ConnId, request: u64) -> String {
        self.peer_says(conn, &Message::SpawnReply(SpawnReply { request, status: SpawnReply::REFUSED, local: 0 }))
    }

    /// The peer's process `number` tells the supervisor 1 its end.
    fn exits(&mut self, conn: ConnId, number: u64, root: Root) -> String {
        self.peer_says(conn, &Message::Exit(Exit { from: own(number), to: own(1), reason: root.into() }))
    }

    fn ends(&mut self, number: u64, root: Root) -> String {
        self.asks(Command::Exit { pid: pid("n@h", 9, number), reason: root.into() })
    }

    fn children(&mut self, number: u64) -> String {
        match self.command(Command::Children(pid("n@h", 9, number))).0 {
            Some(Ok(Answer::Children(children))) => {
                let word = |(id, pid): &(String, Option<GlobalPid>)| {
                    format!("{id}={}", pid.as_ref().map_or("-".into(), ToString::to_string))
                };
                children.iter().map(word).collect::<Vec<_>>().join(" ")
            }
            other => format!("{other:?}"),
        }
    }

    fn stops(&mut self, number: u64) -> String {
        self.asks(Command::StopSupervisor(pid("n@h", 9, number)))
    }
}

fn boom() -> Root {
    Root::Error("boom".into())
}

#[test]
fn children_on_another_node_are_spawned_with_a_link_and_started_again() {
    let mut bench = Bench::new("n@h");
    let (conn, _) = bench.session(PEER, 7);
    assert_eq!(bench.asks(supervisor(Strategy::OneForOne, 2, &["f/p@h:1", "g/p@h:1"])), "SPAWN 1 f for 1");
    assert_eq!(bench.spawned(conn, 1, 41), "SPAWN 2 g for 1");
    assert_eq!(bench.spawned(conn, 2, 42), "= 1");
    assert_eq!(bench.children(1), "0=<p@h:1.41.7> 1=<p@h:1.42.7>");
    assert_eq!(bench.exits(conn, 41, boom()), "SPAWN 3 f for 1");
    assert_eq!(bench.exits(conn, 41, boom()), "", "the link is gone");
    assert_eq!(bench.children(1), "0=- 1=<p@h:1.42.7>");
    assert_eq!(bench.refuses(conn, 3), "SPAWN 4 f for 1", "a refusal is another crash");
    assert_eq!(bench.spawned(conn, 4, 43), "");
    assert_eq!(bench.children(1), "0=<p@h:1.43.7> 1=<p@h:1.42.7>");
    assert_eq!(bench.exits(conn, 42, Root::Normal), "EXIT 1 to 7.43 Shutdown", "one restart too many");
    assert_eq!(bench.exits(conn, 43, Root::Shutdown), "1 ended Shutdown");
    assert!(bench.children(1).contains("NoProcess"));
    assert_eq!(bench.stops(1), "= NoProcess");
}

#[test]
fn a_start_that_fails_stops_what_has_been_started() {
    let mut bench = Bench::new("n@h");
    let (conn, _) = bench.session(PEER, 7);
    bench.asks(supervisor(Strategy::OneForOne, 2, &["f/p@h:1", "collector", "g/p@h:1"]));
    assert_eq!(bench.spawned(conn, 1, 41), "SPAWN 2 g for 1");
    assert_eq!(bench.refuses(conn, 2), "2 ended Shutdown, EXIT 1 to 7.41 Shutdown");
    assert_eq!(bench.exits(conn, 41, Root::Shutdown), "1 ended Shutdown, = Refused");
    let here = bench.asks(supervisor(Strategy::OneForOne, 2, &["collector", "nothing"]));
    assert_eq!(here, "4 ended Shutdown, 3 ended Shutdown, = Refused");
    let elsewhere = bench.asks(supervisor(Strategy::OneForAll, 2, &["f/q@h:1"]));
    assert_eq!(elsewhere, "5 ended Shutdown, = NotConnected(\"the child's node\")");
    let long = "f".repeat(70_000);
    assert_eq!(
        bench.asks(supervisor(Strategy::OneForAll, 2, &[&format!("{long}/p@h:1")])),
        "6 ended Shutdown, = TooLarge"
    );
    assert_eq!(bench.asks(supervisor(Strategy::OneForAll, 2, &["f/p@h:1"])), "SPAWN 3 f for 7");
    assert_eq!(words(bench.input(Input::Closed(conn))), "7 ended Shutdown, = NoConnection");
}

#[test]
fn children_here_are_restarted_too() {
    let mut bench = Bench::new("n@h");
    // The node's own name is no other node.
    assert_eq!(bench.asks(supervisor(Strategy::RestForOne, 1, &["collector", "collector/n@h", "collector"])), "= 1");
    assert_eq!(bench.children(1), "0=<n@h.2.9> 1=<n@h.3.9> 2=<n@h.4.9>");
    assert_eq!(bench.ends(3, Root::Normal), "=, 3 ended Normal, 4 ended Shutdown");
    assert_eq!(bench.children(1), "0=<n@h.2.9> 1=<n@h.5.9> 2=<n@h.6.9>");
    assert_eq!(bench.stops(1), "6 ended Shutdown, 5 ended Shutdown, 2 ended Shutdown, 1 ended Shutdown, =");
}

#[test]
fn a_child_that_never_stays_uses_up_the_restarts() {
    let mut bench = Bench::new("n@h");
    let ends_at_once = bench.asks(supervisor(Strategy::OneForOne, 3, &["collector", "exit"]));
    assert_eq!(
        ends_at_once,
        "= 1, 3 ended Killed, 4 ended Killed, 5 ended Killed, 6 ended Killed, 2 ended Shutdown, 1 ended Shutdown"
    );
}

#[test]
fn a_child_that_does_not_end_is_killed_after_five_seconds() {
    let mut bench = Bench::new("n@h");
    let (conn, _) = bench.session(PEER, 7);
    bench.asks(supervisor(Strategy::OneForOne, 2, &["collector", "f/p@h:1"]));
    bench.spawned(conn, 1, 41);
    let trap = Command::TrapExit { pid: pid("n@h", 9, 2), enabled: true };
    bench.asks(trap);
    assert_eq!(bench.stops(1), "EXIT 1 to 7.41 Shutdown");
    assert_eq!(words(bench.pass(Duration::from_millis(4_999))), "");
    assert_eq!(bench.stops(1), "");
    assert_eq!(words(bench.pass(Duration::from_millis(1))), "EXIT 1 to 7.41 Killed");
    assert_eq!(bench.exits(conn, 41, Root::Killed), "", "it is of no interest any more");
    assert_eq!(words(bench.pass(Duration::from_secs(5))), "1 ended Shutdown, =, =, 2 ended Killed");
}

#[test]
fn children_that_are_lost_with_a_session_come_back_with_their_node() {
    let mut bench = Bench::new("n@h");
    let (conn, _) = bench.session(PEER, 7);
    bench.asks(supervisor(Strategy::OneForOne, 2, &["f/p@h:1", "collector"]));
    bench.spawned(conn, 1, 41);
    assert_eq!(words(bench.input(Input::Closed(conn))), "");
    assert_eq!(bench.children(1), "0=- 1=<n@h.2.9>");
    assert_eq!(words(bench.session("q@h:1", 7).1), "");
    let (conn, outputs) = bench.session(PEER, 7);
    assert_eq!(words(outputs), "SPAWN 2 f for 1");
    assert_eq!(bench.spawned(conn, 2, 42), "");
    // Another run of the node takes the place of the one that is still connected.
    let (conn, outputs) = bench.session(PEER, 8);
    assert_eq!(words(outputs), "SPAWN 3 f for 1");
    assert_eq!(bench.spawned(conn, 3, 1), "");
    assert_eq!(bench.children(1), "0=<p@h:1.1.8> 1=<n@h.2.9>");
    assert_eq!(bench.exits(conn, 1, boom()), "2 ended Shutdown, 1 ended Shutdown");
}

#[test]
fn a_child_that_is_lost_while_its_start_is_pending_counts_once() {
    for with_link in [true, false] {
        let mut bench = Bench::new("n@h");
        let (conn, _) = bench.session(PEER, 7);
        bench.asks(supervisor(Strategy::OneForOne, 2, &["f/p@h:1"]));
        bench.spawned(conn, 1, 41);
        assert_eq!(bench.exits(conn, 41, boom()), "SPAWN 2 f for 1");
        if with_link {
            assert_eq!(bench.peer_links(conn, 42, 1), "");
        }
        assert_eq!(words(bench.input(Input::Closed(conn))), "");
        let (conn, outputs) = bench.session(PEER, 7);
        assert_eq!(words(outputs), "SPAWN 3 f for 1");
        assert_eq!(bench.spawned(conn, 3, 43), "");
        assert_eq!(bench.children(1), "0=<p@h:1.43.7>");
        assert_eq!(bench.exits(conn, 43, boom()), "1 ended Shutdown", "two were counted before");
    }
    // The link fires, the answer comes only then.
    let mut bench = Bench::new("n@h");
    let (conn, _) = bench.session(PEER, 7);
    bench.asks(supervisor(Strategy::OneForOne, 1, &["f/p@h:1"]));
    assert_eq!(bench.peer_links(conn, 41, 1), "");
    assert_eq!(bench.exits(conn, 41, boom()), "");
    let reply = SpawnReply { request: 1, status: SpawnReply::SPAWNED, local: 41 };
    assert_eq!(bench.peer_says(conn, &Message::SpawnReply(reply)), "= 1, SPAWN 2 f for 1");
}

#[test]
fn a_child_asked_for_that_is_lost_harms_nobody() {
    let mut bench = Bench::new("n@h");
    let (conn, _) = bench.session(PEER, 7);
    assert_eq!(bench.asks(supervisor(Strategy::SimpleOneForOne, 1, &["f/p@h:1"])), "= 1");
    let child = |args: Option<Vec<u8>>| Command::StartChild { supervisor: pid("n@h", 9, 1), args };
    assert_eq!(bench.asks(child(None)), "SPAWN 1 f for 1");
    assert_eq!(bench.asks(child(Some(vec![2]))), "SPAWN 2 f for 1");
    assert_eq!(bench.spawned(conn, 1, 41), "= 41");
    assert_eq!(bench.peer_links(conn, 42, 1), "");
    assert_eq!(words(bench.input(Input::Closed(conn))), "= NoConnection");
    assert_eq!(bench.asks(child(None)), "= NotConnected(\"the child's node\")");
    assert_eq!(bench.children(1), "0=-");
    let (conn, outputs) = bench.session(PEER, 7);
    assert_eq!(words(outputs), "SPAWN 3 f for 1");
    assert_eq!(bench.asks(child(None)), "SPAWN 4 f for 1");
    assert_eq!(bench.refuses(conn, 4), "= Refused");
    assert_eq!(bench.stops(1), "");
    assert_eq!(bench.spawned(conn, 3, 43), "EXIT 1 to 7.43 Shutdown");
    assert_eq!(bench.asks(child(None)), "= NoProcess");
    assert_eq!(bench.exits(conn, 43, Root::Shutdown), "1 ended Shutdown, =");
    bench.asks(supervisor(Strategy::OneForOne, 1, &[]));
    let given = Command::StartChild { supervisor: pid("n@h", 9, 2), args: None };
    assert!(matches!(bench.command(given).0, Some(Err(CommandError::Failed(_)))));
    assert_eq!(bench.ends(1, Root::Normal), "= NoProcess");
}

#[test]
fn a_supervisor_that_is_killed_takes_its_children_with_it() {
    let mut bench = Bench::new("n@h");
    let (conn, _) = bench.session(PEER, 7);
    bench.asks(supervisor(Strategy::OneForOne, 2, &["collector", "f/p@h:1", "g/p@h:1"]));
    assert_eq!(bench.spawned(conn, 1, 41), "SPAWN 2 g for 1");
    let killed = bench.ends(1, Root::Killed);
    assert_eq!(killed, "=, 1 ended Killed, EXIT 1 to 7.41 Killed, = NoProcess, 2 ended Killed");
    // What is born only now finds nobody.
    assert_eq!(bench.peer_links(conn, 42, 1), "EXIT 1 to 7.42 Error(\"noproc\")");
    let reply = SpawnReply { request: 2, status: SpawnReply::SPAWNED, local: 42 };
    assert_eq!(bench.peer_says(conn, &Message::SpawnReply(reply)), "");

    bench.asks(supervisor(Strategy::OneForOne, 2, &["collector"]));
    assert_eq!(bench.ends(3, boom()), "=, 3 ended Error(\"boom\"), 4 ended linked Error(\"boom\")");
}

#[test]
fn a_link_with_a_stranger_is_a_link_like_any_other() {
    let mut bench = Bench::new("n@h");
    let (conn, _) = bench.session(PEER, 7);
    bench.asks(supervisor(Strategy::OneForOne, 2, &["collector"]));
    assert_eq!(bench.peer_links(conn, 50, 1), "");
    assert_eq!(bench.exits(conn, 50, Root::Shutdown), "");
    assert_eq!(bench.children(1), "0=<n@h.2.9>");
    bench.peer_links(conn, 51, 1);
    assert_eq!(bench.exits(conn, 51, boom()), "1 ended linked Error(\"boom\"), 2 ended linked linked Error(\"boom\")");

    let spawn = SpawnRequest { function: "collector".into(), ..SpawnRequest::default() };
    let Some(Ok(Answer::Pid(Some(other)))) = bench.command(Command::Spawn(spawn)).0 else { panic!("no process") };
    bench.asks(supervisor(Strategy::OneForOne, 2, &["collector"]));
    bench.asks(Command::Link { pid: other, to: pid("n@h", 9, 4) });
    let end = bench.ends(3, boom());
    assert_eq!(
        end,
        "=, 3 ended Error(\"boom\"), 4 ended linked Error(\"boom\"), 5 ended linked linked Error(\"boom\")"
    );
}

#[test]
fn supervisors_are_processes_of_a_node_that_is_not_started_too() {
    let mut node = crate::node::Node::new();
    let now = std::time::Instant::now();
    let mut entropy = super::bench::Counter::default();
    let token = crate::node::Token(1);
    let start = Input::Command(token, supervisor(Strategy::OneForAll, 2, &["collector", "collector"]));
    assert_eq!(words(node.handle(start, now, &mut entropy)), "= 1");
    let end = Command::Exit { pid: pid("nonode@nohost", 0, 3), reason: boom().into() };
    let outputs = node.handle(Input::Command(token, end), now, &mut entropy);
    assert_eq!(words(outputs), "=, 3 ended Error(\"boom\"), 2 ended Shutdown");
    let Some(Output::Reply(_, Ok(Answer::Children(children)))) =
        node.handle(Input::Command(token, Command::Children(pid("nonode@nohost", 0, 1))), now, &mut entropy).pop()
    else {
        panic!("no children")
    };
    let numbers: Vec<_> = children.iter().map(|(_, pid)| pid.as_ref().unwrap().local.get()).collect();
    assert_eq!(numbers, [4, 5]);
}

#[test]
fn whoever_waits_for_a_supervisor_is_answered_when_the_node_stops() {
    let mut bench = Bench::new("n@h");
    bench.session(PEER, 7);
    bench.asks(supervisor(Strategy::OneForOne, 2, &["f/p@h:1"]));
    assert_eq!(bench.asks(Command::Stop), "= NoProcess, =");
}
