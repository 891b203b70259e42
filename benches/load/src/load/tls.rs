//! What the generator offers under TLS, and what came of it. Knows nothing of sockets.
//!
//! It offers TLS 1.3 with one suite and one group, those that phones and browsers ask for first, so that all subjects
//! agree on the same.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::TLS13;
use rustls::{
    CertificateError, CipherSuite, ClientConfig, ClientConnection, DigitallySignedStruct, Error,
    HandshakeKind, NamedGroup, SignatureScheme,
};

/// The name that certificates of a measurement have.
pub const SERVER_NAME: &str = "localhost";
/// As ALPN has it.
const HTTP_2: &[u8] = b"h2";
const HTTP_1_1: &[u8] = b"http/1.1";

/// What is offered beside the one suite and the one group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Offer {
    /// Whether HTTP/2, and nothing else, instead of HTTP/1.1.
    pub is_http2: bool,
    /// Whether a session of before, where there is one.
    pub resumes: bool,
}

/// What both sides have agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    suite: CipherSuite,
    group: NamedGroup,
    is_resumed: bool,
    is_http2: bool,
}

/// TLS for clients that trust the one certificate in `file`.
///
/// # Errors
///
/// There is none.
pub fn trust(file: &Path, offer: Offer) -> io::Result<Arc<ClientConfig>> {
    let provider = CryptoProvider {
        cipher_suites: vec![ring::cipher_suite::TLS13_AES_128_GCM_SHA256],
        kx_groups: vec![ring::kx_group::X25519],
        ..ring::default_provider()
    };
    let only = Only {
        certificate: CertificateDer::from_pem_file(file).map_err(io::Error::other)?,
    };
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS13])
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(only))
        .with_no_client_auth();
    let protocol = if offer.is_http2 { HTTP_2 } else { HTTP_1_1 };
    config.alpn_protocols = vec![protocol.to_vec()];
    if !offer.resumes {
        config.resumption = Resumption::disabled();
    }
    Ok(Arc::new(config))
}

impl Offer {
    /// What comes of it where the other side takes all of it.
    #[must_use]
    pub fn taken(self) -> Terms {
        Terms {
            suite: CipherSuite::TLS13_AES_128_GCM_SHA256,
            group: NamedGroup::X25519,
            is_resumed: self.resumes,
            is_http2: self.is_http2,
        }
    }
}

impl Terms {
    /// Those of `tls`, once its handshake is done.
    pub(super) fn of(tls: &ClientConnection) -> Option<Self> {
        Some(Self {
            suite: tls.negotiated_cipher_suite()?.suite(),
            group: tls.negotiated_key_exchange_group()?.name(),
            is_resumed: tls.handshake_kind()? == HandshakeKind::Resumed,
            is_http2: tls.alpn_protocol() == Some(HTTP_2),
        })
    }
}

impl Display for Terms {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let protocol = if self.is_http2 { "h2" } else { "http/1.1" };
        let kind = if self.is_resumed { "resumed" } else { "full" };
        let (suite, group) = (self.suite, self.group);
        write!(f, "{suite:?}, {group:?}, {kind} handshake, {protocol}")
    }
}

/// The one certificate that is right. The signature of a handshake is not verified: that takes longer than to make it,
/// and would leave the generator no room beside the proxy that it measures.
#[derive(Debug)]
struct Only {
    certificate: CertificateDer<'static>,
}

impl ServerCertVerifier for Only {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if *end_entity == self.certificate {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::UnknownIssuer.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("only TLS 1.3 is offered".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}
