//! A bounded reader over one payload: takes what is there, never believes what is announced.

use std::str;

use super::pid::WirePid;

/// Why a payload could not be read as the message that its tag announces (FRAME-18, FRAME-19).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// The payload ends before its layout does.
    #[error("the message is too short for its layout")]
    Short,
    /// A string is not UTF-8.
    #[error("a string is not UTF-8")]
    NotUtf8,
    /// A field has a value that the layout has no meaning for.
    #[error("a field has an impossible value")]
    BadValue,
}

/// A cursor over the bytes that are there. Integers are little-endian.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// All that has not been taken yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Malformed::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Malformed::Short)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    /// `string(u16)`: a length in bytes, then UTF-8.
    pub(crate) fn string16(&mut self) -> Result<&'a str, Malformed> {
        let length = self.u16()?;
        self.utf8(usize::from(length))
    }

    /// `string(u32)`: a length in bytes, then UTF-8.
    pub(crate) fn string32(&mut self) -> Result<&'a str, Malformed> {
        let length = self.u32()?;
        self.utf8(usize::try_from(length).map_err(|_| Malformed::Short)?)
    }

    /// `string(u64)`: a length in bytes, then UTF-8.
    pub(crate) fn string64(&mut self) -> Result<&'a str, Malformed> {
        let length = self.u64()?;
        self.utf8(usize::try_from(length).map_err(|_| Malformed::Short)?)
    }

    /// `bytes(u16)`: a length, then that many bytes.
    pub(crate) fn bytes16(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.u16()?;
        self.bytes(usize::from(length))
    }

    /// `bytes(rest)`: all that is left.
    pub(crate) fn take_rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    pub(crate) fn pid(&mut self) -> Result<WirePid, Malformed> {
        self.u64().map(WirePid::from_u64)
    }

    fn utf8(&mut self, length: usize) -> Result<&'a str, Malformed> {
        str::from_utf8(self.bytes(length)?).map_err(|_| Malformed::NotUtf8)
    }
}
