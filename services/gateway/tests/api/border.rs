//! The server's own behaviour: where it listens, health, reflection, deadlines, leaving callers, gRPC-Web, the end.

use std::time::Duration;

use gateway::{Gateway, GatewayError, Options};
use proto::v1 as pb;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_stream::StreamExt as _;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::fakes::World;
use crate::harness::{reason, serve, serve_with};

const SERVICES: [&str; 7] = [
    "lianjing.v1.AlertService",
    "lianjing.v1.CollisionService",
    "lianjing.v1.ConnectorService",
    "lianjing.v1.GraphService",
    "lianjing.v1.OperationService",
    "lianjing.v1.QueryService",
    "lianjing.v1.ScreeningService",
];

#[tokio::test]
async fn it_refuses_to_listen_to_other_machines() {
    let listener = TcpListener::bind("0.0.0.0:0").await.expect("a free port");
    let gateway = Gateway::new(World::new(0).ports(), Options::default()).expect("a complete API");
    let error = gateway
        .run(listener, std::future::pending())
        .await
        .expect_err("refused");
    assert!(matches!(error, GatewayError::NotLoopback { .. }));
    assert!(
        error.to_string().contains("127.0.0.1"),
        "says what to do: {error}"
    );
}

#[tokio::test]
async fn health_is_told_for_each_service() {
    let served = serve(World::new(0)).await;
    let mut health = HealthClient::new(served.channel.clone());
    for service in SERVICES.into_iter().chain([""]) {
        let request = HealthCheckRequest {
            service: service.into(),
        };
        let status = health
            .check(request)
            .await
            .expect("is known")
            .into_inner()
            .status();
        assert_eq!(status, ServingStatus::Serving, "{service}");
    }
    let request = HealthCheckRequest {
        service: "lianjing.v1.CatService".into(),
    };
    assert_eq!(
        health.check(request).await.expect_err("unknown").code(),
        Code::NotFound
    );
}

#[tokio::test]
async fn reflection_lists_services_and_shows_their_files() {
    let served = serve(World::new(0)).await;
    let ask = async |message: MessageRequest| {
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(message),
        };
        let mut client = ServerReflectionClient::new(served.channel.clone());
        let stream = client
            .server_reflection_info(tokio_stream::once(request))
            .await
            .expect("opens");
        stream
            .into_inner()
            .next()
            .await
            .expect("answers")
            .expect("no error")
            .message_response
            .expect("a message")
    };
    let MessageResponse::ListServicesResponse(list) = ask(MessageRequest::ListServices(String::new())).await
    else {
        panic!("no list of services")
    };
    let names: Vec<_> = list.service.into_iter().map(|s| s.name).collect();
    for service in SERVICES.into_iter().chain(["grpc.health.v1.Health"]) {
        assert!(
            names.iter().any(|n| n == service),
            "{service} is not in {names:?}"
        );
    }
    let symbol = MessageRequest::FileContainingSymbol("lianjing.v1.AlertService".into());
    assert!(
        matches!(ask(symbol).await, MessageResponse::FileDescriptorResponse(f) if !f.file_descriptor_proto.is_empty())
    );
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_stopped_with_its_work() {
    let options = Options {
        deadline: Duration::from_millis(40),
        ..Options::default()
    };
    let served = serve_with(World::new(0), options).await;
    let request = pb::FindPartyRequest { text: "hang".into() };
    let status = served.graph().find_party(request).await.expect_err("never ends");
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::DeadlineExceeded, "DEADLINE_EXCEEDED")
    );
    served.world.dropped(1).await;
}

#[tokio::test]
async fn a_shorter_deadline_of_the_caller_counts() {
    let served = serve(World::new(0)).await;
    let mut request = tonic::Request::new(pb::FindPartyRequest { text: "hang".into() });
    request.set_timeout(Duration::from_millis(40));
    served.graph().find_party(request).await.expect_err("never ends");
    served.world.dropped(1).await;
}

