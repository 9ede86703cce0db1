//! The example on each connector's page is typed as it stands there, but for addresses and folders, against a source of
//! its kind: it is checked, discovered and synced.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::SystemTime;

use integration_tests::{Office, root, samples};
use test_servers::database::{Server, fresh_name};

use crate::sources::{Vendor, serve};

const LONG_AGO: SystemTime = SystemTime::UNIX_EPOCH;

fn page(kind: &str) -> String {
    let path = root().join(format!("docs/connectors/{kind}.md"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The block of the page that begins with this line, to its end.
fn block<'p>(page: &'p str, begin: &str) -> &'p str {
    let (_, after) = page
        .split_once(begin)
        .unwrap_or_else(|| panic!("the page has {begin:?}"));
    after.split("```").next().expect("it ends")
}

/// A file below the folder, long at rest.
pub fn write(folder: &Path, name: &str, text: &str) {
    std::fs::create_dir_all(folder).expect("a folder");
    let mut file = std::fs::File::create(folder.join(name)).expect("a file");
    file.write_all(text.as_bytes()).expect("written");
    file.set_modified(LONG_AGO).expect("its time can be set");
}

/// Types the page's `sources.toml` with these texts for those, then its commands, which must end well; `rows` have come.
fn typed(kind: &str, office: &Office, replaced: &[(&str, &str)], dataset: &str, rows: u64) {
    let page = page(kind);
    let mut toml = block(&page, "# in sources.toml\n").to_owned();
    for (from, to) in replaced {
        assert!(
            toml.contains(from) || from.is_empty(),
            "{kind}: the example has no {from:?}"
        );
        toml = toml.replace(from, to);
    }
    std::fs::create_dir_all(office.data()).expect("a data directory");
    std::fs::write(office.data().join("sources.toml"), toml).expect("sources.toml");
    let commands: Vec<&str> = block(&page, "```sh\nlianjing source check")
        .lines()
        .skip(1)
        .collect();
    let name = commands
        .last()
        .and_then(|c| c.strip_prefix("lianjing sync "))
        .unwrap_or_else(|| panic!("{kind}: the last command is no sync: {commands:?}"));
    office.run(&["source", "check", name]).expect(&[0]);
    let found = office
        .run(&["source", "discover", name, "--format", "json"])
        .expect(&[0])
        .json_lines();
    assert!(
        found.iter().any(|f| f["dataset"] == dataset),
        "{kind}: {found:?} does not lead to {dataset}"
    );
    let checks = office
        .run(&["source", "accept", name, "--format", "json"])
        .expect(&[0])
        .json_lines();
    assert!(
        checks.len() > 8 && checks.iter().all(|c| c["outcome"] != "FAILED"),
        "{kind}: {checks:?}"
    );
    office.run(&["sync", name]).expect(&[0]);
    let count = office.sql(&format!("select count(*) as n from {dataset}"));
    assert_eq!(count[0]["n"], rows, "{kind}: rows of {dataset}");
}

#[test]
fn files() {
    let office = Office::new();
    let folder = office.dir.path().join("his");
    write(
        &folder,
        "purchase_orders_2024.csv",
        "order_id,line_no,amount\nP1,1,10.00\nP2,1,20.00\n",
    );
    let folder = folder.display().to_string();
    typed("files", &office, &[("/data/his", &folder)], "purchase_orders", 2);
}

#[test]
fn drop_folder_is_emptied_once_its_rows_are_there() {
    let office = Office::new();
    let folder = office.dir.path().join("drop");
    write(
        &folder,
        "purchase_orders_2024.csv",
        "order_id,line_no,amount\nP1,1,10.00\n",
    );
    let shown = folder.display().to_string();
    typed(
        "drop-folder",
        &office,
        &[("/data/drop", &shown)],
        "purchase_orders",
        1,
    );
    office.run(&["sync", "drop"]).expect(&[0]);
    assert!(folder.join("done/purchase_orders_2024.csv").exists());
}

#[test]
fn s3() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = runtime.block_on(test_servers::s3::Server::start());
    server.put(
        "in/purchase_orders.csv",
        "order_id,line_no,amount\nP1,1,10.00\n",
        3,
    );
    let office = Office::new();
    let secrets = office.dir.path().join("secrets");
    write(&secrets, "exports.id", "KEYID");
    write(&secrets, "exports.secret", "hush");
    let secrets = secrets.display().to_string();
    let endpoint = format!("{}\"\nallow_http = true\nregion = \"us-east-1", server.endpoint);
    let replaced = [
        ("https://minio.example.org:9000", endpoint.as_str()),
        ("/etc/lianjing", &secrets),
    ];
    typed("s3", &office, &replaced, "purchase_orders", 1);
}

