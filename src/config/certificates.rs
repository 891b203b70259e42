//! The certificates that clients are shown: which for which name, and anew when their files change. Knows no sockets.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;

use crate::domain::clock::Timestamp;

/// Why a certificate or its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// There is no such file, or it may not be read.
    #[error("cannot read `{path}`: {error}")]
    Unreadable {
        /// As the config calls it.
        path: String,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// What should be PEM is something else.
    #[error("`{path}` is no PEM file: {error}")]
    NoPem {
        /// As the config calls it.
        path: String,
        /// What is wrong.
        #[source]
        error: pem::Error,
    },
    /// No certificate is in it.
    #[error("`{0}` holds no certificate; it must have the whole chain in PEM, the server's first")]
    NoCertificate(String),
    /// No authority's certificate is in it.
    #[error("`{0}` holds no certificate; it must have those of the authorities in PEM")]
    NoRoot(String),
    /// No key is in it.
    #[error("`{0}` holds no private key; it must have one in PEM")]
    NoKey(String),
    /// Something in it is no certificate.
    #[error("`{0}` holds something that is no X.509 certificate")]
    NoX509(String),
    /// It was valid.
    #[error("the certificate of `{path}` has expired on {at}; renew it")]
    Expired {
        /// As the config calls it.
        path: String,
        /// Since when.
        at: ASN1Time,
    },
    /// It will be valid.
    #[error("the certificate of `{path}` is not valid before {at}; is the clock right?")]
    TooEarly {
        /// As the config calls it.
        path: String,
        /// From when on.
        at: ASN1Time,
    },
    /// The key is that of another certificate.
    #[error("`{path}` does not fit the certificate: {error}")]
    Mismatch {
        /// The key's file, as the config calls it.
        path: String,
        /// What does not fit.
        #[source]
        error: rustls::Error,
    },
}

/// A file as the config calls it and as the system does.
#[derive(Clone, Debug)]
pub(super) struct NamedFile {
    pub(super) name: String,
    pub(super) path: PathBuf,
}

/// The files of a certificate and its key.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) cert: NamedFile,
    pub(super) key: NamedFile,
}

/// All certificates, of which each client is shown the one for the name that it asks for; the first for any other name.
#[derive(Debug)]
pub struct Certificates {
    pairs: Vec<Pair>,
    served: RwLock<Arc<Served>>,
}

/// What is shown at a time.
#[derive(Debug)]
struct Served {
    /// The digests of all files' texts, to tell whether they have changed.
    digests: Vec<[u8; 32]>,
    first: Option<Arc<CertifiedKey>>,
    /// By the names that they are for, in lower case; `*.` stands for one label.
    by_name: HashMap<String, Vec<Arc<CertifiedKey>>>,
}

impl NamedFile {
    /// The file's text.
    pub(super) fn read(&self) -> Result<Vec<u8>, CertificateError> {
        std::fs::read(&self.path).map_err(|error| CertificateError::Unreadable {
            path: self.name.clone(),
            error,
        })
    }
}

impl Certificates {
    /// Reads all of `pairs`, which were checked.
    pub(super) fn read(pairs: Vec<Pair>, now: Timestamp) -> Result<Self, CertificateError> {
        let served = Served::read(&texts(&pairs)?, &pairs, now)?;
        Ok(Self {
            pairs,
            served: RwLock::new(Arc::new(served)),
        })
    }

    /// Reads the files and tells whether they have changed; from then on clients are shown what is in them now.
    ///
    /// # Errors
    ///
    /// What is in them now cannot be shown at `now`; what was there before still is.
    pub fn refresh(&self, now: Timestamp) -> Result<bool, CertificateError> {
        let texts = texts(&self.pairs)?;
        if digests(&texts) == self.served().digests {
            return Ok(false);
        }
        let served = Arc::new(Served::read(&texts, &self.pairs, now)?);
        *self.served.write().unwrap_or_else(PoisonError::into_inner) = served;
        Ok(true)
    }

    fn served(&self) -> Arc<Served> {
        let served = self.served.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&served)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let served = self.served();
        let name = hello.server_name().map(str::to_ascii_lowercase);
        let named = name.and_then(|name| served.named(&name));
        let schemes = hello.signature_schemes();
        let can_sign = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(schemes).is_some();
        let chosen = named.and_then(|keys| keys.iter().find(can_sign));
        chosen.or(served.first.as_ref()).cloned()
    }
}

