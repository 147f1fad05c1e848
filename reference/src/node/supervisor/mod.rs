//! A supervisor as a pure state machine: what it hears of its children, and what it wants done about it.
//!
//! It knows no node: it names processes by whatever its owner does, and never sends, spawns or waits itself.

mod child;
mod intensity;
mod turn;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

pub(crate) use child::{Attempt, ChildSpec, Restart, Settings, Strategy};

use super::Token;
use crate::wire::NodeName;
use child::{Child, State};
use intensity::Intensity;

/// How long the end of a child that is being stopped is awaited (SUP-17).
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a child was not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotStarted {
    /// Its node is not connected.
    NotConnected,
    /// The session with its node ended while the answer was awaited.
    Lost,
    /// Its node does not offer that function.
    Refused,
    /// Its function and arguments do not fit a frame.
    TooLarge,
}

/// What a caller is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply<P> {
    /// To the one who started the supervisor: all children have been started.
    Up,
    /// To the one who asked for a child.
    Child(P),
    /// To either of these.
    NotStarted(NotStarted),
    /// To the one who stopped the supervisor: it has ended.
    Stopped,
    /// The supervisor has ended, or is about to.
    Gone,
}

/// What the supervisor wants done. Actions are done in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action<P> {
    /// Spawn it, linked to the supervisor; answered once by [`Supervisor::started`] or [`Supervisor::not_started`].
    Start(Attempt, Arc<ChildSpec>),
    /// EXIT with the reason shutdown; the link stays (SUP-16).
    Stop(P),
    /// EXIT with the reason killed; whatever comes of it is of no interest any more (SUP-17).
    Kill(P),
    Reply(Token, Reply<P>),
    /// The supervisor ends with the reason shutdown; then comes [`Supervisor::gone`].
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The children are started for the first time.
    Starting,
    Up,
    /// Stops its children, to end itself: by a failed start, a restart too many or by request.
    Ending,
    Ended,
}

/// A supervisor. `P` names a process.
///
/// Each event returns what has to be done; [`Supervisor::tick`] is due at [`Supervisor::deadline`].
#[derive(Clone, Debug)]
pub(crate) struct Supervisor<P> {
    strategy: Strategy,
    /// Of [`Strategy::SimpleOneForOne`].
    template: Option<ChildSpec>,
    children: Vec<Child<P>>,
    intensity: Intensity,
    phase: Phase,
    /// The child whose stop is under way, by its serial, and until when it is awaited.
    stopping: Option<(u64, Instant)>,
    /// Ends of processes that are no children, heard while starts were pending: an answer may still name them (SUP-12).
    heard_early: Vec<(P, bool)>,
    /// Starts that nobody waits for any more, and on which node.
    abandoned: BTreeMap<Attempt, Option<NodeName>>,
    /// Ends of children that were heard before all had been started: serial, whether a crash, when.
    put_off: Vec<(u64, bool, Instant)>,
    starter: Option<Token>,
    failure: Option<NotStarted>,
    stoppers: Vec<Token>,
    last_serial: u64,
    last_attempt: u64,
    actions: Vec<Action<P>>,
}

impl<P: Clone + PartialEq> Supervisor<P> {
    /// A supervisor that starts its children, one after the other (SUP-2, SUP-4). `starter` is answered when all have
    /// been started, or, when one cannot be, after those that were have been stopped (SUP-3).
    pub(crate) fn start(settings: Settings, starter: Token, now: Instant) -> (Self, Vec<Action<P>>) {
        let Settings { strategy, max_restarts, period, mut children } = settings;
        let template = (strategy == Strategy::SimpleOneForOne).then(|| children.pop()).flatten();
        if strategy == Strategy::SimpleOneForOne {
            children.clear();
        }
        let mut supervisor = Self {
            strategy,
            template,
            children: Vec::new(),
            intensity: Intensity::new(max_restarts, period),
            phase: Phase::Starting,
            stopping: None,
            heard_early: Vec::new(),
            abandoned: BTreeMap::new(),
            put_off: Vec::new(),
            starter: Some(starter),
            failure: None,
            stoppers: Vec::new(),
            last_serial: 0,
            last_attempt: 0,
            actions: Vec::new(),
        };
        for spec in children {
            supervisor.add(spec, None);
        }
        supervisor.advance(now);
        let actions = supervisor.take_actions();
        (supervisor, actions)
    }

