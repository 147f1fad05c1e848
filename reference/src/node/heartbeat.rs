//! One session's heartbeat: which PINGs wait for their PONGs, and until when.

use std::{collections::VecDeque, time::Instant};

use super::{ConnId, Node, Output, Timer, Turn, entropy};
use crate::wire::membership::{self, Nonce, PING, PONG};

/// The PINGs of a session that are not answered yet, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heartbeat {
    outstanding: VecDeque<(Nonce, Instant)>,
}

impl Heartbeat {
    fn sent(&mut self, nonce: Nonce, deadline: Instant) {
        self.outstanding.push_back((nonce, deadline));
    }

    /// A PONG with other bytes than any PING's is ignored (MEM-36).
    fn answered(&mut self, nonce: &Nonce) {
        if let Some(at) = self.outstanding.iter().position(|(sent, _)| sent == nonce) {
            self.outstanding.remove(at);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.outstanding.front().map(|(_, deadline)| *deadline)
    }
}

impl Node {
    /// Sends the next PING, with fresh bytes, and sets both timers (MEM-33, MEM-34).
    pub(super) fn ping(&mut self, conn: ConnId, turn: &mut Turn<'_>) {
        let Some((timings, session)) = self.timings().zip(self.sessions.get_mut(conn)) else { return };
        let nonce = entropy::fresh(turn.entropy);
        session.heartbeat.sent(nonce, turn.now + timings.heartbeat_timeout);
        self.timers.set(Timer::Ping(conn), turn.now + timings.heartbeat_interval);
        self.watch_pong(conn);
        self.outputs.push(Output::Send(conn, membership::encode_nonce(PING, &nonce).into()));
    }

    /// Answers a PING. It stands behind whatever earlier frames caused, and waits for nothing (MEM-29 to MEM-31).
    pub(super) fn pinged(&mut self, conn: ConnId, nonce: &Nonce) {
        self.outputs.push(Output::Send(conn, membership::encode_nonce(PONG, nonce).into()));
    }

    pub(super) fn ponged(&mut self, conn: ConnId, nonce: &Nonce) {
        if let Some(session) = self.sessions.get_mut(conn) {
            session.heartbeat.answered(nonce);
            self.watch_pong(conn);
        }
    }

    /// The missing PONG ends the session (MEM-35).
    pub(super) fn pong_missing(&mut self, conn: ConnId) {
        self.outputs.push(Output::Close(conn, super::How::AtOnce));
        self.end_session(conn);
    }

    fn watch_pong(&mut self, conn: ConnId) {
        match self.sessions.get(conn).and_then(|session| session.heartbeat.deadline()) {
            Some(deadline) => self.timers.set(Timer::Pong(conn), deadline),
            None => self.timers.cancel(&Timer::Pong(conn)),
        }
    }
}
