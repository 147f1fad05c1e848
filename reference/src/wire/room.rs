//! The room family: ROOM_BROADCAST.

use super::{
    reader::{Malformed, Reader},
    writer::{TooLarge, Writer},
};

pub(crate) const ROOM_BROADCAST: u8 = 0x1E;

/// ROOM_BROADCAST: a text for the receiver's members of a room. Room and text are any UTF-8, empty too (ROOM-13).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoomBroadcast<'a> {
    pub(crate) room: &'a str,
    pub(crate) text: &'a str,
}

impl<'a> RoomBroadcast<'a> {
    pub(crate) fn decode(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        Ok(Self { room: reader.string16()?, text: reader.string32()? })
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, TooLarge> {
        let mut writer = Writer::new(ROOM_BROADCAST);
        writer.string16(self.room).string32(self.text);
        writer.finish()
    }
}
