//! Cases of the matrix: for each state and each message one, with all inputs of it; and for each input the cell that decides about it.

use std::collections::BTreeSet;

use super::class::Class;
use super::inputs::{self, Input};
use super::reactions::{Cell, Reaction, Reactions};
use super::sample::Words;
use super::state::State;
use crate::results::CellResult;
use crate::schema::{Phase, Schema};

/// What one case sends, one input after the other, to one node.
#[derive(Debug, Clone)]
pub struct MatrixCase {
    /// The state in which every input comes.
    pub state: State,
    /// `resilience/matrix/<state>/<MESSAGE>`, or what its inputs are called together.
    pub id: String,
    /// What stands before each input in the same write, where the state is [`State::Closing`].
    pub before: Option<Before>,
    /// The inputs.
    pub inputs: Vec<Planned>,
}

/// For what the node has to close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// A REPLY with a wrong proof, where it is awaited.
    WrongReply,
    /// A length over the limit, in a session.
    OverLong,
}

/// An input, and the cell that it belongs to.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The input.
    pub input: Input,
    /// Makes it differ from all others of its case.
    pub salt: usize,
    /// The row.
    pub class: Class,
    /// What the node has to do.
    pub cell: Cell,
}

impl MatrixCase {
    /// The requirements of its cells, in the order of their first inputs.
    #[must_use]
    pub fn requirements(&self) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let ids = self.inputs.iter().map(|planned| &planned.cell.requirement);
        ids.filter(|id| seen.insert(*id)).cloned().collect()
    }

    /// The message that all its inputs are or began as, if they have one in common.
    pub(crate) fn message(&self) -> Option<&str> {
        let name = self.id.split('[').next()?.rsplit('/').next()?;
        name.chars().all(|c| c.is_ascii_uppercase() || c == '_').then_some(name)
    }

    /// One sentence.
    #[must_use]
    pub fn title(&self) -> String {
        let what = self.id.rsplit('/').next().unwrap_or_default();
        match self.before {
            None => format!("{}: {what}, in {} forms", self.state.words(), self.inputs.len()),
            Some(Before::WrongReply) => "What comes right behind a REPLY with a wrong proof has no effect".to_owned(),
            Some(Before::OverLong) => "What comes right behind a length over the limit has no effect".to_owned(),
        }
    }

    /// What became of its cells when the first `done` inputs passed and the one at `failed`, if any, failed.
    pub(crate) fn cells(&self, done: usize, failed: Option<usize>) -> Vec<CellResult> {
        let mut cells: Vec<CellResult> = Vec::new();
        for (index, planned) in self.inputs.iter().enumerate() {
            let at = cells.iter().position(|cell| cell.class == planned.class).unwrap_or_else(|| {
                let (state, class) = (self.state, planned.class);
                cells.push(CellResult { state, class, passed: 0, failed: 0, left_out: 0 });
                cells.len() - 1
            });
            let cell = &mut cells[at];
            if failed == Some(index) {
                cell.failed += 1;
            } else if index < done {
                cell.passed += 1;
            } else {
                cell.left_out += 1;
            }
        }
        cells
    }

    /// This case with one of its inputs alone; `None` if it has none of that id.
    #[must_use]
    pub fn alone(&self, input: &str) -> Option<Self> {
        let planned = self.inputs.iter().find(|planned| planned.input.id == input)?.clone();
        Some(Self { id: format!("{}[{input}]", self.id), inputs: vec![planned], ..self.clone() })
    }
}

/// All cases.
///
/// # Errors
/// Cells that have inputs and no reaction, and the other way round.
pub(super) fn all(schema: &Schema, reactions: &Reactions) -> Result<Vec<MatrixCase>, Vec<String>> {
    let mut wrong = Vec::new();
    let mut cases = Vec::new();
    for (state, what, before, inputs) in groups(schema) {
        let mut planned = Vec::new();
        for (salt, input) in inputs.into_iter().enumerate() {
            match input.made(schema, state, &Words::dummy(salt)) {
                Err(error) => wrong.push(error),
                Ok(made) => match reactions.cell(made.class, state) {
                    Some(cell) => planned.push(Planned { input, salt, class: made.class, cell: cell.clone() }),
                    None => wrong.push(format!(
                        "spec/resilience.md: the table says that there is no `{}` in `{}`, but there is {}",
                        made.class.words(),
                        state.words(),
                        input.id
                    )),
                },
            }
        }
        // What counts may be answered late by a node that is wrong in that; it must not be taken for an answer to what is ignored.
        planned.sort_by_key(|planned| planned.cell.reaction == Reaction::Counts);
        let id = format!("resilience/matrix/{}/{what}", state.slug());
        cases.push(MatrixCase { state, id, before, inputs: planned });
    }
    for (class, state, _) in reactions.cells() {
        let has = |case: &MatrixCase| case.state == state && case.inputs.iter().any(|planned| planned.class == class);
        if wrong.is_empty() && !cases.iter().any(has) {
            wrong.push(format!(
                "spec/resilience.md: the table has a reaction to `{}` in `{}`, of which there is no input",
                class.words(),
                state.words()
            ));
        }
    }
    if wrong.is_empty() { Ok(cases) } else { Err(wrong) }
}

/// State, name, what stands before, inputs.
type Group = (State, String, Option<Before>, Vec<Input>);

fn groups(schema: &Schema) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let of = |phase: Phase| schema.messages().filter(move |layout| layout.phase == phase);
    for state in State::ALL {
        let mut group = |what: &str, inputs: Vec<Input>| groups.push((state, what.to_owned(), None, inputs));
        if let Some(awaited) = state.awaited() {
            if let Some(layout) = schema.message(awaited) {
                group(awaited, inputs::all_of(schema, layout));
            }
            let others = schema.messages().filter(|layout| layout.name != awaited);
            group("other-messages", others.map(inputs::whole).collect());
            group("frames", inputs::frames(schema, Phase::Handshake));
        } else if state != State::Closing {
            for layout in of(Phase::Session) {
                group(&layout.name, inputs::all_of(schema, layout));
            }
            group("handshake-messages", of(Phase::Handshake).map(inputs::whole).collect());
            group("frames", inputs::frames(schema, Phase::Session));
        }
    }
    for (what, before, phase) in [
        ("behind-a-wrong-reply", Before::WrongReply, Phase::Handshake),
        ("behind-an-over-long-length", Before::OverLong, Phase::Session),
    ] {
        let mut inputs: Vec<Input> = schema.messages().map(inputs::whole).collect();
        inputs.extend(inputs::frames(schema, phase));
        groups.push((State::Closing, what.to_owned(), Some(before), inputs));
    }
    groups
}
