//! Promises: what users may rely on, and the requirements that keep it, read out of `spec/promises.md`.
//!
//! That page is a table and two numbers that it is held against: how many promises its title announces, and their own numbering.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::case::{Case, Kind};
use crate::requirement::Spec;

/// The page, in the folder `spec/`.
const PAGE: &str = "promises.md";
/// Begins the line that names the promises for which no case between nodes is asked.
const ALONE: &str = "Judged at one node alone: ";

/// One promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// `<GROUP>-<two digits>`.
    pub id: String,
    /// What users may rely on.
    pub text: String,
    /// The requirements that keep it; never none, all of them in the spec.
    pub requirements: Vec<String>,
    /// It is judged at one node: there is nothing to see between two.
    pub alone: bool,
}

/// Between whom a case plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// Somebody of the harness's own sees or writes the bytes: a scripted peer, or a golden vector.
    pub wire: bool,
    /// Two or more nodes of the implementation take part.
    pub cluster: bool,
}

impl Stage {
    /// The stage of a case.
    #[must_use]
    pub fn of(case: &Case) -> Self {
        match &case.kind {
            Kind::Vector(_) | Kind::Matrix(_) | Kind::Delivery(_) => Self { wire: true, cluster: false },
            Kind::Scenario(loaded, _) => {
                Self { wire: !loaded.scenario.peers.is_empty(), cluster: loaded.scenario.nodes.len() > 1 }
            }
        }
    }
}

/// Reads the promises of the folder `spec/`.
///
/// # Errors
/// Returns everything that is wrong, one line each: rows that are no promises, requirements that the spec does not have, a promise that
/// stands twice, numbers that are left out, another count than the title's.
pub fn load(folder: &Path, spec: &Spec) -> Result<Vec<Promise>, Vec<String>> {
    let text = fs::read_to_string(folder.join(PAGE)).map_err(|error| vec![format!("{PAGE}: {error}")])?;
    parse(&text, spec)
}

fn parse(text: &str, spec: &Spec) -> Result<Vec<Promise>, Vec<String>> {
    let mut wrong = Vec::new();
    let (mut announced, mut alone) = (None, Vec::new());
    let mut promises: Vec<Promise> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let at = format!("{PAGE}:{}", index + 1);
        if let Some(title) = line.strip_prefix("# ") {
            announced = title.split(' ').find_map(|word| word.parse::<usize>().ok());
        } else if let Some(rest) = line.strip_prefix(ALONE) {
            let (ids, _) = rest.split_once('.').unwrap_or((rest, ""));
            alone.extend(ids.split(", ").map(|id| (at.clone(), id.to_owned())));
        } else if let Some(cells) = row(line) {
            match promise(&cells) {
                Ok(promise) => {
                    if promises.iter().any(|earlier| earlier.id == promise.id) {
                        wrong.push(format!("{at}: {} stands twice", promise.id));
                    }
                    let unknown = promise.requirements.iter().filter(|id| !spec.requirements.contains_key(*id));
                    wrong.extend(unknown.map(|id| format!("{at}: `{id}` is not a requirement of the spec")));
                    promises.push(promise);
                }
                Err(problem) => wrong.push(format!("{at}: {problem}")),
            }
        }
    }
    for (at, id) in alone {
        match promises.iter_mut().find(|promise| promise.id == id) {
            Some(promise) => promise.alone = true,
            None => wrong.push(format!("{at}: `{id}` is not a promise")),
        }
    }
    if announced != Some(promises.len()) {
        let announced = announced.map_or_else(|| "no number".to_owned(), |number| number.to_string());
        wrong.push(format!("{PAGE}:1: the title announces {announced}, and the table has {} promises", promises.len()));
    }
    wrong.extend(left_out(&promises));
    if wrong.is_empty() { Ok(promises) } else { Err(wrong) }
}

