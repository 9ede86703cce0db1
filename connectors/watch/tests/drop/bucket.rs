//! The bucket, on a small server of its own.

use std::sync::Arc;

use chrono::{TimeZone, Utc};
use connector::Connector;
use tempfile::TempDir;
use test_servers::s3::Server;
use watch::WatchConnector;

use crate::harness::{HandClock, Host, contracts};

/// A connector to the server's bucket `hospital`; the secrets are in files.
fn connector(server: &Server, dir: &TempDir, more: &str) -> (WatchConnector, Arc<HandClock>) {
    std::fs::write(dir.path().join("id"), "KEYID\n").unwrap();
    std::fs::write(dir.path().join("secret"), "hush\n").unwrap();
    let config = format!(
        "kind = \"s3\"\nbucket = \"hospital\"\nprefix = \"in\"\nendpoint = \"{}\"\nallow_http = true\n\
         access_key_id = {{ file = \"id\" }}\nsecret_access_key = {{ file = \"secret\" }}\n{more}",
        server.endpoint
    );
    let clock = HandClock::new(Utc.with_ymd_and_hms(2023, 11, 20, 0, 0, 0).unwrap());
    (
        WatchConnector::from_toml(&config, dir.path(), clock.clone()).unwrap(),
        clock,
    )
}

#[tokio::test]
async fn objects_over_pages_are_read_once_oldest_first() {
    let server = Server::start().await;
    for (key, id, day) in [
        ("in/a/contracts.csv", "A", 3),
        ("in/b/contracts.csv", "B", 1),
        ("in/c/contracts.csv", "C", 2),
        ("in/台账/contracts.csv", "D", 4),
        ("elsewhere/contracts.csv", "X", 1),
        ("in/.hidden.csv", "Y", 1),
    ] {
        server.put(key, contracts(&[id]), day);
    }
    let dir = tempfile::tempdir().unwrap();
    let (connector, _) = connector(&server, &dir, "");
    let mut host = Host::default();
    let first = host.sync(&connector).await;
    assert_eq!(first.keys, ["B", "C", "A", "D"]);
    assert_eq!(
        first.order.iter().filter(|o| *o == "台账/contracts.csv").count(),
        1
    );
    assert_eq!(host.sync(&connector).await.order, Vec::<String>::new());
    server.put("in/b/contracts.csv", contracts(&["B2"]), 5);
    assert_eq!(host.sync(&connector).await.keys, ["B2"]);
    assert_eq!(
        server.bucket.lock().unwrap().unsigned,
        0,
        "every request is signed"
    );
    let found = connector.discover().await.unwrap();
    assert_eq!(found.len(), 4);
    assert!(
        found
            .iter()
            .all(|f| f.dataset.as_deref() == Some("contracts") && f.bytes > 0)
    );
}

#[tokio::test]
async fn a_busy_service_is_asked_again() {
    let server = Server::start().await;
    server.put("in/contracts.csv", contracts(&["A"]), 1);
    let dir = tempfile::tempdir().unwrap();
    let (connector, _) = connector(&server, &dir, "");
    server.bucket.lock().unwrap().busy = 1;
    assert_eq!(Host::default().sync(&connector).await.keys, ["A"]);
}

#[tokio::test]
async fn an_object_replaced_while_it_is_read_waits_for_the_next_sync() {
    let server = Server::start().await;
    server.put("in/contracts.csv", contracts(&["A"]), 1);
    let dir = tempfile::tempdir().unwrap();
    let (connector, _) = connector(&server, &dir, "");
    let mut host = Host::default();
    let bucket = server.bucket.clone();
    let meanwhile = move || {
        let replaced = (contracts(&["B"]).into_bytes(), 2);
        bucket
            .lock()
            .unwrap()
            .objects
            .insert("in/contracts.csv".to_owned(), replaced);
    };
    let synced = host
        .sync_while(&connector, Some(Box::new(meanwhile)))
        .await
        .unwrap();
    assert_eq!(
        (synced.keys.len(), synced.notices),
        (0, vec!["FILE_CHANGED contracts.csv".to_owned()])
    );
    assert_eq!(host.sync(&connector).await.keys, ["B"]);
}

#[tokio::test]
async fn objects_move_when_their_rows_are_committed() {
    let server = Server::start().await;
    server.put("in/contracts.csv", contracts(&["A"]), 1);
    let dir = tempfile::tempdir().unwrap();
    let (connector, _) = connector(&server, &dir, "done = \"in/done\"\n");
    let mut host = Host::default();
    assert_eq!(host.sync(&connector).await.keys, ["A"]);
    assert_eq!(server.keys(), ["in/contracts.csv"]);
    assert_eq!(host.sync(&connector).await.keys.len(), 0);
    assert_eq!(server.keys(), ["in/done/contracts.csv"]);
    assert_eq!(host.sync(&connector).await.order, Vec::<String>::new());
}

#[tokio::test]
async fn checks_and_trials_only_read_the_bucket() {
    let server = Server::start().await;
    server.put("in/contracts.csv", contracts(&["A"]), 1);
    let dir = tempfile::tempdir().unwrap();
    let (connector, _) = connector(&server, &dir, "done = \"in/done\"\n");
    let mut host = Host::default();
    assert_eq!(host.sync(&connector).await.keys, ["A"]);
    connector.check().await.unwrap();
    connector.discover().await.unwrap();
    host.try_out(&connector).await;
    let requests = server.bucket.lock().unwrap().log.clone();
    let reads = |line: &String| line.starts_with("GET ") || line.starts_with("HEAD ");
    assert!(requests.iter().all(reads), "{requests:?}");
    assert_eq!(server.keys(), ["in/contracts.csv"]);
    host.sync(&connector).await;
    assert_eq!(server.keys(), ["in/done/contracts.csv"]);
}

#[tokio::test]
async fn an_object_rests_where_that_is_wanted() {
    let server = Server::start().await;
    server.put("in/contracts.csv", contracts(&["A"]), 20);
    let dir = tempfile::tempdir().unwrap();
    let (connector, clock) = connector(&server, &dir, "stable_seconds = 60\n");
    let mut host = Host::default();
    assert_eq!(host.sync(&connector).await.keys.len(), 0);
    clock.pass(60);
    assert_eq!(host.sync(&connector).await.keys, ["A"]);
}

#[tokio::test]
async fn a_bucket_that_is_not_there() {
    let server = Server::start().await;
    let dir = tempfile::tempdir().unwrap();
    let config = format!(
        "kind = \"s3\"\nbucket = \"gone\"\nendpoint = \"{}\"\nallow_http = true\n",
        server.endpoint
    );
    let clock = HandClock::new(Utc.with_ymd_and_hms(2023, 11, 20, 0, 0, 0).unwrap());
    let connector = WatchConnector::from_toml(&config, dir.path(), clock).unwrap();
    let failure = connector.check().await.unwrap_err();
    assert_eq!(failure.reason, "BUCKET_NOT_FOUND", "{failure}");
    let half = format!("{config}access_key_id = {{ env = \"X\" }}\n");
    let clock = HandClock::new(Utc.with_ymd_and_hms(2023, 11, 20, 0, 0, 0).unwrap());
    assert!(WatchConnector::from_toml(&half, dir.path(), clock).is_err());
}
