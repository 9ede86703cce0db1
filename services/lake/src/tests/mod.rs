//! The lake as its users see it: rows in through syncs, rows out through DataFusion, at any snapshot.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt64Array, new_null_array};
use arrow::compute::cast;
use arrow::util::display::array_value_to_string;
use chrono::{DateTime, Utc};
use connector::{Reason, Rejected, RowBatch};
use datafusion::prelude::{SessionConfig, SessionContext};
use domain::ports::DatasetCounts;

use super::*;

mod changes;
mod parties;
mod scans;
mod sequences;

const BATCH: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

pub(crate) fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
}

/// Rows of a dataset from texts; columns that are not named are null. Positions count from `first`.
pub(crate) fn rows(dataset: &str, columns: &[(&str, Vec<Option<String>>)], first: u64) -> RowBatch {
    let dataset = domain::dataset(dataset).unwrap();
    let len = columns[0].1.len();
    let arrays = dataset
        .columns
        .iter()
        .map(|c| match columns.iter().find(|(name, _)| *name == c.name) {
            None => new_null_array(&c.ty.arrow(), len),
            Some((_, values)) => {
                let texts: ArrayRef = Arc::new(arrow::array::StringArray::from(values.clone()));
                cast(&texts, &c.ty.arrow()).unwrap()
            }
        })
        .collect();
    RowBatch {
        columns: RecordBatch::try_new(dataset.schema(), arrays).unwrap(),
        dataset,
        batch: BATCH.into(),
        positions: UInt64Array::from_iter_values(first..first + len as u64),
    }
}

/// Quarantined rows of a dataset, or of all.
fn of(dataset: Option<&str>) -> domain::ports::QuarantineFilter {
    domain::ports::QuarantineFilter {
        dataset: dataset.map(str::to_owned),
        ..Default::default()
    }
}

fn products(rows_of: &[(&str, &str)]) -> RowBatch {
    let column = |pick: fn(&(&str, &str)) -> String| rows_of.iter().map(|r| Some(pick(r))).collect();
    rows(
        "products",
        &[
            ("product_id", column(|r| r.0.into())),
            ("name", column(|r| r.1.into())),
        ],
        1,
    )
}

/// Syncs the batches and commits; returns (snapshot, counts).
async fn sync(lake: &Lake, seconds: i64, batches: Vec<RowBatch>) -> (i64, Vec<DatasetCounts>) {
    let mut sync = lake
        .begin(SyncStart {
            source: "test".into(),
            started_at: time(seconds),
        })
        .await
        .unwrap();
    for batch in batches {
        sync.write(batch).await.unwrap();
    }
    let prepared = sync.finish().await.unwrap();
    let counts = prepared.counts().to_vec();
    assert!(counts.iter().all(DatasetCounts::holds), "{counts:?}");
    (prepared.commit("test").await.unwrap(), counts)
}

async fn query(lake: &Lake, snapshot: i64, sql: &str) -> Vec<String> {
    query_on(
        lake,
        snapshot,
        sql,
        SessionConfig::new().with_target_partitions(3),
    )
    .await
}

async fn query_on(lake: &Lake, snapshot: i64, sql: &str, config: SessionConfig) -> Vec<String> {
    let ctx = SessionContext::new_with_config(config);
    for dataset in domain::catalogue().iter().map(|d| d.name.as_str()).chain([
        "_syncs",
        "_quarantine",
        "_batches",
        "_mentions",
    ]) {
        ctx.register_table(dataset, lake.table(dataset, snapshot).await.unwrap())
            .unwrap();
    }
    let batches = ctx.sql(sql).await.unwrap().collect().await.unwrap();
    let mut lines = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = batch
                .columns()
                .iter()
                .map(|c| array_value_to_string(c, row).unwrap())
                .collect();
            lines.push(cells.join("|"));
        }
    }
    lines
}

async fn names(lake: &Lake, snapshot: i64) -> Vec<String> {
    query(
        lake,
        snapshot,
        "select product_id, name from products order by product_id",
    )
    .await
}

fn count(counts: &[DatasetCounts], dataset: &str) -> (u64, u64, u64, u64) {
    let c = counts.iter().find(|c| c.dataset == dataset).unwrap();
    (c.inserted, c.updated, c.unchanged, c.quarantined)
}

async fn open(dir: &Path) -> Lake {
    Lake::open(dir, time(0)).await.unwrap().with_threads(2)
}

