//! The folder `vectors/`: loading it, rewriting it, and what has to hold of all its files together.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use serde_json::{Value as Json, json};

use super::coverage::{Gap, gaps};
use super::file::FileSet;
use super::ledger::Ledger;
use super::render::render;
use super::resolve::{Body, Golden, VectorSet, resolve};
use super::terms::ExpectedTerm;
use super::unresolved::Unresolved;
use crate::schema::Schema;

const LEDGER: &str = "ids.txt";

/// All vectors, and that their files are as they should be.
#[derive(Clone, Debug)]
pub struct Corpus {
    /// One set a family, sorted.
    pub sets: Vec<VectorSet>,
}

impl Corpus {
    /// All vectors of all families.
    pub fn vectors(&self) -> impl Iterator<Item = &Golden> {
        self.sets.iter().flat_map(|set| &set.vectors)
    }
}

/// Something in `vectors/` that has to be changed, on one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problem {
    /// The file, or the folder.
    pub path: PathBuf,
    /// What is wrong, and what helps.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.what)
    }
}

/// What stands in the folder and what follows from it, before anything is judged about it.
struct Folder {
    paths: Vec<PathBuf>,
    texts: Vec<String>,
    files: Vec<FileSet>,
    sets: Vec<VectorSet>,
    ledger: Ledger,
}

impl Folder {
    fn read(schema: &Schema, folder: &Path) -> Result<Self, Problem> {
        let mut read = Self::unresolved(folder)?;
        read.sets = resolved(schema, folder, &mut read.files)?;
        Ok(read)
    }

    /// The files alone: nothing has been computed, and there are no sets.
    fn unresolved(folder: &Path) -> Result<Self, Problem> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |error: io::Error| Problem { path, what: error.to_string() }
        };
        let entries = fs::read_dir(folder).map_err(failed(folder))?;
        let mut paths: Vec<PathBuf> =
            entries.map(|entry| Ok(entry?.path())).collect::<Result<_, _>>().map_err(failed(folder))?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
        paths.sort();
        let (mut texts, mut files) = (Vec::new(), Vec::new());
        for path in &paths {
            let text = fs::read_to_string(path).map_err(failed(path))?;
            let file: FileSet =
                serde_yaml::from_str(&text).map_err(|error| Problem { path: path.clone(), what: error.to_string() })?;
            if path.file_stem().is_none_or(|stem| stem != file.family.as_str()) {
                return Err(Problem { path: path.clone(), what: "family is not the file's name".to_owned() });
            }
            texts.push(text);
            files.push(file);
        }
        let ledger = match fs::read_to_string(folder.join(LEDGER)) {
            Ok(text) => Ledger::parse(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ledger::default(),
            Err(error) => return Err(failed(&folder.join(LEDGER))(error)),
        };
        Ok(Self { paths, texts, files, sets: Vec::new(), ledger })
    }

    fn ids(&self) -> Vec<&str> {
        self.files.iter().flat_map(FileSet::ids).collect()
    }

    /// Every file of the folder as it should be.
    fn rendered(&self, folder: &Path) -> Result<Vec<(PathBuf, String)>, Problem> {
        let mut rendered = Vec::new();
        for (path, file) in self.paths.iter().zip(&self.files) {
            let text = render(file).map_err(|error| Problem { path: path.clone(), what: error.to_string() })?;
            rendered.push((path.clone(), text));
        }
        rendered.push((folder.join(LEDGER), self.ledger.clone().updated(&self.ids()).render()));
        Ok(rendered)
    }

    /// What no rewriting repairs.
    fn problems(&self, folder: &Path) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut seen = HashSet::new();
        for (path, file) in self.paths.iter().zip(&self.files) {
            let mut problem = |what| problems.push(Problem { path: path.clone(), what });
            for id in file.ids() {
                let slug = id.strip_prefix(&file.family).and_then(|rest| rest.strip_prefix('/'));
                if !slug.is_some_and(is_slug) {
                    problem(format!("{id}: an id is {}/words-and-1-digits", file.family));
                }
                if !seen.insert(id) {
                    problem(format!("{id} stands twice"));
                }
            }
        }
        for id in self.ledger.reused(&self.ids()) {
            problems.push(Problem {
                path: folder.join(LEDGER),
                what: format!("{id} is retired and must not be used again"),
            });
        }
        problems
    }
}

