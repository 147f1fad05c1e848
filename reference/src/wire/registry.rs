//! The registry family: GLOBAL_REGISTER, GLOBAL_UNREGISTER, GLOBAL_SYNC.

use super::{
    framing::MAX_SESSION_PAYLOAD,
    pid::WirePid,
    reader::{Malformed, Reader},
    writer::{TooLarge, Writer},
};

pub(crate) const GLOBAL_REGISTER: u8 = 0x1B;
pub(crate) const GLOBAL_UNREGISTER: u8 = 0x1C;
pub(crate) const GLOBAL_SYNC: u8 = 0x1D;

/// The fields of GLOBAL_REGISTER, and one entry of GLOBAL_SYNC. All unchecked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GlobalEntry<'a> {
    pub(crate) name: &'a str,
    /// As the sender holds it; `owner` decides whose it is.
    pub(crate) pid: WirePid,
    pub(crate) owner: &'a str,
}

impl<'a> GlobalEntry<'a> {
    pub(crate) fn decode(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        Ok(Self { name: reader.string16()?, pid: WirePid::from_u64(reader.u64()?), owner: reader.string16()? })
    }

    fn write(&self, writer: &mut Writer) {
        writer.string16(self.name).u64(self.pid.to_u64()).string16(self.owner);
    }

    fn length(&self) -> usize {
        2 + self.name.len() + 8 + 2 + self.owner.len()
    }

    /// A GLOBAL_REGISTER of this entry.
    pub(crate) fn encode_register(&self) -> Result<Vec<u8>, TooLarge> {
        let mut writer = Writer::new(GLOBAL_REGISTER);
        self.write(&mut writer);
        writer.finish()
    }
}

/// GLOBAL_UNREGISTER of `name`.
pub(crate) fn encode_unregister(name: &str) -> Result<Vec<u8>, TooLarge> {
    let mut writer = Writer::new(GLOBAL_UNREGISTER);
    writer.string16(name);
    writer.finish()
}

/// GLOBAL_SYNC: entries as they came. The announced count is not allocated for (FRAME-23).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GlobalSync<'a> {
    pub(crate) entries: Vec<GlobalEntry<'a>>,
}

impl<'a> GlobalSync<'a> {
    pub(crate) fn decode(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let count = reader.u32()?;
        let mut entries = Vec::new();
        for _ in 0..count {
            entries.push(GlobalEntry::decode(reader)?);
        }
        Ok(Self { entries })
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, TooLarge> {
        let mut writer = Writer::new(GLOBAL_SYNC);
        writer.count32(self.entries.len());
        for entry in &self.entries {
            entry.write(&mut writer);
        }
        writer.finish()
    }

    /// How many of the first of `entries` one frame holds (REG-16). At least 1 for a non-empty list: a single entry is
    /// at most two 65,535-byte strings.
    pub(crate) fn fitting<'e>(entries: impl Iterator<Item = GlobalEntry<'e>>) -> usize {
        let mut room = MAX_SESSION_PAYLOAD - 5;
        entries
            .take_while(|entry| {
                let left = room.checked_sub(entry.length());
                room = left.unwrap_or(0);
                left.is_some()
            })
            .count()
    }
}
