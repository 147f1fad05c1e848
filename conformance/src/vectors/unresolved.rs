//! Vectors as their files have them, each of which is computed when it is asked for, and then compared with its file. Together they take seconds,
//! and most commands need few of them or none. Never judges a folder as a whole: `corpus.rs` does.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::corpus::Problem;
use super::file::{FileSet, FileStream, FileTranscript, FileVector};
use super::resolve::{self, Golden, ResolveError, ResolveProblem};
use super::terms::{self, FileTerm};
use crate::schema::{Phase, Schema};

/// One vector of which nothing has been computed.
#[derive(Clone, Debug)]
pub struct Unresolved {
    path: Arc<Path>,
    written: Written,
}

/// What stands in the file, and what it is a mutation of.
#[derive(Clone, Debug)]
enum Written {
    Payload(Arc<FileVector>, Option<Arc<FileVector>>),
    Term(Arc<FileTerm>, Option<Arc<FileTerm>>),
    Stream(Arc<FileStream>),
    Transcript(Arc<FileTranscript>),
}

impl Unresolved {
    /// All vectors of these files, in their order.
    pub(super) fn all(paths: Vec<PathBuf>, files: Vec<FileSet>) -> Result<Vec<Self>, Problem> {
        let (mut payloads, mut terms) = (Vec::new(), Vec::new());
        let mut others = Vec::new();
        for (path, file) in paths.into_iter().zip(files) {
            let path: Arc<Path> = path.into();
            payloads.extend(file.vectors.into_iter().map(|vector| (path.clone(), Arc::new(vector))));
            terms.extend(file.terms.into_iter().map(|vector| (path.clone(), Arc::new(vector))));
            let streams = file.streams.into_iter().map(|vector| Written::Stream(Arc::new(vector)));
            let transcripts = file.transcripts.into_iter().map(|vector| Written::Transcript(Arc::new(vector)));
            others.extend(streams.chain(transcripts).map(|written| Self { path: path.clone(), written }));
        }
        let mut all = Vec::new();
        let origins: HashMap<String, Arc<FileVector>> = by_id(&payloads, |vector| &vector.id);
        for (path, vector) in payloads {
            let origin = origin(&origins, vector.of.as_ref(), &path, &vector.id)?;
            all.push(Self { path, written: Written::Payload(vector, origin) });
        }
        let origins: HashMap<String, Arc<FileTerm>> = by_id(&terms, |vector| &vector.id);
        for (path, vector) in terms {
            let origin = origin(&origins, vector.of.as_ref(), &path, &vector.id)?;
            all.push(Self { path, written: Written::Term(vector, origin) });
        }
        all.extend(others);
        Ok(all)
    }

    /// See [`Golden::id`].
    #[must_use]
    pub fn id(&self) -> &str {
        match &self.written {
            Written::Payload(vector, _) => &vector.id,
            Written::Term(vector, _) => &vector.id,
            Written::Stream(vector) => &vector.id,
            Written::Transcript(vector) => &vector.id,
        }
    }

    /// See [`Golden::requirements`].
    #[must_use]
    pub fn requirements(&self) -> &[String] {
        match &self.written {
            Written::Payload(vector, _) => &vector.requirements,
            Written::Term(vector, _) => &vector.requirements,
            Written::Stream(vector) => &vector.requirements,
            Written::Transcript(vector) => &vector.requirements,
        }
    }

    /// See [`Golden::note`].
    #[must_use]
    pub fn note(&self) -> Option<&str> {
        match &self.written {
            Written::Payload(vector, _) => vector.note.as_deref(),
            Written::Term(vector, _) => vector.note.as_deref(),
            Written::Stream(vector) => vector.note.as_deref(),
            Written::Transcript(vector) => vector.note.as_deref(),
        }
    }

    /// Whether it is one of a term.
    #[must_use]
    pub fn is_term(&self) -> bool {
        matches!(self.written, Written::Term(..))
    }

    /// The bytes that a payload has according to its file; `None` if it is no payload of this phase.
    pub(crate) fn length_in(&self, phase: Phase) -> Option<usize> {
        match &self.written {
            Written::Payload(vector, _) if vector.phase == phase => {
                Some(vector.segments.iter().map(|segment| segment.hex.length()).sum())
            }
            _ => None,
        }
    }

    /// Computes it.
    ///
    /// # Errors
    /// Nothing follows from what people wrote, or something else than stands in the file: then its bytes cannot be trusted.
    pub fn resolved(&self, schema: &Schema) -> Result<Golden, Problem> {
        let problem = |what: String| Problem { path: self.path.to_path_buf(), what };
        let (golden, same) = self.computed(schema).map_err(|error| problem(error.to_string()))?;
        if same {
            Ok(golden)
        } else {
            Err(problem(format!("{}: not as `cargo xtask vectors generate` writes it", self.id())))
        }
    }

    /// The vector, and whether its file has it so.
    fn computed(&self, schema: &Schema) -> Result<(Golden, bool), ResolveError> {
        let failed = |problem: ResolveProblem| ResolveError { id: self.id().to_owned(), problem };
        let (body, same) = match &self.written {
            Written::Payload(vector, origin) => {
                let first = origin.as_ref().unwrap_or(vector);
                let encoded = resolve::origin(schema, first).map_err(failed)?;
                let origins = HashMap::from([(first.id.clone(), encoded)]);
                let mut filled = FileVector::clone(vector);
                (resolve::payload(schema, &origins, &mut filled), same(&filled, vector))
            }
            Written::Term(vector, origin) => {
                let first = origin.as_ref().unwrap_or(vector);
                let encoded = terms::origin(schema, first).map_err(failed)?;
                let origins = encoded.into_iter().map(|encoded| (first.id.clone(), encoded)).collect();
                let mut filled = FileTerm::clone(vector);
                (terms::resolve(schema, &origins, &mut filled), same(&filled, vector))
            }
            Written::Stream(vector) => {
                let mut filled = FileStream::clone(vector);
                (resolve::stream(schema, &mut filled), same(&filled, vector))
            }
            Written::Transcript(vector) => {
                let mut filled = FileTranscript::clone(vector);
                (resolve::transcript(schema, &mut filled), same(&filled, vector))
            }
        };
        let note = self.note().map(str::to_owned);
        Ok((resolve::golden(self.id(), self.requirements(), &note, body)?, same))
    }
}

fn by_id<T>(vectors: &[(Arc<Path>, Arc<T>)], id: impl Fn(&T) -> &String) -> HashMap<String, Arc<T>> {
    vectors.iter().map(|(_, vector)| (id(vector).clone(), vector.clone())).collect()
}

fn origin<T>(
    origins: &HashMap<String, Arc<T>>,
    of: Option<&String>,
    path: &Path,
    id: &str,
) -> Result<Option<Arc<T>>, Problem> {
    let Some(of) = of else { return Ok(None) };
    let missing = || Problem { path: path.to_owned(), what: format!("{id}: {}", ResolveProblem::Origin(of.clone())) };
    origins.get(of).cloned().map(Some).ok_or_else(missing)
}

/// Whether two vectors are written in the same way.
fn same<T: Serialize>(computed: &T, written: &T) -> bool {
    matches!((serde_json::to_value(computed), serde_json::to_value(written)), (Ok(a), Ok(b)) if a == b)
}