#[test]
fn open_standards() {
    let of = |kind: &str, from: &str, name: &str, text: &str, dataset: &str, rows: u64| {
        let office = Office::new();
        let folder = office.dir.path().join("source");
        write(&folder, name, text);
        let path = match from.rsplit('/').next().is_some_and(|last| last.contains('.')) {
            true => folder.join(name),
            false => folder,
        };
        typed(
            kind,
            &office,
            &[(from, &path.display().to_string())],
            dataset,
            rows,
        );
    };
    of(
        "ocds",
        "/data/ocds",
        "releases.jsonl",
        &samples::ocds(1, "1000"),
        "tenders",
        1,
    );
    let seven = |record: &dyn Fn(u64) -> String| (1..=7).map(record).collect::<String>();
    of(
        "bods",
        "/data/bods",
        "statements.jsonl",
        &seven(&|n| samples::bods(n, "shareholding")),
        "relations",
        7,
    );
    of(
        "ftm",
        "/data/ftm/entities.ftm.jsonl",
        "entities.ftm.jsonl",
        &seven(&|n| samples::ftm(n, "51")),
        "relations",
        7,
    );
    of(
        "debarment",
        "/data/lists/world-bank.csv",
        "world-bank.csv",
        "Firm,Address,Country,From Date,To Date,Grounds\nACME,1 Main St,US,05-MAR-2020,Permanent,Fraud\n",
        "credit_records",
        1,
    );
}

#[test]
fn remote() {
    let vendor = Arc::new(Mutex::new(Vendor {
        rows: 5,
        ..Vendor::default()
    }));
    let (_runtime, address) = serve(&vendor);
    let office = Office::new();
    let address = address.to_string();
    typed(
        "remote",
        &office,
        &[("127.0.0.1:50051", &address)],
        "purchase_orders",
        5,
    );
}

#[test]
fn platform_rest() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that has gone ends its connection.
            thread::spawn(move || platform(stream).unwrap_or_default());
        }
    });
    let office = Office::new();
    let secrets = office.dir.path().join("secrets");
    write(&secrets, "province.key", "opensesame");
    let secrets = secrets.display().to_string();
    let url = format!("http://{address}/open/v1\"\nallow_http = true\ntime_zone = \"Asia/Shanghai");
    let replaced = [
        ("https://platform.province-a.example/open/v1", url.as_str()),
        ("/etc/lianjing", &secrets),
    ];
    typed("platform-rest", &office, &replaced, "platform_orders", 3);
}

/// Three orders for whoever has the key.
fn platform(mut stream: std::net::TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    while let Some(request) = lines.next().transpose()? {
        let headers: Vec<String> = lines
            .by_ref()
            .map_while(Result::ok)
            .take_while(|l| !l.is_empty())
            .collect();
        let knows = headers
            .iter()
            .any(|h| h.eq_ignore_ascii_case("x-app-key: opensesame"));
        let order = |n: u64| {
            format!(
                r#"{{"orderNo":"PT{n}","amountFen":{n}00,"createdAt":"2025-01-0{n} 08:00:00","updatedAt":"2025-01-0{n} 09:00:00"}}"#
            )
        };
        let (status, body) = match (knows, request.contains("/open/v1/orders?")) {
            (true, true) => {
                let from = (1..=3)
                    .filter(|n| !request.contains("since=") || request.contains("2025-01-03") && *n == 3);
                let orders: Vec<String> = from.map(order).collect();
                (200, format!(r#"{{"data":{{"list":[{}]}}}}"#, orders.join(",")))
            }
            (true, false) => (404, "{}".to_owned()),
            (false, _) => (401, "{}".to_owned()),
        };
        write!(
            stream,
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
    }
    Ok(())
}

#[test]
fn database() {
    let (server, name) = (Server::postgres(), fresh_name());
    server.psql("postgres", &format!("create database {name}"));
    server.psql(
        &name,
        "create table po (order_no text, order_time timestamptz);
         create table po_detail (order_no text, line_no int, hospital_code text, goods_name text, qty numeric, price numeric,
             amount numeric, vendor_code text, updated_at timestamptz);
         insert into po values ('P1', '2024-03-05 09:00+08');
         insert into po_detail values ('P1', 1, 'H1', 'x', 2, 3.5, 7, 'S1', '2024-03-05 09:30+08');",
    );
    let office = Office::new();
    std::fs::create_dir_all(office.data()).expect("a data directory");
    let page = page("database");
    let config = block(&page, "```toml\n");
    let url = config.lines().find(|l| l.starts_with("url = ")).expect("a url");
    let password = config
        .lines()
        .find(|l| l.starts_with("password = "))
        .expect("a password");
    let config = config
        .replace(
            url,
            &format!("url = {:?}", server.postgres_url("lianjing", &name)),
        )
        .replace(password, "");
    std::fs::write(office.data().join("erp.toml"), config).expect("erp.toml");
    typed("database", &office, &[], "purchase_orders", 1);
}
