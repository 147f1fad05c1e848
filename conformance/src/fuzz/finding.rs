//! What the fuzzer has found, for people: bytes, field by field, what is wrong with the answer, and how to see it again.

use std::fmt;

use super::compare::Disagreement;
use super::input::{Input, Target};
use crate::codec::{explain, explain_frame, explain_term};
use crate::requirement::Spec;
use crate::schema::Schema;

/// One input on which node and harness differ, or that broke the node.
#[derive(Clone, Debug)]
pub struct Finding {
    /// As it was made smaller.
    pub input: Input,
    /// How many bytes it had before.
    pub whole: usize,
    /// How many inputs of its target came before it; `None` for one that is kept.
    pub number: Option<u64>,
    /// What is wrong.
    pub disagreement: Disagreement,
    /// The bytes as the harness reads them, then the requirement's text.
    pub explanation: String,
    /// The commands that show it again.
    pub repeat: Vec<String>,
}

/// Bytes of more lines than this are cut.
const LINES: usize = 24;

/// The bytes of an input as the harness reads them.
pub(super) fn explanation(schema: &Schema, input: &Input) -> String {
    let table = match input.target {
        Target::Term => explain_term(schema, &input.bytes).to_string(),
        Target::Frames => match explain_frame(schema, Some(input.phase), &input.bytes) {
            Some(explanation) => explanation.to_string(),
            None => format!("{} bytes of a stream\n", input.bytes.len()),
        },
        _ => explain(schema, Some(input.phase), &input.bytes).to_string(),
    };
    let lines: Vec<&str> = table.lines().collect();
    if lines.len() <= LINES {
        return table;
    }
    let (begin, end) = (&lines[..LINES / 2], &lines[lines.len() - LINES / 2..]);
    let cut = format!("… {} more lines", lines.len() - LINES);
    [begin, &[cut.as_str()], end].concat().join("\n") + "\n"
}

/// A requirement with its text.
pub(super) fn blamed(spec: &Spec, id: &str) -> String {
    spec.requirements.get(id).map_or_else(|| id.to_owned(), |requirement| format!("{id}: {}", requirement.text))
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Disagreement { what, sentence, .. } = &self.disagreement;
        writeln!(f, "FOUND {} ({what})", self.input.target)?;
        let mut lines = self.explanation.lines();
        writeln!(f, "  requirement  {}", lines.next().unwrap_or_default())?;
        for (index, line) in sentence.lines().enumerate() {
            writeln!(f, "  {:<11}  {line}", if index == 0 { "what" } else { "" })?;
        }
        let number = self.number.map_or_else(|| "kept".to_owned(), |number| format!("number {number}"));
        let bytes = self.input.bytes.len();
        writeln!(f, "  input        {number}, made {bytes} bytes of {}, {} phase", self.whole, self.input.phase)?;
        for line in lines {
            writeln!(f, "    {line}")?;
        }
        for command in &self.repeat {
            writeln!(f, "  repeat       {command}")?;
        }
        Ok(())
    }
}
