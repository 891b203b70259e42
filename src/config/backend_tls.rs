//! `tls` of an upstream: how servers with `https://` are known. Knows no connections.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};

use super::certificates::{CertificateError, NamedFile, read_authorities};
use super::plan::{BackendTls, ServerAddress};
use super::raw::RawBackendTls;
use super::source::{At, Place, Source};

/// What servers under TLS speak.
const HTTP_1_1: &[u8] = b"http/1.1";

/// Why servers under TLS cannot be known.
#[derive(Debug, thiserror::Error)]
enum NoTrust {
    #[error(transparent)]
    File(#[from] CertificateError),
    #[error("`{0}` holds something that is no certificate of an authority")]
    NoAuthority(String),
    #[error(
        "this machine has no CA certificates to know servers by: install `ca-certificates`, or name a file in \
         `tls = {{ ca = \"FILE\" }}`"
    )]
    NoRoots,
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    #[error("`{0}` is no name of a server; write one such as \"api.internal\", without a port")]
    NoName(String),
}

/// What `servers` need; nothing if none speaks TLS. `place` is where they are named.
pub(super) fn plan(
    raw: Option<RawBackendTls>,
    servers: &[ServerAddress],
    place: Option<Place>,
    source: &Source<'_>,
) -> Option<BackendTls> {
    let Some(secure) = servers.iter().find(|server| server.is_secure()) else {
        // Servers that could not be read may be some.
        if let Some(raw) = raw.filter(|_| !servers.is_empty()) {
            let text =
                "no server of this upstream speaks TLS; write \"https://…\", or remove `tls`";
            source.problem(raw.place, text);
        }
        return None;
    };
    let spoken = &[HTTP_1_1];
    trust(raw, place?.at(secure.to_string()), spoken, source)
}

/// How servers under TLS are known that speak one of `spoken`, if that is to be said; `server` is one of them.
pub(super) fn trust(
    raw: Option<RawBackendTls>,
    server: At<String>,
    spoken: &[&[u8]],
    source: &Source<'_>,
) -> Option<BackendTls> {
    let (ca, server_name) = raw.map_or((None, None), |raw| (raw.ca, raw.server_name));
    let server_name = source.accept(server_name, name);
    let config = match ca {
        Some(ca) => source.accept(ca, |path| {
            speak_with(authorities(path, source.beside(path))?, spoken)
        }),
        None => source.accept(server, |_| speak_with(of_the_machine()?, spoken)),
    };
    Some(BackendTls {
        config: Arc::new(config?),
        server_name,
    })
}

fn authorities(text: &str, path: PathBuf) -> Result<RootCertStore, NoTrust> {
    let mut roots = RootCertStore::empty();
    let name = text.to_owned();
    for certificate in read_authorities(&NamedFile { name, path })? {
        let added = roots.add(certificate);
        added.map_err(|_| NoTrust::NoAuthority(text.to_owned()))?;
    }
    Ok(roots)
}

fn of_the_machine() -> Result<RootCertStore, NoTrust> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(NoTrust::NoRoots);
    }
    Ok(roots)
}

fn name(text: &str) -> Result<ServerName<'static>, NoTrust> {
    let name = text
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    ServerName::try_from(name).map_err(|_| NoTrust::NoName(text.to_owned()))
}

fn speak_with(roots: RootCertStore, spoken: &[&[u8]]) -> Result<ClientConfig, NoTrust> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = spoken.iter().map(|name| name.to_vec()).collect();
    Ok(config)
}
