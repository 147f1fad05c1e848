//! TLS settings of a scripted peer in both roles, and the handshake itself. No threads: a handshake runs in its caller.

use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, ServerConfig, ServerConnection, SignatureScheme,
    SupportedProtocolVersion,
};

use super::SERVER_NAME;
use super::certificate::Certificate;
use super::dial::ConnectError;

/// Which versions of TLS a peer offers or accepts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum TlsVersion {
    /// TLS 1.2 and no other.
    V12,
    /// TLS 1.3 and no other.
    V13,
    /// Either; two that both can will use 1.3.
    #[default]
    Any,
}

impl TlsVersion {
    fn supported(self) -> &'static [&'static SupportedProtocolVersion] {
        static ONLY_12: [&SupportedProtocolVersion; 1] = [&TLS12];
        static ONLY_13: [&SupportedProtocolVersion; 1] = [&TLS13];
        static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
        match self {
            Self::V12 => &ONLY_12,
            Self::V13 => &ONLY_13,
            Self::Any => &BOTH,
        }
    }
}

/// The connecting side, as a node does it: no chain, name or dates are checked, but the handshake's signature is.
/// The flag becomes true when the other side asks for a client certificate.
pub(crate) fn client(
    versions: TlsVersion,
    server_name: Option<&str>,
) -> Result<(rustls::Connection, Arc<AtomicBool>), ConnectError> {
    let harness = |error: &dyn std::fmt::Display| ConnectError::Harness(error.to_string());
    let asked = Arc::new(AtomicBool::new(false));
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions.supported())
        .map_err(|error| harness(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(SignatureOnly { provider }))
        .with_client_cert_resolver(Arc::new(NoClientCertificate { asked: asked.clone() }));
    config.enable_sni = server_name.is_some();
    let name = ServerName::try_from(server_name.unwrap_or(SERVER_NAME).to_owned()).map_err(|error| harness(&error))?;
    let client = ClientConnection::new(Arc::new(config), name).map_err(|error| harness(&error))?;
    Ok((rustls::Connection::Client(client), asked))
}

/// The accepting side, with the given certificate. It asks for no client certificate.
pub(crate) fn server(versions: TlsVersion, certificate: Certificate) -> Result<rustls::Connection, ConnectError> {
    let harness = |error: &dyn std::fmt::Display| ConnectError::Harness(error.to_string());
    let key = certificate.certified_key().map_err(|error| harness(&error))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions.supported())
        .map_err(|error| harness(&error))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Always(key)));
    let server = ServerConnection::new(Arc::new(config)).map_err(|error| harness(&error))?;
    Ok(rustls::Connection::Server(server))
}

/// Brings the TLS handshake to its end and hands all that this side has to say in it to the kernel.
pub(crate) fn handshake(
    tls: &mut rustls::Connection,
    mut stream: &TcpStream,
    deadline: Instant,
) -> Result<(), ConnectError> {
    while tls.is_handshaking() || tls.wants_write() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ConnectError::TimedOut { awaited: "the TLS handshake" });
        }
        if tls.wants_write() {
            stream.set_write_timeout(Some(left)).map_err(during_handshake)?;
            tls.write_tls(&mut stream).map_err(during_handshake)?;
            continue;
        }
        stream.set_read_timeout(Some(left)).map_err(during_handshake)?;
        if tls.read_tls(&mut stream).map_err(during_handshake)? == 0 {
            return Err(ConnectError::Closed);
        }
        if let Err(error) = tls.process_new_packets() {
            // The alert is a courtesy to the other side; whether it can be written changes nothing here.
            let _ = stream.set_write_timeout(Some(Duration::from_millis(100)));
            let _ = tls.write_tls(&mut stream);
            return Err(match error {
                rustls::Error::AlertReceived(alert) => ConnectError::Alert(format!("{alert:?}")),
                error => ConnectError::Tls(error.to_string()),
            });
        }
    }
    Ok(())
}

fn during_handshake(error: io::Error) -> ConnectError {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => ConnectError::TimedOut { awaited: "the TLS handshake" },
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => ConnectError::Reset,
        _ => ConnectError::Io(error.to_string()),
    }
}

/// Believes any certificate, but makes the other side prove that it holds the certificate's key.
#[derive(Debug)]
struct SignatureOnly {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for SignatureOnly {
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
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Has no client certificate, and remembers that it was asked for one.
#[derive(Debug)]
struct NoClientCertificate {
    asked: Arc<AtomicBool>,
}

impl ResolvesClientCert for NoClientCertificate {
    fn resolve(&self, _issuers: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

/// Presents the same certificate whatever name is asked for.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}
