//! Known deviations as people meet them: a faulty node, its file, and each way in which the file can rot.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::PathBuf;

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use tempfile::TempDir;

/// What the fault makes fail: the scenario, one of its six rows, and why.
const SCENARIO: &str = "handshake/proof-with-one-wrong-bit-is-closed-without-ack";
const CASE: &str = "handshake/proof-with-one-wrong-bit-is-closed-without-ack[middle]";
const TOLD: &str = "cause: unexpected_frame, requirement: HS-9";
/// A case that passes.
const FINE: &str = "handshake/right-cookie-is-answered-with-ack";

/// A folder with the manifest of a node that says why it closes, and with its file of deviations.
struct Known(TempDir);

impl Known {
    /// Each entry is what stands in its braces.
    fn new(entries: &[String]) -> Self {
        let known = Self(TempDir::new().unwrap());
        known.manifest("--fault, wrong-proof-is-told");
        fs::write(known.file(), entries.iter().map(|entry| format!("- {{{entry}}}\n")).collect::<String>()).unwrap();
        known
    }

    fn manifest(&self, arguments: &str) {
        let run = format!("['{{target_directory}}/debug/snow-node', --control, {arguments}]");
        let text = format!("name: faulty\nlanguage: Rust\nrun: {run}\ndeviations: known.yaml\n");
        fs::write(self.0.path().join("node.yaml"), text).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("known.yaml")
    }

    fn judge(&self, arguments: &[&str]) -> Assert {
        let mut command = Command::cargo_bin("xtask").unwrap();
        command.args(["conformance", "--node"]).arg(self.0.path().join("node.yaml")).args(arguments).assert()
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.0.path().join(name)).unwrap()).unwrap()
    }
}

fn entry(case: &str, fingerprint: &str, more: &str) -> String {
    format!(
        "case: '{case}', {fingerprint}, reason: told on purpose, link: 'https://tracker.example/7', review: 2999-01-01{more}"
    )
}

#[test]
fn what_is_known_is_excused_and_told_and_never_just_passes() {
    let known = Known::new(&[entry(CASE, TOLD, "")]);
    let results = known.0.path().join("r.json");
    let junit = known.0.path().join("r.xml");
    let (results, junit) = (results.to_string_lossy(), junit.to_string_lossy());
    known
        .judge(&[CASE, FINE, "--repeat", "2", "--results", &results, "--junit", &junit])
        .code(0)
        .stdout(
            contains("passes with 1 deviation what was selected")
                .and(contains("known deviations"))
                .and(contains("told on purpose (https://tracker.example/7)"))
                .and(contains("1 broken as is known"))
                .and(contains("FAIL").not()),
        )
        .stderr(contains("not passed").not());
    let results = known.json("r.json");
    assert_eq!(results["deviations"]["problems"], serde_json::json!([]));
    let case = results["cases"].as_array().unwrap().iter().find(|case| case["id"] == CASE).unwrap();
    assert_eq!((&case["verdict"], &case["failure"]["cause"]), (&"fail".into(), &"unexpected_frame".into()));
    assert_eq!(case["deviation"]["reason"], "told on purpose");
    assert!(case["deviation"]["place"].as_str().unwrap().ends_with("known.yaml:1"));
    let junit = fs::read_to_string(known.0.path().join("r.xml")).unwrap();
    assert!(junit.contains("known deviation: told on purpose") && junit.contains("failures=\"0\""), "{junit}");
}

#[test]
fn a_form_excuses_what_it_counts() {
    let known = Known::new(&[entry(&format!("{SCENARIO}[*]"), TOLD, ", count: 6")]);
    known.judge(&[SCENARIO]).code(0).stdout(contains("passes with 6 deviations"));
    let known = Known::new(&[entry(&format!("{SCENARIO}[*]"), TOLD, ", count: 5")]);
    known.judge(&[SCENARIO]).code(3).stderr(contains("known.yaml:1: ").and(contains("6 cases and not for 5")));
}

