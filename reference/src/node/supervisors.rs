//! Supervisors as processes of this node: what their links, timers and SPAWNs tell them, and what they want done.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use super::{
    Answer, CommandError, GlobalPid, Node, Origin, Reason, Settings, Token, Told,
    functions::Function,
    spawning::Caller,
    supervisor::{Action, Attempt, ChildSpec, NotStarted, Reply, Supervisor},
    timers::Timer,
};
use crate::wire::{LocalId, NodeName, WirePid, reason::Root};

/// The live supervisors, and what they have still to hear.
#[derive(Clone, Debug, Default)]
pub(crate) struct Supervisors {
    live: BTreeMap<LocalId, Supervisor<WirePid>>,
    heard: VecDeque<(LocalId, Heard)>,
}

/// What a supervisor hears. It is given to it when everything else of the same input has been done, in order.
#[derive(Clone, Debug)]
pub(super) enum Heard {
    /// An EXIT came over a link.
    Exit { from: WirePid, reason: Reason },
    /// A SPAWN has been answered, or never will be.
    Spawned(Attempt, Result<WirePid, NotStarted>),
    /// A session with this node has begun.
    NodeUp(NodeName),
    /// The time of the child that is being stopped is over.
    Late,
}

impl Supervisors {
    pub(super) fn is_one(&self, local: LocalId) -> bool {
        self.live.contains_key(&local)
    }

    pub(super) fn hear(&mut self, supervisor: LocalId, heard: Heard) {
        self.heard.push_back((supervisor, heard));
    }

    pub(super) fn next_heard(&mut self) -> Option<(LocalId, Heard)> {
        self.heard.pop_front()
    }
}

impl From<CommandError> for NotStarted {
    fn from(why: CommandError) -> Self {
        match why {
            CommandError::NotConnected(_) => Self::NotConnected,
            CommandError::NoConnection => Self::Lost,
            CommandError::TooLarge => Self::TooLarge,
            _ => Self::Refused,
        }
    }
}

impl From<NotStarted> for CommandError {
    fn from(why: NotStarted) -> Self {
        match why {
            NotStarted::NotConnected => Self::NotConnected("the child's node".into()),
            NotStarted::Lost => Self::NoConnection,
            NotStarted::Refused => Self::Refused,
            NotStarted::TooLarge => Self::TooLarge,
        }
    }
}

impl Node {
    /// `supervisor.start`: answered when all children have been started, or have been stopped again (SUP-2, SUP-3).
    pub(super) fn start_supervisor(&mut self, token: Token, mut settings: Settings, now: Instant) {
        let here = self.own_pid(LocalId::ZERO).node;
        for child in &mut settings.children {
            child.node = child.node.take().filter(|node| node.as_str() != here);
        }
        let (supervisor, actions) = Supervisor::start(settings, token, now);
        let local = self.processes.insert(Function::Supervisor);
        self.supervisors.live.insert(local, supervisor);
        self.supervise(local, actions, now);
    }

    /// `supervisor.start_child`: answered when the child has been started (SUP-4).
    pub(super) fn start_child(&mut self, token: Token, pid: &GlobalPid, args: Option<Vec<u8>>, now: Instant) {
        match self.supervisor_mut(pid) {
            Ok((local, supervisor)) if supervisor.is_simple() => {
                let actions = supervisor.start_child(args, token, now);
                self.supervise(local, actions, now);
            }
            Ok(_) => self.reply(token, Err(CommandError::Failed("its children are given at its start".into()))),
            Err(why) => self.reply(token, Err(why)),
        }
    }

    /// `supervisor.stop`: answered when it has ended (SUP-19).
    pub(super) fn stop_supervisor(&mut self, token: Token, pid: &GlobalPid, now: Instant) {
        match self.supervisor_mut(pid) {
            Ok((local, supervisor)) => {
                let actions = supervisor.stop(token, now);
                self.supervise(local, actions, now);
            }
            Err(why) => self.reply(token, Err(why)),
        }
    }

    /// `supervisor.children` (SUP-20).
    pub(super) fn supervised(&mut self, pid: &GlobalPid) -> Result<Answer, CommandError> {
        let (local, _) = self.supervisor_mut(pid)?;
        let supervisor = self.supervisors.live.get(&local).ok_or(CommandError::NoProcess)?;
        let child = |(id, held): (&str, Option<&WirePid>)| (id.to_owned(), held.map(|held| self.global_pid(*held)));
        Ok(Answer::Children(supervisor.children().map(child).collect()))
    }

    /// # Errors
    /// [`CommandError::NoProcess`] when `pid` is no live supervisor of this node.
    fn supervisor_mut(&mut self, pid: &GlobalPid) -> Result<(LocalId, &mut Supervisor<WirePid>), CommandError> {
        let local = self.own_live(pid)?;
        let supervisor = self.supervisors.live.get_mut(&local).ok_or(CommandError::NoProcess)?;
        Ok((local, supervisor))
    }

