//! The acceptance suite with commands that change a source on purpose: a late commit, another order, another schema. Each
//! kind is tried as its page says, also where it fails or cannot be tried.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use integration_tests::{Office, samples, text};
use test_servers::database::{Server, fresh_name};
use test_servers::platform::Platform;

use crate::connector_pages::write;

pub const LATE: &str = "late_commits_come";
pub const UNSORTED: &str = "another_order_loses_nothing";
pub const DRIFT: &str = "schema_drift_is_told";

/// A run of the suite: check -> (outcome, detail).
pub struct Suite(BTreeMap<String, (String, String)>);

impl Suite {
    /// On the source `s`.
    #[track_caller]
    fn run(office: &Office, options: &[&str]) -> Self {
        Self::of(office, "s", options)
    }

    /// On the source of this name, with these options; it ends with 1 if a check failed, else with 0.
    #[track_caller]
    pub fn of(office: &Office, source: &str, options: &[&str]) -> Self {
        let mut args = vec!["source", "accept", source, "--format", "json"];
        args.extend(options);
        let done = office.run(&args).expect(&[0, 1]);
        let checks = done.json_lines();
        let each = checks.iter().map(|c| {
            let outcome = (text(&c["outcome"]), text(&c["detail"]));
            (text(&c["name"]), outcome)
        });
        let suite = Self(each.collect());
        let failed = suite.0.values().any(|(outcome, _)| outcome == "FAILED");
        assert_eq!(done.code, Some(i32::from(failed)), "{:?}", suite.0);
        suite
    }

    /// The check ended so, and its detail says this.
    #[track_caller]
    pub fn expect(&self, check: &str, outcome: &str, says: &str) -> &Self {
        let found = &self.0[check];
        assert!(
            found.0 == outcome && found.1.contains(says),
            "{check} is not {outcome} with {says:?}: {found:?}"
        );
        self
    }

    /// Nothing failed.
    #[track_caller]
    pub fn is_sound(&self) -> &Self {
        assert!(self.0.values().all(|(o, _)| o != "FAILED"), "{:?}", self.0);
        self
    }
}

/// A database server of the tests.
#[derive(Debug, Clone, Copy)]
enum Database {
    PostgreSql,
    MariaDb,
}

impl Database {
    /// Three hundred orders, three a version, and the office whose source they are.
    fn office(self, more: &str) -> (Office, String) {
        let name = fresh_name();
        let columns =
            "order_id varchar(20), line_no int, amount numeric(12,2), version int, mood varchar(20)";
        let url = match self {
            Self::PostgreSql => {
                let server = Server::postgres();
                server.psql("postgres", &format!("create database {name}"));
                let rows =
                    "insert into po select 'PO' || n, 1, n, n / 3, 'fair' from generate_series(1, 300) n;";
                server.psql(&name, &format!("create table po ({columns}); {rows}"));
                server.postgres_url("lianjing", &name)
            }
            Self::MariaDb => {
                let server = Server::mariadb();
                server.mysql("mysql", &format!("create database {name}"));
                let rows =
                    "insert into po select concat('PO', seq), 1, seq, seq div 3, 'fair' from seq_1_to_300;";
                server.mysql(&name, &format!("create table po ({columns}); {rows}"));
                server.mysql_url("root", &name)
            }
        };
        let office = Office::with_sources(&format!(
            "[sources.s]\nkind = \"database\"\n[sources.s.config]\nconnection = {{ url = {url:?} }}\n\
             limits = {{ fetch_rows = 50 }}\n[[sources.s.config.streams]]\ndataset = \"purchase_orders\"\n\
             cursor = \"version\"\nquery = \"select * from po\"\n{more}"
        ));
        (office, name)
    }

    /// The statements by the server's own client, as a command for the suite.
    fn command(self, name: &str, sql: &str) -> String {
        match self {
            Self::PostgreSql => {
                let socket = Server::postgres().dir.display().to_string();
                format!("psql -q -v ON_ERROR_STOP=1 -h {socket} -U lianjing -d {name} -c \"{sql}\"")
            }
            Self::MariaDb => {
                let socket = Server::mariadb().mysql_socket().display().to_string();
                format!("mariadb --no-defaults -u root --socket={socket} {name} -e \"{sql}\"")
            }
        }
    }

