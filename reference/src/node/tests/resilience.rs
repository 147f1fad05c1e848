//! Bounds on what peers can make a node do and keep: dials of lists, connections that stall.

use std::time::Duration;

use super::{
    Bench,
    bench::{closes, dials},
};
use crate::{
    node::{ConnId, How, Input, MAX_UNAUTHENTICATED, Output},
    wire::{membership::PeerList, message::Phase},
};

/// A list of as many names.
fn list(names: std::ops::Range<usize>) -> Vec<u8> {
    let names: Vec<String> = names.map(|number| format!("n{number}@h")).collect();
    PeerList { peers: names.iter().map(String::as_str).collect() }.encode().unwrap()
}

/// Has each dial fail, and those that start in its place, until none is left; returns how many there were.
fn fail_all(bench: &mut Bench, outputs: &[Output]) -> usize {
    let mut open: Vec<ConnId> = dials(outputs);
    let mut count = open.len();
    while let Some(conn) = open.pop() {
        let outputs = bench.input(Input::DialFailed(conn, "refused".into()));
        let next = dials(&outputs);
        count += next.len();
        open.extend(next);
    }
    count
}

#[test]
fn lists_cause_at_most_256_dials_in_ten_seconds_and_each_name_once() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    let outputs = bench.frame(conn, list(0..600));
    assert_eq!(fail_all(&mut bench, &outputs), 256);
    // What is listed meanwhile waits as well.
    let outputs = bench.frame(conn, list(600..610));
    assert_eq!(fail_all(&mut bench, &outputs), 0);
    assert_eq!(dials(&bench.pass(Duration::from_secs(10))).len(), 0);
    let outputs = bench.pass(Duration::from_secs(1));
    assert_eq!(fail_all(&mut bench, &outputs), 256);
    let outputs = bench.pass(Duration::from_secs(11));
    assert_eq!(fail_all(&mut bench, &outputs), 610 - 512);
    assert_eq!(dials(&bench.pass(Duration::from_secs(60))).len(), 0);
    // Listed again, it is dialled again (RES-2).
    let outputs = bench.frame(conn, list(3..4));
    assert_eq!(fail_all(&mut bench, &outputs), 1);
}

#[test]
fn a_listed_name_that_waits_is_dialled_though_nothing_else_happens() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    let outputs = bench.frame(conn, list(0..257));
    assert_eq!(fail_all(&mut bench, &outputs), 256);
    let next = bench.node.next_timer().unwrap();
    assert!(next <= bench.now + Duration::from_secs(11));
    bench.now = next;
    assert_eq!(dials(&bench.input(Input::Tick)).len(), 1);
}

#[test]
fn at_least_1024_listed_names_wait_and_not_without_bound() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    let mut outputs = bench.frame(conn, list(0..60_000));
    let mut count = 0;
    loop {
        let more = fail_all(&mut bench, &outputs);
        if more == 0 {
            break;
        }
        count += more;
        outputs = bench.pass(Duration::from_secs(11));
    }
    assert!((1_024..8_192).contains(&count), "{count}");
}

#[test]
fn stalled_connections_make_room_the_oldest_first_and_at_once() {
    let mut bench = Bench::new("m@h");
    let (session, _) = bench.session("p@h", 3);
    let stalled: Vec<ConnId> = (0..MAX_UNAUTHENTICATED).map(|_| bench.accept()).collect();
    let late = ConnId { serial: 1_000_000, ..stalled[0] };
    let outputs = bench.input(Input::Accepted(late));
    assert!(matches!(outputs[0], Output::Close(conn, How::AtOnce) if conn == stalled[0]));
    assert!(!stalled[1..].iter().any(|conn| closes(&outputs, *conn)) && !closes(&outputs, session));
    assert_eq!(bench.node.phase(stalled[0]), None);
    assert_eq!(bench.node.phase(late), Some(Phase::Handshake));
}