/// The cells of a row of the table; neither its head nor the line below it.
fn row(line: &str) -> Option<Vec<&str>> {
    let cells: Vec<&str> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
    let is_head = cells[0] == "promise" || cells[0].starts_with("---");
    (!is_head).then_some(cells)
}

fn promise(cells: &[&str]) -> Result<Promise, String> {
    let [id, text, requirements] = cells else {
        return Err("a promise has three cells: its id, what it is, its requirements".to_owned());
    };
    number(id).ok_or_else(|| format!("`{id}` is no promise's id, such as NODE-01"))?;
    let requirements: Vec<String> = requirements.split(", ").map(str::to_owned).collect();
    if text.is_empty() || requirements.iter().any(String::is_empty) {
        return Err(format!("{id} has a text and at least one requirement"));
    }
    Ok(Promise { id: (*id).to_owned(), text: (*text).to_owned(), requirements, alone: false })
}

/// Group and number of an id.
fn number(id: &str) -> Option<(&str, usize)> {
    let (group, number) = id.split_once('-')?;
    let is_group = !group.is_empty() && group.chars().all(|c| c.is_ascii_uppercase());
    let is_number = number.len() == 2 && number.chars().all(|c| c.is_ascii_digit());
    if is_group && is_number { Some((group, number.parse().ok()?)) } else { None }
}

/// Numbers below a group's last that no promise has.
fn left_out(promises: &[Promise]) -> Vec<String> {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (group, number) in promises.iter().filter_map(|promise| number(&promise.id)) {
        groups.entry(group).or_default().push(number);
    }
    let missing = groups.iter().flat_map(|(group, numbers)| {
        let last = numbers.iter().max().copied().unwrap_or(0);
        (1..last).filter(|number| !numbers.contains(number)).map(move |number| format!("{group}-{number:02}"))
    });
    missing.map(|id| format!("{PAGE}: {id} is missing")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PAGE: &str = "# The 3 promises\n\nJudged at one node alone: B-01. Why.\n\n| promise | what | requirements |\n|---|---|---|\n\
        | A-01 | one | HS-1, HS-2 |\n| A-02 | two | HS-1 |\n| B-01 | three | HS-2 |\n";

    fn read(text: &str) -> Result<Vec<Promise>, Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        for chapter in crate::requirement::CHAPTERS {
            let text = if *chapter == "handshake" { "**HS-1** (MUST) A.\n**HS-2** (MUST) B.\n" } else { "" };
            fs::write(folder.path().join(format!("{chapter}.md")), text).unwrap();
        }
        fs::write(folder.path().join("waivers.yaml"), "[]").unwrap();
        parse(text, &Spec::load(folder.path()).unwrap())
    }

    fn wrong(from: &str, to: &str) -> String {
        assert!(PAGE.contains(from), "{from}");
        read(&PAGE.replacen(from, to, 1)).unwrap_err().join("; ")
    }

    #[test]
    fn the_table_is_read() {
        let promises = read(PAGE).unwrap();
        assert_eq!(promises.iter().map(|promise| promise.alone).collect::<Vec<_>>(), [false, false, true]);
        assert_eq!(promises[0].requirements, ["HS-1", "HS-2"]);
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        assert_eq!(wrong("HS-1, HS-2", "HS-1, HS-3"), "promises.md:7: `HS-3` is not a requirement of the spec");
        assert!(wrong("A-02", "A-01").starts_with("promises.md:8: A-01 stands twice"));
        assert_eq!(wrong("A-01", "A-03"), "promises.md: A-01 is missing");
        assert!(wrong("| A-02 | two | HS-1 |\n", "").contains("announces 3, and the table has 2"));
        assert!(wrong("A-02", "A-2").contains("`A-2` is no promise's id"));
        assert!(wrong("alone: B-01", "alone: B-02").contains("`B-02` is not a promise"));
        assert!(wrong("| two ", "").contains("three cells"));
    }
}
