//! What the engine makes of a table: bare scans that split over threads, deleted rows left out.

use super::*;

#[tokio::test]
async fn a_plan_over_deleted_rows_is_still_a_bare_scan_and_splits_over_threads() {
    let dir = tempfile::tempdir().unwrap();
    // The names a data directory may have are nobody's business but its owner's.
    let lake = open(&dir.path().join("数据 50% #1")).await.with_threads(1);
    let many = |from: u32, to: u32, name: &str| {
        rows(
            "products",
            &[
                (
                    "product_id",
                    (from..to).map(|n| Some(format!("P{n:06}"))).collect(),
                ),
                ("name", (from..to).map(|_| Some(name.to_owned())).collect()),
            ],
            1,
        )
    };
    // One file of two row groups (524,288 rows and the rest), with rows gone on both sides of the border.
    let all = (0..12)
        .map(|n| many(n * 60_000, (n + 1) * 60_000, "甲"))
        .collect();
    sync(&lake, 1, all).await;
    let (snapshot, _) = sync(
        &lake,
        2,
        vec![many(523_000, 526_000, "乙"), many(700_000, 700_001, "丙")],
    )
    .await;
    let config = || {
        let mut config = SessionConfig::new().with_target_partitions(4);
        config.options_mut().optimizer.repartition_file_min_size = 1;
        config
    };
    let sql = "select name, count(*), min(product_id), max(product_id) from products \
               where product_id >= 'P000010' group by name order by count(*)";
    let ctx = SessionContext::new_with_config(config());
    ctx.register_table("products", lake.table("products", snapshot).await.unwrap())
        .unwrap();
    let shown = |plan: Arc<dyn datafusion::physical_plan::ExecutionPlan>| {
        datafusion::physical_plan::displayable(plan.as_ref())
            .indent(true)
            .to_string()
    };
    let plan = shown(ctx.sql(sql).await.unwrap().create_physical_plan().await.unwrap());
    assert!(plan.contains("DataSourceExec: file_groups={4 groups"), "{plan}");
    let want = [
        "丙|1|P700000|P700000",
        "乙|3000|P523000|P525999",
        "甲|716989|P000010|P719999",
    ];
    assert_eq!(query_on(&lake, snapshot, sql, config()).await, want);
    let one = SessionConfig::new().with_target_partitions(1);
    assert_eq!(query_on(&lake, snapshot, sql, one).await, want);
    // Counting needs no scan: the catalogue knows.
    let counted = shown(
        ctx.sql("select count(*) from products")
            .await
            .unwrap()
            .create_physical_plan()
            .await
            .unwrap(),
    );
    assert!(!counted.contains("DataSourceExec"), "{counted}");
    assert_eq!(
        query(&lake, snapshot, "select count(*) from products").await,
        ["720000"]
    );
}

/// Whether the engine still has to filter.
async fn filters(lake: &Lake, snapshot: i64, condition: &str) -> bool {
    let ctx = SessionContext::new();
    ctx.register_table(
        "credit_records",
        lake.table("credit_records", snapshot).await.unwrap(),
    )
    .unwrap();
    let sql = format!("select record_id from credit_records where {condition}");
    let plan = ctx.sql(&sql).await.unwrap().create_physical_plan().await.unwrap();
    let shown = datafusion::physical_plan::displayable(plan.as_ref())
        .indent(true)
        .to_string();
    shown.contains("FilterExec")
}

#[tokio::test]
async fn a_filter_that_holds_for_every_row_is_left_out_and_no_other_is() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path()).await;
    let batch = |ids: &[&str], issued: &[Option<&str>], levels: &[Option<&str>]| {
        let texts = |values: &[Option<&str>]| values.iter().map(|v| v.map(str::to_owned)).collect();
        rows(
            "credit_records",
            &[
                ("record_id", ids.iter().map(|v| Some((*v).to_owned())).collect()),
                ("issued_on", texts(issued)),
                ("level", texts(levels)),
            ],
            1,
        )
    };
    let first = batch(
        &["a", "b", "c"],
        &[Some("2024-01-01"), Some("2024-03-01"), Some("2024-02-01")],
        &[Some("x"), None, Some("y")],
    );
    let (snapshot, _) = sync(&lake, 1, vec![first]).await;
    let always = [
        "record_id is not null",
        "issued_on < date '2024-03-02'",
        "issued_on <= date '2024-03-01'",
        "date '2024-01-01' <= issued_on",
        "issued_on > date '2023-12-31' and record_id is not null",
        "issued_on is not null or level = 'x'",
    ];
    for condition in always {
        assert!(!filters(&lake, snapshot, condition).await, "{condition}");
    }
    let not_always = [
        "issued_on < date '2024-03-01'",
        "issued_on <> date '2025-01-01'",
        "level is not null",
        "level < 'z'",
        "record_id < 'z'",
        "issued_on > date '2024-01-01' and record_id is not null",
    ];
    for condition in not_always {
        assert!(filters(&lake, snapshot, condition).await, "{condition}");
    }
    // One row loses its day: nothing is proven of the column any more, also while the old row is only deleted.
    let (later, _) = sync(&lake, 2, vec![batch(&["b"], &[None], &[None])]).await;
    assert!(filters(&lake, later, "issued_on < date '2024-03-02'").await);
    let sql = "select record_id from credit_records where issued_on < date '2024-03-02' order by 1";
    assert_eq!(query(&lake, later, sql).await, ["a", "c"]);
    assert_eq!(query(&lake, snapshot, sql).await, ["a", "b", "c"]);
}

#[tokio::test]
async fn syncs_on_one_thread_and_on_many_hold_the_same_rows() {
    let many = || -> Vec<RowBatch> {
        (0..8u32)
            .map(|n| {
                let column =
                    |of: fn(u32) -> String| (n * 40_000..(n + 1) * 40_000).map(|i| Some(of(i))).collect();
                rows(
                    "products",
                    &[
                        ("product_id", column(|i| i.to_string())),
                        ("name", column(|i| (i % 7).to_string())),
                    ],
                    1,
                )
            })
            .collect()
    };
    let mut answers = Vec::new();
    for threads in [1, 3] {
        let dir = tempfile::tempdir().unwrap();
        let lake = open(dir.path()).await.with_threads(threads);
        sync(&lake, 1, many()).await;
        let (snapshot, counts) = sync(&lake, 2, many()).await;
        assert_eq!(count(&counts, "products"), (0, 0, 320_000, 0));
        let sql = "select name, count(*), sum(cast(product_id as bigint)), sum(_hash % 1000) from products group by name order by name";
        answers.push(query(&lake, snapshot, sql).await);
    }
    assert_eq!(answers[0], answers[1]);
}
