//! Filters about local requests, which remember something.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    faults::{
        filter::{Context, Filter},
        payload::{edited, pids_edited},
    },
    node::{Answer, Command, CommandError, ConnId, GlobalPid, Input, NONODE, Output, Token},
    wire::{LocalId, Payload, registry::GlobalEntry},
};

/// What a fault does about a name, a PID, and the error that `register` came to: another answer, or the same.
pub(super) type AfterRefusal = fn(&mut Context<'_>, &str, &GlobalPid, &CommandError) -> Option<Answer>;

/// Remembers requests to register.
pub(super) struct Refused {
    then: AfterRefusal,
    asked: BTreeMap<Token, (String, GlobalPid)>,
}

impl Refused {
    pub(super) fn then(then: AfterRefusal) -> Box<dyn Filter> {
        Box::new(Self { then, asked: BTreeMap::new() })
    }
}

impl Filter for Refused {
    fn input(&mut self, _context: &mut Context<'_>, input: Input) -> Option<Input> {
        if let Input::Command(token, Command::Register { name, pid }) = &input {
            self.asked.insert(*token, (name.clone(), pid.clone()));
        }
        Some(input)
    }

    fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        if let Output::Reply(token, Err(error)) = &output
            && let Some((name, pid)) = self.asked.remove(token)
            && let Some(answer) = (self.then)(context, &name, &pid, error)
        {
            return Some(Output::Reply(*token, Ok(answer)));
        }
        Some(output)
    }
}

/// Remembers which names were registered before the start.
#[derive(Default)]
pub(super) struct BeforeStart {
    names: BTreeSet<String>,
}

impl Filter for BeforeStart {
    fn input(&mut self, context: &mut Context<'_>, input: Input) -> Option<Input> {
        if let Input::Start(_) = &input {
            self.names = context.names().into_iter().map(|(name, _)| name.to_string()).collect();
        }
        Some(input)
    }

    fn frame_out(&mut self, _context: &mut Context<'_>, _conn: ConnId, payload: Payload) -> Option<Payload> {
        edited(&payload, |entry| {
            Some(if self.names.contains(entry.name) { GlobalEntry { owner: NONODE, ..entry } } else { entry })
        })
        .map(Payload::from)
    }
}

/// Remembers which processes had names before the start.
#[derive(Default)]
pub(super) struct LookedUpBeforeStart {
    processes: BTreeSet<LocalId>,
}

impl Filter for LookedUpBeforeStart {
    fn input(&mut self, context: &mut Context<'_>, input: Input) -> Option<Input> {
        if let Input::Start(_) = &input {
            self.processes = context.names().into_iter().map(|(_, pid)| pid.local).collect();
        }
        Some(input)
    }

    fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        let own = context.identity().map(|identity| identity.name.to_string());
        Some(pids_edited(output, |pid| {
            if own.as_ref() == Some(&pid.node) && self.processes.contains(&pid.local) {
                *pid = GlobalPid { node: NONODE.into(), creation: 0, local: pid.local };
            }
        }))
    }
}
