//! Each kind of rot, in files and against results.

use super::file::Deviations;
use super::{judge, write};
use crate::requirement::{Level, Requirement, Spec};
use crate::results::{Blame, CaseResult, Cause, Conclusion, Outcome, Problem, ProblemKind, Results, sample};

/// 2026-11-28.
const TODAY: u64 = 1_795_824_000_000;

const IDS: [&str; 5] = ["f/a[x]", "f/a[y]", "f/b", "f/c", "g/d"];

fn entry(case: &str, more: &str) -> String {
    let all = [
        ("count", ""),
        ("cause", "still_open"),
        ("requirement", "F-1"),
        ("reason", "because"),
        ("review", "2999-01-01"),
    ];
    let mut text = format!("- case: '{case}'\n");
    for (key, usual) in all {
        let own = more.split(", ").find_map(|part| part.strip_prefix(&format!("{key}: ")));
        let value = own.unwrap_or(usual);
        if own.is_some() || !usual.is_empty() {
            text.push_str(&format!("  {key}: {value}\n"));
        }
    }
    text
}

fn read(text: &str) -> Deviations {
    Deviations::parse(text, "known.yaml").unwrap()
}

/// What is wrong with a file without any run.
fn wrong(text: &str) -> String {
    match Deviations::parse(text, "known.yaml") {
        Err(error) => error.to_string(),
        Ok(deviations) => {
            let mut spec = Spec::default();
            let requirement = Requirement {
                id: "F-1".to_owned(),
                level: Level::Must,
                text: String::new(),
                family: "f".to_owned(),
                line: 1,
            };
            spec.requirements.insert("F-1".to_owned(), requirement);
            deviations.wrong(&IDS, &spec).join("\n")
        }
    }
}

fn fail(requirement: &str, cause: Cause) -> Outcome {
    Outcome::Fail { failure: Box::new(sample::failure(requirement, cause)) }
}

fn known() -> Outcome {
    fail("F-1", Cause::StillOpen)
}

fn skipped(missing: &str) -> Outcome {
    Outcome::Skipped { missing: missing.to_owned() }
}

fn results(cases: Vec<(&str, Outcome)>) -> Results {
    let case = |(id, outcome): (&str, Outcome)| CaseResult {
        requirements: vec!["F-1".to_owned()],
        ..sample::case(id, outcome)
    };
    Results { started_unix_ms: TODAY, ..sample::results(cases.into_iter().map(case).collect()) }
}

/// The kinds of what is wrong after a run, what they say, and the results.
fn judged(text: &str, cases: Vec<(&str, Outcome)>) -> (Vec<ProblemKind>, String, Results) {
    let mut results = results(cases);
    judge(&read(text), &mut results);
    let problems = &results.deviations.as_ref().unwrap().problems;
    let kinds = problems.iter().map(|problem| problem.kind).collect();
    let texts: Vec<String> = problems.iter().map(|problem| format!("{}: {}", problem.place, problem.message)).collect();
    (kinds, texts.join("\n"), results)
}

#[test]
fn a_file_that_is_as_it_should_be_is_silent() {
    assert_eq!(wrong(&(entry("f/b", "") + &entry("f/a[*]", "count: 2"))), "");
    assert_eq!(wrong("# nothing yet\n"), "");
    assert_eq!(wrong("[]\n"), "");
}

#[test]
fn what_a_file_may_not_say_is_told_with_its_line() {
    let says = |text: &str, parts: &[&str]| {
        let wrong = wrong(text);
        assert!(parts.iter().all(|part| wrong.contains(part)), "{wrong}");
        assert_eq!(wrong.lines().count(), 1, "{wrong}");
    };
    let second = |more: &str| entry("f/b", "") + &entry("f/c", more);
    says("- case: f/b\n  cause: still_open\n  reasn: x\n", &["known.yaml:3:", "did you mean `reason`?"]);
    says(&entry("f/b", "cause: still_opn"), &["known.yaml:", "did you mean `still_open`?"]);
    says("case: f/b\n", &["known.yaml:1:", "sequence"]);
    says("- case: f/b\n  cause: crash\n", &["known.yaml:", "missing field `requirement`"]);
    says(&second("review: soon"), &["known.yaml:6:", "2027-01-31"]);
    says(&second("reason: ''"), &["known.yaml:6:", "no reason"]);
    says(&second("reason: todo"), &["known.yaml:6:", "no reason"]);
    says(&second("requirement: F-2"), &["known.yaml:6:", "`F-2` is no requirement"]);
    says(&entry("f/bb", ""), &["known.yaml:1:", "no case of the suite", "did you mean `f/b`?"]);
    says(&entry("f/a", ""), &["`f/a` is 2 cases", "count: 2"]);
    says(&entry("h/*", "count: 3"), &["no case of the suite is `h/*`"]);
    says(&entry("f/a[*]", ""), &["say how many: `count: 2`"]);
    says(&entry("f/a[*]", "count: 3"), &["stands for 2 cases and not for 3"]);
    says(&entry("f/b", "count: 1"), &["`count` is for forms"]);
    says(&(entry("f/b", "") + &entry("f/b", "cause: crash")), &["known.yaml:6:", "stands on line 1 already"]);
    says(
        &(entry("f/b", "") + &entry("f/*", "count: 4")),
        &["known.yaml:6:", "overlaps `f/b` on line 1", "both stand for"],
    );
}

