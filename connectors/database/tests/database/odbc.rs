//! ODBC through unixODBC: the drivers of PostgreSQL and SQLite stand in for those that cannot be installed here.

use connector::Connector;
use domain::FailureKind;

use crate::host::{Host, connector_with, keys};
use crate::postgres::{all_orders, orders};
use crate::servers::Database;

const ORDERS: &str = r#"
[[streams]]
dataset = "purchase_orders"
query = "select order_id, line_no, amount, product_name, updated_at from po"
cursor = "updated_at"
ignore = ["updated_at"]
"#;

/// UseDeclareFetch keeps psqlODBC from holding the whole result.
fn postgres(database: &Database) -> String {
    let string = format!(
        "Driver={{PostgreSQL Unicode}};Server={};Database={};UID=lianjing;UseDeclareFetch=1",
        database.server.dir.display(),
        database.name
    );
    format!("odbc = {string:?}\nclock = \"select now() at time zone 'utc'\"")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_arrives_exactly_or_is_quarantined() {
    let database = Database::postgres();
    database
        .pg("create table po (order_id text, line_no bigint, amount numeric(24,6), unit_price double precision,
                 received_at timestamp, ordered_at date, channel varchar(20), product_name text, department bytea);
             insert into po values
             ('药1', 1, 12.345, 0.1 + 0.2, '2024-03-05 00:30:00.123', '2024-03-05', '线上', '头孢曲松', null),
             ('药2', 1, -0.005, null, null, null, null, null, null),
             ('药3', 1, 1e17, 1, null, null, null, null, null),
             ('药4', 1, 1, 1, null, null, '黑市', null, null),
             ('药5', 1, 1, 1, null, null, null, null, '\\x00ff'),
             (null, 1, 1, 1, null, null, null, null, null)")
        .await;
    let connector = connector_with(
        &postgres(&database),
        "[[streams]]\ndataset = \"purchase_orders\"\nquery = \"select * from po order by order_id\"",
    );
    let mut host = Host::new();
    host.sync(&connector).await.unwrap();
    let columns = [
        "order_id",
        "amount",
        "unit_price",
        "received_at",
        "ordered_at",
        "channel",
        "product_name",
    ];
    assert_eq!(
        host.table("purchase_orders", &columns),
        [
            "药1|12.34|0.3000|2024-03-04T16:30:00.123|2024-03-04T16:00:00|platform|头孢曲松",
            "药2|0.00|-|-|-|-|-",
        ]
    );
    let mut rejections = host.rejections();
    rejections.sort();
    assert_eq!(
        rejections,
        [
            "amount DECIMAL_OUT_OF_RANGE",
            "channel UNKNOWN_CODE",
            "department BAD_ENCODING",
            "order_id MISSING_KEY"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_after_any_message_loses_nothing() {
    let database = orders(60).await;
    database.pg("alter table po alter column updated_at type timestamp; insert into po values ('NULL', 1, 5, 'x', null)").await;
    let mut expected = all_orders(60);
    expected.insert(0, "NULL|5.00".into());
    let connector = connector_with(
        &postgres(&database),
        &format!("[limits]\nfetch_rows = 16\n{ORDERS}lookback = \"2s\""),
    );
    for messages in 1.. {
        let mut host = Host::new();
        let crashed = host.sync_until(&connector, messages, || {}).await.is_none();
        host.sync(&connector).await.unwrap();
        assert_eq!(
            host.table("purchase_orders", &["order_id", "amount"]),
            expected,
            "{messages}"
        );
        if !crashed {
            assert!(messages > 10);
            break;
        }
    }
    assert_eq!(keys(&connector, &Host::new()).await.len(), 61);
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_is_read_by_a_whole_number() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("erp.db");
    {
        use sqlx::Connection;
        let url = format!("sqlite://{}?mode=rwc", path.display());
        let mut admin = sqlx::SqliteConnection::connect(&url).await.unwrap();
        let sql = "create table c (合同编号 varchar(20), title varchar(40), total varchar(20), rev integer);
             insert into c values ('C1', '采购合同', '12.5', 1), ('C2', 'b', 'viel', 2), ('C3', 'c', '3', 2)";
        sqlx::raw_sql(sql).execute(&mut admin).await.unwrap();
    }
    let connection = format!(
        "odbc = {:?}",
        format!("Driver=SQLite3;Database={}", path.display())
    );
    let stream = "[[streams]]\ndataset = \"contracts\"\nquery = \"select * from c where rev >= :cursor\"\ncursor = \"rev\"\ncolumns = { amount = \"total\" }";
    let connector = connector_with(&connection, stream);
    let mut host = Host::new();
    host.sync(&connector).await.unwrap();
    assert_eq!(
        host.table("contracts", &["contract_id", "title", "amount"]),
        ["C1|采购合同|12.50", "C3|c|3.00"]
    );
    assert_eq!(host.rejections(), ["amount BAD_DECIMAL"]);
    assert!(
        host.cursors["contracts"].contains("\"integer\":2"),
        "{:?}",
        host.cursors
    );
    host.received = 0;
    host.sync(&connector).await.unwrap();
    assert_eq!(host.received, 1, "equal cursors are read again");
    assert_eq!(keys(&connector, &host).await, ["C1", "C2", "C3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_have_their_kinds_and_tell_no_password() {
    let database = orders(1).await;
    database.pg("create role locked_odbc login").await;
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "hunter2;x").unwrap();
    let no_driver = format!("odbc = \"Driver=Nothing;UID=x\"\npassword = {{ file = {secret:?} }}");
    let denied = postgres(&database).replace("UID=lianjing", "UID=locked_odbc");
    let no_database = postgres(&database).replace(&format!("Database={}", database.name), "Database=nothing");
    for (connection, word) in [
        (no_driver, "driver"),
        (denied, "permission"),
        (no_database, "check the user"),
    ] {
        let connector = connector_with(&connection, ORDERS);
        let failure = Host::new().sync(&connector).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Invalid, "{}", failure.message);
        assert!(failure.message.contains(word), "{}", failure.message);
        assert!(!failure.message.contains("hunter2"));
    }
    let gone = postgres(&database).replace(&*database.server.dir.to_string_lossy(), "/nowhere");
    let connector = connector_with(&gone, &format!("[limits]\ntries = 2\n{ORDERS}"));
    let failure = Host::new().sync(&connector).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unavailable, "{}", failure.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_longer_than_configured_fails_and_is_not_cut() {
    let database = orders(2).await;
    database
        .pg("update po set product_name = repeat('药', 500) where order_id = 'PO00002'")
        .await;
    let connection = format!("{}\ntext_length_max = 100", postgres(&database));
    let failure = Host::new()
        .sync(&connector_with(&connection, ORDERS))
        .await
        .unwrap_err();
    assert!(failure.message.contains("text_length_max"), "{}", failure.message);
    let connector = connector_with(&postgres(&database), ORDERS);
    let mut host = Host::new();
    host.sync(&connector).await.unwrap();
    assert_eq!(
        host.table("purchase_orders", &["product_name"])[1]
            .chars()
            .count(),
        500
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn discovery_lists_streams_and_tables() {
    let database = orders(1).await;
    let found = connector_with(&postgres(&database), ORDERS)
        .discover()
        .await
        .unwrap();
    assert_eq!(found[0].cursor.as_deref(), Some("updated_at"));
    assert!(
        found
            .iter()
            .any(|d| d.place == "public.po" && d.columns.len() == 5),
        "{found:?}"
    );
}
