//! PostgreSQL and MariaDB: each server in a directory of its own, on a Unix socket only, stopped and removed when the
//! test process ends, however it ends.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

/// Starts a cluster, says where it is, restarts it on each line read, and ends it when standard input does. The role
/// `locked` needs a password; the default collation is not "C", so that what depends on it shows.
const POSTGRES: &str = r#"
set -e
dir=$(mktemp -d "${TMPDIR:-/tmp}/lianjing-pg.XXXXXX")
trap '"$BIN/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1; rm -rf "$dir"' EXIT
"$BIN/initdb" -D "$dir/data" -A trust -U lianjing -E UTF8 --no-sync --locale=C.UTF-8 \
    --locale-provider=icu --icu-locale=zh >"$dir/initdb.log" 2>&1 || { cat "$dir/initdb.log"; exit 1; }
{ echo "local all locked scram-sha-256"; cat "$dir/data/pg_hba.conf"; } >"$dir/hba"
cat "$dir/hba" >"$dir/data/pg_hba.conf"
start() {
    "$BIN/pg_ctl" -D "$dir/data" -w -t 120 -l "$dir/server.log" \
        -o "-c listen_addresses= -c unix_socket_directories=$dir -c fsync=off -c max_connections=300" \
        start >"$dir/start.log" 2>&1 </dev/null || { cat "$dir/start.log" "$dir/server.log"; exit 1; }
    echo "READY $dir"
}
start
while read -r _; do
    "$BIN/pg_ctl" -D "$dir/data" -m immediate -w stop >/dev/null 2>&1 </dev/null
    start
done
"#;

const MARIADB: &str = r#"
set -e
PATH=$PATH:/usr/sbin
dir=$(mktemp -d "${TMPDIR:-/tmp}/lianjing-my.XXXXXX")
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$dir"' EXIT
mariadb-install-db --no-defaults --datadir="$dir/data" --auth-root-authentication-method=normal \
    --skip-test-db >"$dir/install.log" 2>&1 || { cat "$dir/install.log"; exit 1; }
mariadbd --no-defaults --datadir="$dir/data" --socket="$dir/socket" --pid-file="$dir/pid" --skip-networking \
    --innodb-flush-log-at-trx-commit=0 --sql-mode= --default-time-zone=+08:00 >"$dir/server.log" 2>&1 </dev/null &
server=$!
until mariadb-admin --no-defaults -u root --socket="$dir/socket" ping >/dev/null 2>&1; do
    kill -0 "$server" 2>/dev/null || { cat "$dir/server.log"; exit 1; }
    sleep 0.1
done
echo "READY $dir"
cat >/dev/null
"#;

/// A server in the hands of its script; ends with the test process.
pub struct Server {
    /// The folder with its socket.
    pub dir: PathBuf,
    bin: PathBuf,
    _script: Child,
    input: Mutex<ChildStdin>,
    output: Mutex<BufReader<ChildStdout>>,
}

static DATABASES: AtomicU32 = AtomicU32::new(0);

/// A name for a database that no other test of this process has.
pub fn fresh_name() -> String {
    format!("t{}", DATABASES.fetch_add(1, Ordering::Relaxed))
}

impl Server {
    fn start(script: &str, user: &str, bin: PathBuf) -> Self {
        // The servers refuse to run as root.
        let id = Command::new("id").arg("-u").output().expect("the command id");
        let mut command = if id.stdout == b"0\n" {
            let mut command = Command::new("runuser");
            command.args(["-u", user, "--", "env", &format!("BIN={}", bin.display())]);
            command.args(["sh", "-c", script]);
            command
        } else {
            let mut command = Command::new("sh");
            command.env("BIN", &bin).args(["-c", script]);
            command
        };
        let mut script = command
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell to start the server with");
        let input = Mutex::new(script.stdin.take().expect("a pipe"));
        let mut output = BufReader::new(script.stdout.take().expect("a pipe"));
        let dir = ready(&mut output);
        Self {
            dir,
            bin,
            _script: script,
            input,
            output: Mutex::new(output),
        }
    }

