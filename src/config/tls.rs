//! `tls = { cert, key }`, or a list of them: the files read, found to fit each other and the time. Knows no sockets.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;

use super::certificates::{
    CertificateError, Certificates, NamedFile, Pair, certify, read_chain, read_key,
};
use super::plan::TlsPlan;
use super::raw::{RawFile, RawTls};
use super::secret::{SecretError, credential};
use super::source::{Place, Source};
use super::surroundings::Surroundings;

/// Why clients cannot be served under TLS.
#[derive(Debug, thiserror::Error)]
enum TlsError {
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error("TLS cannot be had: {0}")]
    Library(#[from] rustls::Error),
}

pub(super) fn plan(
    raw: Vec<RawTls>,
    source: &Source<'_>,
    surroundings: &Surroundings,
) -> Option<TlsPlan> {
    let place = raw.first()?.place;
    let count = raw.len();
    let pairs = raw.into_iter();
    let pairs: Vec<_> = pairs
        .filter_map(|raw| pair(raw, source, surroundings))
        .collect();
    if pairs.len() < count {
        return None;
    }
    let serve = || -> Result<_, TlsError> { serve(Certificates::read(pairs, surroundings.now)?) };
    serve().map_err(|error| source.problem(place, error)).ok()
}

/// A certificate and its key, if they can be served.
fn pair(raw: RawTls, source: &Source<'_>, surroundings: &Surroundings) -> Option<Pair> {
    let key_place = raw.key.as_ref().map(RawFile::place);
    let cert = raw.cert.and_then(|raw| file(raw, source, surroundings));
    let key = raw.key.and_then(|raw| file(raw, source, surroundings));
    let read_cert = |file: &NamedFile| read_chain(&file.name, &file.read()?, surroundings.now);
    let chain =
        cert.and_then(|(place, file)| Some((noted(source, place, read_cert(&file))?, file)));
    let read_key = |file: &NamedFile| read_key(&file.name, &file.read()?);
    let key = key.and_then(|(place, file)| Some((noted(source, place, read_key(&file))?, file)));
    let ((chain, cert), (key, key_file)) = chain.zip(key)?;
    noted(source, key_place?, certify(&key_file.name, chain, key))?;
    Some(Pair {
        cert,
        key: key_file,
    })
}

/// What was read; why it could not be, is a problem of `place`.
fn noted<T>(source: &Source<'_>, place: Place, read: Result<T, CertificateError>) -> Option<T> {
    read.map_err(|error| source.problem(place, error)).ok()
}

fn file(
    raw: RawFile,
    source: &Source<'_>,
    surroundings: &Surroundings,
) -> Option<(Place, NamedFile)> {
    let place = raw.place();
    let (written, path) = match raw {
        RawFile::Path(written) => {
            let path = source.beside(&written.value);
            (written, path)
        }
        RawFile::Credential(written) => {
            let found =
                |name: &str| -> Result<PathBuf, SecretError> { credential(name, surroundings) };
            let path = source.accept(written.clone(), found)?;
            (written, path)
        }
    };
    let name = written.value;
    Some((place, NamedFile { name, path }))
}

fn serve(certificates: Certificates) -> Result<TlsPlan, TlsError> {
    let certificates = Arc::new(certificates);
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::<Certificates>::clone(&certificates));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Sessions are resumed by tickets, which every worker can read and nothing need be kept for.
    config.ticketer = ring::Ticketer::new()?;
    Ok(TlsPlan {
        config: Arc::new(config),
        certificates,
    })
}
