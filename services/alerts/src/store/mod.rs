//! Where alerts are kept: a SQLite file or a PostgreSQL database, behind one small port.
//!
//! [`Database`] opens transactions, [`Transaction`] runs statements with typed cells. Every statement is
//! written once, in the SQL that both databases speak; what differs - pools, locks, wake-ups - is in
//! [`sqlite`] and [`postgres`], the tables in two migration folders.
//!
//! A write transaction is *the* commit section: there is one at a time (SQLite: one writer and
//! `BEGIN IMMEDIATE`; PostgreSQL: one advisory lock until the commit is visible), so revisions become
//! visible in the order of their numbers.

pub mod content;
pub mod log;
pub mod postgres;
pub mod records;
pub mod runs;
pub mod sqlite;

use std::borrow::Cow;

use async_trait::async_trait;

use crate::error::{Error, Result};

/// Most rows in one INSERT: a multiple of what pays, far below the databases' limits on parameters.
const INSERT_ROWS_MAX: usize = 400;
/// Most values in one IN list.
const IN_VALUES_MAX: usize = 500;

/// One bound or fetched value; the variant is its column's type.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Int(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

impl From<i64> for Cell {
    fn from(v: i64) -> Self {
        Cell::Int(Some(v))
    }
}

impl From<&str> for Cell {
    fn from(v: &str) -> Self {
        Cell::Text(Some(v.to_owned()))
    }
}

impl From<String> for Cell {
    fn from(v: String) -> Self {
        Cell::Text(Some(v))
    }
}

impl From<Option<String>> for Cell {
    fn from(v: Option<String>) -> Self {
        Cell::Text(v)
    }
}

impl From<Vec<u8>> for Cell {
    fn from(v: Vec<u8>) -> Self {
        Cell::Bytes(Some(v))
    }
}

impl From<chrono::NaiveDate> for Cell {
    fn from(v: chrono::NaiveDate) -> Self {
        Cell::Text(Some(v.to_string()))
    }
}

/// A fetched row, read by position, left to right.
#[derive(Debug)]
pub struct Row {
    cells: std::vec::IntoIter<Cell>,
    place: &'static str,
}

impl Row {
    pub fn new(cells: Vec<Cell>, place: &'static str) -> Self {
        Self {
            cells: cells.into_iter(),
            place,
        }
    }

    fn next(&mut self) -> Option<Cell> {
        self.cells.next()
    }

    pub fn corrupt(&self, expected: &'static str) -> Error {
        Error::Corrupt {
            place: self.place,
            expected,
        }
    }

    pub fn int(&mut self) -> Result<i64> {
        match self.next() {
            Some(Cell::Int(Some(v))) => Ok(v),
            _ => Err(self.corrupt("an integer")),
        }
    }

    /// A count; never negative.
    pub fn count(&mut self) -> Result<u64> {
        let v = self.int()?;
        u64::try_from(v).map_err(|_| self.corrupt("a count"))
    }

    pub fn text(&mut self) -> Result<String> {
        match self.next() {
            Some(Cell::Text(Some(v))) => Ok(v),
            _ => Err(self.corrupt("a text")),
        }
    }

    pub fn optional_text(&mut self) -> Result<Option<String>> {
        match self.next() {
            Some(Cell::Text(v)) => Ok(v),
            // SQLite types values, not columns: a null says nothing of its column.
            Some(Cell::Int(None) | Cell::Bytes(None)) => Ok(None),
            _ => Err(self.corrupt("a text or null")),
        }
    }

    pub fn optional_int(&mut self) -> Result<Option<i64>> {
        match self.next() {
            Some(Cell::Int(v)) => Ok(v),
            Some(Cell::Text(None) | Cell::Bytes(None)) => Ok(None),
            _ => Err(self.corrupt("an integer or null")),
        }
    }

    pub fn bytes(&mut self) -> Result<Vec<u8>> {
        match self.next() {
            Some(Cell::Bytes(Some(v))) => Ok(v),
            _ => Err(self.corrupt("bytes")),
        }
    }