#[test]
fn a_reason_of_many_lines_moves_no_places() {
    let text = "# known\n\n- case: f/b\n  cause: crash\n  requirement: F-1\n  reason: |\n    - one\n    - two\n  review: 2999-01-01\n";
    let deviations = read(&(text.to_owned() + "-\n  case: f/c\n" + &entry("", "").replace("- case: ''\n", "")));
    let lines: Vec<usize> = deviations.entries.iter().map(|entry| entry.line).collect();
    assert_eq!(lines, [3, 10]);
}

#[test]
fn what_fails_as_is_known_is_excused_and_never_just_conforms() {
    let (kinds, _, results) = judged(&entry("f/b", ""), vec![("f/b", known()), ("f/c", Outcome::Pass)]);
    assert_eq!(kinds, []);
    assert_eq!(results.conclusion(), Conclusion::ConformsWithDeviations);
    let deviation = results.cases[0].deviation.as_ref().unwrap();
    assert_eq!((deviation.place.as_str(), deviation.reason.as_str()), ("known.yaml:1", "because"));
    let (kinds, _, results) = judged(&entry("f/b", ""), vec![("f/b", known()), ("f/c", known())]);
    assert_eq!((kinds, results.conclusion()), (vec![], Conclusion::DoesNotConform));
}

#[test]
fn an_unexpected_pass_is_an_error() {
    let (kinds, text, results) = judged(&entry("f/b", ""), vec![("f/b", Outcome::Pass)]);
    assert_eq!(kinds, [ProblemKind::UnexpectedPass]);
    assert!(text.contains("known.yaml:1: f/b: passes; remove the entry"), "{text}");
    assert_eq!(results.conclusion(), Conclusion::DeviationsDoNotHold);
    assert_eq!(results.conclusion().exit_code(), 1);
}

#[test]
fn another_failure_fails_as_usual() {
    for other in [fail("F-1", Cause::Crash), fail("F-2", Cause::StillOpen)] {
        let (kinds, text, results) = judged(&entry("f/b", ""), vec![("f/b", other)]);
        assert_eq!(kinds, [ProblemKind::OtherFailure]);
        assert!(text.contains("the entry knows F-1, still open"), "{text}");
        assert_eq!(results.cases[0].deviation, None);
        assert_eq!(results.conclusion(), Conclusion::DoesNotConform);
    }
}

#[test]
fn an_entry_for_several_cases_is_judged_case_by_case() {
    let text = entry("f/a[*]", "count: 2");
    let (kinds, text, results) = judged(&text, vec![("f/a[x]", known()), ("f/a[y]", Outcome::Pass)]);
    assert_eq!(kinds, [ProblemKind::UnexpectedPass]);
    assert!(text.contains("f/a[y]") && !text.contains("f/a[x]"), "{text}");
    assert!(results.cases[0].deviation.is_some() && results.cases[1].deviation.is_none());
}

#[test]
fn a_review_that_is_due_yesterday_is_an_error_and_today_is_none() {
    let (kinds, text, results) = judged(&entry("f/b", "review: 2026-11-27"), vec![("f/b", known())]);
    assert_eq!((kinds, results.conclusion()), (vec![ProblemKind::Lapsed], Conclusion::DeviationsDoNotHold));
    assert!(text.contains("2026-11-27"), "{text}");
    assert_eq!(judged(&entry("f/b", "review: 2026-11-28"), vec![("f/b", known())]).0, []);
}

#[test]
fn a_case_that_fails_now_and_then_is_never_excused() {
    let cases = vec![("f/b", known()), ("f/b", Outcome::Pass), ("f/b", known())];
    let (kinds, text, results) = judged(&entry("f/b", ""), cases);
    assert_eq!(kinds, [ProblemKind::Flaky]);
    assert!(text.contains("passed in 1"), "{text}");
    assert!(results.cases.iter().all(|case| case.deviation.is_none()));
    let (kinds, _, results) = judged(&entry("f/b", ""), vec![("f/b", known()), ("f/b", fail("F-2", Cause::Crash))]);
    assert_eq!((kinds, results.conclusion()), (vec![ProblemKind::OtherFailure], Conclusion::DoesNotConform));
    let (kinds, _, results) = judged(&entry("f/b", ""), vec![("f/b", known()), ("f/b", known())]);
    assert_eq!((kinds, results.deviating()), (vec![], 1));
}

