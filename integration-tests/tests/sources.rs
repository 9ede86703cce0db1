//! Configured sources through the real binary: a vendor's connector over gRPC, in this process and in Python; deletions
//! that become WITHDRAWN evidence; the acceptance suite; jobs and metrics of a server.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use integration_tests::{Done, Office, python, root, text};
use proto::v1::connector_port_server::{ConnectorPort, ConnectorPortServer};
use proto::v1::{self as pb, read_response::Message};
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status};

use crate::trials::{DRIFT, LATE, Suite, UNSORTED};

/// Rows of one page of the vendor's source.
const PAGE: u64 = 100;

/// Orders 1..=rows but for the deleted ones; the version of order n is n / 3, so that rows share cursor values.
#[derive(Default)]
pub struct Vendor {
    pub rows: u64,
    pub deleted: Vec<u64>,
    /// Its amount is no number.
    pub bad: Option<u64>,
    /// Rows that were sent so far.
    pub sent: u64,
}

#[derive(Clone)]
struct Port(Arc<Mutex<Vendor>>);

impl Port {
    fn numbers(&self, since: u64) -> Vec<u64> {
        let vendor = self.0.lock().unwrap();
        (1..=vendor.rows)
            .filter(|n| n / 3 >= since && !vendor.deleted.contains(n))
            .collect()
    }
}

fn response<T>(message: Message) -> Result<pb::ReadResponse, T> {
    Ok(pb::ReadResponse {
        message: Some(message),
    })
}

#[tonic::async_trait]
impl ConnectorPort for Port {
    type ReadStream = ReceiverStream<Result<pb::ReadResponse, Status>>;
    type KeysStream = ReceiverStream<Result<pb::KeysResponse, Status>>;

    async fn spec(&self, _: Request<pb::SpecRequest>) -> Result<Response<pb::SpecResponse>, Status> {
        Ok(Response::new(pb::SpecResponse {
            kind: "test".into(),
            title_zh: "测试".into(),
            title_en: "Test".into(),
            config_schema_json: String::new(),
            incremental: true,
            lists_keys: true,
        }))
    }

    async fn check(&self, _: Request<pb::CheckRequest>) -> Result<Response<pb::CheckResponse>, Status> {
        Ok(Response::new(pb::CheckResponse {}))
    }

    async fn discover(
        &self,
        _: Request<pb::DiscoverRequest>,
    ) -> Result<Response<pb::DiscoverResponse>, Status> {
        Ok(Response::new(pb::DiscoverResponse {
            streams: vec![pb::Stream {
                name: "orders".into(),
                dataset: "purchase_orders".into(),
                cursor_column: "version".into(),
            }],
        }))
    }

