//! Two scripted peers talk through a relay: what it was told to do must be what they see, and nothing else.

use std::net::{IpAddr, Ipv4Addr};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::*;
use crate::codec::{self, Message};
use crate::peer::{
    ClientOptions, Close, ClosingKind, ConnectError, Connection, Listener, ListenerOptions, Phase, Received,
    ServerOptions,
};
use crate::schema::own;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Long enough for anything that comes to have come, where nothing must.
const A_MOMENT: Duration = Duration::from_millis(300);

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

/// `a` dials, `b` is behind the relay.
struct Bench {
    relays: Relays,
    listener: Listener,
    address: SocketAddr,
}

impl Bench {
    fn new(mode: Mode) -> Self {
        let listener = Listener::bind_with(
            LOCAL,
            ListenerOptions { receive_buffer: Some(64 * 1024), ..ListenerOptions::default() },
        )
        .unwrap();
        let mut relays = Relays::new(own());
        let address = relays.front("b", mode, LOCAL, listener.address()).unwrap();
        relays.name("a@127.0.0.1:1", "a");
        relays.name("c@127.0.0.1:1", "c");
        Self { relays, listener, address }
    }

    fn dial(&self) -> thread::JoinHandle<Result<Connection, ConnectError>> {
        let address = self.address;
        thread::spawn(move || Connection::dial(address, &ClientOptions::default(), soon()))
    }

    fn connected(&self) -> (Connection, Connection) {
        let dialling = self.dial();
        let b = self.listener.accept(soon()).unwrap().tls(ServerOptions::default(), soon()).unwrap();
        let a = dialling.join().unwrap().unwrap();
        for connection in [&a, &b] {
            connection.set_answer_pings(false);
            connection.set_phase(Phase::Session);
        }
        (a, b)
    }

    /// The same, and `a` has said its name.
    fn named(&self) -> (Connection, Connection) {
        let (a, b) = self.connected();
        a.send_frame(&name("a@127.0.0.1:1"));
        assert_eq!(frame_of(&b), name("a@127.0.0.1:1"));
        (a, b)
    }

    fn await_held(&self, link: &Link, from: &From) {
        let held = self.relays.state().wait_until(soon(), |state| (state.held(link, from) > 0).then_some(()));
        assert!(held.is_some(), "nothing is held");
    }

    fn hold(&self, link: Link, from: From, place: Option<Place>) {
        self.relays.state().change(|state| state.add(link, from, place, Fault::Hold));
    }
}

fn between() -> Link {
    Link { ends: Ends::Between("a".to_owned(), "b".to_owned()), dialled_by: None }
}

fn into() -> Link {
    Link { ends: Ends::Into("b".to_owned()), dialled_by: None }
}

fn from(key: &str) -> From {
    From::These(vec![key.to_owned()])
}

fn at(message: &str, from: From) -> Option<Place> {
    Some(Place::Frame { message: message.to_owned(), fields: None, from, nth: 1, after: false })
}

fn payload(message: &str, fields: &serde_json::Value) -> Vec<u8> {
    let schema = own();
    codec::encode(&schema, &Message::from_json(&schema, message, fields).unwrap()).unwrap().payload()
}

fn name(name: &str) -> Vec<u8> {
    payload("NAME", &json!({"name": name, "creation": 5}))
}

fn challenge() -> Vec<u8> {
    payload("CHALLENGE", &json!({"name": "b@127.0.0.1:1", "creation": 5, "challenge": "00".repeat(32)}))
}

#[track_caller]
fn frame_of(connection: &Connection) -> Vec<u8> {
    match connection.next(soon()) {
        Received::Frame { payload, .. } => payload,
        other => panic!("wanted a frame, got {other:?}"),
    }
}

#[track_caller]
fn end_of(connection: &Connection) -> ClosingKind {
    connection.wait_closed(soon()).expect("the connection must end").kind
}

#[track_caller]
fn nothing_comes(connection: &Connection) {
    let came = connection.next(Instant::now() + A_MOMENT);
    assert!(matches!(came, Received::TimedOut), "{came:?}");
}

