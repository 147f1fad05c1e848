//! Nodes on other hosts: the example with network namespaces, by a part of the suite that meets every way in which nodes, peers and relays reach each
//! other. Needs root and `ip`; where it has neither it says so and passes, and fails with `SNOW_REQUIRE_ALL=1`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod needed;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/examples/namespaces")
}

/// Whether namespaces can be made here.
fn is_able() -> bool {
    static ABLE: OnceLock<bool> = OnceLock::new();
    *ABLE.get_or_init(probe)
}

fn probe() -> bool {
    let name = format!("snow-probe-{}", std::process::id());
    let ip = |what: &[&str]| Command::new("ip").args(what).stderr(Stdio::null()).status().is_ok_and(|it| it.success());
    let able = ip(&["netns", "add", &name])
        && ip(&["-n", &name, "link", "add", "switch", "type", "bridge"])
        && ip(&["-n", &name, "link", "add", "cable", "type", "veth"]);
    ip(&["netns", "delete", &name]);
    needed::or_left_out(able, "network namespaces, which need root and iproute2, cannot be made")
}

fn run(manifest: &str) -> Command {
    let mut command = Command::new(example().join("run"));
    command.arg(example().join(manifest)).env("SNOW_XTASK", assert_cmd::cargo::cargo_bin("xtask"));
    command
}

/// No namespace of the script with that process id is left.
fn nothing_is_left(id: u32) {
    let left = Command::new("ip").args(["netns", "list"]).output().unwrap();
    let left = String::from_utf8(left.stdout).unwrap();
    let own = |line: &&str| line.split_whitespace().any(|word| word.split('-').any(|part| part == id.to_string()));
    assert_eq!(left.lines().filter(own).collect::<Vec<_>>(), [""; 0]);
}

/// Judges by these cases: verdicts, with what was missing, and how many cases have each.
fn verdicts(manifest: &str, filters: &[&str]) -> BTreeMap<String, usize> {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("results.json");
    let mut command = run(manifest);
    command.args(filters).arg("--results").arg(&file).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let id = child.id();
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    nothing_is_left(id);
    let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert_eq!(status.code(), Some(0), "{said}");
    let results: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let mut verdicts = BTreeMap::new();
    for case in results["cases"].as_array().unwrap() {
        let missing = case["missing"].as_str().map_or_else(String::new, |missing| format!(" {missing}"));
        *verdicts.entry(format!("{}{missing}", case["verdict"].as_str().unwrap())).or_insert(0) += 1;
    }
    verdicts
}

/// Dials in both directions, peers under other names, members, relays and restarts, a kill, IPv6 and memory.
const CASES: [&str; 9] = [
    "handshake/right-cookie",
    "handshake/dial-with",
    "handshake/port-zero",
    "handshake/ipv6-node",
    "membership/",
    "room/",
    "RES-9",
    "resilience/matrix/initiator/",
    "descriptors-back",
];

#[test]
fn nodes_in_namespaces_are_judged_as_on_this_machine() {
    if !is_able() {
        return;
    }
    let verdicts = verdicts("node.yaml", &CASES);
    let keys: Vec<&str> = verdicts.keys().map(String::as_str).collect();
    assert_eq!(keys, ["pass", "skipped loopback"], "{verdicts:?}");
    assert!(verdicts["pass"] > 100, "{verdicts:?}");
}

#[test]
fn what_only_processes_here_can_show_is_skipped_and_named() {
    if !is_able() {
        return;
    }
    let verdicts = verdicts("as-by-ssh.yaml", &CASES);
    let keys: Vec<&str> = verdicts.keys().map(String::as_str).collect();
    assert_eq!(keys, ["pass", "skipped loopback", "skipped measuring", "skipped signals"], "{verdicts:?}");
    assert!(verdicts["pass"] > 100, "{verdicts:?}");
}

#[test]
fn namespaces_are_removed_when_the_run_is_broken_off() {
    if !is_able() {
        return;
    }
    let mut child = run("node.yaml").arg("membership/").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let id = child.id();
    let node = format!("snow-node-{id}-0");
    let is_running = || {
        let pids = Command::new("ip").args(["netns", "pids", &node]).output().unwrap();
        !pids.stdout.is_empty()
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_running() && child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "no node was started");
        thread::sleep(Duration::from_millis(20));
    }
    Command::new("kill").arg(id.to_string()).status().unwrap();
    assert!(!child.wait().unwrap().success());
    nothing_is_left(id);
}
