//! MySQL and MariaDB: one consistent snapshot, rows streamed as the server sends them.

use std::str::FromStr;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use connector::coerce::date::{self, DAY};
use connector::reason::Reason;
use futures::TryStreamExt;
use sqlx::mysql::{MySqlArguments, MySqlConnectOptions, MySqlConnection, MySqlRow};
use sqlx::query::Query;
use sqlx::{
    AssertSqlSafe, Column, ConnectOptions, Connection, Executor, MySql, Row, SqlSafeStr, Statement, Type,
    TypeInfo,
};

use crate::columns::{Described, Wire};
use crate::config::Limits;
use crate::cursor::{CursorValue, naive, naive_date};
use crate::error::{DatabaseError, of_sqlx};
use crate::postgres::{grouped, no_answer};
use crate::session::{Feed, Session, Table};
use crate::statement::{Argument, Sql};
use crate::window::Window;

/// A connection to MySQL or MariaDB.
pub struct MySqlSession {
    connection: MySqlConnection,
    place: String,
    zero_dates_are_null: bool,
}

/// Opens a read-only session.
pub async fn connect(
    url: &str,
    password: Option<&str>,
    limits: &Limits,
    place: &str,
    zero_dates_are_null: bool,
) -> Result<MySqlSession, DatabaseError> {
    let failed = |e: sqlx::Error| of_sqlx(place, &e);
    // The session runs in UTC and talks utf8mb4; the rest of its SQL mode is the server's, as the query expects.
    let mut options = MySqlConnectOptions::from_str(url)
        .map_err(failed)?
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .disable_statement_logging();
    if let Some(password) = password {
        options = options.password(password);
    }
    let connecting = tokio::time::timeout(limits.connect_timeout, MySqlConnection::connect_with(&options));
    let mut connection = match connecting.await {
        Ok(connected) => connected.map_err(failed)?,
        Err(_) => return Err(no_answer(place, limits.connect_timeout)),
    };
    let version: String = sqlx::query_scalar("select version()")
        .fetch_one(&mut connection)
        .await
        .map_err(failed)?;
    let timeout = limits.statement_timeout;
    let limit = if version.to_ascii_lowercase().contains("mariadb") {
        format!("max_statement_time = {}", timeout.as_secs_f64())
    } else {
        format!("max_execution_time = {}", timeout.as_millis())
    };
    for statement in [
        "set session transaction read only".to_owned(),
        "set session transaction isolation level repeatable read".to_owned(),
        // A host that is busy for long must not cost the connection.
        format!(
            "set session {limit}, net_write_timeout = 3600, wait_timeout = 28800, lock_wait_timeout = 30"
        ),
    ] {
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut connection)
            .await
            .map_err(failed)?;
    }
    Ok(MySqlSession {
        connection,
        place: place.to_owned(),
        zero_dates_are_null,
    })
}

