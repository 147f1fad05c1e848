//! The heartbeat, in fake time.

use std::time::Duration;

use super::{
    Bench,
    bench::{closes, events},
    frames_to,
};
use crate::wire::membership::PONG;

#[test]
fn pings_are_fresh_and_a_missing_pong_is_a_disconnect() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    assert!(bench.pass(Duration::from_millis(59_999)).is_empty());
    let outputs = bench.pass(Duration::from_millis(1));
    let first = frames_to(conn, outputs).remove(0);
    let pong = |ping: &[u8]| [&[PONG][..], &ping[1..]].concat();
    bench.frame(conn, pong(&first));
    let outputs = bench.pass(Duration::from_secs(60));
    let second = frames_to(conn, outputs).remove(0);
    assert_ne!(first, second);
    bench.frame(conn, pong(&first));
    assert!(bench.pass(Duration::from_millis(14_999)).is_empty());
    let outputs = bench.pass(Duration::from_millis(1));
    assert!(closes(&outputs, conn));
    assert_eq!(events(&outputs), ["-p@h/3"]);
    assert_eq!(bench.node.next_timer(), None);
}

#[test]
fn an_answered_session_lives_on() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    for _ in 0..20 {
        let outputs = bench.pass(Duration::from_secs(60));
        let ping = frames_to(conn, outputs).remove(0);
        assert!(bench.pass(Duration::from_secs(14)).is_empty());
        bench.frame(conn, [&[PONG][..], &ping[1..]].concat());
        bench.now -= Duration::from_secs(14);
    }
    assert!(bench.node.phase(conn).is_some());
}
