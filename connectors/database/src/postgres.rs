//! PostgreSQL: a server-side cursor over one snapshot, fetched window by window in the binary format.

use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use connector::coerce::date::DAY;
use connector::reason::Reason;
use futures::TryStreamExt;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{
    AssertSqlSafe, Column, ConnectOptions, Connection, Executor, Postgres, Row, SqlSafeStr, Statement,
    TypeInfo,
};

use crate::columns::{Described, Wire};
use crate::config::Limits;
use crate::cursor::{CursorValue, naive, naive_date};
use crate::error::{DatabaseError, of_sqlx};
use crate::session::{Feed, Session, Table};
use crate::statement::{Argument, Sql};
use crate::window::{Window, push_int};

/// Object identifiers of types (`pg_type.dat`), which never change.
mod oid {
    pub const BOOL: u32 = 16;
    pub const BYTEA: u32 = 17;
    pub const INT8: u32 = 20;
    pub const INT2: u32 = 21;
    pub const INT4: u32 = 23;
    pub const TEXT: u32 = 25;
    pub const FLOAT4: u32 = 700;
    pub const FLOAT8: u32 = 701;
    pub const MONEY: u32 = 790;
    pub const BPCHAR: u32 = 1042;
    pub const VARCHAR: u32 = 1043;
    pub const DATE: u32 = 1082;
    pub const TIMESTAMP: u32 = 1114;
    pub const TIMESTAMPTZ: u32 = 1184;
    pub const NUMERIC: u32 = 1700;
}

/// Days and microseconds from 1970-01-01 to 2000-01-01, PostgreSQL's own zero.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = EPOCH_DAYS as i64 * DAY;

/// A connection to PostgreSQL.
pub struct PostgresSession {
    connection: PgConnection,
    place: String,
    cursors: u32,
}

/// Opens a read-only session.
pub async fn connect(
    url: &str,
    password: Option<&str>,
    limits: &Limits,
    place: &str,
) -> Result<PostgresSession, DatabaseError> {
    let failed = |e: sqlx::Error| of_sqlx(place, &e);
    let mut options = PgConnectOptions::from_str(url)
        .map_err(failed)?
        .application_name("lianjing")
        .disable_statement_logging();
    if let Some(password) = password {
        options = options.password(password);
    }
    let connecting = tokio::time::timeout(limits.connect_timeout, PgConnection::connect_with(&options));
    let mut connection = match connecting.await {
        Ok(connected) => connected.map_err(failed)?,
        Err(_) => return Err(no_answer(place, limits.connect_timeout)),
    };
    let setup = format!(
        "set session characteristics as transaction read only; set statement_timeout = {}; set lock_timeout = '30s'; \
         set idle_in_transaction_session_timeout = 0; set timezone = 'UTC'",
        limits.statement_timeout.as_millis()
    );
    sqlx::raw_sql(AssertSqlSafe(setup))
        .execute(&mut connection)
        .await
        .map_err(failed)?;
    Ok(PostgresSession {
        connection,
        place: place.to_owned(),
        cursors: 0,
    })
}

pub fn no_answer(place: &str, after: Duration) -> DatabaseError {
    DatabaseError::Unreachable {
        place: place.to_owned(),
        message: format!("no answer within {} s", after.as_secs()),
    }
}

impl PostgresSession {
    async fn run(&mut self, sql: &str) -> Result<(), DatabaseError> {
        let sql = AssertSqlSafe(sql.to_owned());
        let done = sqlx::raw_sql(sql).execute(&mut self.connection).await;
        done.map(|_| ()).map_err(|e| of_sqlx(&self.place, &e))
    }
}

fn bound<'q>(sql: String, arguments: &[Argument]) -> Query<'q, Postgres, PgArguments> {
    let query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
    arguments.iter().fold(query, |query, argument| match argument {
        Argument::Number(n) | Argument::Value(CursorValue::Integer(n)) => query.bind(*n),
        Argument::Value(CursorValue::Text(text)) => query.bind(text.clone()),
        Argument::Value(CursorValue::Date(day)) => query.bind(naive_date(*day)),
        Argument::Value(CursorValue::Local(micros)) => query.bind(naive(*micros)),
        Argument::Value(CursorValue::Instant(micros)) => {
            query.bind(DateTime::<Utc>::from_timestamp_micros(*micros))
        }
    })
}

#[async_trait]
impl Session for PostgresSession {
    async fn describe(&mut self, sql: &Sql) -> Result<Vec<Described>, DatabaseError> {
        let text = AssertSqlSafe(sql.text.clone()).into_sql_str();
        let statement = (&mut self.connection)
            .prepare(text)
            .await
            .map_err(|e| of_sqlx(&self.place, &e))?;
        let columns = statement.columns().iter().map(|column| {
            let code = column.type_info().oid().map_or(0, |oid| oid.0);
            Described {
                name: column.name().to_owned(),
                ty: column.type_info().name().to_ascii_lowercase(),
                wire: wire(code),
                code,
            }
        });
        Ok(columns.collect())
    }