fn resolved(schema: &Schema, folder: &Path, files: &mut [FileSet]) -> Result<Vec<VectorSet>, Problem> {
    resolve(schema, files).map_err(|error| Problem { path: folder.to_owned(), what: error.to_string() })
}

fn is_slug(slug: &str) -> bool {
    slug.split('-').all(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()))
}

/// Loads all vectors of the folder.
///
/// # Errors
/// The first file that is wrong, or is not what [`generate`] would write: then its bytes cannot be trusted.
pub fn load(schema: &Schema, folder: &Path) -> Result<Corpus, Problem> {
    let read = Folder::read(schema, folder)?;
    match read.problems(folder).into_iter().chain(stale(&read, folder)?).next() {
        Some(problem) => Err(problem),
        None => Ok(Corpus { sets: read.sets }),
    }
}

/// Reads the folder and leaves each vector to be computed when it is asked for: all together they take seconds.
///
/// # Errors
/// The first file that cannot be read, holds a wrong or retired id, or a mutation of nothing.
pub fn open(folder: &Path) -> Result<Vec<Unresolved>, Problem> {
    let read = Folder::unresolved(folder)?;
    if let Some(problem) = read.problems(folder).into_iter().next() {
        return Err(problem);
    }
    Unresolved::all(read.paths, read.files)
}

/// Everything that is wrong with the folder: what [`load`] finds, requirements that are not `known`, and vectors that every message
/// should have and this one has not. With no known requirements at all, none is asked for.
pub fn check(schema: &Schema, folder: &Path, known: &BTreeSet<String>) -> Vec<Problem> {
    let read = match Folder::read(schema, folder) {
        Ok(read) => read,
        Err(problem) => return vec![problem],
    };
    let mut problems = read.problems(folder);
    match stale(&read, folder) {
        Ok(stale) => problems.extend(stale),
        Err(problem) => problems.push(problem),
    }
    for (path, set) in read.paths.iter().zip(&read.sets) {
        let mut problem = |what| problems.push(Problem { path: path.clone(), what });
        for Golden { id, requirements, .. } in set.vectors.iter().filter(|_| !known.is_empty()) {
            if requirements.is_empty() {
                problem(format!("{id} shows no requirement"));
            }
            for requirement in requirements.iter().filter(|requirement| !known.contains(*requirement)) {
                problem(format!("{id}: the spec has no requirement {requirement}"));
            }
        }
    }
    for gap in gaps(schema, &read.files, &read.sets) {
        let help = match gap {
            Gap::Typical(_) => "write it",
            Gap::Mutant(_) | Gap::Term(_) => "`cargo xtask vectors generate --fill` proposes it",
        };
        problems.push(Problem { path: folder.to_owned(), what: format!("{} is missing; {help}", gap.id()) });
    }
    problems
}

/// Files that differ from what [`generate`] would write.
fn stale(read: &Folder, folder: &Path) -> Result<Vec<Problem>, Problem> {
    let ledger = fs::read_to_string(folder.join(LEDGER)).unwrap_or_default();
    let texts = read.texts.iter().chain([&ledger]);
    let pairs = read.rendered(folder)?.into_iter().zip(texts);
    let differing = pairs.filter(|((_, wanted), text)| wanted != *text).map(|((path, wanted), text)| {
        let same = wanted.lines().zip(text.lines()).take_while(|(wanted, found)| wanted == found).count();
        let what = format!("line {}: not as `cargo xtask vectors generate` writes it", same + 1);
        Problem { path, what }
    });
    Ok(differing.collect())
}

