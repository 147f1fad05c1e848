//! Where frames begin and end in the bytes of a connection, for faults of the reading itself.

use std::collections::BTreeMap;

use crate::{node::ConnId, wire::framing::HEADER};

/// One connection's place among its frames.
#[derive(Debug, Default)]
pub(super) struct Place {
    header: Vec<u8>,
    missing: usize,
}

impl Place {
    /// Moves on over bytes that have come; calls `announced` with the length of each frame that begins in them.
    pub(super) fn advance(&mut self, mut bytes: &[u8], mut announced: impl FnMut(usize)) {
        while !bytes.is_empty() {
            let wanted = if self.missing > 0 { self.missing } else { HEADER - self.header.len() };
            let (taken, rest) = bytes.split_at(wanted.min(bytes.len()));
            bytes = rest;
            if self.missing > 0 {
                self.missing -= taken.len();
                continue;
            }
            self.header.extend_from_slice(taken);
            if let Ok(header) = <[u8; HEADER]>::try_from(&self.header[..]) {
                self.header.clear();
                self.missing = u32::from_le_bytes(header) as usize;
                announced(self.missing);
            }
        }
    }

    /// How many bytes of a length have come: 0 to 3.
    pub(super) fn bytes_of_length(&self) -> usize {
        self.header.len()
    }

    /// How many bytes of a payload have not come.
    pub(super) fn missing(&self) -> usize {
        self.missing
    }

    /// Whether something of a frame has come, and something has not.
    pub(super) fn is_within_a_frame(&self) -> bool {
        self.missing > 0 || !self.header.is_empty()
    }
}

/// All connections' places.
#[derive(Debug, Default)]
pub(super) struct Places(BTreeMap<ConnId, Place>);

impl Places {
    pub(super) fn of(&mut self, conn: ConnId) -> &mut Place {
        self.0.entry(conn).or_default()
    }
}
