//! Global names: whose PID it is, what is told, what is cleaned up.

use super::{
    Bench,
    bench::{closes, collector},
    frames_to, identity,
};
use crate::{
    node::{Answer, Command, CommandError, ConnId, Entropy, GlobalPid, Input, Node, Output, Token},
    wire::{
        LocalId, Message, WirePid,
        message::Phase,
        reason::Root,
        registry::{GlobalEntry, GlobalSync},
    },
};

fn entry(name: &str, pid: u64, owner: &str) -> Vec<u8> {
    GlobalEntry { name, pid: WirePid::from_u64(pid), owner }.encode_register().unwrap()
}

fn pid(node: u64, creation: u64, local: u64) -> u64 {
    node << 48 | creation << 40 | local
}

fn spawn(bench: &mut Bench) -> GlobalPid {
    match bench.command(collector()).0 {
        Some(Ok(Answer::Pid(Some(pid)))) => pid,
        other => panic!("{other:?}"),
    }
}

fn whereis(bench: &mut Bench, name: &str) -> Option<(String, u8, u64)> {
    match bench.command(Command::Whereis(name.into())).0 {
        Some(Ok(Answer::Pid(pid))) => pid.map(|pid| (pid.node, pid.creation, pid.local.get())),
        other => panic!("{other:?}"),
    }
}

fn register(bench: &mut Bench, name: &str, pid: &GlobalPid, conn: ConnId) -> (bool, Vec<Vec<u8>>) {
    let (answer, outputs) = bench.command(Command::Register { name: name.into(), pid: pid.clone() });
    (answer == Some(Ok(Answer::Done)), frames_to(conn, outputs))
}

#[test]
fn local_requests_tell_every_session() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    let process = spawn(&mut bench);
    assert_eq!(register(&mut bench, "x", &process, conn), (true, vec![entry("x", 1, "m@h")]));
    assert_eq!(register(&mut bench, "x", &process, conn), (false, vec![]));
    assert_eq!(whereis(&mut bench, "x"), Some(("m@h".into(), 9, 1)));
    let remote = GlobalPid { node: "p@h".into(), creation: 3, local: LocalId::new(7).unwrap() };
    assert_eq!(register(&mut bench, "y", &remote, conn), (true, vec![entry("y", pid(1, 3, 7), "p@h")]));
    for creation in [2, 0] {
        let former = GlobalPid { creation, ..remote.clone() };
        assert_eq!(register(&mut bench, "z", &former, conn), (false, vec![]));
    }
    for name in [String::new(), "x".repeat(65_536)] {
        let command = Command::Register { name, pid: process.clone() };
        assert!(matches!(bench.command(command).0, Some(Err(CommandError::InvalidName(_)))));
    }
    assert!(register(&mut bench, &"x".repeat(65_535), &process, conn).0);
    let (_, outputs) = bench.command(Command::Unregister("y".into()));
    assert_eq!(frames_to(conn, outputs), [vec![0x1c, 1, 0, b'y']]);
    assert_eq!(bench.command(Command::Unregister("y".into())).0, Some(Err(CommandError::UnknownName)));
    let (_, outputs) = bench.command(Command::Exit { pid: process.clone(), reason: Root::Normal.into() });
    assert_eq!(frames_to(conn, outputs).len(), 2);
    assert_eq!(register(&mut bench, "x", &process, conn), (false, vec![]));
}

