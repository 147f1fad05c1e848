//! Results of shards put together: what several runs found, on whichever machines, as if one run had found it. Refuses what does not belong
//! together; never plays anything, and never chooses between verdicts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use thiserror::Error;

use crate::case::CaseSet;
use crate::results::{CaseResult, DeviationReport, FORMAT, NodeFacts, Outcome, RequirementRow, Results, VERSION};
use crate::run;
use crate::suite::Suite;

/// Name of the format in which a single trial is kept, in its `format`.
pub const TRIAL: &str = "snowproof-trial";

/// The longest part of a case's id that a trial's file is named after, in bytes.
const NAMED: usize = 150;

/// What one trial found: the case as a test, in a process of its own. The requirements are left out, which would be most of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Trial {
    /// Always [`TRIAL`].
    format: String,
    /// Always [`VERSION`].
    version: u32,
    /// SHA-256 of the requirements, as hex.
    spec: String,
    /// The rest.
    results: Results,
}

/// Results, and the file that they come from.
#[derive(Debug, Clone)]
pub struct Part {
    /// The file.
    pub path: PathBuf,
    spec: String,
    results: Results,
}

/// The suite, as far as merging needs it.
#[derive(Debug, Clone)]
pub struct Whole {
    requirements: Vec<RequirementRow>,
    /// Ids of the cases that have to be there for a word on conformance.
    wanted: BTreeSet<String>,
    /// Ids of the others.
    others: BTreeSet<String>,
}

/// What several runs found together.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// As one run would have found it.
    pub results: Results,
    /// From how many files.
    pub parts: usize,
    /// Ids of the cases that were wanted and that nobody ran.
    pub missing: Vec<String>,
}

/// Why results cannot be put together.
#[derive(Debug, Error)]
pub enum MergeError {
    /// There are none.
    #[error("there are no results in {0}; shards write them with `--results FILE.json` or SNOW_RESULTS=FOLDER")]
    Nothing(String),
    /// A file or folder that cannot be read.
    #[error("{path}: {reason}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said, or what is wrong with the JSON.
        reason: String,
    },
    /// A file that holds something else.
    #[error("{path}: not results of version {VERSION} (its `format` and `version` say {found})")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: String,
    },
    /// Results of another node, or of another version of it.
    #[error("{path} judges {theirs}, and {first} {ours}: shards of one run judge one node")]
    OtherNode {
        /// The file.
        path: PathBuf,
        /// The first file.
        first: PathBuf,
        /// Its node.
        theirs: String,
        /// The first file's.
        ours: String,
    },
    /// Results of a run with another schedule of delivery.
    #[error("{path} was run with `--delivery {theirs}`, and {first} with `--delivery {ours}`: merge them apart")]
    OtherDelivery {
        /// The file.
        path: PathBuf,
        /// The first file.
        first: PathBuf,
        /// Its schedule.
        theirs: String,
        /// The first file's.
        ours: String,
    },
    /// Results that judge other requirements than this checkout has.
    #[error(
        "{path} judges by other requirements than this checkout's: run the shard, or the merge, from the same commit"
    )]
    OtherSpec {
        /// The file.
        path: PathBuf,
    },
    /// A case that this checkout does not have.
    #[error(
        "{path} has a case `{id}`, which this checkout does not: run the shard, or the merge, from the same commit"
    )]
    UnknownCase {
        /// The file.
        path: PathBuf,
        /// The case.
        id: String,
    },
    /// One case, two answers.
    #[error("`{id}`: {} in {first}, {} in {path}: run it again until you know which, with `--repeat`", .verdicts.0, .verdicts.1)]
    Contradiction {
        /// The case.
        id: String,
        /// The file that has one verdict.
        first: PathBuf,
        /// The file that has another.
        path: PathBuf,
        /// What the two say.
        verdicts: (String, String),
    },
}

