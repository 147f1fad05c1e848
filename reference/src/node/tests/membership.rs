//! One session per pair, in every order; the mesh; restarted nodes.

use std::time::Duration;

use super::{
    Bench,
    bench::{closes, dials, events},
    frames_to,
};
use crate::{
    node::{Answer, Command, CommandError, ConnId, Input, Output},
    wire::{NodeName, membership::PeerList},
};

#[test]
fn the_same_creation_is_refused_at_name_and_again_at_reply() {
    let mut bench = Bench::new("m@h");
    let (late, challenge) = bench.named("p@h", 3);
    let (live, _) = bench.session("p@h", 3);
    let outputs = bench.reply(late, challenge);
    assert!(closes(&outputs, late) && frames_to(late, outputs).is_empty());
    let conn = bench.accept();
    let outputs = bench.name(conn, "p@h", 3);
    assert!(closes(&outputs, conn) && frames_to(conn, outputs).is_empty());
    assert!(bench.node.phase(live).is_some());
}

#[test]
fn the_smaller_node_refuses_while_its_own_dial_is_under_way() {
    let mut bench = Bench::new("a@h");
    let (early, challenge) = bench.named("p@h", 3);
    let dial = bench.dial("p@h");
    let conn = bench.accept();
    let outputs = bench.name(conn, "p@h", 3);
    assert!(closes(&outputs, conn));
    let outputs = bench.reply(early, challenge);
    assert!(closes(&outputs, early) && frames_to(early, outputs).is_empty());
    bench.input(Input::Closed(dial));
    bench.session("p@h", 3);
}

#[test]
fn the_larger_node_drops_its_own_dial_silently() {
    let mut bench = Bench::new("z@h");
    let dial = bench.dial("p@h");
    let (conn, challenge) = bench.named("p@h", 3);
    let outputs = bench.reply(conn, challenge);
    assert!(closes(&outputs, dial));
    assert!(frames_to(dial, bench.input(Input::Tick)).is_empty());
    assert_eq!(events(&outputs), ["+p@h/3"]);
    assert!(outputs.iter().any(|output| matches!(output, Output::Reply(_, Ok(Answer::Done)))));
}

#[test]
fn a_caller_whose_dial_was_closed_waits_a_moment_for_the_peers_own() {
    let mut bench = Bench::new("z@h");
    let dial = bench.dial("p@h");
    assert!(!bench.input(Input::Closed(dial)).iter().any(|output| matches!(output, Output::Reply(..))));
    let outputs = bench.pass(Duration::from_secs(1));
    assert!(outputs.iter().any(|output| matches!(output, Output::Reply(_, Err(CommandError::ConnectFailed(_))))));
}

#[test]
fn a_restarted_peer_replaces_its_former_session_once_it_has_authenticated() {
    let mut bench = Bench::new("m@h");
    let (other, _) = bench.session("o@h", 1);
    let (old, _) = bench.session("p@h", 3);
    bench.frame(old, register("x", "p@h"));
    let (new, challenge) = bench.named("p@h", 4);
    assert!(bench.node.phase(old).is_some());
    let outputs = bench.reply(new, challenge);
    assert!(closes(&outputs, old));
    assert_eq!(events(&outputs), ["-p@h/3", "+p@h/4"]);
    let (to_new, to_other): (Vec<_>, Vec<_>) = (sent(&outputs, new), sent(&outputs, other));
    assert_eq!(to_other, [vec![0x1c, 1, 0, b'x']]);
    assert_eq!(to_new[1..], [PeerList { peers: vec!["o@h"] }.encode().unwrap()]);
    assert!(bench.input(Input::Closed(old)).is_empty());
}

#[test]
fn a_name_that_was_read_before_the_live_sessions_never_replaces_it() {
    let mut bench = Bench::new("m@h");
    let (outdated, challenge) = bench.named("p@h", 3);
    let (live, _) = bench.session("p@h", 4);
    let outputs = bench.reply(outdated, challenge);
    assert!(closes(&outputs, outdated) && !closes(&outputs, live));
    assert_eq!(events(&outputs), [""; 0]);
}

#[test]
fn eight_listed_dials_are_under_way_at_once_and_callers_do_not_wait_behind_them() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    let names: Vec<String> = (0..20).map(|number| format!("n{number}@h")).collect();
    let mut peers: Vec<&str> = names.iter().map(String::as_str).collect();
    peers.extend(["m@h", "p@h", "bad", "n0@h"]);
    let outputs = bench.frame(conn, PeerList { peers }.encode().unwrap());
    let first = dials(&outputs);
    assert_eq!(first.len(), 8);
    assert_eq!(dials(&bench.input(Input::DialFailed(first[0], "refused".into()))).len(), 1);
    let (_, outputs) = bench.command(Command::Connect(NodeName::parse("n19@h").unwrap()));
    assert_eq!(dials(&outputs).len(), 1);
    // n19 is the caller's now; 8 + 1 have started, 10 wait: all hang, and all give their places back.
    let outputs = bench.pass(Duration::from_secs(7));
    assert_eq!(dials(&outputs).len(), 8);
    assert_eq!(dials(&bench.pass(Duration::from_secs(7))).len(), 2);
    assert_eq!(dials(&bench.pass(Duration::from_secs(7))).len(), 0);
    assert!(bench.node.phase(conn).is_some());
}

#[test]
fn connecting_to_itself_or_before_the_start_is_refused() {
    let mut bench = Bench::new("m@h");
    let own = NodeName::parse("m@h").unwrap();
    assert!(matches!(bench.command(Command::Connect(own)).0, Some(Err(CommandError::ConnectFailed(_)))));
}

fn register(name: &str, owner: &str) -> Vec<u8> {
    use crate::wire::{WirePid, registry::GlobalEntry};
    GlobalEntry { name, pid: WirePid::from_u64(5), owner }.encode_register().unwrap()
}

fn sent(outputs: &[Output], conn: ConnId) -> Vec<Vec<u8>> {
    let to_conn = |output: &Output| match output {
        Output::Send(to, payload) if *to == conn => Some(payload.to_vec()),
        _ => None,
    };
    outputs.iter().filter_map(to_conn).collect()
}