    async fn read(&self, request: Request<pb::ReadRequest>) -> Result<Response<Self::ReadStream>, Status> {
        let since = request
            .into_inner()
            .cursors
            .get("orders")
            .map_or(0, |c| c.parse().unwrap());
        let (sender, stream) = mpsc::channel(1);
        let port = self.clone();
        tokio::spawn(async move {
            for page in port.numbers(since).chunks(PAGE as usize) {
                port.0.lock().unwrap().sent += page.len() as u64;
                let bad = port.0.lock().unwrap().bad;
                let rows = page.iter().map(|n| {
                    let amount = if bad == Some(*n) {
                        "many".to_owned()
                    } else {
                        format!("{n}.00")
                    };
                    format!("{{\"order_id\": \"PO{n}\", \"line_no\": 1, \"amount\": \"{amount}\"}}")
                });
                let rows = Message::Rows(pb::Rows {
                    dataset: "purchase_orders".into(),
                    json_rows: rows.collect(),
                    ..pb::Rows::default()
                });
                let checkpoint = Message::Checkpoint(pb::Checkpoint {
                    stream: "orders".into(),
                    cursor: (page[page.len() - 1] / 3).to_string(),
                });
                for message in [rows, checkpoint] {
                    if sender.send(response(message)).await.is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn keys(&self, _: Request<pb::KeysRequest>) -> Result<Response<Self::KeysStream>, Status> {
        let (sender, stream) = mpsc::channel(1);
        let keys = self.numbers(0).into_iter();
        let keys = pb::KeysResponse {
            dataset: "purchase_orders".into(),
            json_keys: keys
                .map(|n| format!("{{\"order_id\": \"PO{n}\", \"line_no\": 1}}"))
                .collect(),
        };
        tokio::spawn(async move { sender.send(Ok(keys)).await });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// Serves the vendor on a free port, as long as the runtime lives.
pub fn serve(vendor: &Arc<Mutex<Vendor>>) -> (tokio::runtime::Runtime, SocketAddr) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .expect("a free port");
    let address = listener.local_addr().expect("bound");
    let service = ConnectorPortServer::new(Port(vendor.clone()));
    runtime.spawn(
        tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(TcpListenerStream::new(listener)),
    );
    (runtime, address)
}

/// A program that a test started; ends with it, however it ends.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        // One that has ended cannot be killed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An office whose source `acme` is the vendor at that address.
fn office(address: SocketAddr) -> Office {
    Office::with_sources(&format!(
        "[sources.acme]\nkind = \"remote\"\ncommit_rows = 300\n[sources.acme.config]\nurl = \"http://{address}\"\nlists_keys = true\n"
    ))
}

fn totals(office: &Office) -> (String, String, String) {
    let row = office
        .sql("select count(*) as n, count(distinct order_id) as d, sum(amount) as s from purchase_orders")
        .remove(0);
    (text(&row["n"]), text(&row["d"]), text(&row["s"]))
}

#[test]
fn what_is_deleted_at_the_source_becomes_withdrawn_evidence() {
    let vendor = Arc::new(Mutex::new(Vendor {
        rows: 60,
        ..Vendor::default()
    }));
    let (_runtime, address) = serve(&vendor);
    let office = office(address);
    office.run(&["source", "sync", "acme"]).expect(&[0]);
    vendor.lock().unwrap().deleted = vec![7];
    let report = office
        .run(&["source", "reconcile", "acme", "--format", "json"])
        .expect(&[0])
        .json_lines()
        .remove(0);
    assert_eq!(
        (report["at_source"].as_u64(), report["withdrawn"].as_u64()),
        (Some(59), Some(1))
    );
    assert_eq!(totals(&office).0, "59");
    let gone = office.sql("select key, source from _withdrawn").remove(0);
    assert!(text(&gone["key"]).contains("PO7"), "{gone}");
    // A listing that lost most of its rows is not believed.
    vendor.lock().unwrap().deleted = (1..=50).collect();
    let refused = office.run(&["source", "reconcile", "acme"]).expect(&[1]);
    assert!(refused.stderr.contains("WITHDRAWAL_LIMIT"), "{}", refused.stderr);
    assert_eq!(totals(&office).0, "59");
}

#[test]
fn a_row_that_an_export_no_longer_has_leaves_with_a_reconciliation() {
    let exports = tempfile::tempdir().expect("a folder");
    let write = |rows: &[&str]| {
        let lines = rows.iter().map(|row| format!("{row}\n"));
        let text = std::iter::once("order_id,line_no,amount\n".to_owned()).chain(lines);
        std::fs::write(
            exports.path().join("purchase_orders.csv"),
            text.collect::<String>(),
        )
        .expect("a file");
    };
    let office = Office::with_sources(&format!(
        "[sources.his]\nkind = \"files\"\n[sources.his.config]\ndir = {:?}\n",
        exports.path()
    ));
    write(&["PO1,1,5.00", "PO2,1,6.00", "PO3,1,7.00"]);
    office.run(&["source", "sync", "his"]).expect(&[0]);
    write(&["PO1,1,5.00", "PO3,1,7.00"]);
    office.run(&["source", "sync", "his"]).expect(&[0]);
    assert_eq!(totals(&office).0, "3", "a sync alone takes nothing out");
    let report = office
        .run(&["source", "reconcile", "his", "--format", "json"])
        .expect(&[0])
        .json_lines()
        .remove(0);
    assert_eq!(
        (report["at_source"].as_u64(), report["withdrawn"].as_u64()),
        (Some(2), Some(1))
    );
    assert_eq!(
        totals(&office),
        ("2".to_owned(), "2".to_owned(), "12.00".to_owned())
    );
    // A row whose key cannot be read may be any row.
    write(&["PO1,1,5.00", ",1,7.00"]);
    let refused = office.run(&["source", "reconcile", "his"]).expect(&[1]);
    assert!(refused.stderr.contains("KEY_UNKNOWN"), "{}", refused.stderr);
    assert_eq!(totals(&office).0, "2");
}

#[test]
fn a_python_connector_is_accepted_and_synced() {
    let dir = tempfile::tempdir().expect("a folder");
    let database = dir.path().join("orders.db");
    let python = python();
    let script = "import sqlite3, sys\n\
        db = sqlite3.connect(sys.argv[1])\n\
        db.execute('create table orders(id text primary key, supplier text, amount text, ordered_on text, version integer)')\n\
        db.executemany('insert into orders values (?, ?, ?, ?, ?)', [(f'PO{n}', '康达医药有限公司', f'{n}.50', '2025-01-02', n // 4) for n in range(1, 2501)])\n\
        db.commit()";
    let made = Command::new(&python).args(["-c", script]).arg(&database).status();
    assert!(made.expect("python starts").success());
    let stubs = Command::new(&python)
        .args(["-m", "grpc_tools.protoc", "-I", "proto"])
        .arg(format!("--python_out={}", dir.path().display()))
        .arg(format!("--grpc_python_out={}", dir.path().display()))
        .arg("proto/lianjing/v1/connector_port.proto")
        .current_dir(root())
        .status();
    assert!(stubs.expect("protoc starts").success());
    let vendor = Command::new(&python)
        .arg(root().join("docs/connectors/vendor/connector.py"))
        .args(["--listen", "127.0.0.1:0"])
        .env("PYTHONPATH", dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python starts");
    let mut vendor = Program(vendor);
    let mut said = String::new();
    BufReader::new(vendor.0.stdout.take().expect("a pipe"))
        .read_line(&mut said)
        .expect("a line");
    let address = said
        .trim()
        .strip_prefix("listening on ")
        .expect("an address")
        .to_owned();

    let office = Office::new();
    let url = format!("url=http://{address}");
    let settings = format!(
        "settings={{ database = \"{}\", look_back = 100 }}",
        database.display()
    );
    office
        .run(&[
            "source",
            "add",
            "acme",
            "--kind",
            "remote",
            "--set",
            &url,
            "--set",
            "lists_keys=true",
            "--set",
            &settings,
            "--schedule",
            "0 2 * * *",
        ])
        .expect(&[0]);
    let accepted = office.run(&["source", "accept", "acme", "--format", "json"]);
    let checks = accepted.expect(&[0]).json_lines();
    let not_passed: Vec<_> = checks
        .iter()
        .filter(|c| c["outcome"] != "PASSED")
        .map(|c| text(&c["name"]))
        .collect();
    assert_eq!(
        not_passed,
        [
            "late_commits_come",
            "another_order_loses_nothing",
            "schema_drift_is_told"
        ],
        "only what takes a command was skipped: {checks:?}"
    );
    assert!(checks.iter().all(|c| c["outcome"] != "FAILED"), "{checks:?}");
    let report = office
        .run(&["sync", "acme", "--format", "json"])
        .expect(&[0])
        .json_lines()
        .remove(0);
    assert_eq!(report["datasets"][0]["inserted"], 2_500);
    let jobs = office
        .run(&["schedule", "list", "--format", "json"])
        .expect(&[0])
        .json_lines();
    assert_eq!(jobs[0]["job_id"], "sync-acme");

    let change = dir.path().join("change.py");
    let script = "import sqlite3, sys\nsqlite3.connect(sys.argv[1]).executescript(sys.argv[2])\n";
    std::fs::write(&change, script).expect("a script");
    let command = |sql: &str| {
        let (python, change, database) = (python.display(), change.display(), database.display());
        format!("{python} {change} {database} \"{sql}\"")
    };
    let options = [
        "--late-commit",
        &command("insert into orders values ('LATE', '康达医药有限公司', '5', '2025-01-02', 600)"),
        "--unsorted",
        &command(
            "create table b as select * from orders order by version desc; drop table orders; alter table b rename to orders",
        ),
        "--schema-drift",
        &command("alter table orders rename column amount to owed"),
    ];
    Suite::of(&office, "acme", &options)
        .is_sound()
        .expect(LATE, "PASSED", "1 rows")
        .expect(UNSORTED, "PASSED", "the same rows")
        .expect(DRIFT, "PASSED", "it refuses");
    drop(vendor);
    // A source that is down is transient; one that is wrong is not.
    let down = office.run(&["source", "sync", "acme"]).expect(&[1]);
    assert!(down.stderr.contains("REMOTE_UNREACHABLE"), "{}", down.stderr);
    let status = office
        .run(&["source", "status", "--format", "json"])
        .expect(&[3])
        .json_lines();
    assert_eq!(status[0]["last_run"]["failure"]["class"], "TRANSIENT");
}

/// The body of `GET /metrics`.
fn scrape(address: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(
        stream,
        "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer
}

/// A server whose only source is a folder of files, synced by the job `sync-his`.
struct Serving {
    office: Office,
    files: PathBuf,
    _server: Program,
    url: String,
    metrics: String,
}

impl Serving {
    fn start() -> Self {
        let office = Office::with_sources(
            "[sources.his]\nkind = \"files\"\nschedule = \"0 2 * * *\"\n[sources.his.config]\ndir = \"../drop\"\n",
        );
        let files = office.dir.path().join("drop");
        std::fs::create_dir(&files).expect("a folder");
        let options = "serve --listen 127.0.0.1:0 --metrics 127.0.0.1:0 --lang en";
        let server = office
            .command(&options.split(' ').collect::<Vec<_>>())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut server = Program(server);
        let mut lines = BufReader::new(server.0.stderr.take().expect("a pipe")).lines();
        let (mut url, mut metrics) = (None, None);
        while url.is_none() || metrics.is_none() {
            let line = lines.next().expect("it says where it listens").expect("text");
            let address = line.split("http://").nth(1).unwrap_or_default();
            match line.contains("/metrics") {
                true => metrics = Some(address.trim_end_matches("/metrics").to_owned()),
                false if !address.is_empty() => url = Some(format!("http://{address}")),
                false => {}
            }
        }
        // Keep the pipe drained, so that the server never blocks on its log.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Self {
            office,
            files,
            _server: server,
            url: url.expect("a URL"),
            metrics: metrics.expect("an address"),
        }
    }

    fn write(&self, products: &str) {
        std::fs::write(self.files.join("products.csv"), products).expect("a file");
    }

    fn client(&self, args: &[&str]) -> Done {
        let mut all = vec!["--server", self.url.as_str()];
        all.extend(args);
        self.office.run(&all)
    }

    /// Runs the source's job now; how it ended.
    fn sync(&self) -> String {
        let run = self
            .client(&["schedule", "run-now", "sync-his", "--format", "json"])
            .expect(&[0, 1, 3])
            .json_lines();
        text(&run[0]["state"])
    }

    /// Looks for lines in what Prometheus is told.
    #[track_caller]
    fn told(&self, lines: &[&str]) {
        let told = scrape(&self.metrics);
        for line in lines {
            assert!(told.contains(line), "{line} is not in\n{told}");
        }
    }
}

#[test]
fn a_server_runs_jobs_and_tells_prometheus() {
    let serving = Serving::start();
    serving.write("product_id,name\np1,x\np2,y\n");
    let jobs = serving
        .client(&["schedule", "list", "--format", "json"])
        .expect(&[0])
        .json_lines();
    assert_eq!(jobs[0]["job_id"], "sync-his");
    assert_eq!(serving.sync(), "SUCCEEDED");
    for args in [
        &["schedule", "add", "0 3 * * *", "--run-rules", "--only-changed"][..],
        &["schedule", "pause", "run-rules"],
        &["schedule", "remove", "run-rules"],
    ] {
        serving.client(args).expect(&[0]);
    }
    serving.told(&[
        "lianjing_sync_rows_total{dataset=\"products\",outcome=\"inserted\",source=\"his\"} 2",
        "lianjing_sync_runs_total{source=\"his\",state=\"SUCCEEDED\"} 1",
        "lianjing_sync_unconserved_total{source=\"his\"} 0",
        "lianjing_job_runs{job=\"sync-his\",state=\"SUCCEEDED\"} 1",
        "lianjing_source_last_success_timestamp_seconds{source=\"his\"}",
    ]);
    let runs = serving
        .client(&["runs", "--format", "json"])
        .expect(&[0])
        .json_lines();
    assert_eq!(runs.len(), 1, "the sync's rules ran once");
    assert!(serving.office.data().join("state.sqlite").exists());
}

#[test]
fn prometheus_is_told_each_change_of_columns_once() {
    let serving = Serving::start();
    let drift = |change: &str, count: u32| {
        format!("lianjing_source_drift_total{{change=\"{change}\",source=\"his\"}} {count}\n")
    };
    // What the first sync finds is how the source is.
    serving.write("product_id,name,mood\np1,x,good\np2,y,fair\n");
    assert_eq!(serving.sync(), "SUCCEEDED");
    assert!(!scrape(&serving.metrics).contains("lianjing_source_drift_total{"));
    serving.write("product_id,name,mood,weather\np1,x,good,fair\np2,y,fair,rain\n");
    assert_eq!(serving.sync(), "SUCCEEDED");
    serving.told(&[&drift("COLUMN_NEW", 1)]);
    // Neither another look nor another sync of the same columns counts it again.
    serving.told(&[&drift("COLUMN_NEW", 1)]);
    assert_eq!(serving.sync(), "SUCCEEDED");
    serving.told(&[&drift("COLUMN_NEW", 1)]);
    // A sync that fails for a lost column counts it, too.
    serving.write("product_code,name,mood,weather\np1,x,good,fair\np2,y,fair,rain\n");
    assert_eq!(serving.sync(), "FAILED");
    serving.told(&[
        &drift("COLUMN_GONE", 1),
        "lianjing_sync_runs_total{source=\"his\",state=\"FAILED\"} 1",
    ]);
}
