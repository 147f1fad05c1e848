//! The process family: messages, links, monitors and spawning.
//!
//! PIDs are as they stand on the wire; whose numbering they are in is the node's to know.

use super::{
    framing::MAX_SESSION_PAYLOAD,
    pid::WirePid,
    reader::{Malformed, Reader},
    reason::Reason,
    writer::{TooLarge, Writer},
};

pub(crate) const SEND: u8 = 0x10;
pub(crate) const REG_SEND: u8 = 0x11;
pub(crate) const LINK: u8 = 0x13;
pub(crate) const UNLINK: u8 = 0x14;
pub(crate) const EXIT: u8 = 0x15;
pub(crate) const MONITOR: u8 = 0x16;
pub(crate) const DEMONITOR: u8 = 0x17;
pub(crate) const MONITOR_EXIT: u8 = 0x18;
pub(crate) const SPAWN: u8 = 0x19;
pub(crate) const SPAWN_REPLY: u8 = 0x1A;

/// SEND: bytes for a process (PROC-13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Send<'a> {
    /// Directed.
    pub(crate) target: WirePid,
    pub(crate) message: &'a [u8],
}

impl<'a> Send<'a> {
    pub(crate) fn decode(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        Ok(Self { target: reader.pid()?, message: reader.take_rest() })
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, TooLarge> {
        let mut writer = Writer::new(SEND);
        writer.pid(self.target).bytes(self.message);
        writer.finish()
    }
}

/// REG_SEND: bytes for the process that has a local name (PROC-15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RegSend<'a> {
    pub(crate) name: &'a str,
    pub(crate) message: &'a [u8],
}

impl<'a> RegSend<'a> {
    pub(crate) fn decode(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        Ok(Self { name: reader.string16()?, message: reader.take_rest() })
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, TooLarge> {
        let mut writer = Writer::new(REG_SEND);
        writer.string16(self.name).bytes(self.message);
        writer.finish()
    }
}

/// The two ends of LINK and UNLINK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// Own.
    pub(crate) from: WirePid,
    /// Directed.
    pub(crate) to: WirePid,
}

impl Link {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { from: reader.pid()?, to: reader.pid()? })
    }

    /// As LINK or as UNLINK.
    pub(crate) fn encode(&self, tag: u8) -> Result<Vec<u8>, TooLarge> {
        let mut writer = Writer::new(tag);
        writer.pid(self.from).pid(self.to);
        writer.finish()
    }
}

/// EXIT: the end of a linked process, or a parent's order to end. With a reason that cannot be read it is malformed
/// (PROC-26).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exit {
    /// Own.
    pub(crate) from: WirePid,
    /// Directed.
    pub(crate) to: WirePid,
    pub(crate) reason: Reason,
}

impl Exit {
    /// Bytes that a frame has for the reason.
    pub(crate) const ROOM: usize = MAX_SESSION_PAYLOAD - (1 + 8 + 8);

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { from: reader.pid()?, to: reader.pid()?, reason: Reason::decode(reader)? })
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, TooLarge> {
        let mut writer = Writer::new(EXIT);
        writer.pid(self.from).pid(self.to);
        self.reason.write(&mut writer);
        writer.finish()
    }
}

/// The fields of MONITOR and DEMONITOR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Monitor {
    /// The watcher; own.
    pub(crate) from: WirePid,
    /// The watched; directed.
    pub(crate) to: WirePid,
    /// The watcher's own (PROC-32).
    pub(crate) reference: u64,
}

impl Monitor {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { from: reader.pid()?, to: reader.pid()?, reference: reader.u64()? })
    }

    /// As MONITOR or as DEMONITOR.
    pub(crate) fn encode(&self, tag: u8) -> Result<Vec<u8>, TooLarge> {
        let mut writer = Writer::new(tag);
        writer.pid(self.from).pid(self.to).u64(self.reference);
        writer.finish()
    }
}

/// MONITOR_EXIT: a watched process has ended, or never was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MonitorExit {
    /// The watched; own.
    pub(crate) monitored: WirePid,
    /// The watcher; directed.
    pub(crate) monitoring: WirePid,
    /// As in MONITOR; it alone tells which monitor it is (PROC-35).
    pub(crate) reference: u64,
    pub(crate) reason: Reason,
}

impl MonitorExit {
    /// Bytes that a frame has for the reason.
    pub(crate) const ROOM: usize = MAX_SESSION_PAYLOAD - (1 + 8 + 8 + 8);

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let fields = Self::without_reason(reader)?;
        Ok(Self { reason: Reason::decode(reader)?, ..fields })
    }

    /// Reads a payload whose reason cannot be read: it counts, with the reason *error* `unknown` (PROC-27). `None` for
    /// any other message, and when the fields before the reason are not there.
    pub(crate) fn decode_unreadable(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(payload.strip_prefix(&[MONITOR_EXIT])?);
        Self::without_reason(&mut reader).ok()
    }

    fn without_reason(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (monitored, monitoring) = (reader.pid()?, reader.pid()?);
        Ok(Self { monitored, monitoring, reference: reader.u64()?, reason: Reason::unknown() })
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, TooLarge> {
        let mut writer = Writer::new(MONITOR_EXIT);
        writer.pid(self.monitored).pid(self.monitoring).u64(self.reference);
        self.reason.write(&mut writer);
        writer.finish()
    }
}

/// SPAWN: a process is wanted on the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spawn<'a> {
    pub(crate) request: u64,
    /// Own.
    pub(crate) requester: WirePid,
    /// 1: linked to the requester, 0: not. Others are left open.
    pub(crate) link: u8,
    /// Unchecked: a name that is not UTF-8 is refused, not malformed (PROC-55).
    pub(crate) function: &'a [u8],
    pub(crate) args: &'a [u8],
}

impl<'a> Spawn<'a> {
    pub(crate) fn decode(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let (request, requester, link) = (reader.u64()?, reader.pid()?, reader.u8()?);
        Ok(Self { request, requester, link, function: reader.bytes16()?, args: reader.take_rest() })
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, TooLarge> {
        let mut writer = Writer::new(SPAWN);
        writer.u64(self.request).pid(self.requester).u8(self.link).bytes16(self.function).bytes(self.args);
        writer.finish()
    }
}

/// SPAWN_REPLY: what came of a SPAWN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SpawnReply {
    pub(crate) request: u64,
    /// 0: spawned, 1: refused. Others are left open.
    pub(crate) status: u8,
    /// 0 if refused. Unchecked: it may need more than the 40 bits of a local id.
    pub(crate) local: u64,
}

impl SpawnReply {
    /// `status` of a process that was spawned.
    pub(crate) const SPAWNED: u8 = 0;
    /// `status` of a request that was refused.
    pub(crate) const REFUSED: u8 = 1;

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { request: reader.u64()?, status: reader.u8()?, local: reader.u64()? })
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, TooLarge> {
        let mut writer = Writer::new(SPAWN_REPLY);
        writer.u64(self.request).u8(self.status).u64(self.local);
        writer.finish()
    }
}
