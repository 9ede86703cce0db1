//! What records hold: members lost, renamed, added, of another type; encodings; lines.

use serde_json::json;

use crate::host::{Hand, Host};
use crate::scenario::{Do, Expect, List, check, connector, scenario};
use crate::server::{Answer, Server};
use crate::world::World;

#[tokio::test]
async fn drift_is_told_or_quarantined() {
    let renamed = |from: &str, to: &str| {
        let (from, to) = (from.to_owned(), to.to_owned());
        move |w: &mut World| {
            w.renamed.insert(from, to);
        }
    };
    check(vec![
        scenario("a new member", List::Pages)
            .world(|w| {
                w.added.insert("batchNo".to_owned(), json!("B1"));
            })
            .tells("COLUMN_IGNORED"),
        scenario("a new member that is an object", List::Pages)
            .world(|w| {
                w.added.insert("audit".to_owned(), json!({ "by": "x", "at": null }));
            })
            .tells("COLUMN_IGNORED"),
        scenario("a renamed required member", List::Pages)
            .world(renamed("amountFen", "amountCent"))
            .expect(Expect::Rejected(25, "MISSING_COLUMN"))
            .tells("COLUMN_IGNORED"),
        scenario("a renamed key", List::Pages)
            .world(renamed("orderNo", "orderId"))
            .expect(Expect::Rejected(25, "MISSING_COLUMN"))
            .tells("COLUMN_IGNORED"),
        scenario("a lost object with a required member", List::Pages)
            .world(renamed("hospital", "unit"))
            .expect(Expect::Rejected(25, "MISSING_COLUMN"))
            .tells("COLUMN_IGNORED"),
        scenario("a member that may be left out, and is", List::Pages)
            .stream("optional = ['quantity']")
            .world(renamed("qty", "x"))
            .tells("COLUMN_MISSING")
            .tells("COLUMN_IGNORED"),
        scenario("a renamed member that moves the position on", List::Cursor)
            .world(renamed("updatedAt", "modifiedAt"))
            .tells("CURSOR_UNREADABLE")
            .tells("COLUMN_IGNORED"),
        scenario("an object that is null", List::Pages).world(|w| {
            w.added.insert("hospital".to_owned(), json!(null));
        }),
        scenario("an amount that is an object", List::Pages)
            .world(|w| {
                w.added.insert("amountFen".to_owned(), json!({ "value": 1 }));
            })
            .expect(Expect::Rejected(25, "NOT_A_SCALAR")),
        scenario("an amount that is no number", List::Pages)
            .world(|w| {
                w.added.insert("amountFen".to_owned(), json!("面议"));
            })
            .expect(Expect::Rejected(25, "BAD_DECIMAL")),
        scenario("keys that are null", List::Pages)
            .world(|w| {
                w.added.insert("orderNo".to_owned(), json!(null));
            })
            .expect(Expect::Rejected(25, "MISSING_KEY")),
        scenario("a member appears in mid-list", List::Token)
            .change(2, |w| {
                w.added.insert("remark".to_owned(), json!("急"));
            })
            .tells("COLUMN_IGNORED"),
        scenario("answers in GB18030 that say so", List::Pages)
            .world(|w| {
                w.orders.truncate(3);
            })
            .answer(1, Answer::Gbk),
        scenario("records that are no objects", List::Pages)
            .answer(1, Answer::Body(r#"{"data":{"total":2,"list":[1,"x"]}}"#.to_owned()))
            .world(|w| w.orders.clear())
            .expect(Expect::Rejected(2, "BAD_JSON")),
        scenario("two members of one name", List::Single)
            .answer(
                1,
                Answer::Body(
                    r#"{"data":{"total":1,"list":[{"orderNo":"A","orderNo":"B","hospital":null,"qty":1,"amountFen":1}]}}"#
                        .to_owned(),
                ),
            )
            .world(|w| w.orders.clear())
            .expect(Expect::Rejected(1, "DUPLICATE_COLUMN")),
    ])
    .await;
}

/// A platform with one answer, and what a host makes of it.
async fn read_body(config: &str, body: &str) -> Host {
    let server = Server::start(World::new(0)).await;
    let body = body.to_owned();
    server.with(|state| state.answer(1, Answer::Body(body)));
    let dir = tempfile::tempdir().unwrap();
    let clock = Hand::new();
    let text = format!("base_url = '{}'\nallow_http = true\n{config}", server.url);
    let mut host = Host::new(connector(&text, dir.path(), &clock).unwrap(), clock);
    host.sync(None).await;
    host
}

#[tokio::test]
async fn values_are_mapped_as_in_files() {
    let config = r#"
        source = "p"
        nulls = ["-"]
        [[rows]]
        dataset = "hospitals"
        values = { hospital_id = "H0001", region_code = "330000" }
        [[stream]]
        dataset = "platform_orders"
        request = { path = "/orders" }
        response = { records = "data.list" }
        ignore = ["remark"]
        optional = ["supplier_name"]
        [stream.columns]
        platform_order_id = { template = "{orderNo}-{line}" }
        hospital_id = { const = "H0001" }
        supplier_uscc = "distributor.uscc"
        supplier_name = "distributor.name"
        quantity = "qty"
        unit_price = { from = "priceFen", scale = "fen" }
        amount = { from = "amountWan", scale = "万元" }
        ordered_at = { from = "createdAt", format = "epoch_ms" }
        status = { from = "state", codes = { "3" = "received" } }
    "#;
    let record = |no: &str, state: &str, more: &str| {
        format!(
            r#"{{"orderNo":"{no}","line":1,"distributor":{{"uscc":"91330100MA2A1B2C3T"}},"qty":"1,200","priceFen":1250.5,
            "amountWan":0.12345678901,"createdAt":1704681000000,"state":{state},"remark":[1]{more}}}"#
        )
    };
    let body = format!(
        r#"{{"data":{{"list":[{},{},{}]}}}}"#,
        record("A", "3", ""),
        record("B", "9", ""),
        record("C", "\"-\"", ",\"国家医保编码\":\"X01\"")
    );
    let host = read_body(config, &body).await;
    assert!(host.failure.is_none(), "{:?}", host.failure);
    let orders: Vec<(&str, &str)> = host.rows["platform_orders"]
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(orders, [("A-1", "1234.57"), ("C-1", "1234.57")]);
    let hospitals: Vec<&str> = host.rows["hospitals"].values().map(String::as_str).collect();
    assert_eq!(hospitals, ["hospital_id=H0001,region_code=330000"]);
    let rejected: Vec<_> = host
        .rejected
        .iter()
        .map(|r| (r.position, r.field.as_deref(), r.reason.code(), r.detail.as_str()))
        .collect();
    assert_eq!(rejected, [(2, Some("status"), "UNKNOWN_CODE", "9")]);
    assert!(String::from_utf8_lossy(&host.rejected[0].raw).contains("\"orderNo\":\"B\""));
    let told: Vec<(&str, &str)> = host
        .notices
        .iter()
        .map(|n| (n.code.as_str(), n.place.as_str()))
        .collect();
    assert_eq!(
        told,
        [(
            "COLUMN_MISSING",
            "platform_orders: supplier_name (distributor.name)"
        )]
    );
}