/// Writes what one trial found into the folder, as a file of its own that is there in whole or not at all.
///
/// # Errors
/// Returns the system's error when that cannot be done.
pub fn write_trial(folder: &Path, mut results: Results) -> io::Result<PathBuf> {
    let id = results.cases.first().map_or("none", |case| &case.id);
    let mut slug: String = id.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    slug.truncate(NAMED);
    // Never the name of an earlier attempt: what that found is kept, too.
    let path = folder.join(format!("{slug}.{}-{}.json", results.started_unix_ms, std::process::id()));
    let spec = digest_of(&results.requirements);
    results.requirements.clear();
    let trial = Trial { format: TRIAL.to_owned(), version: VERSION, spec, results };
    fs::create_dir_all(folder)?;
    let file = NamedTempFile::with_prefix_in(".trial-", folder)?;
    serde_json::to_writer_pretty(&file, &trial)?;
    file.persist(&path)?;
    Ok(path)
}

/// Reads the results that these files, and the `.json` files in these folders and all below, hold; each file once.
///
/// # Errors
/// [`MergeError::Nothing`], [`MergeError::Unreadable`], [`MergeError::Foreign`].
pub fn read(places: &[PathBuf]) -> Result<Vec<Part>, MergeError> {
    let mut files = BTreeSet::new();
    for place in places {
        gather(place, &mut files)?;
    }
    if files.is_empty() {
        let places: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
        return Err(MergeError::Nothing(places.join(", ")));
    }
    files.into_iter().map(Part::read).collect()
}

fn gather(place: &Path, files: &mut BTreeSet<PathBuf>) -> Result<(), MergeError> {
    let unreadable = |error: io::Error| MergeError::Unreadable { path: place.to_owned(), reason: error.to_string() };
    if !place.is_dir() {
        files.insert(place.canonicalize().map_err(unreadable)?);
        return Ok(());
    }
    for entry in fs::read_dir(place).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_dir() || (path.extension().is_some_and(|ending| ending == "json") && !is_hidden) {
            gather(&path, files)?;
        }
    }
    Ok(())
}

impl Part {
    fn read(path: PathBuf) -> Result<Self, MergeError> {
        #[derive(Deserialize)]
        struct Head {
            format: Option<String>,
            version: Option<u32>,
        }
        let unreadable = |reason: String| MergeError::Unreadable { path: path.clone(), reason };
        let text = File::open(&path).and_then(|file| io::read_to_string(BufReader::new(file)));
        let text = text.map_err(|error| unreadable(error.to_string()))?;
        let head: Head = serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
        let of = |error: serde_json::Error| unreadable(error.to_string());
        match (head.format.as_deref(), head.version) {
            (Some(FORMAT), Some(VERSION)) => {
                let results: Results = serde_json::from_str(&text).map_err(of)?;
                Ok(Self { spec: digest_of(&results.requirements), path, results })
            }
            (Some(TRIAL), Some(VERSION)) => {
                let Trial { spec, results, .. } = serde_json::from_str(&text).map_err(of)?;
                Ok(Self { path, spec, results })
            }
            (format, version) => {
                let version = version.map_or_else(|| "nothing".to_owned(), |version| version.to_string());
                let found = format!("{} and {version}", format.unwrap_or("nothing"));
                Err(MergeError::Foreign { path, found })
            }
        }
    }

    /// Who was judged, as far as it has to be the same.
    fn node(&self) -> String {
        let described = |node: &NodeFacts| {
            let version = node.version.as_deref().unwrap_or("of no version");
            format!("{} {version} ({}; {})", node.name, node.language, node.capabilities.join(" "))
        };
        let all: Vec<String> =
            [&self.results.node].into_iter().chain(&self.results.implementations).map(described).collect();
        all.join(", ")
    }
}

impl Whole {
    /// This suite, of which the cases of `set` have to be there.
    #[must_use]
    pub fn of(suite: &Suite, set: CaseSet) -> Self {
        let (wanted, others): (Vec<_>, Vec<_>) = suite.cases.iter().partition(|case| case.is_in(set, &[]));
        let ids = |cases: Vec<&crate::case::Case>| cases.into_iter().map(|case| case.id.clone()).collect();
        Self { requirements: run::requirements(&suite.spec), wanted: ids(wanted), others: ids(others) }
    }

