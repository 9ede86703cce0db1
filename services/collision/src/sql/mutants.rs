//! Small wrong versions of a query: each comparison flipped, each condition dropped, each literal shifted.
//!
//! The n-th place that can be changed is found by walking the syntax tree in its one fixed order, so a
//! mutant is named by what it changes and is the same on every machine.

use std::ops::ControlFlow;

use chrono::{Datelike, Days, NaiveDate};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Statement as SqlStatement, UnaryOperator, Value as SqlValue, VisitMut, VisitorMut,
};

use super::Query;
use super::params::{TextKind, text_kind};

/// A changed query and what was changed.
#[derive(Debug, Clone)]
pub struct Mutant {
    pub change: String,
    pub query: Query,
}

/// Every mutant of a query, in the order of its text.
pub fn of(query: &Query) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    loop {
        let mut change = None;
        let changed = query.edited(|statement| change = mutate(statement, mutants.len()));
        match change {
            Some(change) => mutants.push(Mutant {
                change,
                query: changed,
            }),
            None => return mutants,
        }
    }
}

/// Makes the n-th change; `None` when there are fewer.
fn mutate(statement: &mut SqlStatement, n: usize) -> Option<String> {
    let mut mutator = Mutator { left: n };
    match statement.visit(&mut mutator) {
        ControlFlow::Break(change) => Some(change),
        ControlFlow::Continue(()) => None,
    }
}

struct Mutator {
    left: usize,
}

impl VisitorMut for Mutator {
    type Break = String;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<String> {
        // The text inside `interval '90 days'` is no literal of its own.
        let choices = choices(expr);
        if self.left < choices.len() {
            let changed = choices.into_iter().nth(self.left).unwrap_or_else(|| expr.clone());
            let said = format!("{} -> {}", short(expr), short(&changed));
            *expr = changed;
            return ControlFlow::Break(said);
        }
        self.left -= choices.len();
        ControlFlow::Continue(())
    }
}

fn short(expr: &Expr) -> String {
    let text = expr.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(100) {
        Some((cut, _)) => format!("{}...", &text[..cut]),
        None => text,
    }
}

