//! The bytes of every message: one table of layouts, and what reads and writes it. Knows no sockets and no control lines.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use Kind::{Bytes, Count, List, Pid, Reason, Rest, Text, Uint};

/// What a field is on the wire. Widths of integers, lengths and counts are in bytes.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Uint(usize),
    Pid,
    /// Exactly so many bytes.
    Bytes(usize),
    /// A length of that width, and so many bytes.
    Count(usize),
    /// All that is left.
    Rest,
    /// A length of that width, and so many bytes of UTF-8.
    Text(usize),
    Reason,
    /// A count of that width, and so many records.
    List(usize, &'static [Field]),
}

pub type Field = (&'static str, Kind);

/// Tag, name and fields of a message or of a kind of reason.
pub type Layout = (u8, &'static str, &'static [Field]);

const LINK: &[Field] = &[("from", Pid), ("to", Pid)];
const MONITOR: &[Field] = &[("from", Pid), ("to", Pid), ("ref", Uint(8))];
const ENTRY: &[Field] = &[("name", Text(2)), ("pid", Pid), ("owner", Text(2))];

pub const HANDSHAKE: &[Layout] = &[
    (0x01, "NAME", &[("name", Text(2)), ("creation", Uint(1))]),
    (0x02, "CHALLENGE", &[("name", Text(2)), ("creation", Uint(1)), ("challenge", Bytes(32))]),
    (0x03, "REPLY", &[("proof", Bytes(32)), ("challenge", Bytes(32))]),
    (0x04, "ACK", &[("proof", Bytes(32))]),
];

#[rustfmt::skip]
pub const SESSION: &[Layout] = &[
    (0x10, "SEND", &[("target", Pid), ("message", Rest)]),
    (0x11, "REG_SEND", &[("name", Text(2)), ("message", Rest)]),
    (0x12, "PEER_LIST", &[("peers", List(2, &[("name", Text(2))]))]),
    (0x13, "LINK", LINK),
    (0x14, "UNLINK", LINK),
    (0x15, "EXIT", &[("from", Pid), ("to", Pid), ("reason", Reason)]),
    (0x16, "MONITOR", MONITOR),
    (0x17, "DEMONITOR", MONITOR),
    (0x18, "MONITOR_EXIT", &[("monitored", Pid), ("monitoring", Pid), ("ref", Uint(8)), ("reason", Reason)]),
    (0x19, "SPAWN", &[("request", Uint(8)), ("requester", Pid), ("link", Uint(1)), ("function", Count(2)), ("args", Rest)]),
    (0x1A, "SPAWN_REPLY", &[("request", Uint(8)), ("status", Uint(1)), ("local", Uint(8))]),
    (0x1B, "GLOBAL_REGISTER", ENTRY),
    (0x1C, "GLOBAL_UNREGISTER", &[("name", Text(2))]),
    (0x1D, "GLOBAL_SYNC", &[("entries", List(4, ENTRY))]),
    (0x1E, "ROOM_BROADCAST", &[("room", Text(2)), ("text", Text(4))]),
    (0xF0, "PING", &[("nonce", Bytes(8))]),
    (0xF1, "PONG", &[("nonce", Bytes(8))]),
];

pub const REASONS: &[Layout] = &[
    (0, "normal", &[]),
    (1, "error", &[("text", Text(8))]),
    (2, "killed", &[]),
    (3, "linked", &[("pid", Pid), ("reason", Reason)]),
    (4, "shutdown", &[]),
    (5, "custom", &[("text", Text(8))]),
    (6, "noconnection", &[]),
];

/// The value of a field. Which kind of field it belongs to, its layout says.
#[derive(Debug, Clone)]
pub enum Value {
    Uint(u64),
    Pid { node_id: u16, creation: u8, local: u64 },
    Bytes(Vec<u8>),
    Text(String),
    Reason(&'static Layout, Vec<Value>),
    List(Vec<Vec<Value>>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Handshake,
    Session,
}

impl Phase {
    /// The largest payload, in bytes.
    pub const fn limit(self) -> usize {
        match self {
            Self::Handshake => 4096,
            Self::Session => 16 << 20,
        }
    }

    const fn layouts(self) -> &'static [Layout] {
        match self {
            Self::Handshake => HANDSHAKE,
            Self::Session => SESSION,
        }
    }
}

/// Why a payload cannot be read; `spec/control.md` calls it `data.kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undecodable {
    Empty,
    UnknownTag,
    Malformed,
}

/// Takes bytes from the front, and none that are not there.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: u64) -> Result<&'a [u8], Undecodable> {
        let count = usize::try_from(count).map_err(|_| Undecodable::Malformed)?;
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Undecodable::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn uint(&mut self, width: usize) -> Result<u64, Undecodable> {
        let mut wide = [0; 8];
        wide[..width].copy_from_slice(self.take(width as u64)?);
        Ok(u64::from_le_bytes(wide))
    }

    fn fields(&mut self, fields: &[Field]) -> Result<Vec<Value>, Undecodable> {
        fields.iter().map(|(_, kind)| self.value(*kind)).collect()
    }

    fn value(&mut self, kind: Kind) -> Result<Value, Undecodable> {
        Ok(match kind {
            Uint(width) => Value::Uint(self.uint(width)?),
            Pid => {
                let pid = self.uint(8)?;
                Value::Pid { node_id: (pid >> 48) as u16, creation: (pid >> 40) as u8, local: pid & 0xFF_FFFF_FFFF }
            }
            Bytes(count) => Value::Bytes(self.take(count as u64)?.to_vec()),
            Count(width) => {
                let count = self.uint(width)?;
                Value::Bytes(self.take(count)?.to_vec())
            }
            Rest => Value::Bytes(self.take(self.0.len() as u64)?.to_vec()),
            Text(width) => {
                let count = self.uint(width)?;
                let text = str::from_utf8(self.take(count)?).map_err(|_| Undecodable::Malformed)?;
                Value::Text(text.to_owned())
            }
            Reason => {
                let tag = self.uint(1)?;
                let reason = REASONS.iter().find(|reason| u64::from(reason.0) == tag).ok_or(Undecodable::Malformed)?;
                Value::Reason(reason, self.fields(reason.2)?)
            }
            List(width, record) => {
                // An announced count is no promise: nothing is allocated for it.
                let mut list = Vec::new();
                for _ in 0..self.uint(width)? {
                    list.push(self.fields(record)?);
                }
                Value::List(list)
            }
        })
    }
}

