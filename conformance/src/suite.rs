//! The suite: spec, schema, scenarios and vectors of a checkout, loaded and checked against each other.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::case::{Case, CaseSet};
use crate::delivery;
use crate::matrix;
use crate::needs;
use crate::requirement::{Level, Spec};
use crate::scenario;
use crate::schema::{self, Schema};
use crate::vectors;

/// Everything that a run needs besides a node.
#[derive(Debug, Clone)]
pub struct Suite {
    /// The checkout.
    pub root: PathBuf,
    /// Requirements and waivers.
    pub spec: Spec,
    /// Message layouts.
    pub schema: Schema,
    /// All cases, by id.
    pub cases: Vec<Case>,
}

/// What a run takes.
#[derive(Debug, Clone)]
pub struct Selection {
    /// The cases.
    pub cases: Vec<Case>,
    /// How many more the filters select, which are in the other set.
    pub left_out: usize,
}

/// Everything that is wrong with a suite: one line each, with file and place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct SuiteError(pub Vec<String>);

impl Suite {
    /// Loads the suite of the checkout at `root`.
    ///
    /// # Errors
    /// Returns everything that is wrong, not only the first thing.
    pub fn load(root: &Path) -> Result<Self, SuiteError> {
        let one = |error: String| SuiteError(vec![error]);
        let spec = Spec::load(&root.join("spec")).map_err(|error| one(error.to_string()))?;
        let schema = schema::load(&root.join("spec/schema")).map_err(|error| one(error.to_string()))?;
        let mut wrong = Vec::new();
        let mut cases = Vec::new();
        let files = scenario_files(&root.join("conformance/scenarios")).map_err(one)?;
        for path in files {
            match scenario::load(&path) {
                Ok(loaded) => {
                    let here = path.strip_prefix(root).unwrap_or(&path).display().to_string();
                    wrong.extend(
                        loaded
                            .scenario
                            .requirements
                            .iter()
                            .chain(cites(&loaded.scenario.steps))
                            .filter(|id| !spec.requirements.contains_key(*id))
                            .map(|id| format!("{here}: `{id}` is not a requirement of the spec")),
                    );
                    wrong.extend(
                        needs::unknown(&loaded.scenario).map(|name| format!("{here}: `{name}` is not a capability")),
                    );
                    cases.extend(Case::of_scenario(&spec, &schema, loaded));
                }
                Err(mut error) => {
                    error.path = path.strip_prefix(root).unwrap_or(&path).to_owned();
                    wrong.push(error.to_string());
                }
            }
        }
        match vectors::open(&root.join("vectors")) {
            Ok(vectors) => {
                cases.extend(delivery::all(&schema, &vectors).into_iter().map(|one| Case::of_delivery(&spec, one)));
                cases.extend(vectors.into_iter().map(|vector| Case::of_vector(&spec, vector)));
            }
            Err(error) => wrong.push(error.to_string()),
        }
        match matrix::load(&root.join("spec"), &spec, &schema) {
            Ok(all) => cases.extend(all.into_iter().map(|one| Case::of_matrix(&spec, one))),
            Err(lines) => wrong.extend(lines),
        }
        cases.sort_by(|a, b| a.id.cmp(&b.id));
        if wrong.is_empty() { Ok(Self { root: root.to_owned(), spec, schema, cases }) } else { Err(SuiteError(wrong)) }
    }

    /// The cases of the set that at least one filter selects, or all of the set where there is none; and how many the filters select besides.
    ///
    /// # Errors
    /// Returns the first filter that selects nothing, with what it was perhaps meant to be; or that nothing selected is in the set.
    pub fn select(&self, filters: &[String], set: CaseSet) -> Result<Selection, String> {
        let find = |filter: &String| self.cases.iter().find_map(|case| case.alone(&self.spec, filter));
        let (alone, filters): (Vec<_>, Vec<_>) = filters.iter().cloned().partition(|filter| find(filter).is_some());
        let alone: Vec<Case> = alone.iter().filter_map(find).collect();
        if filters.is_empty() && !alone.is_empty() {
            return Ok(Selection { cases: alone, left_out: 0 });
        }
        let filters = &filters[..];
        if let Some(filter) = filters.iter().find(|filter| !self.cases.iter().any(|case| case.matches(filter))) {
            let best = self
                .cases
                .iter()
                .map(|case| case.id.as_str())
                .max_by(|a, b| strsim::jaro_winkler(a, filter).total_cmp(&strsim::jaro_winkler(b, filter)));
            let hint = best.map_or_else(String::new, |best| format!("; did you mean `{best}`?"));
            return Err(format!("no case matches `{filter}`{hint} (`--list` shows them all)"));
        }
        let wanted = |case: &&Case| filters.is_empty() || filters.iter().any(|filter| case.matches(filter));
        let (cases, others): (Vec<&Case>, Vec<&Case>) =
            self.cases.iter().filter(wanted).partition(|case| case.is_in(set, filters));
        if cases.is_empty() && !others.is_empty() {
            return Err(format!("all {} cases that match are in the other set: add `--set all`", others.len()));
        }
        Ok(Selection { cases: alone.into_iter().chain(cases.into_iter().cloned()).collect(), left_out: others.len() })
    }

    /// Requirement ids with the ids of the cases that cite them, in the order of the spec.
    #[must_use]
    pub fn cases_by_requirement(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut by_requirement: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for case in &self.cases {
            for id in &case.requirements {
                by_requirement.entry(id).or_default().push(&case.id);
            }
        }
        by_requirement
    }

    /// Twins that are named but are no cases, one line each. A suite with such gaps still runs.
    #[must_use]
    pub fn missing_twins(&self) -> Vec<String> {
        twins(&self.cases)
    }

    /// How many MUST requirements there are.
    #[must_use]
    pub fn musts(&self) -> usize {
        self.spec.requirements.values().filter(|requirement| requirement.level == Level::Must).count()
    }
}

/// The requirements that steps cite, inner ones included.
fn cites(steps: &[scenario::Step]) -> Box<dyn Iterator<Item = &String> + '_> {
    Box::new(steps.iter().flat_map(|step| {
        let inner: Box<dyn Iterator<Item = &String>> = match &step.verb {
            scenario::Verb::For(repeat) => cites(&repeat.steps),
            _ => Box::new(std::iter::empty()),
        };
        step.cite.iter().chain(inner)
    }))
}

/// A twin has to be a case, with or without its row.
fn twins(cases: &[Case]) -> Vec<String> {
    let known = |twin: &str| cases.iter().any(|case| case.id == twin || case.id.split('[').next() == Some(twin));
    cases
        .iter()
        .filter_map(|case| {
            let twin = case.twin.as_deref()?;
            (!known(twin)).then(|| format!("{}: its twin `{twin}` is not a case", case.id))
        })
        .collect()
}

fn scenario_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let read = |folder: &Path| {
        fs::read_dir(folder)
            .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>())
            .map_err(|error| format!("{}: cannot be read: {error}", folder.display()))
    };
    let mut files = Vec::new();
    for family in read(folder)?.into_iter().filter(|path| path.is_dir()) {
        files.extend(read(&family)?.into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "yaml")));
    }
    files.sort();
    Ok(files)
}
