//! Calls to the simulator: TLS, and what of a call's failure is told.

use std::error::Error;
use std::net::TcpListener;

use rcgen::{CertifiedKey, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::simulator::{Behaviour, Simulator};

const LONG: Duration = Duration::from_secs(20);

fn plan(base_url: &str) -> WechatPlan {
    WechatPlan {
        base_url: base_url.to_owned(),
        timeout: LONG,
        deadline: LONG,
        open_data_max_age: None,
    }
}

fn simulator() -> Simulator {
    let simulator = Simulator::start(TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
    simulator.behave(Behaviour::Body("hello".to_owned()));
    simulator
}

#[test]
fn a_base_url_may_have_a_path() {
    let url = endpoint(&plan("http://127.0.0.1:1/wechat"), "/sns/jscode2session").unwrap();
    assert_eq!(url.as_str(), "http://127.0.0.1:1/wechat/sns/jscode2session");
    let error = endpoint(&plan("api.weixin.qq.com"), "/x").unwrap_err();
    assert_eq!(error.to_string(), "`base_url` of [wechat] is no URL");
}

#[test]
fn only_this_machine_is_loopback() {
    for (base_url, expected) in [
        ("http://127.0.0.1:8000", true),
        ("http://127.9.9.9", true),
        ("http://[::1]:8000", true),
        ("http://LocalHost", true),
        ("https://api.weixin.qq.com", false),
        ("https://localhost.example.org", false),
        ("https://[2001:db8::1]", false),
    ] {
        assert_eq!(
            is_loopback(&Url::parse(base_url).unwrap()),
            expected,
            "{base_url}"
        );
    }
}

#[tokio::test]
async fn over_https_a_known_certificate_counts_and_no_other() {
    let simulator = simulator();
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let mut known = RootCertStore::empty();
    known.add(certified.cert.der().clone()).unwrap();
    let url = tls_before(&simulator, &certified).await;
    let get = async |roots| {
        let client = client(&plan(url.as_str()), &url, roots).unwrap();
        super::get(&client, url.clone(), LONG).await
    };

    assert_eq!(get(known).await.unwrap(), b"hello");
    let error = get(RootCertStore::empty()).await.unwrap_err();
    assert_eq!(error.to_string(), "no connection to WeChat");
    let root = std::iter::successors(error.source(), |&error| error.source()).last();
    let root = root.unwrap().to_string();
    assert_eq!(root, "invalid peer certificate: UnknownIssuer");
    assert_eq!(simulator.calls(), 1);
}

/// Puts TLS before the simulator; gives the address of code2Session there.
async fn tls_before(simulator: &Simulator, certified: &CertifiedKey<KeyPair>) -> Url {
    let acceptor = acceptor(certified);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let behind = simulator.base_url().replace("http://", "");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let mut plain = tokio::net::TcpStream::connect(&behind).await.unwrap();
                let _closed = tokio::io::copy_bidirectional(&mut stream, &mut plain).await;
            }
        }
    });
    Url::parse(&format!("https://localhost:{port}/sns/jscode2session")).unwrap()
}

fn acceptor(certified: &CertifiedKey<KeyPair>) -> TlsAcceptor {
    let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
    let provider = Arc::new(ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key.into())
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}
