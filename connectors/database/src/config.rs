//! The configuration of a database source: how to reach it, how gently, and what its rows are.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use connector::coerce::date::Zone;
use connector::factory::secret::{SecretRef, check_named};
use connector::mapping::known_dataset;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::error::DatabaseError;

/// Keys of the configuration that name secrets.
const SECRETS: &[&str] = &["connection.password"];

/// A database source as it is written in TOML. Unknown keys are errors.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `database`; may be left out.
    pub kind: Option<String>,
    /// Name that the rows carry as `_source`.
    pub source: String,
    /// Zone of times that have none: `Asia/Shanghai` (default), `UTC`, `+08:00`.
    pub time_zone: Option<String>,
    /// Share of quarantined rows above which a sync fails, `"1%"`.
    pub quarantine_limit: Option<String>,
    /// Texts that mean "no value" in every stream.
    #[serde(default)]
    pub nulls: Vec<String>,
    /// MySQL's `0000-00-00` means "no value". Without this such a row is quarantined.
    #[serde(default)]
    pub zero_dates_are_null: bool,
    pub connection: ConnectionConfig,
    #[serde(default)]
    pub limits: LimitsConfig,
    /// What to read. Without any, `discover` lists the tables that the user may see.
    #[serde(default)]
    pub streams: Vec<StreamConfig>,
}

/// How to reach the database: exactly one of `url` and `odbc`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectionConfig {
    /// `postgres://user@host:5432/database?sslmode=verify-full` or `mysql://user@host:3306/database`, without a
    /// password.
    pub url: Option<String>,
    /// An ODBC connection string without a password: `Driver={ODBC Driver 18 for SQL Server};Server=..;UID=..`.
    pub odbc: Option<String>,
    /// The password: `{ env = "NAME" }`, or `{ file = "path" }` with nothing else in it. For ODBC it is appended to the
    /// connection string as `PWD`.
    pub password: Option<SecretRef>,
    /// ODBC only: a statement that tells the server's UTC time, e.g. `select sysutcdatetime()`. Without it the start
    /// of the sync alone bounds what is read.
    pub clock: Option<String>,
    /// ODBC only: longest text of a cell, in characters; a longer one fails the stream. 4,000 by default.
    pub text_length_max: Option<usize>,
}

/// How gently the source is read.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Rows a second, at most; 0: as fast as it goes.
    pub rows_per_second: u32,
    /// Longest that the server may work on one statement (PostgreSQL: on one fetch), `"5m"`.
    pub statement_timeout: String,
    /// Longest that connecting may take, `"30s"`.
    pub connect_timeout: String,
    /// Rows fetched, kept and committed together, at most 65,536.
    pub fetch_rows: usize,
    /// Longest that one snapshot is held, `"30m"`: a snapshot keeps the server from cleaning up.
    pub snapshot: String,
    /// Times to try when the database cannot be reached, the first included.
    pub tries: u32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            rows_per_second: 0,
            statement_timeout: "5m".into(),
            connect_timeout: "30s".into(),
            fetch_rows: 50_000,
            snapshot: "30m".into(),
            tries: 5,
        }
    }
}

/// One query and the dataset that its rows are.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StreamConfig {
    /// Name of the stream; the dataset's name by default. Checkpoints go by it, so do not rename it.
    pub name: Option<String>,
    /// Dataset that the rows belong to.
    pub dataset: String,
    /// One SELECT. `:cursor`, `:upper` and `:lookback` stand for the bounds in force. Filtering and sorting by the
    /// cursor is added around it and need not be written.
    pub query: String,
    /// Column of the query's result that grows with every change: a timestamp, date, whole number or text. Without
    /// one the whole query is read each time.
    pub cursor: Option<String>,
    /// Columns that tell rows with one cursor value apart; by default those that feed the dataset's key.
    pub key: Option<Vec<String>>,
    /// How far behind the cursor each sync reads again, for rows that were committed late: `"15m"`, or a number for a
    /// cursor that is a whole number. Default `"15m"` for times, `"1d"` for dates, else 0.
    pub lookback: Option<Lookback>,
    /// How far behind the clock reading stops, `"1m"` by default.
    pub lag: Option<String>,
    /// field = "source column", or a table with `from` or `const`.
    #[serde(default)]
    pub columns: BTreeMap<String, ColumnConfig>,
    /// Columns of the result that are known and not wanted. Binary columns do not travel at all then.
    #[serde(default)]
    pub ignore: Vec<String>,
    /// Columns that were read once and are gone for good; without a word here their loss stops the stream.
    #[serde(default)]
    pub gone: Vec<String>,
}

/// How far to read again.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Lookback {
    Units(u32),
    Time(String),
}

/// Where the values of a field come from.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ColumnConfig {
    From(String),
    Table(ColumnTable),
}

