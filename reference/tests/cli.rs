//! The command line: what it prints, and how it exits.

#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    io::Write,
    process::{Command as Process, Stdio},
    time::Duration,
};

use assert_cmd::Command;
use predicates::{prelude::PredicateBooleanExt, str::contains};

fn node() -> Command {
    let mut command = Command::cargo_bin("snow-node").unwrap();
    command.timeout(Duration::from_secs(20));
    command
}

fn cookie(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

#[test]
fn help_tells_both_ways_to_run_it() {
    node().arg("--help").assert().success().stdout(contains("--control").and(contains("--cookie-file")));
}

#[test]
fn bad_usage_is_one_line_and_a_status() {
    node().assert().code(2);
    node().args(["--control", "--name", "a@h"]).assert().code(2);
    node().args(["--name", "a@h", "--cookie-file", "c", "--heartbeat-interval-ms", "0"]).assert().code(2);
    let file = cookie(b"secret");
    let path = file.path().to_str().unwrap();
    for (arguments, complaint) in [
        (vec!["--name", "a", "--cookie-file", path], "--name \"a\" has no `@`"),
        (vec!["--name", "a@127.0.0.1:0", "--cookie-file", "/nowhere"], "cannot read the cookie file /nowhere"),
        (vec!["--name", "a@127.0.0.1:0", "--cookie-file", path, "--connect", "b@h:0"], "port 0"),
        (vec!["--name", "a@127.0.0.1:0", "--cookie-file", path, "--listen", "x"], "--listen \"x\" is not host:port"),
        (vec!["--control", "--fault", "nonsense"], "there is no fault \"nonsense\""),
    ] {
        let assert = node().args(&arguments).assert().code(1).stderr(contains(complaint));
        let stderr = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
    let empty = cookie(b"");
    node()
        .args(["--name", "a@127.0.0.1:0", "--cookie-file", empty.path().to_str().unwrap()])
        .assert()
        .code(1)
        .stderr(contains("is empty"));
}

#[test]
fn faults_are_listed_as_json() {
    let assert = node().arg("--list-faults").assert().success();
    let faults: Vec<serde_json::Value> = serde_json::from_slice(&assert.get_output().stdout).unwrap();
    assert!(faults.len() >= 3);
    for fault in faults {
        for field in ["id", "requirement", "description"] {
            assert!(fault[field].is_string(), "{fault}");
        }
    }
}

#[test]
fn control_ends_with_its_input() {
    node()
        .arg("--control")
        .write_stdin(
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"node.self\"}\nnonsense\n{}\n{\"id\":2,\"method\":\"x\"}\n",
        )
        .assert()
        .success()
        .stdout(
            contains("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"name\":\"nonode@nohost\",\"creation\":0}}\n")
                .and(contains("-32700"))
                .and(contains("-32600"))
                .and(contains("-32601")),
        );
}

#[test]
fn lines_nested_to_any_depth_are_answered() {
    let (open, close) = (r#"{"kind":"some","value":"#, "}");
    let encode = |id: u64, around: usize| {
        let term = format!(r#"{}{{"kind":"unit"}}{}"#, open.repeat(around), close.repeat(around));
        format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"term.encode\",\"params\":{{\"term\":{term}}}}}\n")
    };
    let some = |values: usize| "28".repeat(values);
    let lists = format!("{}1{}", "[".repeat(500_000), "]".repeat(500_000));
    let input = [
        encode(1, 999),
        encode(2, 1_000),
        encode(3, 500_000),
        format!("{{\"id\":4,\"method\":\"term.decode\",\"params\":{{\"bytes\":\"01{}06\"}}}}\n", some(999)),
        format!("{{\"id\":5,\"method\":\"term.decode\",\"params\":{{\"bytes\":\"01{}06\"}}}}\n", some(1_000_000)),
        format!("{{\"id\":6,\"method\":\"node.self\",\"params\":{lists}}}\n"),
        format!("{lists}\n"),
        format!("{}\n", "[".repeat(1_000_000)),
        "{\"id\":7,\"method\":\"initialize\",\"params\":{\"protocol\":5}}\n".to_owned(),
    ];
    let assert = node().arg("--control").write_stdin(input.concat()).assert().success();
    let output = String::from_utf8(assert.get_output().stdout.clone()).unwrap();
    let lines: Vec<&str> = output.lines().collect();
    let expected = [
        &format!("\"id\":1,\"result\":{{\"bytes\":\"01{}06\"}}", some(999))[..],
        "\"id\":2,\"error\":{\"code\":-32021",
        "\"id\":3,\"error\":{\"code\":-32021",
        &format!("\"id\":4,\"result\":{{\"term\":{}{{\"kind\":\"unit\"}}{}", open.repeat(999), close.repeat(999)),
        "\"id\":5,\"error\":{\"code\":-32020",
        "\"id\":6,\"error\":{\"code\":-32602",
        "\"id\":null,\"error\":{\"code\":-32600",
        "\"id\":null,\"error\":{\"code\":-32700",
        "\"id\":7,\"result\":{\"implementation\"",
    ];
    assert_eq!(lines.len(), expected.len());
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.contains(expected), "{:.80} is not {expected:.80}", line);
    }
    assert_eq!(output.matches("too_deep").count(), 3);
}

#[test]
fn a_node_by_hand_stops_on_sigterm_and_never_shows_the_cookie() {
    let file = cookie(b"very-secret-cookie");
    let child = Process::new(env!("CARGO_BIN_EXE_snow-node"))
        .args(["--name", "a@127.0.0.1:0", "--cookie-file", file.path().to_str().unwrap()])
        .args(["--connect", "b@127.0.0.1:1"])
        .env("RUST_LOG", "trace")
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let id = child.id().to_string();
    // The log line that the failed dial leaves says that the node is up.
    let (lines, stopped) = std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            use std::io::{BufRead, BufReader};
            let mut child = child;
            let mut lines = Vec::new();
            for line in BufReader::new(child.stderr.take().unwrap()).lines() {
                let line = line.unwrap();
                if line.contains("no session came about") {
                    assert!(Process::new("kill").args(["-TERM", &id]).status().unwrap().success());
                }
                lines.push(line);
            }
            (lines, child.wait().unwrap())
        });
        reader.join().unwrap()
    });
    assert!(stopped.success());
    let log = lines.join("\n");
    assert!(log.contains("started") && log.contains("stopping"), "{log}");
    assert!(!log.contains("very-secret-cookie"), "{log}");
}
