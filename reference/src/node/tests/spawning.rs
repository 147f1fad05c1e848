//! Spawning here for others, and elsewhere for our own.

use super::{
    Bench,
    bench::events,
    scene::{error, own, pid, sends, told, wire},
};
use crate::{
    node::{Answer, Command, CommandError, GlobalPid, Input, Output, SpawnRequest, Token},
    wire::{
        Message,
        process::{Exit, Link, Spawn, SpawnReply},
        reason::Root,
    },
};

fn spawn(request: u64, link: u8, function: &'static [u8], args: &'static [u8]) -> Message<'static> {
    Message::Spawn(Spawn { request, requester: own(5), link, function, args })
}

fn reply(request: u64, status: u8, local: u64) -> Message<'static> {
    Message::SpawnReply(SpawnReply { request, status, local })
}

#[test]
fn a_linked_process_is_told_of_in_order() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    let to = wire(1, 3, 5);
    let link = |local| Message::Link(Link { from: own(local), to });
    let outputs = bench.says(conn, &spawn(7, 1, b"collector", b""));
    sends(conn, &outputs, &[link(1), reply(7, 0, 1)]);
    let outputs = bench.says(conn, &spawn(7, 1, b"exit", &[1, 1, 0, 0, 0, 0, 0, 0, 0, b'x']));
    let exit = Message::Exit(Exit { from: own(2), to, reason: error("x") });
    sends(conn, &outputs, &[link(2), reply(7, 0, 2), exit]);
    assert_eq!(told(&outputs), ["2 ended error x"]);
    // Without a link nothing joins the two.
    let outputs = bench.says(conn, &spawn(8, 0, b"exit", &[2]));
    sends(conn, &outputs, &[reply(8, 0, 3)]);
    assert_eq!(told(&outputs), ["3 ended killed"]);
    // Arguments that make no sense are the process's to end with.
    let outputs = bench.says(conn, &spawn(9, 0, b"relay", b"short"));
    sends(conn, &outputs, &[reply(9, 0, 4)]);
    assert_eq!(told(&outputs), ["4 ended error relay takes a PID of 8 bytes"]);
    assert!(bench.is_alive(&pid("m@h", 9, 1)));
}

#[test]
fn what_is_not_offered_is_refused() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    for function in [&b""[..], b"nothing", b"collector\0", b"Collector", b"\xff\xfe"] {
        let outputs = bench.says(conn, &spawn(7, 1, function, b""));
        sends(conn, &outputs, &[reply(7, 1, 0)]);
        assert!(told(&outputs).is_empty());
    }
    assert_eq!(bench.collector().0, 1);
    let unknown = SpawnRequest { function: "nothing".into(), ..SpawnRequest::default() };
    assert_eq!(bench.refused(Command::Spawn(unknown)), CommandError::Refused);
}

/// A request of `from` for a process on p@h.
fn there(from: &GlobalPid, link: bool) -> Command {
    let (function, args) = ("collector".to_owned(), b"args".to_vec());
    Command::Spawn(SpawnRequest { function, args, node: Some("p@h".into()), from: Some(from.clone()), link })
}

fn replies(outputs: &[Output]) -> Vec<(u64, Result<Answer, CommandError>)> {
    let reply = |output: &Output| match output {
        Output::Reply(Token(token), result) => Some((*token, result.clone())),
        _ => None,
    };
    outputs.iter().filter_map(reply).collect()
}

#[test]
fn a_reply_answers_the_request_of_its_session_once() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    let (other, _) = bench.session("q@h", 5);
    let (local, process) = bench.collector();
    for (request, link) in [(1, false), (2, true)] {
        let outputs = bench.input(Input::Command(Token(99 + request), there(&process, link)));
        assert!(replies(&outputs).is_empty());
        let (requester, link) = (own(local), link.into());
        let spawn = Spawn { request, requester, link, function: b"collector", args: b"args" };
        sends(conn, &outputs, &[Message::Spawn(spawn)]);
        sends(other, &outputs, &[]);
    }
    assert!(bench.says(other, &reply(1, 0, 7)).is_empty());
    assert!(bench.says(conn, &reply(3, 0, 7)).is_empty());
    let spawned = |local| Ok(Answer::Pid(Some(pid("p@h", 3, local))));
    assert_eq!(replies(&bench.says(conn, &reply(2, 0, 8))), [(101, spawned(8))]);
    assert_eq!(replies(&bench.says(conn, &reply(1, 0, (1 << 40) - 1))), [(100, spawned((1 << 40) - 1))]);
    assert!(bench.says(conn, &reply(1, 0, 7)).is_empty());
    for (request, status, local) in [(3, 1, 0), (4, 1, 7), (5, 2, 7), (6, 0, 1 << 40)] {
        bench.input(Input::Command(Token(200), there(&process, false)));
        assert_eq!(replies(&bench.says(conn, &reply(request, status, local))), [(200, Err(CommandError::Refused))]);
    }
}

