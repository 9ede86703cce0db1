//! A running server: watchers that lose nothing, a foreign client, and loopback only.

use std::ffi::OsStr;
use std::process::Command;

use integration_tests::{Office, Server, python, root};
use proto::v1::alert_service_client::AlertServiceClient;
use proto::v1::watch_alerts_response::Item;
use proto::v1::{AlertEvent, CloseAlertRequest, ListAlertsRequest, WatchAlertsRequest};
use tonic::Code;
use tonic::transport::Channel;

/// An office with alerts in its store.
fn office_with_alerts() -> Office {
    let office = Office::new();
    office.sync_first_hospital();
    office.run(&["run", "--as-of", "2025-01-31"]).expect(&[0, 3]);
    office
}

async fn client(server: &Server) -> AlertServiceClient<Channel> {
    AlertServiceClient::connect(server.url())
        .await
        .expect("the server accepts connections")
}

fn watch(token: &str, initial: bool) -> WatchAlertsRequest {
    WatchAlertsRequest {
        resume_token: token.to_owned(),
        send_initial_list: initial,
        filter: String::new(),
        max_outstanding: 0,
    }
}

/// Reads the initial list: its events, and the token of the bookmark that ends it.
async fn initial_list(client: &mut AlertServiceClient<Channel>) -> (Vec<AlertEvent>, String) {
    let mut stream = client
        .watch_alerts(watch("", true))
        .await
        .expect("a stream")
        .into_inner();
    let mut events = Vec::new();
    loop {
        let message = stream.message().await.expect("no error").expect("not the end");
        match message.item.expect("an item") {
            Item::Event(event) => events.push(event),
            Item::Bookmark(mark) if mark.initial_list_end => return (events, message.resume_token),
            Item::Bookmark(_) => {}
        }
    }
}

async fn close(client: &mut AlertServiceClient<Channel>, alert_id: &str) -> Result<(), tonic::Status> {
    client
        .close_alert(CloseAlertRequest {
            alert_id: alert_id.to_owned(),
            actor: "tester".into(),
            reason: "looked at, lawful".into(),
        })
        .await
        .map(|_| ())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_resumes_across_a_server_restart_and_sees_each_event_once() {
    let office = office_with_alerts();
    let server = office.serve();
    let mut alerts = client(&server).await;
    let (listed, token) = initial_list(&mut alerts).await;
    assert!(listed.len() >= 5, "{} alerts listed", listed.len());
    let ids: Vec<String> = listed
        .iter()
        .map(|e| e.alert.as_ref().unwrap().alert_id.clone())
        .collect();

    // Two changes while nobody watches, then a restart by kill -9, then a third.
    close(&mut alerts, &ids[0]).await.unwrap();
    close(&mut alerts, &ids[1]).await.unwrap();
    let again = close(&mut alerts, &ids[1])
        .await
        .expect_err("a closed alert cannot be closed again");
    assert_eq!(again.code(), Code::FailedPrecondition);
    server.kill();
    let server = office.serve();
    let mut alerts = client(&server).await;
    close(&mut alerts, &ids[2]).await.unwrap();

    // Reconnecting at every token: one event a connection.
    let mut token = token;
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let mut stream = alerts
            .watch_alerts(watch(&token, false))
            .await
            .expect("a stream")
            .into_inner();
        loop {
            let message = stream.message().await.expect("no error").expect("not the end");
            token = message.resume_token;
            if let Some(Item::Event(event)) = message.item {
                seen.push(event);
                break;
            }
        }
    }
    let seen_ids: Vec<&str> = seen
        .iter()
        .map(|e| e.alert.as_ref().unwrap().alert_id.as_str())
        .collect();
    assert_eq!(seen_ids, ids[..3].iter().map(String::as_str).collect::<Vec<_>>());
    assert!(seen.windows(2).all(|w| w[0].revision < w[1].revision), "in order");

    // A token belongs to its filter, and is no free text.
    let mut other = watch(&token, false);
    other.filter = "severity = HIGH".into();
    let status = alerts.watch_alerts(other).await.err();
    assert_eq!(
        status.map(|s| s.code()),
        Some(Code::InvalidArgument),
        "another filter"
    );
    let status = alerts.watch_alerts(watch("bm90LWEtdG9rZW4", false)).await.err();
    assert_eq!(
        status.map(|s| s.code()),
        Some(Code::InvalidArgument),
        "not a token"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_cover_every_alert_once() {
    let office = office_with_alerts();
    let server = office.serve();
    let mut alerts = client(&server).await;
    let mut ids = Vec::new();
    let mut token = String::new();
    loop {
        let page = alerts
            .list_alerts(ListAlertsRequest {
                page_size: 2,
                page_token: token,
                ..Default::default()
            })
            .await
            .unwrap()
            .into_inner();
        assert!(page.alerts.len() <= 2);
        ids.extend(page.alerts.into_iter().map(|a| a.alert_id));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    let exported: std::collections::BTreeSet<String> = tokio::task::block_in_place(|| {
        let url = server.url();
        let done = office
            .run(&["--server", &url, "alerts", "export", "--format", "json"])
            .expect(&[0]);
        done.json_lines()
            .iter()
            .map(|a| a["alert_id"].as_str().unwrap().to_owned())
            .collect()
    });
    assert_eq!(ids.len(), exported.len());
    assert_eq!(
        ids.into_iter().collect::<std::collections::BTreeSet<_>>(),
        exported
    );
    let status = alerts
        .list_alerts(ListAlertsRequest {
            filter: "no_such_field = 1".into(),
            ..Default::default()
        })
        .await
        .expect_err("an unknown field");
    assert_eq!(status.code(), Code::InvalidArgument);
}

/// What a Python program of the tests prints; it must end well.
fn python_prints(script: &str, args: &[&OsStr]) -> String {
    let output = Command::new(python())
        .arg(root().join("integration-tests/py").join(script))
        .args(args)
        .output()
        .expect("python starts");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{printed}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    printed
}

#[test]
fn a_client_that_is_not_ours_lists_watches_and_runs() {
    let office = office_with_alerts();
    let server = office.serve();
    python_prints("grpc_client.py", &[server.address.as_ref()]);
}

#[test]
fn the_grpcurl_lines_of_the_documents_run() {
    let office = office_with_alerts();
    let server = office.serve();
    let exports = tempfile::tempdir().unwrap();
    std::fs::write(exports.path().join("workdays.csv"), "day,note\n2024-01-01,元旦\n").unwrap();
    let document = root().join("docs/grpc.md");
    let printed = python_prints(
        "grpcurl_lines.py",
        &[
            server.address.as_ref(),
            document.as_ref(),
            exports.path().as_ref(),
        ],
    );
    let lines = std::fs::read_to_string(&document)
        .unwrap()
        .lines()
        .filter(|line| line.starts_with("grpcurl "))
        .count();
    assert_eq!(printed.trim(), format!("{lines} lines ran"));
    assert!(lines >= 10);
}

#[test]
fn the_server_refuses_to_listen_beyond_loopback() {
    let office = Office::new();
    let refused = office.run(&["serve", "--listen", "0.0.0.0:0"]);
    assert!(matches!(refused.code, Some(1 | 2)), "{refused:?}");
    assert!(
        refused.stderr.contains("loopback") || refused.stderr.contains("127.0.0.1"),
        "{}",
        refused.stderr
    );
}
