//! What fields hold. Values may be semantically wrong (creation 0, empty names): the harness has to be able to say such things.

use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// The value of one field, shaped like its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Of a `u8` to `u64`.
    Uint(u64),
    /// Of an `i64`.
    Int(i64),
    /// Of an `f64`: its bits, so that NaN payloads and −0.0 compare as they are.
    Float(u64),
    /// Of a `string`.
    Text(String),
    /// Of a `bytes[N]`, `bytes(uN)` or `bytes(rest)`.
    Bytes(Vec<u8>),
    /// Of a `pid`.
    Pid(Pid),
    /// Of a `list`.
    List(Vec<Value>),
    /// Of a named record; in field order when decoded, in any order when encoded.
    Record(IndexMap<String, Value>),
    /// Of a named union.
    Union {
        /// Which variant.
        kind: String,
        /// The variant's fields.
        fields: IndexMap<String, Value>,
    },
}

/// A process id as it stands on the wire, in its sender's numbering (PROC chapter).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Pid {
    /// The upper 16 bits; 0 is the writer itself.
    pub node_id: u16,
    /// The next 8 bits; 0 in local PIDs.
    pub creation: u8,
    /// The lower 40 bits, at most [`Pid::LOCAL_MAX`].
    pub local: u64,
}

impl Pid {
    /// The greatest local id.
    pub const LOCAL_MAX: u64 = (1 << 40) - 1;

    /// The u64 on the wire; `None` if the local id has more than 40 bits.
    pub fn to_bits(self) -> Option<u64> {
        (self.local <= Self::LOCAL_MAX)
            .then(|| u64::from(self.node_id) << 48 | u64::from(self.creation) << 40 | self.local)
    }

    /// The PID that a u64 on the wire means; every u64 means one.
    pub fn from_bits(bits: u64) -> Self {
        let [node_high, node_low, creation, ..] = bits.to_be_bytes();
        Self { node_id: u16::from_be_bytes([node_high, node_low]), creation, local: bits & Self::LOCAL_MAX }
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node_id, creation, local } = self;
        if (*node_id, *creation) == (0, 0) {
            write!(f, "<0.{local}>")
        } else {
            write!(f, "<{node_id}.{local}.{creation}>")
        }
    }
}

/// Texts longer than this many characters are cut in what people read.
const SHOWN: usize = 48;

/// Bytes longer than this are cut to half of it: enough to tell two challenges apart.
const SHOWN_BYTES: usize = 16;

/// A value for people, on one line; long texts, bytes and lists are cut and say how long they are.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uint(number) => number.fmt(f),
            Self::Int(number) => number.fmt(f),
            Self::Float(bits) => write!(f, "{:?} ({bits:016x})", f64::from_bits(*bits)),
            Self::Text(text) => match text.char_indices().nth(SHOWN) {
                None => write!(f, "{text:?}"),
                Some((end, _)) => write!(f, "{:?}… ({} bytes)", &text[..end], text.len()),
            },
            Self::Bytes(bytes) if bytes.len() <= SHOWN_BYTES => f.write_str(&hex::encode(bytes)),
            Self::Bytes(bytes) => {
                let begin = hex::encode(&bytes[..SHOWN_BYTES / 2]);
                write!(f, "{begin}… ({} bytes)", bytes.len())
            }
            Self::Pid(pid) => pid.fmt(f),
            Self::List(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().take(4).enumerate() {
                    write!(f, "{}{item}", if index > 0 { ", " } else { "" })?;
                }
                if items.len() > 4 {
                    write!(f, ", … {} in all", items.len())?;
                }
                f.write_str("]")
            }
            Self::Record(fields) => {
                f.write_str("{")?;
                write_fields(f, fields)?;
                f.write_str("}")
            }
            Self::Union { kind, fields } if fields.is_empty() => f.write_str(kind),
            Self::Union { kind, fields } => {
                write!(f, "{kind}{{")?;
                write_fields(f, fields)?;
                f.write_str("}")
            }
        }
    }
}

/// `name=value name=value`, as in summaries.
pub(super) fn write_fields(f: &mut fmt::Formatter<'_>, fields: &IndexMap<String, Value>) -> fmt::Result {
    for (index, (name, value)) in fields.iter().enumerate() {
        write!(f, "{}{name}={value}", if index > 0 { " " } else { "" })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pid_bits_are_node_creation_local_from_the_top() {
        let pid = Pid { node_id: 3, creation: 7, local: 42 };
        assert_eq!(pid.to_bits(), Some(0x0003_0700_0000_002A));
        assert_eq!(Pid::from_bits(0x0003_0700_0000_002A), pid);
        assert_eq!(Pid::from_bits(u64::MAX), Pid { node_id: 0xFFFF, creation: 0xFF, local: Pid::LOCAL_MAX });
        assert_eq!(Pid { local: Pid::LOCAL_MAX + 1, ..pid }.to_bits(), None);
    }

    #[test]
    fn pids_are_shown_as_people_write_them() {
        assert_eq!(Pid::from_bits(42).to_string(), "<0.42>");
        assert_eq!(Pid { node_id: 3, creation: 7, local: 42 }.to_string(), "<3.42.7>");
        assert_eq!(Pid { node_id: 0, creation: 7, local: 42 }.to_string(), "<0.42.7>");
    }

    #[test]
    fn long_values_are_cut_at_characters() {
        let text = Value::Text("é".repeat(100)).to_string();
        assert_eq!(text, format!("\"{}\"… (200 bytes)", "é".repeat(SHOWN)));
        assert!(Value::Bytes(vec![0; 100]).to_string().ends_with("… (100 bytes)"));
    }
}
