//! ODBC: SQL Server, Oracle, Dameng and whatever else has a driver, through arrow-odbc.
//!
//! Drivers block, so each call works on a blocking thread with a connection of its own, one at a time. Everything
//! but whole numbers and doubles travels as text, which is exact for decimals and lets an odd date be quarantined
//! instead of failing the fetch.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType as ArrowType, Field, Float64Type, Int64Type, Schema};
use arrow_odbc::odbc_api::handles::Record as DiagnosticRecord;
use arrow_odbc::odbc_api::parameter::{InputParameter, WithDataType};
use arrow_odbc::odbc_api::sys::{Date, Timestamp};
use arrow_odbc::odbc_api::{
    Connection, ConnectionOptions, Cursor, DataType, Error as OdbcError, IntoParameter, ResultSetMetadata,
    environment,
};
use arrow_odbc::{OdbcReaderBuilder, TextEncoding};
use async_trait::async_trait;
use chrono::{Datelike, Timelike};
use tokio::sync::mpsc;

use crate::columns::{Described, Wire};
use crate::config::{ConnectionConfig, Limits};
use crate::cursor::{CursorValue, naive, naive_date};
use crate::error::{DatabaseError, Verdict, by_sqlstate};
use crate::mysql::write_time;
use crate::postgres::grouped;
use crate::session::{Feed, Session, Table};
use crate::statement::{Argument, Sql};
use crate::window::Window;

/// Longest text of a cell where the configuration says nothing, in characters.
const TEXT_LENGTH_MAX: usize = 4_000;
/// Memory for the rows of one round trip.
const TRIP_BYTES_MAX: usize = 64 << 20;
const BINARY_BYTES_MAX: usize = 8_000;

/// What each call connects with.
#[derive(Clone)]
pub struct OdbcSession {
    connection_string: String,
    password: Option<String>,
    clock: Option<String>,
    text_length_max: usize,
    login_timeout: Duration,
    statement_timeout: Duration,
    place: String,
}

/// Nothing is opened yet.
pub fn connect(
    config: &ConnectionConfig,
    password: Option<&str>,
    limits: &Limits,
    place: &str,
) -> Result<OdbcSession, DatabaseError> {
    let mut connection_string = config.odbc.clone().unwrap_or_default();
    if let Some(password) = password {
        if !connection_string.ends_with(';') {
            connection_string.push(';');
        }
        // Braces let a password hold any character; a closing one is doubled.
        connection_string.push_str(&format!("PWD={};", braced(password)));
    }
    Ok(OdbcSession {
        connection_string,
        password: password.map(str::to_owned),
        clock: config.clock.clone(),
        text_length_max: config.text_length_max.unwrap_or(TEXT_LENGTH_MAX),
        login_timeout: limits.connect_timeout,
        statement_timeout: limits.statement_timeout,
        place: place.to_owned(),
    })
}

fn braced(password: &str) -> String {
    let plain = password
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    if plain {
        password.to_owned()
    } else {
        format!("{{{}}}", password.replace('}', "}}"))
    }
}