#[test]
fn a_session_that_ends_first_fails_the_request_and_fires_the_link_that_has_come() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    let (local, process) = bench.trapper();
    bench.input(Input::Command(Token(100), there(&process, true)));
    bench.says(conn, &Message::Link(Link { from: own(7), to: wire(9, 9, local) }));
    let outputs = bench.input(Input::Closed(conn));
    assert_eq!(replies(&outputs), [(100, Err(CommandError::NoConnection))]);
    assert_eq!(told(&outputs), [format!("{local} exited <p@h.7.3> noconnection")]);
    assert_eq!(events(&outputs), ["-p@h/3"]);
    // Not on the next session either.
    let (again, outputs) = bench.session("p@h", 3);
    assert!(replies(&outputs).is_empty());
    assert!(bench.says(again, &reply(1, 0, 7)).is_empty());
    bench.input(Input::Command(Token(101), there(&process, true)));
    let outputs = bench.input(Input::Command(Token(102), Command::Stop));
    assert_eq!(replies(&outputs), [(101, Err(CommandError::NoConnection)), (102, Ok(Answer::Done))]);
}

#[test]
fn a_request_that_cannot_be_made_is_refused_at_once() {
    let mut bench = Bench::new("m@h");
    let (_, process) = bench.collector();
    assert_eq!(bench.refused(there(&process, false)), CommandError::NotConnected("p@h".into()));
    let (conn, _) = bench.session("p@h", 3);
    let nobody = SpawnRequest { function: "collector".into(), ..SpawnRequest::default() };
    let elsewhere = SpawnRequest { node: Some("p@h".into()), ..nobody.clone() };
    assert_eq!(bench.refused(Command::Spawn(elsewhere)), CommandError::Missing("from"));
    assert_eq!(
        bench.refused(Command::Spawn(SpawnRequest { link: true, ..nobody.clone() })),
        CommandError::Missing("from")
    );
    let (function, args) = ("collector".to_owned(), vec![0; 16_777_216]);
    let from = Some(process.clone());
    let large = SpawnRequest { function, args, node: Some("p@h".into()), from, link: false };
    assert_eq!(bench.refused(Command::Spawn(large.clone())), CommandError::TooLarge);
    let long = SpawnRequest { function: "x".repeat(65_536), args: vec![], ..large };
    assert_eq!(bench.refused(Command::Spawn(long)), CommandError::TooLarge);
    // What was refused is not waited for.
    assert!(replies(&bench.input(Input::Closed(conn))).is_empty());
    let here = SpawnRequest { node: Some("m@h".into()), ..nobody };
    assert_eq!(bench.command(Command::Spawn(here)).0, Some(Ok(Answer::Pid(Some(pid("m@h", 9, 2))))));
    bench.kill(&process, Root::Normal);
    assert_eq!(bench.refused(there(&process, true)), CommandError::NoProcess);
}

#[test]
fn a_requester_that_has_ended_before_the_link_comes_ends_its_child() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    let (local, process) = bench.collector();
    bench.input(Input::Command(Token(100), there(&process, true)));
    bench.kill(&process, Root::Normal);
    let outputs = bench.says(conn, &Message::Link(Link { from: own(7), to: wire(0, 9, local) }));
    let reason = error("noproc");
    sends(conn, &outputs, &[Message::Exit(Exit { from: own(local), to: wire(1, 3, 7), reason })]);
    assert_eq!(replies(&bench.says(conn, &reply(1, 0, 7))).len(), 1);
}
