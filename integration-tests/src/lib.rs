//! Drives the real binary on a fresh data directory, as a user would.

pub mod samples;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// The checkout's top folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests lie in the workspace")
        .to_owned()
}

/// The `lianjing` binary beside this test's own, built by `cargo xtask test` (or `cargo build`).
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    let dir = test
        .parent()
        .and_then(Path::parent)
        .expect("target/<profile>/deps/<test>");
    let binary = dir.join("lianjing");
    assert!(
        binary.exists(),
        "{} is missing: run `cargo build -p lianjing` first",
        binary.display()
    );
    binary
}

/// The Python with the test packages, prepared by `cargo xtask test`.
pub fn python() -> PathBuf {
    std::env::var_os("LIANJING_PYTHON")
        .map(PathBuf::from)
        .expect("LIANJING_PYTHON is not set: run the tests by `cargo xtask test`, which prepares it")
}

/// What a finished command left behind.
#[derive(Debug)]
pub struct Done {
    pub command: String,
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    fn new(command: String, output: Output) -> Self {
        Self {
            command,
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Panics with all that was printed unless the exit status is one of `codes`.
    #[track_caller]
    pub fn expect(self, codes: &[i32]) -> Self {
        assert!(
            self.code.is_some_and(|c| codes.contains(&c)),
            "{} ended with {:?}, not {codes:?}\n--- stdout\n{}\n--- stderr\n{}",
            self.command,
            self.code,
            self.stdout,
            self.stderr
        );
        self
    }

    /// One JSON object a line.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .filter(|l| !l.trim().is_empty())
            .map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{}: {e} in {l}", self.command)))
            .collect()
    }
}

/// A data directory of its own, removed at the end.
pub struct Office {
    pub dir: tempfile::TempDir,
}

impl Default for Office {
    fn default() -> Self {
        Self::new()
    }
}

impl Office {
    /// With an empty data directory.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let office = Self { dir };
        std::fs::create_dir_all(office.data()).expect("a data directory");
        office
    }

    /// With this text as its `sources.toml`.
    pub fn with_sources(toml: &str) -> Self {
        let office = Self::new();
        std::fs::write(office.data().join("sources.toml"), toml).expect("sources.toml");
        office
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// `lianjing --data <this> ARGS`, not yet started.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .arg("--data")
            .arg(self.data())
            .args(args)
            .current_dir(root())
            .stdin(Stdio::null());
        command.env_remove("RUST_LOG");
        command
    }

    /// Runs to the end.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> Done {
        let output = self.command(args).output().expect("the binary starts");
        Done::new(format!("lianjing {}", args.join(" ")), output)
    }

    /// Syncs a folder and runs all rules; both may end with 3 (some input quarantined, some rule not evaluable).
    #[track_caller]
    pub fn sync_and_run(&self, files: &Path, as_of: &str) {
        self.run(&["sync", "--files", files.to_str().expect("a UTF-8 path")])
            .expect(&[0, 3]);
        self.run(&["run", "--as-of", as_of]).expect(&[0, 3]);
    }

    /// Syncs the documented example; two of its rows belong in quarantine, so it ends with 3.
    #[track_caller]
    pub fn sync_first_hospital(&self) -> Done {
        let example = root().join("docs/examples/first-hospital");
        let (files, mapping) = (example.join("files"), example.join("mapping.toml"));
        let path = |p: &Path| p.to_str().expect("a UTF-8 path").to_owned();
        self.run(&["sync", "--files", &path(&files), "--mapping", &path(&mapping)])
            .expect(&[3])
    }

    #[track_caller]
    pub fn alerts(&self) -> Vec<Value> {
        self.run(&["alerts", "export", "--format", "json"])
            .expect(&[0])
            .json_lines()
    }

    /// Rows of a query as JSON objects.
    #[track_caller]
    pub fn sql(&self, sql: &str) -> Vec<Value> {
        self.run(&["sql", sql, "--format", "json"])
            .expect(&[0])
            .json_lines()
    }

    /// A server on a free port of 127.0.0.1, killed when dropped.
    #[track_caller]
    pub fn serve(&self) -> Server {
        let mut child = self
            .command(&["serve", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut lines = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
        let mut seen = String::new();
        let address = loop {
            let Some(Ok(line)) = lines.next() else {
                let _ = child.kill();
                panic!("the server ended before it listened:\n{seen}");
            };
            if let Some(at) = line.find("127.0.0.1:") {
                let rest = &line[at..];
                let end = rest
                    .find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':'))
                    .unwrap_or(rest.len());
                break rest[..end].to_owned();
            }
            seen.push_str(&line);
            seen.push('\n');
        };
        // Keep the pipe drained, so that the server never blocks on its log.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Server { child, address }
    }
}

/// A running `lianjing serve`.
pub struct Server {
    child: Child,
    pub address: String,
}

impl Server {
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.child.kill().expect("the server can be killed");
        self.child.wait().expect("the server ends");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The evidence of an alert as (dataset, key values joined by '|').
pub fn evidence(alert: &Value) -> Vec<(String, String)> {
    alert["evidence"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| {
            let key = row["key"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(_, v)| text(v))
                .collect::<Vec<_>>();
            (text(&row["dataset"]), key.join("|"))
        })
        .collect()
}

/// A JSON scalar as plain text.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}
