//! The command line as people meet it: one clear line and the right exit code, whatever they type and whatever node they bring.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use tempfile::TempDir;

/// A case that every node with an adapter can be asked to pass.
const CASE: &str = "handshake/right-cookie-is-answered-with-ack";

fn xtask() -> Command {
    Command::cargo_bin("xtask").unwrap()
}

fn trivial(manifest: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/nodes/trivial").join(manifest)
}

/// Judges a node by one case.
fn judge(manifest: &Path) -> assert_cmd::assert::Assert {
    xtask().args(["conformance", "--node"]).arg(manifest).arg(CASE).assert()
}

fn manifest(folder: &TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("node.yaml");
    fs::write(&path, text).unwrap();
    path
}

/// One line, and no panic's backtrace.
fn one_line() -> impl Predicate<str> {
    predicate::function(|text: &str| text.trim_end().lines().count() == 1 && !text.contains("panicked"))
}

#[test]
fn a_conforming_node_ends_with_0_and_a_line_to_quote() {
    xtask()
        .args(["conformance", CASE])
        .assert()
        .code(0)
        .stdout(contains("reference").and(contains("MUST cases passed")));
}

#[test]
fn a_case_that_fails_ends_with_1_and_says_what_a_person_needs() {
    judge(&trivial("agree-wire-only.yaml")).code(1).stdout(
        contains("FAIL handshake/right-cookie")
            .and(contains("requirement"))
            .and(contains("cause"))
            .and(contains("cargo xtask conformance --node"))
            .and(contains("does not conform")),
    );
}

#[test]
fn an_unknown_case_ends_with_2_and_a_hint() {
    xtask()
        .args(["conformance", "registry/first-registraton-wins"])
        .assert()
        .code(2)
        .stderr(contains("no case matches").and(contains("did you mean")).and(one_line()));
}

#[test]
fn wrong_usage_ends_with_2() {
    xtask().args(["conformance", "--jobs", "0"]).assert().code(2);
    xtask().args(["conformance", "--frobnicate"]).assert().code(2);
    xtask().args(["vectors", "explain", "zz"]).assert().code(2).stderr(one_line());
}

#[test]
fn results_that_cannot_be_written_are_found_out_before_the_run() {
    xtask()
        .args(["conformance", CASE, "--results", "/nowhere/at/all.json"])
        .assert()
        .code(2)
        .stderr(contains("/nowhere/at/all.json").and(one_line()))
        .stdout("");
}

#[test]
fn a_missing_manifest_ends_with_3() {
    judge(Path::new("/nowhere/node.yaml")).code(3).stderr(contains("/nowhere/node.yaml").and(one_line()));
}

#[test]
fn a_malformed_manifest_ends_with_3_and_its_place() {
    let folder = TempDir::new().unwrap();
    judge(&manifest(&folder, "name: x\nlanguage: y\nrunn: [true]\n"))
        .code(3)
        .stderr(contains("node.yaml:3:").and(contains("run")).and(one_line()));
    judge(&manifest(&folder, "name: [\n")).code(3).stderr(contains("node.yaml").and(one_line()));
}

#[test]
fn a_build_that_fails_ends_with_3_and_its_last_words() {
    let folder = TempDir::new().unwrap();
    let build = "name: x\nlanguage: y\nbuild: [sh, -c, 'echo no compiler >&2; exit 7']\nrun: [\"true\"]\n";
    judge(&manifest(&folder, build)).code(3).stderr(contains("build").and(contains("no compiler")));
}

#[test]
fn a_program_that_is_not_there_ends_with_3() {
    let folder = TempDir::new().unwrap();
    judge(&manifest(&folder, "name: x\nlanguage: y\nrun: [./no-such-program]\n"))
        .code(3)
        .stderr(contains("no-such-program"));
}

#[test]
fn adapters_that_misbehave_end_with_3_and_are_quoted() {
    for (adapter, says) in [
        ("exit-at-start", "exit"),
        ("babble", "JSON"),
        ("wrong-id", "id"),
        ("bad-result", "initialize"),
        ("leaves-child", "left"),
        ("ignores-end", "end of its input"),
    ] {
        judge(&trivial(&format!("adapters/{adapter}.yaml"))).code(3).stderr(contains(says));
    }
}

#[test]
fn a_node_that_never_answers_ends_with_3() {
    judge(&trivial("adapters/never-answers.yaml")).code(3).stderr(contains("initialize"));
}