#[tokio::test]
async fn streams_have_no_deadline() {
    let options = Options {
        deadline: Duration::from_millis(1),
        ..Options::default()
    };
    let served = serve_with(World::new(1), options).await;
    let mut watch = served
        .alerts()
        .watch_alerts(pb::WatchAlertsRequest::default())
        .await
        .expect("opens")
        .into_inner();
    // A unary call reaches its deadline while the stream is open; only then comes the first event.
    let request = pb::FindPartyRequest { text: "hang".into() };
    served.graph().find_party(request).await.expect_err("never ends");
    let run = served
        .collisions()
        .run_rules(pb::RunRulesRequest::default())
        .await
        .expect("starts")
        .into_inner();
    assert!(run.operation.is_some());
    assert!(watch.next().await.expect("goes on").is_ok());
}

#[tokio::test]
async fn a_caller_that_leaves_stops_the_work() {
    let served = serve(World::new(0)).await;
    let mut client = served.graph();
    let call = tokio::spawn(async move {
        let request = pb::FindPartyRequest { text: "hang".into() };
        client.find_party(request).await.map(drop)
    });
    served.world.begun(1).await;
    call.abort();
    served.world.dropped(1).await;
}

#[tokio::test]
async fn the_end_is_told_to_health_and_to_streams() {
    let served = serve(World::new(0)).await;
    let request = HealthCheckRequest {
        service: SERVICES[0].into(),
    };
    let mut health = HealthClient::new(served.channel.clone())
        .watch(request)
        .await
        .expect("opens")
        .into_inner();
    let first = health.next().await.expect("begins").expect("no error");
    assert_eq!(first.status(), ServingStatus::Serving);
    let mut watch = served
        .alerts()
        .watch_alerts(pb::WatchAlertsRequest::default())
        .await
        .expect("opens")
        .into_inner();
    let request = pb::SyncFilesRequest {
        directory: "/hang".into(),
        ..Default::default()
    };
    served.connectors().sync_files(request).await.expect("starts");
    served.world.begun(1).await;

    let world = served.world.clone();
    let server = served.stop();
    let last = health.next().await.expect("goes on").expect("no error");
    assert_eq!(last.status(), ServingStatus::NotServing);
    drop(health);
    let status = watch
        .next()
        .await
        .expect("an end with a reason")
        .expect_err("is no event");
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::Unavailable, "SHUTTING_DOWN")
    );
    assert!(watch.next().await.is_none());
    world.dropped(1).await;
    server.await.expect("no panic").expect("a clean end");
}

#[tokio::test]
async fn the_same_services_run_within_the_process() {
    let inner = Gateway::new(World::new(0).ports(), Options::default())
        .expect("a complete API")
        .in_process();
    let mut graph = pb::graph_service_client::GraphServiceClient::new(inner.channel());
    let answer = graph
        .find_party(pb::FindPartyRequest { text: "甲".into() })
        .await
        .expect("answers");
    assert_eq!(answer.into_inner().parties[0].name, "甲");
    drop(graph);
    inner.stop().await.expect("a clean end");
}

/// Sends one HTTP/1.1 request and reads until the server closes.
async fn http(address: std::net::SocketAddr, head: &str, body: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    let request = format!(
        "{head}content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("writes");
    stream.write_all(body).await.expect("writes");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("reads");
    answer
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|w| w == needle.as_bytes())
}

#[tokio::test]
async fn browsers_reach_it_by_grpc_web_over_http_1_1() {
    let served = serve(World::new(0)).await;
    // FindPartyRequest { text: "acme" } in a gRPC frame: flag, length, field 1 of length 4.
    let frame = b"\x00\x00\x00\x00\x06\x0a\x04acme";
    let head = |host: &str| {
        format!(
            "POST /lianjing.v1.GraphService/FindParty HTTP/1.1\r\nhost: {host}\r\n\
             content-type: application/grpc-web+proto\r\nx-grpc-web: 1\r\n"
        )
    };
    let answer = http(served.address, &head("localhost"), frame).await;
    assert!(
        answer.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    assert!(contains(&answer, "application/grpc-web+proto"));
    assert!(contains(&answer, "acme"), "the message");
    assert!(contains(&answer, "grpc-status:0"), "the trailers, in the body");

    let foreign = http(served.address, &head("rebound.example:7070"), frame).await;
    assert!(
        foreign.starts_with(b"HTTP/1.1 421"),
        "{}",
        String::from_utf8_lossy(&foreign)
    );
}