impl OdbcSession {
    /// Runs `work` with a new connection on a blocking thread.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&OdbcSession, Connection<'static>) -> Result<T, DatabaseError> + Send + 'static,
    ) -> Result<T, DatabaseError> {
        let session = self.clone();
        let done = tokio::task::spawn_blocking(move || {
            let result = session.open().and_then(|connection| work(&session, connection));
            result.map_err(|e| e.without(session.password.as_deref()))
        });
        done.await.unwrap_or_else(|e| {
            Err(DatabaseError::Unexpected {
                place: self.place.clone(),
                message: e.to_string(),
            })
        })
    }

    fn open(&self) -> Result<Connection<'static>, DatabaseError> {
        let failed = |e: OdbcError| self.error(&e);
        let options = ConnectionOptions {
            login_timeout_sec: u32::try_from(self.login_timeout.as_secs()).ok(),
            ..ConnectionOptions::default()
        };
        let connection = environment()
            .and_then(|e| e.connect_with_connection_string(&self.connection_string, options))
            .map_err(|e| match self.error(&e) {
                // Drivers tell a refused user by a general state.
                DatabaseError::Unreachable { place, message } if refuses_user(&message) => {
                    Verdict::Refused("check the user, the password and the database's name")
                        .error(&place, message)
                }
                error => error,
            })?;
        // Nothing is ever committed: what a query's functions write is rolled back.
        connection.set_autocommit(false).map_err(failed)?;
        Ok(connection)
    }

    fn error(&self, error: &OdbcError) -> DatabaseError {
        match error {
            OdbcError::Diagnostics { record, .. } => self.diagnostic(record),
            other => Verdict::Unexpected.error(&self.place, other.to_string()),
        }
    }

    fn diagnostic(&self, record: &DiagnosticRecord) -> DatabaseError {
        by_sqlstate(record.state.as_str()).error(&self.place, record.to_string())
    }

    fn timeout_seconds(&self) -> Option<usize> {
        usize::try_from(self.statement_timeout.as_secs().max(1)).ok()
    }

    /// Produces windows until the rows end or nobody wants them.
    fn produce(
        &self,
        connection: &Connection<'static>,
        sql: &Sql,
        columns: &[Described],
        rows_max: usize,
        out: &mpsc::Sender<Window>,
    ) -> Result<(), DatabaseError> {
        let arguments = parameters(&sql.arguments);
        let cursor = connection
            .execute(&sql.text, &arguments[..], self.timeout_seconds())
            .map_err(|e| self.error(&e))?;
        let Some(cursor) = cursor else {
            return Ok(());
        };
        let odd = |message: String| Verdict::Unexpected.error(&self.place, message);
        let fields = columns
            .iter()
            .map(|c| Field::new(&c.name, arrow_type(c.wire), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let reader = OdbcReaderBuilder::new()
            .with_schema(schema)
            .with_max_num_rows_per_batch(rows_max.min(10_000))
            .with_max_bytes_per_batch(TRIP_BYTES_MAX)
            .with_max_text_size(self.text_length_max)
            .with_max_binary_size(BINARY_BYTES_MAX)
            // The same on every machine, whatever its locale.
            .with_payload_text_encoding(TextEncoding::Utf16)
            .build(cursor)
            .map_err(|e| odd(e.to_string()))?;
        let mut window = Window::new(columns.len());
        for batch in reader {
            let batch = batch.map_err(|e| {
                let message = e.to_string();
                if message.contains("too large") || message.contains("truncat") {
                    let advice = "a cell is longer than connection.text_length_max; raise it, or cut the column in the query";
                    return Verdict::Refused(advice).error(&self.place, message);
                }
                let state = message.split("State: ").nth(1).and_then(|rest| rest.get(..5)).unwrap_or("");
                by_sqlstate(state).error(&self.place, message)
            })?;
            for row in 0..batch.num_rows() {
                write_row(&batch, row, columns, &mut window);
                if window.end_row(rows_max) {
                    let full = std::mem::replace(&mut window, Window::new(columns.len()));
                    if out.blocking_send(full).is_err() {
                        return Ok(());
                    }
                }
            }
        }
        if !window.is_empty() {
            // Nobody there: then nobody wants it.
            let _ = out.blocking_send(window);
        }
        Ok(())
    }
}

fn refuses_user(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    [
        "password",
        "authentication",
        "login failed",
        "does not exist",
        "ora-01017",
    ]
    .iter()
    .any(|word| message.contains(word))
}

fn parameters(arguments: &[Argument]) -> Vec<Box<dyn InputParameter>> {
    let as_date = |date: chrono::NaiveDate| Date {
        year: date.year() as i16,
        month: date.month() as u16,
        day: date.day() as u16,
    };
    arguments
        .iter()
        .map(|argument| -> Box<dyn InputParameter> {
            match argument {
                Argument::Number(n) | Argument::Value(CursorValue::Integer(n)) => {
                    Box::new(n.into_parameter())
                }
                Argument::Value(CursorValue::Text(text)) => Box::new(text.clone().into_parameter()),
                Argument::Value(CursorValue::Date(day)) => Box::new(WithDataType::new(
                    as_date(naive_date(*day).unwrap_or_default()),
                    DataType::Date,
                )),
                Argument::Value(CursorValue::Local(micros) | CursorValue::Instant(micros)) => {
                    let time = naive(*micros).unwrap_or_default();
                    let day = as_date(time.date());
                    let value = Timestamp {
                        year: day.year,
                        month: day.month,
                        day: day.day,
                        hour: time.hour() as u16,
                        minute: time.minute() as u16,
                        second: time.second() as u16,
                        // In nanoseconds; more digits than a column keeps are an error to some drivers.
                        fraction: time.nanosecond() / 1_000_000 * 1_000_000,
                    };
                    Box::new(WithDataType::new(value, DataType::Timestamp { precision: 3 }))
                }
            }
        })
        .collect()
}

fn arrow_type(wire: Wire) -> ArrowType {
    match wire {
        Wire::Int => ArrowType::Int64,
        Wire::Float | Wire::Float4 => ArrowType::Float64,
        Wire::Binary => ArrowType::Binary,
        _ => ArrowType::Utf8,
    }
}

fn write_row(batch: &RecordBatch, row: usize, columns: &[Described], window: &mut Window) {
    for (array, column) in batch.columns().iter().zip(columns) {
        if array.is_null(row) {
            window.null();
            continue;
        }
        match column.wire {
            Wire::Int => window.int(array.as_primitive::<Int64Type>().value(row)),
            Wire::Float | Wire::Float4 => window.float(array.as_primitive::<Float64Type>().value(row)),
            Wire::Binary => window.binary(array.as_binary::<i32>().value(row)),
            wire => {
                let text = array.as_string::<i32>().value(row);
                match wire {
                    Wire::Date | Wire::Local => write_time(text.trim(), wire, false, window),
                    Wire::Decimal if is_json_number(text) => window.number(text),
                    _ => window.text(text),
                }
            }
        }
    }
}

/// SQL Server writes `.50`, which JSON does not take for a number.
fn is_json_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    all_digits(whole) && all_digits(fraction) && (whole.len() == 1 || !whole.starts_with('0'))
}