#[test]
fn what_was_skipped_excuses_nothing_and_what_has_no_verdict_says_nothing() {
    let (kinds, text, _) = judged(&entry("f/b", ""), vec![("f/b", skipped("rooms"))]);
    assert_eq!(kinds, [ProblemKind::NotJudged]);
    assert!(text.contains("`rooms`"), "{text}");
    assert_eq!(judged(&entry("f/b", ""), vec![("f/b", skipped("measuring"))]).0, []);
    let problem = Problem { blame: Blame::Harness, message: String::new(), logs: Vec::new(), repeat: String::new() };
    let (kinds, _, results) = judged(&entry("f/b", ""), vec![("f/b", Outcome::Error { problem: Box::new(problem) })]);
    assert_eq!((kinds, results.conclusion()), (vec![], Conclusion::HarnessFailed));
}

#[test]
fn entries_of_cases_that_were_not_run_are_counted_and_not_judged() {
    let (kinds, _, results) = judged(&entry("g/d", "review: 2001-01-01"), vec![("f/b", Outcome::Pass)]);
    assert_eq!(kinds, []);
    assert_eq!(results.deviations.as_ref().unwrap().not_run, 1);
    assert_eq!(results.conclusion(), Conclusion::Conforms);
}

#[test]
fn the_file_is_written_from_results_and_keeps_what_people_wrote() {
    let run = results(vec![("f/b", known()), ("f/c", fail("F-1", Cause::Crash)), ("g/d", Outcome::Pass)]);
    let written = write(None, &run, &IDS);
    assert_eq!((written.entries, written.without_reason), (2, 2));
    let fresh = read(&written.text);
    assert_eq!(fresh.entries[0].review.to_string(), "2027-02-26");
    assert!(wrong(&written.text).contains("has no reason"), "{}", written.text);
    // One is still the same, one fails in another way by now, one passes, one was not run.
    let old = entry("f/b", "reason: an old story, review: 2027-05-05")
        + &entry("f/c", "reason: an older one")
        + &entry("g/d", "")
        + &entry("f/a[x]", "reason: not run");
    let again = write(Some(&read(&old)), &run, &IDS);
    let words: Vec<(String, String)> =
        read(&again.text).entries.iter().map(|entry| (entry.case.to_string(), entry.reason.clone())).collect();
    let words: Vec<(&str, &str)> = words.iter().map(|(case, reason)| (case.as_str(), reason.as_str())).collect();
    assert_eq!(words, [("f/a[x]", "not run"), ("f/b", "an old story"), ("f/c", "TODO")]);
    assert_eq!(read(&again.text).entries[1].review.to_string(), "2027-05-05");
}

#[test]
fn a_form_stays_one_only_where_all_its_cases_fail_as_it_says() {
    let old = |count: &str| read(&entry("f/a[*]", &format!("count: {count}, reason: both")));
    let cases = |old: &str, y: Outcome| {
        let written = write(Some(&self::read(old)), &results(vec![("f/a[x]", known()), ("f/a[y]", y)]), &IDS);
        let entries = read(&written.text).entries;
        entries.iter().map(|entry| format!("{} {}", entry.case, entry.reason)).collect::<Vec<_>>()
    };
    let text = entry("f/a[*]", "count: 2, reason: both");
    assert_eq!(cases(&text, known()), ["f/a[*] both"]);
    assert_eq!(cases(&text, Outcome::Pass), ["f/a[x] both"]);
    assert_eq!(cases(&text, fail("F-1", Cause::Crash)), ["f/a[x] both", "f/a[y] TODO"]);
    // Which of the two was not there when it was written?
    assert_eq!(cases(&entry("f/a[*]", "count: 1, reason: both"), known()), ["f/a[x] TODO", "f/a[y] TODO"]);
    let unrun = write(Some(&old("1")), &results(vec![("f/b", Outcome::Pass)]), &IDS);
    assert_eq!(read(&unrun.text).entries[0].count, Some(1));
}

#[test]
fn what_does_not_always_fail_is_not_written() {
    let written = write(None, &results(vec![("f/b", known()), ("f/b", Outcome::Pass)]), &IDS);
    assert_eq!((written.entries, written.unsteady), (0, vec!["f/b".to_owned()]));
    assert_eq!(wrong(&written.text), "");
}
