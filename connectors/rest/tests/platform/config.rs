//! Configurations: what is wrong is named, and examples are right.

use std::path::Path;
use std::sync::Arc;

use connector::{Connector, ReadRequest};
use domain::FailureKind;
use domain::clock::Clock;
use rest::RestConnector;

use crate::host::{Hand, Host};
use crate::scenario::{List, connector};
use crate::server::{Answer, Server};
use crate::world::World;

const STREAM: &str =
    "[[stream]]\ndataset = 'platform_orders'\nrequest = { path = '/o' }\nresponse = { records = 'l' }\n";

fn message(text: &str) -> String {
    let made = RestConnector::from_toml(text, Path::new("."), Arc::new(Hand::new()));
    made.err()
        .map(|e| e.to_string())
        .unwrap_or_else(|| panic!("accepted: {text}"))
}

#[test]
fn what_is_wrong_is_named() {
    let with = |top: &str, stream: &str| format!("base_url = 'https://h/v1'\n{top}\n{STREAM}{stream}");
    for (text, word) in [
        ("", "base_url"),
        ("base_url = 'https://h'\nstream = []", "no [[stream]]"),
        (&with("basis = 1", ""), "basis"),
        (&with("", "dataset2 = 'x'"), "dataset2"),
        (&with("time_zone = 'Mars'", ""), "Mars"),
        (&with("quarantine_limit = '1'", ""), "percentage"),
        (&with("", "columns = { price = 'x' }"), "no column \"price\""),
        (
            &with("", "columns = { amount = { from = 'a', scale = 'dollars' } }"),
            "dollars",
        ),
        (&with("", "optional = ['platform_order_id']"), "key column"),
        (&with("", "optional = ['x']"), "no column \"x\""),
        (&with("limits = { tries = 0 }", ""), "tries must be 1"),
        (&with("limits = { retry_cap = 60 }", ""), "line 2"),
        (&with("limits = { retry_cap = '60' }", ""), "no span"),
        (&with("limits = { passes_max = 1 }", ""), "passes_max"),
        (&with("tls = { client_cert = 'x' }", ""), "client_key"),
        (&with("tls = { system_roots = true }", ""), "system_roots"),
        (
            &with("auth = { kind = 'header', name = 'A', value = 's3cr3t' }", ""),
            "never written out",
        ),
        (&with("auth = { kind = 'kerberos' }", ""), "kerberos"),
        (
            &with(
                "auth = { kind = 'basic', user = 'u', password = { env = 'X' }, realm = 'r' }",
                "",
            ),
            "realm",
        ),
        (
            &with("envelope = { code = '$.code', success = [] }", ""),
            "success",
        ),
        (
            &with("envelope = { code = '$.[', success = [0] }", ""),
            "JSONPath",
        ),
        (&with("", "pagination = { kind = 'page' }"), "{page}"),
        (
            &with("", "pagination = { kind = 'token', next = 'n' }"),
            "{token}",
        ),
        (&with("", "pagination = { kind = 'keyset' }"), "keyset"),
        (&with("", "incremental = { kind = 'feed' }"), "token"),
        (
            &with(
                "",
                "incremental = { kind = 'cursor', field = 'u', format = 'number', look_back = '1d' }",
            ),
            "look_back",
        ),
        (
            &with(
                "",
                "incremental = { kind = 'cursor', field = 'u', format = 'number', look_back = 1 }",
            ),
            "{cursor}",
        ),
        (
            &with(
                "",
                "incremental = { kind = 'window', start = 'x', length = '1d', look_back = '1d', format = 'epoch_ms' }",
            ),
            "\"x\"",
        ),
        ("base_url = 'http://h'\n", "stream"),
        (&with("", "").replace("https", "http"), "allow_http"),
        (&with("", "").replace("https", "ftp"), "ftp"),
        (&with("", "").replace("h/v1", "u:p@h/v1"), "credentials"),
        (
            &with("", "").replace("'/o'", "'/o?x=1'").replace("/v1", ""),
            "query",
        ),
        (
            &with("", "").replace("path = '/o'", "path = '/o/{pages}'"),
            "{pages}",
        ),
        (
            &with("", "").replace("path = '/o'", "path = '/o', body = '{}'"),
            "POST",
        ),
        (&with("", STREAM), "two streams"),
    ] {
        let found = message(text);
        assert!(found.contains(word), "{text}:\n{found}");
        assert!(!found.contains("s3cr3t"), "{found}");
    }
}

#[test]
fn the_examples_are_right() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples/platform-rest");
    let mut count = 0;
    for entry in std::fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            let text = std::fs::read_to_string(&path).unwrap();
            let connector = RestConnector::from_toml(&text, &dir, Arc::new(Hand::new()));
            let spec = connector
                .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
                .spec();
            assert!(spec.source.is_some() && spec.incremental && spec.lists_keys);
            count += 1;
        }
    }
    assert!(count >= 2, "{count} examples");
}

