//! Known deviations and what is wrong with their file, for a person.

use std::fmt::Write as _;

use indexmap::IndexMap;

use crate::results::{CaseResult, Deviation, Outcome, Results};

/// How many characters of a reason are shown: the file has the rest.
const SHOWN: usize = 120;
/// How many cases are named of one failure and one reason.
const NAMED: usize = 4;

/// The known deviations, those of one failure and one reason together, and the problems of their file; empty where there is neither.
pub(super) fn deviations(results: &Results) -> String {
    let mut text = String::new();
    let mut kinds: IndexMap<(String, &str, &Option<String>), Vec<(&CaseResult, &Deviation)>> = IndexMap::new();
    for case in &results.cases {
        if let (Some(deviation), Outcome::Fail { failure }) = (&case.deviation, &case.outcome) {
            let fingerprint = format!("{}, {}", failure.requirement, failure.cause);
            let known = kinds.entry((fingerprint, &deviation.reason, &deviation.link)).or_default();
            if known.last().is_none_or(|(other, _)| other.id != case.id) {
                known.push((case, deviation));
            }
        }
    }
    // Writing to a String cannot fail.
    if !kinds.is_empty() {
        let _ = writeln!(text, "known deviations");
    }
    for ((fingerprint, reason, link), known) in &kinds {
        let link = link.as_ref().map_or_else(String::new, |link| format!(" ({link})"));
        let _ = writeln!(text, "  {fingerprint}: {}{link}", short(reason));
        for (case, deviation) in known.iter().take(NAMED) {
            let _ = writeln!(text, "    {} ({}, review {})", case.id, deviation.place, deviation.review);
        }
        if known.len() > NAMED {
            let _ = writeln!(text, "    … and {} others", known.len() - NAMED);
        }
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

/// One line of a text that may have many.
fn short(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    if line.chars().count() <= SHOWN {
        return line;
    }
    line.chars().take(SHOWN).chain("…".chars()).collect()
}
