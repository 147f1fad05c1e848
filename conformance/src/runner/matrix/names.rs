//! The table of global names as a trace of inputs: what they have left in it, told to a peer that joins when all have been sent.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{Ended, GOOD, LATE, one};
use crate::codec;
use crate::matrix::{ITEMS, Made, MatrixCase, Planned, Reaction, Words};
use crate::results::Cause;
use crate::schema::{Phase, Schema};

use super::super::context::Context;
use super::super::frames::Next;
use super::super::stop::{StepResult, Stop};

/// A name that is certainly there, so that a table is told.
const CANARY: &str = "canary";

/// What the table has to hold at the end, and what it must not, each for the sake of an input; and what it may.
#[derive(Default)]
pub(super) struct Names {
    required: BTreeMap<String, usize>,
    forbidden: BTreeMap<String, usize>,
    allowed: BTreeSet<String>,
}

impl Names {
    /// Names in messages that count, whatever they say, and in entries that may count.
    fn allow(&mut self, schema: &Schema, made: &Made, words: &Words, counts: bool) {
        if !counts {
            self.allowed.extend(made.may_count.iter().map(|item| words.item_label(*item)));
        } else if let Ok(decoded) = codec::decode(schema, Phase::Session, &made.bytes[codec::LENGTH_BYTES..]) {
            let fields = decoded.message.fields_json();
            let entries = fields["entries"].as_array().into_iter().flatten().chain([&fields]);
            self.allowed.extend(entries.filter_map(|entry| entry["name"].as_str().map(str::to_owned)));
        }
    }
}

impl Context<'_> {
    /// Keeps what the input has to do with the table of global names; has the good peer register a name that it may remove.
    pub(super) fn note_names(
        &mut self,
        planned: &Planned,
        made: &Made,
        words: &Words,
        index: usize,
        names: &mut Names,
    ) -> StepResult {
        let counts = planned.cell.reaction == Reaction::Counts;
        let labels: Vec<String> = match made.message.as_deref() {
            Some("GLOBAL_REGISTER" | "GLOBAL_UNREGISTER") => vec![words.label()],
            Some("GLOBAL_SYNC") => {
                let items = (0..ITEMS).filter(|item| counts || !made.may_count.contains(item));
                items.map(|item| words.item_label(item)).collect()
            }
            _ => return Ok(()),
        };
        names.allow(self.schema(), made, words, counts);
        if counts && !made.is_usual {
            return Ok(());
        }
        let removes = made.message.as_deref() == Some("GLOBAL_UNREGISTER");
        if removes {
            self.register(&words.label())?;
            self.fence(&one(GOOD))?;
        }
        let group = if counts == removes { &mut names.forbidden } else { &mut names.required };
        group.extend(labels.into_iter().map(|label| (label, index)));
        Ok(())
    }

    fn register(&mut self, name: &str) -> StepResult {
        let pid = json!({"node_id": 0, "creation": 3, "local": 1});
        self.send_message(GOOD, "GLOBAL_REGISTER", &json!({"name": name, "pid": pid, "owner": "owner@127.0.0.1:1"}))
    }

    /// What a peer that joins late is told of the table shows what has been kept. A name that is certainly there sees to it
    /// that something is told.
    pub(super) fn judge_names(&mut self, case: &MatrixCase, names: &Names) -> Result<(), Ended> {
        if names.required.is_empty() && names.forbidden.is_empty() {
            return Ok(());
        }
        let played = case.inputs.len();
        let told = self.told_late().map_err(|stop| Ended { at: None, played, stop })?;
        let broken = |index: usize, cause, sentence: &str, name: &str, expected: &str| {
            let planned: &Planned = &case.inputs[index];
            let stop = Stop::broken(cause, format!("{}: {sentence}", planned.input.id))
                .expected(format!("{name:?} is {expected} the GLOBAL_SYNC of a session that begins later"))
                .actual(told.join(", "));
            Ended { at: Some(index), played, stop: stop.into() }
        };
        for (name, index) in &names.forbidden {
            if told.contains(name) {
                self.inner_cite = Some(case.inputs[*index].cell.requirement.clone());
                return Err(broken(
                    *index,
                    Cause::UnexpectedFrame,
                    "it has changed the table of names",
                    name,
                    "not in",
                ));
            }
        }
        let known = |name: &String| name == CANARY || names.required.contains_key(name) || names.allowed.contains(name);
        if let Some(name) = told.iter().find(|name| !known(name)) {
            // Whatever an input has made of its name, it begins as it should.
            let index = case.inputs.iter().position(|planned| name.starts_with(&format!("m{:03}", planned.salt)));
            let index = index.unwrap_or_default();
            self.inner_cite = Some(case.inputs[index].cell.requirement.clone());
            return Err(broken(index, Cause::UnexpectedFrame, "it has left a name behind", name, "not in"));
        }
        for (name, index) in &names.required {
            if !told.contains(name) {
                self.inner_cite = Some(case.inputs[*index].cell.requirement.clone());
                return Err(broken(*index, Cause::MissingFrame, "a name is missing in the table", name, "in"));
            }
        }
        Ok(())
    }

    fn told_late(&mut self) -> StepResult<Vec<String>> {
        self.register(CANARY)?;
        self.fence(&one(GOOD))?;
        self.join_as(LATE)?;
        let deadline = self.deadline;
        loop {
            match self.next_frame(LATE, deadline)? {
                Next::Frame(payload) => {
                    let Ok(decoded) = codec::decode(self.schema(), Phase::Session, &payload) else { continue };
                    if decoded.message.name == "GLOBAL_SYNC" {
                        let fields = decoded.message.fields_json();
                        let entries = fields["entries"].as_array().into_iter().flatten();
                        let told: Vec<String> =
                            entries.filter_map(|entry| entry["name"].as_str().map(str::to_owned)).collect();
                        if told.iter().any(|name| name == CANARY) {
                            return Ok(told);
                        }
                        return Err(Stop::broken(Cause::WrongBytes, "a name that was registered is not in the sync")
                            .blames("REG-15")
                            .expected(CANARY)
                            .actual(told.join(", "))
                            .into());
                    }
                }
                Next::Closed(kind, _) => return Err(self.early_close(LATE, &kind).expected("GLOBAL_SYNC").into()),
                Next::TimedOut => {
                    return Err(Stop::broken(Cause::MissingFrame, "no GLOBAL_SYNC came")
                        .blames("REG-15")
                        .expected("GLOBAL_SYNC")
                        .meanwhile(self.arrived())
                        .into());
                }
            }
        }
    }
}
