//! Entries × results: which failures are excused, and which entries have rotted. Looks at cases that were run and at no others.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::date::Date;
use super::file::{Deviations, Entry};
use crate::needs::SURROUNDINGS;
use crate::results::{CaseResult, Cause, Deviation, DeviationProblem, DeviationReport, Outcome, ProblemKind, Results};

/// How many cases a problem names.
const NAMED: usize = 5;

/// Marks the failures that entries excuse, and tells what is wrong with the entries.
///
/// A case is excused if it failed in each of its repetitions, each time by the fingerprint. One that was skipped for want of a capability is
/// an error, since its entry excuses nothing; one without a verdict is none, since the run has failed anyway.
pub fn judge(deviations: &Deviations, results: &mut Results) {
    let today = Date::of_unix_ms(results.started_unix_ms);
    let mut repetitions: IndexMap<String, Vec<usize>> = IndexMap::new();
    for (index, case) in results.cases.iter().enumerate() {
        repetitions.entry(case.id.clone()).or_default().push(index);
    }
    let mut report = DeviationReport { file: deviations.file.clone(), ..DeviationReport::default() };
    for entry in &deviations.entries {
        let of_entry: Vec<(&String, &Vec<usize>)> =
            repetitions.iter().filter(|(id, _)| entry.case.matches(id)).collect();
        if of_entry.is_empty() {
            report.not_run += 1;
            continue;
        }
        let place = deviations.place(entry);
        let mut problems: IndexMap<(ProblemKind, String), Vec<String>> = IndexMap::new();
        for (id, indices) in of_entry {
            let outcomes: Vec<&Outcome> = indices.iter().map(|index| &results.cases[*index].outcome).collect();
            match standing(entry, &outcomes) {
                Standing::Holds => {
                    for index in indices {
                        excuse(&mut results.cases[*index], entry, &place);
                    }
                }
                Standing::Inconclusive => {}
                Standing::Rotten(kind, what) => problems.entry((kind, what)).or_default().push(id.clone()),
            }
        }
        let mut say = |kind, cases: Vec<String>, message: String| {
            let (place, case) = (place.clone(), entry.case.as_str().to_owned());
            report.problems.push(DeviationProblem { kind, place, case, cases, message });
        };
        if entry.review < today {
            let message = format!(
                "{}: its day of review, {}, has passed; look whether the reason still holds, then set a new day",
                entry.case, entry.review
            );
            say(ProblemKind::Lapsed, Vec::new(), message);
        }
        for ((kind, what), cases) in problems {
            let message = format!("{}: {what}", named(&cases));
            say(kind, cases, message);
        }
    }
    results.deviations = Some(report);
}

/// How one case stands to its entry.
enum Standing {
    /// It failed as the entry says.
    Holds,
    /// Nothing can be said: no verdict, or the machine does not tell what the case measures.
    Inconclusive,
    /// The entry says what is not the case.
    Rotten(ProblemKind, String),
}

fn standing(entry: &Entry, outcomes: &[&Outcome]) -> Standing {
    let mut passed = 0;
    let mut failed: BTreeSet<(&str, Cause)> = BTreeSet::new();
    let mut wanting = None;
    for outcome in outcomes {
        match outcome {
            Outcome::Pass => passed += 1,
            Outcome::Fail { failure } => drop(failed.insert((&failure.requirement, failure.cause))),
            Outcome::Skipped { missing } if !SURROUNDINGS.contains(&missing.as_str()) => wanting = Some(missing),
            Outcome::Skipped { .. } | Outcome::Error { .. } => {}
        }
    }
    let known = (entry.requirement.as_str(), entry.cause);
    let other = failed.iter().find(|fingerprint| **fingerprint != known);
    match (passed, other, wanting) {
        (0, None, None) if failed.is_empty() => Standing::Inconclusive,
        (0, None, None) => Standing::Holds,
        (0, None, Some(missing)) => Standing::Rotten(
            ProblemKind::NotJudged,
            format!("was skipped, as the node does not claim `{missing}`; remove the entry, or claim it"),
        ),
        (0, Some((requirement, cause)), _) => Standing::Rotten(
            ProblemKind::OtherFailure,
            format!(
                "fails by {requirement}, {cause}, and the entry knows {}, {}; that is another failure: mend it, or describe it",
                entry.requirement, entry.cause
            ),
        ),
        _ if failed.is_empty() => {
            Standing::Rotten(ProblemKind::UnexpectedPass, "passes; remove the entry, or narrow it".to_owned())
        }
        _ => Standing::Rotten(
            ProblemKind::Flaky,
            format!(
                "is flaky, it failed in some of {} repetitions and passed in {passed}; that is never excused",
                outcomes.len()
            ),
        ),
    }
}

fn excuse(case: &mut CaseResult, entry: &Entry, place: &str) {
    if matches!(case.outcome, Outcome::Fail { .. }) {
        case.deviation = Some(Deviation {
            case: entry.case.as_str().to_owned(),
            reason: entry.reason.clone(),
            link: entry.link.clone(),
            review: entry.review.to_string(),
            place: place.to_owned(),
        });
    }
}

/// Ids, as many as one can read.
fn named(ids: &[String]) -> String {
    let more = ids.len().saturating_sub(NAMED);
    let text = ids[..ids.len() - more].join(", ");
    if more == 0 { text } else { format!("{text} and {more} more") }
}
