//! Rooms: which local members are in which room, and who gets a broadcast.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Answer, CommandError, MemberId, Node, Output, Token};
use crate::wire::room::RoomBroadcast;

/// Membership both ways, so that a member's end costs what it was in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rooms {
    members: BTreeMap<Arc<str>, BTreeSet<MemberId>>,
    rooms: BTreeMap<MemberId, BTreeSet<Arc<str>>>,
}

impl Rooms {
    /// Joining twice is joining once (ROOM-7).
    fn join(&mut self, member: MemberId, room: Arc<str>) {
        self.rooms.entry(member).or_default().insert(room.clone());
        self.members.entry(room).or_default().insert(member);
    }

    fn leave(&mut self, member: MemberId, room: &str) {
        if let Some(rooms) = self.rooms.get_mut(&member) {
            rooms.remove(room);
        }
        self.remove_from(member, room);
    }

    /// The connection is closed: it leaves all its rooms (ROOM-9).
    pub(crate) fn drop_member(&mut self, member: MemberId) {
        for room in self.rooms.remove(&member).unwrap_or_default() {
            self.remove_from(member, &room);
        }
    }

    fn is_connected(&self, member: MemberId) -> bool {
        self.rooms.contains_key(&member)
    }

    fn members(&self, room: &str) -> impl Iterator<Item = MemberId> {
        self.members.get(room).into_iter().flatten().copied()
    }

    fn remove_from(&mut self, member: MemberId, room: &str) {
        if let Some(members) = self.members.get_mut(room) {
            members.remove(&member);
            if members.is_empty() {
                self.members.remove(room);
            }
        }
    }
}

impl Node {
    /// The new member is told its id first, then whatever the room is sent.
    pub(super) fn member_joined(&mut self, member: MemberId, room: Arc<str>) {
        self.rooms.join(member, room);
        let text = format!(r#"{{"member":"{member}"}}"#);
        self.outputs.push(Output::Deliver { members: vec![member], text, report: None });
    }

    pub(super) fn join(&mut self, member: MemberId, room: Arc<str>) -> Result<Answer, CommandError> {
        if !self.rooms.is_connected(member) {
            return Err(CommandError::UnknownMember);
        }
        self.rooms.join(member, room);
        Ok(Answer::Done)
    }

    pub(super) fn leave(&mut self, member: MemberId, room: &str) -> Result<Answer, CommandError> {
        if !self.rooms.is_connected(member) {
            return Err(CommandError::UnknownMember);
        }
        self.rooms.leave(member, room);
        Ok(Answer::Done)
    }

    /// Local members first, then every session, whether or not there are members (ROOM-1 to ROOM-3). A broadcast that
    /// would not fit a frame is refused whole, even where nobody is connected: it would fail only in some clusters.
    pub(super) fn broadcast(&mut self, token: Token, room: &str, text: String, except: Option<MemberId>) {
        let Ok(payload) = (RoomBroadcast { room, text: &text }).encode() else {
            return self.reply(token, Err(CommandError::TooLarge));
        };
        let members: Vec<_> = self.rooms.members(room).filter(|member| Some(*member) != except).collect();
        if members.is_empty() {
            self.reply(token, Ok(Answer::Failed(0)));
        } else {
            self.outputs.push(Output::Deliver { members, text, report: Some(token) });
        }
        self.send_to_all(payload);
    }

    /// Local members only; never forwarded (ROOM-4, ROOM-5).
    pub(super) fn room_broadcast(&mut self, message: &RoomBroadcast<'_>) {
        let members: Vec<_> = self.rooms.members(message.room).collect();
        if !members.is_empty() {
            self.outputs.push(Output::Deliver { members, text: message.text.into(), report: None });
        }
    }
}