#[test]
fn frames_of_every_size_pass_both_ways() {
    for mode in [Mode::Tcp, Mode::Tls] {
        let bench = Bench::new(mode);
        let (a, b) = bench.connected();
        let sizes = [0, 1, 5_000, 16 * 1024 * 1024];
        for size in sizes {
            a.send_frame(&vec![0x1D; size]);
            b.send_frame(&vec![0x1E; size]);
        }
        for size in sizes {
            assert!(frame_of(&b) == vec![0x1D; size], "{size} bytes");
            assert!(frame_of(&a) == vec![0x1E; size], "{size} bytes");
        }
        a.close(Close::CloseNotifyThenFin);
        assert_eq!(end_of(&b), ClosingKind::CloseNotify);
    }
}

#[test]
fn pings_are_passed_on_and_not_answered() {
    let bench = Bench::new(Mode::Tls);
    let (a, b) = bench.named();
    let ping = [&[0xF0][..], &[7; 8]].concat();
    a.send_frame(&ping);
    assert_eq!(frame_of(&b), ping);
    nothing_comes(&a);
}

#[test]
fn each_end_is_passed_on_as_what_it_is() {
    for (close, kind) in [(Close::Fin, ClosingKind::Fin), (Close::Reset, ClosingKind::Reset)] {
        let bench = Bench::new(Mode::Tls);
        let (a, b) = bench.named();
        a.close(close);
        assert_eq!(end_of(&b), kind);
        let (a, b) = bench.named();
        b.close(close);
        assert_eq!(end_of(&a), kind);
    }
}

#[test]
fn what_is_held_at_a_frame_comes_in_order_when_it_is_released() {
    let bench = Bench::new(Mode::Tls);
    bench.hold(between(), from("b"), at("CHALLENGE", from("b")));
    let (a, b) = bench.named();
    b.send_frame(&challenge());
    b.send_frame(b"second");
    b.send_frame(b"third");
    bench.await_held(&between(), &from("b"));
    nothing_comes(&a);
    // The other direction goes on.
    a.send_frame(b"reply");
    assert_eq!(frame_of(&b), b"reply");
    bench.relays.state().change(|state| state.release(&between(), &From::Either, Some(1)));
    assert_eq!(frame_of(&a), challenge());
    nothing_comes(&a);
    bench.relays.state().change(|state| state.release(&between(), &From::Either, None));
    assert_eq!(frame_of(&a), b"second");
    assert_eq!(frame_of(&a), b"third");
}

#[test]
fn a_hold_at_once_holds_connections_to_come_at_their_names() {
    let bench = Bench::new(Mode::Tls);
    bench.hold(between(), From::Either, None);
    let (a, b) = bench.connected();
    a.send_frame(&name("a@127.0.0.1:1"));
    bench.await_held(&between(), &from("a"));
    let (c, d) = bench.connected();
    c.send_frame(&name("c@127.0.0.1:1"));
    assert_eq!(frame_of(&d), name("c@127.0.0.1:1"));
    nothing_comes(&b);
    bench.relays.state().change(|state| state.heal(&between()));
    assert_eq!(frame_of(&b), name("a@127.0.0.1:1"));
}

#[test]
fn what_is_held_at_connect_has_not_reached_the_node() {
    let bench = Bench::new(Mode::Tls);
    bench.hold(into(), From::Either, Some(Place::Connect));
    let dialling = bench.dial();
    bench.await_held(&into(), &From::Either);
    thread::sleep(A_MOMENT);
    assert_eq!(bench.listener.total(), 0);
    bench.relays.state().change(|state| state.release(&into(), &From::Either, None));
    let b = bench.listener.accept(soon()).unwrap().tls(ServerOptions::default(), soon()).unwrap();
    let a = dialling.join().unwrap().unwrap();
    a.send_frame(b"x");
    assert_eq!(frame_of(&b), b"x");
}

