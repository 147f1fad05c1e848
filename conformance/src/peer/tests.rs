//! Two scripted peers talk to each other: what one does, the other must see as what it is.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::*;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn pair_with(client: ClientOptions, server: ServerOptions, listening: ListenerOptions) -> (Connection, Connection) {
    let listener = Listener::bind_with(LOCAL, listening).unwrap();
    let address = listener.address();
    let dialling = thread::spawn(move || Connection::dial(address, &client, soon()).unwrap());
    let accepted = listener.accept(soon()).unwrap().tls(server, soon()).unwrap();
    (dialling.join().unwrap(), accepted)
}

fn pair() -> (Connection, Connection) {
    pair_with(ClientOptions::default(), ServerOptions::default(), ListenerOptions::default())
}

fn refused(certificate: Certificate, versions: TlsVersion) -> (ConnectError, ConnectError) {
    let listener = Listener::bind(LOCAL).unwrap();
    let address = listener.address();
    let dialling = thread::spawn(move || {
        let options = ClientOptions { versions, ..ClientOptions::default() };
        Connection::dial(address, &options, soon()).expect_err("must not connect")
    });
    let options = ServerOptions { certificate, versions: TlsVersion::Any };
    // With TLS 1.3 the accepting side is still waiting for the other's last word when the alert comes.
    let accepted = listener.accept(soon()).unwrap().tls(options, soon()).expect_err("must be refused");
    (dialling.join().unwrap(), accepted)
}

#[track_caller]
fn expect_frame(connection: &Connection) -> Vec<u8> {
    match connection.next(soon()) {
        Received::Frame { payload, .. } => payload,
        other => panic!("wanted a frame, got {other:?}"),
    }
}

#[track_caller]
fn expect_closed(connection: &Connection) -> ClosingKind {
    match connection.next(soon()) {
        Received::Closed(closing) => closing.kind,
        other => panic!("wanted the end, got {other:?}"),
    }
}

#[test]
fn peers_talk_in_both_versions_of_tls() {
    for versions in [TlsVersion::V12, TlsVersion::V13] {
        let client = ClientOptions { versions, ..ClientOptions::default() };
        let (a, b) = pair_with(client, ServerOptions::default(), ListenerOptions::default());
        a.send_frame(b"hello");
        a.send_frame(b"");
        b.send_frame(b"hi");
        assert_eq!(expect_frame(&b), b"hello");
        assert_eq!(expect_frame(&b), b"");
        assert_eq!(expect_frame(&a), b"hi");
        assert_eq!(a.tls_facts().version, Some(versions));
        assert_eq!(b.tls_facts().version, Some(versions));
        assert_eq!(b.tls_facts().server_name.as_deref(), Some(SERVER_NAME));
        assert!(!a.tls_facts().client_certificate_asked);
        let facts = inspect_certificate(a.tls_facts().certificate.as_ref().unwrap()).unwrap();
        let expected = CertificateFacts { common_name: Some(SERVER_NAME.to_owned()), self_signed: true, p256: true };
        assert_eq!(facts, expected);
    }
}

#[test]
fn ipv6_works_and_no_server_name_is_possible() {
    let listener = Listener::bind(IpAddr::V6(Ipv6Addr::LOCALHOST)).unwrap();
    let address = listener.address();
    let dialling = thread::spawn(move || {
        let options = ClientOptions { server_name: None, ..ClientOptions::default() };
        Connection::dial(address, &options, soon()).unwrap()
    });
    let accepted = listener.accept(soon()).unwrap().tls(ServerOptions::default(), soon()).unwrap();
    assert_eq!(accepted.tls_facts().server_name, None);
    drop(dialling.join().unwrap());
}

#[test]
fn odd_certificates_are_accepted_and_inspected() {
    for certificate in [Certificate::Expired, Certificate::WrongName, Certificate::OtherCurve] {
        let server = ServerOptions { certificate, ..ServerOptions::default() };
        let (a, _b) = pair_with(ClientOptions::default(), server, ListenerOptions::default());
        let facts = inspect_certificate(a.tls_facts().certificate.as_ref().unwrap()).unwrap();
        assert_eq!(facts.p256, certificate != Certificate::OtherCurve);
        assert_eq!(facts.common_name.as_deref() == Some(SERVER_NAME), certificate != Certificate::WrongName);
        assert!(facts.self_signed);
    }
}

#[test]
fn a_foreign_key_is_refused_by_who_verifies_signatures() {
    for versions in [TlsVersion::V12, TlsVersion::V13] {
        let (dialling, accepting) = refused(Certificate::ForeignKey, versions);
        assert!(matches!(dialling, ConnectError::Tls(_)), "{dialling:?}");
        assert!(matches!(accepting, ConnectError::Alert(_)), "{accepting:?}");
    }
}