    async fn clock(&mut self) -> Result<Option<i64>, DatabaseError> {
        let now: DateTime<Utc> = sqlx::query_scalar("select clock_timestamp()")
            .fetch_one(&mut self.connection)
            .await
            .map_err(|e| of_sqlx(&self.place, &e))?;
        Ok(Some(now.timestamp_micros()))
    }

    async fn begin(&mut self) -> Result<(), DatabaseError> {
        self.run("begin transaction isolation level repeatable read, read only")
            .await
    }

    fn select(&self, column: &Described, sql: &mut Sql) {
        sql.column(&column.name);
        match column.wire {
            Wire::Other => sql.push("::text"),
            Wire::Decimal => sql.push("::numeric"),
            _ => sql,
        };
    }

    async fn stream(
        &mut self,
        sql: &Sql,
        columns: &[Described],
        feed: &mut Feed,
    ) -> Result<bool, DatabaseError> {
        let place = self.place.clone();
        let failed = |e: sqlx::Error| of_sqlx(&place, &e);
        self.cursors += 1;
        let cursor = format!("lianjing_{}", self.cursors);
        let declare = format!("declare {cursor} no scroll cursor without hold for {}", sql.text);
        bound(declare, &sql.arguments)
            .execute(&mut self.connection)
            .await
            .map_err(failed)?;
        let decoders: Vec<Decoder> = columns.iter().map(decoder).collect();
        let fetch = format!("fetch forward {} from {cursor}", feed.rows_max);
        loop {
            let mut fetched = 0;
            {
                let query = sqlx::query(AssertSqlSafe(fetch.clone())).persistent(false);
                let mut rows = query.fetch(&mut self.connection);
                while let Some(row) = rows.try_next().await.map_err(failed)? {
                    fetched += 1;
                    write_row(&row, &decoders, &mut feed.window).map_err(failed)?;
                    if feed.window.end_row(feed.rows_max) && !feed.hand_on().await? {
                        return Ok(false);
                    }
                }
            }
            if fetched < feed.rows_max {
                break;
            }
        }
        let go_on = feed.hand_on().await?;
        self.run(&format!("close {cursor}")).await?;
        Ok(go_on)
    }

    async fn tables(&mut self) -> Result<Vec<Table>, DatabaseError> {
        let rows: Vec<(String, String, String)> = sqlx::query_as(
            "select table_schema || '.' || table_name, column_name::text, data_type::text from information_schema.columns \
             where table_schema not in ('information_schema', 'pg_catalog') order by 1, ordinal_position limit 20000",
        )
        .fetch_all(&mut self.connection)
        .await
        .map_err(|e| of_sqlx(&self.place, &e))?;
        Ok(grouped(rows))
    }
}

/// Rows of (table, column, type) by table.
pub fn grouped(rows: Vec<(String, String, String)>) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    for (table, column, ty) in rows {
        match tables.last_mut() {
            Some((last, columns)) if *last == table => columns.push((column, ty)),
            _ => tables.push((table, vec![(column, ty)])),
        }
    }
    tables
}

fn wire(code: u32) -> Wire {
    match code {
        oid::BOOL => Wire::Bool,
        oid::INT2 | oid::INT4 | oid::INT8 => Wire::Int,
        oid::FLOAT4 => Wire::Float4,
        oid::FLOAT8 => Wire::Float,
        oid::NUMERIC | oid::MONEY => Wire::Decimal,
        oid::TEXT | oid::VARCHAR | oid::BPCHAR => Wire::Text,
        oid::DATE => Wire::Date,
        oid::TIMESTAMP => Wire::Local,
        oid::TIMESTAMPTZ => Wire::Instant,
        oid::BYTEA => Wire::Binary,
        _ => Wire::Other,
    }
}

type Decoder = fn(&[u8], &mut Window) -> Option<()>;

