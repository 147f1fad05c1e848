//! What a planted fault can see and change.

use std::{sync::Arc, time::Instant};

use serde_json::Value;

use crate::{
    net::tls::Transport,
    node::{Command, ConnId, ConnectionView, GlobalPid, How, Identity, Input, MemberId, Node, Output, Role, Token},
    wire::{NodeName, Payload, message::Phase},
};

/// A bug, told as what it does to what passes between the net and the node. State for single connections is the
/// filter's own: a map by [`ConnId`]. All hooks pass everything on unless they are overridden.
///
/// In the order in which things pass: `bytes_in`, `frame_in`, `input`, the node, `output`, `frame_out`, `undelivered`.
/// Beside them stand `request`, which comes before the commands that it turns into, `answer`, and `wake`, the filter's own clock.
pub(crate) trait Filter {
    /// Changes how TLS is set up, once, before anything else.
    fn transport(&mut self, _transport: &mut Transport) {}

    /// Bytes from a connection, in the pieces in which they came, before frames are taken out of them.
    fn bytes_in(&mut self, _context: &mut Context<'_>, _conn: ConnId, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    /// The largest payload that the frame reader takes, inclusive, in bytes.
    fn frame_limit(&mut self, _context: &mut Context<'_>, _conn: ConnId, limit: usize) -> usize {
        limit
    }

    /// One payload from a connection; `None` suppresses it.
    fn frame_in(&mut self, _context: &mut Context<'_>, _conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        Some(payload)
    }

    /// A connection that was up has ended, and the net's words for how; unless `None`, the node is told.
    fn lost(&mut self, _context: &mut Context<'_>, conn: ConnId, _why: &str) -> Option<ConnId> {
        Some(conn)
    }

    /// Anything that the node is told, payloads included; `None` suppresses it.
    fn input(&mut self, _context: &mut Context<'_>, input: Input) -> Option<Input> {
        Some(input)
    }

    /// Randomness on its way to the node, for challenges (32 bytes) and PINGs (8 bytes).
    fn entropy(&mut self, _bytes: &mut [u8]) {}

    /// Anything that the node wants done, payloads included; `None` suppresses it.
    fn output(&mut self, _context: &mut Context<'_>, output: Output) -> Option<Output> {
        Some(output)
    }

    /// One payload to a connection, those of a table included; `None` suppresses it.
    fn frame_out(&mut self, _context: &mut Context<'_>, _conn: ConnId, payload: Payload) -> Option<Payload> {
        Some(payload)
    }

    /// Changes the parameters of a control request before they are looked at.
    fn request(&mut self, _method: &str, _params: &mut Value) {}

    /// Changes the answer of a control request that needs no node (`codec.*`, `term.*`): `{"result": …}` or `{"error": …}`.
    /// The parameters are those that [`Filter::request`] has left.
    fn answer(&mut self, _method: &str, _params: &Value, _answer: &mut Value) {}

    /// How many bytes may wait for a new connection's peer.
    fn peer_patience(&mut self, bytes: usize) -> usize {
        bytes
    }

    /// How many messages may wait for a new member.
    fn member_patience(&mut self, messages: usize) -> usize {
        messages
    }

    /// A delivery failed: the member is cut off for it, unless `None`.
    fn undelivered(&mut self, _context: &mut Context<'_>, member: MemberId) -> Option<MemberId> {
        Some(member)
    }

    /// When [`Filter::awake`] is to be called, at the latest.
    fn wake(&self) -> Option<Instant> {
        None
    }

    /// The time for which [`Filter::wake`] asked has come.
    fn awake(&mut self, _context: &mut Context<'_>) {}
}

/// Stands under commands of faults. The control protocol and the command line count theirs from 0.
pub(crate) const NOBODY: Token = Token(u64::MAX);

/// What a filter may look at, and what it adds. Added outputs are done before the thing that is being filtered (to add
/// something behind it, return `None` and add both); added inputs reach the node after it. Neither passes the filters.
pub(crate) struct Context<'a> {
    node: &'a Node,
    /// The time at which the filtered thing passes.
    pub(crate) now: Instant,
    outputs: Vec<Output>,
    inputs: Vec<Input>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(node: &'a Node) -> Self {
        Self::at(node, Instant::now())
    }

    /// Where time is not the system's.
    pub(crate) fn at(node: &'a Node, now: Instant) -> Self {
        Self { node, now, outputs: Vec::new(), inputs: Vec::new() }
    }

    /// The node's name, creation, cookie and times; `None` before it is started.
    pub(crate) fn identity(&self) -> Option<&'a Identity> {
        self.node.identity()
    }

    /// Phase, peer and creation of a connection; `None` when the node does not have it (any more).
    pub(crate) fn connection(&self, conn: ConnId) -> Option<ConnectionView> {
        self.node.connection(conn)
    }

    /// With which tags a connection is read; `None` when the node does not have it (any more).
    pub(crate) fn phase(&self, conn: ConnId) -> Option<Phase> {
        self.node.phase(conn)
    }

    /// All sessions: connection and peer.
    pub(crate) fn sessions(&self) -> Vec<(ConnId, ConnectionView)> {
        self.node.session_views()
    }

    /// The node's own dials under way: connection and name.
    pub(crate) fn dials(&self) -> Vec<(ConnId, NodeName)> {
        let views = self.node.handshake_views().into_iter().filter(|(conn, _)| conn.role == Role::Dialled);
        views.filter_map(|(conn, view)| Some((conn, view.peer?))).collect()
    }

    /// The process that has a name: in hooks before the node as it was, in those behind it as it has become.
    pub(crate) fn whereis(&self, name: &str) -> Option<GlobalPid> {
        self.node.whereis(name)
    }

    /// All names, and whose they are.
    pub(crate) fn names(&self) -> Vec<(Arc<str>, GlobalPid)> {
        self.node.names()
    }

    /// Whether a PID names a live process of the node.
    pub(crate) fn is_alive(&self, pid: &GlobalPid) -> bool {
        matches!(self.node.own_process(pid), Ok(Some(_)))
    }

    /// Sends a payload as one frame.
    pub(crate) fn send(&mut self, conn: ConnId, payload: impl Into<Payload>) {
        self.outputs.push(Output::Send(conn, payload.into()));
    }

    /// Closes a connection, as if the peer had: the node is told.
    pub(crate) fn close(&mut self, conn: ConnId) {
        self.outputs.push(Output::Close(conn, How::Flush));
        self.inputs.push(Input::Closed(conn));
    }

    /// Has the node do a command, whose answer nobody gets.
    pub(crate) fn command(&mut self, command: Command) {
        self.inputs.push(Input::Command(NOBODY, command));
    }

    pub(crate) fn add_output(&mut self, output: Output) {
        self.outputs.push(output);
    }

    pub(crate) fn add_input(&mut self, input: Input) {
        self.inputs.push(input);
    }

    pub(crate) fn into_added(self) -> (Vec<Output>, Vec<Input>) {
        (self.outputs, self.inputs)
    }
}
