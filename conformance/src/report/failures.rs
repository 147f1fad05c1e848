//! All that did not pass and is not known to, for a person: failures of one kind stand together, and one of them in full.

use std::fmt::Write as _;

use indexmap::IndexMap;

use super::failure::{failure, problem};
use super::interop;
use crate::results::{Blame, Blamed, CaseResult, Cause, Outcome, Results};

/// How many ids of a kind's further cases are named.
const NAMED: usize = 12;

/// How much of the failures is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// The first of each kind in full, the others by their ids.
    OneOfAKind,
    /// Each in full.
    Each,
}

/// What failures have in common that very likely have one cause: the requirement that was broken, and the class of the cause; or
/// who is to blame where there is no verdict, and for what. In mixed clusters also the node that is blamed.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Kind<'a> {
    Failed(&'a str, Cause, Option<&'a Blamed>),
    WithoutVerdict(u8, &'a str, Option<&'a Blamed>),
}

/// The report of everything that did not pass but known deviations, as lines of text; empty where there is nothing else.
#[must_use]
pub fn failures(results: &Results, detail: Detail) -> String {
    let mut kinds: IndexMap<Kind<'_>, Vec<&CaseResult>> = IndexMap::new();
    for case in results.cases.iter().filter(|case| case.deviation.is_none()) {
        if let Some(kind) = kind(case) {
            kinds.entry(kind).or_default().push(case);
        }
    }
    let mut text = String::new();
    for (kind, cases) in kinds {
        let in_full = if detail == Detail::Each { cases.len() } else { 1 };
        for case in &cases[..in_full] {
            text.push_str(&in_words(results, case));
            text.push('\n');
        }
        others(&mut text, &kind, &cases[in_full..]);
    }
    text
}

fn kind(case: &CaseResult) -> Option<Kind<'_>> {
    match &case.outcome {
        Outcome::Pass | Outcome::Skipped { .. } => None,
        Outcome::Fail { failure } => Some(Kind::Failed(&failure.requirement, failure.cause, case.blame.as_ref())),
        // Messages differ behind the case's own place and numbers; what they begin with tells enough.
        Outcome::Error { problem } => {
            let place = problem.message.find(": ").filter(|at| problem.message[..*at].contains(".yaml:"));
            let words = &problem.message[place.map_or(0, |at| at + 2)..];
            let end = words.find(|c: char| c.is_ascii_digit() || c == '`').unwrap_or(words.len());
            Some(Kind::WithoutVerdict(u8::from(problem.blame == Blame::Harness), &words[..end], case.blame.as_ref()))
        }
    }
}

fn in_words(results: &Results, case: &CaseResult) -> String {
    match &case.outcome {
        Outcome::Fail { failure: why } => failure(results, case, why),
        Outcome::Error { problem: why } => problem(case, why),
        Outcome::Pass | Outcome::Skipped { .. } => String::new(),
    }
}

fn others(text: &mut String, kind: &Kind<'_>, others: &[&CaseResult]) {
    if others.is_empty() {
        return;
    }
    let mut ids: IndexMap<String, usize> = IndexMap::new();
    for case in others {
        *ids.entry(interop::with_cast(case)).or_default() += 1;
    }
    let what = match kind {
        Kind::Failed(requirement, cause, _) => format!("{requirement}, {cause}"),
        Kind::WithoutVerdict(..) => "without verdict, in the same words".to_owned(),
    };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{} more of that kind ({what})", others.len());
    for (id, count) in ids.iter().take(NAMED) {
        let _ = if *count == 1 { writeln!(text, "  {id}") } else { writeln!(text, "  {id} ({count} times)") };
    }
    if ids.len() > NAMED {
        let _ = writeln!(text, "  … and {} others; `--each-failure` shows all in full", ids.len() - NAMED);
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::sample::{self, case, results};
    use crate::results::{Failure, Problem};

    fn failed(id: &str, requirement: &str, cause: Cause) -> CaseResult {
        let failure = Failure { sentence: format!("what {id} saw"), ..sample::failure(requirement, cause) };
        case(id, Outcome::Fail { failure: Box::new(failure) })
    }

    #[test]
    fn one_of_a_kind_is_shown_in_full_and_the_others_are_named() {
        let results = results(vec![
            failed("f/a", "X-1", Cause::StillOpen),
            failed("f/b", "X-1", Cause::StillOpen),
            failed("f/c", "X-1", Cause::Crash),
            case("f/d", Outcome::Pass),
        ]);
        let text = failures(&results, Detail::OneOfAKind);
        assert!(text.contains("what f/a saw") && text.contains("what f/c saw"), "{text}");
        assert!(!text.contains("what f/b saw"), "{text}");
        assert!(text.contains("1 more of that kind (X-1, still open)\n  f/b\n"), "{text}");
        assert!(failures(&results, Detail::Each).contains("what f/b saw"));
    }

    #[test]
    fn problems_in_the_same_words_are_of_one_kind_wherever_they_arose() {
        let problem = |message: &str| {
            let message = message.to_owned();
            let problem = Problem { blame: Blame::Harness, message, logs: Vec::new(), repeat: String::new() };
            Outcome::Error { problem: Box::new(problem) }
        };
        let results = results(vec![
            case("f/a", problem("f/a.yaml:7: no port could be found for `n`")),
            case("f/b", problem("f/b.yaml:9: no port could be found for `m`")),
        ]);
        assert!(failures(&results, Detail::OneOfAKind).contains("1 more of that kind"));
    }

    #[test]
    fn nothing_is_said_when_all_passed() {
        assert_eq!(failures(&results(vec![case("f/a", Outcome::Pass)]), Detail::Each), "");
    }
}