fn decoder(column: &Described) -> Decoder {
    match (column.wire, column.code) {
        (Wire::Bool, _) => |bytes, window| {
            window.bool(*bytes.first()? != 0);
            Some(())
        },
        (Wire::Int, oid::INT2) => |bytes, window| {
            window.int(i16::from_be_bytes(bytes.try_into().ok()?).into());
            Some(())
        },
        (Wire::Int, oid::INT4) => |bytes, window| {
            window.int(i32::from_be_bytes(bytes.try_into().ok()?).into());
            Some(())
        },
        (Wire::Int, _) => |bytes, window| {
            window.int(i64::from_be_bytes(bytes.try_into().ok()?));
            Some(())
        },
        (Wire::Float4, _) => |bytes, window| {
            window.float4(f32::from_be_bytes(bytes.try_into().ok()?));
            Some(())
        },
        (Wire::Float, _) => |bytes, window| {
            window.float(f64::from_be_bytes(bytes.try_into().ok()?));
            Some(())
        },
        (Wire::Decimal, _) => numeric,
        (Wire::Date, _) => |bytes, window| {
            match i32::from_be_bytes(bytes.try_into().ok()?) {
                i32::MAX => window.broken(Reason::DateOutOfRange, "infinity"),
                i32::MIN => window.broken(Reason::DateOutOfRange, "-infinity"),
                day => window.date(day.saturating_add(EPOCH_DAYS)),
            }
            Some(())
        },
        (Wire::Local, _) => |bytes, window| moment(bytes, window, Window::local),
        (Wire::Instant, _) => |bytes, window| moment(bytes, window, Window::instant),
        (Wire::Binary, _) => |bytes, window| {
            window.binary(bytes);
            Some(())
        },
        (Wire::Text | Wire::Other, _) => |bytes, window| {
            window.utf8(bytes);
            Some(())
        },
    }
}

fn moment(bytes: &[u8], window: &mut Window, write: fn(&mut Window, i64)) -> Option<()> {
    match i64::from_be_bytes(bytes.try_into().ok()?) {
        i64::MAX => window.broken(Reason::DateOutOfRange, "infinity"),
        i64::MIN => window.broken(Reason::DateOutOfRange, "-infinity"),
        micros => write(window, micros.saturating_add(EPOCH_MICROS)),
    }
    Some(())
}

fn write_row(row: &PgRow, decoders: &[Decoder], window: &mut Window) -> Result<(), sqlx::Error> {
    for (n, decode) in decoders.iter().enumerate() {
        let value = row.try_get_raw(n)?;
        match value.as_bytes() {
            Err(_) => window.null(),
            Ok(bytes) => decode(bytes, window).ok_or_else(|| {
                sqlx::Error::Decode(format!("column {n} has a length that its type does not have").into())
            })?,
        }
    }
    Ok(())
}

/// `numeric_send`: count of digits, weight, sign, display scale, then digits of base 10,000.
fn numeric(bytes: &[u8], window: &mut Window) -> Option<()> {
    let word = |n: usize| Some(u16::from_be_bytes(bytes.get(2 * n..2 * n + 2)?.try_into().ok()?));
    let (count, weight, sign, scale) = (word(0)?, word(1)? as i16, word(2)?, usize::from(word(3)?));
    if bytes.len() != 8 + 2 * usize::from(count) {
        return None;
    }
    match sign {
        0x0000 | 0x4000 => {}
        0xd000 => {
            window.broken(Reason::BadDecimal, "Infinity");
            return Some(());
        }
        0xf000 => {
            window.broken(Reason::BadDecimal, "-Infinity");
            return Some(());
        }
        _ => {
            window.broken(Reason::BadDecimal, "NaN");
            return Some(());
        }
    }
    let digit = |position: i32| -> u16 {
        // Position 0 is the group before the point.
        let at = i32::from(weight) - position;
        match usize::try_from(at) {
            Ok(at) if at < usize::from(count) => word(4 + at).unwrap_or(0),
            _ => 0,
        }
    };
    window.number_with(|line| {
        if sign == 0x4000 {
            line.push('-');
        }
        let top = i32::from(weight).max(0);
        push_int(line, digit(top).into());
        (0..top).rev().for_each(|position| four(line, digit(position), 4));
        if scale > 0 {
            line.push('.');
            for group in 0..scale.div_ceil(4) {
                four(line, digit(-1 - group as i32), (scale - 4 * group).min(4));
            }
        }
    });
    Some(())
}

/// The first `width` of a group's four digits.
fn four(line: &mut String, group: u16, width: usize) {
    let digits = [group / 1000, group / 100 % 10, group / 10 % 10, group % 10];
    digits[..width]
        .iter()
        .for_each(|d| line.push(char::from(b'0' + *d as u8)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(words: &[u16]) -> String {
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_be_bytes()).collect();
        let mut window = Window::new(1);
        numeric(&bytes, &mut window).unwrap();
        window.end_row(9);
        window.line(0).to_owned()
    }

    #[test]
    fn numerics_are_their_digits() {
        assert_eq!(shown(&[0, 0, 0, 2]), "[0.00]");
        assert_eq!(shown(&[2, 0, 0, 2, 12, 5000]), "[12.50]");
        assert_eq!(shown(&[1, 0xffff, 0x4000, 4, 5]), "[-0.0005]");
        assert_eq!(shown(&[1, 0xfffe, 0, 8, 1]), "[0.00000001]");
        assert_eq!(shown(&[1, 2, 0, 0, 1]), "[100000000]");
        assert_eq!(shown(&[3, 1, 0, 3, 1, 2, 3450]), "[10002.345]");
        assert_eq!(shown(&[0, 0, 0xc000, 0]), "[\"NaN\"]");
    }
}
