//! What waits to be written to one connection: bounded by bytes, with next to no overhead for small frames.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::{
    node::SyncStream,
    wire::{
        Payload,
        framing::{HEADER, header},
    },
};

/// Bytes that may wait before a peer that does not read is cut off (MEM-38).
pub(super) const PATIENCE: usize = 32 * 1_024 * 1_024;

/// Frames up to this many bytes are copied together, so that a flood of small ones costs its bytes and no more.
const SMALL: usize = 4_096;

/// Where copied frames stop being added to one piece.
const PIECE: usize = 64 * 1_024;

/// The next thing to write.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Whole frames, headers included.
    Frames(Vec<u8>),
    /// One payload, its header not included.
    Payload(Payload),
    /// Frames that are made only now.
    Sync(SyncStream),
}

/// More than the outbox has patience for waits already.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

/// A queue with one writer and one reader. The lock is held for no longer than a push or a pop.
#[derive(Debug)]
pub(crate) struct Outbox {
    /// Bytes that may wait.
    patience: usize,
    queue: Mutex<Queue>,
    pushed: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    pieces: VecDeque<Piece>,
    waiting: usize,
}

impl Outbox {
    /// An empty one in which `patience` bytes may wait, and the frame that goes beyond.
    pub(crate) fn new(patience: usize) -> Self {
        Self { patience, queue: Mutex::default(), pushed: Notify::new() }
    }

    /// Queues one frame.
    ///
    /// # Errors
    /// [`Overflow`]; nothing was queued.
    pub(crate) fn push(&self, payload: Payload) -> Result<(), Overflow> {
        let mut queue = self.lock();
        if queue.waiting > self.patience {
            return Err(Overflow);
        }
        queue.waiting += HEADER + payload.len();
        queue.add(payload);
        drop(queue);
        self.pushed.notify_one();
        Ok(())
    }

    /// Queues a table, which does not count towards the bound.
    pub(crate) fn push_sync(&self, stream: SyncStream) {
        self.lock().pieces.push_back(Piece::Sync(stream));
        self.pushed.notify_one();
    }

    pub(crate) fn pop(&self) -> Option<Piece> {
        let mut queue = self.lock();
        let piece = queue.pieces.pop_front()?;
        queue.waiting -= match &piece {
            Piece::Frames(bytes) => bytes.len(),
            Piece::Payload(payload) => HEADER + payload.len(),
            Piece::Sync(_) => 0,
        };
        Some(piece)
    }

    /// Returns when something may have been pushed since the last [`Outbox::pop`] that found nothing.
    pub(crate) async fn pushed(&self) {
        self.pushed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while it is held; a poisoned queue is still a queue.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn add(&mut self, payload: Payload) {
        if payload.len() > SMALL {
            return self.pieces.push_back(Piece::Payload(payload));
        }
        if !matches!(self.pieces.back(), Some(Piece::Frames(bytes)) if bytes.len() < PIECE) {
            self.pieces.push_back(Piece::Frames(Vec::new()));
        }
        if let Some(Piece::Frames(bytes)) = self.pieces.back_mut() {
            bytes.extend_from_slice(&header(payload.len()));
            bytes.extend_from_slice(&payload);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_frames_share_a_piece_and_order_is_kept() {
        let outbox = Outbox::new(PATIENCE);
        for payload in [&b"a"[..], b"bc", &[7; 5_000], b"d"] {
            outbox.push(payload.into()).unwrap();
        }
        assert!(matches!(outbox.pop(), Some(Piece::Frames(bytes)) if bytes == b"\x01\0\0\0a\x02\0\0\0bc"));
        assert!(matches!(outbox.pop(), Some(Piece::Payload(payload)) if payload.len() == 5_000));
        assert!(matches!(outbox.pop(), Some(Piece::Frames(bytes)) if bytes == b"\x01\0\0\0d"));
        assert!(outbox.pop().is_none());
        assert_eq!(outbox.lock().waiting, 0);
    }

    #[test]
    fn patience_is_at_least_32_mib_and_at_most_one_frame_more() {
        let outbox = Outbox::new(PATIENCE);
        let payload: Payload = vec![0; 1_024 * 1_024].into();
        let mut queued = 0;
        while outbox.push(payload.clone()).is_ok() {
            queued += payload.len();
        }
        assert!((PATIENCE..PATIENCE + 2 * payload.len()).contains(&queued));
    }
}
