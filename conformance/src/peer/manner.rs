//! How a connection treats what arrives: as a peer does, which judges it, or as a relay does, which passes it on.

/// Past this many queued bytes the reader stops reading: a node that floods must not exhaust the harness.
const MOST_QUEUED: usize = 256 * 1024 * 1024;

/// Past this many a relay stops reading: it reads only as fast as the other side takes, so that a deaf peer stays deaf.
const MOST_QUEUED_TO_PASS_ON: usize = 512 * 1024;

/// What distinguishes the ends of a relay from a peer's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Manner {
    /// Bytes in the queue at which the reader stops reading; a frame that is under way is still finished.
    pub(crate) most_queued: usize,
    /// Without TLS: bytes are queued as they come, one read at a time, as if each read were a frame.
    pub(crate) queues_raw_bytes: bool,
    /// What happens is kept for the report.
    pub(crate) traced: bool,
}

impl Manner {
    /// A peer's connection.
    pub(crate) const PEER: Self = Self { most_queued: MOST_QUEUED, queues_raw_bytes: false, traced: true };
    /// One end of a relayed connection. The relay keeps a trace of its own.
    pub(crate) const RELAY: Self = Self { most_queued: MOST_QUEUED_TO_PASS_ON, queues_raw_bytes: true, traced: false };
}
