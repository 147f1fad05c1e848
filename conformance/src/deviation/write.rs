//! A file of deviations written from results: one entry a failing case, and what people have written of failures that are still the same.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde::Serialize;

use super::date::Date;
use super::file::{Deviations, Entry, TODO};
use super::pattern::Pattern;
use crate::needs::MEASURING;
use crate::results::{Cause, Outcome, Results};

/// Until when a new entry need not be looked at again: some three months.
const NEXT_REVIEW_MS: u64 = 90 * 86_400_000;

const HEAD: &str = "\
# Failures that are known. `cargo xtask conformance --write-deviations` writes this file anew: it keeps reasons, links and days of review
# of failures that are still the same, and no comments. A reason of TODO is refused.
";

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The whole file.
    pub text: String,
    /// How many entries it has.
    pub entries: usize,
    /// How many of them want a reason.
    pub without_reason: usize,
    /// Cases that fail, but not always or not always in the same way: they have no entry.
    pub unsteady: Vec<String>,
}

#[derive(Serialize)]
struct Row {
    case: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<usize>,
    cause: Cause,
    requirement: String,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    review: String,
}

/// What a case came to in all its repetitions.
enum Came<'a> {
    /// It always failed, always in this way.
    Failed(&'a str, Cause),
    /// It failed now and then, or now in this and now in that way.
    Unsteady,
    /// It never failed, and passed or was skipped.
    Fine,
    /// Nobody knows: it was not run or has no verdict.
    Unknown,
}

/// The file for these results. Entries of `old` keep their words if their fingerprint still holds, and stay as they are if none of their cases was
/// run. An entry with `*` stays one only if it stands for as many cases of the suite (`ids`) as it says and all of them fail as it says; else it
/// is taken apart, and what it said is said of none that it may not have known.
#[must_use]
pub fn write(old: Option<&Deviations>, results: &Results, ids: &[&str]) -> Written {
    let new_review = Date::of_unix_ms(results.started_unix_ms.saturating_add(NEXT_REVIEW_MS));
    let came = came(results);
    let of = |id: &str| came.get(id).unwrap_or(&Came::Unknown);
    let mut rows: Vec<Row> = Vec::new();
    let mut covered: BTreeSet<&str> = BTreeSet::new();
    let mut disowned: BTreeSet<&str> = BTreeSet::new();
    for entry in old.iter().flat_map(|old| &old.entries).filter(|entry| entry.case.is_form()) {
        let matched: Vec<&str> = ids.iter().copied().filter(|id| entry.case.matches(id)).collect();
        if matched.is_empty() || matched.iter().any(|id| covered.contains(id)) {
            continue;
        }
        let counts = entry.count == Some(matched.len());
        let holds = |id: &&str| match of(id) {
            Came::Failed(requirement, cause) => (*requirement, *cause) == (entry.requirement.as_str(), entry.cause),
            Came::Unknown => true,
            Came::Unsteady | Came::Fine => false,
        };
        let untouched = matched.iter().all(|id| matches!(of(id), Came::Unknown));
        if untouched || counts && matched.iter().all(holds) {
            rows.push(kept(entry, &entry.case));
            covered.extend(matched);
        } else if !counts {
            disowned.extend(matched);
        }
    }
    let known = |id: &str| old.and_then(|old| old.entry(id)).filter(|_| !disowned.contains(id));
    let mut unsteady = Vec::new();
    for id in ids.iter().copied().chain(came.keys().copied().filter(|id| !ids.contains(id))) {
        if covered.contains(id) {
            continue;
        }
        let plain = Pattern::new(id.to_owned());
        match of(id) {
            Came::Failed(requirement, cause) => {
                let same =
                    known(id).filter(|entry| (entry.requirement.as_str(), entry.cause) == (*requirement, *cause));
                rows.push(same.map_or_else(
                    || Row {
                        case: id.to_owned(),
                        count: None,
                        cause: *cause,
                        requirement: (*requirement).to_owned(),
                        reason: TODO.to_owned(),
                        link: None,
                        review: new_review.to_string(),
                    },
                    |entry| kept(entry, &plain),
                ));
            }
            Came::Unknown => rows.extend(known(id).map(|entry| kept(entry, &plain))),
            Came::Unsteady => unsteady.push(id.to_owned()),
            Came::Fine => {}
        }
    }
    rows.sort_by(|a, b| a.case.cmp(&b.case));
    let without_reason = rows.iter().filter(|row| row.reason == TODO).count();
    // Strings and numbers can always be written.
    let list = if rows.is_empty() { "[]\n".to_owned() } else { serde_yaml::to_string(&rows).unwrap_or_default() };
    Written { text: format!("{HEAD}{list}"), entries: rows.len(), without_reason, unsteady }
}

/// An entry's words, for these cases. The count stays with a form.
fn kept(entry: &Entry, case: &Pattern) -> Row {
    Row {
        case: case.as_str().to_owned(),
        count: entry.count.filter(|_| case.is_form()),
        cause: entry.cause,
        requirement: entry.requirement.clone(),
        reason: if entry.reason.is_empty() { TODO.to_owned() } else { entry.reason.clone() },
        link: entry.link.clone(),
        review: entry.review.to_string(),
    }
}

fn came(results: &Results) -> IndexMap<&str, Came<'_>> {
    let mut outcomes: IndexMap<&str, Vec<&Outcome>> = IndexMap::new();
    for case in &results.cases {
        outcomes.entry(&case.id).or_default().push(&case.outcome);
    }
    outcomes.into_iter().map(|(id, outcomes)| (id, together(&outcomes))).collect()
}

fn together<'a>(outcomes: &[&'a Outcome]) -> Came<'a> {
    let mut all = Came::Unknown;
    for outcome in outcomes {
        let one = match outcome {
            Outcome::Fail { failure } => Came::Failed(&failure.requirement, failure.cause),
            Outcome::Error { .. } => continue,
            Outcome::Skipped { missing } if missing == MEASURING => continue,
            Outcome::Pass | Outcome::Skipped { .. } => Came::Fine,
        };
        all = match (all, one) {
            (Came::Unknown, one) => one,
            (Came::Failed(a, b), Came::Failed(c, d)) if (a, b) == (c, d) => Came::Failed(a, b),
            (Came::Fine, Came::Fine) => Came::Fine,
            _ => Came::Unsteady,
        };
    }
    all
}
