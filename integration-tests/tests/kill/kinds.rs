//! Each kind of source, set up and handed to the killer.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use integration_tests::{Office, samples};
use test_servers::database::{Server, fresh_name};
use test_servers::platform::Platform;
use test_servers::relay::Relay;

use super::{Subject, survives};
use crate::sources::{Vendor, serve};

const ROWS: u64 = 2_000;
/// An incremental source commits about eight times.
const COMMIT_ROWS: u64 = 250;

fn table(kind: &str, config: &str) -> String {
    format!("[sources.s]\nkind = \"{kind}\"\ncommit_rows = {COMMIT_ROWS}\n[sources.s.config]\n{config}")
}

#[test]
fn platform_rest() {
    let platform = Platform::start(ROWS);
    let config = format!(
        r#"
base_url = "http://{}"
allow_http = true
limits = {{ requests_per_minute = 1000000, burst = 10000 }}
[[sources.s.config.stream]]
name = "orders"
dataset = "purchase_orders"
request = {{ path = "/orders", query = {{ since = "{{cursor}}", limit = "{{page_size}}" }} }}
response = {{ records = "$.list" }}
pagination = {{ kind = "keyset", size = 100 }}
incremental = {{ kind = "cursor", field = "version", format = "number", look_back = 0 }}
columns = {{ order_id = "id", line_no = "line", amount = "amount" }}
"#,
        platform.address
    );
    let subject = Subject {
        toml: table("platform-rest", &config),
        datasets: &["purchase_orders"],
        served: Some(&|| platform.served()),
        again_max: 0.20,
        incremental: true,
        ..Subject::default()
    };
    survives("platform-rest", &subject);
}

fn database(name: &str, url: &str, relay: &Relay) {
    let config = format!(
        r#"
connection = {{ url = "{url}" }}
limits = {{ fetch_rows = 50 }}
[[sources.s.config.streams]]
dataset = "purchase_orders"
query = "select order_id, line_no, amount, version from po"
cursor = "version"
"#
    );
    let subject = Subject {
        toml: table("database", &config),
        datasets: &["purchase_orders"],
        served: Some(&|| relay.served()),
        again_max: 0.20,
        incremental: true,
        ..Subject::default()
    };
    survives(name, &subject);
}

#[test]
fn database_postgresql() {
    let (server, name) = (Server::postgres(), fresh_name());
    server.psql("postgres", &format!("create database {name}"));
    server.psql(
        &name,
        &format!(
            "create table po (order_id text, line_no int, amount text, version int);
             insert into po select 'PO' || n, 1, case n when {} then 'many' else n || '.00' end, n / 3
             from generate_series(1, {ROWS}) n;",
            ROWS / 2
        ),
    );
    let relay = Relay::to(&server.postgres_socket());
    database(
        "postgresql",
        &format!("postgres://lianjing@{}/{name}?sslmode=disable", relay.address),
        &relay,
    );
}

#[test]
fn database_mariadb() {
    let (server, name) = (Server::mariadb(), fresh_name());
    server.mysql("mysql", &format!("create database {name}"));
    server.mysql(
        &name,
        &format!(
            "create table po (order_id varchar(20), line_no int, amount varchar(20), version int);
             insert into po select concat('PO', seq), 1, if(seq = {}, 'many', concat(seq, '.00')), seq div 3
             from seq_1_to_{ROWS};",
            ROWS / 2
        ),
    );
    let relay = Relay::to(&server.mysql_socket());
    database(
        "mariadb",
        &format!("mysql://root@{}/{name}?ssl-mode=disabled", relay.address),
        &relay,
    );
}

#[test]
fn a_vendor_over_grpc() {
    let vendor = Arc::new(Mutex::new(Vendor {
        rows: ROWS,
        bad: Some(ROWS / 2),
        ..Vendor::default()
    }));
    let (_runtime, address) = serve(&vendor);
    let subject = Subject {
        toml: table("remote", &format!("url = \"http://{address}\"\n")),
        datasets: &["purchase_orders"],
        served: Some(&|| vendor.lock().expect("no test panicked").sent),
        again_max: 0.20,
        incremental: true,
        ..Subject::default()
    };
    survives("remote", &subject);
}

/// Orders in files of a hundred, oldest name first; one amount is no number.
fn order_files() -> Vec<(String, String)> {
    (0..ROWS / 100)
        .map(|file| {
            let mut text = "order_id,line_no,amount\n".to_owned();
            for n in file * 100 + 1..=file * 100 + 100 {
                let amount = if n == ROWS / 2 {
                    "many".to_owned()
                } else {
                    format!("{n}.00")
                };
                writeln!(text, "PO{n},1,{amount}").expect("writing to a string");
            }
            (format!("{file:02}/purchase_orders.csv"), text)
        })
        .collect()
}

fn write_files(folder: &Path, files: impl IntoIterator<Item = (String, String)>) {
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
}

#[test]
fn files() {
    let folder = tempfile::tempdir().expect("a folder");
    write_files(folder.path(), order_files());
    let subject = Subject {
        toml: table("files", &format!("dir = \"{}\"\n", folder.path().display())),
        datasets: &["purchase_orders"],
        served: None,
        again_max: 0.0,
        incremental: false,
        ..Subject::default()
    };
    survives("files", &subject);
}