#[test]
fn ends_are_told_apart() {
    for (how, seen) in [
        (Close::Fin, ClosingKind::Fin),
        (Close::HalfClose, ClosingKind::Fin),
        (Close::CloseNotifyThenFin, ClosingKind::CloseNotify),
        (Close::Reset, ClosingKind::Reset),
    ] {
        let (a, b) = pair();
        a.send_frame(b"last words");
        a.flush(soon()).unwrap();
        assert_eq!(expect_frame(&b), b"last words");
        a.close(how);
        assert_eq!(expect_closed(&b), seen, "{how:?}");
        assert_eq!(expect_closed(&b), seen, "the end stays the end");
    }
}

#[test]
fn a_reset_is_a_reset_for_one_who_is_writing() {
    let (a, b) = pair();
    a.set_reading(false);
    b.send_frame(&vec![7; SESSION_LIMIT]);
    assert_eq!(b.flush(Instant::now() + Duration::from_millis(50)), Err(FlushError::TimedOut));
    a.close(Close::Reset);
    assert_eq!(expect_closed(&b), ClosingKind::Reset);
    assert!(matches!(b.flush(soon()), Err(FlushError::Closed(_))));
}

#[test]
fn an_orderly_close_sends_what_is_enqueued_even_if_the_handle_is_gone() {
    let (a, b) = pair();
    b.set_phase(Phase::Session);
    a.send_frame(&vec![1; 1_000_000]);
    a.close(Close::Fin);
    drop(a);
    assert_eq!(expect_frame(&b).len(), 1_000_000);
    assert_eq!(expect_closed(&b), ClosingKind::Fin);
}

#[test]
fn an_end_within_a_frame_shows() {
    let (a, b) = pair();
    a.send(&[5, 0, 0, 0, 1]);
    a.close(Close::Fin);
    assert!(matches!(b.next(soon()), Received::Closed(Closing { kind: ClosingKind::Fin, mid_frame: true, .. })));
}

#[test]
fn dropping_ends_the_connection() {
    let (a, b) = pair();
    let second = a.clone();
    drop(a);
    second.send_frame(b"still here");
    assert_eq!(expect_frame(&b), b"still here");
    drop(second);
    // Which of them depends on whether the dropped side had read everything.
    assert!(matches!(expect_closed(&b), ClosingKind::Fin | ClosingKind::Reset));
}

#[test]
fn pieces_keep_their_pauses_and_their_place() {
    let (a, b) = pair();
    let pause = Duration::from_millis(30);
    let begun = Instant::now();
    a.send_pieces(frame(b"abcd").into_iter().map(|byte| (vec![byte], pause)));
    a.send_frame(b"after");
    assert_eq!(expect_frame(&b), b"abcd");
    assert!(begun.elapsed() >= pause * 8);
    assert_eq!(expect_frame(&b), b"after");
    let sent = a.trace().iter().filter(|entry| matches!(entry.what, Trace::Sent { .. })).count();
    assert_eq!(sent, 9);
}

#[test]
fn the_largest_frame_goes_through_and_a_larger_one_ends_the_reading() {
    let (a, b) = pair();
    b.set_phase(Phase::Session);
    let payload: Vec<u8> = (0..SESSION_LIMIT).map(|index| (index % 251) as u8).collect();
    a.send_frame(&payload);
    assert!(expect_frame(&b) == payload, "16 MiB arrive as they were sent");
    let over = u32::try_from(SESSION_LIMIT).unwrap() + 1;
    a.send(&over.to_le_bytes());
    assert_eq!(expect_closed(&b), ClosingKind::TooLong { announced: SESSION_LIMIT + 1 });
}

#[test]
fn the_handshake_has_a_limit_of_its_own() {
    let (a, b) = pair();
    a.send_frame(&[0; HANDSHAKE_LIMIT]);
    a.send(&4097_u32.to_le_bytes());
    assert_eq!(expect_frame(&b).len(), HANDSHAKE_LIMIT);
    assert_eq!(expect_closed(&b), ClosingKind::TooLong { announced: HANDSHAKE_LIMIT + 1 });
}

#[test]
fn who_does_not_read_blocks_no_sender() {
    let small = ListenerOptions { receive_buffer: Some(4096), ..ListenerOptions::default() };
    let (a, b) = pair_with(ClientOptions::default(), ServerOptions::default(), small);
    for connection in [&a, &b] {
        connection.set_phase(Phase::Session);
        connection.set_reading(false);
    }
    for _ in 0..4 {
        a.send_frame(&vec![1; SESSION_LIMIT]);
        b.send_frame(&vec![2; SESSION_LIMIT]);
    }
    assert_eq!(a.flush(Instant::now() + Duration::from_millis(50)), Err(FlushError::TimedOut));
    // Both writers are blocked; both readers can still start and unblock them.
    a.set_reading(true);
    b.set_reading(true);
    for _ in 0..4 {
        assert_eq!(expect_frame(&a).len(), SESSION_LIMIT);
        assert_eq!(expect_frame(&b).len(), SESSION_LIMIT);
    }
}

#[test]
fn what_comes_after_reading_stops_stays_unread() {
    let (a, b) = pair();
    b.set_reading(false);
    a.send_frame(b"unheard");
    a.flush(soon()).unwrap();
    assert_eq!(b.next(Instant::now() + Duration::from_millis(30)), Received::TimedOut);
    b.set_reading(true);
    assert_eq!(expect_frame(&b), b"unheard");
}

