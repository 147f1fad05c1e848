//! Steps about the connections that nodes open.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::results::Cause;
use crate::scenario::step::{ExpectDials, HandshakeStep, MakeDial, Peers, TlsChoice};
use crate::scenario::{Expression, PeerSpec};

use super::context::{Context, Port, Session};
use super::stop::{StepResult, Stop};

impl Context<'_> {
    /// Makes a node dial a peer, by an adapter or by an introduction.
    pub(super) fn make_dial(&mut self, step: &MakeDial) -> StepResult {
        let node = self.node_key(step.node.as_deref())?;
        let peer = self.name(&step.peer)?;
        let target = self.peer(&peer)?.name.clone();
        if self.implementation_of(&node).has_control() {
            let id = step.call.clone().unwrap_or_else(|| format!("dial of {peer}"));
            return self.send_request(id, node, "node.connect", json!({ "node": target }));
        }
        let introducer = self.introducer(&node)?;
        self.send_message(&introducer, "PEER_LIST", &json!({"peers": [{ "name": target }]}))
    }

    /// The session of a peer of the runner's own that introduces others to this node.
    fn introducer(&mut self, node: &str) -> StepResult<String> {
        let name = format!("introducer of {node}");
        let stands = |session: &Session| session.connection.closing().is_none();
        if self.sessions.get(&name).is_some_and(stands) {
            return Ok(name);
        }
        if !self.peers.contains_key(&name) {
            let label = Expression::Text(format!("introducer-{}", self.peers.len()));
            self.add_peer(&name, &PeerSpec { name: Some(label), ..PeerSpec::default() })?;
            let cookie = self.node(node)?.cookie.clone();
            if let Some(peer) = self.peers.get_mut(&name) {
                peer.cookie = cookie;
            }
        }
        let connection = self.open(node, TlsChoice::Any)?;
        self.add_session(name.clone(), Session::new(connection, &name, node));
        self.initiate(&name, None, HandshakeStep::Ack)?;
        Ok(name)
    }

    /// Stops a peer's port.
    pub(super) fn refuse_dials(&mut self, peer: &str) -> StepResult {
        let peer = self.name(peer)?;
        if let Port::Listening(listener) = &self.peer(&peer)?.port {
            listener.close();
        }
        Ok(())
    }

    pub(super) fn dials(&self, peers: &Peers) -> StepResult<usize> {
        let mut count = 0;
        for peer in peers.names() {
            let peer = self.name(peer)?;
            if let Port::Listening(listener) = &self.peer(&peer)?.port {
                count += listener.pending();
            }
        }
        Ok(count)
    }

    /// Awaits so many TCP connections, which stay unanswered.
    pub(super) fn expect_dials(&mut self, step: &ExpectDials) -> StepResult {
        let count = usize::try_from(step.count.number("count", self)?).unwrap_or(usize::MAX);
        while self.dials(&step.peers)? < count {
            if Instant::now() >= self.deadline {
                return Err(Stop::broken(Cause::MissingFrame, "too few dials came")
                    .expected(format!("{count} TCP connections"))
                    .actual(format!("{} TCP connections", self.dials(&step.peers)?))
                    .meanwhile(self.arrived())
                    .into());
            }
            thread::sleep(Duration::from_millis(5));
        }
        if let Some(session) = &step.no_more_after_fence {
            self.fence(&Peers::One(session.clone()))?;
            let dials = self.dials(&step.peers)?;
            if dials > count {
                return Err(Stop::broken(Cause::UnexpectedFrame, "more dials came than may be under way")
                    .expected(format!("{count} TCP connections"))
                    .actual(format!("{dials} TCP connections"))
                    .into());
            }
        }
        Ok(())
    }

    /// Fails on a dial that nobody accepted.
    pub(super) fn no_dial(&mut self, peers: &Peers) -> StepResult {
        let dials = self.dials(peers)?;
        if dials == 0 {
            return Ok(());
        }
        Err(Stop::broken(Cause::UnexpectedFrame, "the node dialled a peer that it must not dial")
            .expected("no TCP connection")
            .actual(format!("{dials} TCP connections at {}", peers.names().join(", ")))
            .into())
    }
}
