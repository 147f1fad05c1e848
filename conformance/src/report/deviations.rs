//! Known deviations and what is wrong with their file, for a person.

use std::fmt::Write as _;

use indexmap::IndexMap;

use crate::results::{CaseResult, Deviation, Outcome, Results};

/// How many characters of a reason are shown: the file has the rest.
const SHOWN: usize = 120;

/// The known deviations, one entry a line, and the problems of their file; empty where there is neither.
pub(super) fn deviations(results: &Results) -> String {
    let mut text = String::new();
    let mut entries: IndexMap<&str, (&Deviation, Vec<&CaseResult>)> = IndexMap::new();
    for case in &results.cases {
        if let Some(deviation) = &case.deviation {
            entries.entry(&deviation.place).or_insert((deviation, Vec::new())).1.push(case);
        }
    }
    // Writing to a String cannot fail.
    if !entries.is_empty() {
        let _ = writeln!(text, "known deviations");
    }
    for (place, (deviation, cases)) in &entries {
        let mut ids: Vec<&str> = cases.iter().map(|case| case.id.as_str()).collect();
        ids.dedup();
        let several = if ids.len() > 1 { format!(" ({} cases)", ids.len()) } else { String::new() };
        let _ = writeln!(text, "  {}{several}: {}", deviation.case, fingerprint(cases));
        let link = deviation.link.as_ref().map_or_else(String::new, |link| format!("; {link}"));
        let _ = writeln!(text, "    {} ({place}{link}; review {})", short(&deviation.reason), deviation.review);
    }
    let Some(report) = &results.deviations else { return text };
    if report.not_run > 0 {
        let what = if report.not_run == 1 { "entry of" } else { "entries of" };
        let _ = writeln!(text, "{} {what} {} stand for cases that were not run", report.not_run, report.file);
    }
    for problem in &report.problems {
        let _ = writeln!(text, "error: {}: {}", problem.place, problem.message);
    }
    text
}

fn fingerprint(cases: &[&CaseResult]) -> String {
    let failure = cases.iter().find_map(|case| match &case.outcome {
        Outcome::Fail { failure } => Some(failure),
        _ => None,
    });
    failure.map_or_else(String::new, |failure| format!("{}, {}", failure.requirement, failure.cause))
}

/// One line of a text that may have many.
fn short(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    if line.chars().count() <= SHOWN {
        return line;
    }
    line.chars().take(SHOWN).chain("…".chars()).collect()
}
