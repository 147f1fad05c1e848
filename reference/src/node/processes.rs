//! Local processes: which are alive, and which functions they run.

use std::collections::BTreeMap;

use super::{Answer, CommandError, GlobalPid, NONODE, Node};
use crate::wire::{LocalId, Reader, Reason, WirePid};

/// What a process does. Every node with processes offers the same functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    /// Lives until it is ended.
    Collector,
    /// Forwards each message to a process, written as its spawner holds it.
    Relay(WirePid),
    /// Ends at once.
    Exit(Reason),
    /// Ends with an error on its first message.
    CrashOnMessage,
}

impl Function {
    fn parse(name: &str, args: &[u8]) -> Result<Self, String> {
        let mut args = Reader::new(args);
        match name {
            "collector" => Ok(Self::Collector),
            "crash_on_message" => Ok(Self::CrashOnMessage),
            "relay" => args
                .u64()
                .map(|pid| Self::Relay(WirePid::from_u64(pid)))
                .map_err(|_| "relay takes a PID of 8 bytes".into()),
            "exit" => {
                Reason::decode(&mut args).map(Self::Exit).map_err(|why| format!("exit takes an encoded reason: {why}"))
            }
            _ => Err(format!("there is no function {name:?}")),
        }
    }
}

/// The live processes by their local ids, which count from 1 and wrap in 40 bits.
#[derive(Debug)]
pub(crate) struct Processes {
    live: BTreeMap<LocalId, Function>,
    last: LocalId,
}

impl Default for Processes {
    fn default() -> Self {
        Self { live: BTreeMap::new(), last: WirePid::from_u64(0).local }
    }
}

impl Processes {
    pub(crate) fn is_alive(&self, local: LocalId) -> bool {
        self.live.contains_key(&local)
    }

    fn spawn(&mut self, function: Function) -> LocalId {
        loop {
            self.last = self.last.next();
            if !self.is_alive(self.last) {
                break;
            }
        }
        if !matches!(function, Function::Exit(_)) {
            self.live.insert(self.last, function);
        }
        self.last
    }

    fn end(&mut self, local: LocalId) -> bool {
        self.live.remove(&local).is_some()
    }
}

impl Node {
    pub(super) fn spawn(&mut self, function: &str, args: &[u8]) -> Result<Answer, CommandError> {
        let function = Function::parse(function, args).map_err(CommandError::Failed)?;
        let local = self.processes.spawn(function);
        Ok(Answer::Pid(Some(self.own_pid(local))))
    }

    pub(super) fn exit(&mut self, pid: &GlobalPid) -> Result<Answer, CommandError> {
        let local = self.own_process(pid)?.ok_or(CommandError::NoProcess)?;
        self.processes.end(local);
        self.forget_process(WirePid::own(local));
        Ok(Answer::Done)
    }

    pub(super) fn whoami(&self) -> Answer {
        match &self.identity {
            Some(identity) => Answer::Whoami { name: identity.name.to_string(), creation: identity.creation.get() },
            None => Answer::Whoami { name: NONODE.into(), creation: 0 },
        }
    }

    /// A process of this node as callers know it.
    pub(super) fn own_pid(&self, local: LocalId) -> GlobalPid {
        match &self.identity {
            Some(identity) => GlobalPid { node: identity.name.to_string(), creation: identity.creation.get(), local },
            None => GlobalPid { node: NONODE.into(), creation: 0, local },
        }
    }

    /// The live process of this node that `pid` names; `None` when it is another node's. A PID that was given out
    /// before the start still names its process.
    ///
    /// # Errors
    /// [`CommandError::NoProcess`] when it is this node's and dead, or of a former run.
    pub(crate) fn own_process(&self, pid: &GlobalPid) -> Result<Option<LocalId>, CommandError> {
        let this_run = *pid == self.own_pid(pid.local);
        let before_start = pid.node == NONODE && pid.creation == 0;
        if (this_run || before_start) && self.processes.is_alive(pid.local) {
            return Ok(Some(pid.local));
        }
        if before_start || pid.node == self.own_pid(pid.local).node {
            return Err(CommandError::NoProcess);
        }
        Ok(None)
    }
}
