//! The score: how many MUST requirements of the spec were kept, and, of those that were not judged, why.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::requirement::Level;
use crate::results::{CaseResult, NotRun, Outcome, RequirementRow, Results};

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
        for (reason, ids) in &open {
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
