//! Messages: who gets them, and on which session they go.

use super::{
    Bench,
    scene::{is_silent, own, pid, sends, sent, told, wire},
};
use crate::{
    node::{Answer, Command, CommandError, Input},
    wire::{
        Message,
        process::{RegSend, Send, Spawn},
        reason::Root,
    },
};

#[test]
fn a_received_send_reaches_the_live_process_that_it_names() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    let (_, dead) = bench.collector();
    bench.kill(&dead, Root::Normal);
    let (local, _) = bench.collector();
    assert_eq!(local, 2);
    for (target, expected) in [
        (wire(0, 0, 2), true),
        (wire(0, 9, 2), true),
        (wire(77, 9, 2), true),
        (wire(0, 8, 2), false),
        (wire(77, 8, 2), false),
        (wire(0, 0, 1), false),
        (wire(0, 0, 99), false),
    ] {
        for message in [&b"hi"[..], b""] {
            let outputs = bench.says(conn, &Message::Send(Send { target, message }));
            let line = format!("2 got {}", String::from_utf8_lossy(message));
            assert_eq!(told(&outputs), if expected { vec![line] } else { vec![] }, "{target:?}");
            assert!(is_silent(&outputs));
        }
    }
}

#[test]
fn local_names_are_one_processs_until_it_ends() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    let (one, two) = (bench.collector().1, bench.collector().1);
    let register = |pid: &_, name: &str| Command::RegisterLocal { pid: Clone::clone(pid), name: name.into() };
    assert!(is_silent(&bench.done(register(&one, "x"))));
    bench.done(register(&one, "y"));
    assert_eq!(bench.refused(register(&two, "x")), CommandError::NameTaken);
    for name in [String::new(), "x".repeat(65_536)] {
        assert!(matches!(bench.refused(register(&two, &name)), CommandError::InvalidName(_)));
    }
    let named =
        |bench: &mut Bench, name: &str| told(&bench.says(conn, &Message::RegSend(RegSend { name, message: b"hi" })));
    assert_eq!(named(&mut bench, "x"), ["1 got hi"]);
    assert_eq!(named(&mut bench, "y"), ["1 got hi"]);
    assert!(named(&mut bench, "z").is_empty() && named(&mut bench, "").is_empty());
    bench.kill(&one, Root::Normal);
    assert!(named(&mut bench, "x").is_empty());
    bench.done(register(&two, "x"));
    assert_eq!(named(&mut bench, "x"), ["2 got hi"]);
    assert!(named(&mut bench, "y").is_empty());
    assert_eq!(bench.refused(register(&one, "y")), CommandError::NoProcess);
}

#[test]
fn what_is_sent_goes_out_on_its_nodes_session_and_nowhere_else() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    let (other, _) = bench.session("q@h", 5);
    let (_, mine) = bench.collector();
    bench.done(Command::RegisterLocal { pid: mine.clone(), name: "x".into() });
    let send = |to| Command::Send { to, bytes: b"hi".to_vec() };
    let named = |node: &str| Command::SendNamed { node: node.into(), name: "x".into(), bytes: b"hi".to_vec() };

    for command in [send(mine.clone()), send(pid("nonode@nohost", 0, 1)), named("m@h")] {
        let outputs = bench.done(command);
        assert_eq!(told(&outputs), ["1 got hi"]);
        assert!(is_silent(&outputs));
    }
    let nowhere = [
        send(pid("x@h", 1, 1)),
        send(pid("m@h", 8, 1)),
        send(pid("m@h", 0, 1)),
        send(pid("m@h", 9, 7)),
        send(pid("nonsense", 1, 1)),
    ];
    for command in nowhere.into_iter().chain([named("x@h"), named("nonsense")]) {
        let outputs = bench.done(command);
        assert!(told(&outputs).is_empty() && is_silent(&outputs));
    }
    let outputs = bench.done(send(pid("p@h", 3, 7)));
    sends(other, &outputs, &[]);
    sends(conn, &outputs, &[Message::Send(Send { target: wire(1, 3, 7), message: b"hi" })]);
    // One of a former run is written as such.
    let outputs = bench.done(send(pid("q@h", 4, 7)));
    sends(other, &outputs, &[Message::Send(Send { target: wire(2, 4, 7), message: b"hi" })]);
    let outputs = bench.done(named("q@h"));
    sends(other, &outputs, &[Message::RegSend(RegSend { name: "x", message: b"hi" })]);
}

