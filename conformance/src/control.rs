//! The control protocol's prose against its JSON Schema: the same methods, with the same parameters and results.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

/// Methods of the prose with the names in their parameters' and results' cells.
type Methods = BTreeMap<String, [BTreeSet<String>; 2]>;

/// Every difference between `control.md` and `control.schema.json`, one line each.
#[must_use]
pub fn check(spec: &Path) -> Vec<String> {
    let read = |name: &str| fs::read_to_string(spec.join(name)).map_err(|error| vec![format!("{name}: {error}")]);
    let inputs = read("control.md").and_then(|prose| {
        let schema: Value = serde_json::from_str(&read("control.schema.json")?)
            .map_err(|error| vec![format!("control.schema.json: {error}")])?;
        Ok((prose, schema))
    });
    match inputs {
        Ok((prose, schema)) => differences(&prose, &schema),
        Err(wrong) => wrong,
    }
}

fn differences(prose: &str, schema: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let (methods, events) = tables(prose);
    for (side, cell) in [("params", 0), ("results", 1)] {
        let described = &schema["$defs"][side];
        compare(&mut wrong, side, methods.keys(), described);
        for (method, cells) in &methods {
            let known = properties(&described[method]);
            for name in cells[cell].difference(&known) {
                wrong.push(format!("control.md: {method} has {side} `{name}`, control.schema.json has not"));
            }
            for name in known.difference(&cells[cell]) {
                wrong.push(format!("control.schema.json: {method} has {side} `{name}`, control.md has not"));
            }
        }
    }
    let titles: BTreeSet<&str> = schema["oneOf"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|branch| branch["title"].as_str())
        .filter(|title| title.contains('.'))
        .collect();
    for event in events.iter().filter(|event| !titles.contains(event.as_str())) {
        wrong.push(format!("control.md: the notification {event} is not in control.schema.json"));
    }
    for title in titles.iter().filter(|title| !events.contains(**title)) {
        wrong.push(format!("control.schema.json: the notification {title} is not in control.md"));
    }
    wrong
}

fn compare<'a>(wrong: &mut Vec<String>, side: &str, methods: impl Iterator<Item = &'a String>, described: &Value) {
    let methods: BTreeSet<&str> = methods.map(String::as_str).collect();
    let known: BTreeSet<&str> = described.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    for method in methods.difference(&known) {
        wrong.push(format!("control.md: {method} is not in control.schema.json's {side}"));
    }
    for method in known.difference(&methods) {
        wrong.push(format!("control.schema.json: {method} in {side} is not in control.md"));
    }
}

fn properties(described: &Value) -> BTreeSet<String> {
    described["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

/// Rows of the tables headed `| method | params | result |`, and the names in those headed `| method | params besides `seq` | …`.
fn tables(prose: &str) -> (Methods, BTreeSet<String>) {
    let (mut methods, mut events) = (Methods::new(), BTreeSet::new());
    let mut head = String::new();
    for line in prose.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        if !line.starts_with('|') {
            head.clear();
        } else if head.is_empty() {
            head = line.to_owned();
        } else if let Some(name) = cells[0].strip_prefix('`').and_then(|cell| cell.strip_suffix('`')) {
            if head.starts_with("| method | params | result |") && cells.len() == 3 {
                methods.insert(name.to_owned(), [names(cells[1]), names(cells[2])]);
            } else if head.starts_with("| method | params besides") {
                events.insert(name.to_owned());
            }
        }
    }
    (methods, events)
}

/// The member names in a cell: what stands in backticks before the colon that explains it, a comma or the end. Backticks behind a colon
/// or in brackets are values, and `{}` is no name.
fn names(cell: &str) -> BTreeSet<String> {
    let mut depth = 0_usize;
    let mut found = BTreeSet::new();
    for part in cell.split(';') {
        let mut explained = false;
        for (index, piece) in part.split('`').enumerate() {
            if index % 2 == 1 {
                let is_name = piece.chars().all(|c| c.is_ascii_lowercase() || c == '_') && !piece.is_empty();
                if is_name && !explained && depth == 0 {
                    found.insert(piece.to_owned());
                }
            } else {
                depth = (depth + piece.matches('(').count()).saturating_sub(piece.matches(')').count());
                // A comma behind an explanation begins the next name.
                if piece.contains(':') {
                    explained = true;
                }
                if explained && piece.trim_end().ends_with(',') {
                    explained = false;
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROSE: &str = "| method | params | result |\n|---|---|---|\n| `a.b` | `x`, optional `y` (1,000) | `z`: the `real` one |\n\n\
        | method | params besides `seq` | when |\n|---|---|---|\n| `e.f` | `node` | then |\n";

    fn schema(method: &str) -> Value {
        serde_json::json!({
            "oneOf": [{"title": "answer"}, {"title": "e.f"}],
            "$defs": {
                "params": {method: {"properties": {"x": {}, "y": {}}}},
                "results": {method: {"properties": {"z": {}}}},
            }
        })
    }

    #[test]
    fn tables_that_agree_are_silent() {
        assert_eq!(differences(PROSE, &schema("a.b")), Vec::<String>::new());
    }

    #[test]
    fn each_side_is_missed() {
        let wrong = differences(PROSE, &schema("a.c")).join("\n");
        assert!(wrong.contains("a.b is not in") && wrong.contains("a.c in params"), "{wrong}");
        let wrong = differences(&PROSE.replace("`x`", "`w`").replace("e.f", "e.g"), &schema("a.b")).join("\n");
        assert!(wrong.contains("`w`") && wrong.contains("`x`") && wrong.contains("e.g"), "{wrong}");
    }
}
