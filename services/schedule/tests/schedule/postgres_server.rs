//! A real PostgreSQL server for the tests: one a test process, in a directory of its own, on a Unix socket
//! only, stopped and removed when the process ends, however it ends.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

/// Starts a cluster, says where it is, and ends it when standard input does. The default collation is not
/// "C", so that what depends on it shows.
const SCRIPT: &str = r#"
set -e
dir=$(mktemp -d "${TMPDIR:-/tmp}/lianjing-pg.XXXXXX")
trap '"$BIN/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1; rm -rf "$dir"' EXIT
"$BIN/initdb" -D "$dir/data" -A trust -U lianjing -E UTF8 --no-sync --locale=C.UTF-8 \
    --locale-provider=icu --icu-locale=zh >"$dir/initdb.log" 2>&1 || { cat "$dir/initdb.log"; exit 1; }
"$BIN/pg_ctl" -D "$dir/data" -w -t 120 -l "$dir/server.log" \
    -o "-c listen_addresses= -c unix_socket_directories=$dir -c fsync=off -c max_connections=300" \
    start >"$dir/start.log" 2>&1 </dev/null || { cat "$dir/start.log" "$dir/server.log"; exit 1; }
echo "READY $dir"
cat >/dev/null
"#;

struct Server {
    /// Its open standard input keeps the server running.
    _keeper: Child,
    dir: String,
}

static SERVER: OnceLock<Option<Server>> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// URL of a new, empty database; None where PostgreSQL is not installed (an error when `CI=true`).
pub async fn new_database() -> Option<String> {
    let server = SERVER.get_or_init(start).as_ref()?;
    let name = format!("t{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    let mut admin = PgConnection::connect(&url(&server.dir, "postgres"))
        .await
        .expect("the test server takes connections");
    admin
        .execute(AssertSqlSafe(format!("create database {name}")))
        .await
        .expect("the test server creates databases");
    Some(url(&server.dir, &name))
}

fn url(dir: &str, database: &str) -> String {
    format!("postgres://lianjing@localhost/{database}?host={dir}")
}

#[expect(clippy::print_stderr, reason = "a test that did not run must say why")]
fn start() -> Option<Server> {
    let Some(bin) = binaries() else {
        let why = "PostgreSQL is not installed (no initdb below /usr/lib/postgresql or on PATH): \
            the PostgreSQL half of the suite did not run; install the package postgresql";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
        eprintln!("{why}");
        return None;
    };
    // The server refuses to run as root.
    let mut command = if is_root() {
        let mut command = Command::new("runuser");
        command
            .args(["-u", "postgres", "--", "env"])
            .arg(format!("BIN={}", bin.display()));
        command.args(["sh", "-c", SCRIPT]);
        command
    } else {
        let mut command = Command::new("sh");
        command.env("BIN", &bin).args(["-c", SCRIPT]);
        command
    };
    let mut keeper = command
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a shell to start PostgreSQL with");
    let mut said = String::new();
    let lines = BufReader::new(keeper.stdout.take().expect("a pipe")).lines();
    let ready = lines.map(|line| line.expect("text")).find_map(|line| {
        said.push_str(&line);
        said.push('\n');
        line.strip_prefix("READY ").map(str::to_owned)
    });
    let Some(dir) = ready else {
        let status = keeper.wait().expect("the shell ends");
        panic!(
            "PostgreSQL in {} did not start ({status}):\n{said}",
            bin.display()
        );
    };
    Some(Server { _keeper: keeper, dir })
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("the command id");
    id.stdout == b"0\n"
}

/// The newest installed server's programs.
fn binaries() -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse().ok()?,
                entry.path().join("bin"),
            ))
        })
        .filter(|(_, bin)| bin.join("initdb").exists())
        .collect();
    found.sort();
    found
        .pop()
        .map(|(_, bin)| bin)
        .or_else(|| std::env::split_paths(&std::env::var_os("PATH")?).find(|dir| dir.join("initdb").exists()))
}
