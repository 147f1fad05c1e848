//! The trivial nodes, as the harness meets them: each does what its name says, and the harness says what it is.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use conformance::cluster::{
    AdapterFault, CallError, CommandLine, ControlClient, Manifest, Mode, NodeProcess, Pipes, StoppedBy, WireOnlyNode,
    WireOnlyStart,
};
use conformance::peer::{ClientOptions, ClosingKind, ConnectError, Connection, Phase, Received};
use conformance::probe::{self, ProbeFinding};
use conformance::websocket::{Member, MemberError};
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_trivial-node");

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn shortly() -> Instant {
    Instant::now() + Duration::from_millis(50)
}

fn start(mode: &str) -> (NodeProcess, ControlClient) {
    let command = CommandLine { words: vec![PROGRAM.to_owned(), mode.to_owned()], directory: PathBuf::from("/") };
    let process = NodeProcess::spawn(&command, Pipes::Control).unwrap();
    let client = ControlClient::attach(&process).unwrap();
    (process, client)
}

/// A node that has been started by control, and what it answered.
fn node(mode: &str) -> (NodeProcess, ControlClient, Value) {
    let (process, client) = start(mode);
    client.initialize(soon()).unwrap();
    let params = json!({"name": "n@127.0.0.1:0", "cookie": "00"});
    let started = client.call("node.start", params, soon()).unwrap();
    (process, client, started)
}

fn address(started: &Value) -> SocketAddr {
    started["name"].as_str().unwrap().strip_prefix("n@").unwrap().parse().unwrap()
}

fn dial(started: &Value) -> Connection {
    Connection::dial(address(started), &ClientOptions::default(), soon()).unwrap()
}

fn fault(mode: &str) -> AdapterFault {
    let (_process, client) = start(mode);
    match client.initialize(soon()) {
        Err(CallError::AdapterFault(fault)) => fault,
        other => panic!("wanted an adapter's fault, got {other:?}"),
    }
}

#[test]
fn close_closes_and_stall_stalls() {
    let (_process, _client, started) = node("close");
    let error = Connection::dial(address(&started), &ClientOptions::default(), soon()).expect_err("closed");
    assert!(matches!(error, ConnectError::Closed | ConnectError::Reset), "{error}");
    let (_process, _client, started) = node("stall");
    let error = Connection::dial(address(&started), &ClientOptions::default(), shortly()).expect_err("stalled");
    assert!(matches!(error, ConnectError::TimedOut { .. }), "{error}");
}

#[test]
fn agree_has_an_answer_to_each_step() {
    let (_process, _client, started) = node("agree");
    let connection = dial(&started);
    connection.send_frame(b"\x01\x05\0p@h:1\x01");
    let Received::Frame { payload, .. } = connection.next(soon()) else { panic!("no CHALLENGE") };
    assert_eq!((payload[0], payload.len()), (2, 1 + 2 + started["name"].as_str().unwrap().len() + 1 + 32));
    connection.send_frame(&[&[3_u8][..], &[0; 64]].concat());
    let Received::Frame { payload, .. } = connection.next(soon()) else { panic!("no ACK") };
    assert_eq!((payload[0], payload.len()), (4, 33));
    connection.set_phase(Phase::Session);
    connection.send_frame(b"\xF012345678");
    assert!(matches!(connection.next(soon()), Received::Frame { payload, .. } if payload == b"\xF112345678"));
}

