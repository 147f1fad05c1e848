//! TLS on both sides: a self-signed certificate made at start, and a client that trusts nothing but the signature.

use std::sync::Arc;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::{
    ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// What TLS is set up with. Only planted faults ever change it.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    /// The certificate's common name (FRAME-3).
    pub(crate) common_name: String,
    /// The server name that the initiator sends (FRAME-4).
    pub(crate) server_name: String,
    /// Versions offered and accepted (FRAME-1, FRAME-2).
    pub(crate) versions: Vec<&'static rustls::SupportedProtocolVersion>,
    /// Whether the initiator verifies the handshake signature (FRAME-6).
    pub(crate) signature: SignatureCheck,
}

/// See [`Transport::signature`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureCheck {
    Verified,
    #[allow(dead_code, reason = "for planted faults")]
    Skipped,
}

impl Default for Transport {
    fn default() -> Self {
        Self {
            common_name: "snow-node".into(),
            server_name: "snow-node".into(),
            versions: vec![&rustls::version::TLS13, &rustls::version::TLS12],
            signature: SignatureCheck::Verified,
        }
    }
}

/// Both roles, ready to use.
#[derive(Clone)]
pub(crate) struct Tls {
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) connector: TlsConnector,
    pub(crate) server_name: ServerName<'static>,
}

impl Tls {
    /// Makes a key pair and its certificate.
    ///
    /// # Errors
    /// When the provider cannot do what `transport` asks for.
    pub(crate) fn new(transport: &Transport) -> anyhow::Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(vec![transport.common_name.clone()])?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, transport.common_name.as_str());
        let certificate = params.self_signed(&key)?;

        let mut server = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&transport.versions)?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())?;
        // Nobody resumes: each connection is to see the certificate and its signature.
        server.send_tls13_tickets = 0;

        let mut client = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&transport.versions)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate { provider, check: transport.signature }))
            .with_no_client_auth();
        client.resumption = Resumption::disabled();

        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(server)),
            connector: TlsConnector::from(Arc::new(client)),
            server_name: ServerName::try_from(transport.server_name.clone())?,
        })
    }
}

/// Takes any certificate, whoever signed it, whatever its name and dates (FRAME-5), but has its key prove itself
/// (FRAME-6).
#[derive(Debug)]
struct AnyCertificate {
    provider: Arc<CryptoProvider>,
    check: SignatureCheck,
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        match self.check {
            SignatureCheck::Skipped => Ok(HandshakeSignatureValid::assertion()),
            SignatureCheck::Verified => {
                let algorithms = &self.provider.signature_verification_algorithms;
                verify_tls12_signature(message, certificate, signed, algorithms)
            }
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        match self.check {
            SignatureCheck::Skipped => Ok(HandshakeSignatureValid::assertion()),
            SignatureCheck::Verified => {
                let algorithms = &self.provider.signature_verification_algorithms;
                verify_tls13_signature(message, certificate, signed, algorithms)
            }
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
