//! Payloads as they arrive: handshake steps on the way to a session, messages within one.

use super::{
    ConnId, Event, Handshake, How, Identity, MAX_UNAUTHENTICATED, Node, Output, Role, Timer, Turn,
    duplicates::{self, Claim, OwnDial, Situation},
    handshake::{self, Step},
    lifecycle::Authenticated,
    output::Refusal,
    sessions::ReadOrder,
};
use crate::wire::{Creation, Message, NodeName, handshake::Challenge, message::Phase, process::MonitorExit};

impl Node {
    pub(super) fn accepted(&mut self, conn: ConnId, turn: &mut Turn<'_>) {
        let Some(timings) = self.timings() else {
            self.outputs.push(Output::Close(conn, How::AtOnce));
            return;
        };
        self.handshakes.insert(conn, Handshake::AwaitName);
        self.timers.set(Timer::Handshake(conn), turn.now + timings.handshake_timeout);
        // Accepted connections sort before dialled ones, the oldest first.
        let is_accepted = |conn: &&ConnId| conn.role == Role::Accepted;
        if self.handshakes.keys().take_while(is_accepted).count() > MAX_UNAUTHENTICATED
            && let Some(oldest) = self.handshakes.keys().next().copied()
        {
            self.refuse(oldest, Refusal::Crowded, turn);
        }
    }

    /// TLS is up on a dial: it opens with NAME (HS-5).
    pub(super) fn dialled(&mut self, conn: ConnId) {
        let Some((identity, stage)) = self.identity.as_ref().zip(self.handshakes.get_mut(&conn)) else { return };
        if let Handshake::Connecting { target } = stage
            && let Ok(payload) = handshake::name(identity)
        {
            *stage = Handshake::AwaitChallenge { target: target.clone() };
            self.outputs.push(Output::Send(conn, payload.into()));
        }
    }

    pub(super) fn frame(&mut self, conn: ConnId, payload: &[u8], turn: &mut Turn<'_>) {
        match self.phase(conn) {
            Some(Phase::Session) => self.session_frame(conn, payload, turn),
            Some(Phase::Handshake) => {
                if let Err(refusal) = self.handshake_frame(conn, payload, turn) {
                    self.refuse(conn, refusal, turn);
                }
            }
            None => {}
        }
    }

    /// Messages that are unknown or malformed are ignored whole (FRAME-15, FRAME-17 to FRAME-19).
    fn session_frame(&mut self, conn: ConnId, payload: &[u8], turn: &mut Turn<'_>) {
        let message = match Message::decode(Phase::Session, payload) {
            Ok((message, _left_over)) => message,
            // Its reason is all that may be wrong with it (PROC-27).
            Err(_) => match MonitorExit::decode_unreadable(payload) {
                Some(message) => Message::MonitorExit(message),
                None => return,
            },
        };
        match message {
            Message::Ping(nonce) => self.pinged(conn, &nonce),
            Message::Pong(nonce) => self.ponged(conn, &nonce),
            Message::PeerList(list) => self.peers_listed(&list, turn),
            Message::Send(message) => self.send_received(message),
            Message::RegSend(message) => self.reg_send_received(message),
            Message::Link(link) => self.link_received(conn, link),
            Message::Unlink(link) => self.unlink_received(conn, link),
            Message::Exit(exit) => self.exit_received(conn, &exit),
            Message::Monitor(monitor) => self.monitor_received(conn, monitor),
            Message::Demonitor(monitor) => self.demonitor_received(conn, monitor),
            Message::MonitorExit(exit) => self.monitor_exit_received(conn, &exit),
            Message::Spawn(spawn) => self.spawn_received(conn, &spawn),
            Message::SpawnReply(reply) => self.spawn_reply_received(conn, reply),
            Message::GlobalRegister(entry) => self.registered(conn, &entry),
            Message::GlobalUnregister(name) => self.unregistered(name),
            Message::GlobalSync(sync) => self.synced(conn, &sync),
            Message::RoomBroadcast(message) => self.room_broadcast(&message),
            Message::Name(_) | Message::Challenge(_) | Message::Reply(_) | Message::Ack(_) => {}
        }
    }

    /// # Errors
    /// The reason for which the connection has to be closed. Nothing has changed then (HS-16, HS-31).
    fn handshake_frame(&mut self, conn: ConnId, payload: &[u8], turn: &mut Turn<'_>) -> Result<(), Refusal> {
        let identity = self.identity.clone().ok_or(Refusal::NotStarted)?;
        let stage = self.handshakes.get(&conn).ok_or(Refusal::BadMessage)?;
        match stage.read(payload, &identity)? {
            Step::Named { peer, creation } => {
                let read = self.last_read.advance();
                self.test_duplicate(&identity, &peer, creation, read)?;
                let (payload, challenge) = handshake::challenge(&identity, turn.entropy)?;
                self.handshakes.insert(conn, Handshake::AwaitReply { peer, creation, challenge, read });
                self.outputs.push(Output::Send(conn, payload.into()));
            }
            Step::Challenged { target, creation, challenge: theirs } => {
                let read = self.last_read.advance();
                self.test_reflection(conn, &theirs)?;
                let (payload, challenge) = handshake::reply(&identity, &theirs, turn.entropy)?;
                self.handshakes.insert(conn, Handshake::AwaitAck { target, creation, challenge, read });
                self.outputs.push(Output::Send(conn, payload.into()));
            }
            Step::Replied { peer, creation, read, challenge: theirs } => {
                self.test_reflection(conn, &theirs)?;
                self.test_duplicate(&identity, &peer, creation, read)?;
                let id = self.numbering.for_session(&peer).ok_or(Refusal::NoNodeId)?;
                let ack = handshake::ack(&identity, &theirs)?;
                self.outputs.push(Output::Send(conn, ack.into()));
                self.begin_session(Authenticated { conn, peer, creation, id, read }, &identity, turn);
            }
            Step::Acknowledged { peer, creation, read } => {
                let id = self.numbering.for_session(&peer).ok_or(Refusal::NoNodeId)?;
                self.begin_session(Authenticated { conn, peer, creation, id, read }, &identity, turn);
            }
        }
        Ok(())
    }

    fn test_duplicate(
        &self,
        identity: &Identity,
        peer: &NodeName,
        creation: Creation,
        read: ReadOrder,
    ) -> Result<(), Refusal> {
        let own_dial = self.dials.is_under_way(peer).then_some(OwnDial);
        let situation = Situation { own: &identity.name, live: self.sessions.named(peer), own_dial };
        duplicates::test(Claim { peer, creation, read }, situation)
    }

    /// A challenge that we have sent on another connection and that is not answered there is never answered (HS-27).
    fn test_reflection(&self, conn: ConnId, theirs: &Challenge) -> Result<(), Refusal> {
        let ours = |(other, stage): (&ConnId, &Handshake)| *other != conn && stage.outstanding() == Some(theirs);
        if self.handshakes.iter().any(ours) { Err(Refusal::Reflected) } else { Ok(()) }
    }

    /// Closes a connection that is not authenticated, without a word.
    pub(super) fn refuse(&mut self, conn: ConnId, refusal: Refusal, turn: &mut Turn<'_>) {
        // One that makes room gives its descriptor back now (RES-5).
        let how = if refusal == Refusal::Crowded { How::AtOnce } else { How::Flush };
        self.outputs.push(Output::Close(conn, how));
        self.event(Event::Refused(conn, refusal));
        self.forget_handshake(conn, &refusal.to_string(), turn);
    }
}
