//! The way in, as an implementer begins it: each skeleton is right as it is made, and rungs are what they are said to be.
//!
//! A skeleton whose toolchain is not on this machine is left out, and named; `SNOW_REQUIRE_ALL=1` makes that a failure.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod needed;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use assert_cmd::Command;
use predicates::str::contains;
use serde_json::Value;
use tempfile::TempDir;

fn xtask() -> Command {
    Command::cargo_bin("xtask").unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn made(language: &str, folder: &Path) {
    xtask().arg("new-node").arg(language).arg(folder).assert().code(0).stdout(contains("wrote"));
}

/// The doctor has no complaint, and rung 0 is reached.
fn skeleton(language: &str, program: &str, question: &str) {
    if !needed::program(program, &[question]) {
        return;
    }
    let folder = TempDir::new().unwrap();
    let node = folder.path().join("polar-bear");
    made(language, &node);
    let manifest = node.join("node.yaml");
    assert!(fs::read_to_string(&manifest).unwrap().contains("name: polar-bear"));
    assert!(node.join(".gitignore").is_file() && node.join("README.md").is_file());
    xtask().args(["doctor", "--node"]).arg(&manifest).assert().code(0).stdout(contains(" 0 failed"));
    xtask()
        .args(["conformance", "--rung", "0", "--node"])
        .arg(&manifest)
        .assert()
        .code(0)
        .stdout(contains("rung 0 of 6 (bytes) reached"));
}

#[test]
fn the_skeleton_in_python_passes_rung_0() {
    skeleton("python", "python3", "--version");
}

#[test]
fn the_skeleton_in_go_passes_rung_0() {
    skeleton("go", "go", "version");
}

#[test]
fn the_skeleton_in_typescript_passes_rung_0() {
    skeleton("typescript", "npm", "--version");
}

#[test]
fn the_skeleton_in_rust_passes_rung_0() {
    skeleton("rust", "cargo", "--version");
}

/// A template without a test of its own is noticed.
#[test]
fn every_template_is_known() {
    let mut names: Vec<String> = fs::read_dir(root().join("conformance/templates"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["bare", "go", "python", "rust", "typescript"]);
}

#[test]
fn what_is_there_is_not_overwritten_and_languages_are_listed() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("mine"), "precious").unwrap();
    xtask().args(["new-node", "python"]).arg(folder.path()).assert().code(2).stderr(contains("no empty folder"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    xtask()
        .args(["new-node", "cobol"])
        .arg(folder.path().join("new"))
        .assert()
        .code(2)
        .stderr(contains("bare, go, python, rust, typescript"));
    assert!(!folder.path().join("new").exists());
}

#[test]
fn any_other_language_gets_what_it_can_be_given() {
    let folder = TempDir::new().unwrap();
    let node = folder.path().join("abacus");
    made("bare", &node);
    assert!(fs::read_to_string(node.join("README.md")).unwrap().contains("no rung yet"));
    let vectors: Value = serde_json::from_slice(&fs::read(node.join("vectors/handshake.json")).unwrap()).unwrap();
    assert!(vectors["vectors"][0]["payload"].is_string());
    // Honest about itself: there is no program yet.
    xtask().args(["doctor", "--node"]).arg(node.join("node.yaml")).assert().code(3).stdout(contains("FAIL start"));
}

#[test]
fn rungs_are_listed_and_are_the_limit_that_they_are_said_to_be() {
    let output = xtask().args(["conformance", "--list", "--rung", "wire"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let rungs: BTreeSet<&str> = text.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(rungs, BTreeSet::from(["0", "1"]));
    xtask().args(["conformance", "--rung", "9"]).assert().code(2).stderr(contains("6 supervisor"));
    xtask()
        .args(["conformance", "supervisor/", "--rung", "1"])
        .assert()
        .code(2)
        .stderr(contains("above rung 1 (wire)"));
}

/// The transcript of control lines is what a node says that passes rung 0.
#[test]
fn the_transcript_is_true() {
    if !needed::program("python3", &["--version"]) {
        return;
    }
    let text = fs::read_to_string(root().join("conformance/templates/bare/transcript.txt")).unwrap();
    let lines = |arrow: &str| -> Vec<&str> { text.lines().filter_map(|line| line.strip_prefix(arrow)).collect() };
    let mut process = std::process::Command::new("python3")
        .args(["-B", "adapter.py"])
        .current_dir(root().join("conformance/templates/python"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(lines("-->").join("\n").as_bytes()).unwrap();
    let said = process.wait_with_output().unwrap();
    assert!(said.status.success());
    let read = |line: &str| -> Value {
        let mut line: Value = serde_json::from_str(line).unwrap();
        // Names and messages are everybody's own.
        line["error"].as_object_mut().map(|error| error.remove("message"));
        line["result"].as_object_mut().map(|result| result.remove("language"));
        line
    };
    let said: Vec<Value> = String::from_utf8(said.stdout).unwrap().lines().map(read).collect();
    let wanted: Vec<Value> = lines("<--").into_iter().map(read).collect();
    assert_eq!(said, wanted);
}
