//! The end of a run: verdicts by family and level, requirements, and one line to quote.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::requirement::Level;
use crate::results::{CaseResult, Conclusion, Outcome, Results};

#[derive(Default)]
struct Count {
    pass: usize,
    fail: usize,
    skipped: usize,
    error: usize,
}

impl Count {
    fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Pass => self.pass += 1,
            Outcome::Fail { .. } => self.fail += 1,
            Outcome::Skipped { .. } => self.skipped += 1,
            Outcome::Error { .. } => self.error += 1,
        }
    }
}

/// The summary, as lines of text; the last one is the one to quote.
#[must_use]
pub fn summary(results: &Results) -> String {
    let mut families: BTreeMap<(&str, Level), Count> = BTreeMap::new();
    for case in &results.cases {
        families.entry((&case.family, case.level)).or_default().add(&case.outcome);
    }
    let mut text = String::from("family       level     pass   fail  skipped  error\n");
    for ((family, level), count) in &families {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{family:<12} {level:<7} {:>6} {:>6} {:>8} {:>6}",
            count.pass, count.fail, count.skipped, count.error
        );
    }
    let missing = missing_capabilities(&results.cases);
    if !missing.is_empty() {
        let _ = writeln!(text, "\nskipped for want of {missing}");
    }
    let _ = writeln!(text, "\n{}", requirements(results));
    if results.left_out > 0 {
        let _ = writeln!(text, "{} cases of the other set were not run (`--set all` runs them, too)", results.left_out);
    }
    if let Some(line) = super::rung(results) {
        let _ = writeln!(text, "{line}");
    }
    let _ = writeln!(text, "{}", quote(results));
    text
}

fn missing_capabilities(cases: &[CaseResult]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for case in cases {
        if let Outcome::Skipped { missing } = &case.outcome {
            *counts.entry(missing).or_default() += 1;
        }
    }
    let texts: Vec<String> = counts.iter().map(|(missing, count)| format!("{missing} ({count} cases)")).collect();
    texts.join(", ")
}

/// MUST requirements: a broken one has a failing case that blames it, a kept one has passing cases and no failing one.
fn requirements(results: &Results) -> String {
    let (mut kept, mut broken, mut open) = (Vec::new(), Vec::new(), Vec::new());
    for requirement in results.requirements.iter().filter(|row| row.level == Level::Must) {
        let cites = |case: &&CaseResult| case.requirements.contains(&requirement.id);
        let blamed = results
            .cases
            .iter()
            .any(|case| matches!(&case.outcome, Outcome::Fail { failure } if failure.requirement == requirement.id));
        let mut judged = results.cases.iter().filter(cites);
        if blamed {
            broken.push(requirement.id.as_str());
        } else if judged.any(|case| matches!(case.outcome, Outcome::Pass)) {
            kept.push(requirement.id.as_str());
        } else {
            open.push(requirement.id.as_str());
        }
    }
    let total = kept.len() + broken.len() + open.len();
    let mut text =
        format!("{} of {total} MUST requirements kept, {} broken, {} not judged", kept.len(), broken.len(), open.len());
    if !broken.is_empty() {
        let _ = write!(text, "\nbroken: {}", broken.join(" "));
    }
    // A run of a few selected cases leaves most of them open.
    if !open.is_empty() && results.is_of_all_rungs() && results.filters.is_empty() {
        let _ = write!(text, "\nnot judged: {}", open.join(" "));
    }
    text
}

/// The line to quote.
fn quote(results: &Results) -> String {
    let mut musts = Count::default();
    let mut shoulds = Count::default();
    for case in &results.cases {
        match case.level {
            Level::Must => musts.add(&case.outcome),
            Level::Should => shoulds.add(&case.outcome),
        }
    }
    let judged = musts.pass + musts.fail;
    let verb = match results.conclusion() {
        Conclusion::Conforms if !results.filters.is_empty() || !results.is_of_all_rungs() => {
            "passes what was selected of"
        }
        Conclusion::Conforms if results.left_out > 0 => "conforms, as far as the cases that were run tell, to",
        Conclusion::Conforms if musts.skipped > 0 => "conforms, as far as it could be judged, to",
        Conclusion::Conforms => "conforms to",
        Conclusion::DoesNotConform => "does not conform to",
        Conclusion::AdapterFailed => "could not be judged (its adapter failed) against",
        Conclusion::HarnessFailed => "could not be judged (the harness failed) against",
    };
    let version = results.node.version.as_ref().map_or_else(String::new, |version| format!(" {version}"));
    let mut text =
        format!("{}{version} {verb} Snow v5: {} of {judged} MUST cases passed", results.node.name, musts.pass);
    let optional = shoulds.pass + shoulds.fail;
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
