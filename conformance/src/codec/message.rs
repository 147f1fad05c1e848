//! A message and its bytes, segment by segment.

use indexmap::IndexMap;

use super::Value;

/// A message of the schema with the values of its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The message's name in the schema, such as `PING`.
    pub name: String,
    /// One value for each field.
    pub fields: IndexMap<String, Value>,
    /// Bytes behind the last field, which receivers ignore (FRAME-20, HS-15).
    pub left_over: Vec<u8>,
}

/// Consecutive bytes of a payload that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// What they are: `tag`, `name.length`, `name`, `entries.count`, `entries[0].pid`, `reason.kind`, `left_over`.
    pub field: String,
    /// The bytes themselves; may be none.
    pub bytes: Vec<u8>,
    /// What they say, for people.
    pub meaning: String,
}

/// A payload, segment by segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// In the order of the bytes; the first is the tag, if there is any.
    pub segments: Vec<Segment>,
}

impl Encoded {
    /// All bytes: what a frame carries.
    pub fn payload(&self) -> Vec<u8> {
        let mut payload = Vec::with_capacity(self.length());
        self.segments.iter().for_each(|segment| payload.extend_from_slice(&segment.bytes));
        payload
    }

    /// How many bytes that are.
    pub fn length(&self) -> usize {
        self.segments.iter().map(|segment| segment.bytes.len()).sum()
    }

    /// The segment of that name and its offset in bytes.
    pub fn segment(&self, field: &str) -> Option<(usize, &Segment)> {
        let mut offset = 0;
        for segment in &self.segments {
            if segment.field == field {
                return Some((offset, segment));
            }
            offset += segment.bytes.len();
        }
        None
    }
}

/// A payload that could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// What it says.
    pub message: Message,
    /// Where it says it.
    pub segments: Vec<Segment>,
}