#[tokio::test]
async fn rows_are_inserted_updated_and_left_and_every_snapshot_stays() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path()).await;
    assert_eq!(lake.head().await.unwrap(), 0);
    assert_eq!(names(&lake, 0).await, Vec::<String>::new());

    let (first, counts) = sync(&lake, 1, vec![products(&[("a", "甲"), ("b", "乙"), ("c", "丙")])]).await;
    assert_eq!(count(&counts, "products"), (3, 0, 0, 0));
    let (second, counts) = sync(
        &lake,
        2,
        vec![products(&[("b", "乙2"), ("c", "丙"), ("d", "丁")])],
    )
    .await;
    assert_eq!(count(&counts, "products"), (1, 1, 1, 0));
    let (third, counts) = sync(&lake, 3, vec![products(&[("b", "乙3"), ("a", "甲3")])]).await;
    assert_eq!(count(&counts, "products"), (0, 2, 0, 0));

    assert_eq!(names(&lake, first).await, ["a|甲", "b|乙", "c|丙"]);
    assert_eq!(names(&lake, second).await, ["a|甲", "b|乙2", "c|丙", "d|丁"]);
    assert_eq!(names(&lake, third).await, ["a|甲3", "b|乙3", "c|丙", "d|丁"]);
    // The first writer of an unchanged row stays known.
    let since = query(
        &lake,
        third,
        "select product_id, _row from products order by product_id",
    )
    .await;
    assert_eq!(since, ["a|2", "b|1", "c|3", "d|3"]);
    assert_eq!(
        query(&lake, third, "select count(*), count(name) from products").await,
        ["4|4"]
    );
    assert_eq!(
        query(&lake, third, "select count(*) from products where name = '丙'").await,
        ["1"]
    );
    assert_eq!(
        query(
            &lake,
            third,
            "select count(*) from (select * from products limit 2)"
        )
        .await,
        ["2"]
    );
    assert_eq!(
        query(
            &lake,
            third,
            "select sum(inserted), sum(updated), sum(unchanged) from _syncs"
        )
        .await,
        ["4|3|1"]
    );
    assert!(lake.table("products", third + 1).await.is_err());
    assert!(lake.table("no_such", third).await.is_err());
}

#[tokio::test]
async fn a_sync_that_changes_nothing_rewrites_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path()).await;
    let batch = || products(&[("a", "甲"), ("b", "乙")]);
    let (first, _) = sync(&lake, 1, vec![batch()]).await;
    let (second, counts) = sync(&lake, 60, vec![batch()]).await;
    assert_eq!(count(&counts, "products"), (0, 0, 2, 0));
    assert_eq!(lake.table_version("products", second).await.unwrap(), Some(first));
    assert_eq!(lake.table_version("_syncs", second).await.unwrap(), Some(second));
    assert_eq!(lake.table_version("bids", second).await.unwrap(), None);
    assert_eq!(lake.last_synced("products", first).await.unwrap(), Some(time(1)));
    assert_eq!(
        lake.last_synced("products", second).await.unwrap(),
        Some(time(60))
    );
    assert_eq!(lake.last_synced("bids", second).await.unwrap(), None);
}

#[tokio::test]
async fn of_two_rows_with_one_key_the_later_counts_and_a_repeat_is_harmless() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path()).await;
    let batches = || {
        vec![
            products(&[("a", "甲"), ("a", "甲2"), ("b", "乙")]),
            products(&[("b", "乙2"), ("b", "乙2")]),
        ]
    };
    let mut first = lake
        .begin(SyncStart {
            source: "t".into(),
            started_at: time(1),
        })
        .await
        .unwrap();
    for batch in batches() {
        first.write(batch).await.unwrap();
    }
    let prepared = first.finish().await.unwrap();
    assert_eq!(count(prepared.counts(), "products"), (2, 2, 1, 0));
    let notice = &prepared.notices()[0];
    assert_eq!((notice.code.as_str(), notice.count), ("DUPLICATE_KEY", 2));
    let snapshot = prepared.commit("t").await.unwrap();
    assert_eq!(names(&lake, snapshot).await, ["a|甲2", "b|乙2"]);
    // Read again, the same files change nothing in the end.
    let (again, counts) = sync(&lake, 2, batches()).await;
    assert_eq!(count(&counts, "products"), (0, 0, 5, 0));
    assert_eq!(
        lake.table_version("products", again).await.unwrap(),
        Some(snapshot)
    );
    assert_eq!(names(&lake, again).await, ["a|甲2", "b|乙2"]);
}

#[tokio::test]
async fn without_a_commit_nothing_is_visible_and_nothing_stays() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path()).await;
    let (first, _) = sync(&lake, 1, vec![products(&[("a", "甲")])]).await;
    let files = || walk(&dir.path().join("lake"));
    let before = files();
    let start = || SyncStart {
        source: "t".into(),
        started_at: time(2),
    };
    let mut dropped = lake.begin(start()).await.unwrap();
    dropped.write(products(&[("a", "x"), ("b", "y")])).await.unwrap();
    drop(dropped);
    let mut prepared = lake.begin(start()).await.unwrap();
    prepared.write(products(&[("a", "x"), ("b", "y")])).await.unwrap();
    let prepared = prepared.finish().await.unwrap();
    assert_eq!(lake.head().await.unwrap(), first);
    drop(prepared);
    // The next sync begins only when the ones given up are cleared away.
    drop(lake.begin(start()).await.unwrap());
    drop(lake.turn.lock().await);
    assert_eq!(files(), before);
    assert_eq!(names(&lake, first).await, ["a|甲"]);
}

