//! Faults of rooms.

mod broadcasts;
mod members;
mod texts;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::table::Fault;
use crate::node::{Command, Input, MemberId};

/// One table a part of the chapter.
pub(super) const TABLES: [&[Fault]; 3] = [broadcasts::FAULTS, members::FAULTS, texts::FAULTS];

/// Who is in which room, as the node has been told.
#[derive(Debug, Default)]
struct Rooms {
    of: BTreeMap<MemberId, BTreeSet<Arc<str>>>,
}

impl Rooms {
    fn follow(&mut self, input: &Input) {
        match input {
            Input::MemberJoined { member, room } | Input::Command(_, Command::Join { member, room }) => {
                self.of.entry(*member).or_default().insert(room.clone());
            }
            Input::Command(_, Command::Leave { member, room }) => {
                self.of.entry(*member).or_default().remove(room);
            }
            Input::MemberLeft(member) => {
                self.of.remove(member);
            }
            _ => {}
        }
    }

    /// All rooms that have a member.
    fn all(&self) -> BTreeSet<Arc<str>> {
        self.of.values().flatten().cloned().collect()
    }

    fn is_empty(&self, room: &str) -> bool {
        !self.of.values().any(|rooms| rooms.contains(room))
    }

    fn has(&self, member: MemberId, room: &str) -> bool {
        self.of.get(&member).is_some_and(|rooms| rooms.contains(room))
    }
}