    /// The ids of the children in order, each with its process while it runs (SUP-20).
    pub(crate) fn children(&self) -> impl Iterator<Item = (&str, Option<&P>)> {
        self.children.iter().map(|child| match &child.state {
            State::Running(pid) => (child.spec.id.as_str(), Some(pid)),
            _ => (child.spec.id.as_str(), None),
        })
    }

    /// Whether children are started one by one, by [`Supervisor::start_child`].
    pub(crate) fn is_simple(&self) -> bool {
        self.template.is_some()
    }

    /// When [`Supervisor::tick`] is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.stopping.map(|(_, deadline)| deadline)
    }

    /// Starts a child of the template, with `args` if they are given (SUP-4).
    pub(crate) fn start_child(&mut self, args: Option<Vec<u8>>, caller: Token, now: Instant) -> Vec<Action<P>> {
        match (self.phase, self.template.clone()) {
            (Phase::Up, Some(mut spec)) => {
                spec.args = args.unwrap_or(spec.args);
                self.add(spec, Some(caller));
                self.advance(now);
            }
            _ => self.reply(caller, Reply::Gone),
        }
        self.take_actions()
    }

    /// Stops the children, and ends (SUP-19).
    pub(crate) fn stop(&mut self, caller: Token, now: Instant) -> Vec<Action<P>> {
        self.stoppers.push(caller);
        self.end(now);
        self.take_actions()
    }

    /// The supervisor has ended, by itself or from outside: whoever waits is answered.
    pub(crate) fn gone(self) -> Vec<(Token, Reply<P>)> {
        let failure = self.failure.map_or(Reply::Gone, Reply::NotStarted);
        let starter = self.starter.map(|starter| (starter, failure));
        let callers = self.children.into_iter().filter_map(|child| Some((child.caller?, Reply::Gone)));
        let stoppers = self.stoppers.into_iter().map(|stopper| (stopper, Reply::Stopped));
        starter.into_iter().chain(callers).chain(stoppers).collect()
    }

    /// A start has given a process.
    pub(crate) fn started(&mut self, attempt: Attempt, pid: P, now: Instant) -> Vec<Action<P>> {
        let early = self.heard_early.iter().position(|(ended, _)| *ended == pid);
        let early = early.map(|index| self.heard_early.swap_remove(index).1);
        if self.abandoned.remove(&attempt).is_some() {
            if early.is_none() {
                self.actions.push(Action::Kill(pid));
            }
        } else if let Some(index) = self.starting(attempt) {
            let child = &mut self.children[index];
            child.state = State::Running(pid.clone());
            if let Some(caller) = child.caller.take() {
                self.actions.push(Action::Reply(caller, Reply::Child(pid.clone())));
            }
            if let Some(crash) = early {
                self.child_ended(index, crash, now);
            } else if self.stopping.is_some_and(|(serial, _)| serial == child.serial) {
                self.stopping = Some((child.serial, now + PATIENCE));
                self.actions.push(Action::Stop(pid));
            } else {
                self.advance(now);
            }
        }
        self.forget_early();
        self.take_actions()
    }

    /// A start has come to nothing.
    pub(crate) fn not_started(&mut self, attempt: Attempt, why: NotStarted, now: Instant) -> Vec<Action<P>> {
        if self.abandoned.remove(&attempt).is_none()
            && let Some(index) = self.starting(attempt)
        {
            self.start_failed(index, why, now);
        }
        self.forget_early();
        self.take_actions()
    }

    fn start_failed(&mut self, index: usize, why: NotStarted, now: Instant) {
        let child = &mut self.children[index];
        child.state = State::Idle;
        let caller = child.caller.take();
        if let Some(caller) = caller {
            self.reply(caller, Reply::NotStarted(why));
        }
        if self.children[index].must_stop {
            self.stopped(index, now);
        } else if caller.is_some() {
            self.children.remove(index);
            self.advance(now);
        } else if self.phase == Phase::Starting {
            self.failure = Some(why);
            self.end(now);
        } else if why == NotStarted::NotConnected {
            // The end that led here is counted already, and this is not another one.
            self.children[index].state = State::Waiting;
            self.advance(now);
        } else {
            self.restart(index, now, now);
        }
    }

    /// The link with `pid`, a process on `node` (`None`: on the supervisor's own), has told its end. False when it is no
    /// child's: what the supervisor makes of that is up to the rules of links.
    pub(crate) fn ended(
        &mut self,
        pid: &P,
        node: Option<&NodeName>,
        crash: bool,
        now: Instant,
    ) -> (bool, Vec<Action<P>>) {
        let is_it = |child: &Child<P>| matches!(&child.state, State::Running(running) if running == pid);
        // Its start is under way on that node, or has just come to nothing with the session.
        let may_be_it = |child: &Child<P>| {
            let unknown = matches!(child.state, State::Starting(_) | State::Waiting | State::Due);
            unknown && child.spec.node.as_ref() == node
        };
        let is_childs = if let Some(index) = self.children.iter().position(is_it) {
            self.child_ended(index, crash, now);
            true
        } else if self.children.iter().any(may_be_it) || self.abandoned.values().any(|on| on.as_ref() == node) {
            self.heard_early.push((pid.clone(), crash));
            true
        } else {
            false
        };
        self.forget_early();
        (is_childs, self.take_actions())
    }

    /// A session with `node` has begun (SUP-13).
    pub(crate) fn node_up(&mut self, node: &NodeName, now: Instant) -> Vec<Action<P>> {
        for child in &mut self.children {
            if matches!(child.state, State::Waiting) && child.spec.node.as_ref() == Some(node) {
                child.state = State::Due;
            }
        }
        self.advance(now);
        self.take_actions()
    }

    /// Kills the child that is being stopped if its time is over (SUP-17).
    pub(crate) fn tick(&mut self, now: Instant) -> Vec<Action<P>> {
        if let Some((serial, deadline)) = self.stopping
            && deadline <= now
            && let Some(index) = self.children.iter().position(|child| child.serial == serial)
        {
            match &self.children[index] {
                Child { state: State::Running(pid), .. } => self.actions.push(Action::Kill(pid.clone())),
                Child { state: State::Starting(attempt), spec, .. } => {
                    self.abandoned.insert(*attempt, spec.node.clone());
                }
                _ => {}
            }
            self.stopped(index, now);
        }
        self.take_actions()
    }

    fn add(&mut self, spec: ChildSpec, caller: Option<Token>) {
        self.last_serial += 1;
        self.children.push(Child::new(self.last_serial, Arc::new(spec), caller));
    }

    fn starting(&self, attempt: Attempt) -> Option<usize> {
        self.children.iter().position(|child| matches!(child.state, State::Starting(other) if other == attempt))
    }

    /// When nothing is pending, no answer can name a process that has ended already.
    fn forget_early(&mut self) {
        let pending = self.children.iter().any(|child| matches!(child.state, State::Starting(_)));
        if !pending && self.abandoned.is_empty() {
            self.heard_early.clear();
        }
    }

    fn reply(&mut self, to: Token, reply: Reply<P>) {
        self.actions.push(Action::Reply(to, reply));
    }

    fn take_actions(&mut self) -> Vec<Action<P>> {
        mem::take(&mut self.actions)
    }
}
