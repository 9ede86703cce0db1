//! Filters of lists and watches: a subset of AIP-160, parsed once and matched in memory.
//!
//! One implementation serves both, on both stores, so that a list and a watch never differ.
//!
//! ```text
//! filter  = [ expr ]
//! expr    = any { "AND" any }             as in AIP-160, OR binds closer than AND
//! any     = one { "OR" one }
//! one     = [ "NOT" | "-" ] ( "(" expr ")" | field op value )
//! op      = "=" | "!=" | "<" | "<=" | ">" | ">=" | ":"
//! value   = word | "quoted" | 'quoted'    a backslash keeps the next character
//! ```
//!
//! | field | values | operators |
//! |---|---|---|
//! | `alert_id`, `rule_id`, `hospital_id`, `supplier`, `subject.ROLE`, `identity.COLUMN` | text; `=` takes `*` at either end for "anything" | all; `<` and so on by character |
//! | `text` | text anywhere in message, subject and identity | `:` |
//! | `severity` | LOW, MEDIUM, HIGH, in this order | all but `:` |
//! | `state` | OPEN, CLEARED, STALE, WITHDRAWN, CLOSED | `=`, `!=` |
//! | `first_seen`, `last_seen` | YYYY-MM-DD | all but `:` |
//! | `amount_at_risk` | decimal, CNY | all but `:` |
//!
//! `:` finds part of a text, whatever the case of Latin letters; `field:*` means that the field has a value.
//! `supplier` is any subject role with that word in it (`supplier_key`, `other_supplier_name`). A field without a value (or with several)
//! matches `!=` when nothing of it equals, and any other operator when something of it matches.

mod parse;

use chrono::NaiveDate;
use domain::Value;
use domain::alert::AlertState;
use domain::rule::Severity;
use rust_decimal::Decimal;

use crate::error::Result;
use crate::store::content::Facts;

/// A parsed filter; the empty one matches everything.
#[derive(Debug, Clone)]
pub struct Filter {
    text: String,
    expr: Option<Expr>,
}

#[derive(Debug, Clone, PartialEq)]
enum Expr {
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Compare(Compare),
}

