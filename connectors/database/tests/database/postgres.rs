//! PostgreSQL: values, cursors, bounds, what is kept.

use domain::FailureKind;

use connector::Connector;

use crate::host::{Host, at, connector, keys};
use crate::servers::Database;

const ORDERS: &str = r#"
[[streams]]
dataset = "purchase_orders"
query = "select * from po"
cursor = "updated_at"
ignore = ["updated_at"]
"#;

/// A table of `count` orders, ten to each second of its cursor.
pub async fn orders(count: u32) -> Database {
    let database = Database::postgres();
    database
        .pg(&format!(
            "create table po (order_id text, line_no int, amount numeric(18,2), product_name text, updated_at timestamptz);
             insert into po select 'PO' || lpad(n::text, 5, '0'), 1, n * 1.5, '注射用' || n,
                 timestamptz '2024-03-05 00:00:00+08' + (n / 10) * interval '1 second' from generate_series(1, {count}) n"
        ))
        .await;
    database
}

pub fn all_orders(count: u32) -> Vec<String> {
    (1..=count)
        .map(|n| format!("PO{n:05}|{}.{}0", n * 3 / 2, if n % 2 == 1 { 5 } else { 0 }))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_arrives_exactly_or_is_quarantined() {
    let database = Database::postgres();
    database
        .pg("create type kind as enum ('线上', '线下');
             create table po (order_id text, line_no bigint, amount numeric, unit_price double precision, quantity real,
                 ordered_at timestamptz, received_at timestamp, channel kind, contract_id uuid, product_name jsonb, department bytea);
             insert into po values
             ('1', 1, 12.345, 0.1 + 0.2, 1.5, '2024-03-05 00:30:00+08', '2024-03-05 00:30:00.123456', '线上',
                 '00000000-0000-0000-0000-00000000000a', '{\"a\": 1}', null),
             ('2', 1, -0.005, 0.00005, 0.1, '2024-03-05 12:00:00+00', null, '线下', null, null, null),
             ('3', 1, 0.015, 0.00015, null, null, null, null, null, null, null),
             ('4', 1, 'NaN', 1, 1, null, null, null, null, null, null),
             ('5', 1, 1e17, 1, 1, null, null, null, null, null, null),
             ('6', 1, 1, 'Infinity', 1, null, null, null, null, null, null),
             ('7', 1, 1, 1, 1, 'infinity', null, null, null, null, null),
             ('8', 1, 1, 1, 1, null, '0044-03-15 BC', null, null, null, null),
             ('9', 1, 1, 1, 1, null, null, null, null, null, '\\x00ff'),
             (null, 1, 1, 1, 1, null, null, null, null, null, null),
             ('11', null, 1, 1, 1, null, null, null, null, null, null)")
        .await;
    let connector = connector(
        &database.postgres_url(),
        "[[streams]]\ndataset = \"purchase_orders\"\nquery = \"select * from po order by order_id\"",
    );
    let mut host = Host::new();
    host.sync(&connector).await.unwrap();
    let columns = [
        "order_id",
        "amount",
        "unit_price",
        "quantity",
        "ordered_at",
        "received_at",
        "channel",
        "contract_id",
        "product_name",
    ];
    assert_eq!(
        host.table("purchase_orders", &columns),
        [
            "1|12.34|0.3000|1.5000|2024-03-04T16:30:00|2024-03-04T16:30:00.123456|platform|00000000-0000-0000-0000-00000000000a|{\"a\": 1}",
            "2|0.00|0.0000|0.1000|2024-03-05T12:00:00|-|offline|-|-",
            "3|0.02|0.0002|-|-|-|-|-|-",
        ]
    );
    let mut rejections = host.rejections();
    rejections.sort();
    assert_eq!(
        rejections,
        [
            "amount BAD_DECIMAL",
            "amount DECIMAL_OUT_OF_RANGE",
            "department BAD_ENCODING",
            "line_no MISSING_KEY",
            "order_id MISSING_KEY",
            "ordered_at DATE_OUT_OF_RANGE",
            "received_at DATE_OUT_OF_RANGE",
            "unit_price BAD_DECIMAL",
        ]
    );
    // The row as the source said it, beside the rejection and in the raw batch at its position.
    let nan = host.rejected.iter().find(|r| r.detail == "NaN").unwrap();
    let row: serde_json::Value = serde_json::from_slice(&nan.raw).unwrap();
    assert_eq!(
        (row["order_id"].as_str(), row["amount"].as_str()),
        (Some("4"), Some("NaN"))
    );
    let raw = host.raw(&nan.batch);
    let header: serde_json::Value = serde_json::from_str(&raw[0]).unwrap();
    assert_eq!(header["format"], "lianjing-rows/1");
    assert_eq!(header["columns"][0]["name"], "order_id");
    assert!(raw[usize::try_from(nan.position).unwrap()].starts_with("[\"4\",1,\"NaN\""));
    assert_eq!(raw.len(), 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_sync_reads_only_the_lookback_and_finds_late_commits_and_equal_cursors() {
    let database = orders(6000).await;
    let connector = connector(&database.postgres_url(), ORDERS);
    let mut host = Host::new();
    host.sync(&connector).await.unwrap();
    assert_eq!(
        host.table("purchase_orders", &["order_id", "amount"]),
        all_orders(6000)
    );
    assert_eq!(host.received, 6000);
    // 600 seconds of rows; the default look-back of 15 minutes reads them all again, one of 10 s a few.
    let short = connector_short(&database, "10s");
    host.received = 0;
    host.sync(&short).await.unwrap();
    assert_eq!(
        host.received, 101,
        "ten rows for each of ten seconds, and the last one"
    );
    database
        .pg("insert into po values
             ('SAME', 1, 7, 'x', timestamptz '2024-03-05 00:00:00+08' + 600 * interval '1 second'),
             ('LATE', 1, 8, 'x', timestamptz '2024-03-05 00:00:00+08' + 595 * interval '1 second'),
             ('LOST', 1, 9, 'x', timestamptz '2024-03-05 00:00:00+08' + 500 * interval '1 second')")
        .await;
    host.sync(&short).await.unwrap();
    let found = host.table("purchase_orders", &["order_id"]);
    assert!(found.contains(&"SAME".into()) && found.contains(&"LATE".into()));
    assert!(
        !found.contains(&"LOST".into()),
        "beyond the look-back, as documented"
    );
    assert_eq!(keys(&short, &host).await.len(), 6003, "reconciliation sees it");
    host.sync(&connector).await.unwrap();
    assert!(
        host.table("purchase_orders", &["order_id"])
            .contains(&"LOST".into())
    );
}

fn connector_short(database: &Database, lookback: &str) -> database::DatabaseConnector {
    connector(
        &database.postgres_url(),
        &format!("{ORDERS}lookback = \"{lookback}\""),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_beyond_the_frozen_bound_is_read_and_nothing_is_lost_behind_it() {
    let database = orders(100).await;
    let connector = connector(&database.postgres_url(), &format!("{ORDERS}lag = \"2s\""));
    let mut host = Host::new();
    // Five seconds after the first order, less the lag.
    host.started_at = at("2024-03-04T16:00:05Z");
    host.sync(&connector).await.unwrap();
    assert_eq!(
        host.table("purchase_orders", &["order_id"]).last().unwrap(),
        "PO00039"
    );
    host.started_at = at("2024-03-04T17:00:00Z");
    host.sync(&connector).await.unwrap();
    assert_eq!(
        host.table("purchase_orders", &["order_id", "amount"]),
        all_orders(100)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_outside_of_the_cursors_order_are_read_and_told() {
    let database = orders(10).await;
    database
        .pg("insert into po values ('EMPTY', 1, 1, 'x', null), ('FUTURE', 1, 1, 'x', '2999-01-01'), ('EVER', 1, 1, 'x', 'infinity')")
        .await;
    let connector = connector(&database.postgres_url(), ORDERS);
    let mut host = Host::new();
    for _ in 0..2 {
        host.sync(&connector).await.unwrap();
        let found = host.table("purchase_orders", &["order_id"]);
        for id in ["EMPTY", "FUTURE", "EVER"] {
            assert!(found.contains(&id.to_owned()), "{id}");
        }
        let strays = host.notices.iter().find(|n| n.code == "CURSOR_STRAY").unwrap();
        assert_eq!(strays.count, 3);
        assert!(
            host.cursors["purchase_orders"].contains("2024-03-04T16:00:01"),
            "{:?}",
            host.cursors
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_may_be_numbers_dates_texts_and_times_without_a_zone() {
    let database = Database::postgres();
    database
        .pg("create table c (contract_id text, n int, d date, t text, l timestamp);
             insert into c select 'C' || lpad(n::text, 3, '0'), n, date '2024-01-01' + n / 10, '版' || lpad(n::text, 3, '0'),
                 timestamp '2024-01-01' + n * interval '1 minute' from generate_series(1, 100) n")
        .await;
    for (cursor, lookback, again) in [
        ("n", "10", 11),
        ("d", "\"1d\"", 11),
        ("t", "0", 1),
        ("l", "\"5m\"", 6),
    ] {
        let connector = connector(
            &database.postgres_url(),
            &format!(
                "limits.fetch_rows = 7\n[[streams]]\ndataset = \"contracts\"\nquery = \"select * from c\"\ncursor = \"{cursor}\"\nlookback = {lookback}"
            )
            .replacen("limits.fetch_rows = 7\n", "[limits]\nfetch_rows = 7\n", 1),
        );
        let mut host = Host::new();
        host.sync(&connector).await.unwrap();
        assert_eq!(host.received, 100, "{cursor}");
        host.received = 0;
        host.sync(&connector).await.unwrap();
        assert_eq!(host.received, again, "{cursor}");
        assert_eq!(host.table("contracts", &["contract_id"]).len(), 100);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_are_bound_where_the_query_wants_them() {
    let database = orders(1000).await;
    let connector = connector(
        &database.postgres_url(),
        r#"
[[streams]]
dataset = "purchase_orders"
query = """
-- from :cursor on
select order_id, line_no, amount, updated_at, ':upper' as product_name, :lookback::bigint::text as department
from po where updated_at >= :cursor and updated_at <= :upper;
"""
cursor = "updated_at"
lookback = "10s"
"#,
    );
    let mut host = Host::new();
    host.sync(&connector).await.unwrap();
    assert_eq!(
        host.table("purchase_orders", &["order_id", "amount"]),
        all_orders(1000)
    );
    assert_eq!(
        host.table("purchase_orders", &["product_name", "department"])[0],
        ":upper|10"
    );
    host.received = 0;
    host.sync(&connector).await.unwrap();
    assert_eq!(host.received, 101);
    assert_eq!(keys(&connector, &host).await.len(), 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_after_any_message_loses_nothing() {
    let database = orders(60).await;
    database
        .pg("insert into po values ('BAD', 1, 'NaN', 'x', '2024-03-05 00:00:03+08'), ('NULL', 1, 5, 'x', null)")
        .await;
    let mut expected = all_orders(60);
    expected.insert(0, "NULL|5.00".into());
    for lookback in ["0s", "2s", "15m"] {
        let connector = connector(
            &database.postgres_url(),
            &format!("[limits]\nfetch_rows = 7\n{ORDERS}lookback = \"{lookback}\""),
        );
        let mut crashes = 0;
        for messages in 1.. {
            let mut host = Host::new();
            let crashed = host.sync_until(&connector, messages, || {}).await.is_none();
            crashes += usize::from(crashed);
            host.sync(&connector).await.unwrap();
            host.sync(&connector).await.unwrap();
            assert_eq!(
                host.table("purchase_orders", &["order_id", "amount"]),
                expected,
                "{messages}, {lookback}"
            );
            if !crashed {
                break;
            }
        }
        assert!(crashes > 20, "{crashes}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn crashes_in_a_row_still_come_to_the_end() {
    let database = orders(60).await;
    let connector = connector(
        &database.postgres_url(),
        &format!("[limits]\nfetch_rows = 7\n{ORDERS}lookback = \"0s\""),
    );
    let mut host = Host::new();
    let mut crashes = 0;
    while host.sync_until(&connector, 9, || {}).await.is_none() {
        crashes += 1;
        assert!(crashes < 30, "no progress: {:?}", host.cursors);
    }
    assert!(crashes > 1);
    assert_eq!(
        host.table("purchase_orders", &["order_id", "amount"]),
        all_orders(60)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_come_in_order_and_whole() {
    let database = orders(500).await;
    database
        .pg("insert into po values (null, 1, 1, 'x', null), ('Z', 2, 1, 'x', null)")
        .await;
    let connector = connector(
        &database.postgres_url(),
        &format!("[limits]\nfetch_rows = 64\n{ORDERS}"),
    );
    let mut expected: Vec<String> = (1..=500).map(|n| format!("PO{n:05}/1")).collect();
    expected.push("Z/2".into());
    assert_eq!(keys(&connector, &Host::new()).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_and_discover_read_no_rows_and_name_mistakes() {
    let database = orders(3).await;
    let good = connector(&database.postgres_url(), ORDERS);
    good.check().await.unwrap();
    let found = good.discover().await.unwrap();
    assert_eq!(found[0].dataset.as_deref(), Some("purchase_orders"));
    assert_eq!(found[0].columns[2], ("amount".into(), "numeric".into()));
    assert_eq!(
        (found[1].place.as_str(), found[1].columns.len()),
        ("public.po", 5)
    );
    for (query, word) in [
        ("select * from nowhere", "nowhere"),
        ("select order_id, line_no, missing from po", "missing"),
        (
            "select amount, updated_at from po",
            "no column for the key order_id",
        ),
    ] {
        let bad = connector(
            &database.postgres_url(),
            &ORDERS.replace("select * from po", query),
        );
        let failure = bad.check().await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Invalid);
        assert!(failure.message.contains(word), "{}", failure.message);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_on_rows_a_second_holds_and_snapshots_are_renewed() {
    let database = orders(60).await;
    let connector = connector(
        &database.postgres_url(),
        &format!("[limits]\nfetch_rows = 10\nrows_per_second = 25\nsnapshot = \"1s\"\n{ORDERS}"),
    );
    let mut host = Host::new();
    let before = std::time::Instant::now();
    host.sync(&connector).await.unwrap();
    assert!(before.elapsed().as_secs_f64() > 2.0, "{:?}", before.elapsed());
    assert_eq!(
        host.table("purchase_orders", &["order_id", "amount"]),
        all_orders(60)
    );
    assert!(
        host.received > 60,
        "a renewed snapshot reads the last cursor value again"
    );
}
