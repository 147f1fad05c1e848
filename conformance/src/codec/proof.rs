//! The proof that a node knows the cookie (HS-7, HS-8).

use ring::hmac;

/// How many bytes a proof takes, and a challenge as well.
pub const PROOF_BYTES: usize = 32;

/// HMAC-SHA256 of the challenge under the cookie, which may be any bytes.
pub fn proof(cookie: &[u8], challenge: &[u8]) -> [u8; PROOF_BYTES] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, cookie);
    let mut proof = [0; PROOF_BYTES];
    proof.copy_from_slice(hmac::sign(&key, challenge).as_ref());
    proof
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_4231_test_case_2() {
        assert_eq!(
            hex::encode(proof(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