fn bound<'q>(sql: &Sql) -> Query<'q, MySql, MySqlArguments> {
    let query = sqlx::query(AssertSqlSafe(sql.text.clone())).persistent(false);
    sql.arguments
        .iter()
        .fold(query, |query, argument| match argument {
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
impl Session for MySqlSession {
    async fn describe(&mut self, sql: &Sql) -> Result<Vec<Described>, DatabaseError> {
        let text = AssertSqlSafe(sql.text.clone()).into_sql_str();
        let statement = (&mut self.connection)
            .prepare(text)
            .await
            .map_err(|e| of_sqlx(&self.place, &e))?;
        let columns = statement.columns().iter().map(|column| {
            let ty = column.type_info().name().to_owned();
            // The server marks texts of a `_bin` collation as binary; only the character set tells them apart.
            let is_text = <str as Type<MySql>>::compatible(column.type_info());
            let wire = match wire(&ty) {
                Wire::Binary if is_text => Wire::Text,
                wire => wire,
            };
            Described {
                name: column.name().to_owned(),
                wire,
                ty: ty.to_ascii_lowercase(),
                code: 0,
            }
        });
        Ok(columns.collect())
    }

    async fn clock(&mut self) -> Result<Option<i64>, DatabaseError> {
        let now: chrono::NaiveDateTime = sqlx::query_scalar("select utc_timestamp(6)")
            .fetch_one(&mut self.connection)
            .await
            .map_err(|e| of_sqlx(&self.place, &e))?;
        Ok(Some(now.and_utc().timestamp_micros()))
    }

    async fn begin(&mut self) -> Result<(), DatabaseError> {
        let sql = "start transaction with consistent snapshot, read only";
        let begun = sqlx::raw_sql(sql).execute(&mut self.connection).await;
        begun.map(|_| ()).map_err(|e| of_sqlx(&self.place, &e))
    }

    /// Times travel as text: the binary protocol cannot tell `0000-00-00` from nothing.
    fn select(&self, column: &Described, sql: &mut Sql) {
        let cast = match (column.wire, column.ty.as_str()) {
            (Wire::Date | Wire::Local | Wire::Instant | Wire::Other, _) => "char",
            (Wire::Int, "bit" | "year") => "unsigned",
            _ => {
                sql.column(&column.name);
                return;
            }
        };
        sql.push("cast(")
            .column(&column.name)
            .push(" as ")
            .push(cast)
            .push(")");
    }

    async fn stream(
        &mut self,
        sql: &Sql,
        columns: &[Described],
        feed: &mut Feed,
    ) -> Result<bool, DatabaseError> {
        let place = self.place.clone();
        let failed = |e: sqlx::Error| of_sqlx(&place, &e);
        let mut rows = bound(sql).fetch(&mut self.connection);
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            for (n, column) in columns.iter().enumerate() {
                write_value(&row, n, column, self.zero_dates_are_null, &mut feed.window).map_err(failed)?;
            }
            if feed.window.end_row(feed.rows_max) && !feed.hand_on().await? {
                return Ok(false);
            }
        }
        feed.hand_on().await
    }

    async fn tables(&mut self) -> Result<Vec<Table>, DatabaseError> {
        let rows: Vec<(String, String, String)> = sqlx::query_as(
            "select cast(concat(table_schema, '.', table_name) as char), cast(column_name as char), \
             cast(column_type as char) from information_schema.columns \
             where table_schema not in ('information_schema', 'mysql', 'performance_schema', 'sys') \
             order by table_schema, table_name, ordinal_position limit 20000",
        )
        .fetch_all(&mut self.connection)
        .await
        .map_err(|e| of_sqlx(&self.place, &e))?;
        Ok(grouped(rows))
    }
}

fn wire(ty: &str) -> Wire {
    match ty {
        "BOOLEAN" | "BIT" | "YEAR" => Wire::Int,
        ty if ty.contains("INT") => Wire::Int,
        "FLOAT" => Wire::Float4,
        "DOUBLE" => Wire::Float,
        "DECIMAL" => Wire::Decimal,
        "DATE" => Wire::Date,
        "DATETIME" => Wire::Local,
        "TIMESTAMP" => Wire::Instant,
        "TIME" => Wire::Other,
        ty if ty.contains("BLOB") || ty.contains("BINARY") || ty == "GEOMETRY" => Wire::Binary,
        _ => Wire::Text,
    }
}

fn write_value(
    row: &MySqlRow,
    n: usize,
    column: &Described,
    zero_dates_are_null: bool,
    window: &mut Window,
) -> Result<(), sqlx::Error> {
    match column.wire {
        Wire::Int if column.ty.ends_with("unsigned") || matches!(column.ty.as_str(), "bit" | "year") => {
            match row.try_get_unchecked::<Option<u64>, _>(n)? {
                None => window.null(),
                Some(value) => window.number(&value.to_string()),
            }
        }
        Wire::Int => match row.try_get_unchecked::<Option<i64>, _>(n)? {
            None => window.null(),
            Some(value) => window.int(value),
        },
        Wire::Float4 => match row.try_get_unchecked::<Option<f32>, _>(n)? {
            None => window.null(),
            Some(value) => window.float4(value),
        },
        Wire::Float => match row.try_get_unchecked::<Option<f64>, _>(n)? {
            None => window.null(),
            Some(value) => window.float(value),
        },
        _ => match row.try_get_unchecked::<Option<&[u8]>, _>(n)? {
            None => window.null(),
            Some(bytes) => match (column.wire, std::str::from_utf8(bytes)) {
                (Wire::Binary, _) => window.binary(bytes),
                (_, Err(_)) => window.utf8(bytes),
                (Wire::Decimal, Ok(text)) => window.number(text),
                (Wire::Date | Wire::Local | Wire::Instant, Ok(text)) => {
                    write_time(text, column.wire, zero_dates_are_null, window);
                }
                (_, Ok(text)) => window.text(text),
            },
        },
    }
    Ok(())
}

/// `2024-03-05` or `2024-03-05 09:30:00.123456`, as MySQL writes them; zero months and days are no time.
pub fn write_time(text: &str, wire: Wire, zero_dates_are_null: bool, window: &mut Window) {
    if zero_dates_are_null && text.starts_with("0000-00-00") {
        return window.null();
    }
    match date::parse(text) {
        Err(reason) => window.broken(reason, text),
        Ok(written) if written.month_only => window.broken(Reason::BadDate, text),
        Ok(written) => {
            let micros = i64::from(written.day) * DAY + written.time.unwrap_or(0);
            match wire {
                Wire::Date => window.date(written.day),
                Wire::Instant => window.instant(micros),
                _ => window.local(micros),
            }
        }
    }
}
