//! The step that judges everything that all nodes of a case have told, over all their runs.

use std::collections::BTreeSet;
use std::thread;
use std::time::Instant;

use serde_json::json;

use crate::results::Cause;
use crate::scenario::step::Invariants;

use super::calls::{POLL, call_stop};
use super::context::Context;
use super::history::{self, Breach, Heard, Told};
use super::stop::{Broken, StepResult, Stop};

impl Context<'_> {
    /// Barriers, and then the invariants of `history.rs`.
    pub(super) fn invariants(&mut self, step: &Invariants) -> StepResult {
        let mut stable = BTreeSet::new();
        if let Some(nodes) = &step.stable {
            for key in self.listed(nodes.names())? {
                let key = self.node_key(Some(&key))?;
                stable.extend(self.ledger.run_of(&key));
            }
        }
        self.barriers()?;
        // Texts are on their way when a broadcast is answered: the only thing here that is waited for.
        while let Some(lost) = history::lost_text(&self.heard_by_members(), &self.ledger, &stable) {
            if Instant::now() >= self.deadline {
                return Err(broken(lost).into());
            }
            thread::sleep(POLL);
        }
        self.hold_invariants()
    }

    /// A barrier of every live node.
    pub(super) fn barriers(&self) -> StepResult {
        for (key, node) in self.nodes.iter().filter(|(_, node)| node.running.is_some()) {
            let answer = node.client()?.call("barrier", json!({}), self.deadline);
            answer.map_err(|error| call_stop(key, "barrier", error))?;
        }
        Ok(())
    }

    /// Judges what has been told so far. Of one of several breaches, the first is told.
    pub(super) fn hold_invariants(&self) -> StepResult {
        let told = self.told();
        let breach = told
            .iter()
            .find_map(|told| history::sessions_alternate(told).or_else(|| history::processes_end_once(told)))
            .or_else(|| history::monitors_fire_once(&told, &self.ledger))
            .or_else(|| history::watches_alternate(&told, &self.ledger))
            .or_else(|| history::messages_keep_order(&told, &self.ledger))
            .or_else(|| history::texts_keep_order(&self.heard_by_members(), &self.ledger));
        match breach {
            Some(breach) => Err(broken(breach).meanwhile(self.tables()).into()),
            None => Ok(()),
        }
    }

    /// What every run has told, in the order of the ledger's runs.
    fn told(&self) -> Vec<Told> {
        let runs = &self.ledger.runs;
        let name = |at: usize| match runs[..at].iter().filter(|run| run.node == runs[at].node).count() {
            0 => format!("`{}`", runs[at].node),
            before => format!("`{}` (run {})", runs[at].node, before + 1),
        };
        runs.iter().enumerate().map(|(at, run)| Told { run: name(at), events: run.client.events() }).collect()
    }

    /// What every member that is still held has heard.
    pub(super) fn heard_by_members(&self) -> Vec<Heard> {
        let heard = |joined: &super::ledger::Joined| {
            let member = self.members.get(&joined.member)?;
            Some(Heard {
                run: joined.run,
                member: joined.member.clone(),
                room: joined.room.clone(),
                since: joined.since,
                texts: member.heard().into_iter().skip(1).collect(),
            })
        };
        self.ledger.members.iter().filter_map(heard).collect()
    }
}

/// A breach as the end of a case.
pub(super) fn broken(breach: Breach) -> Broken {
    let mut broken = Stop::broken(Cause::WrongAnswer, breach.sentence).expected(breach.expected).actual(breach.actual);
    broken.requirement = breach.requirement;
    broken
}
