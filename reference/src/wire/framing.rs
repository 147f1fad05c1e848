//! Frames: `u32 length | payload`. A pure reassembler; it neither reads sockets nor knows what payloads mean.

use std::{mem, sync::Arc};

/// The largest payload until the handshake is done, in bytes, inclusive (FRAME-11, FRAME-12).
pub(crate) const MAX_HANDSHAKE_PAYLOAD: usize = 4_096;

/// The largest payload in a session, in bytes, inclusive: 16 MiB (FRAME-13, FRAME-14).
pub(crate) const MAX_SESSION_PAYLOAD: usize = 16_777_216;

/// Bytes in front of a payload: its length as u32.
pub(crate) const HEADER: usize = 4;

/// Capacity that a frame may reserve on the strength of its announced length alone (FRAME-23).
const RESERVE: usize = 64 * 1_024;

/// A payload on its way out, shared between the sessions that it goes to.
pub(crate) type Payload = Arc<[u8]>;

/// A length over the limit: the connection has to be closed (FRAME-12, FRAME-14).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {announced} bytes is over the limit of {limit}")]
pub(crate) struct TooLong {
    pub(crate) announced: usize,
    pub(crate) limit: usize,
}

/// Reassembles frames from pieces of any size (FRAME-8, FRAME-10).
///
/// The length is checked as soon as its four bytes are there and before anything is allocated for the payload; memory
/// grows with the bytes that have come, not with the length announced.
#[derive(Debug, Default)]
pub(crate) struct FrameReader {
    header: [u8; HEADER],
    header_filled: usize,
    payload: Vec<u8>,
}

impl FrameReader {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Takes bytes off the front of `input` until one payload is complete; `None` when the input is used up first.
    ///
    /// `limit` is the largest payload in bytes, inclusive. It may differ from call to call: the phase of a connection
    /// changes between two frames.
    ///
    /// # Errors
    /// [`TooLong`] when a length over the limit has come; the stream cannot be read any further.
    pub(crate) fn next(&mut self, input: &mut &[u8], limit: usize) -> Result<Option<Vec<u8>>, TooLong> {
        if self.header_filled < HEADER {
            let piece = take(input, HEADER - self.header_filled);
            self.header[self.header_filled..self.header_filled + piece.len()].copy_from_slice(piece);
            self.header_filled += piece.len();
            if self.header_filled < HEADER {
                return Ok(None);
            }
        }
        let length = u32::from_le_bytes(self.header) as usize;
        if length > limit {
            return Err(TooLong { announced: length, limit });
        }
        if self.payload.capacity() == 0 {
            self.payload.reserve_exact(length.min(RESERVE));
        }
        self.payload.extend_from_slice(take(input, length - self.payload.len()));
        if self.payload.len() < length {
            return Ok(None);
        }
        self.header_filled = 0;
        Ok(Some(mem::take(&mut self.payload)))
    }

    /// True between two frames: nothing of a next one has come.
    pub(crate) fn is_between_frames(&self) -> bool {
        self.header_filled == 0
    }
}

/// The four bytes in front of a payload of `length` bytes. Payloads come from [`super::writer::Writer`], which keeps
/// them within 16 MiB.
pub(crate) fn header(length: usize) -> [u8; HEADER] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

fn take<'a>(input: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at(most.min(input.len()));
    *input = rest;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(payloads: &[&[u8]]) -> Vec<u8> {
        payloads.iter().flat_map(|payload| [&header(payload.len())[..], payload].concat()).collect()
    }

    #[test]
    fn reassembles_whatever_the_pieces() {
        let payloads: [&[u8]; 4] = [b"abc", b"", b"d", &[7; 300]];
        let bytes = stream(&payloads);
        for piece in 1..bytes.len() {
            let mut reader = FrameReader::new();
            let mut seen = Vec::new();
            for mut chunk in bytes.chunks(piece) {
                while let Some(payload) = reader.next(&mut chunk, 4_096).unwrap() {
                    seen.push(payload);
                }
            }
            assert_eq!(seen, payloads);
            assert!(reader.is_between_frames());
        }
    }

    #[test]
    fn limits_are_inclusive_and_checked_before_the_payload_comes() {
        let mut reader = FrameReader::new();
        let exact = stream(&[&[1; 4_096]]);
        assert_eq!(reader.next(&mut &exact[..], 4_096).unwrap().unwrap().len(), 4_096);
        let over = TooLong { announced: 4_097, limit: 4_096 };
        assert_eq!(reader.next(&mut &header(4_097)[..], 4_096), Err(over));
    }

    #[test]
    fn an_announced_length_is_not_allocated_for() {
        let mut reader = FrameReader::new();
        assert_eq!(reader.next(&mut &header(MAX_SESSION_PAYLOAD)[..], MAX_SESSION_PAYLOAD), Ok(None));
        assert!(reader.payload.capacity() <= RESERVE);
    }

    #[test]
    fn the_limit_may_change_between_two_frames_of_one_piece() {
        let bytes = stream(&[b"reply", &[0; 5_000]]);
        let mut input = &bytes[..];
        let mut reader = FrameReader::new();
        assert!(reader.next(&mut input, MAX_HANDSHAKE_PAYLOAD).unwrap().is_some());
        assert!(reader.next(&mut input, MAX_SESSION_PAYLOAD).unwrap().is_some());
    }
}
