//! Real servers for the tests: each in a directory of its own, on a Unix socket only, stopped and removed when the
//! test process ends, however it ends.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection, PgConnection};

/// Starts a cluster, says where it is, restarts it on each line read, and ends it when standard input does. The role
/// `locked` needs a password.
const POSTGRES: &str = r#"
set -e
dir=$(mktemp -d "${TMPDIR:-/tmp}/lianjing-db-pg.XXXXXX")
trap '"$BIN/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1; rm -rf "$dir"' EXIT
"$BIN/initdb" -D "$dir/data" -A trust -U lianjing -E UTF8 --no-sync --locale=C.UTF-8 \
    --locale-provider=icu --icu-locale=zh >"$dir/initdb.log" 2>&1 || { cat "$dir/initdb.log"; exit 1; }
{ echo "local all locked scram-sha-256"; cat "$dir/data/pg_hba.conf"; } >"$dir/hba"
cat "$dir/hba" >"$dir/data/pg_hba.conf"
start() {
    "$BIN/pg_ctl" -D "$dir/data" -w -t 120 -l "$dir/server.log" \
        -o "-c listen_addresses= -c unix_socket_directories=$dir -c fsync=off -c max_connections=100" \
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
dir=$(mktemp -d "${TMPDIR:-/tmp}/lianjing-db-my.XXXXXX")
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

/// A server in the hands of its script.
pub struct Server {
    /// The folder with its socket.
    pub dir: String,
    _script: Child,
    input: Mutex<ChildStdin>,
    output: Mutex<BufReader<ChildStdout>>,
}

static DATABASES: AtomicU32 = AtomicU32::new(0);

impl Server {
    fn start(script: &str, user: &str, bin: &str) -> Self {
        // The servers refuse to run as root.
        let id = Command::new("id").arg("-u").output().expect("the command id");
        let mut command = if id.stdout == b"0\n" {
            let mut command = Command::new("runuser");
            command.args(["-u", user, "--", "env", &format!("BIN={bin}"), "sh", "-c", script]);
            command
        } else {
            let mut command = Command::new("sh");
            command.env("BIN", bin).args(["-c", script]);
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
            _script: script,
            input,
            output: Mutex::new(output),
        }
    }

    pub fn postgres() -> Self {
        let bin = postgres_binaries().expect(
            "PostgreSQL is installed: `cargo xtask test` installs it, or the package postgresql does",
        );
        Self::start(POSTGRES, "postgres", &bin.display().to_string())
    }

    pub fn mariadb() -> Self {
        let found = Command::new("sh")
            .args(["-c", "PATH=$PATH:/usr/sbin; command -v mariadbd"])
            .output()
            .expect("a shell");
        assert!(
            found.status.success(),
            "MariaDB is installed: `cargo xtask test` installs it, or the package mariadb-server does"
        );
        Self::start(MARIADB, "mysql", "")
    }

    /// Kills the server and starts it again; returns when it takes connections.
    pub fn restart(&self) {
        self.input
            .lock()
            .unwrap()
            .write_all(b"restart\n")
            .expect("the script reads");
        ready(&mut self.output.lock().unwrap());
    }

    pub fn postgres_url(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@localhost/{database}?host={}", self.dir)
    }

    pub fn mysql_url(&self, user: &str, database: &str) -> String {
        format!("mysql://{user}@localhost/{database}?socket={}/socket", self.dir)
    }
}

fn ready(output: &mut BufReader<ChildStdout>) -> String {
    let mut said = String::new();
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).expect("text") == 0 {
            panic!("the server did not start:\n{said}");
        }
        if let Some(dir) = line.strip_prefix("READY ") {
            return dir.trim().to_owned();
        }
        said.push_str(&line);
    }
}

fn postgres_binaries() -> Option<PathBuf> {
    if let Some(dir) = std::env::var_os("LIANJING_POSTGRES_BIN") {
        return Some(dir.into());
    }
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort();
    found
        .pop()
        .or_else(|| std::env::split_paths(&std::env::var_os("PATH")?).find(|dir| dir.join("initdb").exists()))
}

/// A database of its own for one test.
pub struct Database {
    pub server: &'static Server,
    pub name: String,
}

fn name() -> String {
    format!("t{}", DATABASES.fetch_add(1, Ordering::Relaxed))
}

impl Database {
    pub async fn postgres() -> Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        let server = SERVER.get_or_init(Server::postgres);
        let database = Self { server, name: name() };
        let mut admin = PgConnection::connect(&server.postgres_url("lianjing", "postgres"))
            .await
            .unwrap();
        admin
            .execute(AssertSqlSafe(format!("create database {}", database.name)))
            .await
            .unwrap();
        database
    }

    pub async fn mariadb() -> Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        let server = SERVER.get_or_init(Server::mariadb);
        let database = Self { server, name: name() };
        let mut admin = MySqlConnection::connect(&server.mysql_url("root", "mysql"))
            .await
            .unwrap();
        admin
            .execute(AssertSqlSafe(format!("create database {}", database.name)))
            .await
            .unwrap();
        database
    }

    pub fn postgres_url(&self) -> String {
        self.server.postgres_url("lianjing", &self.name)
    }

    pub fn mysql_url(&self) -> String {
        self.server.mysql_url("root", &self.name)
    }

    /// Runs statements as the owner.
    pub async fn pg(&self, sql: &str) {
        let mut admin = PgConnection::connect(&self.postgres_url()).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut admin)
            .await
            .unwrap();
    }

    pub async fn my(&self, sql: &str) {
        let mut admin = MySqlConnection::connect(&self.mysql_url()).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut admin)
            .await
            .unwrap();
    }
}