#[test]
fn an_adapter_that_claims_what_it_has_not_ends_with_3_and_each_method() {
    judge(&trivial("agree.yaml")).code(3).stdout("").stderr(
        contains("claims what it does not show")
            .and(contains("`supervisor`: `supervisor.children` was answered with"))
            .and(contains("or do not claim it")),
    );
}

/// The reference, but with another word for what it can do.
fn claims(folder: &TempDir, capabilities: &str, more: &str) -> PathBuf {
    let script = folder.path().join("modest");
    let edit = format!(r#"s/"capabilities":\[[^]]*\]/"capabilities":{capabilities}/"#);
    fs::write(&script, format!("\"$1\" --control | sed -u '{edit}'\n")).unwrap();
    let run = "[sh, ./modest, '{target_directory}/debug/snow-node']";
    manifest(folder, &format!("name: modest\nlanguage: sed\nrun: {run}\n{more}"))
}

#[test]
fn claims_that_need_others_and_claims_of_nothing_end_with_3() {
    let folder = TempDir::new().unwrap();
    judge(&claims(&folder, r#"["process"]"#, "")).code(3).stderr(contains("`process`:").and(contains("`registry`")));
    judge(&claims(&folder, r#"["room"]"#, "")).code(3).stderr(contains("did you mean `rooms`?"));
}

#[test]
fn what_works_without_a_claim_is_told_and_is_no_error() {
    let folder = TempDir::new().unwrap();
    let results = folder.path().join("r.json");
    let node = claims(&folder, r#"["registry","codec"]"#, "capabilities: [codec]\n");
    xtask().args(["conformance", CASE, "--node"]).arg(&node).arg("--results").arg(&results).assert().code(0).stdout(
        contains("`rooms` answers though it is not claimed").and(contains("not named in the manifest: registry")),
    );
    let results: serde_json::Value = serde_json::from_slice(&fs::read(results).unwrap()).unwrap();
    let node = &results["node"];
    assert_eq!(node["undeclared"], serde_json::json!(["process", "supervisor", "rooms", "term"]));
    assert_eq!(node["unclaimed_but_working"], serde_json::json!(["term", "process", "supervisor", "rooms"]));
    assert_eq!(node["missing_in_manifest"], serde_json::json!(["registry"]));
}

#[test]
fn the_list_runs_nothing_and_names_requirements() {
    xtask().args(["conformance", "--list", "HS-8"]).assert().code(0).stdout(contains(CASE).and(contains("HS-8")));
}

#[test]
fn results_and_junit_are_written() {
    let folder = TempDir::new().unwrap();
    let (results, junit) = (folder.path().join("r.json"), folder.path().join("r.xml"));
    xtask()
        .args(["conformance", CASE, "--repeat", "2", "--results"])
        .arg(&results)
        .arg("--junit")
        .arg(&junit)
        .assert()
        .code(0);
    let results: serde_json::Value = serde_json::from_slice(&fs::read(results).unwrap()).unwrap();
    assert_eq!(results["format"], "snowproof-results");
    assert_eq!(results["version"], 1);
    assert_eq!(results["cases"].as_array().unwrap().len(), 2);
    assert_eq!(results["cases"][1]["verdict"], "pass");
    assert_eq!(results["cases"][1]["repetition"], 2);
    assert!(fs::read_to_string(junit).unwrap().contains("<testsuite "));
}

#[test]
fn fuzzing_finds_a_codec_that_is_wrong_and_says_how_to_see_it_again() {
    let fuzz = |arguments: &[&str]| xtask().arg("fuzz").args(arguments).assert();
    fuzz(&["--seed", "3", "--count", "300", "--target", "term", "--fault", "nans-are-all-one"])
        .code(1)
        .stdout(contains("seed 3").and(contains("TERM-3")).and(contains("--fault nans-are-all-one --input term:")));
    fuzz(&["--input", "term:session:0102010000000000f87f"]).code(0);
    fuzz(&["--input", "term:session:zz"]).code(2);
    fuzz(&["--node", &trivial("agree-wire-only.yaml").to_string_lossy(), "--target", "codec"])
        .code(2)
        .stderr(one_line());
}

#[test]
fn vectors_explain_names_each_field() {
    xtask()
        .args(["vectors", "explain", "f0 01 02 03 04 05 06 07 08"])
        .assert()
        .code(0)
        .stdout(contains("PING").and(contains("nonce")));
}

#[test]
fn vectors_are_exported_for_languages_without_yaml() {
    let folder = TempDir::new().unwrap();
    xtask().args(["vectors", "export", "--json"]).arg(folder.path()).assert().code(0);
    let text = fs::read_to_string(folder.path().join("registry.json")).unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
}
