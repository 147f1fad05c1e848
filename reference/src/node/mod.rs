//! The pure node: `handle(input, now, entropy) -> outputs` and `next_timer()`.
//!
//! No sockets, clocks, randomness, tasks or locks; all state is here, and the same inputs give the same outputs.

mod dials;
mod duplicates;
mod entropy;
mod exits;
mod frames;
mod functions;
mod handshake;
mod heartbeat;
mod holdings;
mod identity;
mod input;
mod lifecycle;
mod links;
mod mesh;
mod messages;
mod monitors;
mod names;
mod numbering;
mod output;
mod pids;
mod processes;
mod reasons;
mod registry;
mod rooms;
mod sessions;
mod spawning;
mod supervisor;
mod supervisors;
mod sync;
mod timers;
mod told;
mod watchers;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    sync::Arc,
    time::Instant,
};

pub(crate) use entropy::Entropy;
pub(crate) use holdings::Holdings;
pub(crate) use identity::{GlobalPid, Identity, NONODE, ShownPid, Timings};
pub(crate) use input::{Command, ConnId, Input, MemberId, Role, Token};
pub(crate) use output::{Answer, CommandError, Event, How, Output, Refusal};
pub(crate) use reasons::{Nested, Reason};
pub(crate) use spawning::SpawnRequest;
pub(crate) use supervisor::{ChildSpec, Restart, Settings, Strategy};
pub(crate) use sync::SyncStream;

use dials::Dials;
use exits::Due;
use handshake::Handshake;
use links::Links;
use messages::LocalNames;
use monitors::{Monitors, PeerMonitors};
use numbering::Numbering;
use pids::{Origin, Target};
use processes::Processes;
use registry::Registry;
use rooms::Rooms;
use sessions::{ReadOrder, Session, Sessions};
use spawning::Spawns;
use supervisors::{Heard, Supervisors};
use timers::{Timer, Timers};
use told::Told;
use watchers::Watchers;

use crate::wire::{Creation, Message, NodeName, Payload, message::Phase};

/// Most accepted connections that are not authenticated yet; past it the oldest makes room. Handshakes that are not
/// stalled take milliseconds, so only stalled ones are ever the oldest of so many (HS-30, RES-4).
const MAX_UNAUTHENTICATED: usize = 512;

/// Reasons of more bytes than this are made into frames only when these are sent: the end of one process may be told to
/// many monitors of one peer.
const LATE: usize = 4_096;

/// A node. Works before it is started, too: then it is `nonode@nohost`, with processes and names but no sessions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    identity: Option<Arc<Identity>>,
    handshakes: BTreeMap<ConnId, Handshake>,
    sessions: Sessions,
    dials: Dials,
    numbering: Numbering,
    registry: Registry,
    processes: Processes,
    local_names: LocalNames,
    links: Links,
    monitors: Monitors,
    peer_monitors: PeerMonitors,
    spawns: Spawns,
    watchers: Watchers,
    supervisors: Supervisors,
    due: VecDeque<Due>,
    rooms: Rooms,
    timers: Timers,
    last_read: ReadOrder,
    outputs: Vec<Output>,
}

/// What an observer may know of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConnectionView {
    pub(crate) phase: Phase,
    /// The session's peer; in the handshake the name dialled, or the one that NAME claimed.
    pub(crate) peer: Option<NodeName>,
    pub(crate) creation: Option<Creation>,
}

/// The time and the randomness of one call of [`Node::handle`].
struct Turn<'a> {
    now: Instant,
    entropy: &'a mut dyn Entropy,
}

impl Node {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Takes one input in and returns what has to be done about it, in order.
    ///
    /// `now` never goes back. Inputs about connections that the node has closed are ignored.
    pub(crate) fn handle(&mut self, input: Input, now: Instant, entropy: &mut dyn Entropy) -> Vec<Output> {
        let turn = &mut Turn { now, entropy };
        match input {
            Input::Start(identity) => self.identity = Some(Arc::new(identity)),
            Input::Accepted(conn) => self.accepted(conn, turn),
            Input::Dialled(conn) => self.dialled(conn),
            Input::Frame(conn, payload) => self.frame(conn, &payload, turn),
            Input::Closed(conn) => self.closed(conn, "the peer closed the connection", turn),
            Input::DialFailed(conn, why) => self.closed(conn, &why, turn),
            Input::Tick => self.tick(turn),
            Input::MemberJoined { member, room } => self.member_joined(member, room),
            Input::MemberLeft(member) => self.rooms.drop_member(member),
            Input::Delivered { report, failed } => self.reply(report, Ok(Answer::Failed(failed))),
            Input::Command(token, command) => self.command(token, command, turn),
        }
        self.finish(now);
        mem::take(&mut self.outputs)
    }

