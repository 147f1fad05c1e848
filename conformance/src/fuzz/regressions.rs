//! Inputs on which a codec was wrong once: `conformance/fuzz/regressions/*.yaml`, asked about before anything else.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::input::{Input, Target};
use crate::schema::Phase;

/// One such input.
#[derive(Clone, Debug)]
pub struct Regression {
    /// The file's name without its ending.
    pub name: String,
    /// What is asked about.
    pub input: Input,
    /// `valid`, the kind of error, or how the stream ends.
    pub verdict: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    target: Target,
    #[serde(default)]
    phase: Option<Phase>,
    bytes: String,
    verdict: String,
    #[allow(dead_code, reason = "for people")]
    note: String,
}

/// All of the folder, by name.
///
/// # Errors
/// A message that names the file that is wrong.
pub fn load(folder: &Path) -> Result<Vec<Regression>, String> {
    let failed = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let entries = fs::read_dir(folder).map_err(|error| failed(folder, &error))?;
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    let mut regressions = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).map_err(|error| failed(&path, &error))?;
        let file: File = serde_yaml::from_str(&text).map_err(|error| failed(&path, &error))?;
        let bytes = hex::decode(&file.bytes).map_err(|error| failed(&path, &error))?;
        if !file.target.is_of_the_codec() || (file.target == Target::Term) != file.phase.is_none() {
            return Err(failed(&path, &"codec and frames have a phase, term has none, and nothing else stands here"));
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let input = Input { target: file.target, phase: file.phase.unwrap_or(Phase::Session), bytes };
        regressions.push(Regression { name, input, verdict: file.verdict });
    }
    Ok(regressions)
}
