//! MariaDB (and so the MySQL protocol): values, character sets, zero dates, interruptions.

use connector::Connector;
use domain::FailureKind;

use crate::host::{Host, connector, connector_with, keys};
use crate::postgres::all_orders;
use crate::servers::Database;

const ORDERS: &str = r#"
[[streams]]
dataset = "purchase_orders"
query = "select * from po"
cursor = "updated_at"
ignore = ["updated_at"]
"#;

async fn orders(count: u32) -> Database {
    let database = Database::mariadb();
    database
        .my(&format!(
            "create table po (order_id varchar(20), line_no int, amount decimal(18,2), product_name varchar(60),
                 updated_at datetime(6), key (updated_at));
             insert into po select concat('PO', lpad(seq, 5, '0')), 1, seq * 1.5, concat('注射用', seq),
                 '2024-03-05 00:00:00' + interval (seq div 10) second from seq_1_to_{count}"
        ))
        .await;
    database
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_arrives_exactly_or_is_quarantined() {
    let database = Database::mariadb();
    database
        .my("create table po (order_id varchar(20) character set gbk, line_no bigint unsigned, amount decimal(30,6),
                 unit_price double, quantity float, ordered_at timestamp(6) null, received_at datetime null,
                 channel enum('线上', '线下') character set gbk, product_name text character set gbk collate gbk_bin, contract_id json,
                 department varbinary(10), budget_item_code bit(4), national_code year) character set gbk;
             set time_zone = '+08:00';
             insert into po values
             ('药1', 1, 12.345, 0.1 + 0.2, 1.5, '2024-03-05 00:30:00.5', '2024-03-05 00:30:00', '线上', '头孢\"曲松', '{}', null, 5, 2024),
             ('药2', 18446744073709551615, 1, 1, 1, null, null, null, '', null, null, null, null),
             ('药3', 1, 1, 1, 1, null, '0000-00-00 00:00:00', null, null, null, null, null, null),
             ('药4', 1, 1, 1, 1, null, '2024-02-00 00:00:00', null, null, null, null, null, null),
             ('药5', 1, 99999999999999999999, 1, 1, null, null, null, null, null, null, null, null),
             ('药6', 1, 1, 1, 1, null, null, null, null, null, 'ab', null, null),
             (null, 1, 1, 1, 1, null, null, null, null, null, null, null, null),
             ('药8', 2, 0.015, 0.00005, 0.1, '2024-03-05 12:00:00', null, '线下', 'x', null, null, null, null)")
        .await;
    let stream = "[[streams]]\ndataset = \"purchase_orders\"\nquery = \"select * from po\"";
    let mut host = Host::new();
    host.sync(&connector(&database.mysql_url(), stream))
        .await
        .unwrap();
    let columns = [
        "order_id",
        "line_no",
        "amount",
        "unit_price",
        "quantity",
        "ordered_at",
        "received_at",
        "channel",
        "product_name",
        "budget_item_code",
        "national_code",
    ];
    let expected = [
        "药1|1|12.34|0.3000|1.5000|2024-03-04T16:30:00.500|2024-03-04T16:30:00|platform|头孢\"曲松|5|2024",
        "药8|2|0.02|0.0000|0.1000|2024-03-05T04:00:00|-|offline|x|-|-",
    ];
    assert_eq!(host.table("purchase_orders", &columns), expected);
    let mut rejections = host.rejections();
    rejections.sort();
    assert_eq!(
        rejections,
        [
            "amount DECIMAL_OUT_OF_RANGE",
            "department BAD_ENCODING",
            "line_no DECIMAL_OUT_OF_RANGE",
            "order_id MISSING_KEY",
            "received_at BAD_DATE",
            "received_at BAD_DATE",
        ]
    );
    // On request a zero date is no value; a date without a day still is none that exists.
    let text = format!(
        "source = \"erp\"\nzero_dates_are_null = true\n[connection]\nurl = {:?}\n{stream}",
        database.mysql_url()
    );
    let lenient = database::DatabaseConnector::from_toml(&text, std::path::Path::new("/")).unwrap();
    let mut host = Host::new();
    host.sync(&lenient).await.unwrap();
    assert_eq!(
        host.table("purchase_orders", &["order_id"]),
        ["药1", "药3", "药8"]
    );
    assert_eq!(
        host.rejections()
            .iter()
            .filter(|r| r.ends_with("BAD_DATE"))
            .count(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_after_any_message_loses_nothing() {
    let database = orders(60).await;
    database
        .my("insert into po values ('NULL', 1, 5, 'x', null), ('ZERO', 1, 6, 'x', '0000-00-00')")
        .await;
    let mut expected = all_orders(60);
    expected.insert(0, "NULL|5.00".into());
    expected.push("ZERO|6.00".into());
    let connector = connector(
        &database.mysql_url(),
        &format!("[limits]\nfetch_rows = 7\n{ORDERS}lookback = \"2s\""),
    );
    for messages in 1.. {
        let mut host = Host::new();
        let crashed = host.sync_until(&connector, messages, || {}).await.is_none();
        for _ in 0..2 {
            host.sync(&connector).await.unwrap();
            assert_eq!(
                host.notices.iter().map(|n| n.count).sum::<u64>(),
                2,
                "strays are read by every sync"
            );
        }
        assert_eq!(
            host.table("purchase_orders", &["order_id", "amount"]),
            expected,
            "{messages}"
        );
        if !crashed {
            assert!(messages > 20);
            break;
        }
    }
    assert_eq!(keys(&connector, &Host::new()).await.len(), 62);
}

#[tokio::test(flavor = "multi_thread")]
async fn late_commits_and_equal_cursors_are_found_by_the_next_sync() {
    let database = orders(200).await;
    let connector = connector(&database.mysql_url(), &format!("{ORDERS}lookback = \"10s\""));
    let mut host = Host::new();
    host.sync(&connector).await.unwrap();
    assert_eq!(host.received, 200);
    database
        .my("insert into po values ('SAME', 1, 7, 'x', '2024-03-05 00:00:20'), ('LATE', 1, 8, 'x', '2024-03-05 00:00:12');
             update po set amount = 0, updated_at = '2024-03-05 00:00:20' where order_id = 'PO00001'")
        .await;
    host.received = 0;
    host.sync(&connector).await.unwrap();
    assert_eq!(host.received, 104);
    let found = host.table("purchase_orders", &["order_id", "amount"]);
    for row in ["SAME|7.00", "LATE|8.00", "PO00001|0.00"] {
        assert!(found.contains(&row.to_owned()), "{row}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_killed_in_mid_read_is_opened_again() {
    let database = orders(30_000).await;
    let connector = connector(
        &database.mysql_url(),
        &format!("[limits]\nfetch_rows = 1000\n{ORDERS}lookback = \"0s\""),
    );
    let mut host = Host::new();
    let url = database.mysql_url();
    let killed = || {
        // From another thread's runtime: the host is in the middle of a message.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                use sqlx::Connection;
                let mut admin = sqlx::MySqlConnection::connect(&url).await.unwrap();
                let others: Vec<i64> = sqlx::query_scalar(
                    "select id from information_schema.processlist where db = database() and id <> connection_id()",
                )
                .fetch_all(&mut admin)
                .await
                .unwrap();
                assert!(!others.is_empty());
                for id in others {
                    let kill = sqlx::AssertSqlSafe(format!("kill {id}"));
                    sqlx::raw_sql(kill).execute(&mut admin).await.unwrap();
                }
            });
        })
        .join()
        .unwrap();
    };
    host.sync_until(&connector, usize::MAX, killed)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(host.table("purchase_orders", &["order_id"]).len(), 30_000);
    assert!((30_001..60_000).contains(&host.received), "{}", host.received);
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_have_their_kinds() {
    let database = orders(2000).await;
    database
        .my("create user locked@localhost identified by 'right'; create user nobody@localhost; grant usage on *.* to nobody@localhost")
        .await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("wrong"), "hunter2").unwrap();
    let url = database.server.mysql_url("locked", "mysql");
    let password = format!(
        "url = {url:?}\npassword = {{ file = {:?} }}",
        folder.path().join("wrong")
    );
    let nobody = format!(
        "url = {:?}",
        database.server.mysql_url("nobody", "information_schema")
    );
    let owner = format!("url = {:?}", database.mysql_url());
    let elsewhere = format!("select * from {}.po", database.name);
    for (connection, query, word) in [
        (&password, "select * from po", "check the user"),
        (&nobody, elsewhere.as_str(), "grant the user SELECT"),
        (&owner, "select * from nowhere", "nowhere"),
        (&owner, "select order_id, line_no, missing from po", "missing"),
    ] {
        let connector = connector_with(connection, &ORDERS.replace("select * from po", query));
        let failure = connector.check().await.expect_err(query);
        assert_eq!(failure.kind, FailureKind::Invalid, "{}", failure.message);
        assert!(failure.message.contains(word), "{}", failure.message);
        assert!(!failure.message.contains("hunter2"));
    }
    let slow = ORDERS.replace(
        "select * from po",
        "select po.*, sleep(0.01) as department from po",
    );
    let connector = connector(
        &database.mysql_url(),
        &format!("[limits]\nstatement_timeout = \"1s\"\n{slow}"),
    );
    let failure = Host::new().sync(&connector).await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.reason),
        (FailureKind::DeadlineExceeded, "STATEMENT_TIMEOUT")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn discovery_lists_streams_and_tables() {
    let database = orders(1).await;
    let found = connector(&database.mysql_url(), ORDERS).discover().await.unwrap();
    assert_eq!(found[0].columns[4], ("updated_at".into(), "datetime".into()));
    let table = found
        .iter()
        .find(|d| d.place == format!("{}.po", database.name))
        .unwrap();
    assert_eq!(table.columns[2], ("amount".into(), "decimal(18,2)".into()));
}
