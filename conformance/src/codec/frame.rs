//! Frames: payloads with their length before them, and payloads out of bytes however they arrive (FRAME-8, FRAME-10).

/// How many bytes a frame's length takes.
pub const LENGTH_BYTES: usize = 4;

/// A payload as it goes over the wire. Limits are not looked at: the harness has to be able to break them.
///
/// # Panics
/// On a payload of 4 GiB or more, whose length does not exist on the wire.
pub fn frame(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("no case sends a payload of 4 GiB");
    [&length.to_le_bytes(), payload].concat()
}

/// A length over the limit (FRAME-12, FRAME-14). Nothing behind it can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame announces {announced} bytes, the limit is {limit}")]
pub struct TooLong {
    /// The length that was read.
    pub announced: u32,
    /// The greatest length allowed, inclusive.
    pub limit: u32,
}

/// Takes bytes as they arrive and gives payloads, in order. Holds what has arrived, never what is only announced.
#[derive(Debug)]
pub struct FrameReader {
    limit: u32,
    buffer: Vec<u8>,
    /// Where the next frame begins; what is before it has been given out.
    start: usize,
}

impl FrameReader {
    /// A reader that takes payloads of up to `limit` bytes, inclusive: [`crate::schema::Schema::limit`].
    pub fn new(limit: u32) -> Self {
        Self { limit, buffer: Vec::new(), start: 0 }
    }

    /// From the next payload on another limit holds: the handshake is over.
    pub fn set_limit(&mut self, limit: u32) {
        self.limit = limit;
    }

    /// Takes bytes that have arrived: any number of them.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..std::mem::take(&mut self.start));
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole payload, if it has arrived; an empty one for a length of 0.
    ///
    /// # Errors
    /// [`TooLong`] as soon as the length is there, and ever after.
    pub fn next_payload(&mut self) -> Result<Option<Vec<u8>>, TooLong> {
        let rest = &self.buffer[self.start..];
        let Some((length, rest)) = rest.split_first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let announced = u32::from_le_bytes(*length);
        if announced > self.limit {
            return Err(TooLong { announced, limit: self.limit });
        }
        let Some(payload) = rest.get(..announced as usize) else {
            return Ok(None);
        };
        self.start += LENGTH_BYTES + payload.len();
        Ok(Some(payload.to_vec()))
    }

    /// How many bytes have arrived and are not part of a payload that was given out.
    pub fn waiting(&self) -> usize {
        self.buffer.len() - self.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(reader: &mut FrameReader) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| reader.next_payload().unwrap()).collect()
    }

    #[test]
    fn every_cut_gives_the_same_payloads() {
        let payloads = vec![vec![1], vec![], vec![2; 300], vec![3, 4]];
        let stream: Vec<u8> = payloads.iter().flat_map(|payload| frame(payload)).collect();
        for size in 1..=stream.len() {
            let mut reader = FrameReader::new(300);
            let mut seen = Vec::new();
            for chunk in stream.chunks(size) {
                reader.push(chunk);
                seen.extend(drain(&mut reader));
            }
            assert_eq!(seen, payloads, "chunks of {size}");
            assert_eq!(reader.waiting(), 0);
        }
    }

    #[test]
    fn the_limit_is_inclusive_and_found_before_the_payload() {
        let mut reader = FrameReader::new(4096);
        reader.push(&frame(&vec![0; 4096]));
        assert_eq!(reader.next_payload().unwrap().unwrap().len(), 4096);
        reader.push(&4097_u32.to_le_bytes());
        let too_long = TooLong { announced: 4097, limit: 4096 };
        assert_eq!(reader.next_payload(), Err(too_long));
        reader.push(&[0; 5000]);
        assert_eq!(reader.next_payload(), Err(too_long), "it does not recover");
    }

    #[test]
    fn a_new_limit_holds_for_what_is_already_there() {
        let mut reader = FrameReader::new(1);
        reader.push(&[frame(&[1]), frame(&[2, 2])].concat());
        assert_eq!(reader.next_payload(), Ok(Some(vec![1])));
        assert!(reader.next_payload().is_err());
        reader.set_limit(2);
        assert_eq!(reader.next_payload(), Ok(Some(vec![2, 2])));
    }
}
