//! Dialling: for callers, and for the mesh that lists of peers make.

use std::time::Duration;

use super::{
    Answer, CommandError, ConnId, Event, Handshake, Node, NodeName, Output, Timer, Timings, Token, Turn, dials::Cause,
};
use crate::wire::membership::PeerList;

/// How long a caller whose dial the peer has closed goes on waiting for the peer's own dial, which MEM-18 prefers.
const GRACE: Duration = Duration::from_secs(1);

impl Node {
    pub(super) fn timings(&self) -> Option<Timings> {
        self.identity.as_ref().map(|identity| identity.timings)
    }

    /// Answered as soon as a session with that name exists, whoever opened it (MEM-23).
    pub(super) fn connect(&mut self, token: Token, name: NodeName, turn: &mut Turn<'_>) {
        let own = self.identity.as_ref().map(|identity| identity.name.clone());
        let result = match own {
            None => Err(CommandError::NotStarted),
            Some(own) if own == name => Err(CommandError::ConnectFailed("a node does not connect to itself".into())),
            Some(_) if self.sessions.named(&name).is_some() => Ok(Answer::Done),
            Some(_) => {
                self.dials.wait(name.clone(), token);
                if !self.dials.is_under_way(&name) {
                    self.dial(name, Cause::Caller, turn);
                }
                return;
            }
        };
        self.reply(token, result);
    }

    /// Dials every listed name that is neither ours nor connected; invalid ones are skipped (MEM-6 to MEM-9).
    pub(super) fn peers_listed(&mut self, list: &PeerList<'_>, turn: &mut Turn<'_>) {
        let Some(own) = self.identity.as_ref().map(|identity| identity.name.clone()) else { return };
        for name in list.peers.iter().filter_map(|name| NodeName::parse(name).ok()) {
            if name != own && self.sessions.named(&name).is_none() {
                self.dials.queue(name);
            }
        }
        self.dial_listed(turn);
    }

    /// Starts queued dials as far as there is room for them (MEM-13, MEM-22, RES-3).
    pub(super) fn dial_listed(&mut self, turn: &mut Turn<'_>) {
        while let Some(name) = self.dials.next_listed(turn.now) {
            if self.sessions.named(&name).is_none() {
                self.dial(name, Cause::List, turn);
            }
        }
        if self.dials.has_queued()
            && let Some(until) = self.dials.listed_wait_until().filter(|until| turn.now < *until)
        {
            self.timers.set(Timer::Listed, until);
        }
    }

    fn dial(&mut self, name: NodeName, cause: Cause, turn: &mut Turn<'_>) {
        let Some(timings) = self.timings() else { return };
        let (host, port) = name.address();
        let conn = self.dials.start(name.clone(), cause, turn.now);
        self.handshakes.insert(conn, Handshake::Connecting { target: name });
        self.timers.set(Timer::Handshake(conn), turn.now + timings.handshake_timeout);
        self.outputs.push(Output::Dial { conn, host, port });
    }

    /// The connection is gone, in whatever state it was; one that was no session causes no disconnect (MEM-42).
    pub(super) fn closed(&mut self, conn: ConnId, why: &str, turn: &mut Turn<'_>) {
        self.end_session(conn);
        let refused = match self.handshakes.get(&conn) {
            Some(Handshake::AwaitChallenge { target } | Handshake::AwaitAck { target, .. }) => Some(target.clone()),
            _ => None,
        };
        let own = self.identity.as_ref().map(|identity| identity.name.clone());
        if let Some(target) = refused
            && own > Some(target.clone())
            && self.dials.has_waiting(&target)
        {
            // A smaller peer that dials us itself closes our dial: give its connection time to arrive.
            self.timers.set(Timer::Grace(target), turn.now + GRACE);
        }
        self.forget_handshake(conn, why, turn);
    }

    /// No session has come of it after all.
    pub(super) fn grace_over(&mut self, name: &NodeName) {
        if !self.dials.is_under_way(name) {
            self.fail_waiting(name, "the peer closed the connection");
        }
    }

    /// Drops what is known of a connection that is not a session, and starts the next dial in its place.
    pub(super) fn forget_handshake(&mut self, conn: ConnId, why: &str, turn: &mut Turn<'_>) {
        self.timers.cancel(&Timer::Handshake(conn));
        let Some(target) = self.handshakes.remove(&conn).and_then(|stage| stage.dialled().cloned()) else { return };
        self.dials.finish(&target);
        self.event(Event::DialFailed(target.clone(), why.to_owned()));
        if !self.timers.is_set(&Timer::Grace(target.clone())) {
            self.fail_waiting(&target, why);
        }
        self.dial_listed(turn);
    }

    fn fail_waiting(&mut self, name: &NodeName, why: &str) {
        for token in self.dials.take_waiting(name) {
            self.reply(token, Err(CommandError::ConnectFailed(why.to_owned())));
        }
    }
}