    /// Puts parts together.
    ///
    /// # Errors
    /// The first thing in which they do not belong together, or not to this suite.
    pub fn merge(&self, parts: Vec<Part>) -> Result<Merged, MergeError> {
        let spec = digest_of(&self.requirements);
        let Some(first) = parts.first().cloned() else { return Err(MergeError::Nothing("no files".to_owned())) };
        let mut seen: BTreeMap<String, (PathBuf, String)> = BTreeMap::new();
        let mut cases: Vec<CaseResult> = Vec::new();
        let mut known: Vec<DeviationReport> = Vec::new();
        let (mut begun, mut ended) = (u64::MAX, 0);
        let count = parts.len();
        for part in parts {
            part.belongs_to(&first)?;
            if part.spec != spec {
                return Err(MergeError::OtherSpec { path: part.path });
            }
            begun = begun.min(part.results.started_unix_ms);
            ended = ended.max(part.results.started_unix_ms.saturating_add(part.results.duration_ms));
            for (id, verdicts) in verdicts(&part.results.cases) {
                if !self.wanted.contains(&id) && !self.others.contains(&id) {
                    return Err(MergeError::UnknownCase { path: part.path, id });
                }
                match seen.get(&id) {
                    Some((first, other)) if *other != verdicts => {
                        let verdicts = (other.clone(), verdicts);
                        return Err(MergeError::Contradiction { id, first: first.clone(), path: part.path, verdicts });
                    }
                    Some(_) => {}
                    None => drop(seen.insert(id, (part.path.clone(), verdicts))),
                }
            }
            known.extend(part.results.deviations);
            cases.extend(part.results.cases);
        }
        number(&mut cases);
        let missing: Vec<String> = self.wanted.iter().filter(|id| !seen.contains_key(*id)).cloned().collect();
        let left_out = self.others.iter().filter(|id| !seen.contains_key(*id)).count();
        let filters = match missing.len() {
            0 => Vec::new(),
            missing => vec![format!("{} of {} cases", self.wanted.len() - missing, self.wanted.len())],
        };
        let results = Results {
            started_unix_ms: begun,
            duration_ms: ended.saturating_sub(begun),
            command: "cargo xtask results merge".to_owned(),
            filters,
            up_to: None,
            left_out,
            deviations: together(known, missing.is_empty()),
            requirements: self.requirements.clone(),
            cases,
            ..first.results
        };
        Ok(Merged { results, parts: count, missing })
    }
}

impl Part {
    fn belongs_to(&self, first: &Self) -> Result<(), MergeError> {
        let (path, first_path) = (self.path.clone(), first.path.clone());
        if self.node() != first.node() {
            let (theirs, ours) = (self.node(), first.node());
            return Err(MergeError::OtherNode { path, first: first_path, theirs, ours });
        }
        if self.results.delivery != first.results.delivery {
            let (theirs, ours) = (self.results.delivery.to_string(), first.results.delivery.to_string());
            return Err(MergeError::OtherDelivery { path, first: first_path, theirs, ours });
        }
        Ok(())
    }
}

/// What the shards found of one file of deviations. Each has looked at the entries of its own cases, so that of all together only those are
/// not run whose cases nobody ran.
fn together(reports: Vec<DeviationReport>, whole: bool) -> Option<DeviationReport> {
    let all = reports.into_iter().reduce(|mut all, one| {
        all.not_run = all.not_run.min(one.not_run);
        all.problems.extend(one.problems);
        all
    });
    all.map(|mut all| {
        let mut seen = BTreeSet::new();
        all.problems.retain(|problem| seen.insert((problem.place.clone(), problem.message.clone())));
        if whole {
            all.not_run = 0;
        }
        all
    })
}

/// The verdicts of each case, in words; of one that was repeated all that there were, each once.
fn verdicts(cases: &[CaseResult]) -> BTreeMap<String, String> {
    let mut words: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for case in cases {
        let word = match &case.outcome {
            Outcome::Skipped { missing } => format!("skipped for want of {missing}"),
            Outcome::Pass => "passed".to_owned(),
            Outcome::Fail { .. } => "failed".to_owned(),
            Outcome::Error { .. } => "without verdict".to_owned(),
        };
        words.entry(&case.id).or_default().insert(word);
    }
    let joined = |words: BTreeSet<String>| words.into_iter().collect::<Vec<_>>().join(" and ");
    words.into_iter().map(|(id, words)| (id.to_owned(), joined(words))).collect()
}

