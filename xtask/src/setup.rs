//! Installs what tests and benchmarks need and the machine lacks. Fails, never skips, when it cannot.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::run;

/// One version of DuckDB and its extensions, from PyPI, works offline.
const TEST_PACKAGES: [&str; 9] = [
    "duckdb==1.5.5",
    "duckdb-extensions==1.5.5",
    "duckdb-extension-ducklake==1.5.5",
    "duckdb-extension-sqlite==1.5.5",
    "pytz",
    "grpcio",
    "grpcio-tools",
    "grpcio-reflection",
    "openpyxl",
];

/// The folder with `initdb` and `postgres`, installed from the system's packages when missing.
pub fn postgres() -> Result<PathBuf> {
    if let Some(found) = find_postgres() {
        return Ok(found);
    }
    apt_install(&["postgresql"])?;
    find_postgres().context(
        "PostgreSQL was installed but /usr/lib/postgresql/*/bin/initdb is not there; \
         set LIANJING_POSTGRES_BIN to the folder that has initdb",
    )
}

/// MariaDB, unixODBC with what linking it takes, and the drivers that its tests use.
pub fn databases() -> Result<()> {
    // Debian's mariadbd is not on everybody's PATH.
    let has = |program: &str| works(Command::new(program).arg("--version"));
    let is_there = (has("mariadbd") || has("/usr/sbin/mariadbd"))
        && has("mariadb-install-db")
        && works(Command::new("odbcinst").args(["-q", "-d", "-n", "PostgreSQL Unicode"]))
        && works(Command::new("odbcinst").args(["-q", "-d", "-n", "SQLite3"]))
        && Path::new("/usr/include/sql.h").exists();
    if is_there {
        return Ok(());
    }
    apt_install(&[
        "mariadb-server",
        "unixodbc",
        "unixodbc-dev",
        "odbcinst",
        "odbc-postgresql",
        "libsqliteodbc",
    ])
}

fn find_postgres() -> Option<PathBuf> {
    if let Some(dir) = std::env::var_os("LIANJING_POSTGRES_BIN") {
        return Some(dir.into());
    }
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|e| Some(e.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists() && bin.join("postgres").exists())
        .collect();
    versions.sort();
    versions.pop()
}

/// A Python with the test packages, in a virtual environment under the target folder.
pub fn python(target: &Path) -> Result<PathBuf> {
    venv(target, "py-test", &TEST_PACKAGES)
}

/// A virtual environment `target/<name>` holding exactly `packages`; returns its interpreter.
pub fn venv(target: &Path, name: &str, packages: &[&str]) -> Result<PathBuf> {
    let dir = target.join(name);
    let python = dir.join("bin").join("python");
    let stamp = dir.join("packages.txt");
    let wanted = packages.join("\n");
    if std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    std::fs::create_dir_all(target).with_context(|| format!("could not create {}", target.display()))?;
    if !works(Command::new("python3").args(["-c", "import venv, ensurepip"])) {
        apt_install(&["python3", "python3-venv"])?;
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&dir))?;
    run(Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(packages))?;
    std::fs::write(&stamp, wanted).with_context(|| format!("could not write {}", stamp.display()))?;
    Ok(python)
}

fn works(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

fn apt_install(packages: &[&str]) -> Result<()> {
    if !works(Command::new("apt-get").arg("--version")) {
        bail!(
            "{} must be installed (no apt-get on this machine to do it)",
            packages.join(" and ")
        );
    }
    let sudo = !works(Command::new("sh").args(["-c", "test \"$(id -u)\" = 0"]));
    let apt = |args: &[&str]| {
        let mut command = if sudo {
            let mut command = Command::new("sudo");
            command.arg("apt-get");
            command
        } else {
            Command::new("apt-get")
        };
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(args)
            .stdin(Stdio::null());
        run(&mut command)
    };
    apt(&["update"])?;
    let mut args = vec!["install", "--yes", "--no-install-recommends"];
    args.extend_from_slice(packages);
    apt(&args)
}
