//! The sessions that are live: at most one a name.

use std::collections::BTreeMap;

use super::{heartbeat::Heartbeat, input::ConnId};
use crate::wire::{Creation, NodeId, NodeName};

/// Numbers the moments at which NAMEs and CHALLENGEs were read, so that later claims are told from earlier ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ReadOrder(u64);

impl ReadOrder {
    pub(crate) fn advance(&mut self) -> Self {
        self.0 += 1;
        *self
    }
}

/// An authenticated connection.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) conn: ConnId,
    pub(crate) peer: NodeName,
    pub(crate) creation: Creation,
    /// Our number for the peer.
    pub(crate) id: NodeId,
    /// When its NAME or CHALLENGE was read.
    pub(crate) read: ReadOrder,
    pub(crate) heartbeat: Heartbeat,
}

/// Sessions by connection, by name and by our number for the peer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sessions {
    by_conn: BTreeMap<ConnId, Session>,
    by_name: BTreeMap<NodeName, ConnId>,
    by_id: BTreeMap<NodeId, ConnId>,
}

impl Sessions {
    pub(crate) fn get(&self, conn: ConnId) -> Option<&Session> {
        self.by_conn.get(&conn)
    }

    pub(crate) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Session> {
        self.by_conn.get_mut(&conn)
    }

    pub(crate) fn named(&self, name: &NodeName) -> Option<&Session> {
        self.get(*self.by_name.get(name)?)
    }

    /// The session with the node that has this id.
    pub(crate) fn numbered(&self, id: NodeId) -> Option<&Session> {
        self.get(*self.by_id.get(&id)?)
    }

    pub(crate) fn conns(&self) -> Vec<ConnId> {
        self.by_conn.keys().copied().collect()
    }

    /// The connected nodes, sorted.
    pub(crate) fn peers(&self) -> impl Iterator<Item = &NodeName> {
        self.by_name.keys()
    }

    /// The name must not be live.
    pub(crate) fn insert(&mut self, session: Session) {
        self.by_name.insert(session.peer.clone(), session.conn);
        self.by_id.insert(session.id, session.conn);
        self.by_conn.insert(session.conn, session);
    }

    pub(crate) fn remove(&mut self, conn: ConnId) -> Option<Session> {
        let session = self.by_conn.remove(&conn)?;
        self.by_name.remove(&session.peer);
        self.by_id.remove(&session.id);
        Some(session)
    }

    pub(crate) fn take_all(&mut self) -> Vec<Session> {
        self.by_name.clear();
        self.by_id.clear();
        std::mem::take(&mut self.by_conn).into_values().collect()
    }
}