/// As in the mapping of files.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnTable {
    /// The source column.
    pub from: Option<String>,
    /// The same value in every row.
    #[serde(rename = "const")]
    pub constant: Option<String>,
    /// Numbers are counted in `"fen"` or `"万元"`.
    pub scale: Option<String>,
    /// Dates are `"epoch_ms"` or `"epoch_s"`.
    pub format: Option<String>,
    /// Texts that mean "no value".
    #[serde(default)]
    pub nulls: Vec<String>,
    /// What the source writes and what it stands for.
    #[serde(default)]
    pub codes: HashMap<String, String>,
}

/// Limits with their words read.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub rows_per_second: u32,
    pub statement_timeout: Duration,
    pub connect_timeout: Duration,
    pub fetch_rows: usize,
    pub snapshot: Duration,
    pub tries: u32,
}

/// What is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Postgres,
    MySql,
    Odbc,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgresql",
            Self::MySql => "mysql",
            Self::Odbc => "odbc",
        }
    }
}

fn wrong(message: impl Into<String>) -> DatabaseError {
    DatabaseError::Config {
        message: message.into(),
    }
}

impl DatabaseConfig {
    /// JSON Schema of a source's table.
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }

    pub fn from_text(text: &str) -> Result<Self, DatabaseError> {
        // Not the error's Display, which would show the line, perhaps one with a password in it.
        let table = toml::from_str(text).map_err(|e| wrong(toml_message(text, &e)))?;
        check_named(&table, SECRETS).map_err(wrong)?;
        let config: Self = toml::from_str(text).map_err(|e| wrong(toml_message(text, &e)))?;
        config.check()
    }

    pub fn from_value(value: toml::Value) -> Result<Self, DatabaseError> {
        if let Some(table) = value.as_table() {
            check_named(table, SECRETS).map_err(wrong)?;
        }
        let config: Self = value
            .try_into()
            .map_err(|e: toml::de::Error| wrong(without_value(e.message())))?;
        config.check()
    }

    fn check(self) -> Result<Self, DatabaseError> {
        if let Some(kind) = self.kind.as_deref().filter(|k| *k != "database") {
            return Err(wrong(format!(
                "kind is {kind:?}; a database source has kind \"database\""
            )));
        }
        self.kind()?;
        self.zone()?;
        self.quarantine_limit_bp()?;
        self.limits()?;
        if self.source.trim().is_empty() {
            return Err(wrong("source is empty; give the source a name"));
        }
        let mut names = std::collections::BTreeSet::new();
        for stream in &self.streams {
            if !names.insert(stream.name()) {
                return Err(wrong(format!(
                    "two streams are named {:?}; give each its own name",
                    stream.name()
                )));
            }
            known_dataset(&stream.dataset)
                .map_err(|message| wrong(format!("stream {:?}: {message}", stream.name())))?;
            stream.lag()?;
            if let Some(Lookback::Time(text)) = &stream.lookback {
                duration(text).ok_or_else(|| wrong(not_a_time("lookback", text)))?;
            }
        }
        Ok(self)
    }

    pub fn kind(&self) -> Result<Kind, DatabaseError> {
        match (&self.connection.url, &self.connection.odbc) {
            (Some(url), None) => {
                let rest = url.split_once("://");
                let kind = match rest {
                    Some(("postgres" | "postgresql", _)) => Kind::Postgres,
                    Some(("mysql" | "mariadb", _)) => Kind::MySql,
                    _ => {
                        return Err(wrong(
                            "connection.url starts with neither postgres:// nor mysql://",
                        ));
                    }
                };
                let authority = rest.map_or("", |(_, rest)| rest.split(['/', '?']).next().unwrap_or(""));
                let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
                if user.contains(':') || url.contains("password=") {
                    return Err(wrong(
                        "connection.url has a password in it; take it out and write connection.password = { env = \"..\" }",
                    ));
                }
                Ok(kind)
            }
            (None, Some(odbc)) => {
                let has_password = odbc.split(';').any(|part| {
                    let name = part.split('=').next().unwrap_or("").trim().to_ascii_lowercase();
                    matches!(name.as_str(), "pwd" | "password")
                });
                if has_password {
                    return Err(wrong(
                        "connection.odbc has a password in it; take it out and write connection.password = { env = \"..\" }",
                    ));
                }
                Ok(Kind::Odbc)
            }
            _ => Err(wrong("connection takes exactly one of url and odbc")),
        }
    }

    pub fn zone(&self) -> Result<Zone, DatabaseError> {
        match &self.time_zone {
            None => Ok(Zone::CHINA),
            Some(text) => Zone::parse(text).ok_or_else(|| {
                wrong(format!(
                    "time_zone {text:?} is unknown; write Asia/Shanghai, UTC or an offset like +08:00"
                ))
            }),
        }
    }

    pub fn quarantine_limit_bp(&self) -> Result<Option<u32>, DatabaseError> {
        let Some(text) = &self.quarantine_limit else {
            return Ok(None);
        };
        let number = text
            .trim()
            .strip_suffix('%')
            .and_then(|n| connector::coerce::decimal::parse(n.trim(), Default::default()).ok())
            .and_then(|n| connector::coerce::decimal::to_scale(n, None, 5, 2).ok())
            .and_then(|n| u32::try_from(n).ok())
            .filter(|n| *n <= 10_000);
        number.map(Some).ok_or_else(|| {
            wrong(format!(
                "quarantine_limit {text:?} is no share; write a percentage from 0% to 100%, like \"1%\""
            ))
        })
    }

    pub fn limits(&self) -> Result<Limits, DatabaseError> {
        let time = |name: &str, text: &str| {
            duration(text)
                .filter(|d| !d.is_zero())
                .ok_or_else(|| wrong(not_a_time(name, text)))
        };
        let limits = &self.limits;
        if !(1..=65_536).contains(&limits.fetch_rows) {
            return Err(wrong("limits.fetch_rows is not between 1 and 65536"));
        }
        if !(1..=20).contains(&limits.tries) {
            return Err(wrong("limits.tries is not between 1 and 20"));
        }
        Ok(Limits {
            rows_per_second: limits.rows_per_second,
            statement_timeout: time("limits.statement_timeout", &limits.statement_timeout)?,
            connect_timeout: time("limits.connect_timeout", &limits.connect_timeout)?,
            fetch_rows: limits.fetch_rows,
            snapshot: time("limits.snapshot", &limits.snapshot)?,
            tries: limits.tries,
        })
    }
}

