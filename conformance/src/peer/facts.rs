//! What TLS tells about the other side: version, server name, certificate.

use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use thiserror::Error;
use x509_parser::oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_SIG_ECDSA_WITH_SHA256};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::tls::TlsVersion;

/// What came out of one TLS handshake.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFacts {
    /// The version agreed on, never [`TlsVersion::Any`]; `None` on a connection without TLS.
    pub version: Option<TlsVersion>,
    /// Accepting side: the server name (SNI) that the other side sent.
    pub server_name: Option<String>,
    /// Connecting side: the other side asked for a client certificate. It was given none.
    pub client_certificate_asked: bool,
    /// Connecting side: the other side's certificate, DER.
    pub certificate: Option<Vec<u8>>,
}

/// What a certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The subject's common name.
    pub common_name: Option<String>,
    /// Issuer and subject are the same and, for a P-256 key, the signature is by its own key. Signatures by other
    /// kinds of keys are not verified: a certificate with such a key is wrong anyway.
    pub self_signed: bool,
    /// The key is an ECDSA key on curve P-256.
    pub p256: bool,
}

/// The certificate cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the node's certificate is not readable X.509 ({0}); look at it with `openssl x509 -inform der -text`")]
pub struct CertificateError(String);

/// Reads a certificate in DER. Fails if it is no X.509.
pub fn inspect_certificate(der: &[u8]) -> Result<CertificateFacts, CertificateError> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|error| CertificateError(error.to_string()))?;
    let key = certificate.public_key();
    let curve = key.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    let p256 = key.algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY && curve == Some(OID_EC_P256);
    let common_name =
        certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok()).map(str::to_owned);
    let signed_by_itself = !p256
        || certificate.signature_algorithm.algorithm != OID_SIG_ECDSA_WITH_SHA256
        || UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &key.subject_public_key.data)
            .verify(certificate.tbs_certificate.as_ref(), &certificate.signature_value.data)
            .is_ok();
    Ok(CertificateFacts {
        common_name,
        self_signed: certificate.subject() == certificate.issuer() && signed_by_itself,
        p256,
    })
}
