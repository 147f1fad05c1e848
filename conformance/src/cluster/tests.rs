//! Processes and control lines, with shell scripts as nodes.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;

use super::*;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn shell(script: &str) -> CommandLine {
    CommandLine { words: vec!["/bin/sh".to_owned(), "-c".to_owned(), script.to_owned()], directory: PathBuf::from("/") }
}

fn spawn(script: &str) -> NodeProcess {
    NodeProcess::spawn(&shell(script), Pipes::Control).unwrap()
}

fn talk(script: &str) -> (NodeProcess, ControlClient) {
    let process = spawn(script);
    let client = ControlClient::attach(&process).unwrap();
    (process, client)
}

fn adapter_fault(script: &str) -> AdapterFault {
    let (_process, client) = talk(script);
    match client.call("barrier", json!({}), soon()) {
        Err(CallError::AdapterFault(fault)) => fault,
        other => panic!("wanted an adapter's fault, got {other:?}"),
    }
}

/// Waits for a line of the log: what a script has done so far.
fn await_log(process: &NodeProcess, text: &str) {
    let deadline = soon();
    while !process.log().iter().any(|line| line.text == text) {
        assert!(Instant::now() < deadline, "the log never said {text}");
        assert_eq!(process.wait(Instant::now() + Duration::from_millis(5)), None);
    }
}

/// Waits until a process is dead, reaped by whoever adopted it or not.
#[cfg(target_os = "linux")]
fn await_gone(id: &str) {
    let deadline = soon();
    while PathBuf::from(format!("/proc/{id}/cwd")).read_link().is_ok() {
        assert!(Instant::now() < deadline, "process {id} must be gone");
        std::thread::yield_now();
    }
}

