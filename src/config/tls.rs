//! `tls = { cert, key }`: the files read, found to fit each other and the time. Knows no sockets.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;

use super::raw::RawTls;
use super::source::Source;
use super::surroundings::Surroundings;
use crate::domain::clock::Timestamp;

/// Why a certificate or its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    #[error("cannot read `{path}`: {error}")]
    Unreadable {
        path: String,
        #[source]
        error: io::Error,
    },
    #[error("`{path}` is no PEM file: {error}")]
    NoPem {
        path: String,
        #[source]
        error: pem::Error,
    },
    #[error("`{0}` holds no certificate; it must have the whole chain in PEM, the server's first")]
    NoCertificate(String),
    #[error("`{0}` holds no certificate; it must have those of the authorities in PEM")]
    NoRoot(String),
    #[error("`{0}` holds no private key; it must have one in PEM")]
    NoKey(String),
    #[error("`{0}` holds something that is no X.509 certificate")]
    NoX509(String),
    #[error("the certificate of `{path}` has expired on {at}; renew it")]
    Expired { path: String, at: ASN1Time },
    #[error("the certificate of `{path}` is not valid before {at}; is the clock right?")]
    TooEarly { path: String, at: ASN1Time },
    #[error("`{path}` does not fit the certificate: {error}")]
    Mismatch {
        path: String,
        #[source]
        error: rustls::Error,
    },
}

pub(super) fn plan(
    raw: RawTls,
    source: &Source<'_>,
    surroundings: &Surroundings,
) -> Option<ServerConfig> {
    let chain = source.accept(raw.cert, |path| {
        read_chain(path, &source.beside(path), surroundings.now)
    });
    let key_place = raw.key.clone();
    let key = source.accept(raw.key, |path| read_key(path, &source.beside(path)));
    let (chain, key) = chain.zip(key)?;
    source.accept(key_place, |path| serve_with(chain, key, path))
}

fn read_chain(
    path: &str,
    file: &Path,
    now: Timestamp,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(path, file)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| no_pem(path, error))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(path.to_owned()));
    }
    for certificate in &chain {
        check_time(certificate, path, now)?;
    }
    Ok(chain)
}

fn check_time(der: &CertificateDer<'_>, path: &str, now: Timestamp) -> Result<(), TlsError> {
    let path = path.to_owned();
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return Err(TlsError::NoX509(path));
    };
    let validity = certificate.validity();
    let seconds = Duration::from_millis(now.as_millis()).as_secs();
    let now = i64::try_from(seconds).unwrap_or(i64::MAX);
    if now > validity.not_after.timestamp() {
        let at = validity.not_after;
        return Err(TlsError::Expired { path, at });
    }
    if now < validity.not_before.timestamp() {
        let at = validity.not_before;
        return Err(TlsError::TooEarly { path, at });
    }
    Ok(())
}

fn read_key(path: &str, file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let pem = read(path, file)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::NoKey(path.to_owned()),
        other => no_pem(path, other),
    })
}

fn serve_with(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    path: &str,
) -> Result<ServerConfig, TlsError> {
    let mismatch = |error| TlsError::Mismatch {
        path: path.to_owned(),
        error,
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(mismatch)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(mismatch)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The certificates in a file, whatever the time.
pub(super) fn read_roots(
    path: &str,
    file: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(path, file)?;
    let roots: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| no_pem(path, error))?;
    if roots.is_empty() {
        return Err(TlsError::NoRoot(path.to_owned()));
    }
    Ok(roots)
}

fn read(path: &str, file: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(file).map_err(|error| TlsError::Unreadable {
        path: path.to_owned(),
        error,
    })
}

fn no_pem(path: &str, error: pem::Error) -> TlsError {
    TlsError::NoPem {
        path: path.to_owned(),
        error,
    }
}