/// Orders cases by id, and numbers those that were run several times anew.
fn number(cases: &mut [CaseResult]) {
    cases.sort_by(|a, b| a.id.cmp(&b.id).then(a.repetition.cmp(&b.repetition)));
    let mut last: Option<(String, u32)> = None;
    for case in cases {
        let repetition = match &last {
            Some((id, number)) if *id == case.id => number + 1,
            _ => 1,
        };
        case.repetition = repetition;
        last = Some((case.id.clone(), repetition));
    }
}

fn digest_of(requirements: &[RequirementRow]) -> String {
    // Why one was not judged is the run's and not the spec's.
    let rows: Vec<_> = requirements.iter().map(|row| (&row.id, row.level, &row.text)).collect();
    // Strings and words: there is nothing in them that JSON could not hold.
    let text = serde_json::to_vec(&rows).unwrap_or_default();
    hex::encode(digest(&SHA256, &text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::Delivery;
    use crate::requirement::Level;
    use crate::results::sample;

    fn whole() -> Whole {
        let row = |id: &str| RequirementRow {
            id: id.to_owned(),
            level: Level::Must,
            text: "It does.".to_owned(),
            not_run: None,
        };
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        Whole { requirements: vec![row("A-1")], wanted: ids(&["a/one", "a/two[x]"]), others: ids(&["a/slow"]) }
    }

    fn case(id: &str, repetition: u32, outcome: Outcome) -> CaseResult {
        CaseResult {
            family: "a".to_owned(),
            requirements: vec!["A-1".to_owned()],
            repetition,
            ..sample::case(id, outcome)
        }
    }

    fn skipped() -> Outcome {
        Outcome::Skipped { missing: "rooms".to_owned() }
    }

    fn part(name: &str, started_unix_ms: u64, cases: Vec<CaseResult>) -> Part {
        let results = Results {
            started_unix_ms,
            duration_ms: 5,
            command: name.to_owned(),
            filters: vec![name.to_owned()],
            left_out: 7,
            node: NodeFacts { name: "n".to_owned(), version: Some("1".to_owned()), ..NodeFacts::default() },
            requirements: whole().requirements,
            ..sample::results(cases)
        };
        Part { path: name.into(), spec: digest_of(&whole().requirements), results }
    }

    fn refusal(parts: Vec<Part>) -> String {
        whole().merge(parts).unwrap_err().to_string()
    }

    #[test]
    fn shards_that_have_all_cases_are_one_run() {
        let one = part("1.json", 10, vec![case("a/two[x]", 1, Outcome::Pass)]);
        let two = part("2.json", 7, vec![case("a/one", 1, Outcome::Pass)]);
        let merged = whole().merge(vec![one, two]).unwrap();
        assert_eq!((merged.missing.len(), merged.parts), (0, 2));
        let Results { started_unix_ms, duration_ms, filters, left_out, cases, .. } = merged.results;
        assert_eq!((started_unix_ms, duration_ms, filters.len(), left_out), (7, 8, 0, 1));
        assert_eq!(cases.iter().map(|case| &case.id[..]).collect::<Vec<_>>(), ["a/one", "a/two[x]"]);
    }

    #[test]
    fn cases_that_nobody_ran_are_named_and_leave_no_word_on_conformance() {
        let merged = whole().merge(vec![part("1.json", 1, vec![case("a/slow", 1, Outcome::Pass)])]).unwrap();
        assert_eq!(merged.missing, ["a/one", "a/two[x]"]);
        assert_eq!(merged.results.left_out, 0);
        assert_eq!(merged.results.filters, ["0 of 2 cases"]);
        assert!(!crate::report::summary(&merged.results).contains("conforms"));
    }

    #[test]
    fn repetitions_are_kept_and_numbered() {
        let twice =
            |name, outcome: Outcome| part(name, 1, vec![case("a/one", 1, outcome), case("a/one", 2, skipped())]);
        let merged = whole().merge(vec![twice("1.json", Outcome::Pass), twice("2.json", Outcome::Pass)]).unwrap();
        assert_eq!(merged.results.cases.iter().map(|case| case.repetition).collect::<Vec<_>>(), [1, 2, 3, 4]);
    }

    #[test]
    fn contradictions_are_refused() {
        let alone = |name, outcome| part(name, 1, vec![case("a/one", 1, outcome)]);
        let refused = refusal(vec![alone("1.json", Outcome::Pass), alone("2.json", skipped())]);
        assert!(refused.contains("`a/one`: passed in 1.json, skipped for want of rooms in 2.json"), "{refused}");
        let both = part("2.json", 1, vec![case("a/one", 1, Outcome::Pass), case("a/one", 2, skipped())]);
        let refused = refusal(vec![alone("1.json", Outcome::Pass), both]);
        assert!(refused.contains("passed in 1.json, passed and skipped for want of rooms in 2.json"), "{refused}");
    }

    #[test]
    fn other_nodes_versions_and_capabilities_are_refused() {
        for change in [
            |node: &mut NodeFacts| node.name = "m".to_owned(),
            |node: &mut NodeFacts| node.version = Some("2".to_owned()),
            |node: &mut NodeFacts| node.capabilities.push("rooms".to_owned()),
        ] {
            let mut other = part("2.json", 1, Vec::new());
            change(&mut other.results.node);
            let refused = refusal(vec![part("1.json", 1, Vec::new()), other]);
            assert!(refused.contains("2.json judges") && refused.contains("and 1.json n 1"), "{refused}");
        }
    }

    #[test]
    fn another_delivery_is_refused() {
        let mut other = part("2.json", 1, Vec::new());
        other.results.delivery = Delivery::Bytes;
        let refused = refusal(vec![part("1.json", 1, Vec::new()), other]);
        assert!(refused.contains("2.json was run with `--delivery bytes`, and 1.json with"), "{refused}");
    }

    #[test]
    fn other_requirements_and_unknown_cases_are_refused() {
        let mut other = part("2.json", 1, Vec::new());
        other.spec.push('0');
        assert!(refusal(vec![part("1.json", 1, Vec::new()), other]).contains("2.json judges by other requirements"));
        let unknown = part("1.json", 1, vec![case("a/three", 1, Outcome::Pass)]);
        assert!(refusal(vec![unknown]).contains("1.json has a case `a/three`"));
        assert!(refusal(Vec::new()).contains("no results"));
    }

    #[test]
    fn trials_and_results_are_read_from_folders() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("shard-2");
        let trial = part("", 3, vec![case("a/two[x]", 1, Outcome::Pass)]).results;
        let written = write_trial(&below, trial.clone()).unwrap();
        assert!(written.file_name().unwrap().to_string_lossy().starts_with("a_two_x_.3-"), "{written:?}");
        let run = part("", 1, vec![case("a/one", 1, Outcome::Pass)]).results;
        let file = folder.path().join("1.json");
        fs::write(&file, serde_json::to_string(&run).unwrap()).unwrap();
        fs::write(folder.path().join("junit.xml"), "").unwrap();
        // A file that is named besides its folder counts once.
        let parts = read(&[folder.path().to_owned(), file]).unwrap();
        assert_eq!(whole().merge(parts).unwrap().missing, [""; 0]);
        // Another attempt is another file.
        assert_ne!(write_trial(&below, Results { started_unix_ms: 4, ..trial }).unwrap(), written);
    }

    #[test]
    fn what_is_no_results_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.json");
        let refused = |text: &str| {
            fs::write(&file, text).unwrap();
            read(std::slice::from_ref(&file)).unwrap_err().to_string()
        };
        assert!(refused("{}").contains("say nothing and nothing"));
        assert!(refused(r#"{"format": "snowproof-results", "version": 2}"#).contains("snowproof-results and 2"));
        assert!(refused(r#"{"format": "snowproof-results", "version": 1}"#).contains("missing field"));
        assert!(refused("[").contains("x.json: EOF"));
        fs::remove_file(&file).unwrap();
        assert!(read(&[folder.path().to_owned()]).unwrap_err().to_string().contains("there are no results in"));
        assert!(read(&[file]).unwrap_err().to_string().contains("x.json: No such file"));
    }
}