#[test]
fn what_does_not_fit_is_an_error_and_nothing_is_sent() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    let to = pid("p@h", 3, 7);
    let limit = 16_777_216 - 9;
    let outputs = bench.done(Command::Send { to: to.clone(), bytes: vec![7; limit] });
    assert_eq!(sent(conn, &outputs)[0].len(), 16_777_216);
    let (answer, outputs) = bench.command(Command::Send { to, bytes: vec![7; limit + 1] });
    assert_eq!(answer, Some(Err(CommandError::TooLarge)));
    assert!(is_silent(&outputs));
    let (node, name) = ("p@h".to_owned(), "x".repeat(65_536));
    assert_eq!(bench.refused(Command::SendNamed { node, name, bytes: vec![] }), CommandError::TooLarge);
}

#[test]
fn a_relay_holds_its_target_across_a_reconnect() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    let args = own(7).to_u64().to_le_bytes();
    let spawn = |function, args| Message::Spawn(Spawn { request: 1, requester: own(5), link: 0, function, args });
    bench.says(conn, &spawn(b"relay", &args));
    let unresolved = wire(4, 3, 7).to_u64().to_le_bytes();
    bench.says(conn, &spawn(b"relay", &unresolved));
    let send = |local| Message::Send(Send { target: wire(0, 9, local), message: b"hi" });
    let outputs = bench.says(conn, &send(1));
    sends(conn, &outputs, &[Message::Send(Send { target: wire(1, 3, 7), message: b"hi" })]);
    assert!(is_silent(&bench.says(conn, &send(2))));

    let (other, _) = bench.session("q@h", 5);
    bench.input(Input::Closed(conn));
    assert!(is_silent(&bench.says(other, &send(1))));
    let (again, _) = bench.session("p@h", 3);
    let outputs = bench.says(other, &send(1));
    sends(again, &outputs, &[Message::Send(Send { target: wire(1, 3, 7), message: b"hi" })]);
    // Never as if it were of the new run.
    bench.input(Input::Closed(again));
    let (restarted, _) = bench.session("p@h", 4);
    let outputs = bench.says(other, &send(1));
    sends(restarted, &outputs, &[Message::Send(Send { target: wire(1, 3, 7), message: b"hi" })]);
}

#[test]
fn local_relays_hand_on_and_a_circle_of_them_ends() {
    let mut bench = Bench::new("m@h");
    let (_, end) = bench.collector();
    let args = |local: u64| own(local).to_u64().to_le_bytes();
    let mut last = 1;
    for _ in 0..10_000 {
        last = bench.start("relay", &args(last)).0;
    }
    let to = pid("m@h", 9, last);
    assert_eq!(told(&bench.done(Command::Send { to: to.clone(), bytes: b"hi".to_vec() })), ["1 got hi"]);
    let circle = [bench.start("relay", &args(last + 2)).1, bench.start("relay", &args(last + 1)).1];
    for to in circle {
        let outputs = bench.done(Command::Send { to, bytes: b"hi".to_vec() });
        assert!(told(&outputs).is_empty());
    }
    bench.kill(&end, Root::Normal);
    assert!(told(&bench.done(Command::Send { to, bytes: b"hi".to_vec() })).is_empty());
}

#[test]
fn functions_make_of_messages_and_arguments_what_they_are_to() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    let (local, crashing) = bench.start("crash_on_message", b"");
    let message = Message::Send(Send { target: own(local), message: b"boom\xff" });
    assert_eq!(told(&bench.says(conn, &message)), ["1 ended error boom\u{fffd}"]);
    assert!(told(&bench.says(conn, &message)).is_empty());
    assert_eq!(bench.command(Command::Alive(crashing)).0, Some(Ok(Answer::Alive(false))));
    assert_eq!(bench.command(Command::Alive(pid("p@h", 3, 1))).0, Some(Err(CommandError::NoProcess)));

    let mut reason = Vec::new();
    for part in [&[3][..], &wire(0, 0, 1).to_u64().to_le_bytes(), &[3], &wire(44, 2, 5).to_u64().to_le_bytes(), &[4]] {
        reason.extend_from_slice(part);
    }
    let spawn = |args: &[u8]| {
        let request = crate::node::SpawnRequest { function: "exit".into(), args: args.into(), ..Default::default() };
        Command::Spawn(request)
    };
    let (answer, outputs) = bench.command(spawn(&reason));
    assert_eq!(answer, Some(Ok(Answer::Pid(Some(pid("m@h", 9, 2))))));
    assert_eq!(told(&outputs), ["2 ended linked <m@h.1.9> linked <?.5.2> shutdown"]);
    assert_eq!(told(&bench.command(spawn(&[9])).1).len(), 1);
    assert_eq!(
        told(&bench.command(spawn(&[])).1),
        ["4 ended error exit takes a reason: the message is too short for its layout"]
    );
}