/// Whether [`generate`] adds vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Only what is there is rewritten.
    Nothing,
    /// Mutations of typical vectors that are missing are added behind the others, without requirements.
    Gaps,
}

/// Rewrites the folder's files, and says which have changed.
///
/// # Errors
/// All that is wrong with the folder and cannot be repaired by rewriting; then nothing is written.
pub fn generate(schema: &Schema, folder: &Path, fill: Fill) -> Result<Vec<PathBuf>, Vec<Problem>> {
    let mut read = Folder::read(schema, folder).map_err(|problem| vec![problem])?;
    if fill == Fill::Gaps {
        for gap in gaps(schema, &read.files, &read.sets) {
            match gap {
                Gap::Typical(_) => {}
                Gap::Mutant(vector) => {
                    if let Some(file) = of_family(&mut read.files, &vector.id) {
                        file.vectors.push(*vector);
                    }
                }
                Gap::Term(vector) => {
                    if let Some(file) = of_family(&mut read.files, &vector.id) {
                        file.terms.push(*vector);
                    }
                }
            }
        }
        read.sets = resolved(schema, folder, &mut read.files).map_err(|problem| vec![problem])?;
    }
    let problems = read.problems(folder);
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut changed = Vec::new();
    for (path, text) in read.rendered(folder).map_err(|problem| vec![problem])? {
        if fs::read_to_string(&path).is_ok_and(|found| found == text) {
            continue;
        }
        fs::write(&path, text).map_err(|error| vec![Problem { path: path.clone(), what: error.to_string() }])?;
        changed.push(path);
    }
    Ok(changed)
}

/// The file of its family, which has its origin.
fn of_family<'a>(files: &'a mut [FileSet], id: &str) -> Option<&'a mut FileSet> {
    files.iter_mut().find(|file| id.strip_prefix(&file.family).is_some_and(|rest| rest.starts_with('/')))
}

/// Payloads above this many bytes are not exported whole, but segment by segment with lengths and digests.
const EXPORTED: usize = 1 << 20;

/// Writes one JSON file a family, for test suites in other languages: the vector files' content, and with every vector its bytes in
/// one piece, as hex `payload`, where they are at most 1 MiB.
///
/// # Errors
/// What [`load`] finds, or a file that cannot be written.
pub fn export(schema: &Schema, folder: &Path, out: &Path) -> Result<Vec<PathBuf>, Problem> {
    load(schema, folder)?;
    let read = Folder::read(schema, folder)?;
    let failed = |path: &Path, error: &dyn fmt::Display| Problem { path: path.to_owned(), what: error.to_string() };
    fs::create_dir_all(out).map_err(|error| failed(out, &error))?;
    let mut written = Vec::new();
    for (file, set) in read.files.iter().zip(&read.sets) {
        let path = out.join(format!("{}.json", file.family));
        let mut json = serde_json::to_value(file).map_err(|error| failed(&path, &error))?;
        for section in ["vectors", "terms"] {
            for vector in json[section].as_array_mut().into_iter().flatten() {
                if let Some(payload) = payload(set, vector) {
                    vector["payload"] = json!(hex::encode(payload));
                }
            }
        }
        let text = serde_json::to_string_pretty(&json).map_err(|error| failed(&path, &error))?;
        fs::write(&path, text + "\n").map_err(|error| failed(&path, &error))?;
        written.push(path);
    }
    Ok(written)
}

fn payload(set: &VectorSet, vector: &Json) -> Option<Vec<u8>> {
    let found = set.vectors.iter().find(|golden| vector["id"] == golden.id.as_str())?;
    match &found.body {
        Body::Payload { encoded, .. } | Body::Term { encoded, .. } if encoded.length() > EXPORTED => None,
        Body::Payload { encoded, .. } => Some(encoded.payload()),
        Body::Term { expected: ExpectedTerm::Refused(_), .. } => None,
        Body::Term { encoded, .. } => Some(encoded.payload()),
        Body::Stream { .. } | Body::Transcript { .. } => None,
    }
}
