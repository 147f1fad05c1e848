//! How often a supervisor may restart children before it gives up.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// The restarts of the last while.
#[derive(Clone, Debug)]
pub(super) struct Intensity {
    max_restarts: usize,
    period: Duration,
    restarts: VecDeque<Instant>,
}

impl Intensity {
    pub(super) fn new(max_restarts: usize, period: Duration) -> Self {
        Self { max_restarts, period, restarts: VecDeque::new() }
    }

    /// Counts a restart at `now`; false when it is one too many (SUP-14, SUP-15).
    pub(super) fn count(&mut self, now: Instant) -> bool {
        while self.restarts.front().is_some_and(|first| now.duration_since(*first) > self.period) {
            self.restarts.pop_front();
        }
        let allowed = self.restarts.len() < self.max_restarts;
        if allowed {
            self.restarts.push_back(now);
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_window_holds_so_many_restarts_and_no_more() {
        let start = Instant::now();
        let mut intensity = Intensity::new(2, Duration::from_secs(10));
        let mut at = |second: u64| intensity.count(start + Duration::from_secs(second));
        assert!(at(0) && at(6));
        assert!(!at(9), "0 and 6 are within 10 s of 9");
        assert!(at(11), "0 is not within 10 s of 11");
        assert!(!at(16) && at(17));
        assert!(!Intensity::new(0, Duration::from_secs(10)).count(start));
    }
}
