//! The certificates that a scripted peer presents: the good one, and those that test what a node checks.

use std::sync::{Arc, OnceLock};

use rcgen::{
    CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384,
    date_time_ymd,
};
use rustls::crypto::ring::sign::any_ecdsa_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

use super::SERVER_NAME;

/// Which certificate an accepting peer presents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Certificate {
    /// As a node makes it: self-signed, ECDSA P-256, CN `snow-node`. A node connects.
    #[default]
    Good,
    /// Like `Good`, but its dates have passed. A node connects all the same.
    Expired,
    /// Like `Good`, but for another name. A node connects all the same.
    WrongName,
    /// Like `Good`, but with a key on curve P-384. Nothing demands that a node accept it.
    OtherCurve,
    /// The good certificate, but the handshake is signed with another key. A node must not connect.
    ForeignKey,
}

/// Certificates are the same for the whole run: making them costs more than a handshake.
static MADE: [OnceLock<Result<Arc<CertifiedKey>, String>>; 5] = [const { OnceLock::new() }; 5];

impl Certificate {
    /// The certificate chain, with the key that the peer signs with. The error is a text: it can only be the harness's.
    pub(crate) fn certified_key(self) -> Result<Arc<CertifiedKey>, String> {
        MADE[self as usize].get_or_init(|| self.make().map(Arc::new)).clone()
    }

    fn make(self) -> Result<CertifiedKey, String> {
        let algorithm = match self {
            Self::OtherCurve => &PKCS_ECDSA_P384_SHA384,
            _ => &PKCS_ECDSA_P256_SHA256,
        };
        let own = KeyPair::generate_for(algorithm).map_err(|error| error.to_string())?;
        let certificate = self.parameters()?.self_signed(&own).map_err(|error| error.to_string())?;
        let signing = match self {
            Self::ForeignKey => KeyPair::generate_for(algorithm).map_err(|error| error.to_string())?,
            _ => own,
        };
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing.serialize_der()));
        let signer = any_ecdsa_type(&private).map_err(|error| error.to_string())?;
        // Not `CertifiedKey::from_der`: that would find out that the foreign key does not match.
        Ok(CertifiedKey::new(vec![CertificateDer::from(certificate.der().to_vec())], signer))
    }

    fn parameters(self) -> Result<CertificateParams, String> {
        let name = match self {
            Self::WrongName => "somebody-else",
            _ => SERVER_NAME,
        };
        let mut parameters = CertificateParams::new([name.to_owned()]).map_err(|error| error.to_string())?;
        parameters.distinguished_name = DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, name);
        if self == Self::Expired {
            parameters.not_before = date_time_ymd(2000, 1, 1);
            parameters.not_after = date_time_ymd(2001, 1, 1);
        }
        Ok(parameters)
    }
}
