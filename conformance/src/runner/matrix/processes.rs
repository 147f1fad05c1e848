//! Monitors and links as a trace of inputs: the process that they are about ends when all have been sent, and what is told of that shows
//! which of them stand. Only nodes that can spawn have such a process; on others the inputs are about one that nobody has.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Ended, JUDGED, one};
use crate::codec::{self, Pid};
use crate::matrix::{Made, MatrixCase, Planned, Reaction, Words};
use crate::results::Cause;
use crate::schema::Phase;

use super::super::context::Context;
use super::super::frames::Next;
use super::super::stop::{StepResult, Stop};

/// A local id of the peer, far from those of samples: whoever spawns the process and ends it.
const PARENT: u64 = 7;
/// The request of its SPAWN.
const REQUEST: u64 = 1 << 40;

/// The process, and which of its monitors and links have to be told of its end, and which must not; each for the sake of an input.
#[derive(Default)]
pub(super) struct Watched {
    local: Option<u64>,
    required: BTreeMap<u64, usize>,
    forbidden: BTreeMap<u64, usize>,
}

impl Watched {
    /// The process, as a directed field.
    pub(super) fn process(&self) -> Option<Pid> {
        self.local.map(|local| Pid { node_id: 0, creation: 0, local })
    }
}

/// What joins a watcher to the process, and what its end is told by.
fn joined_by(message: Option<&str>) -> Option<(&'static str, &'static str)> {
    match message {
        Some("DEMONITOR") => Some(("MONITOR", "MONITOR_EXIT")),
        Some("UNLINK") => Some(("LINK", "EXIT")),
        _ => None,
    }
}

impl Context<'_> {
    /// Spawns the process on the judged session, where the node can and the inputs are about one.
    pub(super) fn spawn_watched(&mut self, case: &MatrixCase, watched: &mut Watched) -> StepResult {
        let can_spawn = self.environment.implementation().can("process");
        if watched.local.is_some() || !can_spawn || !case.state.is_session() || joined_by(case.message()).is_none() {
            return Ok(());
        }
        let parent = json!({"node_id": 0, "creation": 0, "local": PARENT});
        let function = hex::encode("relay");
        let args = hex::encode(PARENT.to_le_bytes());
        let spawn = json!({"request": REQUEST, "requester": parent, "link": 0, "function": function, "args": args});
        self.send_message(JUDGED, "SPAWN", &spawn)?;
        let reply = self.message_of(JUDGED, "SPAWN_REPLY", "PROC-54")?;
        watched.local = reply["local"].as_u64().filter(|_| reply["status"] == 0);
        if watched.local.is_none() {
            return Err(Stop::broken(Cause::WrongBytes, "`relay` was not spawned").blames("PROC-54").into());
        }
        Ok(())
    }

    /// Joins a watcher to the process, which the input would undo if it counted.
    pub(super) fn note_watched(
        &mut self,
        planned: &Planned,
        made: &Made,
        words: &Words,
        index: usize,
        watched: &mut Watched,
    ) -> StepResult {
        let (Some(process), Some((join, _))) = (watched.process(), joined_by(made.message.as_deref())) else {
            return Ok(());
        };
        let from = json!({"node_id": 0, "creation": 0, "local": words.watcher()});
        let to = json!({"node_id": 0, "creation": 0, "local": process.local});
        let mut fields = json!({"from": from, "to": to});
        if join == "MONITOR" {
            fields["ref"] = words.reference().into();
        }
        self.send_message(JUDGED, join, &fields)?;
        if planned.cell.reaction != Reaction::Counts {
            watched.required.insert(words.watcher(), index);
        } else if made.is_usual {
            watched.forbidden.insert(words.watcher(), index);
        }
        Ok(())
    }

    /// Ends the process, and sees who is told.
    pub(super) fn judge_processes(&mut self, case: &MatrixCase, watched: &Watched) -> Result<(), Ended> {
        let (Some(process), Some((_, told_by))) = (watched.process(), joined_by(case.message())) else { return Ok(()) };
        let played = case.inputs.len();
        let unrelated = |stop| Ended { at: None, played, stop };
        let told = self.told_of_the_end(process, told_by).map_err(unrelated)?;
        let broken = |index: usize, cause, sentence: &str, expected: &str| {
            let planned: &Planned = &case.inputs[index];
            let stop = Stop::broken(cause, format!("{}: {sentence}", planned.input.id))
                .expected(format!("{expected} {told_by} to the watcher of this input when the process ends"))
                .actual(format!("{} in all", told.len()));
            Ended { at: Some(index), played, stop: stop.into() }
        };
        if let Some((_, index)) = watched.required.iter().find(|(watcher, _)| !told.contains(watcher)) {
            self.inner_cite = Some(case.inputs[*index].cell.requirement.clone());
            return Err(broken(*index, Cause::MissingFrame, "it has undone what it must not", "one"));
        }
        if let Some((_, index)) = watched.forbidden.iter().find(|(watcher, _)| told.contains(watcher)) {
            self.inner_cite = Some(case.inputs[*index].cell.requirement.clone());
            return Err(broken(*index, Cause::UnexpectedFrame, "it has not undone what it should", "no"));
        }
        Ok(())
    }

    /// The local ids of all watchers that are told.
    fn told_of_the_end(&mut self, process: Pid, told_by: &str) -> StepResult<Vec<u64>> {
        let pid = |local: u64| json!({"node_id": 0, "creation": 0, "local": local});
        let (from, to) = (pid(PARENT), pid(process.local));
        self.send_message(JUDGED, "LINK", &json!({"from": from, "to": to}))?;
        let reason = json!({"kind": "error", "text": "enough"});
        self.send_message(JUDGED, "EXIT", &json!({"from": from, "to": to, "reason": reason}))?;
        self.fence(&one(JUDGED))?;
        let to = if told_by == "EXIT" { "to" } else { "monitoring" };
        let mut told = Vec::new();
        let unread = std::mem::take(&mut self.session_mut(JUDGED)?.unread);
        for payload in unread {
            let Ok(decoded) = codec::decode(self.schema(), Phase::Session, &payload) else { continue };
            if decoded.message.name == told_by {
                told.extend(decoded.message.fields_json()[to]["local"].as_u64());
            }
        }
        Ok(told)
    }

    /// The fields of the next frame that is this message; others are passed over.
    fn message_of(&mut self, session: &str, message: &str, requirement: &'static str) -> StepResult<Value> {
        let deadline = self.deadline;
        loop {
            match self.next_frame(session, deadline)? {
                Next::Frame(payload) => {
                    let decoded = codec::decode(self.schema(), Phase::Session, &payload);
                    if let Some(decoded) = decoded.ok().filter(|decoded| decoded.message.name == message) {
                        return Ok(decoded.message.fields_json());
                    }
                }
                Next::Closed(kind, _) => return Err(self.early_close(session, &kind).expected(message).into()),
                Next::TimedOut => {
                    return Err(Stop::broken(Cause::MissingFrame, format!("no {message} came"))
                        .blames(requirement)
                        .expected(message)
                        .meanwhile(self.arrived())
                        .into());
                }
            }
        }
    }
}