/// The wrong versions of one expression, its parts left as they are.
fn choices(expr: &Expr) -> Vec<Expr> {
    match expr {
        Expr::BinaryOp { left, op, right } => {
            let with = |op: BinaryOperator| Expr::BinaryOp {
                left: left.clone(),
                op,
                right: right.clone(),
            };
            match op {
                BinaryOperator::Gt => vec![with(BinaryOperator::GtEq), with(BinaryOperator::LtEq)],
                BinaryOperator::GtEq => vec![with(BinaryOperator::Gt), with(BinaryOperator::Lt)],
                BinaryOperator::Lt => vec![with(BinaryOperator::LtEq), with(BinaryOperator::GtEq)],
                BinaryOperator::LtEq => vec![with(BinaryOperator::Lt), with(BinaryOperator::Gt)],
                BinaryOperator::Eq => vec![with(BinaryOperator::NotEq)],
                BinaryOperator::NotEq => vec![with(BinaryOperator::Eq)],
                BinaryOperator::And | BinaryOperator::Or => {
                    vec![left.as_ref().clone(), right.as_ref().clone()]
                }
                _ => Vec::new(),
            }
        }
        Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr,
        } => vec![expr.as_ref().clone()],
        Expr::IsNull(inner) => vec![Expr::IsNotNull(inner.clone())],
        Expr::IsNotNull(inner) => vec![Expr::IsNull(inner.clone())],
        Expr::InList { expr, list, negated } => {
            let mut choices = vec![Expr::InList {
                expr: expr.clone(),
                list: list.clone(),
                negated: !negated,
            }];
            if list.len() > 1 {
                choices.extend((0..list.len()).map(|n| {
                    let mut list = list.clone();
                    list.remove(n);
                    Expr::InList {
                        expr: expr.clone(),
                        list,
                        negated: *negated,
                    }
                }));
            }
            choices
        }
        Expr::InSubquery {
            expr,
            subquery,
            negated,
        } => {
            vec![Expr::InSubquery {
                expr: expr.clone(),
                subquery: subquery.clone(),
                negated: !negated,
            }]
        }
        Expr::Exists { subquery, negated } => vec![Expr::Exists {
            subquery: subquery.clone(),
            negated: !negated,
        }],
        Expr::Between {
            expr,
            negated,
            low,
            high,
        } => vec![Expr::Between {
            expr: expr.clone(),
            negated: !negated,
            low: low.clone(),
            high: high.clone(),
        }],
        Expr::Value(value) => {
            let with = |new: SqlValue| Expr::Value(new.into());
            match &value.value {
                SqlValue::Number(text, long) => shifted_number(text)
                    .into_iter()
                    .map(|t| with(SqlValue::Number(t, *long)))
                    .collect(),
                SqlValue::Boolean(b) => vec![with(SqlValue::Boolean(!b))],
                _ => Vec::new(),
            }
        }
        Expr::TypedString(typed) => match &typed.value.value {
            SqlValue::SingleQuotedString(text) => shifted_date(text)
                .into_iter()
                .map(|day| {
                    let mut typed = typed.clone();
                    typed.value = SqlValue::SingleQuotedString(day).into();
                    Expr::TypedString(typed)
                })
                .collect(),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// A number one unit of its last place up and down.
pub fn shifted_number(text: &str) -> Vec<String> {
    let Ok(digits) = text.replace('.', "").parse::<i128>() else {
        return Vec::new();
    };
    let places = text.split_once('.').map_or(0, |(_, part)| part.len());
    [digits + 1, digits - 1]
        .into_iter()
        .map(|n| {
            let sign = if n < 0 { "-" } else { "" };
            let padded = format!("{:0>width$}", n.unsigned_abs(), width = places + 1);
            let (whole, part) = padded.split_at(padded.len() - places);
            if places == 0 {
                format!("{sign}{whole}")
            } else {
                format!("{sign}{whole}.{part}")
            }
        })
        .collect()
}

/// A date one day later and earlier. Dates that stand for "always" or "never" stay as they are.
fn shifted_date(text: &str) -> Vec<String> {
    let TextKind::Date(day) = text_kind(text) else {
        return Vec::new();
    };
    if !(1950..2150).contains(&day.year()) {
        return Vec::new();
    }
    neighbours(day).into_iter().map(|d| d.to_string()).collect()
}

/// The day after and the day before.
pub fn neighbours(day: NaiveDate) -> Vec<NaiveDate> {
    [
        day.checked_add_days(Days::new(1)),
        day.checked_sub_days(Days::new(1)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_changed_once_in_order() {
        let query = Query::parse(
            "select * from t where a > 1.50 and not b and c is null and d in ('x', 'y') and e >= date '2024-01-01'",
            false,
        )
        .unwrap();
        let changes: Vec<String> = of(&query).into_iter().map(|m| m.change).collect();
        for want in [
            "a > 1.50 -> a >= 1.50",
            "a > 1.50 -> a <= 1.50",
            "1.50 -> 1.51",
            "1.50 -> 1.49",
            "NOT b -> b",
            "c IS NULL -> c IS NOT NULL",
            "d IN ('x', 'y') -> d NOT IN ('x', 'y')",
            "d IN ('x', 'y') -> d IN ('y')",
            "DATE '2024-01-01' -> DATE '2023-12-31'",
        ] {
            assert_eq!(
                changes.iter().filter(|c| *c == want).count(),
                1,
                "{want} in {changes:#?}"
            );
        }
    }

    #[test]
    fn numbers_keep_their_places() {
        assert_eq!(shifted_number("0.05"), ["0.06", "0.04"]);
        assert_eq!(shifted_number("0.00"), ["0.01", "-0.01"]);
        assert_eq!(shifted_number("90"), ["91", "89"]);
        assert_eq!(shifted_number("9.99"), ["10.00", "9.98"]);
    }
}