#[test]
fn garbage_is_garbage() {
    let (_process, _client, started) = node("garbage");
    // Four random bytes announce too long a frame, but for once in a million.
    match dial(&started).next(soon()) {
        Received::Closed(closing) => assert!(matches!(closing.kind, ClosingKind::TooLong { .. }), "{closing:?}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_say_yes_to_every_request() {
    let (process, client, started) = node("agree");
    let pid = json!({"node": "n@127.0.0.1:1", "creation": 1, "local": 1});
    for (method, params) in [
        ("node.self", json!({})),
        ("node.connect", json!({"node": "p@127.0.0.1:1"})),
        ("node.list", json!({})),
        ("barrier", json!({})),
        ("process.spawn", json!({"function": "collector"})),
        ("process.exit", json!({"pid": pid, "reason": {"kind": "normal"}})),
        ("process.send", json!({"to": pid, "bytes": "00"})),
        ("process.alive", json!({"pid": pid})),
        ("process.link", json!({"pid": pid, "to": pid})),
        ("process.monitor", json!({"pid": pid, "target": pid})),
        ("node.monitor", json!({"pid": pid, "node": "p@127.0.0.1:1"})),
        ("supervisor.start", json!({"children": [{"id": "a"}]})),
        ("supervisor.start_child", json!({"supervisor": pid})),
        ("supervisor.children", json!({"supervisor": pid})),
        ("supervisor.stop", json!({"supervisor": pid})),
        ("term.decode", json!({"bytes": "0106"})),
        ("term.encode", json!({"term": {"kind": "unit"}})),
        ("global.register", json!({"name": "x", "pid": pid})),
        ("global.whereis", json!({"name": "x"})),
        ("global.unregister", json!({"name": "x"})),
        ("global.names", json!({})),
        ("room.broadcast", json!({"room": "r", "text": "t"})),
        ("codec.decode", json!({"phase": "session", "bytes": "f0"})),
        ("codec.encode", json!({"message": "PING", "fields": {}})),
        ("codec.frames", json!({"phase": "session", "bytes": ""})),
        ("codec.proof", json!({"cookie": "00", "challenge": ""})),
    ] {
        let answer = client.call(method, params, soon());
        assert!(answer.is_ok(), "{method}: {answer:?}");
    }
    let events = client.events();
    let told: Vec<&str> = events.iter().map(|event| event.method.as_str()).collect();
    let hoped = ["process.ended", "process.message", "process.exited", "process.down", "node.up", "process.ended"];
    assert_eq!(told, hoped);
    let member = Member::connect(started["websocket"].as_str().unwrap(), "r", soon()).unwrap();
    assert_eq!(member.next(shortly()), Err(MemberError::TimedOut("a room text")));
    client.call("shutdown", json!({}), soon()).unwrap();
    assert_eq!(process.wait(soon()).unwrap().status.code(), Some(0));
}

fn probed(mode: &str, claimed: &[&str]) -> Vec<ProbeFinding> {
    let command = CommandLine { words: vec![PROGRAM.to_owned(), mode.to_owned()], directory: PathBuf::from("/") };
    let claimed: Vec<String> = claimed.iter().map(|name| (*name).to_owned()).collect();
    probe::capabilities(&command, &claimed).unwrap()
}

#[test]
fn a_node_that_says_yes_to_everything_is_seen_through() {
    let findings = probed("agree", &["registry", "process", "supervisor", "rooms", "codec", "term"]);
    let caught: Vec<&str> =
        findings.iter().filter(|one| one.problem.is_some()).map(|one| one.capability.as_str()).collect();
    assert_eq!(caught, ["codec", "term", "registry", "supervisor"]);
    let supervisor = findings.iter().find(|one| one.capability == "supervisor").unwrap().problem.as_deref().unwrap();
    assert!(supervisor.contains("`supervisor.children`") && supervisor.contains("-32007"), "{supervisor}");
}

#[test]
fn what_is_not_claimed_and_works_is_noticed() {
    let findings = probed("agree", &["registry", "term"]);
    let works: Vec<&str> = findings
        .iter()
        .filter(|one| !one.claimed && one.problem.is_none())
        .map(|one| one.capability.as_str())
        .collect();
    assert_eq!(works, ["process", "rooms"]);
    assert_eq!(findings.len(), 6);
}

#[test]
fn broken_adapters_are_told_apart() {
    assert!(matches!(fault("babble"), AdapterFault::NotJson { line, .. } if line.contains("working on it")));
    assert!(matches!(fault("wrong-id"), AdapterFault::UnknownId { id: 1001, .. }));
    assert!(matches!(fault("bad-result"), AdapterFault::NotInSchema { problem, .. } if problem.contains("initialize")));
    assert!(matches!(fault("skips-seq"), AdapterFault::Sequence { expected: 1, found: 2, .. }));
    let (_process, client) = start("exit-at-start");
    let error = client.initialize(soon()).expect_err("it is gone");
    assert!(matches!(&error, CallError::Exited { log, .. } if log.contains("before it begins")), "{error}");
    let (_process, client) = start("never-answers");
    assert!(matches!(client.initialize(shortly()), Err(CallError::TimedOut { .. })));
}

#[test]
fn ends_that_are_not_in_order_are_seen() {
    let (process, client) = start("ignores-end");
    client.initialize(soon()).unwrap();
    assert_eq!(process.stop(Duration::from_millis(50)).unwrap().by, StoppedBy::Termination);
    let (process, client) = start("leaves-child");
    client.initialize(soon()).unwrap();
    let stopped = process.stop(Duration::from_secs(20)).unwrap();
    assert_eq!(stopped.by, StoppedBy::Itself);
    assert_eq!(stopped.exit.left_behind.len(), usize::from(cfg!(target_os = "linux")));
}

#[test]
fn every_manifest_can_be_loaded_and_run() {
    let target = Path::new(PROGRAM).parent().and_then(Path::parent).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("nodes/trivial");
    let files = [folder.clone(), folder.join("adapters")].map(|folder| fs::read_dir(folder).unwrap());
    let mut wire_only = 0;
    for path in files.into_iter().flatten().map(|entry| entry.unwrap().path()) {
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let manifest = Manifest::load(&path, target).unwrap();
        if manifest.mode == Mode::Control {
            let process = NodeProcess::spawn(&manifest.run, Pipes::Control).unwrap();
            drop(process);
        } else {
            wire_only += 1;
            let node = WireOnlyNode::start(&manifest.run, &WireOnlyStart::new("n", b"secret"), soon()).unwrap();
            let connection = Connection::dial(node.address, &ClientOptions::default(), soon()).unwrap();
            connection.send_frame(b"\x01\x05\0p@h:1\x01");
            assert!(matches!(connection.next(soon()), Received::Frame { .. }), "{}", node.name);
            assert_eq!(node.process.stop(Duration::from_secs(20)).unwrap().by, StoppedBy::Termination);
        }
    }
    assert_eq!(wire_only, 1);
}
