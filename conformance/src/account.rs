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
        let citing: Vec<&Case> = cases.iter().filter(|case| case.requirements.contains(&row.id)).collect();
        let mut selected = citing.iter().filter(|case| is_selected(case)).peekable();
        row.not_run = if run.contains(row.id.as_str()) {
            None
        } else if citing.is_empty() {
            Some(NotRun::NoCase)
        } else if selected.peek().is_some() && selected.all(|case| !case.is_in(set, filters)) {
            Some(NotRun::OtherSet)
        } else {
            Some(NotRun::NotSelected)
        };
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::results::RequirementRow;
    use crate::suite::Suite;

    #[test]
    fn what_was_not_run_has_its_reason() {
        let suite = Suite::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
        let row = |id: &str| RequirementRow {
            id: id.to_owned(),
            level: suite.spec.requirements[id].level,
            text: String::new(),
            not_run: None,
        };
        let mut results: Results = serde_json::from_value(serde_json::json!({
            "format": "", "version": 1, "started_unix_ms": 0, "duration_ms": 0, "command": "", "filters": [], "requirements": [], "cases": [],
            "node": {"name": "", "language": "", "version": null, "manifest": "", "capabilities": []},
        }))
        .unwrap();
        // Slow cases alone, no case, and a case that is neither.
        results.requirements = vec![row("RES-4"), row("HS-11"), row("HS-9")];
        let mut reasons = |filters: &[&str], set| {
            results.filters = filters.iter().map(|filter| (*filter).to_owned()).collect();
            account(&suite.cases, set, &mut results);
            results.requirements.iter().filter_map(|row| row.not_run).collect::<Vec<_>>()
        };
        assert_eq!(reasons(&[], CaseSet::Quick), [NotRun::OtherSet, NotRun::NoCase, NotRun::NotSelected]);
        assert_eq!(reasons(&["HS-9"], CaseSet::Quick), [NotRun::NotSelected, NotRun::NoCase, NotRun::NotSelected]);
        assert_eq!(reasons(&["RES-4"], CaseSet::Quick), [NotRun::OtherSet, NotRun::NoCase, NotRun::NotSelected]);
    }
}