    /// Changes of `amount` and `line_no`, each of which must be told.
    fn changes(self) -> [&'static str; 3] {
        match self {
            Self::PostgreSql => [
                "alter table po rename column amount to owed",
                "alter table po drop column amount",
                "alter table po alter column line_no type text using 'x'",
            ],
            Self::MariaDb => [
                "alter table po change amount owed decimal(12,2)",
                "alter table po drop column amount",
                "alter table po modify line_no varchar(10); update po set line_no = 'x'",
            ],
        }
    }
}

fn database(kind: Database) {
    let late = "insert into po values ('LATE', 1, 5, 90, 'fair')";
    let backwards =
        "create table b as select * from po order by version desc; drop table po; alter table b rename to po";
    let (careless, name) = kind.office("lookback = 0\n");
    Suite::run(&careless, &["--late-commit", &kind.command(&name, late)])
        .expect(LATE, "FAILED", "LATE")
        .expect(LATE, "FAILED", "look-back");
    // A command that changes nothing proves nothing.
    Suite::run(&careless, &["--late-commit", "true"]).expect(LATE, "FAILED", "committed nothing");
    Suite::run(&careless, &["--schema-drift", "true"]).expect(DRIFT, "FAILED", "nothing was said");
    // One that fails stops the suite, and is named.
    let failed = careless
        .run(&["source", "accept", "s", "--unsorted", "exit 7"])
        .expect(&[1]);
    assert!(failed.stderr.contains("exit 7"), "{}", failed.stderr);

    for change in kind.changes() {
        let (office, name) = kind.office("lookback = 20\n");
        Suite::run(&office, &["--schema-drift", &kind.command(&name, change)])
            .is_sound()
            .expect(DRIFT, "PASSED", "");
    }
    // All three in one run, each from what the one before left.
    let (office, name) = kind.office("lookback = 20\n");
    let command = |sql: &str| kind.command(&name, sql);
    let options = [
        "--late-commit",
        &command(late),
        "--unsorted",
        &command(backwards),
        "--schema-drift",
        &command(kind.changes()[0]),
    ];
    Suite::run(&office, &options)
        .is_sound()
        .expect(LATE, "PASSED", "1 rows")
        .expect(UNSORTED, "PASSED", "the same rows")
        .expect(DRIFT, "PASSED", "");
    assert!(!office.data().join("lake/main/purchase_orders").exists());
}

#[test]
fn postgresql() {
    database(Database::PostgreSql);
}

#[test]
fn mariadb() {
    database(Database::MariaDb);
}

/// A platform with three hundred orders, one of them unreadable, and the file that its manners are in.
struct Province {
    office: Office,
    manners: PathBuf,
}

impl Province {
    fn new(query: &str, pagination: &str, look_back: u32, more: &str) -> Self {
        let office = Office::new();
        let manners = office.dir.path().join("manners");
        let platform = Platform::with_manners(300, &manners);
        let toml = format!(
            r#"
[sources.s]
kind = "platform-rest"
[sources.s.config]
base_url = "http://{}"
allow_http = true
limits = {{ requests_per_minute = 1000000, burst = 10000 }}
[[sources.s.config.stream]]
name = "orders"
dataset = "purchase_orders"
request = {{ path = "/orders", query = {{ since = "{{cursor}}", limit = "{{page_size}}"{query} }} }}
response = {{ records = "$.list" }}
pagination = {{ kind = "{pagination}", size = 100 }}
incremental = {{ kind = "cursor", field = "version", format = "number", look_back = {look_back} }}
columns = {{ order_id = "id", line_no = "line", amount = "amount" }}
{more}
"#,
            platform.address
        );
        std::fs::create_dir_all(office.data()).expect("a data directory");
        std::fs::write(office.data().join("sources.toml"), toml).expect("sources.toml");
        Self { office, manners }
    }

