//! Schedules by which scripted peers deliver what they send: whole, byte by byte, in segments with pauses, or joined. How bytes are cut
//! is decided here; who sends them, and when what is held back goes out, is the runner's business.

mod cases;
#[cfg(test)]
mod tests;

pub use cases::DeliveryCase;
pub(crate) use cases::all;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::codec::{self, LENGTH_BYTES};
use crate::schema::{Phase, Schema};

/// A pause between two pieces. Readers that block look up from a read now and then, to see whether they should still be reading: every
/// 10 to 200 ms is usual. A node that takes such a timeout for an end, or forgets what it has read so far, shows it at this one.
pub(crate) const PAUSE: Duration = Duration::from_millis(250);

/// Sends of up to so many bytes go byte by byte.
const SINGLY: usize = 2_048;
/// Of longer ones so many bytes at either end do, and the rest goes in pieces of a prime length, so that they end everywhere.
const ENDS: usize = 64;
const MIDDLE: usize = 1_021;
/// Pieces of what is longer than a mebibyte.
const LONG_MIDDLE: usize = 16_381;
/// No send is cut into more segments.
const MOST_SEGMENTS: usize = 64;

/// How what is sent arrives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// As it was sent: one write each.
    #[default]
    Whole,
    /// Every byte in a write of its own.
    Bytes,
    /// Every segment of a message in a write of its own, with a pause before one of them, another one each time.
    Segments,
    /// Together with what is sent next on the same connection, as long as nothing is awaited.
    Joined,
}

impl Delivery {
    /// All but [`Delivery::Whole`].
    pub const SCHEDULES: [Self; 3] = [Self::Bytes, Self::Segments, Self::Joined];

    /// Its word on the command line and in ids.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Bytes => "bytes",
            Self::Segments => "segments",
            Self::Joined => "joined",
        }
    }

    /// The requirement that a node breaks for which it makes a difference.
    pub(crate) const fn requirement(self) -> &'static str {
        match self {
            Self::Whole | Self::Bytes => "FRAME-8",
            Self::Segments => "FRAME-9",
            Self::Joined => "FRAME-10",
        }
    }

    /// How much longer a case may take.
    pub(crate) const fn patience(self) -> Duration {
        match self {
            Self::Whole | Self::Joined => Duration::ZERO,
            Self::Bytes | Self::Segments => Duration::from_secs(15),
        }
    }
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Where to cut bytes that go byte by byte: offsets, without 0 and the end.
pub(crate) fn cuts_of_bytes(length: usize) -> Vec<usize> {
    if length <= SINGLY {
        return (1..length).collect();
    }
    let middle = if length > 1 << 20 { LONG_MIDDLE } else { MIDDLE };
    let (first, last) = (1..=ENDS, length - ENDS..length);
    first.chain((ENDS + middle..length - ENDS).step_by(middle)).chain(last).collect()
}

/// Where the segments of frames begin, the middle of each length included; of bytes that are no frame, nowhere.
pub(crate) fn cuts_of_segments(schema: &Schema, bytes: &[u8]) -> Vec<usize> {
    let mut cuts = Vec::new();
    let mut at = 0;
    while let Some((length, rest)) = bytes[at..].split_first_chunk::<LENGTH_BYTES>() {
        let length = u32::from_le_bytes(*length) as usize;
        let Some(payload) = rest.get(..length) else { break };
        cuts.extend([at, at + LENGTH_BYTES / 2]);
        let mut offset = at + LENGTH_BYTES;
        for segment in segments(schema, payload) {
            cuts.push(offset);
            offset += segment;
        }
        cuts.push(offset);
        at += LENGTH_BYTES + length;
        if cuts.len() > MOST_SEGMENTS {
            break;
        }
    }
    cuts.retain(|cut| *cut > 0 && *cut < bytes.len());
    cuts.dedup();
    cuts.truncate(MOST_SEGMENTS);
    cuts
}

/// The lengths of a payload's segments, as far as it can be read.
fn segments(schema: &Schema, payload: &[u8]) -> Vec<usize> {
    let phase = match payload.first() {
        Some(tag) if schema.by_tag(Phase::Handshake, *tag).is_some() => Phase::Handshake,
        _ => Phase::Session,
    };
    let segments = match codec::decode(schema, phase, payload) {
        Ok(decoded) => decoded.segments,
        Err(error) => error.segments,
    };
    segments.iter().map(|segment| segment.bytes.len()).filter(|length| *length > 0).collect()
}

/// Bytes in pieces, each with the pause before it; `paused` is the number of the cut at which there is one.
pub(crate) fn cut(bytes: &[u8], cuts: &[usize], paused: Option<usize>) -> Vec<(Vec<u8>, Duration)> {
    let ends = cuts.iter().copied().chain([bytes.len()]);
    let begins = std::iter::once(0).chain(cuts.iter().copied());
    let pause = |piece: usize| if paused.is_some_and(|cut| cut + 1 == piece) { PAUSE } else { Duration::ZERO };
    begins.zip(ends).enumerate().map(|(piece, (begin, end))| (bytes[begin..end].to_vec(), pause(piece))).collect()
}