    /// When [`Input::Tick`] is due, if nothing else comes before.
    pub(crate) fn next_timer(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Who this node is, once it is started.
    pub(crate) fn identity(&self) -> Option<&Identity> {
        self.identity.as_deref()
    }

    /// `None` for a connection that the node does not have (any more).
    pub(crate) fn connection(&self, conn: ConnId) -> Option<ConnectionView> {
        if let Some(session) = self.sessions.get(conn) {
            let (peer, creation) = (Some(session.peer.clone()), Some(session.creation));
            return Some(ConnectionView { phase: Phase::Session, peer, creation });
        }
        let handshake = self.handshakes.get(&conn)?;
        let (peer, creation) = (handshake.peer().cloned(), handshake.creation());
        Some(ConnectionView { phase: Phase::Handshake, peer, creation })
    }

    /// All sessions, as an observer may know them.
    pub(crate) fn session_views(&self) -> Vec<(ConnId, ConnectionView)> {
        let conns = self.sessions.conns().into_iter();
        conns.filter_map(|conn| Some((conn, self.connection(conn)?))).collect()
    }

    /// All connections that are on their way to a session, as an observer may know them.
    pub(crate) fn handshake_views(&self) -> Vec<(ConnId, ConnectionView)> {
        self.handshakes.keys().filter_map(|conn| Some((*conn, self.connection(*conn)?))).collect()
    }

    /// Which tags and which frame limit a connection's next frame is read with; `None` when it is not the node's.
    pub(crate) fn phase(&self, conn: ConnId) -> Option<Phase> {
        if self.sessions.get(conn).is_some() {
            Some(Phase::Session)
        } else {
            self.handshakes.contains_key(&conn).then_some(Phase::Handshake)
        }
    }

    fn tick(&mut self, turn: &mut Turn<'_>) {
        while let Some(timer) = self.timers.pop(turn.now) {
            match timer {
                Timer::Handshake(conn) => self.refuse(conn, Refusal::TimedOut, turn),
                Timer::Ping(conn) => self.ping(conn, turn),
                Timer::Pong(conn) => self.pong_missing(conn),
                Timer::Listed => self.dial_listed(turn),
                Timer::Grace(name) => self.grace_over(&name),
                Timer::Supervisor(local) => self.supervisors.hear(local, Heard::Late),
            }
        }
    }

    fn command(&mut self, token: Token, command: Command, turn: &mut Turn<'_>) {
        let result = match command {
            Command::Connect(name) => return self.connect(token, name, turn),
            Command::Broadcast { room, text, except } => return self.broadcast(token, &room, text, except),
            Command::Nodes => Ok(Answer::Nodes(self.sessions.peers().cloned().collect())),
            Command::Whoami => Ok(self.whoami()),
            Command::Spawn(request) => return self.spawn(token, &request),
            Command::Exit { pid, reason } => self.exit(&pid, &reason),
            Command::Alive(pid) => self.alive(&pid),
            Command::Send { to, bytes } => self.send_message(&to, &bytes),
            Command::SendNamed { node, name, bytes } => self.send_named(&node, &name, &bytes),
            Command::RegisterLocal { pid, name } => self.register_local(&pid, &name),
            Command::Link { pid, to } => self.link(&pid, &to),
            Command::Unlink { pid, to } => self.unlink(&pid, &to),
            Command::Monitor { pid, target } => self.monitor(&pid, &target),
            Command::Demonitor { pid, reference } => self.demonitor(&pid, reference),
            Command::TrapExit { pid, enabled } => self.trap_exit(&pid, enabled),
            Command::WatchNode { pid, node } => self.watch_node(&pid, node),
            Command::StartSupervisor(settings) => return self.start_supervisor(token, *settings, turn.now),
            Command::StartChild { supervisor, args } => return self.start_child(token, &supervisor, args, turn.now),
            Command::Children(supervisor) => self.supervised(&supervisor),
            Command::StopSupervisor(supervisor) => return self.stop_supervisor(token, &supervisor, turn.now),
            Command::Register { name, pid } => self.register(&name, &pid),
            Command::Unregister(name) => self.unregister(&name),
            Command::Whereis(name) => Ok(Answer::Pid(self.whereis(&name))),
            Command::Names => Ok(Answer::Names(self.names())),
            Command::Join { member, room } => self.join(member, room),
            Command::Leave { member, room } => self.leave(member, &room),
            Command::Stop => {
                self.stop();
                Ok(Answer::Done)
            }
        };
        self.reply(token, result);
    }

    /// Closes everything, properly and at once; no clean-up is told, since nobody is left to hear it.
    fn stop(&mut self) {
        for session in self.sessions.take_all() {
            self.outputs.push(Output::Close(session.conn, How::Flush));
            self.outputs.push(Output::Event(Event::SessionClosed(session.peer, session.creation)));
        }
        for conn in mem::take(&mut self.handshakes).into_keys() {
            self.outputs.push(Output::Close(conn, How::Flush));
        }
        self.forget_supervisors();
        self.timers = Timers::default();
        for caller in self.spawns.take_all() {
            self.spawn_answered(caller, Err(CommandError::NoConnection));
        }
        for token in self.dials.take_all_waiting() {
            self.reply(token, Err(CommandError::ConnectFailed("the node is stopping".into())));
        }
    }

    fn reply(&mut self, token: Token, result: Result<Answer, CommandError>) {
        self.outputs.push(Output::Reply(token, result));
    }

    fn event(&mut self, event: Event) {
        self.outputs.push(Output::Event(event));
    }

    /// Sends one message to one session.
    ///
    /// # Errors
    /// [`CommandError::TooLarge`], and nothing is sent (FRAME-16).
    fn send(&mut self, conn: ConnId, message: &Message<'_>) -> Result<(), CommandError> {
        let payload = message.encode().map_err(|_| CommandError::TooLarge)?;
        self.outputs.push(Output::Send(conn, payload.into()));
        Ok(())
    }

    /// Sends a message whose layout has nothing in it that could be too large.
    fn send_small(&mut self, conn: ConnId, message: &Message<'_>) {
        let sent = self.send(conn, message);
        debug_assert!(sent.is_ok(), "{message:?} does not fit a frame");
    }

    /// Sends a message that is known to fit, and that shares a long text with others.
    fn send_late(&mut self, conn: ConnId, message: Message<'static>, length: usize) {
        if length <= LATE {
            self.send_small(conn, &message);
        } else {
            self.outputs.push(Output::SendLate(conn, Box::new(message)));
        }
    }

    /// Sends one payload to every session.
    fn send_to_all(&mut self, payload: Vec<u8>) {
        let payload: Payload = payload.into();
        for conn in self.sessions.conns() {
            self.outputs.push(Output::Send(conn, payload.clone()));
        }
    }
}
