//! What a supervisor is told at its start, and what it knows of each child.

use std::{sync::Arc, time::Duration};

use crate::{node::Token, wire::NodeName};

/// Which children the end of one concerns (SUP-9 to SUP-11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    OneForOne,
    OneForAll,
    RestForOne,
    /// Starts nothing by itself, and one child of its template at each request (SUP-4).
    SimpleOneForOne,
}

/// Which ends of a child need a restart (SUP-5 to SUP-7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Restart {
    Permanent,
    Transient,
    Temporary,
}

/// How a child is started, and started again (SUP-8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChildSpec {
    pub(crate) id: String,
    pub(crate) function: String,
    pub(crate) args: Vec<u8>,
    pub(crate) restart: Restart,
    /// The target node; `None` for the supervisor's own.
    pub(crate) node: Option<NodeName>,
}

/// What a supervisor is.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) strategy: Strategy,
    /// Most restarts within any [`Settings::period`] (SUP-14).
    pub(crate) max_restarts: usize,
    pub(crate) period: Duration,
    /// For [`Strategy::SimpleOneForOne`] the one template.
    pub(crate) children: Vec<ChildSpec>,
}

/// Joins what has come of a start to the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Attempt(pub(super) u64);

#[derive(Clone, Debug)]
pub(super) enum State<P> {
    /// Does not run, and nothing is to be done about it.
    Idle,
    /// To be started.
    Due,
    /// To be started when its node has returned (SUP-13).
    Waiting,
    /// Its start is under way.
    Starting(Attempt),
    Running(P),
}

#[derive(Clone, Debug)]
pub(super) struct Child<P> {
    /// Never given twice by one supervisor.
    pub(super) serial: u64,
    pub(super) spec: Arc<ChildSpec>,
    pub(super) state: State<P>,
    /// To be stopped when its turn has come, or being stopped. Only while it is starting or running.
    pub(super) must_stop: bool,
    /// Who waits for its first start.
    pub(super) caller: Option<Token>,
}

impl<P> Child<P> {
    pub(super) fn new(serial: u64, spec: Arc<ChildSpec>, caller: Option<Token>) -> Self {
        Self { serial, spec, state: State::Due, must_stop: false, caller }
    }

    pub(super) fn is_under_way(&self) -> bool {
        matches!(self.state, State::Starting(_) | State::Running(_))
    }

    /// Whether the end of this child needs a restart.
    pub(super) fn needs_restart(&self, crash: bool) -> bool {
        match self.spec.restart {
            Restart::Permanent => true,
            Restart::Transient => crash,
            Restart::Temporary => false,
        }
    }

    /// What becomes of a child that does not run when others are started with it: temporary ones stay ended, and
    /// transient ones come back even if they had ended by themselves, as Erlang has it (left open).
    pub(super) fn renew(&mut self) {
        self.state = if self.spec.restart == Restart::Temporary { State::Idle } else { State::Due };
    }
}
