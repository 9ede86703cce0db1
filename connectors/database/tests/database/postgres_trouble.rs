//! PostgreSQL in trouble: drift, refusals, restarts, limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use connector::Connector;
use connector::message::RAW_BYTES_MAX;
use domain::FailureKind;
use tokio::net::TcpListener;

use crate::host::{Host, connector, connector_with};
use crate::postgres::{all_orders, orders};
use crate::servers::{Database, Server};

const ORDERS: &str = r#"
[[streams]]
dataset = "purchase_orders"
query = "select * from po"
cursor = "updated_at"
ignore = ["updated_at"]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_drifts_is_told_quarantined_or_refused() {
    let database = orders(20).await;
    let connector = connector(&database.postgres_url(), ORDERS);
    let mut host = Host::new();
    host.sync(&connector).await.unwrap();
    assert!(host.notices.is_empty(), "{:?}", host.notices);
    // A new column is accepted and told.
    database.pg("alter table po add column extra text").await;
    host.sync(&connector).await.unwrap();
    assert_eq!(
        host.notice_codes().into_iter().collect::<Vec<_>>(),
        ["COLUMN_IGNORED", "COLUMN_NEW"]
    );
    // A changed type: what still fits is read, the rest quarantined.
    database
        .pg("alter table po alter column amount type text; update po set amount = '一千?' where order_id = 'PO00001'")
        .await;
    host.sync(&connector).await.unwrap();
    assert!(host.notice_codes().contains("COLUMN_TYPE_CHANGED"));
    assert_eq!(host.rejections(), ["amount BAD_DECIMAL"]);
    assert_eq!(host.table("purchase_orders", &["order_id"]).len(), 20);
    // A renamed column must not silently empty its field.
    database.pg("alter table po rename column amount to total").await;
    let cursors = host.cursors.clone();
    let failure = host.sync(&connector).await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.reason),
        (FailureKind::Invalid, "SCHEMA_DRIFT")
    );
    assert!(
        failure.message.starts_with("stream purchase_orders: "),
        "{failure}"
    );
    assert!(
        failure.message.contains("\"amount\"") && failure.message.contains("total"),
        "{}",
        failure.message
    );
    assert_eq!(host.cursors, cursors, "the cursor stays");
    let renamed = crate::host::connector(
        &database.postgres_url(),
        &format!("{ORDERS}columns = {{ amount = \"total\" }}"),
    );
    host.sync(&renamed).await.unwrap();
    // A cursor column of another kind.
    database
        .pg("alter table po alter column updated_at type bigint using extract(epoch from updated_at)")
        .await;
    let failure = host.sync(&renamed).await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.reason),
        (FailureKind::Invalid, "CURSOR_INVALID")
    );
    let advice = "`lianjing source reset NAME --stream purchase_orders`";
    assert!(failure.message.contains(advice), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_table_fails_its_stream_and_the_others_are_read() {
    let database = orders(20).await;
    database
        .pg("create table c (contract_id text); insert into c values ('C1')")
        .await;
    let rest = format!(
        "{ORDERS}\n[[streams]]\ndataset = \"contracts\"\nquery = \"select * from c\"\n[[streams]]\nname = \"again\"\n\
         dataset = \"purchase_orders\"\nquery = \"select order_id, line_no from po\""
    );
    let connector = connector(&database.postgres_url(), &rest);
    let mut host = Host::new();
    host.sync(&connector).await.unwrap();
    database.pg("drop table po; insert into c values ('C2')").await;
    let failure = host.sync(&connector).await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.reason),
        (FailureKind::Invalid, "DATABASE_REFUSED")
    );
    let message = &failure.message;
    assert!(message.starts_with("stream purchase_orders: "), "{message}");
    assert!(message.contains("\"po\" does not exist"), "{message}");
    assert!(message.ends_with("these streams failed too: again"), "{message}");
    connector.reach().await.unwrap();
    assert_eq!(host.table("contracts", &["contract_id"]), ["C1", "C2"]);
    assert!(host.notice_codes().contains("STREAM_FAILED"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_in_mid_read_costs_nothing_but_time() {
    let server = Box::leak(Box::new(Server::postgres_of_its_own()));
    let database = Database {
        server,
        name: "postgres".into(),
    };
    database
        .pg("create table po (order_id text, line_no int, amount numeric(18,2), product_name text, updated_at timestamptz);
             insert into po select 'PO' || lpad(n::text, 5, '0'), 1, n * 1.5, '注射用' || n,
                 timestamptz '2024-03-05 00:00:00+08' + (n / 10) * interval '1 second' from generate_series(1, 3000) n")
        .await;
    let connector = connector(
        &database.postgres_url(),
        &format!("[limits]\nfetch_rows = 50\n{ORDERS}lookback = \"0s\""),
    );
    let mut host = Host::new();
    host.sync_until(&connector, usize::MAX, || server.restart())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        host.table("purchase_orders", &["order_id", "amount"]),
        all_orders(3000)
    );
    assert!(
        (3001..6000).contains(&host.received),
        "read on from where it was: {}",
        host.received
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_takes_too_long_is_stopped_by_the_server() {
    let database = orders(40).await;
    let slow = ORDERS.replace("select * from po", "select *, pg_sleep(0.2)::text as nap from po");
    let whole = connector(
        &database.postgres_url(),
        &format!("[limits]\nstatement_timeout = \"1s\"\n{slow}"),
    );
    let failure = Host::new().sync(&whole).await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.reason),
        (FailureKind::DeadlineExceeded, "STATEMENT_TIMEOUT")
    );
    assert!(
        failure.message.contains("statement_timeout"),
        "{}",
        failure.message
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_matters_of_configuration_and_tell_no_password() {
    let database = orders(1).await;
    database
        .pg("create role locked login password 'right'; create role nobody login")
        .await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("wrong"), "hunter2").unwrap();
    let url = database.server.postgres_url("locked", &database.name);
    let password = format!(
        "url = {url:?}\npassword = {{ file = {:?} }}",
        folder.path().join("wrong")
    );
    let nobody = format!(
        "url = {:?}",
        database.server.postgres_url("nobody", &database.name)
    );
    let no_database = format!("url = {:?}", database.server.postgres_url("lianjing", "nothing"));
    let no_secret = format!("url = {url:?}\npassword = {{ env = \"LIANJING_TEST_NOT_SET\" }}");
    for (connection, word) in [
        (&password, "check the user"),
        (&nobody, "grant the user SELECT"),
        (&no_database, "check the user"),
        (&no_secret, "LIANJING_TEST_NOT_SET"),
    ] {
        let connector = connector_with(connection, ORDERS);
        let failure = connector.check().await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Invalid, "{}", failure.message);
        assert!(failure.message.contains(word), "{}", failure.message);
        assert!(!failure.message.contains("hunter2"));
        assert_eq!(
            Host::new().sync(&connector).await.unwrap_err().kind,
            FailureKind::Invalid
        );
    }
    std::fs::write(folder.path().join("wrong"), "right\n").unwrap();
    database.pg("grant select on po to locked").await;
    connector_with(&password, ORDERS).check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_tried_again_and_then_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("postgres://x@localhost/x?host={}", folder.path().display());
    let connector = connector(&url, &format!("[limits]\ntries = 3\n{ORDERS}"));
    tokio::time::timeout(Duration::from_secs(60), async {
        let failure = Host::new().sync(&connector).await.unwrap_err();
        assert_eq!(
            (failure.kind, failure.reason),
            (FailureKind::Unavailable, "DATABASE_UNREACHABLE")
        );
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_up_is_tried_as_often_as_configured() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicU32::new(0));
    let counted = count.clone();
    let hanging_up = tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            drop(connection);
        }
    });
    for scheme in ["postgres", "mysql"] {
        let url = format!("{scheme}://x@{address}/x");
        let connector = connector(&url, &format!("[limits]\ntries = 3\n{ORDERS}"))
            .with_first_wait(Duration::from_millis(1));
        let (out, _messages) = tokio::sync::mpsc::channel(1);
        for (what, failure) in [
            ("check", connector.check().await.unwrap_err()),
            ("reach", connector.reach().await.unwrap_err()),
            ("discover", connector.discover().await.unwrap_err()),
            (
                "read",
                connector.read(Host::new().request(), out).await.unwrap_err(),
            ),
        ] {
            assert_eq!(
                failure.reason, "DATABASE_UNREACHABLE",
                "{scheme} {what}: {failure}"
            );
        }
        let connections = count.swap(0, Ordering::SeqCst);
        assert_eq!(connections, 4 * 3, "{scheme}");
    }
    hanging_up.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_names_the_stream_and_what_its_query_lacks() {
    let database = orders(1).await;
    let check = |rest: String| {
        let connector = connector(&database.postgres_url(), &rest);
        async move { connector.check().await.unwrap_err() }
    };
    let named = ORDERS.replace("dataset =", "name = \"po\"\ndataset =");
    let mapped = check(format!("{named}columns = {{ hospital_id = \"hospital\" }}")).await;
    let cursor = check(named.replace("cursor = \"updated_at\"", "cursor = \"changed\"")).await;
    let refused = check(named.replace("from po", "from pos")).await;
    database.pg("alter table po rename column order_id to id").await;
    let key = check(named).await;
    for (failure, reason, words) in [
        (
            &mapped,
            "COLUMNS_INVALID",
            "columns.hospital_id names the column \"hospital\"",
        ),
        (&cursor, "COLUMNS_INVALID", "cursor names the column \"changed\""),
        (
            &key,
            "COLUMNS_INVALID",
            "no column for the key order_id (采购单号) of purchase_orders",
        ),
        (&refused, "DATABASE_REFUSED", "\"pos\" does not exist"),
    ] {
        assert_eq!((failure.kind, failure.reason), (FailureKind::Invalid, reason));
        assert!(failure.message.starts_with("stream po: "), "{failure}");
        assert!(failure.message.contains(words), "{words}: {failure}");
    }
    assert!(
        key.message
            .contains("it gives id, line_no, amount, product_name, updated_at"),
        "{key}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_session_cannot_write_whatever_the_query_calls() {
    let database = orders(1).await;
    database
        .pg("create function wipe() returns int language sql as 'delete from po returning 1'")
        .await;
    let query = "select order_id, line_no, updated_at, wipe() from po";
    let connector = connector(
        &database.postgres_url(),
        &ORDERS
            .replace("select * from po", query)
            .replace("ignore = [\"updated_at\"]", "columns = { amount = \"wipe\" }"),
    );
    let failure = Host::new().sync(&connector).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Invalid);
    assert!(
        failure.message.contains("read-only transaction"),
        "{}",
        failure.message
    );
    assert_eq!(
        crate::host::keys(
            &crate::host::connector(&database.postgres_url(), ORDERS),
            &Host::new()
        )
        .await
        .len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn huge_texts_are_read_up_to_the_limit_and_quarantined_beyond() {
    let database = orders(5).await;
    database
        .pg(
            "update po set product_name = repeat('药', 1000000) where order_id = 'PO00002';
             update po set product_name = repeat('械', 6000000) where order_id = 'PO00003'",
        )
        .await;
    let mut host = Host::new();
    host.sync(&connector(&database.postgres_url(), ORDERS))
        .await
        .unwrap();
    let names = host.table("purchase_orders", &["product_name"]);
    let lengths: Vec<usize> = names.iter().map(String::len).collect();
    assert_eq!(lengths, [10, 3_000_000, 10, 10]);
    assert_eq!(host.rejections(), ["- ROW_TOO_LONG"]);
    assert_eq!(host.rejected[0].raw.len(), RAW_BYTES_MAX);
    assert!(
        host.rejected[0]
            .raw
            .starts_with("{\"order_id\":\"PO00003\"".as_bytes())
    );
}
