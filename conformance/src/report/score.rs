//! The score: how many MUST requirements of the spec were kept, and, of those that were not judged, why.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::requirement::Level;
use crate::results::{CaseResult, NotRun, Outcome, RequirementRow, Results};

/// Up to how many requirements of one reason are named; more than that are a set or a family, which the reason names.
const NAMED: usize = 60;

/// What became of one requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Standing {
    /// Cases passed, and none blames it.
    Kept,
    /// A case blames it that is not known to.
    Broken,
    /// Only known deviations blame it.
    BrokenAsKnown,
    /// No case says anything of it.
    NotJudged(Reason),
}

/// Why nothing can be said of a requirement, in the order in which reports tell it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    /// The node does not claim what most of its cases need.
    WantOf(String),
    /// See [`NotRun`].
    NotRun(NotRun),
    /// The adapter or the harness failed.
    WithoutVerdict,
    /// Its cases failed by other requirements.
    OtherFailures,
    /// Nobody said what the suite has.
    Unknown,
}

/// Some lines: the score out of all MUST requirements, and which they are that were broken or not judged. The ids of what was not judged are told
/// of whole runs alone.
pub(super) fn score(results: &Results) -> String {
    let (mut kept, mut broken, mut known) = (0, Vec::new(), Vec::new());
    let mut open: BTreeMap<Reason, Vec<&str>> = BTreeMap::new();
    for row in results.requirements.iter().filter(|row| row.level == Level::Must) {
        match standing(results, row) {
            Standing::Kept => kept += 1,
            Standing::Broken => broken.push(row.id.as_str()),
            Standing::BrokenAsKnown => known.push(row.id.as_str()),
            Standing::NotJudged(reason) => open.entry(reason).or_default().push(&row.id),
        }
    }
    let not_judged: usize = open.values().map(Vec::len).sum();
    let total = kept + broken.len() + known.len() + not_judged;
    let mut text = format!("{kept} of {total} MUST requirements kept, {} broken", broken.len());
    // Writing to a String cannot fail.
    if !known.is_empty() {
        let _ = write!(text, ", {} broken as is known", known.len());
    }
    let _ = write!(text, ", {not_judged} not judged");
    if !open.is_empty() {
        let classes: Vec<String> =
            open.iter().map(|(reason, ids)| format!("{} {}", ids.len(), words(reason))).collect();
        let _ = write!(text, " ({})", classes.join("; "));
    }
    for (what, ids) in [("broken", &broken), ("broken as is known", &known)] {
        if !ids.is_empty() {
            let _ = write!(text, "\n{what}: {}", ids.join(" "));
        }
    }
    // A run of a few selected cases leaves most of them open.
    if results.filters.is_empty() && results.is_of_all_rungs() && results.implementations.is_empty() {
        for (reason, ids) in open.iter().filter(|(_, ids)| ids.len() <= NAMED) {
            let _ = write!(text, "\nnot judged, {}: {}", words(reason), ids.join(" "));
        }
    }
    text
}

fn standing(results: &Results, row: &RequirementRow) -> Standing {
    let blames =
        |case: &&CaseResult| matches!(&case.outcome, Outcome::Fail { failure } if failure.requirement == row.id);
    let mut blaming = results.cases.iter().filter(blames).peekable();
    if blaming.peek().is_some() {
        return if blaming.all(|case| case.deviation.is_some()) { Standing::BrokenAsKnown } else { Standing::Broken };
    }
    let cites = |case: &&CaseResult| case.requirements.contains(&row.id);
    let judged: Vec<&CaseResult> = results.cases.iter().filter(cites).collect();
    if judged.iter().any(|case| matches!(case.outcome, Outcome::Pass)) {
        return Standing::Kept;
    }
    let mut wanting: BTreeMap<&str, usize> = BTreeMap::new();
    for case in &judged {
        if let Outcome::Skipped { missing } = &case.outcome {
            *wanting.entry(missing).or_default() += 1;
        }
    }
    let most = wanting.into_iter().max_by_key(|(_, cases)| *cases);
    Standing::NotJudged(if judged.iter().any(|case| matches!(case.outcome, Outcome::Error { .. })) {
        Reason::WithoutVerdict
    } else if let Some((capability, _)) = most {
        Reason::WantOf(capability.to_owned())
    } else if !judged.is_empty() {
        Reason::OtherFailures
    } else {
        row.not_run.map_or(Reason::Unknown, Reason::NotRun)
    })
}