#[test]
fn a_silent_cut_of_one_way_lets_the_other_go_on() {
    let bench = Bench::new(Mode::Tls);
    let (a, b) = bench.named();
    bench.relays.cut(&between(), &from("a"), CutHow::Silent);
    a.send_frame(b"lost");
    b.send_frame(b"heard");
    assert_eq!(frame_of(&a), b"heard");
    nothing_comes(&b);
    a.close(Close::Fin);
    assert!(b.wait_closed(Instant::now() + A_MOMENT).is_none(), "an end is told on a silent link");
    let state = bench.relays.state().look();
    let lost = |line: &Line| matches!(line.what, Crossing::Frame { fate: Fate::Lost, .. });
    assert_eq!(state.wires[0].lines.iter().filter(|line| lost(line)).count(), 1);
}

#[test]
fn a_reset_is_an_rst_at_both_ends_or_at_one() {
    let bench = Bench::new(Mode::Tls);
    let (a, b) = bench.named();
    bench.relays.cut(&between(), &From::Either, CutHow::Reset);
    assert_eq!((end_of(&a), end_of(&b)), (ClosingKind::Reset, ClosingKind::Reset));

    let (a, b) = bench.named();
    bench.relays.cut(&between(), &from("a"), CutHow::Reset);
    assert_eq!(end_of(&b), ClosingKind::Reset);
    assert!(a.wait_closed(Instant::now() + A_MOMENT).is_none(), "the sender is told of a cut of what it sends");
}

#[test]
fn a_cut_at_a_frame_loses_it_and_one_behind_it_does_not() {
    for (after, keep) in [(false, None), (true, None), (false, Some(3))] {
        let bench = Bench::new(Mode::Tls);
        let (a, b) = bench.named();
        let place = Place::Frame { message: "CHALLENGE".to_owned(), fields: None, from: from("b"), nth: 2, after };
        let fault = Fault::Cut { how: CutHow::Fin, keep };
        bench.relays.state().change(|state| state.add(between(), From::Either, Some(place), fault));
        b.send_frame(&challenge());
        b.send_frame(&challenge());
        assert_eq!(frame_of(&a), challenge());
        if after {
            assert_eq!(frame_of(&a), challenge());
        }
        let end = a.wait_closed(soon()).unwrap();
        assert_eq!((end.kind, end.mid_frame), (ClosingKind::Fin, keep.is_some()));
        assert_eq!(end_of(&b), ClosingKind::Fin);
    }
}

#[test]
fn a_point_is_told_apart_by_its_fields() {
    let bench = Bench::new(Mode::Tls);
    let (a, b) = bench.named();
    let check = FieldCheck(Arc::new(|fields| fields["creation"] == 6));
    let place =
        Place::Frame { message: "CHALLENGE".to_owned(), fields: Some(check), from: From::Either, nth: 1, after: false };
    bench.hold(between(), From::Either, Some(place));
    b.send_frame(&challenge());
    assert_eq!(frame_of(&a), challenge());
    b.send_frame(&payload("CHALLENGE", &json!({"name": "b@h", "creation": 6, "challenge": "00".repeat(32)})));
    bench.await_held(&between(), &From::Either);
    nothing_comes(&a);
}

#[test]
fn refused_connections_come_to_nothing_at_name_and_at_accept() {
    let bench = Bench::new(Mode::Tls);
    bench.relays.state().change(|state| state.refuse(between(), CutHow::Fin));
    let (a, b) = bench.connected();
    a.send_frame(&name("a@127.0.0.1:1"));
    assert_eq!((end_of(&a), end_of(&b)), (ClosingKind::Fin, ClosingKind::Fin));
    bench.relays.state().change(|state| state.heal(&between()));
    bench.named();
    bench.relays.state().change(|state| state.refuse(into(), CutHow::Reset));
    // The reset may come before the dialler has seen its connection stand.
    bench.dial().join().unwrap().expect_err("must be refused");
}

#[test]
fn a_dial_to_a_node_that_is_not_there_comes_to_nothing() {
    let bench = Bench::new(Mode::Tls);
    bench.listener.close();
    bench.dial().join().unwrap().expect_err("nobody is there");
}

