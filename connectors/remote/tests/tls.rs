//! A vendor's connector behind TLS: a private authority, a client certificate, a token, and what is not trusted.

use std::path::Path;

use connector::ConnectorFactory;
use domain::{Failure, FailureKind};
use proto::v1 as pb;
use proto::v1::connector_port_server::{ConnectorPort, ConnectorPortServer};
use remote::RemoteFactory;
use test_servers::authority::write_certificates;
use tokio::net::TcpListener;
use tokio_stream::Empty;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status};

/// Answers `Spec` and `Check`; has no rows.
struct Vendor;

#[tonic::async_trait]
impl ConnectorPort for Vendor {
    type ReadStream = Empty<Result<pb::ReadResponse, Status>>;
    type KeysStream = Empty<Result<pb::KeysResponse, Status>>;

    async fn spec(&self, _: Request<pb::SpecRequest>) -> Result<Response<pb::SpecResponse>, Status> {
        Ok(Response::new(pb::SpecResponse {
            kind: "test".into(),
            incremental: true,
            ..pb::SpecResponse::default()
        }))
    }

    async fn check(&self, _: Request<pb::CheckRequest>) -> Result<Response<pb::CheckResponse>, Status> {
        Ok(Response::new(pb::CheckResponse {}))
    }

    async fn discover(
        &self,
        _: Request<pb::DiscoverRequest>,
    ) -> Result<Response<pb::DiscoverResponse>, Status> {
        Ok(Response::new(pb::DiscoverResponse::default()))
    }

    async fn read(&self, _: Request<pb::ReadRequest>) -> Result<Response<Self::ReadStream>, Status> {
        Ok(Response::new(tokio_stream::empty()))
    }

    async fn keys(&self, _: Request<pb::KeysRequest>) -> Result<Response<Self::KeysStream>, Status> {
        Ok(Response::new(tokio_stream::empty()))
    }
}

/// A vendor that wants a client certificate of its authority, and the token `opensesame`.
async fn serve(dir: &Path) -> u16 {
    let read = |name: &str| std::fs::read(dir.join(name)).unwrap();
    let tls = ServerTlsConfig::new()
        .identity(Identity::from_pem(read("server.pem"), read("server.key")))
        .client_ca_root(Certificate::from_pem(read("ca.pem")));
    let guard = |request: Request<()>| match request.metadata().get("authorization") {
        Some(shown) if shown == "Bearer opensesame" => Ok(request),
        _ => Err(Status::unauthenticated("no such token")),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let service = ConnectorPortServer::with_interceptor(Vendor, guard);
    let server = Server::builder().tls_config(tls).unwrap().add_service(service);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    port
}

async fn check(dir: &Path, config: &str) -> Result<(), Failure> {
    RemoteFactory.open(config.parse().unwrap(), dir)?.check().await
}

#[tokio::test]
async fn the_right_certificates_and_token_are_let_in_and_no_others() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_certificates(dir.path(), "connector.example.org").unwrap();
    write_certificates(other.path(), "connector.example.org").unwrap();
    std::fs::write(dir.path().join("token"), "opensesame\n").unwrap();
    std::fs::write(dir.path().join("wrong"), "sesame\n").unwrap();
    let port = serve(dir.path()).await;
    let config = |token: &str, tls: &str| {
        format!(
            "url = \"https://127.0.0.1:{port}\"\n{token}\n[tls]\nserver_name = \"connector.example.org\"\n{tls}"
        )
    };
    let (token, ca, client) = (
        "token = { file = \"token\" }",
        "ca = \"ca.pem\"\n",
        "client_cert = \"client.pem\"\nclient_key = \"client.key\"\n",
    );
    check(dir.path(), &config(token, &format!("{ca}{client}")))
        .await
        .unwrap();

    let strange_ca = format!("ca = {:?}\n{client}", other.path().join("ca.pem"));
    let strange_client = format!(
        "{ca}client_cert = {:?}\nclient_key = {:?}\n",
        other.path().join("client.pem"),
        other.path().join("client.key")
    );
    for (what, config, kind) in [
        (
            "an authority of somebody else",
            config(token, &strange_ca),
            FailureKind::Unavailable,
        ),
        (
            "the system's authorities",
            config(token, client),
            FailureKind::Unavailable,
        ),
        (
            "no client certificate",
            config(token, ca),
            FailureKind::Unavailable,
        ),
        (
            "a client of another authority",
            config(token, &strange_client),
            FailureKind::Unavailable,
        ),
        (
            "no token",
            config("", &format!("{ca}{client}")),
            FailureKind::Precondition,
        ),
        (
            "a wrong token",
            config("token = { file = \"wrong\" }", &format!("{ca}{client}")),
            FailureKind::Precondition,
        ),
        (
            "a missing token",
            config("token = { file = \"nowhere\" }", &format!("{ca}{client}")),
            FailureKind::Invalid,
        ),
        (
            "a missing authority",
            config(token, &format!("ca = \"nowhere.pem\"\n{client}")),
            FailureKind::Invalid,
        ),
    ] {
        let failure = check(dir.path(), &config).await.expect_err(what);
        assert_eq!(failure.kind, kind, "{what}: {}", failure.message);
        assert!(!failure.message.contains("sesame"), "{what}: {}", failure.message);
    }
    // A certificate of the right authority for another name.
    let named = config(token, &format!("{ca}{client}")).replace("connector.example.org", "evil.example.org");
    let failure = check(dir.path(), &named).await.expect_err("another name");
    assert_eq!(failure.kind, FailureKind::Unavailable, "{}", failure.message);
    // And in the clear, to a port that speaks TLS.
    let clear = format!("url = \"http://127.0.0.1:{port}\"\n{token}\n");
    assert!(check(dir.path(), &clear).await.is_err());
}