    pub fn date(&mut self) -> Result<chrono::NaiveDate> {
        self.text()?.parse().map_err(|_| self.corrupt("a date"))
    }

    pub fn optional_date(&mut self) -> Result<Option<chrono::NaiveDate>> {
        self.optional_text()?
            .map(|t| t.parse().map_err(|_| self.corrupt("a date")))
            .transpose()
    }
}

/// A statement: fixed text, or text built of fixed parts and numbered places. Values are always bound.
pub type Sql = Cow<'static, str>;

/// An open transaction. Dropping it rolls back.
#[async_trait]
pub trait Transaction: Send {
    /// Whether bound places are written `$1, $2`. SQLite understands them too, but looks each up by its name,
    /// which takes long in statements with thousands; there they are `?`.
    fn numbers_places(&self) -> bool;
    /// `doing` completes "the store did not answer while ..." in errors.
    async fn fetch(&mut self, doing: &'static str, sql: Sql, args: Vec<Cell>) -> Result<Vec<Row>>;
    /// Rows touched.
    async fn execute(&mut self, doing: &'static str, sql: Sql, args: Vec<Cell>) -> Result<u64>;
    async fn commit(self: Box<Self>) -> Result<()>;
    async fn rollback(self: Box<Self>) -> Result<()>;
}

pub type BoxTransaction = Box<dyn Transaction>;

/// A store that opens transactions.
#[async_trait]
pub trait Database: Send + Sync + std::fmt::Debug {
    /// One unchanging view of everything committed.
    async fn read(&self) -> Result<BoxTransaction>;
    /// The commit section.
    async fn write(&self) -> Result<BoxTransaction>;
    /// Returns when another process may have committed; says nothing of what.
    async fn foreign_commit(&self);
    /// Ends all connections; further calls fail.
    async fn close(&self);
}

/// Inserts `rows` (each of as many cells as `columns` names) in few statements. `conflict` is "" or an
/// ON CONFLICT clause.
pub async fn insert_many(
    tx: &mut dyn Transaction,
    doing: &'static str,
    table: &'static str,
    columns: &'static [&'static str],
    conflict: &'static str,
    rows: Vec<Vec<Cell>>,
) -> Result<()> {
    let mut rows = rows.into_iter();
    loop {
        let chunk: Vec<Vec<Cell>> = rows.by_ref().take(INSERT_ROWS_MAX).collect();
        if chunk.is_empty() {
            return Ok(());
        }
        let mut sql = format!("insert into {table} ({}) values ", columns.join(", "));
        for n in 0..chunk.len() {
            sql.push_str(if n == 0 { "(" } else { ", (" });
            push_places(tx, &mut sql, n * columns.len(), columns.len());
            sql.push(')');
        }
        sql.push(' ');
        sql.push_str(conflict);
        let args = chunk.into_iter().flatten().collect();
        tx.execute(doing, sql.into(), args).await?;
    }
}

/// Fetches with `... in (...)`: `before` is the text up to the list; `values` may be many.
pub async fn fetch_in(
    tx: &mut dyn Transaction,
    doing: &'static str,
    before: &'static str,
    values: &[String],
) -> Result<Vec<Row>> {
    let mut found = Vec::new();
    for chunk in values.chunks(IN_VALUES_MAX) {
        let mut sql = format!("{before} (");
        push_places(tx, &mut sql, 0, chunk.len());
        sql.push(')');
        let args = chunk.iter().map(|v| Cell::from(v.as_str())).collect();
        found.extend(tx.fetch(doing, sql.into(), args).await?);
    }
    Ok(found)
}

fn push_places(tx: &dyn Transaction, sql: &mut String, from: usize, count: usize) {
    use std::fmt::Write;
    for n in 0..count {
        let comma = if n == 0 { "" } else { ", " };
        let _ = match tx.numbers_places() {
            true => write!(sql, "{comma}${}", from + n + 1),
            false => write!(sql, "{comma}?"),
        };
    }
}
