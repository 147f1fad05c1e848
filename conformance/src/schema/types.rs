//! The type notation of schema and prose: `u8`, `string(u16)`, `list(u32) of entry`, … It parses and prints, nothing else.

use std::fmt;

/// The size of an unsigned integer, of a length or of a count. All are little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// One byte.
    U8,
    /// Two bytes.
    U16,
    /// Four bytes.
    U32,
    /// Eight bytes.
    U64,
}

impl Width {
    /// How many bytes it takes on the wire.
    pub const fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::U16 => 2,
            Self::U32 => 4,
            Self::U64 => 8,
        }
    }

    /// The greatest number that fits.
    pub const fn max(self) -> u64 {
        u64::MAX >> (64 - 8 * self.bytes())
    }

    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "u8" => Self::U8,
            "u16" => Self::U16,
            "u32" => Self::U32,
            "u64" => Self::U64,
            _ => return None,
        })
    }
}

impl fmt::Display for Width {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "u{}", 8 * self.bytes())
    }
}

/// The layout of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// `u8`, `u16`, `u32`, `u64`.
    Uint(Width),
    /// `i64`, two's complement.
    Int,
    /// `f64`: the eight bytes of its bits, which survive unchanged.
    Float,
    /// `bytes[N]`: exactly N bytes.
    Bytes(usize),
    /// `bytes(uN)`: a length, then that many bytes, whatever they are.
    Blob(Width),
    /// `bytes(rest)`: all that is left of the payload; only as a message's last field.
    Rest,
    /// `string(uN)`: a length in bytes, then that much UTF-8.
    Text(Width),
    /// `pid`: a u64 of node id (16 bits), creation (8) and local id (40), from the top.
    Pid,
    /// `list(uN) of NAME`: a count, then that many of a named type.
    List(Width, String),
    /// The name of a record or union.
    Named(String),
}

/// A type that is not in the notation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no type: want u8, u16, u32, u64, i64, f64, pid, bytes[N], bytes(uN), bytes(rest), string(uN), list(uN) of NAME or NAME"
)]
pub struct TypeError(pub String);

impl Type {
    /// Reads the notation, which is exact but for spaces at its ends.
    pub fn parse(text: &str) -> Result<Self, TypeError> {
        Self::read(text.trim()).ok_or_else(|| TypeError(text.to_owned()))
    }

    fn read(text: &str) -> Option<Self> {
        if let Some(width) = Width::parse(text) {
            return Some(Self::Uint(width));
        }
        let inside = |open: &str, close: &str| text.strip_prefix(open)?.strip_suffix(close);
        if let Some(count) = inside("bytes[", "]") {
            return count.parse().ok().filter(|&n| n > 0).map(Self::Bytes);
        }
        if text != "bytes(rest)"
            && let Some(width) = inside("bytes(", ")")
        {
            return Width::parse(width).map(Self::Blob);
        }
        if let Some(width) = inside("string(", ")") {
            return Width::parse(width).map(Self::Text);
        }
        if let Some(list) = text.strip_prefix("list(") {
            let (width, item) = list.split_once(") of ")?;
            return Some(Self::List(Width::parse(width)?, is_name(item).then(|| item.to_owned())?));
        }
        match text {
            "i64" => Some(Self::Int),
            "f64" => Some(Self::Float),
            "pid" => Some(Self::Pid),
            "bytes(rest)" => Some(Self::Rest),
            _ => is_name(text).then(|| Self::Named(text.to_owned())),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uint(width) => width.fmt(f),
            Self::Int => f.write_str("i64"),
            Self::Float => f.write_str("f64"),
            Self::Bytes(count) => write!(f, "bytes[{count}]"),
            Self::Blob(width) => write!(f, "bytes({width})"),
            Self::Rest => f.write_str("bytes(rest)"),
            Self::Text(width) => write!(f, "string({width})"),
            Self::Pid => f.write_str("pid"),
            Self::List(width, item) => write!(f, "list({width}) of {item}"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

/// Whether it can name a field, a type or a variant: lower-case letters, digits and `_`, a letter first.
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notation_survives_the_round_trip() {
        for text in [
            "u8",
            "u16",
            "u32",
            "u64",
            "i64",
            "f64",
            "pid",
            "bytes[32]",
            "bytes(u16)",
            "bytes(rest)",
            "string(u8)",
            "string(u64)",
            "list(u16) of peer",
            "reason",
        ] {
            assert_eq!(Type::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_not_notation_is_refused() {
        for text in [
            "",
            "u7",
            "U8",
            "bytes[]",
            "bytes[0]",
            "bytes[x]",
            "bytes()",
            "bytes(u9)",
            "string()",
            "string(u9)",
            "list(u16)",
            "list(u8) of ",
        ] {
            let outcome = Type::parse(text);
            assert!(matches!(outcome, Err(TypeError(_)) | Ok(Type::Named(_))), "{text}");
            assert!(outcome.is_err() || text == "u7", "{text}: {outcome:?}");
        }
    }

    #[test]
    fn widths_know_their_limits() {
        let limits = [Width::U8, Width::U16, Width::U32, Width::U64].map(Width::max);
        assert_eq!(limits, [0xFF, 0xFFFF, 0xFFFF_FFFF, u64::MAX]);
    }
}