    /// A session with `node` has begun: children that were lost with it can be started again (SUP-13).
    pub(super) fn tell_supervisors(&mut self, node: &NodeName) {
        for local in self.supervisors.live.keys() {
            self.supervisors.heard.push_back((*local, Heard::NodeUp(node.clone())));
        }
    }

    /// A supervisor takes in what it has heard. An EXIT that is no child's does to it what it does to any process.
    pub(super) fn supervisor_hears(&mut self, local: LocalId, heard: Heard, now: Instant) {
        let Some(supervisor) = self.supervisors.live.get_mut(&local) else { return };
        let actions = match heard {
            Heard::Exit { from, reason } => {
                let crash = !matches!(reason.plain(), Some(Root::Normal | Root::Shutdown));
                let (is_childs, actions) = supervisor.ended(&from, self.numbering.name(from.node), crash, now);
                if is_childs {
                    self.tell(local, Told::Exited { from, reason });
                } else {
                    self.exit_by_rules(from, local, reason);
                }
                actions
            }
            Heard::Spawned(attempt, Ok(pid)) => supervisor.started(attempt, pid, now),
            Heard::Spawned(attempt, Err(why)) => supervisor.not_started(attempt, why, now),
            Heard::NodeUp(node) => supervisor.node_up(&node, now),
            Heard::Late => supervisor.tick(now),
        };
        self.supervise(local, actions, now);
    }

    /// Does what a supervisor wants, and what it wants when it hears what came of that.
    fn supervise(&mut self, local: LocalId, actions: Vec<Action<WirePid>>, now: Instant) {
        let mut actions = VecDeque::from(actions);
        while let Some(action) = actions.pop_front() {
            match action {
                Action::Start(attempt, spec) => {
                    let result = self.spawn_child(local, attempt, &spec).transpose();
                    if let Some(supervisor) = self.supervisors.live.get_mut(&local) {
                        actions.extend(match result {
                            None => vec![],
                            Some(Ok(pid)) => supervisor.started(attempt, pid, now),
                            Some(Err(why)) => supervisor.not_started(attempt, why.into(), now),
                        });
                    }
                }
                Action::Stop(child) => self.order_exit(local, child, Root::Shutdown),
                Action::Kill(child) => {
                    self.order_exit(local, child, Root::Killed);
                    // Whatever it says about that is of no interest, even if it comes much later.
                    self.links.part(WirePid::own(local), child);
                }
                Action::Reply(token, reply) => self.supervisor_replies(token, local, reply),
                Action::End => self.end(local, Root::Shutdown.into()),
            }
        }
        match self.supervisors.live.get(&local).and_then(Supervisor::deadline) {
            Some(deadline) => self.timers.set(Timer::Supervisor(local), deadline),
            None => self.timers.cancel(&Timer::Supervisor(local)),
        }
    }

    /// The new process; `None` while another node is asked for it (SUP-1).
    fn spawn_child(
        &mut self,
        supervisor: LocalId,
        attempt: Attempt,
        spec: &ChildSpec,
    ) -> Result<Option<WirePid>, CommandError> {
        if let Some(node) = &spec.node {
            let caller = Caller::Supervisor(supervisor, attempt);
            self.spawn_there(node, &spec.function, &spec.args, supervisor, true, caller)?;
            return Ok(None);
        }
        let parent = Some(WirePid::own(supervisor));
        let local = self.spawn_here(spec.function.as_bytes(), &spec.args, Origin::Here, parent);
        Ok(Some(WirePid::own(local.ok_or(CommandError::Refused)?)))
    }

    /// A parent's EXIT over the link, which stays (PROC-46).
    fn order_exit(&mut self, supervisor: LocalId, child: WirePid, reason: Root) {
        let own = WirePid::own(supervisor);
        if self.links.are_joined(own, child) {
            self.exit_to(own, child, &reason.into());
        }
    }

    /// A process of this node has ended: if it was a supervisor, whoever waits for it is answered.
    pub(super) fn supervisor_ended(&mut self, local: LocalId) {
        let Some(supervisor) = self.supervisors.live.remove(&local) else { return };
        self.timers.cancel(&Timer::Supervisor(local));
        for (token, reply) in supervisor.gone() {
            self.supervisor_replies(token, local, reply);
        }
    }

    /// The node stops: whoever waits for a supervisor is answered.
    pub(super) fn forget_supervisors(&mut self) {
        let supervisors: Vec<_> = self.supervisors.live.keys().copied().collect();
        supervisors.into_iter().for_each(|local| self.supervisor_ended(local));
    }

    fn supervisor_replies(&mut self, token: Token, supervisor: LocalId, reply: Reply<WirePid>) {
        let result = match reply {
            Reply::Up => Ok(Answer::Pid(Some(self.own_pid(supervisor)))),
            Reply::Child(pid) => Ok(Answer::Pid(Some(self.global_pid(pid)))),
            Reply::Stopped => Ok(Answer::Done),
            Reply::NotStarted(why) => Err(why.into()),
            Reply::Gone => Err(CommandError::NoProcess),
        };
        self.reply(token, result);
    }
}
