//! TLS: a private authority, a client certificate, and what is not trusted.

use std::path::Path;
use std::sync::Arc;

use connector::Connector;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use test_servers::authority::write_certificates;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::host::{Hand, Host};
use crate::scenario::{List, connector};
use crate::server::read_request;
use crate::world::World;

/// A platform of three orders that wants a client certificate of its authority.
async fn serve(dir: &Path) -> String {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let read = |name: &str| CertificateDer::from_pem_file(dir.join(name)).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(read("ca.pem")).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![read("server.pem")],
            PrivateKeyDer::from_pem_file(dir.join("server.key")).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let mut stream = BufReader::new(stream);
                while let Ok(Some(asked)) = read_request(&mut stream).await {
                    let body = World::new(3).list(&asked.params).body(false);
                    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                    if stream.get_mut().write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn a_private_authority_and_a_client_certificate() {
    let dir = tempfile::tempdir().unwrap();
    write_certificates(dir.path(), "127.0.0.1").unwrap();
    let other = tempfile::tempdir().unwrap();
    write_certificates(other.path(), "127.0.0.1").unwrap();
    std::fs::copy(other.path().join("ca.pem"), dir.path().join("other.pem")).unwrap();
    let url = serve(dir.path()).await;
    let own = "client_cert = 'client.pem'\nclient_key = 'client.key'\n";
    for (tls, failure) in [
        (format!("ca = 'ca.pem'\n{own}"), None),
        (format!("ca = 'ca.pem'\nsystem_roots = true\n{own}"), None),
        (format!("ca = 'other.pem'\n{own}"), Some("TLS_INVALID")),
        (own.to_owned(), Some("TLS_INVALID")),
        ("ca = 'ca.pem'\n".to_owned(), Some("TLS_INVALID")),
        (format!("ca = 'none.pem'\n{own}"), Some("TLS_INVALID")),
        (format!("ca = 'client.key'\n{own}"), Some("TLS_INVALID")),
        (
            "ca = 'ca.pem'\nclient_cert = 'client.pem'\nclient_key = 'server.pem'\n".to_owned(),
            Some("TLS_INVALID"),
        ),
    ] {
        let text = format!(
            "base_url = '{url}'\n[limits]\nretry_first = '1ms'\n[tls]\n{tls}[[stream]]\ndataset = 'platform_orders'\n\
             ignore = ['hospital.name', 'updatedAt']\n{}[stream.columns]\nplatform_order_id = 'orderNo'\n\
             hospital_id = 'hospital.code'\nquantity = 'qty'\namount = {{ from = 'amountFen', scale = 'fen' }}\n",
            List::Single.config()
        );
        let clock = Hand::new();
        let connector = connector(&text, dir.path(), &clock).unwrap();
        let checked = connector.check().await.err();
        assert_eq!(checked.as_ref().map(|f| f.reason), failure, "{tls}: {checked:?}");
        let mut host = Host::new(connector, clock);
        host.sync(None).await;
        assert_eq!(
            host.failure.as_ref().map(|f| f.reason),
            failure,
            "{tls}: {:?}",
            host.failure
        );
        let expected = if failure.is_none() {
            World::new(3).truth()
        } else {
            Default::default()
        };
        assert_eq!(host.orders(), expected, "{tls}");
    }
}