fn wire(ty: DataType) -> Wire {
    match ty {
        DataType::Integer | DataType::SmallInt | DataType::BigInt | DataType::TinyInt | DataType::Bit => {
            Wire::Int
        }
        DataType::Float { .. } | DataType::Double => Wire::Float,
        DataType::Real => Wire::Float4,
        DataType::Numeric { .. } | DataType::Decimal { .. } => Wire::Decimal,
        DataType::Date => Wire::Date,
        DataType::Timestamp { .. } => Wire::Local,
        DataType::Binary { .. } | DataType::Varbinary { .. } | DataType::LongVarbinary { .. } => Wire::Binary,
        DataType::Char { .. }
        | DataType::WChar { .. }
        | DataType::Varchar { .. }
        | DataType::WVarchar { .. }
        | DataType::LongVarchar { .. }
        | DataType::WLongVarchar { .. } => Wire::Text,
        _ => Wire::Other,
    }
}

#[async_trait]
impl Session for OdbcSession {
    async fn describe(&mut self, sql: &Sql) -> Result<Vec<Described>, DatabaseError> {
        let text = sql.text.clone();
        self.blocking(move |session, connection| {
            let failed = |e: OdbcError| session.error(&e);
            let mut prepared = connection.prepare(&text).map_err(failed)?;
            let count = u16::try_from(prepared.num_result_cols().map_err(failed)?).unwrap_or(0);
            let columns = (1..=count).map(|n| {
                let ty = prepared.col_data_type(n).map_err(failed)?;
                Ok(Described {
                    name: prepared.col_name(n).map_err(failed)?,
                    ty: format!("{ty:?}").to_ascii_lowercase(),
                    wire: wire(ty),
                    code: 0,
                })
            });
            columns.collect()
        })
        .await
    }