#[test]
fn whose_pid_it_is() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    let (other, _) = bench.session("q@h", 5);
    let alive = spawn(&mut bench);
    let silent = [
        // Own fields of the sender: the creation written is not looked at.
        ("own", pid(0, 0, 7), "p@h", Some(("p@h", 3, 7))),
        ("own2", pid(0, 77, 7), "p@h", Some(("p@h", 3, 7))),
        ("own3", pid(1, 3, 7), "p@h", None),
        // Ours, alive.
        ("ours", pid(0, 0, alive.local.get()), "m@h", Some(("m@h", 9, 1))),
        ("ours2", pid(99, 9, alive.local.get()), "m@h", Some(("m@h", 9, 1))),
        // Third nodes.
        ("third", pid(99, 4, 7), "t@h", Some(("t@h", 4, 7))),
        ("third2", pid(99, 0, 7), "t@h", None),
        ("third3", pid(0, 5, 7), "q@h", Some(("q@h", 5, 7))),
        ("third4", pid(0, 6, 7), "q@h", None),
        ("third5", pid(0, 6, 7), "nonsense", None),
        ("", pid(0, 0, 7), "p@h", None),
        // Taken.
        ("own", pid(0, 0, 999), "m@h", Some(("p@h", 3, 7))),
    ];
    for (name, pid, owner, expected) in silent {
        assert!(bench.frame(conn, entry(name, pid, owner)).is_empty(), "{name}");
        let expected = expected.map(|(node, creation, local)| (node.to_owned(), creation, local));
        assert_eq!(whereis(&mut bench, name), expected, "{name}");
    }
    for dead in [pid(0, 0, 999), pid(0, 8, 1), pid(5, 0, 1)] {
        let outputs = bench.frame(conn, entry("dead", dead, "m@h"));
        let told = outputs.len();
        let frames = frames_to(other, outputs);
        assert_eq!((told, frames), (2, vec![vec![0x1c, 4, 0, b'd', b'e', b'a', b'd']]));
        assert_eq!(whereis(&mut bench, "dead"), None);
    }
}

#[test]
fn clean_up_is_by_owner_and_former_creations_are_dropped_at_session_start() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    let (other, _) = bench.session("q@h", 5);
    bench.frame(conn, entry("p1", 7, "p@h"));
    bench.frame(conn, entry("q1", pid(4, 5, 7), "q@h"));
    bench.frame(conn, entry("t1", pid(5, 1, 7), "t@h"));
    bench.frame(conn, entry("t2", pid(5, 2, 7), "t@h"));
    let outputs = bench.input(Input::Closed(conn));
    assert_eq!(frames_to(other, outputs), [vec![0x1c, 2, 0, b'p', b'1']]);
    assert!(whereis(&mut bench, "q1").is_some());
    let (third, outputs) = bench.session("t@h", 2);
    let frames = frames_to(third, outputs);
    assert_eq!(whereis(&mut bench, "t1"), None);
    let expected = [("q1", pid(2, 5, 7), "q@h"), ("t2", pid(3, 2, 7), "t@h")];
    let entries = expected.map(|(name, pid, owner)| GlobalEntry { name, pid: WirePid::from_u64(pid), owner });
    assert_eq!(frames[2], GlobalSync { entries: entries.to_vec() }.encode().unwrap());
    assert!(!closes(&bench.input(Input::Closed(conn)), other));
}

#[test]
fn names_registered_before_the_start_are_the_nodes_from_then_on() {
    struct Zeros;
    impl Entropy for Zeros {
        fn fill(&mut self, _: &mut [u8]) {}
    }
    let mut node = Node::new();
    let now = std::time::Instant::now();
    let command = |node: &mut Node, command| {
        let outputs = node.handle(Input::Command(Token(1), command), now, &mut Zeros);
        let reply = |output| match output {
            Output::Reply(_, Ok(answer)) => Some(answer),
            _ => None,
        };
        outputs.into_iter().find_map(reply).unwrap()
    };
    let Answer::Pid(Some(pid)) = command(&mut node, collector()) else { panic!("no process") };
    assert_eq!((pid.node.as_str(), pid.creation), ("nonode@nohost", 0));
    command(&mut node, Command::Register { name: "x".into(), pid: pid.clone() });
    node.handle(Input::Start(identity("m@h", 9)), now, &mut Zeros);
    let Answer::Pid(Some(found)) = command(&mut node, Command::Whereis("x".into())) else { panic!("lost") };
    assert_eq!((found.node.as_str(), found.creation), ("m@h", 9));
    command(&mut node, Command::Exit { pid, reason: Root::Normal.into() });
    assert_eq!(command(&mut node, Command::Whereis("x".into())), Answer::Pid(None));
}

#[test]
fn a_large_table_goes_in_several_full_frames() {
    let mut bench = Bench::new("m@h");
    let process = spawn(&mut bench);
    for number in 0..600 {
        let name = format!("{number:0>65535}");
        bench.command(Command::Register { name, pid: process.clone() });
    }
    let (conn, outputs) = bench.session("p@h", 3);
    let frames = frames_to(conn, outputs);
    let mut count = 0;
    for frame in &frames[1..] {
        assert!(frame.len() <= 16_777_216);
        match Message::decode(Phase::Session, frame).unwrap() {
            (Message::GlobalSync(sync), b"") => count += sync.entries.len(),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((count, frames.len()), (600, 1 + 3));
}
