//! What a planted fault can see and change.

use std::time::Instant;

use crate::{
    net::tls::Transport,
    node::{ConnId, ConnectionView, How, Identity, Input, Node, Output},
    wire::Payload,
};

/// A bug, told as what it does to what passes between the net and the node. State for single connections is the
/// filter's own: a map by [`ConnId`]. All hooks pass everything on unless they are overridden.
///
/// In the order in which things pass: `bytes_in`, `frame_in`, `input`, the node, `output`, `frame_out`.
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
}

/// What a filter may look at, and what it adds. Added outputs are done before the thing that is being filtered (to add
/// something behind it, return `None` and add both); added inputs reach the node after it. Neither passes the filters.
pub(crate) struct Context<'a> {
    node: &'a Node,
    #[allow(dead_code, reason = "the vocabulary of faults")]
    /// The time at which the filtered thing passes.
    pub(crate) now: Instant,
    outputs: Vec<Output>,
    inputs: Vec<Input>,
}

#[allow(dead_code, reason = "the vocabulary of faults; not every table needs every word")]
impl<'a> Context<'a> {
    pub(crate) fn new(node: &'a Node) -> Self {
        Self { node, now: Instant::now(), outputs: Vec::new(), inputs: Vec::new() }
    }

    /// The node's name, creation, cookie and times; `None` before it is started.
    pub(crate) fn identity(&self) -> Option<&'a Identity> {
        self.node.identity()
    }

    /// Phase, peer and creation of a connection; `None` when the node does not have it (any more).
    pub(crate) fn connection(&self, conn: ConnId) -> Option<ConnectionView> {
        self.node.connection(conn)
    }

    /// All sessions: connection and peer.
    pub(crate) fn sessions(&self) -> Vec<(ConnId, ConnectionView)> {
        self.node.session_views()
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
