//! The drop folder.

use std::fs::{self, File, FileTimes};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use connector::Connector;
use tempfile::TempDir;
use watch::WatchConnector;

use crate::harness::{HandClock, Host, contracts};

const START: u64 = 1_700_000_000;

struct Drop {
    dir: TempDir,
    clock: Arc<HandClock>,
    connector: WatchConnector,
    host: Host,
}

impl Drop {
    fn new(more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("in")).unwrap();
        let clock = HandClock::new(DateTime::<Utc>::from_timestamp(START as i64, 0).unwrap());
        let config = format!("kind = \"drop-folder\"\npath = \"in\"\n{more}");
        let connector = WatchConnector::from_toml(&config, dir.path(), clock.clone()).unwrap();
        Self {
            dir,
            clock,
            connector,
            host: Host::default(),
        }
    }

    /// Writes a file that was changed so many seconds after the start.
    fn put(&self, name: &str, bytes: impl AsRef<[u8]>, at: i64) {
        put(&self.dir.path().join("in").join(name), bytes, at);
    }

    fn has(&self, name: &str) -> bool {
        self.dir.path().join("in").join(name).exists()
    }
}

fn put(path: &Path, bytes: impl AsRef<[u8]>, at: i64) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs((START as i64 + at) as u64);
    let file = File::options().write(true).open(path).unwrap();
    file.set_times(FileTimes::new().set_modified(time)).unwrap();
}

#[tokio::test]
async fn files_are_taken_once_they_rest_and_once_only() {
    let mut drop = Drop::new("");
    drop.put("b/contracts.csv", contracts(&["B"]), -100);
    drop.put("contracts.csv", contracts(&["A"]), -10);
    drop.put(".contracts.csv.part", contracts(&["X"]), -1000);
    let first = drop.host.sync(&drop.connector).await;
    assert_eq!(first.keys, ["B"]);
    assert_eq!(first.notices, ["FILE_STILL_GROWING contracts.csv"]);
    assert_eq!(first.order, ["contracts.csv", "rows", "b/contracts.csv"]);
    drop.clock.pass(30);
    assert_eq!(drop.host.sync(&drop.connector).await.order, Vec::<String>::new());
    drop.clock.pass(30);
    assert_eq!(drop.host.sync(&drop.connector).await.keys, ["A"]);
    assert_eq!(drop.host.sync(&drop.connector).await.order, Vec::<String>::new());
    assert!(drop.has("contracts.csv"));
    // Touched only: known by its digest. Changed: read again.
    drop.put("contracts.csv", contracts(&["A"]), -5);
    let touched = drop.host.sync(&drop.connector).await;
    assert_eq!(
        (touched.keys.len(), touched.order),
        (0, vec!["contracts.csv".to_owned()])
    );
    drop.put("contracts.csv", contracts(&["A", "A2"]), -4);
    assert_eq!(drop.host.sync(&drop.connector).await.keys, ["A", "A2"]);
}

#[tokio::test]
async fn a_growing_file_is_left_alone() {
    let mut drop = Drop::new("stable_seconds = 100\n");
    for step in 0..5 {
        drop.put(
            "contracts.csv",
            contracts(&["A", "B", "C", "D", "E"][..=step]),
            step as i64 * 60,
        );
        assert_eq!(
            drop.host.sync(&drop.connector).await.keys,
            Vec::<String>::new(),
            "{step}"
        );
        drop.clock.pass(60);
    }
    drop.clock.pass(60);
    assert_eq!(drop.host.sync(&drop.connector).await.keys.len(), 5);
}

