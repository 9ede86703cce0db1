//! Queries as people write them: one SELECT, checked before it runs, with slots that become bound parameters.

use sqlparser::ast::{Query, SetExpr, Statement as Parsed};
use sqlparser::dialect::{Dialect, GenericDialect, MySqlDialect, PostgreSqlDialect};
use sqlparser::parser::Parser;

use crate::config::Kind;
use crate::cursor::CursorValue;

/// What a slot of a query stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// The lower bound in force.
    Cursor,
    /// The upper bound, frozen at the start.
    Upper,
    /// The look-back, in seconds (in units for a whole number).
    Lookback,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Slot(Slot),
}

/// A checked query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

/// One bound parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Argument {
    Value(CursorValue),
    Number(i64),
}

/// A statement on its way: text and the values bound to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sql {
    pub text: String,
    pub arguments: Vec<Argument>,
    kind: Kind,
}

impl Sql {
    pub fn new(kind: Kind) -> Self {
        Self {
            text: String::new(),
            arguments: Vec::new(),
            kind,
        }
    }

    pub fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    pub fn bind(&mut self, argument: Argument) -> &mut Self {
        self.arguments.push(argument);
        match self.kind {
            Kind::Postgres => self.text.push_str(&format!("${}", self.arguments.len())),
            Kind::MySql | Kind::Odbc => self.text.push('?'),
        }
        self
    }

    /// A column of the wrapped query `q`.
    pub fn column(&mut self, name: &str) -> &mut Self {
        self.text.push_str("q.");
        self.text.push_str(&quoted(self.kind, name));
        self
    }
}

