//! The table "Reactions" of `spec/resilience.md`, as data: for each class of input and each state what a node does, and why.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::class::Class;
use super::state::State;
use crate::requirement::Spec;

/// The chapter that holds the table, and the heading above it.
const CHAPTER: &str = "resilience.md";
const HEADING: &str = "## Reactions";

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reaction {
    /// It closes the connection silently; other sessions are unharmed.
    Closes,
    /// The session goes on, and nothing comes of the input.
    Ignored,
    /// The session goes on, and the input has its effects.
    Counts,
    /// The handshake goes on.
    GoesOn,
    /// It closes the connection for what stands before, and nothing comes of the input.
    Nothing,
}

impl Reaction {
    const ALL: [(&'static str, Self); 5] = [
        ("closes", Self::Closes),
        ("ignored", Self::Ignored),
        ("counts", Self::Counts),
        ("goes on", Self::GoesOn),
        ("nothing", Self::Nothing),
    ];
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// What a node does.
    pub reaction: Reaction,
    /// The requirement that says so.
    pub requirement: String,
}

/// The whole table. A cell is missing where no such input can be.
#[derive(Debug, Clone, Default)]
pub struct Reactions(BTreeMap<(Class, State), Option<Cell>>);

impl Reactions {
    /// Reads the table out of the chapter.
    ///
    /// # Errors
    /// Everything that is wrong with it, one line each: rows and columns that are missing or unknown, cells that are no cells.
    pub fn load(folder: &Path, spec: &Spec) -> Result<Self, Vec<String>> {
        let path = folder.join(CHAPTER);
        let text =
            fs::read_to_string(&path).map_err(|error| vec![format!("{}: cannot be read: {error}", path.display())])?;
        Self::read(&text, |id| spec.requirements.contains_key(id))
    }

    pub(super) fn read(text: &str, is_requirement: impl Fn(&str) -> bool) -> Result<Self, Vec<String>> {
        let mut wrong = Vec::new();
        let mut table = Self::default();
        let mut columns: Option<Vec<State>> = None;
        let section = text.lines().enumerate().skip_while(|(_, line)| *line != HEADING).skip(1);
        for (index, line) in section.take_while(|(_, line)| !line.starts_with("## ")) {
            let Some(cells) = cells(line) else { continue };
            let mut problem = |what: String| wrong.push(format!("spec/{CHAPTER}:{}: {what}", index + 1));
            let Some(columns) = &columns else {
                let states: Vec<&str> = State::ALL.iter().map(|state| state.words()).collect();
                if cells[1..] != states[..] {
                    problem(format!("the columns of the table are {}", states.join(" | ")));
                }
                columns = Some(State::ALL.to_vec());
                continue;
            };
            let Some(class) = Class::ALL.into_iter().find(|class| class.words() == cells[0]) else {
                problem(format!("`{}` is no class of input", cells[0]));
                continue;
            };
            if cells.len() != columns.len() + 1 {
                problem(format!("`{}` has {} cells instead of {}", cells[0], cells.len() - 1, columns.len()));
                continue;
            }
            for (state, text) in columns.iter().zip(&cells[1..]) {
                match cell(text, &is_requirement) {
                    Ok(cell) => {
                        if table.0.insert((class, *state), cell).is_some() {
                            problem(format!("`{}` stands twice", cells[0]));
                        }
                    }
                    Err(what) => problem(format!("`{}`, {}: {what}", cells[0], state.words())),
                }
            }
        }
        for class in Class::ALL {
            if wrong.is_empty() && !table.0.contains_key(&(class, State::Closing)) {
                wrong.push(format!("spec/{CHAPTER}: the table under `{HEADING}` has no row `{}`", class.words()));
            }
        }
        if wrong.is_empty() { Ok(table) } else { Err(wrong) }
    }

    /// What a node does with an input of that class in that state; `None` where the table says that there is none.
    #[must_use]
    pub fn cell(&self, class: Class, state: State) -> Option<&Cell> {
        self.0.get(&(class, state))?.as_ref()
    }

    /// All cells that say something.
    pub fn cells(&self) -> impl Iterator<Item = (Class, State, &Cell)> {
        self.0.iter().filter_map(|((class, state), cell)| Some((*class, *state, cell.as_ref()?)))
    }
}

/// The cells of a row; `None` for lines that are none, and for the one below the heads.
fn cells(line: &str) -> Option<Vec<&str>> {
    let cells: Vec<&str> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
    (!cells[0].starts_with("---")).then_some(cells)
}

/// `closes HS-12`, or `–`.
fn cell(text: &str, is_requirement: impl Fn(&str) -> bool) -> Result<Option<Cell>, String> {
    if text == "–" {
        return Ok(None);
    }
    let known = || Reaction::ALL.map(|(word, _)| word).join(", ");
    let (word, requirement) =
        text.rsplit_once(' ').ok_or_else(|| format!("`{text}` is neither `–` nor a reaction and a requirement"))?;
    let (_, reaction) = Reaction::ALL
        .into_iter()
        .find(|(known, _)| *known == word)
        .ok_or_else(|| format!("`{word}` is no reaction; there are {}", known()))?;
    if !is_requirement(requirement) {
        return Err(format!("`{requirement}` is not a requirement of the spec"));
    }
    Ok(Some(Cell { reaction, requirement: requirement.to_owned() }))
}
