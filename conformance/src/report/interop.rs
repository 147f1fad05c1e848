//! Mixed clusters: the table of who stood beside whom, and words for who played what and who is blamed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::results::{Blamed, CaseResult, Outcome, Results};

/// What a cell of the table, or a row of clusters, has come to.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    passed: usize,
    failed: usize,
    skipped: usize,
    without_verdict: usize,
}

impl Count {
    fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Pass => self.passed += 1,
            Outcome::Fail { .. } => self.failed += 1,
            Outcome::Skipped { .. } => self.skipped += 1,
            Outcome::Error { .. } => self.without_verdict += 1,
        }
    }

    fn words(self) -> String {
        let mut parts = Vec::new();
        for (count, before, behind) in [
            (self.failed, "FAIL ", ""),
            (self.without_verdict, "", " without verdict"),
            (self.passed, "", " ok"),
            (self.skipped, "", " skipped"),
        ] {
            if count > 0 {
                parts.push(format!("{before}{count}{behind}"));
            }
        }
        if parts.is_empty() { "–".to_owned() } else { parts.join(", ") }
    }
}

/// The table of a run of mixed clusters: in each cell the clusters in which the row's implementation plays a node whose name comes
/// before that of one of the column's. Below it, clusters by how many implementations they have, and what was skipped for want of whom.
#[must_use]
pub fn interop(results: &Results) -> String {
    let names: Vec<&str> = results.implementations.iter().map(|facts| facts.name.as_str()).collect();
    let mut cells: BTreeMap<(&str, &str), Count> = BTreeMap::new();
    let mut sizes: BTreeMap<usize, Count> = BTreeMap::new();
    for case in &results.cases {
        let players: Vec<&str> = case.nodes.values().map(String::as_str).collect();
        for pair in pairs(&players) {
            cells.entry(pair).or_default().add(&case.outcome);
        }
        sizes.entry(players.iter().collect::<BTreeSet<_>>().len()).or_default().add(&case.outcome);
    }
    let mut rows = vec![["first ↓  second →"].into_iter().chain(names.iter().copied()).map(str::to_owned).collect()];
    for row in &names {
        let cell = |column: &&str| cells.get(&(*row, *column)).copied().unwrap_or_default().words();
        rows.push([(*row).to_owned()].into_iter().chain(names.iter().map(cell)).collect::<Vec<_>>());
    }
    let mut text = table(&rows);
    text.push('\n');
    for (implementations, count) in sizes {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "clusters of {implementations} implementations: {}", count.words());
    }
    for ((name, missing), count) in lacking(results) {
        let _ = writeln!(text, "skipped for want of {missing}, which {name} lacks: {count} clusters");
    }
    text
}

/// Each once, however many nodes they play.
fn pairs<'a>(players: &[&'a str]) -> BTreeSet<(&'a str, &'a str)> {
    let behind = |at: usize| players[at + 1..].iter().map(move |other| (players[at], *other));
    (0..players.len()).flat_map(behind).filter(|(one, other)| one != other).collect()
}

fn lacking(results: &Results) -> BTreeMap<(&str, &str), usize> {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for case in &results.cases {
        let Outcome::Skipped { missing } = &case.outcome else { continue };
        let players: BTreeSet<&String> = case.nodes.values().collect();
        let lacks = results
            .implementations
            .iter()
            .filter(|facts| players.contains(&facts.name) && !facts.capabilities.contains(missing));
        for facts in lacks {
            *counts.entry((&facts.name, missing)).or_default() += 1;
        }
    }
    counts
}

