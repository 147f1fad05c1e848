//! The four messages that prove the cookie: NAME, CHALLENGE, REPLY, ACK.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{
    reader::{Malformed, Reader},
    writer::{TooLarge, Writer},
};

pub(crate) const NAME: u8 = 0x01;
pub(crate) const CHALLENGE: u8 = 0x02;
pub(crate) const REPLY: u8 = 0x03;
pub(crate) const ACK: u8 = 0x04;

/// 32 random bytes that the other side has to answer (HS-19, HS-20).
pub(crate) type Challenge = [u8; 32];

/// HMAC-SHA256 of a challenge under the cookie.
pub(crate) type Proof = [u8; 32];

/// NAME: the initiator says who it is. The creation is unchecked: 0 is refused by the node, not by the codec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name<'a> {
    pub(crate) name: &'a str,
    pub(crate) creation: u8,
}

impl<'a> Name<'a> {
    pub(crate) fn decode(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        Ok(Self { name: reader.string16()?, creation: reader.u8()? })
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, TooLarge> {
        let mut writer = Writer::new(NAME);
        writer.string16(self.name).u8(self.creation);
        writer.finish()
    }
}

/// CHALLENGE: the acceptor says who it is and asks for a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChallengeMessage<'a> {
    pub(crate) name: &'a str,
    pub(crate) creation: u8,
    pub(crate) challenge: Challenge,
}

impl<'a> ChallengeMessage<'a> {
    pub(crate) fn decode(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        Ok(Self { name: reader.string16()?, creation: reader.u8()?, challenge: reader.array()? })
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, TooLarge> {
        let mut writer = Writer::new(CHALLENGE);
        writer.string16(self.name).u8(self.creation).bytes(&self.challenge);
        writer.finish()
    }
}

/// REPLY: the initiator proves the cookie and asks for a proof in turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) proof: Proof,
    pub(crate) challenge: Challenge,
}

impl Reply {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { proof: reader.array()?, challenge: reader.array()? })
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, TooLarge> {
        let mut writer = Writer::new(REPLY);
        writer.bytes(&self.proof).bytes(&self.challenge);
        writer.finish()
    }
}

/// ACK: the acceptor proves the cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ack {
    pub(crate) proof: Proof,
}

impl Ack {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { proof: reader.array()? })
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, TooLarge> {
        let mut writer = Writer::new(ACK);
        writer.bytes(&self.proof);
        writer.finish()
    }
}

/// The secret that nodes of one cluster share: any non-empty bytes, all of which count (HS-17). Never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Cookie(Vec<u8>);

impl Cookie {
    /// `None` for an empty one (HS-18).
    pub(crate) fn new(bytes: Vec<u8>) -> Option<Self> {
        (!bytes.is_empty()).then_some(Self(bytes))
    }

    /// HMAC-SHA256(key = this cookie, data = challenge) (HS-7, HS-8).
    pub(crate) fn prove(&self, challenge: &Challenge) -> Proof {
        self.mac(challenge).finalize().into_bytes().into()
    }

    /// Whether `proof` answers `challenge`, compared in constant time (HS-11).
    pub(crate) fn verifies(&self, challenge: &Challenge, proof: &Proof) -> bool {
        self.mac(challenge).verify_slice(proof).is_ok()
    }

    fn mac(&self, challenge: &Challenge) -> Hmac<Sha256> {
        // HMAC takes keys of every length; its error type is for other MACs.
        #[allow(clippy::expect_used, reason = "HMAC accepts a key of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC accepts a key of any length");
        mac.update(challenge);
        mac
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cookie(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf '\x00\x01…\x1f' | openssl dgst -sha256 -mac hmac -macopt key:secret`
    const OF_0_TO_31: &str = "47860bcbb991426bea828dbf6097dff33339b093e3b9f61d9aef8a052f93e402";

    #[test]
    fn a_proof_verifies_under_its_cookie_only() {
        let challenge: Challenge = std::array::from_fn(|index| index as u8);
        let cookie = Cookie::new(b"secret".to_vec()).unwrap();
        let proof = cookie.prove(&challenge);
        assert_eq!(hex::encode(proof), OF_0_TO_31);
        assert!(cookie.verifies(&challenge, &proof));
        assert!(!cookie.verifies(&[1; 32], &proof));
        assert!(!Cookie::new(b"secre".to_vec()).unwrap().verifies(&challenge, &proof));
    }

    #[test]
    fn an_empty_cookie_is_none_and_none_is_shown() {
        assert_eq!(Cookie::new(Vec::new()), None);
        assert_eq!(format!("{:?}", Cookie::new(b"secret".to_vec()).unwrap()), "Cookie(..)");
    }
}
