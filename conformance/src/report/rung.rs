//! Which rung a node has reached, and what stands before the next: one line, from results alone.
//!
//! A rung is *reached* when the node has its capability, at least one of its MUST cases was judged and all that were passed, and all lower
//! rungs are reached. Cases that were skipped for want of another capability, and SHOULD cases, hinder nobody. A node without `codec` is not judged by
//! rung 0, which hinders no higher rung, and is said.

use crate::requirement::Level;
use crate::results::{CaseResult, Outcome, Results};
use crate::rung::Rung;

/// What a run says of one rung.
enum State {
    Reached,
    /// The node lacks this capability.
    Lacks(&'static str),
    /// No case of it was run, or all were skipped.
    NotJudged,
    /// What fails, in words.
    Fails(String),
}

/// The line. None where filters selected the cases, or a set that begins behind the lowest rung, for a few cases say nothing about a rung, and where
/// several implementations were judged together.
#[must_use]
pub fn rung(results: &Results) -> Option<String> {
    if !results.filters.is_empty()
        || !results.implementations.is_empty()
        || !results.cases.iter().any(|case| case.rung == Some(Rung::Bytes))
    {
        return None;
    }
    let mut reached = None;
    let mut unjudged = String::new();
    let mut next = String::new();
    for rung in Rung::ALL {
        let words = match state(results, rung) {
            State::Reached => {
                reached = Some(rung);
                continue;
            }
            State::Lacks(capability) if rung == Rung::Bytes => {
                unjudged = format!("; {rung}: not judged, for it needs capability {capability}");
                continue;
            }
            State::Lacks("control") => "needs an adapter (capability control)".to_owned(),
            State::Lacks(capability) => format!("needs capability {capability}"),
            State::NotJudged => format!("not judged (`--rung {}` runs up to it)", rung.number()),
            State::Fails(words) => words,
        };
        next = format!("; {rung}: {words}");
        break;
    }
    let top = Rung::TOP.number();
    let reached = reached.map_or_else(
        || format!("no rung of 0 to {top} reached"),
        |rung| format!("rung {} of {top} ({}) reached", rung.number(), rung.name()),
    );
    Some(format!("{reached}{unjudged}{next}"))
}

fn state(results: &Results, rung: Rung) -> State {
    if let Some(capability) = rung.capability()
        && !results.node.capabilities.iter().any(|had| had == capability)
    {
        return State::Lacks(capability);
    }
    let of_rung = |case: &&CaseResult| case.rung == Some(rung) && case.level == Level::Must;
    let judged: Vec<&CaseResult> =
        results.cases.iter().filter(of_rung).filter(|case| !matches!(case.outcome, Outcome::Skipped { .. })).collect();
    let failing = || judged.iter().filter(|case| matches!(case.outcome, Outcome::Fail { .. }));
    let without = judged.iter().filter(|case| matches!(case.outcome, Outcome::Error { .. })).count();
    let Some(first) = judged.iter().find(|case| !matches!(case.outcome, Outcome::Pass)) else {
        return if judged.is_empty() { State::NotJudged } else { State::Reached };
    };
    let mut words = Vec::new();
    if failing().count() > 0 {
        words.push(format!("{} of {} cases fail", failing().count(), judged.len()));
    }
    if without > 0 {
        words.push(format!("{without} of {} have no verdict", judged.len()));
    }
    State::Fails(format!("{}, first: {}", words.join(", "), failing().next().unwrap_or(first).id))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// As a results file has them: what else may stand there is no matter here.
    fn results(capabilities: &str, cases: &[(&str, Rung, &str)]) -> Results {
        let case = |(id, rung, verdict): &(&str, Rung, &str)| -> Value {
            let mut case = json!({
                "id": id, "title": "", "family": "f", "rung": rung, "requirements": [], "repetition": 1, "duration_ms": 0,
                "level": if verdict.starts_with("should") { "SHOULD" } else { "MUST" },
                "verdict": verdict.trim_start_matches("should "),
            });
            case["missing"] = "rooms".into();
            case["problem"] = json!({"blame": "adapter", "message": "", "logs": [], "repeat": ""});
            case["failure"] = json!({
                "requirement": "X-1", "sentence": "", "cause": "crash", "meanwhile": [], "sessions": [], "logs": [], "repeat": "",
            });
            case
        };
        let capabilities: Vec<&str> = capabilities.split_whitespace().collect();
        serde_json::from_value(json!({
            "format": "snowproof-results", "version": 1, "started_unix_ms": 0, "duration_ms": 0, "command": "", "filters": [],
            "node": {"name": "n", "language": "C", "version": null, "manifest": "", "capabilities": capabilities},
            "requirements": [], "cases": cases.iter().map(case).collect::<Vec<_>>(),
        }))
        .unwrap()
    }

    fn line(capabilities: &str, cases: &[(&str, Rung, &str)]) -> String {
        rung(&results(capabilities, cases)).unwrap()
    }

    #[test]
    fn what_fails_stands_before_the_next_rung() {
        let mut cases = vec![
            ("a", Rung::Bytes, "pass"),
            ("b", Rung::Wire, "pass"),
            ("c", Rung::Membership, "pass"),
            ("d", Rung::Membership, "fail"),
            ("e", Rung::Registry, "pass"),
        ];
        let capabilities = "control codec registry";
        assert_eq!(
            line(capabilities, &cases),
            "rung 1 of 6 (wire) reached; rung 2 (membership): 1 of 2 cases fail, first: d"
        );
        cases[3].2 = "should fail";
        assert_eq!(line(capabilities, &cases), "rung 3 of 6 (registry) reached; rung 4 (room): needs capability rooms");
        cases[3].2 = "skipped";
        cases[2].2 = "error";
        assert_eq!(
            line(capabilities, &cases),
            "rung 1 of 6 (wire) reached; rung 2 (membership): 1 of 1 have no verdict, first: c"
        );
        cases[0].2 = "fail";
        assert_eq!(
            line(capabilities, &cases),
            "no rung of 0 to 6 reached; rung 0 (bytes): 1 of 1 cases fail, first: a"
        );
    }

    #[test]
    fn what_was_not_run_is_not_reached() {
        let cases = [("a", Rung::Bytes, "pass")];
        assert_eq!(
            line("control codec", &cases),
            "rung 0 of 6 (bytes) reached; rung 1 (wire): not judged (`--rung 1` runs up to it)"
        );
    }

    #[test]
    fn a_node_without_a_codec_climbs_all_the_same_and_is_told() {
        let cases = [("a", Rung::Bytes, "skipped"), ("b", Rung::Wire, "pass"), ("c", Rung::Process, "pass")];
        assert_eq!(
            line("process", &cases),
            "rung 1 of 6 (wire) reached; rung 0 (bytes): not judged, for it needs capability codec; \
             rung 2 (membership): needs an adapter (capability control)"
        );
    }

    #[test]
    fn all_rungs_or_selected_cases_leave_nothing_to_say_of_the_next() {
        let cases: Vec<(&str, Rung, &str)> = Rung::ALL.into_iter().map(|rung| ("a", rung, "pass")).collect();
        let mut all = results("control codec registry rooms process supervisor", &cases);
        assert_eq!(rung(&all).unwrap(), "rung 6 of 6 (supervisor) reached");
        all.filters.push("registry/".to_owned());
        assert_eq!(rung(&all), None);
    }
}