fn text(server: &Server, list: List) -> String {
    format!(
        "base_url = '{}'\nallow_http = true\n[limits]\nretry_first = '1ms'\n[[stream]]\nname = 'orders'\n\
         dataset = 'platform_orders'\n{}[stream.columns]\nplatform_order_id = 'orderNo'\n",
        server.url,
        list.config()
    )
}

#[tokio::test]
async fn discovery_tells_the_members_without_reading() {
    let server = Server::start(World::new(25)).await;
    let dir = tempfile::tempdir().unwrap();
    let connector = connector(&text(&server, List::Cursor), dir.path(), &Hand::new()).unwrap();
    let found = connector.discover().await.unwrap();
    assert_eq!(
        (found[0].place.as_str(), found[0].cursor.as_deref()),
        ("orders", Some("updatedAt"))
    );
    let columns: Vec<(&str, &str)> = found[0]
        .columns
        .iter()
        .map(|(p, k)| (p.as_str(), k.as_str()))
        .collect();
    let expected = [
        ("orderNo", "text"),
        ("hospital.code", "text"),
        ("hospital.name", "text"),
        ("qty", "text"),
        ("amountFen", "number"),
        ("updatedAt", "number"),
    ];
    assert_eq!(columns, expected);
    connector.check().await.unwrap();
    assert_eq!(server.with(|state| state.asked.len()), 2);
}

#[tokio::test]
async fn a_check_fails_as_a_sync_would() {
    let server = Server::start(World::new(3)).await;
    let dir = tempfile::tempdir().unwrap();
    let base = text(&server, List::Pages);
    let check = |text: String| {
        let connector = connector(&text, dir.path(), &Hand::new()).unwrap();
        async move { connector.check().await.unwrap_err() }
    };
    let secret = "auth = { kind = 'query', name = 'k', value = { file = 'none' } }\n[limits]";
    assert_eq!(
        check(base.replace("[limits]", secret)).await.reason,
        "SECRET_UNREADABLE"
    );
    assert_eq!(
        check(base.replace("data.list", "data.rows")).await.reason,
        "RESPONSE_SHAPE"
    );
    let nobody = check(base.replace(&server.url, "http://127.0.0.1:1")).await;
    assert_eq!(
        (nobody.kind, nobody.reason),
        (FailureKind::Unavailable, "SOURCE_UNREACHABLE")
    );
    server.with(|state| {
        state.answer(
            1 + state.asked.len(),
            Answer::Status(404, Vec::new(), String::new()),
        )
    });
    let lost = check(base).await;
    assert_eq!((lost.kind, lost.reason), (FailureKind::NotFound, "STREAM_LOST"));
}

#[tokio::test]
async fn a_check_names_what_is_mapped_and_in_no_record() {
    let server = Server::start(World::new(3)).await;
    let empty = Server::start(World::new(0)).await;
    let dir = tempfile::tempdir().unwrap();
    let cursor = text(&server, List::Cursor);
    let check = |text: String| {
        let connector = connector(&text, dir.path(), &Hand::new()).unwrap();
        async move { connector.check().await }
    };
    let keyed = "platform_order_id = 'orderNo'\n";
    let cases = [
        (keyed, "", "the key platform_order_id (平台订单号) is not mapped"),
        (
            keyed,
            "platform_order_id = 'order_no'\n",
            "no record has order_no, mapped to platform_order_id",
        ),
        (
            keyed,
            "platform_order_id = { template = '{hospital.code}-{no}' }\n",
            "mapped to platform_order_id",
        ),
        (
            keyed,
            "platform_order_id = 'orderNo'\namount = 'amountYuan'\n",
            "no record has amountYuan, mapped to amount",
        ),
        (
            "field = 'updatedAt'",
            "field = 'updateTime'",
            "no record has updateTime, named as incremental.field",
        ),
        (
            "format = 'epoch_ms'",
            "format = 'rfc3339'",
            "is written as rfc3339",
        ),
    ];
    for (from, to, words) in cases {
        assert!(cursor.contains(from), "{from}");
        let wrong = cursor.replace(from, to);
        let failure = check(wrong.clone()).await.unwrap_err();
        assert_eq!(
            (failure.kind, failure.reason),
            (FailureKind::Invalid, "COLUMNS_INVALID")
        );
        for words in [
            words,
            "stream orders",
            "orderNo, hospital.code, hospital.name, qty, amountFen, updatedAt",
        ] {
            assert!(failure.message.contains(words), "{words}: {}", failure.message);
        }
        check(wrong.replace(&server.url, &empty.url)).await.unwrap();
    }
    let optional = cursor
        .replace("[[stream]]\n", "[[stream]]\noptional = ['amount']\n")
        .replace(keyed, "platform_order_id = 'orderNo'\namount = 'amountYuan'\n");
    check(optional).await.unwrap();
    let lines = cursor
        .replace(
            "records = 'data.list'\n",
            "records = 'data.list'\nlines = 'items'\n",
        )
        .replace(
            keyed,
            "platform_order_id = 'orderNo'\nunit_price = 'items.price'\n",
        );
    server.with(|state| {
        let items = serde_json::json!([{ "cost": "1.20" }]);
        state.world.added.insert("items".to_owned(), items);
    });
    let failure = check(lines.clone()).await.unwrap_err();
    assert!(
        failure
            .message
            .contains("no record has items.price, mapped to unit_price"),
        "{failure}"
    );
    check(lines.replace("items.price", "items.cost")).await.unwrap();
}

