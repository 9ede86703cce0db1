//! The statements around a stream's query: which rows, in which order.

use crate::columns::{Described, Layout};
use crate::config::Kind;
use crate::cursor::{Bounds, CursorKind, CursorValue};
use crate::session::Session;
use crate::statement::{Argument, Slot, Sql, Template};

/// Rows whose cursor lies so far ahead of the upper bound are not only early.
const AHEAD_SECONDS: i64 = 86_400;

/// Builds the statements of one stream.
pub struct Select<'a> {
    pub kind: Kind,
    pub template: &'a Template,
    pub layout: &'a Layout,
    /// None for a stream without a cursor.
    pub bounds: Option<&'a Bounds>,
}

impl Select<'_> {
    /// The query alone, for describing it.
    pub fn plain(kind: Kind, template: &Template) -> Sql {
        let mut sql = Sql::new(kind);
        template.write(&mut sql, |_| Argument::Number(0));
        sql
    }

    fn from(&self, session: &dyn Session, columns: &[Described]) -> Sql {
        let mut sql = Sql::new(self.kind);
        sql.push("select ");
        for (n, column) in columns.iter().enumerate() {
            if n > 0 {
                sql.push(", ");
            }
            session.select(column, &mut sql);
        }
        sql.push(" from (");
        self.template.write(&mut sql, |slot| match (slot, self.bounds) {
            (_, None) => Argument::Number(0),
            (Slot::Lookback, Some(bounds)) => Argument::Number(bounds.lookback),
            (Slot::Cursor, Some(bounds)) => {
                let least = || CursorValue::least(bounds.kind);
                Argument::Value(bounds.lower.clone().unwrap_or_else(least))
            }
            (Slot::Upper, Some(bounds)) => {
                // A cursor that is no time has no upper bound; the reader refuses the slot then.
                let least = || CursorValue::least(bounds.kind);
                Argument::Value(bounds.upper.clone().unwrap_or_else(least))
            }
        });
        sql.push("\n) q");
        sql
    }

    /// No row, but everything that running the query takes, the permissions included.
    pub fn probe(&self, session: &dyn Session) -> Sql {
        let mut sql = self.from(session, &self.layout.selected);
        sql.push(" where 1 = 0");
        sql
    }

    /// The rows from `lower` on, in the order of the cursor; all rows where there is no cursor.
    pub fn main(&self, session: &dyn Session, lower: Option<&CursorValue>) -> Sql {
        let mut sql = self.from(session, &self.layout.selected);
        let (Some(bounds), Some((at, _))) = (self.bounds, self.layout.cursor) else {
            return sql;
        };
        let cursor = &self.layout.selected[at].name;
        sql.push(" where ").column(cursor);
        match lower.cloned().or_else(|| self.zero_dates(bounds)) {
            Some(lower) => sql.push(" >= ").bind(Argument::Value(lower)),
            None => sql.push(" is not null"),
        };
        if let Some(upper) = &bounds.upper {
            sql.push(" and ")
                .column(cursor)
                .push(" <= ")
                .bind(Argument::Value(upper.clone()));
        }
        sql.push(" order by ").column(cursor);
        for column in self.layout.key.iter().filter(|k| *k != cursor) {
            sql.push(", ").column(column);
        }
        sql
    }

    /// The rows that the cursor's order does not reach: none, or one far ahead of the clock.
    pub fn strays(&self, session: &dyn Session) -> Option<Sql> {
        let (bounds, (at, _)) = (self.bounds?, self.layout.cursor?);
        let cursor = &self.layout.selected[at].name;
        let mut sql = self.from(session, &self.layout.selected);
        sql.push(" where ").column(cursor).push(" is null");
        if let Some(ahead) = bounds.upper.as_ref().map(|upper| upper.back(-AHEAD_SECONDS)) {
            sql.push(" or ")
                .column(cursor)
                .push(" > ")
                .bind(Argument::Value(ahead));
        }
        if let Some(least) = self.zero_dates(bounds) {
            sql.push(" or ")
                .column(cursor)
                .push(" < ")
                .bind(Argument::Value(least));
        }
        Some(sql)
    }

    /// The key columns of all rows, in their order.
    pub fn keys(&self, session: &dyn Session) -> (Sql, Vec<Described>) {
        let cells = self.layout.key_cells.iter().flatten();
        let columns: Vec<Described> = cells.map(|at| self.layout.selected[*at].clone()).collect();
        let mut sql = self.from(session, &columns);
        for (n, column) in columns.iter().enumerate() {
            sql.push(if n == 0 { " order by " } else { ", " })
                .column(&column.name);
        }
        (sql, columns)
    }

    /// MySQL's `0000-00-00` lies before every date, and is no place to go on from.
    fn zero_dates(&self, bounds: &Bounds) -> Option<CursorValue> {
        let is_time = !matches!(bounds.kind, CursorKind::Integer | CursorKind::Text);
        (self.kind == Kind::MySql && is_time).then(|| CursorValue::least(bounds.kind))
    }
}
