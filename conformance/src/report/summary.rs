//! The end of a run: verdicts by family and level, the score, known deviations, and one line to quote.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::deviations::deviations;
use super::score::score;
use crate::requirement::Level;
use crate::results::{CaseResult, Conclusion, Outcome, Results};

#[derive(Default)]
struct Count {
    pass: usize,
    fail: usize,
    deviating: usize,
    skipped: usize,
    error: usize,
}

impl Count {
    fn add(&mut self, case: &CaseResult) {
        match &case.outcome {
            Outcome::Pass => self.pass += 1,
            Outcome::Fail { .. } if case.deviation.is_some() => self.deviating += 1,
            Outcome::Fail { .. } => self.fail += 1,
            Outcome::Skipped { .. } => self.skipped += 1,
            Outcome::Error { .. } => self.error += 1,
        }
    }

    const fn judged(&self) -> usize {
        self.pass + self.fail + self.deviating
    }
}

/// The summary, as lines of text; the last one is the one to quote.
#[must_use]
pub fn summary(results: &Results) -> String {
    let mut text = families(results);
    // Writing to a String cannot fail.
    let _ = writeln!(text, "\n{}{}", capabilities(results), score(results));
    if results.left_out > 0 {
        let _ = writeln!(text, "{} cases of the other set were not run (`--set all` runs them, too)", results.left_out);
    }
    text.push_str(&deviations(results));
    if let Some(line) = super::rung(results) {
        let _ = writeln!(text, "{line}");
    }
    let _ = writeln!(text, "{}", quote(results));
    text
}

/// The table. It has a column for known deviations where there are some.
fn families(results: &Results) -> String {
    let mut families: BTreeMap<(&str, Level), Count> = BTreeMap::new();
    for case in &results.cases {
        families.entry((&case.family, case.level)).or_default().add(case);
    }
    let known = |number: &str| if results.deviating() > 0 { format!(" {number:>6}") } else { String::new() };
    let mut text = format!("family       level     pass   fail{}  skipped  error\n", known("known"));
    for ((family, level), count) in &families {
        let _ = writeln!(
            text,
            "{family:<12} {level:<7} {:>6} {:>6}{} {:>8} {:>6}",
            count.pass,
            count.fail,
            known(&count.deviating.to_string()),
            count.skipped,
            count.error
        );
    }
    text
}

/// Lines about what the node claims and what it has.
fn capabilities(results: &Results) -> String {
    let mut skipped: BTreeMap<&str, usize> = BTreeMap::new();
    for case in &results.cases {
        if let Outcome::Skipped { missing } = &case.outcome {
            *skipped.entry(missing).or_default() += 1;
        }
    }
    let mut text = String::new();
    let node = &results.node;
    if !node.undeclared.is_empty() {
        let _ = writeln!(text, "not claimed: {}", node.undeclared.join(", "));
    }
    if !skipped.is_empty() {
        let texts: Vec<String> = skipped.iter().map(|(missing, count)| format!("{missing} ({count} cases)")).collect();
        let _ = writeln!(text, "skipped for want of {}", texts.join(", "));
    }
    for name in &node.unclaimed_but_working {
        let cases = match skipped.get(name.as_str()) {
            Some(1) => "1 case is".to_owned(),
            Some(count) => format!("{count} cases are"),
            None => "cases are".to_owned(),
        };
        let _ = writeln!(text, "`{name}` answers though it is not claimed: claim it, and its {cases} judged");
    }
    if !node.missing_in_manifest.is_empty() {
        let names = node.missing_in_manifest.join(", ");
        let _ = writeln!(text, "claimed in initialize and judged, but not named in the manifest: {names}");
    }
    text
}

/// The line to quote. What deviates never just conforms or passes.
fn quote(results: &Results) -> String {
    let mut musts = Count::default();
    let mut shoulds = Count::default();
    for case in &results.cases {
        match case.level {
            Level::Must => musts.add(case),
            Level::Should => shoulds.add(case),
        }
    }
    let conclusion = results.conclusion();
    let known = match (&conclusion, results.deviating()) {
        (Conclusion::ConformsWithDeviations, 1) => " with 1 deviation",
        (Conclusion::ConformsWithDeviations, count) => &format!(" with {count} deviations"),
        _ => "",
    };
    let verb = match conclusion {
        Conclusion::Conforms if !results.implementations.is_empty() => {
            "keeps in mixed clusters what was selected of".to_owned()
        }
        Conclusion::Conforms | Conclusion::ConformsWithDeviations => {
            if !results.filters.is_empty() || !results.is_of_all_rungs() {
                format!("passes{known} what was selected of")
            } else if results.left_out > 0 {
                format!("conforms{known}, as far as the cases that were run tell, to")
            } else if musts.skipped > 0 {
                format!("conforms{known}, as far as it could be judged, to")
            } else {
                format!("conforms{known} to")
            }
        }
        Conclusion::DoesNotConform => "does not conform to".to_owned(),
        Conclusion::DeviationsDoNotHold => {
            "does not conform, since its known deviations are not all as they are said to be, to".to_owned()
        }
        Conclusion::AdapterFailed => "could not be judged (its adapter failed) against".to_owned(),
        Conclusion::HarnessFailed => "could not be judged (the harness failed) against".to_owned(),
    };
    let version = results.node.version.as_ref().map_or_else(String::new, |version| format!(" {version}"));
    let mut text = format!(
        "{}{version} {verb} Snow v5: {} of {} MUST cases passed",
        results.node.name,
        musts.pass,
        musts.judged()
    );
    let optional = shoulds.judged();
    if optional > 0 {
        let _ = write!(text, ", {} of {optional} SHOULD", shoulds.pass);
    }
    let _ = write!(
        text,
        ", {} skipped, {} without verdict, in {}.{} s",
        musts.skipped + shoulds.skipped,
        musts.error + shoulds.error,
        results.duration_ms / 1000,
        results.duration_ms % 1000 / 100
    );
    text
}