#[tokio::test]
async fn a_stream_that_fails_does_not_keep_the_others_from_being_read() {
    let server = Server::start(World::new(3)).await;
    let dir = tempfile::tempdir().unwrap();
    let clock = Hand::new();
    let orders = text(&server, List::Single);
    let lost = |name: &str| {
        let stream = orders.split("[[stream]]").nth(1).unwrap();
        let stream = stream.replace("'orders'", &format!("'{name}'"));
        format!("[[stream]]{}", stream.replace("'/orders'", "'/gone'"))
    };
    let three = orders.replace("[[stream]]", &format!("{}[[stream]]", lost("a"))) + &lost("b");
    let mut host = Host::new(connector(&three, dir.path(), &clock).unwrap(), clock);
    host.connector.reach().await.unwrap();
    let gone = || Answer::Status(404, Vec::new(), String::new());
    server.with(|state| {
        state
            .elsewhere
            .insert("/gone".to_owned(), [gone(), gone()].into())
    });
    host.sync(None).await;
    let failure = host.failure.take().unwrap();
    assert_eq!(
        (failure.kind, failure.reason),
        (FailureKind::NotFound, "STREAM_LOST")
    );
    assert!(failure.message.starts_with("a GET"), "{failure}");
    assert!(
        failure.message.ends_with("these streams failed too: b"),
        "{failure}"
    );
    assert!(host.told().contains("STREAM_FAILED"));
    assert_eq!(host.orders().len(), 3);
}

#[tokio::test]
async fn a_position_of_another_way_of_reading_is_not_guessed_at() {
    let server = Server::start(World::new(3)).await;
    let dir = tempfile::tempdir().unwrap();
    let clock = Hand::new();
    for (list, position) in [
        (List::Feed, r#"{"kind":"cursor","value":3}"#),
        (List::Windows, r#"{"kind":"feed","token":"3"}"#),
        (
            List::Cursor,
            r#"{"kind":"window","until":"2024-06-01T00:00:00Z"}"#,
        ),
        (List::Pages, "3"),
    ] {
        let mut host = Host::new(
            connector(&text(&server, list), dir.path(), &clock).unwrap(),
            clock.clone(),
        );
        host.cursors.insert("orders".to_owned(), position.to_owned());
        host.sync(None).await;
        let failure = host.failure.unwrap();
        assert_eq!(
            (failure.kind, failure.reason),
            (FailureKind::Precondition, "POSITION_INVALID"),
            "{list:?}"
        );
        let advice = "`lianjing source reset NAME --stream orders`";
        assert!(failure.message.contains(advice), "{failure}");
    }
}

#[tokio::test]
async fn a_host_that_goes_away_stops_the_reading() {
    let server = Server::start(World::new(25)).await;
    let dir = tempfile::tempdir().unwrap();
    let clock = Hand::new();
    let host = Host::new(
        connector(&text(&server, List::Token), dir.path(), &clock).unwrap(),
        clock,
    );
    let (out, messages) = tokio::sync::mpsc::channel(1);
    drop(messages);
    let request: ReadRequest = host.request();
    let failure = host.connector.read(request, out).await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.reason),
        (FailureKind::Cancelled, "CANCELLED")
    );
    assert_eq!(
        server.with(|state| state.asked.len()),
        0,
        "nobody waits for a page"
    );
    assert!(host.clock.now().timestamp() > 0);
}

#[tokio::test]
async fn the_source_is_spared() {
    let server = Server::start(World::new(25)).await;
    let dir = tempfile::tempdir().unwrap();
    let clock = Hand::new();
    let limits = "[limits]\nrequests_per_minute = 600\nburst = 1\n";
    let limited = text(&server, List::Token).replace("[limits]\n", limits);
    let mut host = Host::new(connector(&limited, dir.path(), &clock).unwrap(), clock);
    let began = std::time::Instant::now();
    host.sync(None).await;
    assert!(host.failure.is_none());
    // Three requests at ten a second with no burst: the third comes 200 ms after the first at the earliest.
    assert!(began.elapsed().as_millis() >= 200, "{:?}", began.elapsed());
}
