//! The doctor, seen with adapters that are right but for one thing: each check fails for its own reason, and no other check fails with it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use conformance::cluster::Manifest;
use conformance::doctor::{self, Check, Finding, PATIENCE, Report};
use conformance::schema::{self, Schema};

const PROGRAM: &str = env!("CARGO_BIN_EXE_trivial-node");

/// For adapters that stay silent: whoever is only slow is not among them.
const SHORT: Duration = Duration::from_secs(6);

fn schema() -> Schema {
    schema::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/schema")).unwrap()
}

fn target() -> PathBuf {
    Path::new(PROGRAM).parent().and_then(Path::parent).unwrap().to_owned()
}

/// Examines one of the trivial nodes, which has been built for this test.
fn examine(manifest: &str, patience: Duration) -> Report {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("nodes/trivial").join(manifest);
    let mut manifest = Manifest::load(&path, &target()).unwrap();
    PROGRAM.clone_into(&mut manifest.run.words[0]);
    doctor::examine_built(&manifest, &schema(), patience)
}

fn found(report: &Report, check: Check) -> Option<&Finding> {
    report.findings().find(|(found, _)| *found == check).map(|(_, finding)| finding)
}

/// Whether a check failed, and said both what happened and what to do.
fn fails(report: &Report, check: Check, says: &str) {
    match found(report, check) {
        Some(Finding::Fail { what, next }) => {
            assert!(what.contains(says), "{says} is not in: {what}");
            assert!(next.len() > 20, "{next}");
        }
        other => panic!("{}: {other:?}\n{report}", check.name()),
    }
}

/// Where that check fails, and no other.
fn alone(manifest: &str, check: Check, says: &str) {
    let report = examine(manifest, PATIENCE);
    fails(&report, check, says);
    assert_eq!(report.failed(), [check], "{manifest}\n{report}");
}

fn with_manifest(text: &str) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.yaml");
    fs::write(&path, text).unwrap();
    doctor::examine(&path, &target(), &schema(), PATIENCE)
}

#[test]
fn manifests_builds_and_programs_that_are_missing_are_named() {
    let report = doctor::examine(Path::new("/nowhere/node.yaml"), &target(), &schema(), PATIENCE);
    fails(&report, Check::Manifest, "/nowhere/node.yaml");
    let report = with_manifest("name: n\nlanguage: C\nrunn: [x]\n");
    fails(&report, Check::Manifest, "node.yaml:3");
    let report = with_manifest("name: n\nlanguage: C\nbuild: [no-such-compiler]\nrun: [x]\n");
    fails(&report, Check::Build, "no-such-compiler");
    let report = with_manifest("name: n\nlanguage: C\nbuild: [sh, -c, 'echo no header >&2; exit 1']\nrun: [x]\n");
    fails(&report, Check::Build, "no header");
    let report = with_manifest("name: n\nlanguage: C\nrun: [./no-such-program]\n");
    fails(&report, Check::Start, "no-such-program");
    assert!(matches!(found(&report, Check::Shutdown), Some(Finding::NotChecked(_))), "{report}");
}

#[test]
fn adapters_that_are_right_are_found_so() {
    for manifest in ["adapters/honest.yaml", "wire_only/honest.yaml"] {
        let report = examine(manifest, PATIENCE);
        assert_eq!(report.failed(), [], "{report}");
    }
    let report = examine("adapters/honest.yaml", PATIENCE);
    let unseen = report.findings().filter(|(_, finding)| matches!(finding, Finding::NotChecked(_))).count();
    assert_eq!(unseen, 0, "{report}");
}

#[test]
fn each_lie_is_found_where_it_is_told() {
    alone("adapters/other-code.yaml", Check::UnknownMethod, "-32000");
    alone("adapters/strict.yaml", Check::UnknownMembers, "-32602");
    alone("adapters/keeps-port-zero.yaml", Check::PortZero, "127.0.0.1:0");
    alone("adapters/other-port.yaml", Check::PortZero, "refused");
    alone("adapters/other-self.yaml", Check::PortZero, "node.self");
    alone("adapters/claims.yaml", Check::Claims, "registry");
    alone("adapters/claims-nonsense.yaml", Check::Claims, "teleport");
    alone("adapters/status-one.yaml", Check::EndOfInput, "status 1");
    alone("adapters/no-shutdown.yaml", Check::Shutdown, "-32601");
    alone("adapters/twice.yaml", Check::Answers, "not open");
    alone("adapters/stray.yaml", Check::Output, "serving…");
    alone("adapters/wrong-id.yaml", Check::Answers, "1001");
    alone("adapters/babble.yaml", Check::Output, "working on it");
    alone("adapters/bad-result.yaml", Check::Initialize, "implementation");
    alone("adapters/skips-seq.yaml", Check::Form, "numbered");
    alone("adapters/exit-at-start.yaml", Check::Initialize, "before it begins");
    fails(&examine("agree.yaml", PATIENCE), Check::UnknownMethod, "result");
}

#[test]
fn silence_and_processes_that_go_on_are_found() {
    fails(&examine("adapters/never-answers.yaml", SHORT), Check::Initialize, "initialize");
    fails(&examine("adapters/ignores-unknown.yaml", SHORT), Check::UnknownMethod, "within 6 s");
    fails(&examine("adapters/one-at-a-time.yaml", SHORT), Check::Overlap, "node.connect");
    fails(&examine("adapters/ignores-end.yaml", SHORT), Check::EndOfInput, "still runs");
    fails(&examine("adapters/ignores-shutdown.yaml", SHORT), Check::Shutdown, "still runs");
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_left_behind_is_named() {
    fails(&examine("adapters/leaves-child.yaml", PATIENCE), Check::Children, "sleep");
    let report = examine("wire_only/child.yaml", PATIENCE);
    fails(&report, Check::Children, "sh");
    assert_eq!(report.failed(), [Check::Children]);
}

#[test]
fn each_slip_of_a_wire_only_node_is_found() {
    alone("wire_only/own-name.yaml", Check::Name, "me@");
    alone("wire_only/own-cookie.yaml", Check::RightCookie, "not let in");
    alone("wire_only/any-cookie.yaml", Check::WrongCookie, "another cookie");
    alone("wire_only/trims.yaml", Check::CookieBytes, "20 ff 00");
    fails(&examine("agree-wire-only.yaml", PATIENCE), Check::RightCookie, "proof");
    fails(&examine("wire_only/deaf.yaml", SHORT), Check::Start, "timed out");
}

/// Only Linux has 127.0.0.2 without any set-up.
#[cfg(target_os = "linux")]
#[test]
fn a_host_of_its_own_is_found() {
    let report = examine("wire_only/own-host.yaml", SHORT);
    fails(&report, Check::Host, "127.0.0.2");
}
