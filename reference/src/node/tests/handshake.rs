//! The proof of the cookie: what is refused, and that nothing comes of it.

use std::time::Duration;

use super::{
    Bench,
    bench::{closes, cookie},
    challenge_of, frames_to,
};
use crate::{
    node::{ConnId, Output},
    wire::{
        Message,
        handshake::{Ack, Name, Reply},
        membership::{PING, PONG, encode_nonce},
        message::Phase,
    },
};

fn refused(outputs: Vec<Output>, conn: ConnId) -> bool {
    closes(&outputs, conn) && frames_to(conn, outputs).is_empty()
}

#[test]
fn the_acceptor_refuses_bad_names() {
    for (name, creation) in [("p@h", 0), ("m@h", 3), ("p", 3), ("p@h:0", 3)] {
        let mut bench = Bench::new("m@h");
        let conn = bench.accept();
        let outputs = bench.name(conn, name, creation);
        assert!(refused(outputs, conn), "{name}/{creation}");
        assert_eq!(bench.node.phase(conn), None);
    }
}

#[test]
fn bytes_that_are_no_name_are_refused() {
    for payload in [&b""[..], b"\x01", b"\x01\x03\x00p@", b"\x01\x03\x00p@\xff\x01", b"\x02\x03\x00p@h\x01", b"\xf0"] {
        let mut bench = Bench::new("m@h");
        let conn = bench.accept();
        let outputs = bench.frame(conn, payload.to_vec());
        assert!(refused(outputs, conn), "{payload:?}");
    }
}

#[test]
fn trailing_bytes_are_ignored_and_a_wrong_proof_is_refused() {
    let mut bench = Bench::new("m@h");
    let conn = bench.accept();
    let mut name = Name { name: "p@h", creation: 3 }.encode().unwrap();
    name.extend_from_slice(b"more");
    let outputs = bench.frame(conn, name);
    challenge_of(outputs, conn);
    let outputs = bench.frame(conn, Reply { proof: [0; 32], challenge: [1; 32] }.encode().unwrap());
    assert!(refused(outputs, conn));
}

#[test]
fn the_acceptor_proves_the_cookie() {
    let mut bench = Bench::new("m@h");
    let (conn, outputs) = bench.session("p@h", 3);
    let frames = frames_to(conn, outputs);
    assert_eq!(frames, [Ack { proof: cookie().prove(&[0xaa; 32]) }.encode().unwrap()]);
}

#[test]
fn the_initiator_checks_name_creation_and_proof() {
    for (name, creation) in [("q@h", 3), ("p@h", 0)] {
        let mut bench = Bench::new("m@h");
        let dial = bench.dial("p@h");
        let outputs = bench.challenge(dial, name, creation, [1; 32]);
        assert!(refused(outputs, dial));
    }
    let mut bench = Bench::new("m@h");
    let dial = bench.dial("p@h");
    bench.challenge(dial, "p@h", 3, [1; 32]);
    let outputs = bench.frame(dial, Ack { proof: [0; 32] }.encode().unwrap());
    assert!(refused(outputs, dial));
    assert!(bench.node.session_views().is_empty());
}

#[test]
fn own_challenges_are_never_answered_in_either_role() {
    // M is dialled by the node and passes the challenge of an accepted connection to the dial.
    let mut bench = Bench::new("a@h");
    let (accepted, ours) = bench.named("x@h", 3);
    let dial = bench.dial("p@h");
    let outputs = bench.challenge(dial, "p@h", 3, ours);
    assert!(refused(outputs, dial));
    // The other way: the challenge of a dial comes back in a REPLY.
    let dial = bench.dial("p@h");
    let outputs = bench.challenge(dial, "p@h", 3, [1; 32]);
    let in_reply = challenge_of(outputs, dial);
    let (other, challenge) = bench.named("y@h", 3);
    let reply = Reply { proof: cookie().prove(&challenge), challenge: in_reply };
    let outputs = bench.frame(other, reply.encode().unwrap());
    assert!(refused(outputs, other));
    // Once it is answered or its connection is closed, it is as good as any other.
    bench.reply(accepted, ours);
    let dial = bench.dial("q@h");
    assert!(!closes(&bench.challenge(dial, "q@h", 3, ours), dial));
}

#[test]
fn handshakes_time_out_and_not_before() {
    let mut bench = Bench::new("m@h");
    let silent = bench.accept();
    let (named, _) = bench.named("p@h", 3);
    assert!(bench.pass(Duration::from_millis(6_999)).is_empty());
    let outputs = bench.pass(Duration::from_millis(1));
    assert!(closes(&outputs, silent) && closes(&outputs, named));
}

#[test]
fn stalled_connections_make_room_for_new_ones() {
    let mut bench = Bench::new("m@h");
    let oldest = bench.accept();
    for _ in 0..600 {
        bench.accept();
    }
    assert_eq!(bench.node.phase(oldest), None);
    bench.session("p@h", 3);
}

#[test]
fn in_a_session_nothing_that_is_malformed_closes() {
    let mut bench = Bench::new("m@h");
    let (conn, _) = bench.session("p@h", 3);
    for tag in 0..=255 {
        for length in [0, 1, 3, 9] {
            if tag != PING {
                let outputs = bench.frame(conn, [vec![tag], vec![0xff; length]].concat());
                assert!(!closes(&outputs, conn), "tag {tag:#x}");
            }
        }
    }
    assert!(bench.frame(conn, Vec::new()).is_empty());
    let outputs = bench.frame(conn, encode_nonce(PING, b"12345678"));
    assert_eq!(frames_to(conn, outputs), [encode_nonce(PONG, b"12345678")]);
    let short = bench.frame(conn, vec![PING, 1, 2]);
    assert!(short.is_empty());
    let outputs = bench.frame(conn, [&encode_nonce(PING, b"abcdefgh")[..], b"more"].concat());
    let frames = frames_to(conn, outputs);
    assert_eq!(Message::decode(Phase::Session, &frames[0]).unwrap().0, Message::Pong(*b"abcdefgh"));
}
