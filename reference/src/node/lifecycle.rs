//! How a session begins, and how it ends.

use super::{
    Answer, ConnId, Event, How, Identity, Node, NodeName, Output, ReadOrder, Timer, Turn, heartbeat::Heartbeat,
    output::Refusal, sessions::Session,
};
use crate::wire::{Creation, NodeId, membership::PeerList};

/// A connection whose handshake is done.
#[derive(Debug)]
pub(super) struct Authenticated {
    pub(super) conn: ConnId,
    pub(super) peer: NodeName,
    pub(super) creation: Creation,
    /// Our number for the peer.
    pub(super) id: NodeId,
    pub(super) read: ReadOrder,
}

impl Node {
    /// The handshake is done. Whatever stands against the new session goes first, in this order: the session of a
    /// former run (MEM-24, MEM-26), our own dial (MEM-21), entries of former runs (REG-20).
    pub(super) fn begin_session(&mut self, new: Authenticated, identity: &Identity, turn: &mut Turn<'_>) {
        let Authenticated { conn, peer, creation, id, read } = new;
        self.handshakes.remove(&conn);
        self.timers.cancel(&Timer::Handshake(conn));
        if let Some(former) = self.sessions.named(&peer).map(|session| session.conn) {
            self.outputs.push(Output::Close(former, How::AtOnce));
            self.end_session(former);
        }
        self.drop_own_dial(conn, &peer);
        self.registry.remove_former(&peer, creation);

        let others: Vec<NodeName> = self.sessions.peers().cloned().collect();
        let heartbeat = Heartbeat::default();
        self.sessions.insert(Session { conn, peer: peer.clone(), creation, id, read, heartbeat });
        self.timers.set(Timer::Ping(conn), turn.now + identity.timings.heartbeat_interval);
        self.send_peers(conn, &others);
        self.send_table(conn);
        self.event(Event::SessionOpened(peer.clone(), creation));
        self.tell_node_up(&peer);
        self.tell_supervisors(&peer);
        self.timers.cancel(&Timer::Grace(peer.clone()));
        for token in self.dials.take_waiting(&peer) {
            self.reply(token, Ok(Answer::Done));
        }
        self.dial_listed(turn);
    }

    /// All effects of a disconnect, once: the session is removed first, so a second end finds nothing (MEM-39).
    pub(super) fn end_session(&mut self, conn: ConnId) {
        let Some(session) = self.sessions.remove(conn) else { return };
        self.timers.cancel(&Timer::Ping(conn));
        self.timers.cancel(&Timer::Pong(conn));
        self.break_links(&session);
        self.break_monitors(&session);
        // Cascades end before the session does: whatever begins next finds them done (MEM-26, PROC-65).
        self.settle();
        // Links fire first: a supervisor knows by the SPAWN that is still pending whose link it was (SUP-12).
        self.fail_spawns(&session);
        self.forget_owner(&session.peer);
        self.tell_node_down(&session.peer);
        self.event(Event::SessionClosed(session.peer, session.creation));
    }

    fn drop_own_dial(&mut self, session: ConnId, peer: &NodeName) {
        self.dials.drop_queued(peer);
        let Some(dial) = self.dials.finish(peer) else { return };
        if dial != session {
            self.handshakes.remove(&dial);
            self.timers.cancel(&Timer::Handshake(dial));
            self.outputs.push(Output::Close(dial, How::Flush));
            self.event(Event::Refused(dial, Refusal::Superseded));
        }
    }

    /// Left out when there is no other connected node (MEM-1, MEM-3).
    fn send_peers(&mut self, conn: ConnId, others: &[NodeName]) {
        if others.is_empty() {
            return;
        }
        let peers = others.iter().map(NodeName::as_str).collect();
        // 3 to 20 nodes are meant; a list that no frame could hold is left out rather than cut.
        if let Ok(payload) = (PeerList { peers }).encode() {
            self.outputs.push(Output::Send(conn, payload.into()));
        }
    }
}