    async fn clock(&mut self) -> Result<Option<i64>, DatabaseError> {
        let Some(clock) = self.clock.clone() else {
            return Ok(None);
        };
        self.blocking(move |session, connection| {
            let failed = |e: OdbcError| session.error(&e);
            let cursor = connection.execute(&clock, (), session.timeout_seconds()).map_err(failed)?;
            let mut told = Vec::new();
            if let Some(mut cursor) = cursor
                && let Some(mut row) = cursor.next_row().map_err(failed)?
            {
                row.get_text(1, &mut told).map_err(failed)?;
            }
            let told = String::from_utf8_lossy(&told).into_owned();
            let read = connector::coerce::date::parse(told.trim());
            read.map(|t| Some(t.instant(connector::coerce::date::Zone(0)))).map_err(|_| DatabaseError::Config {
                message: format!("connection.clock tells {told:?}, which is no time; it must tell the server's UTC time"),
            })
        })
        .await
    }

    /// Each statement sees its own state of the database; the bounds are frozen all the same.
    async fn begin(&mut self) -> Result<(), DatabaseError> {
        Ok(())
    }

    fn select(&self, column: &Described, sql: &mut Sql) {
        sql.column(&column.name);
    }

    async fn stream(
        &mut self,
        sql: &Sql,
        columns: &[Described],
        feed: &mut Feed,
    ) -> Result<bool, DatabaseError> {
        let (out, mut windows) = mpsc::channel(1);
        let (sql, columns, rows_max) = (sql.clone(), columns.to_vec(), feed.rows_max);
        let working = self.blocking(move |session, connection| {
            session.produce(&connection, &sql, &columns, rows_max, &out)
        });
        let feeding = async move {
            // Ends when the producer does, or when the feed wants no more; closing then ends the producer.
            while let Some(window) = windows.recv().await {
                feed.window = window;
                if !feed.hand_on().await? {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        let (worked, fed) = tokio::join!(working, feeding);
        fed.and_then(|go_on| worked.map(|()| go_on))
    }

    async fn tables(&mut self) -> Result<Vec<Table>, DatabaseError> {
        self.blocking(|session, connection| {
            let failed = |e: OdbcError| session.error(&e);
            let mut rows = Vec::new();
            for row in connection.columns("", "", "", "").map_err(failed)? {
                let row = row.map_err(failed)?;
                let text =
                    |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
                let (schema, table) = (text(row.schema.as_bytes()), text(row.table.as_bytes()));
                let is_system = [
                    "sys",
                    "SYS",
                    "information_schema",
                    "INFORMATION_SCHEMA",
                    "pg_catalog",
                ];
                if !is_system.contains(&schema.as_str()) && rows.len() < 20_000 {
                    let table = if schema.is_empty() {
                        table
                    } else {
                        format!("{schema}.{table}")
                    };
                    rows.push((
                        table,
                        text(row.column_name.as_bytes()),
                        text(row.type_name.as_bytes()),
                    ));
                }
            }
            Ok(grouped(rows))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_braced_when_they_must_be() {
        assert_eq!(braced("abc123"), "abc123");
        assert_eq!(braced("a;b}c"), "{a;b}}c}");
    }

    #[test]
    fn numbers_that_json_does_not_know_are_texts() {
        for good in ["0", "12.50", "-0.5"] {
            assert!(is_json_number(good), "{good}");
        }
        for bad in [".50", "-.5", "01", "1.", "", "1e5"] {
            assert!(!is_json_number(bad), "{bad}");
        }
    }
}