#[tokio::test]
async fn a_record_with_lines_is_as_many_rows() {
    let config = r#"
        [[stream]]
        dataset = "platform_orders"
        request = { path = "/orders" }
        response = { records = "$.data.groups[*].orders[*]", lines = "items" }
        [stream.columns]
        platform_order_id = { template = "{no}-{items.line}" }
        quantity = "items.qty"
        amount = "items.amount"
        hospital_id = "hospital"
    "#;
    let body = r#"{"data":{"groups":[{"orders":[
        {"no":"A","hospital":"H1","items":[{"line":1,"qty":1,"amount":1.10},{"line":2,"qty":2,"amount":2.20}]},
        {"no":"B","hospital":"H1","items":[]}]},
        {"orders":[{"no":"C","hospital":"H1","items":null},{"no":"D","hospital":"H1"}]}]}}"#;
    let host = read_body(config, body).await;
    let orders: Vec<(&str, &str)> = host.rows["platform_orders"]
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(orders, [("A-1", "1.10"), ("A-2", "2.20")]);
    let rejected: Vec<_> = host
        .rejected
        .iter()
        .map(|r| (r.position, r.reason.code()))
        .collect();
    assert_eq!(rejected, [(3, "MISSING_COLUMN")]);
    let told: Vec<_> = host.notices.iter().map(|n| (n.code.as_str(), n.count)).collect();
    assert_eq!(told, [("RECORD_WITHOUT_LINES", 2)]);
}