#[tokio::test]
async fn what_a_killed_sync_left_goes_at_the_next_start_and_a_rerun_reaches_the_same_rows() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path()).await;
    sync(&lake, 1, vec![products(&[("a", "甲")])]).await;
    let before = walk(&dir.path().join("lake"));
    let mut killed = lake
        .begin(SyncStart {
            source: "t".into(),
            started_at: time(2),
        })
        .await
        .unwrap();
    killed.write(products(&[("a", "x"), ("b", "y")])).await.unwrap();
    // The files stay behind as after kill -9: the guard that would remove them is never run.
    std::mem::forget(killed.finish().await.unwrap());
    assert_ne!(walk(&dir.path().join("lake")), before);
    lake.close().await;
    let copy = tempfile::tempdir().unwrap();
    copy_tree(dir.path(), copy.path());
    let lake = open(copy.path()).await;
    assert_eq!(walk(&copy.path().join("lake")).len(), before.len());
    let (snapshot, counts) = sync(&lake, 3, vec![products(&[("a", "x"), ("b", "y")])]).await;
    assert_eq!(count(&counts, "products"), (1, 1, 0, 0));
    assert_eq!(names(&lake, snapshot).await, ["a|x", "b|y"]);
}

#[tokio::test]
async fn rejected_rows_are_counted_and_listed_with_their_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path()).await;
    let mut sync = lake
        .begin(SyncStart {
            source: "his".into(),
            started_at: time(1),
        })
        .await
        .unwrap();
    sync.write(products(&[("a", "甲")])).await.unwrap();
    for (dataset, position) in [("products", 3), ("bids", 7)] {
        sync.reject(Rejected {
            dataset: dataset.into(),
            batch: BATCH.into(),
            file: "产品.csv".into(),
            position,
            field: Some("pack_size".into()),
            reason: Reason::BadDecimal,
            detail: "一百".into(),
            raw: vec![0xd2, 0xbb, b','],
        })
        .await
        .unwrap();
    }
    let prepared = sync.finish().await.unwrap();
    assert_eq!(count(prepared.counts(), "products"), (1, 0, 0, 1));
    assert_eq!(count(prepared.counts(), "bids"), (0, 0, 0, 1));
    let snapshot = prepared.commit("x").await.unwrap();
    let listed = lake.quarantine(of(Some("bids")), 10, snapshot).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (listed[0].row, listed[0].raw.as_slice()),
        (7, &[0xd2, 0xbb, b','][..])
    );
    assert_eq!(lake.quarantine(of(None), 1, snapshot).await.unwrap().len(), 1);
    assert_eq!(
        query(
            &lake,
            snapshot,
            "select reason, field from _quarantine where dataset = 'bids'"
        )
        .await,
        ["BAD_DECIMAL|pack_size"]
    );
}

#[tokio::test]
async fn raw_batches_are_recorded_once() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path()).await;
    for seconds in [1, 2] {
        let mut sync = lake
            .begin(SyncStart {
                source: "his".into(),
                started_at: time(seconds),
            })
            .await
            .unwrap();
        let raw = sync.raw_store();
        raw.put_bytes(b"abc", "a.csv").unwrap();
        sync.seen(domain::dataset("bids").unwrap()).await.unwrap();
        let snapshot = sync.finish().await.unwrap().commit("x").await.unwrap();
        assert_eq!(
            query(&lake, snapshot, "select name, bytes from _batches").await,
            ["a.csv|3"]
        );
        // Read without a row, it is a table all the same.
        assert!(
            lake.table_names(snapshot)
                .await
                .unwrap()
                .contains(&"bids".to_owned())
        );
        assert_eq!(
            lake.last_synced("bids", snapshot).await.unwrap(),
            Some(time(seconds))
        );
    }
}

#[tokio::test]
async fn bookkeeping_stays_in_few_files() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path()).await;
    for n in 0..40 {
        sync(&lake, n, vec![products(&[("a", &n.to_string())])]).await;
    }
    let table = lake.catalogue.table("_syncs", 40).await.unwrap().unwrap();
    assert!(table.files.len() <= 17, "{}", table.files.len());
    assert_eq!(
        query(
            &lake,
            40,
            "select count(*), count(distinct started_at) from _syncs"
        )
        .await,
        ["40|40"]
    );
    assert_eq!(query(&lake, 20, "select count(*) from _syncs").await, ["20"]);
    assert_eq!(names(&lake, 31).await, ["a|30"]);
}

#[tokio::test]
async fn batches_that_do_not_fit_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path()).await;
    let mut wrong = products(&[("a", "b")]);
    wrong.dataset = domain::dataset("bids").unwrap();
    let mut sync = lake
        .begin(SyncStart {
            source: "t".into(),
            started_at: time(1),
        })
        .await
        .unwrap();
    sync.write(wrong).await.unwrap();
    let error = sync.finish().await.err().unwrap();
    assert!(error.to_string().contains("bids"), "{error}");
    assert_eq!(lake.head().await.unwrap(), 0);
}

fn walk(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap().path();
            if entry.is_dir() {
                folders.push(entry)
            } else {
                found.push(entry)
            }
        }
    }
    found.sort();
    found
}

fn copy_tree(from: &Path, to: &Path) {
    for path in walk(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(path, target).unwrap();
    }
}
