//! Certificates and keys, fitting and not.

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::{Directory, surroundings};
use crate::config::read;

/// A certificate for the year, and its key, in PEM.
fn certificate(year: i32) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["example.org".to_owned()]).unwrap();
    params.not_before = date_time_ymd(year, 1, 1);
    params.not_after = date_time_ymd(year + 1, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

/// What is said of these two files, if anything.
fn check(directory: &Directory, cert: &str, key: &str) -> Result<(), String> {
    directory.file("cert", cert);
    directory.file("key", key);
    let name = directory.path().join("gateway.toml").display().to_string();
    let text = "[server]\ntls = { cert = \"cert\", key = \"key\" }";
    let plan = read(&name, text, &surroundings()).map_err(|problems| problems.to_string());
    let config = plan
        .map_err(|problems| problems.replace(&format!("{name}:"), ""))?
        .server
        .tls
        .unwrap()
        .config;
    assert_eq!(config.alpn_protocols, [&b"h2"[..], b"http/1.1"]);
    Ok(())
}

#[test]
fn a_certificate_with_its_key_is_served() {
    let directory = Directory::new("tls");
    let (cert, key) = certificate(2024);
    let (cert_now, key_now) = certificate(2026);
    assert_eq!(check(&directory, &cert_now, &key_now), Ok(()));
    assert_eq!(
        check(&directory, &cert, &key).unwrap_err(),
        "2:16: the certificate of `cert` has expired on Jan  1 00:00:00 2025 +00:00; renew it"
    );
}

#[test]
fn a_pair_that_cannot_be_served_says_why() {
    let directory = Directory::new("no-tls");
    let (cert, key) = certificate(2026);
    let (late, late_key) = certificate(2030);
    let (_, other_key) = certificate(2026);
    let cases = [
        (
            &late,
            &late_key,
            "2:16: the certificate of `cert` is not valid before \
            Jan  1 00:00:00 2030 +00:00; is the clock right?",
        ),
        (
            &cert,
            &other_key,
            "2:30: `key` does not fit the certificate: keys may not be consistent: KeyMismatch",
        ),
        (
            &key,
            &key,
            "2:16: `cert` holds no certificate; it must have the whole chain in PEM, the server's first",
        ),
        (
            &cert,
            &cert,
            "2:30: `key` holds no private key; it must have one in PEM",
        ),
    ];
    for (cert, key, problem) in cases {
        assert_eq!(check(&directory, cert, key).unwrap_err(), problem);
    }
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert_eq!(
        check(&directory, broken, &key).unwrap_err(),
        "2:16: `cert` holds something that is no X.509 certificate"
    );
    let torn = "-----BEGIN CERTIFICATE-----\nAAAA\n";
    let said = check(&directory, torn, &key).unwrap_err();
    assert!(said.starts_with("2:16: `cert` is no PEM file: "), "{said}");
}

#[test]
fn of_several_pairs_each_problem_has_its_place() {
    let directory = Directory::new("pairs");
    let ((cert, key), (other, _)) = (certificate(2026), certificate(2026));
    for (name, text) in [("a.crt", &cert), ("a.key", &key), ("b.crt", &other)] {
        directory.file(name, text);
    }
    let name = directory.path().join("gateway.toml").display().to_string();
    let text = "[[server.tls]]\ncert = \"a.crt\"\nkey = \"a.key\"\n\
        [[server.tls]]\ncert = \"b.crt\"\nkey = \"a.key\"\n[[server.tls]]\ncert = \"c.crt\"\nkey = 5";
    let problems = read(&name, text, &surroundings()).unwrap_err().to_string();
    assert_eq!(
        problems.replace(&format!("{name}:"), ""),
        "6:7: `a.key` does not fit the certificate: keys may not be consistent: KeyMismatch\n\
         8:8: cannot read `c.crt`: No such file or directory (os error 2)\n\
         9:7: `key` must be the path of a file, or { credential = \"NAME\" }"
    );
}

#[test]
fn certificate_and_key_may_be_credentials() {
    let directory = Directory::new("credentials");
    let (cert, key) = certificate(2026);
    directory.file("tls-cert", cert);
    directory.file("tls-key", key);
    let text = "[server]\ntls = { cert = { credential = \"tls-cert\" }, key = { credential = \"tls-key\" } }";
    let mut surroundings = surroundings();
    let without = read("gateway.toml", text, &surroundings).unwrap_err();
    let without = without.to_string();
    assert!(without.contains("LoadCredential=tls-key:"), "{without}");
    let place = directory.path().display().to_string();
    surroundings
        .variables
        .insert("CREDENTIALS_DIRECTORY".to_owned(), place);
    let plan = read("gateway.toml", text, &surroundings).unwrap();
    assert!(plan.server.tls.is_some());
}
