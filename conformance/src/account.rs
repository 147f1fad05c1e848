//! The account of what was not run: a score is out of all requirements of the spec, and each that was not judged has its reason.

use std::collections::BTreeSet;

use crate::case::{Case, CaseSet};
use crate::results::{NotRun, Results};

/// Says of each requirement why none of its cases was run, if none was. `cases` are all of the suite, and `set` is what was run of them.
pub fn account(cases: &[Case], set: CaseSet, results: &mut Results) {
    let Results { cases: run, requirements, filters, .. } = results;
    let run: BTreeSet<&str> = run.iter().flat_map(|case| &case.requirements).map(String::as_str).collect();
    let is_selected = |case: &Case| filters.is_empty() || filters.iter().any(|filter| case.matches(filter));
    for row in requirements {
        let mut citing = cases.iter().filter(|case| case.requirements.contains(&row.id)).peekable();
        row.not_run = if run.contains(row.id.as_str()) {
            None
        } else if citing.peek().is_none() {
            Some(NotRun::NoCase)
        } else if citing.any(|case| is_selected(case) && !case.is_in(set, filters)) {
            Some(NotRun::OtherSet)
        } else {
            Some(NotRun::NotSelected)
        };
    }
}