#[tokio::test]
async fn a_file_with_a_time_in_the_future_is_taken_by_what_was_seen() {
    let mut drop = Drop::new("");
    drop.put("contracts.csv", contracts(&["A"]), 1_000_000);
    assert_eq!(drop.host.sync(&drop.connector).await.keys.len(), 0);
    drop.clock.pass(61);
    assert_eq!(drop.host.sync(&drop.connector).await.keys, ["A"]);
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_kept_is_not_read() {
    let mut drop = Drop::new("");
    drop.put("contracts.csv", contracts(&["A"]), -100);
    let path = drop.dir.path().join("in/contracts.csv");
    let meanwhile = move || put(&path, contracts(&["A", "B"]), -90);
    let synced = drop
        .host
        .sync_while(&drop.connector, Some(Box::new(meanwhile)))
        .await
        .unwrap();
    assert_eq!(
        (synced.keys.len(), synced.notices),
        (0, vec!["FILE_CHANGED contracts.csv".to_owned()])
    );
    assert_eq!(drop.host.sync(&drop.connector).await.keys, ["A", "B"]);
}

#[tokio::test]
async fn files_move_when_their_rows_are_committed() {
    let mut drop = Drop::new("done = \"done\"\n");
    drop.put("sub/contracts.csv", contracts(&["A"]), -100);
    assert_eq!(drop.host.sync(&drop.connector).await.keys, ["A"]);
    assert!(drop.has("sub/contracts.csv"), "not before the host has committed");
    assert_eq!(drop.host.sync(&drop.connector).await.keys.len(), 0);
    assert!(drop.has("done/sub/contracts.csv") && !drop.has("sub/contracts.csv"));
    // The next file of that name does not overwrite it.
    drop.put("sub/contracts.csv", contracts(&["B"]), -50);
    drop.clock.pass(60);
    assert_eq!(drop.host.sync(&drop.connector).await.keys, ["B"]);
    drop.host.sync(&drop.connector).await;
    assert!(drop.has("done/sub/contracts.csv") && drop.has("done/sub/contracts.csv.1"));
    assert_eq!(drop.connector.discover().await.unwrap(), []);
}

#[tokio::test]
async fn checks_and_trials_leave_the_folder_as_it_is() {
    let mut drop = Drop::new("done = \"done\"\n");
    drop.put("contracts.csv", contracts(&["A"]), -100);
    assert_eq!(drop.host.sync(&drop.connector).await.keys, ["A"]);
    drop.put("later/contracts.csv", contracts(&["B"]), -90);
    // The first file is known, so that a sync would move it; a trial does not, and reads the other each time.
    for _ in 0..2 {
        drop.connector.check().await.unwrap();
        assert_eq!(drop.connector.discover().await.unwrap().len(), 2);
        assert_eq!(drop.host.try_out(&drop.connector).await.keys, ["B"]);
        assert!(drop.has("contracts.csv") && drop.has("later/contracts.csv") && !drop.has("done"));
    }
    assert_eq!(drop.host.sync(&drop.connector).await.keys, ["B"]);
    assert!(drop.has("done/contracts.csv") && !drop.has("contracts.csv"));
}

#[tokio::test]
async fn what_a_crash_lost_is_read_again_and_nothing_else() {
    let mut drop = Drop::new("");
    for (n, name) in ["1", "2", "3"].iter().enumerate() {
        drop.put(
            &format!("{name}/contracts.csv"),
            contracts(&[name]),
            n as i64 - 100,
        );
    }
    let whole = drop.host.sync(&drop.connector).await;
    assert_eq!(whole.keys, ["1", "2", "3"]);
    // The host had committed the first file only.
    drop.host.cursors.retain(|stream, _| stream == "1/contracts.csv");
    assert_eq!(drop.host.sync(&drop.connector).await.keys, ["2", "3"]);
}

#[tokio::test]
async fn workbooks_with_a_password_are_refused() {
    // A compound file, as Office writes an XLSX with a password: its directory names EncryptedPackage.
    let mut bytes = vec![0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];
    bytes.resize((1 << 20) - 7, 0);
    bytes.extend("EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes));
    bytes.resize(2 << 20, 0);
    let mut drop = Drop::new("");
    drop.put("contracts.xlsx", &bytes, -100);
    let synced = drop.host.sync(&drop.connector).await;
    assert_eq!(
        synced.rejected,
        [("contracts.xlsx".to_owned(), "PASSWORD_PROTECTED".to_owned())]
    );
    assert_eq!(
        synced.order,
        ["contracts.xlsx"],
        "it is done with until it changes"
    );
}

#[tokio::test]
async fn folders_that_cannot_be_read_and_configurations_that_cannot_be() {
    let drop = Drop::new("");
    assert!(drop.connector.check().await.is_ok());
    let spec = drop.connector.spec();
    assert!(spec.incremental && spec.config_schema.is_object());
    fs::remove_dir(drop.dir.path().join("in")).unwrap();
    let failure = drop.connector.check().await.unwrap_err();
    assert_eq!(failure.reason, "DIRECTORY_UNREADABLE");
    let config = "kind = \"drop-folder\"\npath = \"in\"\ndone = \"../out\"\n";
    let error = WatchConnector::from_toml(config, drop.dir.path(), drop.clock.clone())
        .err()
        .unwrap();
    assert!(error.to_string().contains("below path"), "{error}");
}
