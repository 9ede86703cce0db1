//! What docs/connectors/database.md tells people to type is typed here.

use std::path::Path;

use connector::Connector;
use database::DatabaseConnector;
use domain::FailureKind;

use crate::host::{Host, connector};
use crate::servers::Database;

const PAGE: &str = include_str!("../../../../docs/connectors/database.md");

const TABLES: &str = "create table po (order_no varchar(20), order_time timestamp null);
    create table supplier (supplier_id varchar(20), name varchar(20));
    create table po_detail (order_no varchar(20), line_no int, hospital_code varchar(20), goods_name varchar(40), qty decimal(18,4),
        price decimal(18,4), amount decimal(18,2), vendor_code varchar(20), updated_at timestamp);
    insert into po values ('P1', '2024-03-05 09:00:00');
    insert into po_detail values ('P1', 1, 'H1', 'x', 2, 3.5, 7, 'S1', '2024-03-05 09:30:00')";

const DETAIL: &str = "[[streams]]\ndataset = \"purchase_orders\"\n\
    query = \"select order_no as order_id, line_no, amount from po_detail\"";

/// The page's statements below `-- heading`.
fn statements(heading: &str) -> String {
    let (_, after) = PAGE
        .split_once(&format!("-- {heading}\n"))
        .expect("the page has the heading");
    let end = after.find("\n\n").expect("the statements end");
    after[..end].to_owned()
}

/// The first TOML block.
fn configuration() -> &'static str {
    let (_, after) = PAGE.split_once("```toml\n").expect("a TOML block");
    after.split("```").next().expect("it ends")
}

async fn check_user(user_url: &str) {
    let mut host = Host::new();
    host.sync(&connector(user_url, DETAIL)).await.unwrap();
    assert_eq!(
        host.table("purchase_orders", &["order_id", "amount"]),
        ["P1|7.00"]
    );
    let beyond = DETAIL
        .replace("po_detail", "po")
        .replace("line_no, amount", "1 as line_no");
    let failure = connector(user_url, &beyond).check().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Invalid);
    assert!(
        failure.message.contains("grant the user SELECT"),
        "{}",
        failure.message
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_for_postgresql_reads_what_it_may_and_no_more() {
    let database = Database::postgres();
    database.pg(TABLES).await;
    // The cluster's owner has the page's name.
    let sql = statements("PostgreSQL")
        .replace("lianjing", "page_reader")
        .replace("erp", &database.name);
    database.pg(&sql).await;
    check_user(&database.server.postgres_url("page_reader", &database.name)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_for_mariadb_reads_what_it_may_and_no_more() {
    let database = Database::mariadb();
    database.my(TABLES).await;
    let sql = statements("MySQL, MariaDB")
        .replace("10.0.0.9", "localhost")
        .replace("identified by '...'", "identified by ''")
        .replace("erp.", &format!("{}.", database.name));
    database.my(&sql).await;
    check_user(&database.server.mysql_url("lianjing", &database.name)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_on_the_page_reads_its_rows() {
    let database = Database::postgres();
    database.pg(TABLES).await;
    let page = configuration();
    DatabaseConnector::from_toml(page, Path::new("/")).unwrap();
    let url = page.lines().find(|l| l.starts_with("url = ")).expect("a url");
    let password = page
        .lines()
        .find(|l| l.starts_with("password = "))
        .expect("a password");
    let text = page
        .replace(url, &format!("url = {:?}", database.postgres_url()))
        .replace(password, "");
    let connector = DatabaseConnector::from_toml(&text, Path::new("/")).unwrap();
    let mut host = Host::new();
    host.sync(&connector).await.unwrap();
    let columns = [
        "order_id",
        "line_no",
        "hospital_id",
        "product_name",
        "quantity",
        "unit_price",
        "amount",
        "supplier_id",
        "ordered_at",
    ];
    assert_eq!(
        host.table("purchase_orders", &columns),
        ["P1|1|H1|x|2.0000|3.5000|7.00|S1|2024-03-05T01:00:00"]
    );
    assert!(host.notices.is_empty(), "{:?}", host.notices);
}
