//! The file of deviations: read, and checked as far as that needs no run. Closed: what it may not say is an error, with its place.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::date::Date;
use super::pattern::Pattern;
use crate::requirement::Spec;
use crate::results::{CaseResult, Cause, Outcome};
use crate::scenario::load::with_hint;
use crate::suite::Suite;

/// What stands for a reason until somebody has written one.
pub(super) const TODO: &str = "TODO";

/// The entries of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deviations {
    /// The file's path, as it is shown.
    pub file: String,
    /// In the order of the file.
    pub entries: Vec<Entry>,
}

/// One known failure, or several of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The line on which it begins, from 1.
    pub line: usize,
    /// The cases that it stands for.
    pub case: Pattern,
    /// How many these are, where it is a form.
    pub count: Option<usize>,
    /// The class of the cause: one half of the fingerprint.
    pub cause: Cause,
    /// The requirement that is broken: the other half.
    pub requirement: String,
    /// Why this is as it is.
    pub reason: String,
    /// Where it is dealt with.
    pub link: Option<String>,
    /// The last day on which it is not looked at again.
    pub review: Date,
}

/// Everything that is wrong with a file: one line each, with its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct DeviationsError(pub Vec<String>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    case: String,
    count: Option<usize>,
    cause: Cause,
    requirement: String,
    reason: String,
    link: Option<String>,
    review: String,
}

impl Deviations {
    /// Reads a file and checks it against the suite.
    ///
    /// # Errors
    /// Returns the first line that cannot be read; or everything that is wrong with the entries.
    pub fn load(path: &Path, suite: &Suite) -> Result<Self, DeviationsError> {
        let deviations = Self::read(path, suite)?;
        let ids: Vec<&str> = suite.cases.iter().map(|case| case.id.as_str()).collect();
        let wrong = deviations.wrong(&ids, &suite.spec);
        if wrong.is_empty() { Ok(deviations) } else { Err(DeviationsError(wrong)) }
    }

    /// Reads a file whose entries may be wrong, to write it anew.
    ///
    /// # Errors
    /// Returns the first line that cannot be read.
    pub fn read(path: &Path, suite: &Suite) -> Result<Self, DeviationsError> {
        // Within the checkout, paths are shown as they stand in it.
        let root = suite.root.canonicalize().unwrap_or_else(|_| suite.root.clone());
        let shown = path.strip_prefix(root).unwrap_or(path).display().to_string();
        let text = fs::read_to_string(path).map_err(|error| {
            let hint =
                "write it with `cargo xtask conformance --write-deviations`, or leave `deviations` out of the manifest";
            DeviationsError(vec![format!("{shown}: {error}; {hint}")])
        })?;
        Self::parse(&text, &shown)
    }

    pub(super) fn parse(text: &str, file: &str) -> Result<Self, DeviationsError> {
        let one = |line: usize, message: String| DeviationsError(vec![format!("{file}:{line}: {message}")]);
        // A file of nothing but comments is a list without entries.
        let documents: Vec<Document> = serde_yaml::from_str::<Option<_>>(text)
            .map_err(|error| {
                let full = error.to_string();
                let message = full.split(" at line ").next().unwrap_or(&full);
                // The way to what is wrong says less than its line.
                let way = message.split_once(": ").filter(|_| message.starts_with('['));
                let message = with_hint(way.map_or(message, |(_, message)| message));
                one(error.location().map_or(1, |place| place.line()), message)
            })?
            .unwrap_or_default();
        let lines = entry_lines(text);
        let mut entries = Vec::new();
        for (index, document) in documents.into_iter().enumerate() {
            let line = lines.get(index).copied().unwrap_or(1);
            let Some(review) = Date::parse(document.review.trim()) else {
                let message =
                    format!("`review: {}` is no day; write for example `review: 2027-01-31`", document.review);
                return Err(one(line, message));
            };
            entries.push(Entry {
                line,
                case: Pattern::new(document.case),
                count: document.count,
                cause: document.cause,
                requirement: document.requirement,
                reason: document.reason.trim().to_owned(),
                link: document.link.map(|link| link.trim().to_owned()).filter(|link| !link.is_empty()),
                review,
            });
        }
        Ok(Self { file: file.to_owned(), entries })
    }

