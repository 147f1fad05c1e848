//! Puts frames together from a byte stream that arrives in pieces of any size. No sockets, no clocks.

use super::SESSION_LIMIT;

/// The frame that is under way.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    header: [u8; 4],
    header_filled: usize,
    payload: Vec<u8>,
}

/// A length that no phase allows. The stream cannot be read any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong {
    pub(crate) announced: usize,
}

/// What is set aside for a frame before its bytes are there.
const FIRST_RESERVATION: usize = 64 * 1024;

impl Assembler {
    /// Takes in the next piece and appends the payloads that it completes to `complete`.
    ///
    /// The limit of the handshake is not applied here: frames may arrive in one piece with the one that ends it.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], complete: &mut Vec<Vec<u8>>) -> Result<(), TooLong> {
        while !bytes.is_empty() || self.is_complete() {
            if self.header_filled < 4 {
                let (taken, rest) = bytes.split_at(bytes.len().min(4 - self.header_filled));
                self.header[self.header_filled..self.header_filled + taken.len()].copy_from_slice(taken);
                self.header_filled += taken.len();
                bytes = rest;
                if self.header_filled < 4 {
                    break;
                }
                if self.length() > SESSION_LIMIT {
                    return Err(TooLong { announced: self.length() });
                }
                self.payload = Vec::with_capacity(self.length().min(FIRST_RESERVATION));
            }
            let (taken, rest) = bytes.split_at(bytes.len().min(self.length() - self.payload.len()));
            self.payload.extend_from_slice(taken);
            bytes = rest;
            if self.is_complete() {
                self.header_filled = 0;
                complete.push(std::mem::take(&mut self.payload));
            }
        }
        Ok(())
    }

    /// The length of a frame whose header has arrived but whose payload has not, or not wholly.
    pub(crate) fn announced(&self) -> Option<usize> {
        (self.header_filled == 4).then(|| self.length())
    }

    /// Whether the stream stands between two frames.
    pub(crate) fn is_between_frames(&self) -> bool {
        self.header_filled == 0
    }

    fn length(&self) -> usize {
        u32::from_le_bytes(self.header) as usize
    }

    fn is_complete(&self) -> bool {
        self.header_filled == 4 && self.payload.len() == self.length()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::frame;

    #[test]
    fn frames_survive_every_cut() {
        let stream: Vec<u8> = [&b"abc"[..], b"", b"defgh", b""].into_iter().flat_map(frame).collect();
        for piece in 1..=stream.len() {
            let mut assembler = Assembler::default();
            let mut complete = Vec::new();
            for bytes in stream.chunks(piece) {
                assembler.feed(bytes, &mut complete).expect("no frame is too long");
            }
            assert_eq!(complete, [&b"abc"[..], b"", b"defgh", b""], "in pieces of {piece}");
            assert!(assembler.is_between_frames());
        }
    }

    #[test]
    fn a_length_is_known_before_its_payload() {
        let mut assembler = Assembler::default();
        let mut complete = Vec::new();
        assembler.feed(&[5, 0, 0], &mut complete).expect("not too long");
        assert_eq!(assembler.announced(), None);
        assembler.feed(&[0], &mut complete).expect("not too long");
        assert_eq!(assembler.announced(), Some(5));
    }

    #[test]
    fn the_limit_is_inclusive() {
        let limit = u32::try_from(SESSION_LIMIT).expect("the limit fits");
        let mut complete = Vec::new();
        assert_eq!(Assembler::default().feed(&limit.to_le_bytes(), &mut complete), Ok(()));
        let over = (limit + 1).to_le_bytes();
        assert_eq!(Assembler::default().feed(&over, &mut complete), Err(TooLong { announced: SESSION_LIMIT + 1 }));
    }
}
