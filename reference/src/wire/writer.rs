//! Writing one payload, with the limits of the layout and of the frame kept by construction.

use super::{framing::MAX_SESSION_PAYLOAD, pid::WirePid};

/// What was to be written does not fit its field or its frame (FRAME-16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("does not fit a frame")]
pub(crate) struct TooLarge;

/// A payload in the making. Errors stick: [`Writer::finish`] reports the first thing that did not fit.
#[derive(Debug)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
    overflow: bool,
}

impl Writer {
    pub(crate) fn new(tag: u8) -> Self {
        Self { bytes: vec![tag], overflow: false }
    }

    pub(crate) fn u8(&mut self, value: u8) -> &mut Self {
        self.bytes(&[value])
    }

    pub(crate) fn u16(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    pub(crate) fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    pub(crate) fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        if self.bytes.len() + bytes.len() > MAX_SESSION_PAYLOAD {
            self.overflow = true;
        } else {
            self.bytes.extend_from_slice(bytes);
        }
        self
    }

    /// `string(u16)`.
    pub(crate) fn string16(&mut self, text: &str) -> &mut Self {
        match u16::try_from(text.len()) {
            Ok(length) => self.u16(length).bytes(text.as_bytes()),
            Err(_) => self.too_large(),
        }
    }

    /// `string(u32)`.
    pub(crate) fn string32(&mut self, text: &str) -> &mut Self {
        match u32::try_from(text.len()) {
            Ok(length) => self.u32(length).bytes(text.as_bytes()),
            Err(_) => self.too_large(),
        }
    }

    /// `string(u64)`.
    pub(crate) fn string64(&mut self, text: &str) -> &mut Self {
        self.u64(text.len() as u64).bytes(text.as_bytes())
    }

    /// `bytes(u16)`.
    pub(crate) fn bytes16(&mut self, bytes: &[u8]) -> &mut Self {
        match u16::try_from(bytes.len()) {
            Ok(length) => self.u16(length).bytes(bytes),
            Err(_) => self.too_large(),
        }
    }

    pub(crate) fn pid(&mut self, pid: WirePid) -> &mut Self {
        self.u64(pid.to_u64())
    }

    /// A list's count as u16.
    pub(crate) fn count16(&mut self, count: usize) -> &mut Self {
        match u16::try_from(count) {
            Ok(count) => self.u16(count),
            Err(_) => self.too_large(),
        }
    }

    /// A list's count as u32.
    pub(crate) fn count32(&mut self, count: usize) -> &mut Self {
        match u32::try_from(count) {
            Ok(count) => self.u32(count),
            Err(_) => self.too_large(),
        }
    }

    /// The payload, at most 16 MiB.
    pub(crate) fn finish(self) -> Result<Vec<u8>, TooLarge> {
        if self.overflow { Err(TooLarge) } else { Ok(self.bytes) }
    }

    fn too_large(&mut self) -> &mut Self {
        self.overflow = true;
        self
    }
}
