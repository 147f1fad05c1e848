//! An input made as small as it can be with the same outcome.

use std::time::{Duration, Instant};

/// How long it may take, and how many attempts.
const PATIENCE: Duration = Duration::from_secs(10);
const ATTEMPTS: usize = 4_000;

/// The smallest bytes found of which `fails` still says yes: without parts, then with plainer bytes.
pub(super) fn minimise(bytes: &[u8], mut fails: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let mut best = bytes.to_vec();
    let (end, mut attempts) = (Instant::now() + PATIENCE, 0);
    let mut fails = |bytes: &[u8]| {
        attempts += 1;
        attempts <= ATTEMPTS && Instant::now() < end && fails(bytes)
    };
    loop {
        let before = best.clone();
        let mut part = (best.len() / 2).max(1);
        loop {
            let mut start = 0;
            while start < best.len() {
                let until = (start + part).min(best.len());
                let less = [&best[..start], &best[until..]].concat();
                if fails(&less) {
                    best = less;
                } else {
                    start = until;
                }
            }
            if part == 1 {
                break;
            }
            part /= 2;
        }
        // Plainer: nothing, then the smallest, then a letter.
        for index in 0..best.len() {
            for plain in [0, 1, b'a'] {
                if best[index] <= plain {
                    break;
                }
                let mut plainer = best.clone();
                plainer[index] = plain;
                if fails(&plainer) {
                    best = plainer;
                    break;
                }
            }
        }
        if best == before {
            return best;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_is_left() {
        let bytes: Vec<u8> = (0..200).collect();
        let found = minimise(&bytes, |bytes| bytes.contains(&77) && bytes.contains(&150) && bytes.len() > 3);
        assert_eq!(found.len(), 4);
        assert!(found.contains(&77) && found.contains(&150));
        assert!(minimise(&[9, 9], |_| true).is_empty());
    }
}