fn words(reason: &Reason) -> String {
    match reason {
        Reason::WantOf(capability) => format!("for want of {capability}"),
        Reason::NotRun(NotRun::OtherSet) => "in the set that was not run".to_owned(),
        Reason::NotRun(NotRun::NotSelected) => "not selected".to_owned(),
        Reason::NotRun(NotRun::NoCase) => "without a case".to_owned(),
        Reason::WithoutVerdict => "without a verdict".to_owned(),
        Reason::OtherFailures => "behind failures of others".to_owned(),
        Reason::Unknown => "not run".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Results with a requirement for each of `not_run`, and cases that judge one requirement each.
    fn results(not_run: &[(&str, Value)], cases: &[(&str, Value)]) -> Results {
        let requirement = |(id, why): &(&str, Value)| json!({"id": id, "level": "MUST", "text": "", "not_run": why});
        let case = |(id, verdict): &(&str, Value)| {
            let mut case = json!({
                "id": format!("f/{}", id.to_lowercase()), "title": "", "family": "f", "level": "MUST", "requirements": [id],
                "repetition": 1, "duration_ms": 0,
            });
            case.as_object_mut().unwrap().extend(verdict.as_object().unwrap().clone());
            case
        };
        serde_json::from_value(json!({
            "format": "snowproof-results", "version": 1, "started_unix_ms": 0, "duration_ms": 0, "command": "", "filters": [],
            "node": {"name": "n", "language": "", "version": null, "manifest": "", "capabilities": []},
            "requirements": not_run.iter().map(requirement).collect::<Vec<_>>(),
            "cases": cases.iter().map(case).collect::<Vec<_>>(),
        }))
        .unwrap()
    }

    fn failed(requirement: &str) -> Value {
        json!({"verdict": "fail", "failure": {
            "requirement": requirement, "sentence": "", "cause": "crash", "place": null, "expected": null, "actual": null,
            "bytes": null, "meanwhile": [], "sessions": [], "logs": [], "repeat": "",
        }})
    }

    #[test]
    fn the_score_is_out_of_all_and_says_why_not() {
        let mut known = failed("X-3");
        known["deviation"] = json!({"case": "f/x-3", "reason": "r", "review": "2999-01-01", "place": "known.yaml:1"});
        let problem = json!({"blame": "harness", "message": "", "logs": [], "repeat": ""});
        let ids = ["X-1", "X-2", "X-3", "X-4", "X-5", "X-6", "X-7"].map(|id| (id, Value::Null));
        let absent = [("Y-1", json!("other_set")), ("Y-2", json!("not_selected")), ("Y-3", json!("no_case"))];
        let skipped = |missing: &str| json!({"verdict": "skipped", "missing": missing});
        let results = results(
            &[&ids[..], &absent[..]].concat(),
            &[
                ("X-1", json!({"verdict": "pass"})),
                ("X-1", skipped("rooms")),
                ("X-2", failed("X-2")),
                ("X-3", known),
                ("X-4", skipped("rooms")),
                ("X-4", skipped("process")),
                ("X-4", skipped("process")),
                ("X-5", skipped("rooms")),
                ("X-6", json!({"verdict": "error", "problem": problem})),
                ("X-7", failed("X-2")),
            ],
        );
        let score = score(&results);
        let lines: Vec<&str> = score.lines().collect();
        assert_eq!(
            lines[0],
            "1 of 10 MUST requirements kept, 1 broken, 1 broken as is known, 7 not judged (1 for want of process; 1 for want of \
             rooms; 1 in the set that was not run; 1 not selected; 1 without a case; 1 without a verdict; 1 behind failures of others)"
        );
        assert_eq!(lines[1..3], ["broken: X-2", "broken as is known: X-3"]);
        assert_eq!(lines[3], "not judged, for want of process: X-4");
        assert_eq!(lines.len(), 10, "{score}");
    }

    #[test]
    fn a_selection_is_not_told_each_id_that_it_left_out() {
        let mut results = results(&[("X-1", Value::Null)], &[]);
        results.filters.push("f/x".to_owned());
        assert_eq!(score(&results), "0 of 1 MUST requirements kept, 0 broken, 1 not judged (1 not run)");
    }
}