    /// What is wrong with the entries, whatever a node does: one line each, with its place. `ids` are all cases of the suite.
    pub(super) fn wrong(&self, ids: &[&str], spec: &Spec) -> Vec<String> {
        let mut wrong: Vec<String> = self.without_reason().into_iter().collect();
        for (index, entry) in self.entries.iter().enumerate() {
            let mut say = |message: String| wrong.push(format!("{}: {message}", self.place(entry)));
            if !spec.requirements.contains_key(&entry.requirement) {
                say(format!(
                    "`{}` is no requirement of the spec; copy it from the report of the failure",
                    entry.requirement
                ));
            }
            let matched = ids.iter().filter(|id| entry.case.matches(id)).count();
            match (entry.case.is_form(), entry.count) {
                (_, _) if matched == 0 => say(unknown(&entry.case, ids)),
                (true, None) => {
                    say(format!("`{}` stands for several cases; say how many: `count: {matched}`", entry.case))
                }
                (true, Some(count)) if count != matched => say(format!(
                    "`{}` stands for {matched} cases and not for {count}; look at those that are new or gone, then correct `count`",
                    entry.case
                )),
                (false, Some(_)) => say(format!("`{}` is one case; `count` is for forms with `*`", entry.case)),
                _ => {}
            }
            let earlier = self.entries[..index].iter().find_map(|other| {
                let both = ids.iter().find(|id| entry.case.matches(id) && other.case.matches(id))?;
                Some((other, both))
            });
            match earlier {
                Some((other, _)) if other.case == entry.case => {
                    say(format!("`{}` stands on line {} already; keep one of the two", entry.case, other.line));
                }
                Some((other, both)) => say(format!(
                    "`{}` overlaps `{}` on line {}: both stand for `{both}`; narrow one of them",
                    entry.case, other.case, other.line
                )),
                None => {}
            }
        }
        wrong
    }

    /// Whether a case failed as one of the entries says, as far as one repetition tells.
    #[must_use]
    pub fn knows(&self, case: &CaseResult) -> bool {
        let Outcome::Fail { failure } = &case.outcome else { return false };
        self.entry(&case.id)
            .is_some_and(|entry| entry.requirement == failure.requirement && entry.cause == failure.cause)
    }

    /// `file:line` of an entry.
    pub(super) fn place(&self, entry: &Entry) -> String {
        format!("{}:{}", self.file, entry.line)
    }

    /// Entries that nobody has given a reason, on one line: a file that was written by a command has many.
    fn without_reason(&self) -> Option<String> {
        let wanting = |entry: &&Entry| entry.reason.is_empty() || entry.reason.eq_ignore_ascii_case(TODO);
        let mut entries = self.entries.iter().filter(wanting);
        let first = entries.next()?;
        let more = match entries.count() {
            0 => String::new(),
            more => format!(", and {more} more have none"),
        };
        let what = "write why the node does this, or have it not do it";
        Some(format!("{}: `{}` has no reason{more}; {what}", self.place(first), first.case))
    }

    /// The entry for a case.
    pub(super) fn entry(&self, id: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.case.matches(id))
    }
}

fn unknown(case: &Pattern, ids: &[&str]) -> String {
    let rows = ids.iter().filter(|id| id.split('[').next() == Some(case.as_str())).count();
    if rows > 0 {
        return format!(
            "`{case}` is {rows} cases: name them, or write `case: '{case}[*]'` with `count: {rows}` if all fail alike"
        );
    }
    let near = |id: &&&str| strsim::jaro_winkler(id, case.as_str());
    let best = ids.iter().max_by(|a, b| near(a).total_cmp(&near(b))).filter(|id| near(id) > 0.75);
    let hint = best.map_or_else(String::new, |best| format!(" (did you mean `{best}`?)"));
    format!("no case of the suite is `{case}`{hint}; remove the entry if the case is gone")
}

/// The line on which each item of the outermost list begins, from 1. Whatever stands within an item is further to the right than its dash.
fn entry_lines(text: &str) -> Vec<usize> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let is_item = |line: &str| line.trim_start() == "-" || line.trim_start().starts_with("- ");
    let outermost: BTreeSet<usize> = text.lines().filter(|line| is_item(line)).map(indent).collect();
    let Some(outermost) = outermost.first() else { return Vec::new() };
    let begins = |(index, line): (usize, &str)| (is_item(line) && indent(line) == *outermost).then_some(index + 1);
    text.lines().enumerate().filter_map(begins).collect()
}