impl Served {
    /// `texts` are those of the files of `pairs`, the certificate's before the key's.
    fn read(texts: &[Vec<u8>], pairs: &[Pair], now: Timestamp) -> Result<Self, CertificateError> {
        let mut by_name: HashMap<_, Vec<_>> = HashMap::new();
        let mut first = None;
        for (pair, text) in pairs.iter().zip(texts.chunks(2)) {
            let [cert, key] = text else { continue };
            let chain = read_chain(&pair.cert.name, cert, now)?;
            let names = names(&chain);
            let key = read_key(&pair.key.name, key)?;
            let certified = Arc::new(certify(&pair.key.name, chain, key)?);
            for name in names {
                by_name
                    .entry(name)
                    .or_default()
                    .push(Arc::clone(&certified));
            }
            first.get_or_insert(certified);
        }
        Ok(Self {
            digests: digests(texts),
            first,
            by_name,
        })
    }

    /// Those for `name`, or for all names beside it.
    fn named(&self, name: &str) -> Option<&Vec<Arc<CertifiedKey>>> {
        self.by_name.get(name).or_else(|| {
            let (_, parent) = name.split_once('.')?;
            self.by_name.get(&format!("*.{parent}"))
        })
    }
}

fn texts(pairs: &[Pair]) -> Result<Vec<Vec<u8>>, CertificateError> {
    let files = pairs.iter().flat_map(|pair| [&pair.cert, &pair.key]);
    files.map(NamedFile::read).collect()
}

fn digests(texts: &[Vec<u8>]) -> Vec<[u8; 32]> {
    texts
        .iter()
        .map(|text| Sha256::digest(text).into())
        .collect()
}

/// The certificates in a file of authorities, whatever the time.
pub(super) fn read_authorities(
    file: &NamedFile,
) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let pem = file.read()?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match read {
        Ok(none) if none.is_empty() => Err(CertificateError::NoRoot(file.name.clone())),
        read => read.map_err(|error| CertificateError::NoPem {
            path: file.name.clone(),
            error,
        }),
    }
}

/// The chain that is in the `pem` of the file called `path`, if all of it is valid at `now`.
pub(super) fn read_chain(
    path: &str,
    pem: &[u8],
    now: Timestamp,
) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| no_pem(path, error))?;
    if chain.is_empty() {
        return Err(CertificateError::NoCertificate(path.to_owned()));
    }
    for certificate in &chain {
        check_time(certificate, path, now)?;
    }
    Ok(chain)
}

/// The key that is in the `pem` of the file called `path`.
pub(super) fn read_key(path: &str, pem: &[u8]) -> Result<PrivateKeyDer<'static>, CertificateError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        pem::Error::NoItemsFound => CertificateError::NoKey(path.to_owned()),
        other => no_pem(path, other),
    })
}

/// A chain with its key, which is in the file called `path`.
pub(super) fn certify(
    path: &str,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<CertifiedKey, CertificateError> {
    let provider = ring::default_provider();
    CertifiedKey::from_der(chain, key, &provider).map_err(|error| CertificateError::Mismatch {
        path: path.to_owned(),
        error,
    })
}

/// The names that the first certificate of a chain is for, in lower case.
fn names(chain: &[CertificateDer<'_>]) -> Vec<String> {
    let first = chain
        .first()
        .and_then(|der| X509Certificate::from_der(der).ok());
    let Some((_, certificate)) = first else {
        return Vec::new();
    };
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    };
    names.value.general_names.iter().filter_map(name).collect()
}

fn check_time(
    der: &CertificateDer<'_>,
    path: &str,
    now: Timestamp,
) -> Result<(), CertificateError> {
    let path = path.to_owned();
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return Err(CertificateError::NoX509(path));
    };
    let validity = certificate.validity();
    let seconds = Duration::from_millis(now.as_millis()).as_secs();
    let now = i64::try_from(seconds).unwrap_or(i64::MAX);
    if now > validity.not_after.timestamp() {
        let at = validity.not_after;
        return Err(CertificateError::Expired { path, at });
    }
    if now < validity.not_before.timestamp() {
        let at = validity.not_before;
        return Err(CertificateError::TooEarly { path, at });
    }
    Ok(())
}

fn no_pem(path: &str, error: pem::Error) -> CertificateError {
    CertificateError::NoPem {
        path: path.to_owned(),
        error,
    }
}