    /// The PostgreSQL of this test process, started at its first use.
    pub fn postgres() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(Self::postgres_of_its_own)
    }

    /// A PostgreSQL that one test may treat badly.
    pub fn postgres_of_its_own() -> Self {
        let bin = postgres_binaries().expect(
            "PostgreSQL is installed: `cargo xtask test` installs it, or the package postgresql does",
        );
        Self::start(POSTGRES, "postgres", bin)
    }

    /// The MariaDB of this test process, started at its first use.
    pub fn mariadb() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| {
            let found = Command::new("sh")
                .args(["-c", "PATH=$PATH:/usr/sbin; command -v mariadbd"])
                .output()
                .expect("a shell");
            assert!(
                found.status.success(),
                "MariaDB is installed: `cargo xtask test` installs it, or the package mariadb-server does"
            );
            Self::start(MARIADB, "mysql", PathBuf::new())
        })
    }

    /// Kills PostgreSQL and starts it again; returns when it takes connections.
    pub fn restart(&self) {
        let mut input = self.input.lock().expect("no test panicked here");
        input.write_all(b"restart\n").expect("the script reads");
        ready(&mut self.output.lock().expect("no test panicked here"));
    }

    /// Where its Unix socket is: for PostgreSQL the one of port 5432.
    pub fn postgres_socket(&self) -> PathBuf {
        self.dir.join(".s.PGSQL.5432")
    }

    pub fn mysql_socket(&self) -> PathBuf {
        self.dir.join("socket")
    }

    pub fn postgres_url(&self, user: &str, database: &str) -> String {
        format!(
            "postgres://{user}@localhost/{database}?host={}",
            self.dir.display()
        )
    }

    pub fn mysql_url(&self, user: &str, database: &str) -> String {
        format!(
            "mysql://{user}@localhost/{database}?socket={}",
            self.mysql_socket().display()
        )
    }

    /// Runs statements by `psql` as the owner; panics with what it says.
    pub fn psql(&self, database: &str, sql: &str) {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args([
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "lianjing",
            "-d",
            database,
            "-h",
        ]);
        fed(psql.arg(&self.dir), sql);
    }

    /// Runs statements by MariaDB's client as root; panics with what it says.
    pub fn mysql(&self, database: &str, sql: &str) {
        let mut client = Command::new("mariadb");
        client
            .args(["--no-defaults", "-u", "root", "--default-character-set=utf8mb4"])
            .arg(format!("--socket={}", self.mysql_socket().display()))
            .arg(database);
        fed(&mut client, sql);
    }
}

fn fed(command: &mut Command, input: &str) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the database's client starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    let text = input.to_owned();
    // A client that has ended reads no more; what it said is told below.
    let writer = std::thread::spawn(move || pipe.write_all(text.as_bytes()).unwrap_or_default());
    let output = child.wait_with_output().expect("the client ends");
    writer.join().expect("the writer ends");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// URL of a new, empty PostgreSQL database; None where PostgreSQL is not installed (an error when `CI=true`).
#[expect(clippy::print_stderr, reason = "a test that did not run must say why")]
pub fn new_postgres_database() -> Option<String> {
    if postgres_binaries().is_none() {
        let why = "PostgreSQL is not installed (no initdb below /usr/lib/postgresql or on PATH): \
            the PostgreSQL half of the suite did not run; install the package postgresql";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
        eprintln!("{why}");
        return None;
    }
    let server = Server::postgres();
    let name = fresh_name();
    server.psql("postgres", &format!("create database {name}"));
    Some(server.postgres_url("lianjing", &name))
}

fn ready(output: &mut BufReader<ChildStdout>) -> PathBuf {
    let mut said = String::new();
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).expect("text") == 0 {
            panic!("the server did not start:\n{said}");
        }
        if let Some(dir) = line.strip_prefix("READY ") {
            return Path::new(dir.trim()).to_owned();
        }
        said.push_str(&line);
    }
}

/// The newest installed server's programs.
fn postgres_binaries() -> Option<PathBuf> {
    if let Some(dir) = std::env::var_os("LIANJING_POSTGRES_BIN") {
        return Some(dir.into());
    }
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, bin)| bin.join("initdb").exists())
        .collect();
    found.sort();
    found
        .pop()
        .map(|(_, bin)| bin)
        .or_else(|| std::env::split_paths(&std::env::var_os("PATH")?).find(|dir| dir.join("initdb").exists()))
}