/// The message's layout, its values in that order, and the bytes left over, which receivers ignore.
pub fn decode(phase: Phase, payload: &[u8]) -> Result<(&'static Layout, Vec<Value>, Vec<u8>), Undecodable> {
    let (tag, rest) = payload.split_first().ok_or(Undecodable::Empty)?;
    let layout = phase.layouts().iter().find(|layout| layout.0 == *tag).ok_or(Undecodable::UnknownTag)?;
    let mut reader = Reader(rest);
    let values = reader.fields(layout.2)?;
    Ok((layout, values, reader.0.to_vec()))
}

/// The payload. The values are those of the layout's fields, in that order.
pub fn encode(layout: &Layout, values: &[Value]) -> Vec<u8> {
    let mut payload = vec![layout.0];
    write(&mut payload, layout.2, values);
    payload
}

fn write(to: &mut Vec<u8>, fields: &[Field], values: &[Value]) {
    for ((_, kind), value) in fields.iter().zip(values) {
        let mut uint = |value: u64, width: usize| to.extend_from_slice(&value.to_le_bytes()[..width]);
        match (kind, value) {
            (Uint(width), Value::Uint(value)) => uint(*value, *width),
            (_, Value::Pid { node_id, creation, local }) => {
                uint(u64::from(*node_id) << 48 | u64::from(*creation) << 40 | local, 8);
            }
            (Count(width), Value::Bytes(bytes)) => {
                uint(bytes.len() as u64, *width);
                to.extend_from_slice(bytes);
            }
            (_, Value::Bytes(bytes)) => to.extend_from_slice(bytes),
            (Text(width), Value::Text(text)) => {
                uint(text.len() as u64, *width);
                to.extend_from_slice(text.as_bytes());
            }
            (_, Value::Reason(reason, values)) => {
                uint(u64::from(reason.0), 1);
                write(to, reason.2, values);
            }
            (List(width, record), Value::List(list)) => {
                uint(list.len() as u64, *width);
                list.iter().for_each(|values| write(to, record, values));
            }
            (kind, value) => unreachable!("{value:?} was made for another layout than {kind:?}"),
        }
    }
}

/// All whole payloads of a stream, and how it ends: complete, incomplete or too_long.
pub fn frames(phase: Phase, mut stream: &[u8]) -> (Vec<&[u8]>, &'static str) {
    let mut frames = Vec::new();
    while let Some((length, rest)) = stream.split_first_chunk() {
        let length = u32::from_le_bytes(*length) as usize;
        if length > phase.limit() {
            return (frames, "too_long");
        }
        let Some((payload, rest)) = rest.split_at_checked(length) else { return (frames, "incomplete") };
        frames.push(payload);
        stream = rest;
    }
    (frames, if stream.is_empty() { "complete" } else { "incomplete" })
}

/// HMAC-SHA256 of the challenge under the cookie.
pub fn proof(cookie: &[u8], challenge: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(cookie).expect("HMAC takes keys of any length");
    mac.update(challenge);
    mac.finalize().into_bytes().to_vec()
}
