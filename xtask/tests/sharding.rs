//! A suite that is cut up over machines and put together again: plain runs with filters, and nextest's partitions. Without nextest the latter says so and
//! passes, and fails with `SNOW_REQUIRE_ALL=1`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod needed;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use assert_cmd::assert::Assert;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use tempfile::TempDir;

/// Some cases, quick ones.
const CASES: &str = "handshake/invalid-name-is-refused";

fn xtask(arguments: &[&str]) -> assert_cmd::Command {
    let mut command = assert_cmd::Command::cargo_bin("xtask").unwrap();
    command.args(arguments);
    command
}

fn shard(folder: &Path, file: &str, filters: &[&str]) {
    let results = folder.join(file);
    xtask(&["conformance", "--results"]).arg(results).args(filters).assert().code(0);
}

fn merge(folder: &Path, out: &Path, more: &[&str]) -> Assert {
    xtask(&["results", "merge"]).arg(folder).arg("--results").arg(out).args(more).assert()
}

/// The ids of the cases in a file.
fn ids(file: &Path) -> Vec<String> {
    let results: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    assert!(!results["requirements"].as_array().unwrap().is_empty());
    results["cases"].as_array().unwrap().iter().map(|case| case["id"].as_str().unwrap().to_owned()).collect()
}

fn all_ids() -> BTreeSet<String> {
    let listed = xtask(&["conformance", "--list", CASES]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let id = |line: &str| line.split_whitespace().find(|word| word.contains('/')).unwrap().to_owned();
    listed.lines().map(id).collect()
}

#[test]
fn plain_runs_are_merged() {
    let (folder, out) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let merged = out.path().join("merged.json");
    shard(folder.path(), "1.json", &["handshake/invalid-name-is-refused[empty]", "no-at"]);
    shard(folder.path(), "2.json", &["handshake/invalid-name-is-refused[empty-name]", "no-at"]);
    merge(folder.path(), &merged, &[]).code(0).stdout(
        contains("cases of the suite were run by no shard")
            .and(contains("passes what was selected of"))
            .and(contains("merged from 2 files")),
    );
    let all = ids(&merged);
    let once: BTreeSet<&String> = all.iter().collect();
    assert!(all.len() > once.len() && once.len() > 3, "{all:?}");
    // A lost shard is no success where the whole suite is asked for.
    merge(folder.path(), &merged, &["--whole"]).code(2).stderr(contains("were run by no shard"));
}

#[test]
fn what_does_not_belong_together_is_refused_in_one_line() {
    let (folder, out) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let merged = out.path().join("merged.json");
    merge(folder.path(), &merged, &[]).code(2).stderr(contains("there are no results in"));
    shard(folder.path(), "1.json", &["handshake/right-cookie-is-answered-with-ack"]);
    let text = fs::read_to_string(folder.path().join("1.json")).unwrap();
    let mut other: Value = serde_json::from_str(&text).unwrap();
    let refused = |change: fn(&mut Value), says: &str| {
        let mut results = other.clone();
        change(&mut results);
        fs::write(folder.path().join("2.json"), results.to_string()).unwrap();
        let one_line = predicate::function(|text: &str| text.trim_end().lines().count() == 1);
        merge(folder.path(), &merged, &[]).code(2).stderr(contains(says).and(one_line)).stdout("");
        assert!(!merged.exists(), "nothing is written");
    };
    refused(|it| it["node"]["version"] = "0.0.0".into(), "shards of one run judge one node");
    refused(|it| it["delivery"] = "bytes".into(), "merge them apart");
    refused(|it| it["requirements"][0]["text"] = "It may.".into(), "other requirements than this checkout's");
    refused(|it| it["cases"][0]["id"] = "handshake/none".into(), "a case `handshake/none`");
    refused(
        |it| {
            it["cases"][0]["verdict"] = "skipped".into();
            it["cases"][0]["missing"] = "rooms".into();
        },
        "passed in",
    );
    other["format"] = "somethings".into();
    fs::write(folder.path().join("2.json"), other.to_string()).unwrap();
    merge(folder.path(), &merged, &[]).code(2).stderr(contains("not results of version 1"));
}

#[test]
fn partitions_of_nextest_are_merged() {
    if !needed::program("cargo", &["nextest", "--version"]) {
        return;
    }
    let (folder, out) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    for number in 1..=3 {
        let status = Command::new("cargo")
            .args(["nextest", "run", "--package", "conformance", "--test", "conformance", "--no-tests", "pass"])
            .args(["--partition", &format!("hash:{number}/3"), CASES])
            .env("SNOW_RESULTS", folder.path().join(format!("shard-{number}")))
            .stdout(Stdio::null())
            .status();
        assert!(status.unwrap().success(), "shard {number}");
    }
    let merged = out.path().join("merged.json");
    merge(folder.path(), &merged, &[]).code(0);
    let (played, all) = (ids(&merged), all_ids());
    assert_eq!(played.iter().cloned().collect::<BTreeSet<_>>(), all);
    assert_eq!(played.len(), all.len(), "each case is in one partition");
}