#[tokio::test]
async fn keys_show_what_was_deleted() {
    for list in [
        List::Pages,
        List::Windows,
        List::Cursor,
        List::Keyset,
        List::Token,
    ] {
        let server = Server::start(World::new(25)).await;
        let dir = tempfile::tempdir().unwrap();
        let clock = Hand::new();
        let text = format!(
            "base_url = '{}'\nallow_http = true\n[limits]\nrequests_per_minute = 100000\nburst = 1000\n[[stream]]\n\
             dataset = 'platform_orders'\nignore = ['updatedAt']\n{}[stream.columns]\nplatform_order_id = 'orderNo'\n\
             hospital_id = 'hospital.code'\nquantity = 'qty'\namount = {{ from = 'amountFen', scale = 'fen' }}\n",
            server.url,
            list.config()
        );
        server.with(|state| state.world.sorted = crate::world::Sorted::ByUpdate);
        if list == List::Token {
            server.with(|state| state.world.sorted = crate::world::Sorted::ByNumber);
        }
        let mut host = Host::new(connector(&text, dir.path(), &clock).unwrap(), clock);
        host.sync(None).await;
        server.with(|state| {
            state.world.delete("PT0003");
            state.world.delete("PT0025");
            // Whether other values can be read does not matter for keys.
            state.world.added.insert("amountFen".to_owned(), json!("x"));
        });
        let keys = host.keys().await.unwrap();
        let deleted: Vec<String> = host.orders().into_keys().filter(|k| !keys.contains(k)).collect();
        assert_eq!(deleted, ["PT0003", "PT0025"], "{list:?}");
        assert_eq!(keys.len(), 23, "{list:?}");
        server.with(|state| state.world.renamed.insert("orderNo".to_owned(), "x".to_owned()));
        let failure = host.keys().await.unwrap_err();
        assert_eq!(failure.reason, "KEYS_INCOMPLETE", "{list:?}: {failure}");
    }
}

#[tokio::test]
async fn a_feed_has_keys_only_where_they_are_configured() {
    let server = Server::start(World::new(12)).await;
    let dir = tempfile::tempdir().unwrap();
    let clock = Hand::new();
    let text = |keys: &str| {
        format!(
            "base_url = '{}'\nallow_http = true\n[[stream]]\ndataset = 'platform_orders'\n{}[stream.columns]\n\
             platform_order_id = 'orderNo'\n{keys}",
            server.url,
            List::Feed.config()
        )
    };
    let host = Host::new(connector(&text(""), dir.path(), &clock).unwrap(), clock.clone());
    assert_eq!(host.keys().await.unwrap_err().reason, "KEYS_UNSUPPORTED");
    let keys = "[stream.keys.request]\npath = 'orders'\n[stream.keys.response]\nrecords = 'data.list'\ntotal = 'data.total'\n";
    let host = Host::new(connector(&text(keys), dir.path(), &clock).unwrap(), clock);
    assert_eq!(host.keys().await.unwrap().len(), 12);
}

#[tokio::test]
async fn an_interruption_at_any_message_loses_and_doubles_nothing() {
    let mut all = Vec::new();
    for list in [List::Windows, List::Keyset, List::Feed] {
        for after in (3..60).step_by(4) {
            let name: &'static str = format!("{list:?} dies after {after}, twice").leak();
            all.push(
                scenario(name, list)
                    .world(|w| w.sorted = crate::world::Sorted::ByUpdate)
                    .steps(vec![Do::Crash(after), Do::Crash(after / 2 + 1), Do::Sync]),
            );
        }
    }
    check(all).await;
}