impl StreamConfig {
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.dataset)
    }

    pub fn lag(&self) -> Result<Duration, DatabaseError> {
        let text = self.lag.as_deref().unwrap_or("1m");
        duration(text).ok_or_else(|| wrong(not_a_time("lag", text)))
    }
}

fn not_a_time(name: &str, text: &str) -> String {
    format!("{name} {text:?} is no length of time; write a whole number with s, m, h or d, like \"15m\"")
}

/// `30s`, `15m`, `2h`, `1d`, at most ten years.
pub fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let number: u64 = number.trim().parse().ok()?;
    let seconds = number.checked_mul(seconds)?;
    (seconds <= 3_650 * 86_400).then(|| Duration::from_secs(seconds))
}

fn toml_message(text: &str, error: &toml::de::Error) -> String {
    let message = without_value(error.message());
    match error.span() {
        Some(span) => {
            let line = text
                .get(..span.start)
                .map_or(0, |before| before.matches('\n').count())
                + 1;
            format!("line {line}: {message}")
        }
        None => message,
    }
}

/// The message without the text that stands where something else should: it may be a password.
fn without_value(message: &str) -> String {
    match (message.find("string \""), message.rfind("\", expected")) {
        (Some(start), Some(end)) if start < end => {
            format!("{}string{}", &message[..start], &message[end + 1..])
        }
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        source = "erp"
        [connection]
        url = "postgres://reader@db/erp"
        password = { env = "X" }
        [[streams]]
        dataset = "contracts"
        query = "select * from c"
        cursor = "changed"
        lookback = "10m"
        columns = { amount = { from = "total", scale = "fen" }, title = "t" }
    "#;

    fn error(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from), "{from}");
        DatabaseConfig::from_text(&GOOD.replace(from, to))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_good_configuration_is_read_and_its_defaults_are_gentle() {
        let config = DatabaseConfig::from_text(GOOD).unwrap();
        assert_eq!(config.kind().unwrap(), Kind::Postgres);
        assert_eq!(config.streams[0].name(), "contracts");
        assert_eq!(config.streams[0].lag().unwrap(), Duration::from_secs(60));
        let limits = config.limits().unwrap();
        assert_eq!(
            (limits.tries, limits.statement_timeout),
            (5, Duration::from_secs(300))
        );
        assert_eq!(config.zone().unwrap(), Zone::CHINA);
    }

    #[test]
    fn mistakes_are_named() {
        assert!(
            error("dataset = \"contracts\"", "dataset = \"contract\"").contains("no dataset \"contract\"")
        );
        assert!(error("cursor =", "curser =").contains("curser"));
        assert!(error("\"10m\"", "\"10 minutes\"").contains("length of time"));
        assert!(error("reader@db", "reader:hunter2@db").contains("has a password"));
        assert!(!error("reader@db", "reader:hunter2@db").contains("hunter2"));
        assert!(error("postgres://", "oracle://").contains("neither"));
        for password in [
            "\"hunter2\"",
            "{ env = \"X\", file = \"hunter2\" }",
            "{ hunter2 = 1 }",
        ] {
            let told = error("{ env = \"X\" }", password);
            let words = "`connection.password`: a secret is named, never written out: { env = \"NAME\" }";
            assert!(told.contains(words) && !told.contains("hunter2"), "{told}");
        }
    }

    #[test]
    fn the_schema_names_every_key() {
        let schema = serde_json::to_value(schemars::schema_for!(DatabaseConfig)).unwrap();
        assert!(schema["properties"]["connection"].is_object());
        assert_eq!(schema["additionalProperties"], serde_json::Value::Bool(false));
    }
}