    fn keyset(look_back: u32, more: &str) -> Self {
        Self::new("", "keyset", look_back, more)
    }

    fn pages(look_back: u32) -> Self {
        Self::new(", page = \"{page}\"", "page", look_back, "")
    }

    /// Adds to the platform's manners, as a command for the suite.
    fn command(&self, manner: &str) -> String {
        format!("echo {manner} >> {}", self.manners.display())
    }

    fn suite(&self, options: &[(&str, &str)]) -> Suite {
        let options: Vec<String> = options
            .iter()
            .flat_map(|(option, manner)| [(*option).to_owned(), self.command(manner)])
            .collect();
        Suite::run(
            &self.office,
            &options.iter().map(String::as_str).collect::<Vec<_>>(),
        )
    }
}

#[test]
fn platform_rest() {
    let all = [
        ("--late-commit", "late"),
        ("--unsorted", "backwards"),
        ("--schema-drift", "renamed"),
    ];
    Province::keyset(0, "")
        .suite(&all[..1])
        .expect(LATE, "FAILED", "POLATE");
    // A keyset needs the order; it refuses another one, and would refuse whatever else is changed then.
    Province::keyset(20, "")
        .suite(&all)
        .is_sound()
        .expect(LATE, "PASSED", "1 rows")
        .expect(UNSORTED, "PASSED", "UNSORTED")
        .expect(DRIFT, "SKIPPED", "by itself");
    // Pages by number do not need it.
    Province::pages(20)
        .suite(&all)
        .is_sound()
        .expect(LATE, "PASSED", "1 rows")
        .expect(UNSORTED, "PASSED", "the same rows")
        .expect(DRIFT, "PASSED", "more rows rejected");
    for (more, manner, says) in [
        ("", "renamed", "more rows rejected"),
        ("", "retyped", "more rows rejected"),
        ("optional = [\"amount\"]", "renamed", "COLUMN_MISSING"),
    ] {
        Province::keyset(20, more)
            .suite(&[("--schema-drift", manner)])
            .is_sound()
            .expect(DRIFT, "PASSED", says);
    }
    // That one amount cannot be read and one member is passed over was so before.
    Province::keyset(20, "")
        .suite(&[("--schema-drift", "unheard-of")])
        .expect(DRIFT, "FAILED", "nothing was said");
}

const ORDERS: &str = "order_id,line_no,amount\nP1,1,10.00\nP2,1,20.00\nP3,1,30.00\n";

/// A folder with one file of this text, and the office whose source of this kind it is.
fn folder(kind: &str, key: &str, name: &str, text: &str, more: &str) -> (Office, PathBuf) {
    let office = Office::with_sources(&format!(
        "[sources.s]\nkind = \"{kind}\"\n[sources.s.config]\n{key} = \"../in\"\n{more}"
    ));
    let folder = office.dir.path().join("in");
    write(&folder, name, text);
    (office, folder.join(name))
}

/// Writes the file anew by this filter, with a time long past, as a command for the suite.
fn rewritten(file: &Path, filter: &str) -> String {
    let file = file.display();
    format!("{filter} < {file} > {file}~ && touch -d 2024-01-01 {file}~ && mv {file}~ {file}")
}

const BACKWARDS: &str =
    "awk 'NR == 1 { print; next } { rows[NR] = $0 } END { for (n = NR; n > 1; n--) print rows[n] }'";