#[test]
fn what_has_been_mended_has_to_leave_the_file() {
    let known = Known::new(&[entry(CASE, TOLD, "")]);
    known.manifest("--fault, certificate-for-localhost");
    known.judge(&[CASE]).code(1).stdout(
        contains("known.yaml:1: ")
            .and(contains("passes; remove the entry"))
            .and(contains("does not conform, since its known deviations are not all as they are said to be")),
    );
}

#[test]
fn another_failure_than_the_known_one_fails_as_usual() {
    let known = Known::new(&[entry(CASE, "cause: still_open, requirement: HS-9", "")]);
    known.judge(&[CASE]).code(1).stdout(
        contains("FAIL handshake/proof-with-one")
            .and(contains("fails by HS-9, unexpected frame, and the entry knows HS-9, still open"))
            .and(contains("does not conform")),
    );
}

#[test]
fn a_day_of_review_that_has_passed_ends_with_1() {
    let known = Known::new(&[entry(CASE, TOLD, "").replace("2999", "2001")]);
    let junit = known.0.path().join("r.xml");
    let junit = junit.to_string_lossy();
    known.judge(&[CASE, "--junit", &junit]).code(1).stdout(contains("known.yaml:1: ").and(contains("2001-01-01")));
    let junit = fs::read_to_string(known.0.path().join("r.xml")).unwrap();
    assert!(junit.contains("type=\"lapsed\""), "{junit}");
}

#[test]
fn a_file_that_says_what_it_may_not_ends_with_3_and_runs_nothing() {
    let wrong = |entries: &[String], says: &str| {
        Known::new(entries).judge(&[FINE]).code(3).stdout("").stderr(contains("known.yaml:").and(contains(says)));
    };
    wrong(&[entry(CASE, TOLD, ""), entry(&format!("{SCENARIO}[*]"), TOLD, ", count: 6")], "overlaps");
    wrong(&[entry(CASE, TOLD, ", linc: x")], "did you mean `link`?");
    let known = Known::new(&[]);
    fs::remove_file(known.file()).unwrap();
    known.judge(&[FINE]).code(3).stderr(contains("known.yaml: ").and(contains("--write-deviations")));
}

#[test]
fn a_written_file_wants_reasons_and_then_the_run_is_green() {
    let known = Known::new(&[entry("handshake/right-cookie-is-answered-with-ack", TOLD, "")]);
    known.judge(&[SCENARIO, FINE, "--write-deviations"]).code(1).stdout(
        contains("6 deviations written").and(contains("6 of them have no reason")).and(contains("does not conform")),
    );
    known.judge(&[SCENARIO, FINE]).code(3).stderr(contains("has no reason, and 5 more have none"));
    let text = fs::read_to_string(known.file()).unwrap().replace("reason: TODO", "reason: told on purpose");
    fs::write(known.file(), &text).unwrap();
    known.judge(&[SCENARIO, FINE]).code(0).stdout(contains("passes with 6 deviations"));
    // Written once more, nothing changes.
    known.judge(&[SCENARIO, FINE, "--write-deviations"]).code(1).stdout(contains("no reason").not());
    assert_eq!(fs::read_to_string(known.file()).unwrap(), text);
}

#[test]
fn a_file_can_be_written_for_a_manifest_that_names_none() {
    let known = Known::new(&[]);
    let text = fs::read_to_string(known.0.path().join("node.yaml")).unwrap().replace("deviations: known.yaml\n", "");
    fs::write(known.0.path().join("node.yaml"), text).unwrap();
    known.judge(&[CASE, "--write-deviations"]).code(2).stderr(contains("deviations: known.yaml"));
    let other = known.0.path().join("other.yaml");
    known.judge(&[CASE, &format!("--write-deviations={}", other.display())]).code(1);
    assert!(fs::read_to_string(other).unwrap().contains("requirement: HS-9"));
}
