//! A value that threads share and wait on: the one place where a mutex meets a condition variable.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A value behind a lock whose changes wake whoever waits for them.
///
/// A panic while the lock is held does not spread: every change leaves the value whole, so the next holder may go
/// on, and the panicking case is the one that is reported.
#[derive(Debug, Default)]
pub(crate) struct Watched<T> {
    value: Mutex<T>,
    changed: Condvar,
}

impl<T> Watched<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: Mutex::new(value), changed: Condvar::new() }
    }

    /// The value, to look at. What changes it uses [`Watched::change`], or nobody wakes.
    pub(crate) fn look(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the value and wakes all who wait.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = change(&mut self.look());
        self.changed.notify_all();
        result
    }

    /// Waits until `test` finds what it looks for. For threads that end only when told to, through the value itself.
    pub(crate) fn wait<R>(&self, mut test: impl FnMut(&mut T) -> Option<R>) -> R {
        let mut value = self.look();
        loop {
            if let Some(found) = test(&mut value) {
                return found;
            }
            value = self.changed.wait(value).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until `test` finds what it looks for, or until `deadline`: then `None`. Tests at least once.
    pub(crate) fn wait_until<R>(&self, deadline: Instant, mut test: impl FnMut(&mut T) -> Option<R>) -> Option<R> {
        let mut value = self.look();
        loop {
            if let Some(found) = test(&mut value) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            value = self.changed.wait_timeout(value, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
