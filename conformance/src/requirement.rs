//! Requirements: the numbered sentences of the spec, read out of its prose.
//!
//! Prose is the only place where a requirement stands; nothing repeats its text.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// How binding a requirement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// Needed for conformance.
    Must,
    /// Reported beside it.
    Should,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
        })
    }
}

/// One numbered sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// `<FAMILY>-<number>`.
    pub id: String,
    /// MUST or SHOULD.
    pub level: Level,
    /// The sentence, without markup.
    pub text: String,
    /// The chapter's family word: `registry`.
    pub family: String,
    /// Line in the chapter, from 1.
    pub line: usize,
}

/// A MUST that no case, or no planted fault, can reach.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// The requirement.
    pub requirement: String,
    /// What is waived.
    pub of: WaiverOf,
    /// Why.
    pub reason: String,
}

/// What a waiver excuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaiverOf {
    /// Neither case nor fault.
    CaseAndFault,
    /// There is a case, but no fault that could be planted.
    Fault,
}

/// The spec as the harness knows it.
#[derive(Debug, Clone, Default)]
pub struct Spec {
    /// All requirements by id, in the order of chapters and lines.
    pub requirements: IndexMap<String, Requirement>,
    /// All waivers.
    pub waivers: Vec<Waiver>,
}

/// What is wrong with the spec, as one line for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}: {message}", path.display())]
pub struct SpecError {
    /// The chapter.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// The chapters, in reading order.
pub const CHAPTERS: &[&str] =
    &["framing", "handshake", "membership", "process", "registry", "room", "supervisor", "term", "resilience"];

impl Spec {
    /// Reads all chapters and the waivers of the folder `spec/`.
    ///
    /// # Errors
    /// Returns the first line that cannot be understood: a requirement in another form than `**ID** (MUST) sentence.`,
    /// an id that stands twice, a waiver of an unknown id.
    pub fn load(folder: &Path) -> Result<Self, SpecError> {
        let mut spec = Self::default();
        for family in CHAPTERS {
            let path = folder.join(format!("{family}.md"));
            let text = read(&path)?;
            for (index, line) in text.lines().enumerate() {
                let wrong = |message: String| SpecError { path: path.clone(), line: index + 1, message };
                let Some(mut requirement) = parse_requirement(line).map_err(wrong)? else {
                    continue;
                };
                requirement.family = (*family).to_owned();
                requirement.line = index + 1;
                let id = requirement.id.clone();
                if spec.requirements.insert(id.clone(), requirement).is_some() {
                    return Err(wrong(format!("{id} stands twice; ids are never reused")));
                }
            }
        }
        let path = folder.join("waivers.yaml");
        spec.waivers = serde_yaml::from_str(&read(&path)?).map_err(|error| SpecError {
            path: path.clone(),
            line: error.location().map_or(1, |place| place.line()),
            message: error.to_string(),
        })?;
        for waiver in &spec.waivers {
            if !spec.requirements.contains_key(&waiver.requirement) {
                return Err(SpecError {
                    path: path.clone(),
                    line: 1,
                    message: format!("{} is not a requirement", waiver.requirement),
                });
            }
        }
        Ok(spec)
    }

    /// The waiver of this requirement, if there is one.
    #[must_use]
    pub fn waiver(&self, id: &str) -> Option<&Waiver> {
        self.waivers.iter().find(|waiver| waiver.requirement == id)
    }
}

fn read(path: &Path) -> Result<String, SpecError> {
    fs::read_to_string(path).map_err(|error| SpecError {
        path: path.to_owned(),
        line: 1,
        message: format!("cannot be read: {error}"),
    })
}

/// A line that begins with a bold id is a requirement; hazards (`**Hazard REG-H1**`) and other bold text are not.
fn parse_requirement(line: &str) -> Result<Option<Requirement>, String> {
    let Some((id, rest)) = line.strip_prefix("**").and_then(|rest| rest.split_once("**")) else {
        return Ok(None);
    };
    let is_id = id.split_once('-').is_some_and(|(family, number)| {
        !family.is_empty()
            && family.chars().all(|c| c.is_ascii_uppercase())
            && !number.is_empty()
            && number.chars().all(|c| c.is_ascii_digit())
    });
    if !is_id {
        return Ok(None);
    }
    let (level, text) = if let Some(text) = rest.strip_prefix(" (MUST) ") {
        (Level::Must, text)
    } else if let Some(text) = rest.strip_prefix(" (SHOULD) ") {
        (Level::Should, text)
    } else {
        return Err(format!("{id} has to go on with ` (MUST) ` or ` (SHOULD) `"));
    };
    Ok(Some(Requirement { id: id.to_owned(), level, text: plain(text), family: String::new(), line: 0 }))
}

/// Markdown links and emphasis become plain text.
fn plain(text: &str) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('[') {
        let Some((label, after)) = rest[start + 1..].split_once("](") else {
            break;
        };
        let Some((_, after)) = after.split_once(')') else {
            break;
        };
        result.push_str(&rest[..start]);
        result.push_str(label);
        rest = after;
    }
    result.push_str(rest);
    result.replace('*', "")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_requirement_is_read_without_its_markup() {
        let line = "**REG-7** (MUST) A name, see [names](names.md), *ends*.";
        let requirement = parse_requirement(line).unwrap().unwrap();
        assert_eq!(requirement.id, "REG-7");
        assert_eq!(requirement.text, "A name, see names, ends.");
    }

    #[test]
    fn hazards_are_no_requirements_and_a_missing_level_is_an_error() {
        assert_eq!(parse_requirement("**Hazard REG-H1** x").unwrap(), None);
        assert!(parse_requirement("**REG-7** A name.").is_err());
    }
}
