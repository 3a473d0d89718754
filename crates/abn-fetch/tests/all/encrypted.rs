//! Encrypted connections, to a server whose certificate vouches for itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use abn_fetch::{FetchError, Options, Proxies};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::server::{Reply, Server};
use crate::support::{Desk, from, known};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/tls")
        .join(name)
}

/// A server of `localhost`, of a certificate that nobody knows.
fn encrypted(answer: impl Fn(&crate::server::Asked) -> Reply + Send + Sync + 'static) -> Server {
    let certificate = CertificateDer::from_pem_file(fixture("certificate.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(fixture("key.pem")).unwrap();
    let config =
        ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
    let config = Arc::new(config);
    Server::start_with(answer, move |stream| {
        let connection = ServerConnection::new(config.clone()).unwrap();
        Box::new(StreamOwned::new(connection, stream))
    })
}

fn trusting(url: &str) -> Options {
    let mut options = from(url);
    options.network.certificates = Some(fixture("certificate.pem"));
    options
}

#[test]
fn a_server_is_trusted_by_its_certificate_alone() {
    let server = encrypted(|asked| Reply::of(b"secret", asked));
    let url = format!("https://localhost:{}/data.bin", server.port);
    Desk::new()
        .fetch(known(b"secret"), &trusting(&url))
        .unwrap();

    // Mozilla's certificates do not know it.
    let error = Desk::new()
        .fetch(known(b"secret"), &from(&url))
        .unwrap_err();
    let FetchError::Network {
        attempts, source, ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(attempts, 1);
    assert!(source.to_string().contains("certificate"), "{source}");

    // It does not vouch for another name.
    let other = format!("https://127.0.0.2:{}/data.bin", server.port);
    let error = Desk::new()
        .fetch(known(b"secret"), &trusting(&other))
        .unwrap_err();
    assert!(matches!(error, FetchError::Network { .. }), "{error}");
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn a_redirect_never_leads_out_of_encryption() {
    let plain = Server::of(b"secret".to_vec());
    let to = plain.url("data.bin");
    let server = encrypted(move |_| Reply::redirect(&to));
    let url = format!("https://localhost:{}/data.bin", server.port);
    let error = Desk::new()
        .fetch(known(b"secret"), &trusting(&url))
        .unwrap_err();
    assert!(matches!(error, FetchError::Downgrade { .. }), "{error}");
    assert!(plain.asked().is_empty());

    // Into it, it may.
    let server = encrypted(|asked| Reply::of(b"secret", asked));
    let to = format!("https://localhost:{}/data.bin", server.port);
    let plain = Server::start(move |_| Reply::redirect(&to));
    Desk::new()
        .fetch(known(b"secret"), &trusting(&plain.url("data.bin")))
        .unwrap();
}

#[test]
fn a_proxy_makes_a_tunnel_to_an_encrypted_server() {
    let server = encrypted(|asked| Reply::of(b"secret", asked));
    let (proxy, asked) = crate::proxies::tunnel();
    let mut options = trusting(&format!("https://localhost:{}/data.bin", server.port));
    options.network.proxies = Proxies::from_variables(|name| {
        (name == "HTTPS_PROXY").then(|| format!("http://me:secret@127.0.0.1:{proxy}"))
    });
    Desk::new().fetch(known(b"secret"), &options).unwrap();
    let heads = asked.lock().unwrap();
    let first = format!("CONNECT localhost:{} HTTP/1.1\r\n", server.port);
    assert!(heads[0].starts_with(&first), "{}", heads[0]);
    assert!(heads[0].contains("Proxy-Authorization: Basic bWU6c2VjcmV0\r\n"));
    assert!(!heads[0].contains("data.bin"));
}
