//! How processes end, and what that does to those that are linked to them: a list of work and never a recursion, so
//! that a chain of links may be as long as it likes.

use std::time::Instant;

use super::{Answer, CommandError, Event, GlobalPid, Node, Reason, ShownPid, Told, supervisors::Heard};
use crate::wire::{self, LocalId, WirePid, reason::Root};

/// What is still to be done before the node takes its next input.
#[derive(Clone, Debug)]
pub(super) enum Due {
    /// A process ends.
    End(LocalId, Reason),
    /// An EXIT comes to a process from one that is, or was until now, linked to it.
    Exit { from: WirePid, to: LocalId, reason: Reason },
    /// A process is told something that has to stand behind an answer.
    Tell(LocalId, Told),
}

impl Node {
    /// `process.exit`: it ends, whether it traps exits or not (PROC-48).
    pub(super) fn exit(&mut self, pid: &GlobalPid, reason: &wire::Reason<ShownPid>) -> Result<Answer, CommandError> {
        let local = self.own_live(pid)?;
        let reason = self.named_reason(reason);
        self.end(local, reason);
        Ok(Answer::Done)
    }

    pub(super) fn trap_exit(&mut self, pid: &GlobalPid, enabled: bool) -> Result<Answer, CommandError> {
        let local = self.own_live(pid)?;
        if let Some(process) = self.processes.get_mut(local) {
            process.traps_exits = enabled;
        }
        Ok(Answer::Done)
    }

    /// False for a process of this node that has ended.
    pub(super) fn alive(&self, pid: &GlobalPid) -> Result<Answer, CommandError> {
        match self.own_process(pid) {
            Ok(Some(_)) => Ok(Answer::Alive(true)),
            Ok(None) => Err(CommandError::NoProcess),
            Err(_) => Ok(Answer::Alive(false)),
        }
    }

    /// A process of this node is to end with this reason.
    pub(super) fn end(&mut self, local: LocalId, reason: Reason) {
        self.due.push_back(Due::End(local, reason));
    }

    /// Does all that has come of an input, what supervisors make of it included.
    pub(super) fn finish(&mut self, now: Instant) {
        self.settle();
        while let Some((supervisor, heard)) = self.supervisors.next_heard() {
            self.supervisor_hears(supervisor, heard, now);
            self.settle();
        }
    }

    /// Does what is due, and what comes of that in turn.
    pub(super) fn settle(&mut self) {
        while let Some(due) = self.due.pop_front() {
            match due {
                Due::End(local, reason) => self.ended(local, &reason),
                Due::Exit { from, to, reason } => self.exit_arrived(from, to, reason),
                Due::Tell(local, told) => self.tell(local, told),
            }
        }
    }

    /// Everything that hangs on a process goes with it, and everybody who is to be told is told.
    fn ended(&mut self, local: LocalId, reason: &Reason) {
        if self.processes.remove(local).is_none() {
            return;
        }
        self.event(Event::ProcessEnded { pid: self.own_pid(local), reason: reason.clone() });
        self.local_names.remove_process(local);
        self.watchers.remove_process(local);
        self.fire_links(local, reason);
        self.fire_monitors(local, reason);
        self.drop_monitors_of(local);
        self.forget_process(WirePid::own(local));
        self.supervisor_ended(local);
    }

    fn exit_arrived(&mut self, from: WirePid, to: LocalId, reason: Reason) {
        if self.supervisors.is_one(to) {
            self.supervisors.hear(to, Heard::Exit { from, reason });
        } else {
            self.exit_by_rules(from, to, reason);
        }
    }

    /// What an EXIT does to a linked process (PROC-42 to PROC-44, PROC-49).
    pub(super) fn exit_by_rules(&mut self, from: WirePid, to: LocalId, reason: Reason) {
        let Some(traps) = self.processes.get(to).map(|process| process.traps_exits) else { return };
        let is_parent = self.links.parent(to) == Some(from);
        match reason.plain() {
            Some(Root::Killed) if is_parent => self.end(to, reason),
            Some(Root::Shutdown) if is_parent && !traps => self.end(to, reason),
            Some(Root::Normal | Root::Shutdown) => self.tell(to, Told::Exited { from, reason }),
            _ if traps => self.tell(to, Told::Exited { from, reason }),
            _ => {
                let nested = self.nested(from);
                self.end(to, reason.wrapped(nested));
            }
        }
    }
}
