//! What differs between two snapshots is what their rows say, however the rows got into their files.

use std::collections::BTreeSet;

use datafusion::catalog::TableProvider;
use proptest::prelude::*;

use super::*;

/// The rows of a table as "id|name", and what it says of their number.
async fn shown(table: Arc<dyn TableProvider>) -> (BTreeSet<String>, String) {
    let ctx = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2));
    ctx.register_table("t", table).unwrap();
    let ask = |sql: &'static str| {
        let ctx = &ctx;
        async move {
            let batches = ctx.sql(sql).await.unwrap().collect().await.unwrap();
            let mut lines = Vec::new();
            for batch in &batches {
                for row in 0..batch.num_rows() {
                    let cell = |c: &ArrayRef| array_value_to_string(c, row).unwrap();
                    lines.push(batch.columns().iter().map(cell).collect::<Vec<_>>().join("|"));
                }
            }
            lines
        }
    };
    let rows = ask("select product_id, name from t").await;
    let count = ask("select count(*) from t").await.remove(0);
    let set: BTreeSet<String> = rows.iter().cloned().collect();
    assert_eq!(set.len(), rows.len(), "no row comes twice");
    (set, count)
}

async fn check(lake: &Lake, since: i64, snapshot: i64) {
    let rows_at = |at| async move { names(lake, at).await.into_iter().collect::<BTreeSet<_>>() };
    let (before, after) = (rows_at(since).await, rows_at(snapshot).await);
    let changes = lake.changes("products", since, snapshot).await.unwrap();
    let (gone, gone_count) = shown(changes.gone).await;
    let (new, new_count) = shown(changes.new).await;
    // A row that became what it was is gone and new; beside that the two are the difference.
    let again: BTreeSet<_> = gone.intersection(&new).collect();
    assert!(
        again
            .iter()
            .all(|row| before.contains(*row) && after.contains(*row))
    );
    let less = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect::<BTreeSet<_>>();
    assert_eq!(less(&gone, &new), less(&before, &after), "{since} to {snapshot}");
    assert_eq!(less(&new, &gone), less(&after, &before), "{since} to {snapshot}");
    let counted = (gone_count, new_count);
    assert_eq!(
        counted,
        (changes.gone_rows.to_string(), changes.new_rows.to_string())
    );
}

#[tokio::test]
async fn rows_that_stayed_are_in_neither() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path()).await;
    let (first, _) = sync(&lake, 1, vec![products(&[("a", "甲"), ("b", "乙"), ("c", "丙")])]).await;
    let (second, _) = sync(&lake, 2, vec![products(&[("b", "乙2"), ("d", "丁")])]).await;
    let (third, _) = sync(&lake, 3, vec![products(&[("a", "甲2"), ("d", "丁2")])]).await;
    let changes = lake.changes("products", first, second).await.unwrap();
    assert_eq!((changes.gone_rows, changes.new_rows), (1, 2));
    let (gone, _) = shown(changes.gone).await;
    assert_eq!(gone, BTreeSet::from(["b|乙".to_owned()]));
    // Of a file that lost rows in both only those count that the second took.
    let (gone, _) = shown(lake.changes("products", second, third).await.unwrap().gone).await;
    assert_eq!(gone, BTreeSet::from(["a|甲".to_owned(), "d|丁".to_owned()]));
    for (since, snapshot) in [
        (0, first),
        (first, first),
        (0, third),
        (first, third),
        (third, first),
    ] {
        check(&lake, since, snapshot).await;
    }
    let never = lake.changes("bids", first, third).await.unwrap();
    assert_eq!((never.gone_rows, never.new_rows), (0, 0));
    assert!(lake.changes("products", first, third + 1).await.is_err());
    assert!(lake.changes("no_such", first, third).await.is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_two_snapshots_differ_as_their_rows_do(
        syncs in proptest::collection::vec(proptest::collection::vec((0..6usize, 0..3usize), 1..6), 1..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let lake = open(dir.path()).await;
            let mut snapshots = vec![0];
            for (seconds, rows) in (1..).zip(&syncs) {
                let rows: Vec<(String, String)> =
                    rows.iter().map(|(id, name)| (id.to_string(), name.to_string())).collect();
                let rows: Vec<(&str, &str)> = rows.iter().map(|(id, n)| (id.as_str(), n.as_str())).collect();
                snapshots.push(sync(&lake, seconds, vec![products(&rows)]).await.0);
            }
            for since in &snapshots {
                for snapshot in snapshots.iter().filter(|s| *s >= since) {
                    check(&lake, *since, *snapshot).await;
                }
            }
        });
    }
}
