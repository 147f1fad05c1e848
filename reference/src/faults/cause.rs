//! Filters that look at what comes of what: at the outputs of one input, with the table as it was before.

use std::sync::Arc;

use super::filter::{Context, Filter};
use crate::{
    node::{ConnId, Event, GlobalPid, Input, Output},
    wire::{Creation, NodeName},
};

/// Hands `hook` those outputs that come of inputs of a kind.
pub(super) fn on_output_of(
    is_cause: fn(&Input) -> bool,
    hook: impl FnMut(&mut Context<'_>, Output) -> Option<Output> + 'static,
) -> Box<dyn Filter> {
    Box::new(OutputOf { is_cause, hook, is_now: false })
}

struct OutputOf<F> {
    is_cause: fn(&Input) -> bool,
    hook: F,
    is_now: bool,
}

impl<F: FnMut(&mut Context<'_>, Output) -> Option<Output>> Filter for OutputOf<F> {
    fn input(&mut self, _context: &mut Context<'_>, input: Input) -> Option<Input> {
        self.is_now = (self.is_cause)(&input);
        Some(input)
    }

    fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        if self.is_now { (self.hook)(context, output) } else { Some(output) }
    }
}

/// A session that begins.
pub(super) struct Start {
    pub(super) conn: ConnId,
    pub(super) creation: Creation,
    /// Whether a session of the peer's former run has ended for it.
    pub(super) replaces: bool,
    /// The names that the peer owned before.
    pub(super) names: Vec<(Arc<str>, GlobalPid)>,
}

/// Acts behind the PEER_LIST and the GLOBAL_SYNC of each session that begins.
pub(super) fn at_session_start(act: fn(&mut Context<'_>, &Start)) -> Box<dyn Filter> {
    Box::new(AtStart { act, before: Vec::new(), ended: None })
}

struct AtStart {
    act: fn(&mut Context<'_>, &Start),
    before: Vec<(Arc<str>, GlobalPid)>,
    ended: Option<NodeName>,
}

impl Filter for AtStart {
    fn input(&mut self, context: &mut Context<'_>, input: Input) -> Option<Input> {
        (self.before, self.ended) = (context.names(), None);
        Some(input)
    }

    fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        match &output {
            Output::Event(Event::SessionClosed(peer, _)) => self.ended = Some(peer.clone()),
            Output::Event(Event::SessionOpened(peer, creation)) => {
                let mut sessions = context.sessions().into_iter();
                if let Some((conn, _)) = sessions.find(|(_, view)| view.peer.as_ref() == Some(peer)) {
                    let owned = self.before.iter().filter(|(_, pid)| pid.node == peer.as_str());
                    let (replaces, names) = (self.ended.as_ref() == Some(peer), owned.cloned().collect());
                    (self.act)(context, &Start { conn, creation: *creation, replaces, names });
                }
            }
            _ => {}
        }
        Some(output)
    }
}
