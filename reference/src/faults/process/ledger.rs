//! What has been said of monitors, links and traps so far, for faults that confuse one of them with another.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{
        filter::{Context, Filter},
        payload,
    },
    edit::{is_live, message},
};
use crate::{
    node::{Command, ConnId, Input},
    wire::{
        LocalId, Message, NodeName, Payload,
        process::{LINK, Link, Monitor, SPAWN_REPLY},
    },
};

/// A process of a peer and one of this node.
pub(super) type Pair = (NodeName, LocalId, LocalId);

/// What has become of a monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Live,
    Told,
    Undone,
}

/// What the messages of all sessions have said. It knows nothing of losses: peers may come back.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) links: BTreeSet<Pair>,
    /// Parents and their children.
    pub(super) parents: BTreeSet<Pair>,
    /// Monitors that peers hold, by peer and reference.
    pub(super) theirs: BTreeMap<(NodeName, u64), Monitor>,
    /// Monitors that processes of this node have held, likewise.
    pub(super) ours: BTreeMap<(NodeName, u64), (Monitor, Standing)>,
    pub(super) trapping: BTreeSet<LocalId>,
    /// Who has asked for a linked process in the last SPAWN.
    asked: Option<(ConnId, LocalId)>,
}

/// A message of the family on its way to the node.
pub(super) struct Arrived<'a> {
    pub(super) conn: ConnId,
    pub(super) peer: NodeName,
    pub(super) message: Message<'a>,
}

impl Ledger {
    pub(super) fn has_link(&self, peer: &NodeName, theirs: LocalId, ours: LocalId) -> bool {
        self.links.contains(&(peer.clone(), theirs, ours))
    }

    pub(super) fn is_parent(&self, peer: &NodeName, theirs: LocalId, ours: LocalId) -> bool {
        self.parents.contains(&(peer.clone(), theirs, ours))
    }

    fn came(&mut self, context: &Context<'_>, Arrived { conn, peer, message }: Arrived<'_>) {
        match message {
            Message::Link(Link { from, to }) if is_live(context, to) => {
                self.links.insert((peer, from.local, to.local));
            }
            Message::Unlink(Link { from, to }) => self.part((peer, from.local, to.local)),
            Message::Exit(exit) if !self.is_parent(&peer, exit.from.local, exit.to.local) => {
                self.part((peer, exit.from.local, exit.to.local));
            }
            Message::Monitor(monitor) if is_live(context, monitor.to) => {
                self.theirs.entry((peer, monitor.reference)).or_insert(monitor);
            }
            Message::Demonitor(monitor) => {
                self.theirs.remove(&(peer, monitor.reference));
            }
            Message::MonitorExit(exit) => self.settle((peer, exit.reference), Standing::Told),
            Message::Spawn(spawn) => self.asked = (spawn.link == 1).then_some((conn, spawn.requester.local)),
            _ => {}
        }
    }

    fn went(&mut self, conn: ConnId, peer: NodeName, message: &Message<'_>) {
        match message {
            Message::Link(Link { from, to }) => {
                let pair = (peer, to.local, from.local);
                if self.asked.take_if(|asked| *asked == (conn, to.local)).is_some() {
                    self.parents.insert(pair.clone());
                }
                self.links.insert(pair);
            }
            Message::Unlink(Link { from, to }) => self.part((peer, to.local, from.local)),
            Message::Exit(exit) => self.part((peer, exit.to.local, exit.from.local)),
            Message::Monitor(monitor) => {
                self.ours.insert((peer, monitor.reference), (*monitor, Standing::Live));
            }
            Message::Demonitor(monitor) => self.settle((peer, monitor.reference), Standing::Undone),
            Message::MonitorExit(exit) => {
                self.theirs.remove(&(peer, exit.reference));
            }
            _ => {}
        }
    }

    fn part(&mut self, pair: Pair) {
        self.links.remove(&pair);
        self.parents.remove(&pair);
    }

    fn settle(&mut self, key: (NodeName, u64), standing: Standing) {
        if let Some((_, before)) = self.ours.get_mut(&key).filter(|(_, before)| *before == Standing::Live) {
            *before = standing;
        }
    }
}

/// Hands `hook` each input, with the ledger as it was before.
pub(super) fn with_ledger(
    hook: impl FnMut(&mut Context<'_>, &Ledger, Input) -> Option<Input> + 'static,
) -> Box<dyn Filter> {
    Box::new(Follower { ledger: Ledger::default(), hook })
}

/// Hands `hook` each message of the family, with the ledger as it was before. What it returns takes the message's place.
pub(super) fn instead(
    mut hook: impl FnMut(&mut Context<'_>, &Ledger, &Arrived<'_>) -> Option<Vec<Input>> + 'static,
) -> Box<dyn Filter> {
    with_ledger(move |context, ledger, input| {
        let inputs = match &input {
            Input::Frame(conn, payload) => {
                arrived(context, *conn, payload).and_then(|arrived| hook(context, ledger, &arrived))
            }
            _ => None,
        };
        match inputs {
            Some(inputs) => in_order(context, inputs),
            None => Some(input),
        }
    })
}

/// Gives the node several inputs in the place of one.
pub(super) fn in_order(context: &mut Context<'_>, inputs: impl IntoIterator<Item = Input>) -> Option<Input> {
    let mut inputs = inputs.into_iter();
    let first = inputs.next();
    inputs.for_each(|input| context.add_input(input));
    first
}

/// A message as if it had come on a connection.
pub(super) fn frame(conn: ConnId, message: &Message<'_>) -> Input {
    Input::Frame(conn, payload::encode(message))
}

/// The session with a peer.
pub(super) fn session(context: &Context<'_>, peer: &NodeName) -> Option<ConnId> {
    let mut sessions = context.sessions().into_iter();
    sessions.find_map(|(conn, view)| (view.peer.as_ref() == Some(peer)).then_some(conn))
}

fn arrived<'a>(context: &Context<'_>, conn: ConnId, payload: &'a [u8]) -> Option<Arrived<'a>> {
    let message = message(payload)?;
    Some(Arrived { conn, peer: payload::peer(context, conn)?, message })
}

struct Follower<F> {
    ledger: Ledger,
    hook: F,
}

impl<F: FnMut(&mut Context<'_>, &Ledger, Input) -> Option<Input>> Filter for Follower<F> {
    fn input(&mut self, context: &mut Context<'_>, input: Input) -> Option<Input> {
        // Messages of other families and those for processes say nothing, and may be large.
        let copy = match &input {
            Input::Frame(conn, payload) if payload.first().is_some_and(|tag| (LINK..SPAWN_REPLY).contains(tag)) => {
                Some((*conn, payload.clone()))
            }
            _ => None,
        };
        let trap = match &input {
            Input::Command(_, Command::TrapExit { pid, enabled }) => Some((pid.local, *enabled)),
            _ => None,
        };
        let result = (self.hook)(context, &self.ledger, input);
        if let Some(arrived) = copy.as_ref().and_then(|(conn, payload)| arrived(context, *conn, payload)) {
            self.ledger.came(context, arrived);
        }
        match trap {
            Some((local, true)) => _ = self.ledger.trapping.insert(local),
            Some((local, false)) => _ = self.ledger.trapping.remove(&local),
            None => {}
        }
        result
    }

    fn frame_out(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        if let Some(message) = message(&payload)
            && let Some(peer) = payload::peer(context, conn)
        {
            self.ledger.went(conn, peer, &message);
        }
        Some(payload)
    }
}
