//! The Snow Term Format: the values that Snow programs put into messages, encode beside decode.
//!
//! Nesting is the sender's to choose, the stack is not: a term is a flat list of parts, and nothing here recurses.

#[cfg(test)]
mod tests;

use std::str;

use super::{
    pid::WirePid,
    reader::{Malformed, Reader},
};

/// The only version (TERM-8).
const VERSION: u8 = 1;

/// Most bytes of a string (TERM-11).
const MAX_STRING: usize = 16_777_216;

/// Most elements of a list or a set, most entries of a map (TERM-12).
const MAX_ELEMENTS: usize = 1_000_000;

/// Most levels of nesting that are read; a value that holds none and stands in none is one (TERM-14, TERM-15).
pub(crate) const MAX_LEVELS: usize = 1_000;

/// Why bytes are no term, or why a term cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TermError {
    /// TERM-6.
    #[error("the bytes end before the value does")]
    UnexpectedEnd,
    /// TERM-7.
    #[error("the tag {0} means nothing")]
    InvalidTag(u8),
    /// TERM-8.
    #[error("version {0} is not {VERSION}")]
    UnsupportedVersion(u8),
    /// TERM-9, TERM-10.
    #[error("a closure has no binary form")]
    Closure,
    /// TERM-11, TERM-12; when writing, a count or a length that does not fit its field as well.
    #[error("a string or a collection is larger than the limits")]
    TooLarge,
    /// TERM-13.
    #[error("a string is not UTF-8")]
    InvalidUtf8,
    /// TERM-15.
    #[error("nested deeper than {MAX_LEVELS} levels")]
    TooDeep,
}

impl From<Malformed> for TermError {
    fn from(why: Malformed) -> Self {
        match why {
            Malformed::Short => Self::UnexpectedEnd,
            Malformed::NotUtf8 | Malformed::BadValue => Self::InvalidUtf8,
        }
    }
}

/// One piece of a term. What holds values says how many, and they stand behind it, each whole before the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Int(i64),
    /// The bits of a double: NaN payloads and signs are kept, and compared (TERM-3).
    Float(u64),
    True,
    False,
    String(String),
    Unit,
    List(usize),
    /// So many entries, each a key and a value.
    Map {
        key_type: u8,
        entries: usize,
    },
    Set(usize),
    Tuple(usize),
    /// So many fields, each a [`Part::Field`] and a value.
    Struct {
        name: String,
        fields: usize,
    },
    /// The name of the field whose value follows: no value of its own.
    Field(String),
    Sum {
        name: String,
        variant: u8,
        values: usize,
    },
    Pid(WirePid),
    Some,
    None,
    Ok,
    Err,
    /// Never read (TERM-9), never written (TERM-10).
    Closure,
}

impl Part {
    /// How many values stand behind this part that belong to it.
    pub(crate) fn holds(&self) -> usize {
        match self {
            Self::List(count) | Self::Set(count) | Self::Tuple(count) => *count,
            Self::Map { entries, .. } => entries.saturating_mul(2),
            Self::Struct { fields, .. } => *fields,
            Self::Sum { values, .. } => *values,
            Self::Some | Self::Ok | Self::Err => 1,
            _ => 0,
        }
    }
}

/// A value: its parts from the outermost on, in the order in which they are written (TERM-2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    parts: Vec<Part>,
}

/// A value that has been opened and not filled yet.
struct Open {
    left: usize,
    /// Each value has a name before it.
    is_struct: bool,
}

impl Term {
    /// `parts` must be one whole value, as [`Part`] says.
    pub(crate) fn new(parts: Vec<Part>) -> Self {
        Self { parts }
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Reads a version byte and one value. Returns it and the bytes left over behind it.
    ///
    /// # Errors
    /// The first one from the left (TERM-6 to TERM-9, TERM-11 to TERM-13, TERM-15).
    pub(crate) fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), TermError> {
        let mut reader = Reader::new(bytes);
        match reader.u8()? {
            VERSION => {}
            other => return Err(TermError::UnsupportedVersion(other)),
        }
        // Nothing is allocated for a count: the parts grow with the bytes that are there (TERM-16).
        let mut parts = Vec::new();
        let mut open: Vec<Open> = Vec::new();
        loop {
            if open.len() >= MAX_LEVELS {
                return Err(TermError::TooDeep);
            }
            if open.last().is_some_and(|value| value.is_struct) {
                parts.push(Part::Field(reader.string16()?.to_owned()));
            }
            let part = decode_part(&mut reader)?;
            open.push(Open { left: part.holds(), is_struct: matches!(part, Part::Struct { .. }) });
            parts.push(part);
            // What is full belongs to what holds it, which may be full by that.
            while open.last().is_some_and(|value| value.left == 0) {
                open.pop();
                let Some(around) = open.last_mut() else { return Ok((Self { parts }, reader.rest())) };
                around.left -= 1;
            }
        }
    }