#[test]
fn pings_are_answered_in_the_session_and_only_there() {
    let ping = [0xF0, 1, 2, 3, 4, 5, 6, 7, 8, 99];
    let pong = [0xF1, 1, 2, 3, 4, 5, 6, 7, 8];
    let (a, b) = pair();
    a.send_frame(&ping);
    assert_eq!(expect_frame(&b), ping);
    b.set_phase(Phase::Session);
    a.send_frame(&ping);
    assert_eq!(expect_frame(&a), pong);
    b.set_answer_pings(false);
    a.send_frame(&ping);
    assert_eq!(expect_frame(&b), ping);
    let answered: Vec<bool> = b.pings().iter().map(|ping| ping.answered).collect();
    assert_eq!(answered, [true, false]);
    a.send_frame(&ping[..8]);
    assert_eq!(expect_frame(&b), ping[..8], "too short to be answered");
}

#[test]
fn frames_can_be_put_back() {
    let (a, b) = pair();
    a.send_frame(b"first");
    a.send_frame(b"second");
    let Received::Frame { at, payload } = b.next(soon()) else { panic!("no frame") };
    b.put_back(at, payload);
    assert_eq!(expect_frame(&b), b"first");
    assert_eq!(expect_frame(&b), b"second");
    assert_eq!(b.try_next(), None);
}

#[test]
fn without_tls_only_the_end_is_told() {
    let listener = Listener::bind(LOCAL).unwrap();
    let a = Connection::dial_tcp(listener.address(), soon()).unwrap();
    let b = listener.accept(soon()).unwrap().stall().unwrap();
    a.send(b"GET / HTTP/1.1\r\n");
    a.close(Close::CloseNotifyThenFin);
    assert_eq!(expect_closed(&b), ClosingKind::Fin);
    assert!(
        b.trace()
            .iter()
            .any(|entry| matches!(&entry.what, Trace::Received { payload, .. } if payload.starts_with(b"GET")))
    );
}

#[test]
fn garbage_instead_of_tls_is_told() {
    let listener = Listener::bind(LOCAL).unwrap();
    let address = listener.address();
    let dialling = thread::spawn(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(&[0x80; 64]).unwrap();
        let _ = stream.read(&mut [0; 64]);
    });
    let error = listener.accept(soon()).unwrap().tls(ServerOptions::default(), soon()).expect_err("no TLS");
    assert!(matches!(error, ConnectError::Tls(_)), "{error:?}");
    dialling.join().unwrap();
}

#[test]
fn a_stalled_handshake_times_out() {
    let listener = Listener::bind(LOCAL).unwrap();
    let begun = Instant::now();
    let deadline = begun + Duration::from_millis(50);
    let error = Connection::dial(listener.address(), &ClientOptions::default(), deadline).expect_err("nobody answers");
    assert_eq!(error, ConnectError::TimedOut { awaited: "the TLS handshake" });
    assert_eq!(listener.accept(soon()).map(|incoming| incoming.at >= begun), Ok(true));
}

#[test]
fn ports_are_refused_until_listened_on_and_again_when_closed() {
    let reserved = ReservedPort::bind(LOCAL).unwrap();
    let address = reserved.address();
    assert_eq!(Connection::dial_tcp(address, soon()).expect_err("refused"), ConnectError::Refused(address));
    let listener = reserved.listen(ListenerOptions::default()).unwrap();
    assert_eq!(listener.address(), address);
    let connection = Connection::dial_tcp(address, soon()).unwrap();
    assert!(listener.accept(soon()).is_ok());
    assert_eq!((listener.pending(), listener.total()), (0, 1));
    listener.close();
    assert_eq!(Connection::dial_tcp(address, soon()).expect_err("refused"), ConnectError::Refused(address));
    assert_eq!(listener.accept(soon()).expect_err("closed"), AcceptError::Closed(address));
    connection.close(Close::Reset);
    let again = Listener::bind_again(address, ListenerOptions::default()).unwrap();
    assert_eq!(again.address(), address);
}

#[test]
fn the_threads_of_a_dropped_connection_end() {
    let (a, b) = pair();
    let (shared_a, shared_b) = (a.downgrade(), b.downgrade());
    a.send_frame(b"x");
    drop((a, b));
    let deadline = soon();
    while shared_a.strong_count() + shared_b.strong_count() > 0 {
        assert!(Instant::now() < deadline, "the threads of a dropped connection must end");
        thread::yield_now();
    }
}

#[test]
fn the_threads_of_an_orderly_close_do_not_wait_for_the_other_side_for_ever() {
    let (a, b) = pair();
    let shared = a.downgrade();
    a.close(Close::CloseNotifyThenFin);
    drop(a);
    let deadline = soon();
    while shared.strong_count() > 0 {
        assert!(Instant::now() < deadline, "the other side never closes, and must not be waited for");
        thread::yield_now();
    }
    assert_eq!(expect_closed(&b), ClosingKind::CloseNotify);
}
