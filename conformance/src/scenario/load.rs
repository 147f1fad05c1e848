//! Reads scenario files: a typed scenario, or one line that says where it is wrong and what was perhaps meant.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde_yaml::Value;

use super::Scenario;

/// A scenario and where it came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// `<family>/<slug>`: the folder and the file name.
    pub id: String,
    /// The folder's name.
    pub family: String,
    /// The file.
    pub path: PathBuf,
    /// What it says.
    pub scenario: Scenario,
    /// The line on which each top-level step begins, from 1.
    pub step_lines: Vec<usize>,
}

/// One thing that is wrong with a scenario file, as one line for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct LoadError {
    /// The file.
    pub path: PathBuf,
    /// Line and column, from 1, where known.
    pub place: Option<(usize, usize)>,
    /// What is wrong, and a hint.
    pub message: String,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Reads one file. Its id is made of the names of its folder and of itself.
///
/// # Errors
/// Returns the first thing that is wrong with it.
pub fn load(path: &Path) -> Result<Loaded, LoadError> {
    let text = fs::read_to_string(path).map_err(|error| LoadError {
        path: path.to_owned(),
        place: None,
        message: format!("cannot be read: {error}"),
    })?;
    let name = |path: Option<&Path>| {
        path.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let family = name(path.parent());
    let slug = name(Some(&path.with_extension("")));
    let scenario = parse(&text).map_err(|(place, message)| LoadError { path: path.to_owned(), place, message })?;
    Ok(Loaded {
        id: format!("{family}/{slug}"),
        family,
        path: path.to_owned(),
        scenario,
        step_lines: step_lines(&text),
    })
}

pub(super) type Wrong = (Option<(usize, usize)>, String);

pub(super) fn parse(text: &str) -> Result<Scenario, Wrong> {
    let scenario: Scenario = serde_yaml::from_str(text).map_err(|error| {
        let place = error.location().map(|place| (place.line(), place.column()));
        (place, with_hint(&without_place(&error.to_string())))
    })?;
    let tree: Value = serde_yaml::from_str(text).map_err(|error| (None, error.to_string()))?;
    check_names(text, &scenario, &tree)?;
    check_rows(text, &scenario)?;
    Ok(scenario)
}

/// serde_yaml ends its messages with a place that is told separately here.
fn without_place(message: &str) -> String {
    match message.rfind(" at line ") {
        Some(cut) => message[..cut].to_owned(),
        None => message.to_owned(),
    }
}

/// Adds "did you mean" to serde's message about an unknown key.
pub(crate) fn with_hint(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(wrong) =
        quoted.next().filter(|_| message.contains("unknown field") || message.contains("unknown variant"))
    else {
        return message.to_owned();
    };
    let mut known: Vec<&str> = quoted.collect();
    known.sort_by(|a, b| strsim::jaro_winkler(b, wrong).total_cmp(&strsim::jaro_winkler(a, wrong)));
    match known.first() {
        Some(best) if strsim::jaro_winkler(best, wrong) > 0.75 => {
            format!("unknown key `{wrong}`; did you mean `{best}`?")
        }
        _ => format!("unknown key `{wrong}`; known here: {}", known.join(", ")),
    }
}

/// Every `${path}` has to begin with something that the file or a case gives a name to.
fn check_names(text: &str, scenario: &Scenario, tree: &Value) -> Result<(), Wrong> {
    let mut given: BTreeSet<String> = ["index", "timers", "cookie"].map(str::to_owned).into();
    given.extend(scenario.nodes.keys().cloned());
    given.extend(scenario.peers.keys().cloned());
    for row in &scenario.table {
        given.extend(row.variables.keys().cloned());
    }
    let mut used = Vec::new();
    collect_names(tree, &mut given, &mut used);
    for head in used {
        if !given.contains(&head) {
            let best =
                given.iter().max_by(|a, b| strsim::jaro_winkler(a, &head).total_cmp(&strsim::jaro_winkler(b, &head)));
            let hint = best.map_or_else(String::new, |best| format!("; did you mean `${{{best}}}`?"));
            return Err((
                place_of(text, &format!("${{{head}")),
                format!("`${{{head}}}` is given a name nowhere{hint}"),
            ));
        }
    }
    Ok(())
}

fn collect_names(tree: &Value, given: &mut BTreeSet<String>, used: &mut Vec<String>) {
    match tree {
        Value::String(text) => {
            for part in text.split("${").skip(1) {
                let head: String = part.chars().take_while(|c| !matches!(c, '}' | '.' | '[')).collect();
                used.push(head);
            }
        }
        Value::Sequence(items) => {
            for item in items {
                collect_names(item, given, used);
            }
        }
        Value::Mapping(entries) => {
            for (key, value) in entries {
                match (key.as_str(), value) {
                    (Some("$capture" | "each" | "note" | "clock" | "session" | "name"), Value::String(name)) => {
                        given.insert(name.clone());
                    }
                    (Some("let"), Value::Mapping(names)) => {
                        given.extend(names.keys().filter_map(Value::as_str).map(str::to_owned));
                    }
                    _ => {}
                }
                collect_names(value, given, used);
            }
        }
        _ => {}
    }
}

fn check_rows(text: &str, scenario: &Scenario) -> Result<(), Wrong> {
    let mut seen = BTreeSet::new();
    for row in &scenario.table {
        if !seen.insert(&row.case) {
            return Err((
                place_of(text, &format!("case: {}", row.case)),
                format!("two rows of the table are called `{}`", row.case),
            ));
        }
    }
    if scenario.requirements.is_empty() {
        return Err((place_of(text, "requirements"), "a scenario judges at least one requirement".to_owned()));
    }
    if scenario.steps.is_empty() {
        return Err((place_of(text, "steps"), "a scenario has steps".to_owned()));
    }
    Ok(())
}

fn place_of(text: &str, needle: &str) -> Option<(usize, usize)> {
    let offset = text.find(needle)?;
    let line = text[..offset].matches('\n').count() + 1;
    let column = offset - text[..offset].rfind('\n').map_or(0, |end| end + 1) + 1;
    Some((line, column))
}

/// Lines on which the items of the top-level `steps:` begin.
pub(super) fn step_lines(text: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    let mut indent = None;
    let mut within = false;
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        let depth = line.len() - trimmed.len();
        if depth == 0 && !trimmed.starts_with(['-', '#']) && !trimmed.is_empty() {
            within = line.starts_with("steps:");
        } else if within && trimmed.starts_with("- ") && *indent.get_or_insert(depth) == depth {
            lines.push(index + 1);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const GOOD: &str = "title: t\nrequirements: [FRAME-1]\npeers: {p: {}}\nsteps:\n  - join: p\n  - send:\n      session: p\n      message: PING\n      fields: {nonce: '${p.creation}'}\n  - fence: [p]\n";

    #[test]
    fn a_good_file_is_read_and_its_steps_are_placed() {
        assert_eq!(parse(GOOD).unwrap().steps.len(), 3);
        assert_eq!(step_lines(GOOD), [5, 6, 10]);
    }

    #[test]
    fn a_wrong_key_has_its_line_and_a_hint() {
        let (place, message) = parse(&GOOD.replace("message:", "mesage:")).unwrap_err();
        assert_eq!(place.unwrap().0, 8, "{message}");
        assert!(message.contains("did you mean `message`?"), "{message}");
    }

    #[test]
    fn a_wrong_verb_has_its_line_and_a_hint() {
        let (place, message) = parse(&GOOD.replace("fence:", "fense:")).unwrap_err();
        assert_eq!(place.unwrap().0, 10, "{message}");
        assert!(message.contains("did you mean `fence`?"), "{message}");
    }

    #[test]
    fn a_key_that_stands_twice_is_an_error() {
        let (_, message) = parse(&GOOD.replace("message: PING\n", "message: PING\n      message: PONG\n")).unwrap_err();
        assert!(message.contains("duplicate"), "{message}");
    }

    #[test]
    fn an_unknown_name_is_an_error() {
        let (place, message) = parse(&GOOD.replace("${p.", "${q.")).unwrap_err();
        assert_eq!(place.unwrap().0, 9);
        assert!(message.contains("given a name nowhere"), "{message}");
    }
}
