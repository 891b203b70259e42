//! The certificates of Redis servers that speak TLS.

use std::fs;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::node::Directory;

/// An authority's certificate and one of a server at `127.0.0.1`, as files.
pub(super) struct Certificates(Directory);

impl Certificates {
    pub(super) fn make() -> Self {
        let directory = Directory::new("tls");
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // OpenSSL takes who is called like his issuer for his own issuer.
        let called = |params: &mut CertificateParams, name| {
            params.distinguished_name.push(DnType::CommonName, name);
        };
        called(&mut authority, "the authority of Redis in tests");
        let authority_key = KeyPair::generate().unwrap();
        let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
        let issuer = Issuer::new(authority, authority_key);
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut server = CertificateParams::new(names).unwrap();
        called(&mut server, "Redis in tests");
        let server_key = KeyPair::generate().unwrap();
        let server_pem = server.signed_by(&server_key, &issuer).unwrap().pem();
        let write = |name, text| fs::write(directory.path().join(name), text).unwrap();
        write("ca.pem", authority_pem);
        write("server.pem", server_pem);
        write("server.key", server_key.serialize_pem());
        Self(directory)
    }

    pub(super) fn authority(&self) -> PathBuf {
        self.0.path().join("ca.pem")
    }

    /// The lines of a server's config.
    pub(super) fn lines(&self) -> String {
        let place = self.0.path().display();
        format!(
            "tls-cert-file {place}/server.pem\ntls-key-file {place}/server.key\n\
             tls-ca-cert-file {place}/ca.pem\ntls-auth-clients no\n\
             tls-replication yes\ntls-cluster yes\n"
        )
    }
}
