//! Randomness for nonces and challenges: from the system, by ring.

use ring::rand::{SecureRandom, SystemRandom};

/// So many fresh random bytes.
///
/// # Panics
/// Panics when the system has no randomness to give, without which nothing works.
#[must_use]
pub(crate) fn random_bytes(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    SystemRandom::new().fill(&mut bytes).expect("the system gives random bytes");
    bytes
}