#[test]
fn files() {
    let new = |more: &str| folder("files", "dir", "purchase_orders.csv", ORDERS, more);
    let (office, file) = new("");
    let options = [
        "--late-commit",
        "true",
        "--unsorted",
        &rewritten(&file, BACKWARDS),
        "--schema-drift",
        &rewritten(&file, "sed s/amount/owed/"),
    ];
    Suite::run(&office, &options)
        .is_sound()
        .expect(LATE, "SKIPPED", "no cursors")
        .expect(UNSORTED, "PASSED", "the same rows")
        .expect(DRIFT, "PASSED", "owed");
    // A column that is known by its name only is not missed; one that the mapping names is.
    let (office, file) = new("");
    let dropped = rewritten(&file, "cut -d, -f1,2");
    Suite::run(&office, &["--schema-drift", &dropped]).expect(DRIFT, "FAILED", "nothing was said");
    let (office, file) = new("mapping = \"../mapping.toml\"\n");
    let mapping =
        "[[file]]\nglob = \"*.csv\"\ndataset = \"purchase_orders\"\n[file.columns]\namount = \"amount\"\n";
    std::fs::write(office.dir.path().join("mapping.toml"), mapping).expect("a mapping");
    let dropped = rewritten(&file, "cut -d, -f1,2");
    Suite::run(&office, &["--schema-drift", &dropped])
        .is_sound()
        .expect(DRIFT, "PASSED", "COLUMN_MISSING");
}

#[test]
fn drop_folder() {
    let new = || {
        folder(
            "drop-folder",
            "path",
            "purchase_orders.csv",
            ORDERS,
            "done = \"done\"\n",
        )
    };
    let (office, file) = new();
    let another = file.with_file_name("late");
    let late = format!(
        "mkdir {0} && printf 'order_id,line_no,amount\\nP0,1,5.00\\n' > {0}/purchase_orders.csv && \
         touch -d 2024-01-01 {0}/purchase_orders.csv",
        another.display()
    );
    let options = [
        "--late-commit",
        &late,
        "--unsorted",
        &rewritten(&file, BACKWARDS),
        "--schema-drift",
        &rewritten(&file, "sed s/amount/owed/"),
    ];
    Suite::run(&office, &options)
        .is_sound()
        .expect(LATE, "PASSED", "1 rows")
        .expect(UNSORTED, "PASSED", "the same rows")
        .expect(DRIFT, "PASSED", "owed");
    assert!(file.exists(), "trials move nothing");
    // What does not rest yet is not read.
    let (office, file) = new();
    let fresh = format!("touch {}", file.display());
    Suite::run(&office, &["--unsorted", &fresh]).expect(UNSORTED, "FAILED", "missing");
}

#[test]
fn open_standards() {
    let seven = |record: &dyn Fn(u64) -> String| (1..=7).map(record).collect::<String>();
    let ocds = seven(&|n| samples::ocds(n, "1000"));
    let bods = seven(&|n| samples::bods(n, "shareholding"));
    let ftm = seven(&|n| samples::ftm(n, "51"));
    let firms = samples::FIRMS.to_owned() + &seven(&|n| samples::firm(n, "2024-01-05"));
    // A member that is missing is no fault by these standards; what is told is a name that is not theirs, if anything.
    for (kind, text, change, outcome, says) in [
        ("ocds", &ocds, "sed s/title/titel/", "PASSED", "titel"),
        (
            "ocds",
            &ocds,
            "sed 's/\"title\":[^,]*,//'",
            "FAILED",
            "nothing was said",
        ),
        (
            "bods",
            &bods,
            "sed s/exact/precise/",
            "FAILED",
            "nothing was said",
        ),
        (
            "ftm",
            &ftm,
            "sed s/percentage/percent/",
            "FAILED",
            "nothing was said",
        ),
        (
            "debarment",
            &firms,
            "sed 's/From Date/Told On/'",
            "PASSED",
            "Told On",
        ),
    ] {
        let (name, order) = match kind {
            "debarment" => ("a.csv", BACKWARDS),
            _ => ("a.jsonl", "tac"),
        };
        let (office, file) = folder(kind, "path", name, text, "");
        let options = [
            "--late-commit",
            "true",
            "--unsorted",
            &rewritten(&file, order),
            "--schema-drift",
            &rewritten(&file, change),
        ];
        Suite::run(&office, &options)
            .expect(LATE, "SKIPPED", "no cursors")
            .expect(UNSORTED, "PASSED", "the same rows")
            .expect(DRIFT, outcome, says);
    }
}
