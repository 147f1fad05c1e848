//! A snapshot of the table on its way to a new peer, turned into frames only as the connection drains.

use std::{fmt, sync::Arc, vec};

use super::registry::Entry;
use crate::wire::{NodeName, registry::GlobalSync};

/// The table as it stood when the session began (MEM-2). Entries are shared with the registry; frames are made one at
/// a time, each as full as 16 MiB allows (REG-16).
#[derive(Clone)]
pub(crate) struct SyncStream {
    own: NodeName,
    entries: vec::IntoIter<Arc<Entry>>,
}

impl SyncStream {
    pub(crate) fn new(own: NodeName, entries: Vec<Arc<Entry>>) -> Self {
        Self { own, entries: entries.into_iter() }
    }
}

impl Iterator for SyncStream {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let own = &self.own;
        let rest = self.entries.as_slice();
        let count = GlobalSync::fitting(rest.iter().map(|entry| entry.on_wire(own)));
        let entries: Vec<_> = rest.iter().take(count).map(|entry| entry.on_wire(own)).collect();
        if entries.is_empty() {
            return None;
        }
        let frame = GlobalSync { entries }.encode().ok()?;
        self.entries.by_ref().take(count).for_each(drop);
        Some(frame)
    }
}

impl fmt::Debug for SyncStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SyncStream({} entries)", self.entries.len())
    }
}
