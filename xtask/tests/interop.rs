//! Mixed clusters as people meet them: who is blamed, what repeats it, and what becomes of implementations that are not there.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::PathBuf;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Two nodes: the second is the one that tells of a kill.
const CASE: &str = "process/kill-across-real-nodes-is-told-as-killed";

fn interop() -> Command {
    let mut command = Command::cargo_bin("xtask").unwrap();
    command.arg("interop");
    command
}

fn manifest(folder: &TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("node.yaml");
    fs::write(&path, text).unwrap();
    path
}

/// The reference with a fault that breaks the case in one of its two roles.
fn faulty(folder: &TempDir) -> PathBuf {
    let run = "run: ['{target_directory}/debug/snow-node', --control, --fault, kills-are-told-as-errors]";
    manifest(folder, &format!("name: faulty\nlanguage: Rust\n{run}\n"))
}

#[test]
fn the_node_that_is_broken_is_blamed_and_the_case_repeats() {
    let folder = TempDir::new().unwrap();
    let (faulty, file) = (faulty(&folder), folder.path().join("r.json"));
    interop()
        .arg("--nodes")
        .arg(format!("reference,{}", faulty.display()))
        .args([CASE, "--results"])
        .arg(&file)
        .assert()
        .code(1)
        .stdout(
            contains("2 clusters of reference,")
                .and(contains("nodes        a: reference, b: faulty"))
                .and(contains("blame        faulty as node b (passes when the reference plays b)"))
                .and(contains("1 of 2 MUST cases passed")),
        );
    let results: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    assert_eq!(results["implementations"][1]["name"], "faulty");
    let cases = results["cases"].as_array().unwrap();
    let of = |verdict: &str| cases.iter().find(|case| case["verdict"] == verdict).unwrap();
    assert_eq!(of("pass")["nodes"], json!({"a": "faulty", "b": "reference"}));
    assert_eq!(of("pass").get("blame"), None);
    assert_eq!(of("fail")["nodes"], json!({"a": "reference", "b": "faulty"}));
    assert_eq!(of("fail")["blame"], json!({"kind": "nodes", "nodes": {"b": "faulty"}}));

    let repeat = of("fail")["failure"]["repeat"].as_str().unwrap();
    let assign = format!("a=reference,b={}", faulty.display());
    assert_eq!(repeat, format!("cargo xtask interop --assign {assign} '{CASE}'"));
    interop()
        .args(["--assign", &assign, CASE])
        .assert()
        .code(1)
        .stdout(contains("1 cluster of").and(contains("FAIL 1")));
    interop().args(["--assign", &format!("a={}", faulty.display()), CASE]).assert().code(0);
}

#[test]
fn an_implementation_that_cannot_be_built_here_is_left_out_unless_all_are_required() {
    let folder = TempDir::new().unwrap();
    let absent = manifest(&folder, "name: absent\nlanguage: x\nbuild: [no-such-compiler]\nrun: [./n]\n");
    let nodes = format!("reference,{}", absent.display());
    let says = contains("absent").and(contains("no-such-compiler"));
    interop()
        .args(["--nodes", &nodes, CASE])
        .assert()
        .code(2)
        .stdout(contains("left out").and(says.clone()))
        .stderr(contains("need two"));
    interop().args(["--require-all", "--nodes", &nodes, CASE]).assert().code(3).stderr(says);
}

#[test]
fn wrong_usage_ends_with_2() {
    interop().args(["--nodes", "reference,no-such-node"]).assert().code(2).stderr(contains("no-such-node"));
    interop().args(["--assign", "reference", CASE]).assert().code(2).stderr(contains("<node>=<implementation>"));
    interop().args(["--assign", "z=reference", CASE]).assert().code(2).stderr(contains("has the nodes z"));
    interop().arg("handshake/right-cookie-is-answered-with-ack").assert().code(2).stderr(contains("several nodes"));
}