    /// The version byte and the value (TERM-1).
    ///
    /// # Errors
    /// [`TermError::Closure`] (TERM-10), [`TermError::TooLarge`]; whichever stands first.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, TermError> {
        let mut bytes = vec![VERSION];
        for part in &self.parts {
            encode_part(part, &mut bytes)?;
        }
        Ok(bytes)
    }
}

/// A tag and what belongs to it but for the values that it holds.
fn decode_part(reader: &mut Reader<'_>) -> Result<Part, TermError> {
    Ok(match reader.u8()? {
        1 => Part::Int(reader.array().map(i64::from_le_bytes)?),
        2 => Part::Float(reader.u64()?),
        3 => Part::True,
        4 => Part::False,
        5 => {
            let length = announced(reader, MAX_STRING)?;
            let text = str::from_utf8(reader.bytes(length)?).map_err(|_| TermError::InvalidUtf8)?;
            Part::String(text.to_owned())
        }
        6 => Part::Unit,
        10 => Part::List(announced(reader, MAX_ELEMENTS)?),
        11 => Part::Map { key_type: reader.u8()?, entries: announced(reader, MAX_ELEMENTS)? },
        12 => Part::Set(announced(reader, MAX_ELEMENTS)?),
        13 => Part::Tuple(usize::from(reader.u8()?)),
        20 => Part::Struct { name: reader.string16()?.to_owned(), fields: usize::from(reader.u16()?) },
        21 => {
            Part::Sum { name: reader.string16()?.to_owned(), variant: reader.u8()?, values: usize::from(reader.u16()?) }
        }
        30 => Part::Pid(WirePid::from_u64(reader.u64()?)),
        40 => Part::Some,
        41 => Part::None,
        42 => Part::Ok,
        43 => Part::Err,
        255 => return Err(TermError::Closure),
        other => return Err(TermError::InvalidTag(other)),
    })
}

/// A length or count as u32, judged before anything behind it is looked at.
fn announced(reader: &mut Reader<'_>, most: usize) -> Result<usize, TermError> {
    let count = usize::try_from(reader.u32()?).map_err(|_| TermError::TooLarge)?;
    if count > most { Err(TermError::TooLarge) } else { Ok(count) }
}

fn encode_part(part: &Part, bytes: &mut Vec<u8>) -> Result<(), TermError> {
    match part {
        Part::Int(value) => put(bytes, 1, &value.to_le_bytes()),
        Part::Float(bits) => put(bytes, 2, &bits.to_le_bytes()),
        Part::True => bytes.push(3),
        Part::False => bytes.push(4),
        Part::String(text) => {
            put(bytes, 5, &count32(text.len(), MAX_STRING)?);
            bytes.extend_from_slice(text.as_bytes());
        }
        Part::Unit => bytes.push(6),
        Part::List(count) => put(bytes, 10, &count32(*count, MAX_ELEMENTS)?),
        Part::Map { key_type, entries } => {
            put(bytes, 11, &[*key_type]);
            bytes.extend_from_slice(&count32(*entries, MAX_ELEMENTS)?);
        }
        Part::Set(count) => put(bytes, 12, &count32(*count, MAX_ELEMENTS)?),
        Part::Tuple(count) => put(bytes, 13, &[u8::try_from(*count).map_err(|_| TermError::TooLarge)?]),
        Part::Struct { name, fields } => {
            bytes.push(20);
            put_name(bytes, name)?;
            bytes.extend_from_slice(&count16(*fields)?);
        }
        Part::Field(name) => put_name(bytes, name)?,
        Part::Sum { name, variant, values } => {
            bytes.push(21);
            put_name(bytes, name)?;
            bytes.push(*variant);
            bytes.extend_from_slice(&count16(*values)?);
        }
        Part::Pid(pid) => put(bytes, 30, &pid.to_u64().to_le_bytes()),
        Part::Some => bytes.push(40),
        Part::None => bytes.push(41),
        Part::Ok => bytes.push(42),
        Part::Err => bytes.push(43),
        Part::Closure => return Err(TermError::Closure),
    }
    Ok(())
}

fn put(bytes: &mut Vec<u8>, tag: u8, fields: &[u8]) {
    bytes.push(tag);
    bytes.extend_from_slice(fields);
}

/// `string(u16)`.
fn put_name(bytes: &mut Vec<u8>, name: &str) -> Result<(), TermError> {
    bytes.extend_from_slice(&count16(name.len())?);
    bytes.extend_from_slice(name.as_bytes());
    Ok(())
}

fn count16(count: usize) -> Result<[u8; 2], TermError> {
    u16::try_from(count).map(u16::to_le_bytes).map_err(|_| TermError::TooLarge)
}

fn count32(count: usize, most: usize) -> Result<[u8; 4], TermError> {
    let fits = u32::try_from(count).ok().filter(|_| count <= most);
    fits.map(u32::to_le_bytes).ok_or(TermError::TooLarge)
}