/// The name as an identifier. Over ODBC a plain name stays bare: Oracle and Dameng fold it as the query does.
pub fn quoted(kind: Kind, name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    match kind {
        Kind::MySql => format!("`{}`", name.replace('`', "``")),
        Kind::Odbc if plain => name.to_owned(),
        Kind::Postgres | Kind::Odbc => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

impl Template {
    /// Checks that `text` is one SELECT that only reads, and finds its slots. The error is a sentence for a person.
    pub fn parse(text: &str, kind: Kind) -> Result<Self, String> {
        let pieces = split(text, kind)?;
        let mut parts = Vec::new();
        let mut without_slots = String::new();
        for part in pieces {
            match &part {
                Part::Text(text) => without_slots.push_str(text),
                Part::Slot(_) => without_slots.push_str("NULL"),
            }
            parts.push(part);
        }
        let dialect: &dyn Dialect = match kind {
            Kind::Postgres => &PostgreSqlDialect {},
            Kind::MySql => &MySqlDialect {},
            Kind::Odbc => &GenericDialect {},
        };
        match Parser::parse_sql(dialect, &without_slots) {
            Ok(statements) => match &statements[..] {
                [Parsed::Query(query)] => only_reads(query)?,
                [other] => {
                    let word = other.to_string();
                    let word = word.split_whitespace().next().unwrap_or("").to_owned();
                    return Err(format!("the query is a {word} statement; write one SELECT"));
                }
                [] => return Err("the query is empty; write one SELECT".into()),
                _ => return Err("the query is more than one statement; write one SELECT".into()),
            },
            // A vendor's own syntax. The words decide, and the session is read-only besides.
            Err(_) => looks_like_reading(&without_slots)?,
        }
        Ok(Self { parts })
    }

    pub fn uses(&self, slot: Slot) -> bool {
        self.parts.contains(&Part::Slot(slot))
    }

    /// The query with its slots bound, in the order they stand.
    pub fn write(&self, sql: &mut Sql, bound: impl Fn(Slot) -> Argument) {
        for part in &self.parts {
            match part {
                Part::Text(text) => sql.push(text),
                Part::Slot(slot) => sql.bind(bound(*slot)),
            };
        }
    }

    /// As it was written.
    pub fn text(&self) -> String {
        let words = self.parts.iter().map(|part| match part {
            Part::Text(text) => text.as_str(),
            Part::Slot(Slot::Cursor) => ":cursor",
            Part::Slot(Slot::Upper) => ":upper",
            Part::Slot(Slot::Lookback) => ":lookback",
        });
        words.collect()
    }
}

fn only_reads(query: &Query) -> Result<(), String> {
    if !query.locks.is_empty() {
        return Err("the query locks rows (FOR UPDATE, FOR SHARE); take that out".into());
    }
    for cte in query.with.iter().flat_map(|w| &w.cte_tables) {
        only_reads(&cte.query)?;
    }
    body_reads(&query.body)
}

fn body_reads(body: &SetExpr) -> Result<(), String> {
    match body {
        SetExpr::Select(select) if select.into.is_some() => {
            Err("the query writes a table (SELECT .. INTO); take that out".into())
        }
        SetExpr::Select(_) | SetExpr::Values(_) | SetExpr::Table(_) => Ok(()),
        SetExpr::Query(query) => only_reads(query),
        SetExpr::SetOperation { left, right, .. } => body_reads(left).and_then(|()| body_reads(right)),
        _ => Err("the query changes data; write one SELECT".into()),
    }
}

const WRITING: [&str; 20] = [
    "insert", "update", "delete", "merge", "replace", "into", "create", "alter", "drop", "truncate", "grant",
    "revoke", "call", "exec", "execute", "lock", "begin", "commit", "declare", "copy",
];

/// The judgement without a parser: begins like a SELECT and has no bare word that writes.
fn looks_like_reading(text: &str) -> Result<(), String> {
    let bare: String = bare_text(text);
    let mut words = bare
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|w| !w.is_empty())
        .map(str::to_ascii_lowercase);
    if !words.next().is_some_and(|w| w == "select" || w == "with") {
        return Err("the query does not begin with SELECT or WITH; write one SELECT".into());
    }
    match words.find(|w| WRITING.contains(&w.as_str())) {
        Some(word) => Err(format!(
            "the query has the word {word}; write one SELECT, and quote the name if it is a column's"
        )),
        None => Ok(()),
    }
}

/// Pieces of SQL text: code, and what is quoted or commented.
fn scan(text: &str, kind: Kind, mut piece: impl FnMut(bool, &str)) -> Result<(), String> {
    let bytes = text.as_bytes();
    let (mut at, mut start) = (0, 0);
    while at < bytes.len() {
        let end = match bytes[at] {
            quote @ (b'\'' | b'"' | b'`') => {
                let backslash = kind == Kind::MySql && quote != b'`';
                Some(
                    quoted_end(bytes, at, quote, backslash)
                        .ok_or("the query has a quote that does not close")?,
                )
            }
            b'-' if bytes[at..].starts_with(b"--") => Some(line_end(bytes, at)),
            b'#' if kind == Kind::MySql => Some(line_end(bytes, at)),
            b'/' if bytes[at..].starts_with(b"/*") => {
                let close = text[at + 2..]
                    .find("*/")
                    .ok_or("the query has a comment that does not close")?;
                Some(at + 2 + close + 2)
            }
            b'$' if kind == Kind::Postgres => dollar_end(text, at),
            _ => None,
        };
        match end {
            Some(end) => {
                piece(true, &text[start..at]);
                piece(false, &text[at..end]);
                (at, start) = (end, end);
            }
            None => at += 1,
        }
    }
    piece(true, &text[start..]);
    Ok(())
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..]
        .iter()
        .position(|b| *b == b'\n')
        .map_or(bytes.len(), |n| at + n)
}

fn quoted_end(bytes: &[u8], at: usize, quote: u8, backslash: bool) -> Option<usize> {
    let mut end = at + 1;
    loop {
        match bytes.get(end)? {
            b'\\' if backslash => end += 2,
            b if *b == quote && bytes.get(end + 1) == Some(&quote) => end += 2,
            b if *b == quote => return Some(end + 1),
            _ => end += 1,
        }
    }
}

/// `$tag$ .. $tag$`.
fn dollar_end(text: &str, at: usize) -> Option<usize> {
    let tag_end = text[at + 1..].find('$')? + at + 2;
    let tag = &text[at..tag_end];
    let inner = &tag[1..tag.len() - 1];
    if inner.starts_with(|c: char| c.is_ascii_digit())
        || !inner.chars().all(|c| c.is_alphanumeric() || c == '_')
    {
        return None;
    }
    Some(tag_end + text[tag_end..].find(tag)? + tag.len())
}

fn bare_text(text: &str) -> String {
    let mut bare = String::new();
    let _ = scan(text, Kind::Odbc, |is_code, piece| {
        if is_code {
            bare.push_str(piece);
        } else {
            bare.push(' ');
        }
    });
    bare
}

