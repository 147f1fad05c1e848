//! What accepted connections claim in NAME, and how a fault lets one in or keeps it out.

use std::collections::BTreeMap;

use crate::{
    faults::{
        filter::{Context, Filter},
        single::on_frame_in,
    },
    node::{ConnId, How, Input, Output, Role},
    wire::{
        Creation, Message, NodeName, Payload,
        handshake::{Challenge, ChallengeMessage, Cookie, Proof},
        message::Phase,
    },
};

/// A NAME on an accepted connection.
pub(super) struct Claim {
    pub(super) peer: NodeName,
    pub(super) creation: u8,
}

/// What a fault does about a claim, or about a right REPLY.
pub(super) enum Verdict {
    /// The node decides, as it should.
    Right,
    /// This session or dial goes first; then the node decides.
    After(ConnId),
    /// The connection is closed.
    Close,
    /// The connection gets a CHALLENGE whose REPLY will be refused.
    Challenge,
}

impl Claim {
    /// The session that stands against it, and its creation.
    pub(super) fn live(&self, context: &Context<'_>) -> Option<(ConnId, Option<Creation>)> {
        let mut sessions = context.sessions().into_iter();
        sessions.find(|(_, view)| view.peer.as_ref() == Some(&self.peer)).map(|(conn, view)| (conn, view.creation))
    }

    /// The session that stands against it and is of the same run.
    pub(super) fn twin(&self, context: &Context<'_>) -> Option<ConnId> {
        self.live(context).filter(|(_, creation)| creation.map(Creation::get) == Some(self.creation)).map(|live| live.0)
    }

    /// The session that stands against it and is of another run.
    pub(super) fn former(&self, context: &Context<'_>) -> Option<ConnId> {
        self.live(context).filter(|(_, creation)| creation.map(Creation::get) != Some(self.creation)).map(|live| live.0)
    }

    /// The node's own dial to the name.
    pub(super) fn own_dial(&self, context: &Context<'_>) -> Option<ConnId> {
        context.dials().into_iter().find(|(_, name)| *name == self.peer).map(|(conn, _)| conn)
    }

    /// Whether the node's name is the smaller one.
    pub(super) fn is_larger(&self, context: &Context<'_>) -> bool {
        context.identity().is_some_and(|identity| identity.name < self.peer)
    }
}

/// Judges every claim before the node does.
pub(super) fn on_claim(mut judge: impl FnMut(&mut Context<'_>, &Claim) -> Verdict + 'static) -> Box<dyn Filter> {
    on_frame_in(move |context, conn, payload| judged(context, conn, payload, &mut judge))
}

/// One payload as the judge leaves it, if it makes a claim.
pub(super) fn judged(
    context: &mut Context<'_>,
    conn: ConnId,
    payload: Vec<u8>,
    judge: impl FnOnce(&mut Context<'_>, &Claim) -> Verdict,
) -> Option<Vec<u8>> {
    let Some(claim) = claim(context, conn, &payload) else { return Some(payload) };
    let verdict = judge(context, &claim);
    carry_out(verdict, context, conn, payload)
}

/// Judges every REPLY that is right before the node does.
pub(super) fn on_right_reply(judge: fn(&mut Context<'_>, &Claim) -> Verdict) -> Box<dyn Filter> {
    Box::new(OnReply { judge, sent: BTreeMap::new(), is_right: |cookie, sent, proof| cookie.verifies(sent, proof) })
}

/// Judges every REPLY before the node does, whatever it proves.
pub(super) fn on_any_reply(judge: fn(&mut Context<'_>, &Claim) -> Verdict) -> Box<dyn Filter> {
    Box::new(OnReply { judge, sent: BTreeMap::new(), is_right: |_, _, _| true })
}

struct OnReply {
    judge: fn(&mut Context<'_>, &Claim) -> Verdict,
    sent: BTreeMap<ConnId, Challenge>,
    is_right: fn(&Cookie, &Challenge, &Proof) -> bool,
}

impl Filter for OnReply {
    fn frame_out(&mut self, _context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        if let Ok((Message::Challenge(message), _)) = Message::decode(Phase::Handshake, &payload) {
            self.sent.insert(conn, message.challenge);
        }
        Some(payload)
    }

    fn frame_in(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        let Some(view) = context.connection(conn).filter(|view| view.phase == Phase::Handshake) else {
            return Some(payload);
        };
        let (Ok((Message::Reply(reply), _)), Some(peer), Some(creation)) =
            (Message::decode(Phase::Handshake, &payload), view.peer, view.creation)
        else {
            return Some(payload);
        };
        let cookie = context.identity().map(|identity| &identity.cookie);
        if conn.role != Role::Accepted
            || !cookie
                .zip(self.sent.get(&conn))
                .is_some_and(|(cookie, sent)| (self.is_right)(cookie, sent, &reply.proof))
        {
            return Some(payload);
        }
        let verdict = (self.judge)(context, &Claim { peer, creation: creation.get() });
        carry_out(verdict, context, conn, payload)
    }
}

fn claim(context: &Context<'_>, conn: ConnId, payload: &[u8]) -> Option<Claim> {
    let view = context.connection(conn).filter(|_| conn.role == Role::Accepted)?;
    match Message::decode(Phase::Handshake, payload) {
        // A peer that is known already has had its NAME read.
        Ok((Message::Name(name), _)) if view.phase == Phase::Handshake && view.peer.is_none() => {
            Some(Claim { peer: NodeName::parse(name.name).ok()?, creation: name.creation })
        }
        _ => None,
    }
}

fn carry_out(verdict: Verdict, context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
    match verdict {
        Verdict::Right => return Some(payload),
        Verdict::After(other) => {
            remove(context, other);
            context.add_input(Input::Frame(conn, payload));
        }
        Verdict::Close => context.close(conn),
        Verdict::Challenge => {
            let identity = context.identity()?;
            let (name, creation) = (identity.name.as_str(), identity.creation.get());
            let message = ChallengeMessage { name, creation, challenge: [0x5a; 32] };
            context.send(conn, message.encode().ok()?);
        }
    }
    None
}

/// Ends a session, or gives up a dial.
pub(super) fn remove(context: &mut Context<'_>, conn: ConnId) {
    let is_session = context.connection(conn).is_some_and(|view| view.phase == Phase::Session);
    if is_session || conn.role == Role::Accepted {
        context.close(conn);
    } else {
        context.add_output(Output::Close(conn, How::Flush));
        context.add_input(Input::DialFailed(conn, "given up".into()));
    }
}

impl Verdict {
    /// [`Verdict::After`] it, where there is something.
    pub(super) fn after(other: Option<ConnId>) -> Self {
        other.map_or(Self::Right, Self::After)
    }

    /// This verdict if `applies`, else the right one.
    pub(super) fn when(self, applies: bool) -> Self {
        if applies { self } else { Self::Right }
    }
}
