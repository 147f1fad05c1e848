//! The matrix of states and classes of input, as a table: what was sent in each cell, and what came of it.

use std::collections::BTreeMap;

use crate::matrix::{Class, MatrixCase, State};
use crate::results::Results;

/// What a cell has come to.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    passed: usize,
    failed: usize,
    left_out: usize,
}

/// The matrix of a run: in each cell how many inputs there were, and `ok`; `FAIL`, and of how many; or `–` where nothing was sent.
#[must_use]
pub fn matrix(results: &Results) -> String {
    let mut counts: BTreeMap<(Class, State), Count> = BTreeMap::new();
    for cell in results.cases.iter().flat_map(|case| &case.cells) {
        let count = counts.entry((cell.class, cell.state)).or_default();
        count.passed += cell.passed;
        count.failed += cell.failed;
        count.left_out += cell.left_out;
    }
    let inputs: usize = counts.values().map(|count| count.passed + count.failed + count.left_out).sum();
    let failed = counts.values().filter(|count| count.failed > 0).count();
    let unsent = counts.values().filter(|count| count.left_out > 0).count();
    let mut text = table(|class, state| match counts.get(&(class, state)) {
        None => "–".to_owned(),
        Some(Count { passed, failed: 0, left_out: 0 }) => format!("{passed} ok"),
        Some(Count { passed, failed: 0, left_out }) => format!("{passed} ok, {left_out} not sent"),
        Some(Count { passed, failed, .. }) => format!("FAIL {failed}, {passed} ok"),
    });
    text.push_str(&format!(
        "\n{inputs} inputs in {} cells; {failed} cells broken, {unsent} not sent in full\n",
        counts.len()
    ));
    text
}

/// How many inputs each cell of these cases has.
#[must_use]
pub fn matrix_of<'a>(cases: impl IntoIterator<Item = &'a MatrixCase>) -> String {
    let mut counts: BTreeMap<(Class, State), usize> = BTreeMap::new();
    for case in cases {
        for planned in &case.inputs {
            *counts.entry((planned.class, case.state)).or_default() += 1;
        }
    }
    let mut text = table(|class, state| counts.get(&(class, state)).map_or_else(|| "–".to_owned(), usize::to_string));
    text.push_str(&format!("\n{} inputs in {} cells\n", counts.values().sum::<usize>(), counts.len()));
    text
}

fn table(cell: impl Fn(Class, State) -> String) -> String {
    let mut rows = vec![
        std::iter::once(String::new())
            .chain(State::ALL.iter().map(|state| state.words().to_owned()))
            .collect::<Vec<_>>(),
    ];
    for class in Class::ALL {
        let cells = State::ALL.into_iter().map(|state| cell(class, state));
        rows.push(std::iter::once(class.words().to_owned()).chain(cells).collect());
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..=State::ALL.len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let padded: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(padded.join("  ").trim_end());
        text.push('\n');
    }
    text
}
