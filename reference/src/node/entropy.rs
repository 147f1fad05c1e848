//! Where the pure node's randomness comes from: it is handed in, like the time.

/// A source of bytes. In production it is cryptographically secure (HS-20); in tests it counts.
pub(crate) trait Entropy {
    /// Overwrites all of `bytes`.
    fn fill(&mut self, bytes: &mut [u8]);
}

/// `N` fresh bytes.
pub(super) fn fresh<const N: usize>(entropy: &mut dyn Entropy) -> [u8; N] {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes);
    bytes
}
