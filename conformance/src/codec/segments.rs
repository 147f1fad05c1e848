//! Segments as they come about: one a field, but for the items of a long list, of which only the first have segments of their own.

use std::fmt;

use super::message::Segment;

/// So many items of a list have segments; those behind are one. More than any message of a case has, fewer than a term may have.
pub(super) const ITEMS: usize = 100_000;

/// The segments so far.
#[derive(Debug, Default)]
pub(super) struct Segments {
    done: Vec<Segment>,
    /// The bytes of items that have no segments, while one of them is being coded.
    many: Option<Vec<u8>>,
}

impl Segments {
    /// The next bytes. Name and meaning are asked for only where they are kept.
    pub(super) fn push(&mut self, field: impl fmt::Display, bytes: &[u8], meaning: impl FnOnce() -> String) {
        match &mut self.many {
            Some(many) => many.extend_from_slice(bytes),
            None => {
                self.done.push(Segment { field: field.to_string(), bytes: bytes.to_vec(), meaning: meaning() });
            }
        }
    }

    /// From here on items have no segments. Says whether it is the caller who has to [`Self::join`] them.
    pub(super) fn part(&mut self) -> bool {
        let first = self.many.is_none();
        self.many.get_or_insert_default();
        first
    }

    /// The items since [`Self::part`] are one segment.
    pub(super) fn join(&mut self, field: impl fmt::Display, meaning: impl FnOnce() -> String) {
        if let Some(bytes) = self.many.take() {
            self.push(field, &bytes, meaning);
        }
    }

    /// All of them, also where reading ended among the items of a long list.
    pub(super) fn finish(mut self) -> Vec<Segment> {
        self.join("…", || "more items".to_owned());
        self.done
    }
}