#[test]
fn s3() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = runtime.block_on(test_servers::s3::Server::start());
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("id"), "KEYID").expect("a file");
    std::fs::write(folder.path().join("secret"), "hush").expect("a file");
    for (day, (name, text)) in (1..).zip(order_files()) {
        server.put(&format!("in/{name}"), text, day);
    }
    let config = format!(
        "bucket = \"hospital\"\nprefix = \"in\"\nendpoint = \"{}\"\nallow_http = true\n\
         access_key_id = {{ file = \"{1}/id\" }}\nsecret_access_key = {{ file = \"{1}/secret\" }}\n",
        server.endpoint,
        folder.path().display()
    );
    let subject = Subject {
        toml: table("s3", &config),
        datasets: &["purchase_orders"],
        // Objects that were fetched.
        served: Some(&|| {
            let bucket = server.bucket.lock().expect("no test panicked");
            // A listing names the key that it goes on from, in its query.
            let is_object = |line: &&String| {
                let path = line.split('?').next().unwrap_or_default();
                path.starts_with("GET ") && path.ends_with(".csv")
            };
            bucket.log.iter().filter(is_object).count() as u64
        }),
        again_max: 0.15,
        incremental: true,
        ..Subject::default()
    };
    survives("s3", &subject);
}

#[test]
fn drop_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    write_files(folder.path(), order_files());
    let config = format!("path = \"{}\"\nstable_seconds = 0\n", folder.path().display());
    let subject = Subject {
        toml: table("drop-folder", &config),
        datasets: &["purchase_orders"],
        served: None,
        again_max: 0.0,
        incremental: true,
        ..Subject::default()
    };
    survives("drop-folder", &subject);
}

/// A source of one of the open standards, in files below a folder.
fn open_standard(kind: &str, datasets: &'static [&'static str], config: &str, files: Vec<(String, String)>) {
    let folder = tempfile::tempdir().expect("a folder");
    write_files(folder.path(), files);
    let config = format!("path = \"{}\"\n{config}", folder.path().display());
    let subject = Subject {
        toml: table(kind, &config),
        datasets,
        served: None,
        again_max: 0.0,
        incremental: false,
        ..Subject::default()
    };
    survives(kind, &subject);
}

/// A thousand records over four files, each below the same heading; the one in the middle is another.
fn records(
    ending: &str,
    heading: &str,
    record: impl Fn(u64) -> String,
    odd: String,
) -> Vec<(String, String)> {
    (0..4)
        .map(|file| {
            let each = (1..=250).map(|n| match file * 250 + n {
                500 => odd.clone(),
                n => record(n),
            });
            let text = heading.to_owned() + &each.collect::<String>();
            (format!("{file}.{ending}"), text)
        })
        .collect()
}

#[test]
fn ocds() {
    let files = records(
        "jsonl",
        "",
        |n| samples::ocds(n, &n.to_string()),
        samples::ocds(500, "\"many\""),
    );
    open_standard("ocds", &["tenders", "hospitals"], "", files);
}

#[test]
fn bods() {
    let files = records(
        "jsonl",
        "",
        |n| samples::bods(n, "shareholding"),
        samples::bods(500, "somethingNew"),
    );
    open_standard("bods", &["relations"], "", files);
}

#[test]
fn ftm() {
    let files = records(
        "jsonl",
        "",
        |n| samples::ftm(n, &(n % 100).to_string()),
        samples::ftm(500, "half"),
    );
    open_standard("ftm", &["relations"], "", files);
}

#[test]
fn debarment() {
    let files = records(
        "csv",
        samples::FIRMS,
        |n| samples::firm(n, &format!("2024-01-{:02}", n % 28 + 1)),
        samples::firm(500, "soon"),
    );
    open_standard("debarment", &["credit_records"], "", files);
}

/// Files are moved away once they are done, so each data directory has a folder of its own beside it.
#[test]
fn drop_folder_that_moves_what_is_done() {
    let names: Vec<String> = order_files().into_iter().map(|(name, _)| name).collect();
    let prepare = |office: &Office| write_files(&office.dir.path().join("drop"), order_files());
    let finish = |office: &Office| {
        office.run(&["sync", "s"]).expect(&[0, 3]);
        let drop = office.dir.path().join("drop");
        for name in &names {
            let (there, done) = (drop.join(name), drop.join("done").join(name));
            assert!(done.exists() && !there.exists(), "{name} was not moved");
        }
        assert_eq!(super::files_below(&drop.join("done")), names.len() as u64);
    };
    let subject = Subject {
        toml: table(
            "drop-folder",
            "path = \"../drop\"\nstable_seconds = 0\ndone = \"done\"\n",
        ),
        datasets: &["purchase_orders"],
        served: None,
        again_max: 0.0,
        incremental: true,
        prepare: Some(&prepare),
        finish: Some(&finish),
    };
    survives("drop-folder with done", &subject);
}