#[derive(Debug, Clone, PartialEq)]
enum Compare {
    Text { field: TextField, test: TextTest },
    Severity { op: Order, value: Severity },
    State { equal: bool, value: AlertState },
    Date { last: bool, op: Order, value: NaiveDate },
    Amount { op: Order, value: Decimal },
    AmountPresent,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum TextField {
    AlertId,
    RuleId,
    HospitalId,
    Supplier,
    Subject(String),
    Identity(String),
    Anywhere,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum TextTest {
    /// `=`, or `!=` when `negated`; `*` may stand for anything before or after.
    Equal {
        negated: bool,
        value: String,
        open_start: bool,
        open_end: bool,
    },
    Order {
        op: Order,
        value: String,
    },
    /// Lower case.
    Contains(String),
    Present,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What a filter looks at: an alert as it is or as it was after an event.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    pub alert_id: &'a str,
    pub rule_id: &'a str,
    pub state: AlertState,
    pub first_seen: NaiveDate,
    pub last_seen: NaiveDate,
    pub facts: &'a Facts,
}

// === impl Filter ===

impl Filter {
    /// Parses; errors name the character (from 1).
    pub fn parse(text: &str) -> Result<Self> {
        let trimmed = text.trim();
        let expr = if trimmed.is_empty() {
            None
        } else {
            Some(parse::parse(text)?)
        };
        Ok(Self {
            text: trimmed.to_owned(),
            expr,
        })
    }

    /// The text, trimmed: what tokens are bound to.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn is_empty(&self) -> bool {
        self.expr.is_none()
    }

    pub fn matches(&self, candidate: &Candidate<'_>) -> bool {
        self.expr.as_ref().is_none_or(|expr| expr.matches(candidate))
    }
}

impl Expr {
    fn matches(&self, c: &Candidate<'_>) -> bool {
        match self {
            Expr::And(all) => all.iter().all(|e| e.matches(c)),
            Expr::Or(any) => any.iter().any(|e| e.matches(c)),
            Expr::Not(e) => !e.matches(c),
            Expr::Compare(compare) => compare.matches(c),
        }
    }
}

impl Compare {
    fn matches(&self, c: &Candidate<'_>) -> bool {
        match self {
            Compare::Text { field, test } => test.matches(&field.values(c)),
            Compare::Severity { op, value } => op.holds(&c.facts.severity, value),
            Compare::State { equal, value } => (c.state == *value) == *equal,
            Compare::Date { last, op, value } => {
                op.holds(if *last { &c.last_seen } else { &c.first_seen }, value)
            }
            Compare::Amount { op, value } => match amount(c) {
                Some(amount) => op.holds(&amount, value),
                None => *op == Order::NotEqual,
            },
            Compare::AmountPresent => c.facts.amount_at_risk.is_some(),
        }
    }
}

fn amount(c: &Candidate<'_>) -> Option<Decimal> {
    c.facts
        .amount_at_risk
        .as_deref()
        .and_then(|text| text.parse().ok())
}

impl TextField {
    fn values(&self, c: &Candidate<'_>) -> Vec<String> {
        let mut values = Vec::new();
        match self {
            TextField::AlertId => values.push(c.alert_id.to_owned()),
            TextField::RuleId => values.push(c.rule_id.to_owned()),
            TextField::HospitalId => values.extend(c.facts.hospital_id.clone()),
            TextField::Supplier => {
                for (role, value) in &c.facts.subject {
                    if role.split('_').any(|word| word == "supplier") {
                        flatten(value, &mut values);
                    }
                }
            }
            TextField::Subject(role) => {
                c.facts
                    .subject
                    .get(role)
                    .into_iter()
                    .for_each(|v| flatten(v, &mut values));
            }
            TextField::Identity(column) => {
                c.facts
                    .identity
                    .get(column)
                    .into_iter()
                    .for_each(|v| flatten(v, &mut values));
            }
            TextField::Anywhere => {
                values.extend([c.facts.message.zh.clone(), c.facts.message.en.clone()]);
                c.facts.subject.values().for_each(|v| flatten(v, &mut values));
                c.facts.identity.values().for_each(|v| flatten(v, &mut values));
            }
        }
        values
    }
}

fn flatten(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::List(items) => items.iter().for_each(|v| flatten(v, out)),
        Value::Map(map) => map.values().for_each(|v| flatten(v, out)),
        Value::Bool(_) | Value::Int(_) | Value::Text(_) => out.push(value.to_string()),
    }
}

impl TextTest {
    fn matches(&self, values: &[String]) -> bool {
        match self {
            TextTest::Equal {
                negated,
                value,
                open_start,
                open_end,
            } => {
                let equal = values.iter().any(|v| match (open_start, open_end) {
                    (false, false) => v == value,
                    (false, true) => v.starts_with(value.as_str()),
                    (true, false) => v.ends_with(value.as_str()),
                    (true, true) => v.contains(value.as_str()),
                });
                equal != *negated
            }
            TextTest::Order { op, value } => values.iter().any(|v| op.holds(v, value)),
            TextTest::Contains(part) => values.iter().any(|v| v.to_lowercase().contains(part.as_str())),
            TextTest::Present => !values.is_empty(),
        }
    }
}

impl Order {
    fn holds<T: Ord>(self, left: &T, right: &T) -> bool {
        match self {
            Order::Equal => left == right,
            Order::NotEqual => left != right,
            Order::Less => left < right,
            Order::LessOrEqual => left <= right,
            Order::Greater => left > right,
            Order::GreaterOrEqual => left >= right,
        }
    }
}

#[cfg(test)]
mod tests;