#[test]
fn split_delayed_and_throttled_frames_arrive_whole() {
    for mode in [Mode::Tcp, Mode::Tls] {
        let bench = Bench::new(mode);
        let (a, b) = bench.connected();
        for split in [Split::Every(1), Split::Sizes(vec![3, 1, 2])] {
            bench.relays.state().change(|state| state.shape(into(), From::Either, Shape::Split(split)));
            a.send_frame(&[9; 2_000]);
            assert_eq!(frame_of(&b), [9; 2_000]);
        }
        let begin = Instant::now();
        bench.relays.state().change(|state| {
            state.shape(into(), from(OTHERS), Shape::Throttle(10_000));
            state.shape(into(), from("b"), Shape::Delay(Duration::from_millis(200)));
        });
        a.send_frame(&[9; 3_000]);
        assert_eq!(frame_of(&b), [9; 3_000]);
        assert!(begin.elapsed() >= Duration::from_millis(200), "{:?}", begin.elapsed());
        let begin = Instant::now();
        b.send_frame(b"late");
        assert_eq!(frame_of(&a), b"late");
        assert!(begin.elapsed() >= Duration::from_millis(200), "{:?}", begin.elapsed());
    }
}

#[test]
fn pieces_have_the_sizes_that_were_asked_for() {
    let lengths = |split: Split, length: usize| -> Vec<usize> {
        split.cut(&vec![0; length]).into_iter().map(<[u8]>::len).collect()
    };
    assert_eq!(lengths(Split::Every(4), 10), [4, 4, 2]);
    assert_eq!(lengths(Split::Every(0), 2), [1, 1]);
    assert_eq!(lengths(Split::Sizes(vec![1, 3]), 10), [1, 3, 6]);
    assert_eq!(lengths(Split::Sizes(vec![1, 30]), 10), [1, 9]);
    assert_eq!(lengths(Split::Sizes(vec![10]), 10), [10]);
}

#[test]
fn one_byte_is_turned_over_once() {
    let bench = Bench::new(Mode::Tls);
    let (a, b) = bench.named();
    bench.relays.state().change(|state| state.add(between(), from("a"), None, Fault::Corrupt { byte: 1 }));
    a.send_frame(&[1, 2, 3]);
    a.send_frame(&[1, 2, 3]);
    assert_eq!(frame_of(&b), [1, !2, 3]);
    assert_eq!(frame_of(&b), [1, 2, 3]);

    let bench = Bench::new(Mode::Tcp);
    let (a, b) = bench.connected();
    bench.relays.state().change(|state| state.add(into(), from(OTHERS), None, Fault::Corrupt { byte: 8 }));
    a.send_frame(&[1, 2, 3]);
    assert!(matches!(end_of(&b), ClosingKind::BadTls(_)), "{:?}", end_of(&b));
}

#[test]
fn a_relay_reads_only_as_fast_as_the_other_side_takes() {
    for mode in [Mode::Tcp, Mode::Tls] {
        let bench = Bench::new(mode);
        let (a, b) = bench.connected();
        b.set_reading(false);
        for _ in 0..128 {
            a.send_frame(&vec![7; 1024 * 1024]);
        }
        assert!(a.flush(Instant::now() + Duration::from_secs(2)).is_err(), "128 MiB went to a deaf peer");
        b.set_reading(true);
        for _ in 0..128 {
            assert!(frame_of(&b) == vec![7; 1024 * 1024]);
        }
    }
}

#[test]
fn everything_ends_with_the_relays_whatever_is_held() {
    let bench = Bench::new(Mode::Tls);
    let (a, b) = bench.named();
    bench.hold(between(), From::Either, None);
    bench.hold(into(), From::Either, Some(Place::Connect));
    a.send_frame(b"held");
    bench.await_held(&between(), &from("a"));
    let dialling = bench.dial();
    bench.await_held(&into(), &From::Either);
    let begin = Instant::now();
    let Bench { relays, .. } = bench;
    drop(relays);
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert!(dialling.join().unwrap().is_err());
    assert_eq!((end_of(&a), end_of(&b)), (ClosingKind::Reset, ClosingKind::Reset));
}