fn table(rows: &[Vec<String>]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let padded: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(padded.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// `a: python, b: reference`.
pub(super) fn cast(nodes: &BTreeMap<String, String>) -> String {
    nodes.iter().map(|(node, name)| format!("{node}: {name}")).collect::<Vec<_>>().join(", ")
}

/// A case's id, with who played what where there are several implementations.
#[must_use]
pub fn with_cast(case: &CaseResult) -> String {
    if case.nodes.is_empty() { case.id.clone() } else { format!("{} ({})", case.id, cast(&case.nodes)) }
}

/// At whose door it lies, in words.
pub(super) fn blamed(blamed: &Blamed) -> String {
    let listed = |nodes: &BTreeMap<String, String>| {
        nodes.iter().map(|(node, name)| format!("{name} as node {node}")).collect::<Vec<_>>().join(", ")
    };
    match blamed {
        Blamed::Nodes { nodes } if nodes.len() == 1 => {
            let node = nodes.keys().next().map(String::as_str).unwrap_or_default();
            format!("{} (passes when the reference plays {node})", listed(nodes))
        }
        Blamed::Nodes { nodes } => {
            format!("{} (each fails where the reference plays all others)", listed(nodes))
        }
        Blamed::Combination { nodes } => {
            format!("the combination: {} (each passes with the reference)", listed(nodes))
        }
        Blamed::ReferenceAlone => {
            "also fails with the reference alone: the suite, the scenario or the machine".to_owned()
        }
        Blamed::Unsteady => "nobody yet: the same nodes passed when they played it again".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn case(nodes: &Value, verdict: &Value) -> Value {
        let mut case = json!({
            "id": "f/a", "title": "t", "family": "f", "level": "MUST", "requirements": ["X-1"], "repetition": 1, "duration_ms": 1,
            "nodes": nodes,
        });
        case.as_object_mut().unwrap().extend(verdict.as_object().unwrap().clone());
        case
    }

    fn results(cases: &[Value]) -> Results {
        let facts = |name: &str, capabilities: &[&str]| json!({"name": name, "language": "", "version": null, "manifest": "", "capabilities": capabilities});
        serde_json::from_value(json!({
            "format": "snowproof-results", "version": 1, "started_unix_ms": 0, "duration_ms": 0, "command": "", "filters": [],
            "node": facts("x × y", &[]), "implementations": [facts("x", &["control", "rooms"]), facts("y", &["control"])],
            "requirements": [], "cases": cases,
        }))
        .unwrap()
    }

    #[test]
    fn a_cell_counts_clusters_by_who_plays_before_whom() {
        let pass = json!({"verdict": "pass"});
        let skipped = json!({"verdict": "skipped", "missing": "rooms"});
        let text = interop(&results(&[
            case(&json!({"a": "x", "b": "y"}), &pass),
            case(&json!({"a": "y", "b": "x"}), &skipped),
            case(&json!({"a": "x", "b": "y", "c": "x"}), &pass),
        ]));
        let row = |name: &str| {
            text.lines().find(|line| line.starts_with(name)).unwrap().split_whitespace().collect::<Vec<_>>()
        };
        assert_eq!(row("x "), ["x", "–", "2", "ok"]);
        assert_eq!(row("y "), ["y", "1", "ok,", "1", "skipped", "–"]);
        assert!(text.contains("skipped for want of rooms, which y lacks: 1 clusters"), "{text}");
    }

    #[test]
    fn the_blamed_are_named_with_the_nodes_that_they_play() {
        let nodes = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(node, name)| ((*node).to_owned(), (*name).to_owned())).collect::<BTreeMap<_, _>>()
        };
        let one = Blamed::Nodes { nodes: nodes(&[("b", "y")]) };
        assert_eq!(blamed(&one), "y as node b (passes when the reference plays b)");
        let both = Blamed::Combination { nodes: nodes(&[("a", "x"), ("b", "y")]) };
        assert_eq!(blamed(&both), "the combination: x as node a, y as node b (each passes with the reference)");
    }

    #[test]
    fn cases_of_one_implementation_say_nothing_of_nodes() {
        let alone = results(&[case(&json!({}), &json!({"verdict": "pass"}))]);
        assert_eq!(with_cast(&alone.cases[0]), "f/a");
        let written = serde_json::to_value(&alone.cases[0]).unwrap();
        assert_eq!((written.get("nodes"), written.get("blame")), (None, None));
    }
}
