//! Randomness from rustls's provider, which takes it from the operating system (HS-20).

use rustls::crypto::{SecureRandom, ring};

use crate::node::Entropy;

/// A cryptographically secure source.
#[derive(Debug)]
pub(crate) struct SecureEntropy(&'static dyn SecureRandom);

impl SecureEntropy {
    pub(crate) fn new() -> Self {
        Self(ring::default_provider().secure_random)
    }
}

impl Entropy for SecureEntropy {
    fn fill(&mut self, bytes: &mut [u8]) {
        // Without randomness no challenge may be sent, and nothing else is left to do for a node.
        if self.0.fill(bytes).is_err() {
            tracing::error!("the operating system gives no randomness");
            std::process::abort();
        }
    }
}
