//! TLS on both sides: a self-signed certificate made at start, and a client that trusts nothing but the signature.

use std::sync::Arc;

use rcgen::{
    CertificateParams, DistinguishedName, DnType, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256, SignatureAlgorithm,
};
use rustls::{
    ClientConfig, DigitallySignedStruct, ProtocolVersion, ServerConfig, SignatureScheme, SupportedProtocolVersion,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
    server::danger::ClientCertVerifier,
};
use tokio::sync::Semaphore;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// What TLS is set up with. Only planted faults ever change it.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    /// The certificate's common name (FRAME-3).
    pub(crate) common_name: String,
    /// The certificate's key (FRAME-3).
    pub(crate) key: &'static SignatureAlgorithm,
    /// Who signs the certificate (FRAME-3).
    pub(crate) signer: Signer,
    /// The server name that the initiator sends; an IP address is not sent (FRAME-4).
    pub(crate) server_name: String,
    /// Versions that the acceptor accepts (FRAME-1).
    pub(crate) accepted: Vec<&'static SupportedProtocolVersion>,
    /// Versions that the initiator offers (FRAME-2).
    pub(crate) offered: Vec<&'static SupportedProtocolVersion>,
    /// Whether the initiator takes a certificate, now (FRAME-5).
    pub(crate) judge: fn(&CertificateDer<'_>, UnixTime) -> Result<(), rustls::Error>,
    /// Versions in which the initiator does not verify the handshake signature (FRAME-6).
    pub(crate) unverified: Vec<ProtocolVersion>,
    /// Asks clients for a certificate (FRAME-7).
    pub(crate) client_certificates: Option<Arc<dyn ClientCertVerifier>>,
    /// Accepted connections that may be in TLS's handshake at once (HS-30).
    pub(crate) turns: usize,
}

/// See [`Transport::signer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signer {
    Itself,
    #[allow(dead_code, reason = "for planted faults")]
    Authority,
}

impl Default for Transport {
    fn default() -> Self {
        Self {
            common_name: "snow-node".into(),
            key: &PKCS_ECDSA_P256_SHA256,
            signer: Signer::Itself,
            server_name: "snow-node".into(),
            accepted: vec![&rustls::version::TLS13, &rustls::version::TLS12],
            offered: vec![&rustls::version::TLS13, &rustls::version::TLS12],
            judge: |_, _| Ok(()),
            unverified: Vec::new(),
            client_certificates: None,
            turns: Semaphore::MAX_PERMITS,
        }
    }
}

/// Both roles, ready to use.
#[derive(Clone)]
pub(crate) struct Tls {
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) connector: TlsConnector,
    pub(crate) server_name: ServerName<'static>,
    /// To be held from TCP accept until TLS is up.
    pub(crate) turns: Arc<Semaphore>,
}

impl Tls {
    /// Makes a key pair and its certificate.
    ///
    /// # Errors
    /// When the provider cannot do what `transport` asks for.
    pub(crate) fn new(transport: &Transport) -> anyhow::Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let (certificate, key) = certificate(transport)?;

        let server =
            ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(&transport.accepted)?;
        let server = match &transport.client_certificates {
            None => server.with_no_client_auth(),
            Some(verifier) => server.with_client_cert_verifier(verifier.clone()),
        };
        let mut server = server.with_single_cert(vec![certificate], key.into())?;
        // Nobody resumes: each connection is to see the certificate and its signature.
        server.send_tls13_tickets = 0;

        let (judge, unverified) = (transport.judge, transport.unverified.clone());
        let mut client = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&transport.offered)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate { provider, judge, unverified }))
            .with_no_client_auth();
        client.resumption = Resumption::disabled();

        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(server)),
            connector: TlsConnector::from(Arc::new(client)),
            server_name: ServerName::try_from(transport.server_name.clone())?,
            turns: Arc::new(Semaphore::new(transport.turns)),
        })
    }
}

/// A fresh key and its certificate (FRAME-3).
fn certificate(transport: &Transport) -> anyhow::Result<(CertificateDer<'static>, PrivatePkcs8KeyDer<'static>)> {
    let key = KeyPair::generate_for(transport.key)?;
    let mut params = CertificateParams::new(vec![transport.common_name.clone()])?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, transport.common_name.as_str());
    let certificate = match transport.signer {
        Signer::Itself => params.self_signed(&key)?,
        Signer::Authority => {
            let authority = KeyPair::generate_for(transport.key)?;
            params.signed_by(&key, &Issuer::new(CertificateParams::default(), authority))?
        }
    };
    Ok((certificate.into(), key.serialize_der().into()))
}

/// Takes any certificate, whoever signed it, whatever its name and dates (FRAME-5), but has its key prove itself
/// (FRAME-6).
#[derive(Debug)]
struct AnyCertificate {
    provider: Arc<CryptoProvider>,
    judge: fn(&CertificateDer<'_>, UnixTime) -> Result<(), rustls::Error>,
    unverified: Vec<ProtocolVersion>,
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        (self.judge)(end_entity, now).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if self.unverified.contains(&ProtocolVersion::TLSv1_2) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if self.unverified.contains(&ProtocolVersion::TLSv1_3) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
