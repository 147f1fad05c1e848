//! One failing case, for a person, in the order in which a person asks.

use std::fmt::Write as _;

use super::interop;
use crate::delivery::Delivery;
use crate::results::{CaseResult, Direction, Failure, NodeLog, Problem, Results, SessionTrace};

/// The report of one failure, as lines of text.
#[must_use]
pub fn failure(results: &Results, case: &CaseResult, failure: &Failure) -> String {
    let mut text = String::new();
    let requirement = results.requirements.iter().find(|row| row.id == failure.requirement);
    line(&mut text, &format!("FAIL {} ({})", case.id, case.level));
    line(&mut text, &format!("  {}", case.title));
    line(
        &mut text,
        &format!("  requirement  {}: {}", failure.requirement, requirement.map_or("", |row| row.text.as_str())),
    );
    line(&mut text, &format!("  what         {}", failure.sentence));
    line(&mut text, &format!("  cause        {}", failure.cause));
    if let Some(expected) = &failure.expected {
        line(&mut text, &format!("  expected     {expected}"));
    }
    if let Some(actual) = &failure.actual {
        line(&mut text, &format!("  actual       {actual}"));
    }
    if let Some(bytes) = &failure.bytes {
        line(&mut text, &format!("  bytes        {} at offset {}: {}", bytes.field, bytes.offset, bytes.hex));
    }
    if let Some(place) = &failure.place {
        line(&mut text, &format!("  step         {place}"));
    }
    cluster(&mut text, case);
    if results.delivery != Delivery::Whole {
        line(&mut text, &format!("  delivery     {}", results.delivery));
    }
    if !failure.meanwhile.is_empty() {
        line(&mut text, "  meanwhile");
        for arrived in &failure.meanwhile {
            line(&mut text, &format!("    {arrived}"));
        }
    }
    sessions(&mut text, &failure.sessions);
    logs(&mut text, &failure.logs);
    line(&mut text, &format!("  repeat       {}", failure.repeat));
    text
}

/// The report of a case without a verdict.
#[must_use]
pub fn problem(case: &CaseResult, problem: &Problem) -> String {
    let mut text = String::new();
    let blame = match problem.blame {
        crate::results::Blame::Adapter => "the adapter",
        crate::results::Blame::Harness => "the harness",
    };
    line(&mut text, &format!("ERROR {} ({blame})", case.id));
    // What the adapter is told to do stands on lines of its own.
    line(&mut text, &format!("  what         {}", problem.message.replace('\n', "\n               ")));
    cluster(&mut text, case);
    logs(&mut text, &problem.logs);
    line(&mut text, &format!("  repeat       {}", problem.repeat));
    text
}

/// Who played what, and who is blamed, where there are several implementations.
fn cluster(text: &mut String, case: &CaseResult) {
    if !case.nodes.is_empty() {
        line(text, &format!("  nodes        {}", interop::cast(&case.nodes)));
    }
    if let Some(blamed) = &case.blame {
        line(text, &format!("  blame        {}", interop::blamed(blamed)));
    }
}

fn sessions(text: &mut String, sessions: &[SessionTrace]) {
    for session in sessions {
        line(text, &format!("  {}", session.session));
        if session.left_out > 0 {
            line(text, &format!("    … {} earlier left out", session.left_out));
        }
        for entry in &session.lines {
            let arrow = match entry.direction {
                Direction::ToNode => "->",
                Direction::FromNode => "<-",
                Direction::Note => "--",
            };
            line(text, &format!("    {:>6} ms {arrow} {}", entry.at_ms, entry.text));
        }
    }
}

fn logs(text: &mut String, logs: &[NodeLog]) {
    for log in logs.iter().filter(|log| !log.lines.is_empty()) {
        line(text, &format!("  standard error of {}", log.node));
        for entry in &log.lines {
            line(text, &format!("    | {entry}"));
        }
    }
}

fn line(text: &mut String, line: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}