fn split(text: &str, kind: Kind) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut current = String::new();
    let mut ended = false;
    let mut trouble = None;
    scan(text, kind, |is_code, piece| {
        if !is_code {
            // A comment would swallow what is written behind the query.
            if piece.starts_with("--") || piece.starts_with("/*") || piece.starts_with('#') {
                current.push(' ');
            } else {
                current.push_str(piece);
            }
            return;
        }
        let mut rest = piece;
        while let Some(at) = rest.find([':', ';', '?']) {
            let (before, mark) = rest.split_at(at);
            if ended && !before.trim().is_empty() {
                trouble = Some("the query is more than one statement; write one SELECT".to_owned());
            }
            current.push_str(before);
            if let Some(after) = mark.strip_prefix(';') {
                ended = true;
                rest = after;
                continue;
            }
            if mark.starts_with('?') && kind != Kind::Postgres {
                trouble = Some("the query has a ?; write :cursor, :upper or :lookback".to_owned());
            }
            if mark.starts_with("::") || !mark.starts_with(':') {
                let width = if mark.starts_with("::") { 2 } else { 1 };
                current.push_str(&mark[..width]);
                rest = &mark[width..];
                continue;
            }
            let word_end = mark[1..]
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .map_or(mark.len(), |n| n + 1);
            let slot = match &mark[1..word_end] {
                "cursor" => Some(Slot::Cursor),
                "upper" => Some(Slot::Upper),
                "lookback" => Some(Slot::Lookback),
                "" => None,
                // An array's slice, a[1:n].
                _ if before.ends_with(|c: char| c.is_alphanumeric()) => None,
                other => {
                    trouble = Some(format!(
                        "the query has :{other}; there are :cursor, :upper and :lookback"
                    ));
                    None
                }
            };
            match slot {
                Some(slot) => {
                    parts.push(Part::Text(std::mem::take(&mut current)));
                    parts.push(Part::Slot(slot));
                    rest = &mark[word_end..];
                }
                None => {
                    current.push(':');
                    rest = &mark[1..];
                }
            }
        }
        if ended && !rest.trim().is_empty() {
            trouble = Some("the query is more than one statement; write one SELECT".to_owned());
        }
        current.push_str(rest);
    })?;
    parts.push(Part::Text(current));
    trouble.map_or(Ok(parts), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str, kind: Kind) -> String {
        let mut sql = Sql::new(kind);
        Template::parse(text, kind)
            .unwrap()
            .write(&mut sql, |_| Argument::Number(1));
        sql.text
    }

    #[test]
    fn slots_become_parameters_and_only_outside_of_quotes() {
        let text = "select a::text, ':cursor' from t where b >= :cursor and c < :upper -- :cursor\n;";
        assert_eq!(
            rendered(text, Kind::Postgres),
            "select a::text, ':cursor' from t where b >= $1 and c < $2  \n"
        );
        assert_eq!(
            rendered(
                "select `:upper` from t where b > :cursor - :lookback",
                Kind::MySql
            ),
            "select `:upper` from t where b > ? - ?"
        );
        assert_eq!(
            rendered("select $x$ :cursor ; $x$ from t", Kind::Postgres),
            "select $x$ :cursor ; $x$ from t"
        );
        assert_eq!(
            rendered(r"select 'it\'s :cursor' from t", Kind::MySql),
            r"select 'it\'s :cursor' from t"
        );
    }

    #[test]
    fn only_one_reading_select_passes() {
        for (text, word) in [
            ("delete from t", "DELETE"),
            ("select 1; drop table t", "more than one"),
            (
                "with x as (delete from t returning *) select * from x",
                "changes data",
            ),
            ("select * into u from t", "INTO"),
            ("select * from t for update", "locks"),
            ("select * from t where a = :since", ":since"),
            ("", "empty"),
            ("select 'a", "quote"),
            ("explain select 1", "EXPLAIN"),
        ] {
            let error = Template::parse(text, Kind::Postgres).unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
        for text in [
            "select * from t;",
            "with x as (select 1 a) select * from x union all select 2",
            "(select 1)",
            "select \"update\" from t",
            "select count(*) filter (where a) from t",
        ] {
            Template::parse(text, Kind::Postgres).unwrap();
        }
    }

    #[test]
    fn syntax_that_only_a_vendor_knows_is_judged_by_its_words() {
        let outer = "select a.x from a, b where a.id = b.id(+) and b.\"delete\" = 'drop'";
        assert!(Parser::parse_sql(&GenericDialect {}, outer).is_err());
        Template::parse(outer, Kind::Odbc).unwrap();
        let error =
            Template::parse("select f(a) from a, b where a.id = b.id(+) into c", Kind::Odbc).unwrap_err();
        assert!(error.contains("into"), "{error}");
    }
}