fn answer(id: u32) -> String {
    format!(r#"echo '{{"jsonrpc":"2.0","id":{id},"result":{{}}}}';"#)
}

#[test]
fn the_end_of_input_stops_a_node() {
    let process = spawn("cat >/dev/null; exit 3");
    let stopped = process.stop(Duration::from_secs(20)).unwrap();
    assert_eq!((stopped.by, stopped.exit.status.code()), (StoppedBy::Itself, Some(3)));
    assert!(stopped.exit.left_behind.is_empty());
}

#[test]
fn a_node_that_ignores_everything_is_killed() {
    let process = spawn("trap '' TERM; echo ready >&2; while :; do sleep 1; done");
    await_log(&process, "ready");
    let stopped = process.stop(Duration::from_millis(50)).unwrap();
    assert_eq!(stopped.by, StoppedBy::Killing);
    assert_eq!(stopped.exit.to_string(), "was ended by signal 9");
}

#[cfg(target_os = "linux")]
#[test]
fn a_child_left_behind_is_found_and_ended() {
    let process = spawn("sleep 1000 & echo $! >&2; exit 0");
    let exit = process.wait(soon()).unwrap();
    assert_eq!(exit.left_behind.len(), 1, "{exit}");
    assert_eq!(exit.left_behind[0].command, "sleep");
    assert_eq!(process.log()[0].text, exit.left_behind[0].id.to_string());
    await_gone(&process.log()[0].text);
}

#[cfg(target_os = "linux")]
#[test]
fn dropping_ends_the_whole_group() {
    let process = spawn("trap '' TERM; sleep 1000 & echo $! >&2; echo ready >&2; wait; wait");
    await_log(&process, "ready");
    let child = process.log()[0].text.clone();
    let inner = process.inner().clone();
    drop(process);
    assert!(inner.exit().is_some());
    await_gone(&child);
}

#[cfg(target_os = "linux")]
#[test]
fn a_node_can_be_frozen_and_measured() {
    let process = spawn("while read line; do echo $line >&2; done");
    assert!(process.resident_memory().unwrap() > 0);
    assert!(process.open_files().unwrap() >= 3);
    assert!(process.freeze(Instant::now() + Duration::from_secs(10)));
    process.inner().write_line(b"hello\n".to_vec());
    assert_eq!(process.wait(Instant::now() + Duration::from_millis(30)), None);
    assert_eq!(process.log(), []);
    process.thaw();
    await_log(&process, "hello");
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_frozen_stands_still_as_a_whole() {
    let process = spawn("for i in 1 2 3; do while :; do :; done & done; echo ready >&2; wait");
    await_log(&process, "ready");
    let group = process.inner().group();
    assert!(!group.stands_still());
    assert!(process.freeze(Instant::now() + Duration::from_secs(10)));
    assert!(group.stands_still() && group.members().len() == 4);
}

#[test]
fn what_cannot_be_started_is_said() {
    let command = CommandLine { words: vec!["./no-such-node".to_owned()], directory: PathBuf::from("/") };
    let error = NodeProcess::spawn(&command, Pipes::Control).expect_err("there is no such program");
    assert!(error.to_string().contains("./no-such-node"), "{error}");
}

#[test]
fn calls_overlap_and_answers_find_their_calls() {
    let script = format!("read a; read b; {}{} cat >/dev/null", answer(2), answer(1));
    let (_process, client) = talk(&script);
    let first = client.start_call("node.connect", json!({"node": "a@h"}));
    let second = client.start_call("barrier", json!({}));
    assert_eq!(first.wait(soon()), Ok(json!({})));
    assert!(second.answered_at().is_some());
    assert_eq!(second.wait(soon()), Ok(json!({})));
}

#[test]
fn errors_are_the_nodes_own() {
    let script = r#"read a; echo '{"jsonrpc":"2.0","id":1,"error":{"code":-32004,"message":"no"}}'; cat >/dev/null"#;
    let (_process, client) = talk(script);
    let error = client.call("node.connect", json!({"node": "a@h"}), soon()).expect_err("refused");
    assert_eq!(error, CallError::Rpc(RpcError { code: -32004, message: "no".to_owned(), data: None }));
}

#[test]
fn events_are_taken_one_by_one() {
    let event = |seq: u32, node: &str| {
        let params = format!(r#"{{"seq":{seq},"node":"{node}","creation":1}}"#);
        format!(r#"echo '{{"jsonrpc":"2.0","method":"session.opened","params":{params}}}';"#)
    };
    let (_process, client) = talk(&format!("{}{}{} cat >/dev/null", event(1, "a@h"), event(2, "b@h"), event(3, "a@h")));
    let take =
        |node: &str| client.next_event(soon(), "session.opened", |event| event.params["node"] == node).unwrap().seq;
    assert_eq!([take("b@h"), take("a@h"), take("a@h")], [2, 1, 3]);
    assert_eq!(client.events().len(), 3);
    let at_once = Instant::now();
    let error = client.next_event(at_once, "session.opened by c@h", |_| true).expect_err("none left");
    assert_eq!(error.to_string(), "timed out waiting for session.opened by c@h");
    let gap = adapter_fault(&format!("{}{} cat >/dev/null", event(1, "a@h"), event(3, "a@h")));
    assert!(matches!(gap, AdapterFault::Sequence { expected: 2, found: 3, .. }), "{gap}");
}

#[test]
fn many_events_are_taken_together_or_not_at_all() {
    let pid = r#"{"node":"a@h","creation":1,"local":%d}"#;
    let params = format!(r#"{{"seq":%d,"pid":{pid},"bytes":"%04x"}}"#);
    let line = format!(r#"{{"jsonrpc":"2.0","method":"process.message","params":{params}}}"#);
    // Two processes take turns, 10,000 messages each.
    let script = format!("seq 20000 | awk '{{ printf f \"\\n\", $1, $1 % 2, $1 }}' f='{line}'; cat >/dev/null");
    let (_process, client) = talk(&script);
    let take = |deadline, count, local: u64| {
        client.next_events(deadline, "messages", count, |event| event.params["pid"]["local"] == local)
    };
    let odd = take(soon(), 10_000, 1).unwrap();
    assert!(odd.iter().zip((1..).step_by(2)).all(|(event, number)| event.params["bytes"] == format!("{number:04x}")));
    let at_once = || Instant::now() + Duration::from_millis(20);
    let error = take(at_once(), 1, 1).expect_err("all are taken");
    assert_eq!(error.to_string(), "timed out waiting for messages");
    take(soon(), 9_999, 0).unwrap();
    take(at_once(), 2, 0).expect_err("one is left");
    assert_eq!(client.untaken_events().len(), 1);
    assert_eq!(take(soon(), 1, 0).unwrap()[0].seq, 20_000);
}

#[test]
fn adapters_are_told_their_mistakes() {
    let fault = adapter_fault("echo node is up; cat >/dev/null");
    assert!(matches!(&fault, AdapterFault::NotJson { line, .. } if line == "node is up"), "{fault}");
    let fault = adapter_fault(&format!("read a; {} cat >/dev/null", answer(7)));
    assert!(matches!(fault, AdapterFault::UnknownId { id: 7, .. }), "{fault}");
    let fault = adapter_fault("exec >&-; cat >/dev/null");
    assert!(matches!(fault, AdapterFault::OutputClosed { .. }), "{fault}");
    let (_process, client) = talk(&format!("read a; {} cat >/dev/null", answer(1)));
    let error = client.call("node.self", json!({}), soon()).expect_err("the result has no name");
    assert!(matches!(error, CallError::AdapterFault(AdapterFault::NotInSchema { .. })), "{error}");
}

#[test]
fn a_node_that_dies_says_its_last_words() {
    let (_process, client) = talk("read a; echo out of luck >&2; exit 4");
    let error = client.call("barrier", json!({}), soon()).expect_err("it died");
    let CallError::Exited { exit, log, .. } = &error else { panic!("{error}") };
    assert_eq!((exit.status.code(), log.as_str()), (Some(4), "out of luck"));
}

#[test]
fn silence_times_out_and_names_what_was_awaited() {
    let (_process, client) = talk("cat >/dev/null");
    let error = client.call("barrier", json!({}), Instant::now() + Duration::from_millis(20)).expect_err("no answer");
    assert_eq!(error.to_string(), "timed out waiting for the answer to barrier (id 1)");
}

#[test]
fn a_wire_only_node_that_does_not_come_up_says_why() {
    let run = shell("cat {cookie_file} >&2; echo {name} {host} {port} >&2; exit 1");
    let error = WireOnlyNode::start(&run, &WireOnlyStart::new("n", b"secret"), soon()).expect_err("it exits");
    let StartError::Exited { log, address, .. } = &error else { panic!("{error}") };
    let port = address.port();
    assert_eq!(*log, format!("secretn@127.0.0.1:{port} 127.0.0.1 {port}"));
    let deadline = Instant::now() + Duration::from_millis(50);
    let error = WireOnlyNode::start(&shell("sleep 100"), &WireOnlyStart::new("n", b"secret"), deadline);
    assert!(matches!(error, Err(StartError::TimedOut { .. })));
}
