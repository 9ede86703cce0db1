//! Parameters: defaults of the rule, overrides of the run, and the typed literals they become.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use datafusion::sql::parser::DFParser;
use datafusion::sql::sqlparser::ast::Expr;
use domain::Value;

use crate::error::{CollisionError, Result};

/// The rule's parameters with the run's over them. An unknown name is an error, and so is a value of another kind than
/// the default's, or a negative one where the default is none.
pub fn in_force(
    rule: &str,
    defaults: &BTreeMap<String, Value>,
    overrides: &BTreeMap<String, Value>,
) -> Result<BTreeMap<String, Value>> {
    let mut params = defaults.clone();
    for (name, value) in overrides {
        let slot = params
            .get_mut(name)
            .ok_or_else(|| CollisionError::NoSuchParameter {
                rule: rule.to_owned(),
                name: name.clone(),
                known: if defaults.is_empty() {
                    "none".into()
                } else {
                    defaults.keys().cloned().collect::<Vec<_>>().join(", ")
                },
            })?;
        let value = as_default(slot, value);
        if let Some(problem) = misfit(slot, &value) {
            return Err(bad(name, &problem));
        }
        *slot = value;
    }
    Ok(params)
}

/// One value where the default is a list is a list of it, and digits where it is text are text.
fn as_default(default: &Value, value: &Value) -> Value {
    match (default, value) {
        (Value::List(items), Value::Int(_) | Value::Text(_) | Value::Bool(_)) => {
            let one = items
                .first()
                .map_or_else(|| value.clone(), |item| as_default(item, value));
            Value::List(vec![one])
        }
        (Value::Text(own), Value::Int(n)) if text_kind(own) == TextKind::Text => Value::text(n.to_string()),
        _ => value.clone(),
    }
}

/// Why `value` cannot stand for `default`.
fn misfit(default: &Value, value: &Value) -> Option<String> {
    let wrong = |kind: &str| Some(format!("{value} is no {kind}; the rule's own value is {default}"));
    match (default, value) {
        (Value::List(own), Value::List(given)) => {
            return own
                .first()
                .and_then(|own| given.iter().find_map(|value| misfit(own, value)));
        }
        (Value::Int(_), Value::Int(_)) | (Value::Bool(_), Value::Bool(_)) => {}
        (Value::Int(_), _) => return wrong("whole number"),
        (Value::Bool(_), _) => return wrong("truth value"),
        (Value::List(_), _) => return wrong("list"),
        (Value::Text(own), given) => match (text_kind(own), given) {
            (TextKind::Decimal(..), Value::Int(_)) => {}
            (TextKind::Decimal(..), Value::Text(text))
                if matches!(text_kind(text), TextKind::Decimal(..)) => {}
            (TextKind::Date(_), Value::Text(text)) if matches!(text_kind(text), TextKind::Date(_)) => {}
            (TextKind::Text, Value::Text(_)) => {}
            (TextKind::Decimal(..), _) => return wrong("decimal number"),
            (TextKind::Date(_), _) => return wrong("date, as YYYY-MM-DD"),
            (TextKind::Text, _) => return wrong("text"),
        },
        _ => {}
    }
    let is_negative = |value: &Value| match value {
        Value::Int(n) => *n < 0,
        Value::Text(text) => text.starts_with('-') && matches!(text_kind(text), TextKind::Decimal(..)),
        _ => false,
    };
    (is_negative(value) && !is_negative(default))
        .then(|| format!("{value} is negative; the rule's own value is {default}"))
}

/// Literals by name: each parameter (a list gives several), and `as_of`.
pub fn literals(params: &BTreeMap<String, Value>, as_of: NaiveDate) -> Result<BTreeMap<String, Vec<Expr>>> {
    let mut out = BTreeMap::new();
    for (name, value) in params {
        let values = match value {
            Value::List(items) if items.is_empty() => {
                return Err(bad(name, "an empty list cannot be compared with"));
            }
            Value::List(items) => items
                .iter()
                .map(|v| literal(name, v))
                .collect::<Result<Vec<_>>>()?,
            one => vec![literal(name, one)?],
        };
        out.insert(name.clone(), values);
    }
    out.insert(
        "as_of".into(),
        vec![literal("as_of", &Value::Text(as_of.to_string()))?],
    );
    Ok(out)
}

/// How a parameter's text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextKind {
    /// Precision and scale, as written.
    Decimal(usize, usize),
    Date(NaiveDate),
    Text,
}

/// A text of the form `0.05` is a decimal, of the form `2024-01-01` a date, anything else text.
pub fn text_kind(text: &str) -> TextKind {
    if text.len() == 10
        && let Ok(date) = text.parse::<NaiveDate>()
    {
        return TextKind::Date(date);
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    if let Some((whole, part)) = digits.split_once('.')
        && !whole.is_empty()
        && !part.is_empty()
        && whole.bytes().chain(part.bytes()).all(|b| b.is_ascii_digit())
    {
        return TextKind::Decimal(whole.len() + part.len(), part.len());
    }
    TextKind::Text
}

fn bad(name: &str, problem: &str) -> CollisionError {
    CollisionError::BadParameter {
        name: name.to_owned(),
        problem: problem.to_owned(),
    }
}

fn literal(name: &str, value: &Value) -> Result<Expr> {
    let sql = match value {
        Value::Bool(b) => b.to_string(),
        // Parenthesised by the cast, so that `x - $n` with a negative n stays right.
        Value::Int(i) => format!("cast('{i}' as bigint)"),
        Value::Text(text) => match text_kind(text) {
            TextKind::Date(date) => format!("date '{date}'"),
            TextKind::Decimal(precision, _) if precision > 38 => {
                return Err(bad(name, "a decimal has at most 38 digits"));
            }
            TextKind::Decimal(precision, scale) => format!("cast('{text}' as decimal({precision}, {scale}))"),
            TextKind::Text => format!("'{}'", text.replace('\'', "''")),
        },
        Value::Null => return Err(bad(name, "null is no value to compare with")),
        Value::List(_) | Value::Map(_) => return Err(bad(name, "a list may hold plain values only")),
    };
    DFParser::parse_sql_into_expr(&sql)
        .map(|e| e.expr)
        .map_err(|e| bad(name, &e.strip_backtrace()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_typed_by_its_form() {
        assert_eq!(text_kind("0.05"), TextKind::Decimal(3, 2));
        assert_eq!(text_kind("-1000000.00"), TextKind::Decimal(9, 2));
        assert_eq!(
            text_kind("2024-01-01"),
            TextKind::Date(NaiveDate::from_ymd_opt(2024, 1, 1).unwrap())
        );
        for text in ["440100", "2024-02-30", "1.2.3", ".5", "emergency", "2024-1-1"] {
            assert_eq!(text_kind(text), TextKind::Text, "{text}");
        }
    }

    #[test]
    fn an_override_is_of_the_kind_of_the_default() {
        let defaults = BTreeMap::from([
            ("days".to_owned(), Value::Int(90)),
            ("share".to_owned(), Value::text("0.05")),
            ("since".to_owned(), Value::text("2024-01-01")),
            ("floor".to_owned(), Value::text("-1.5")),
            ("channels".to_owned(), Value::List(vec![Value::text("a")])),
        ]);
        let given =
            |name: &str, value: Value| in_force("R", &defaults, &BTreeMap::from([(name.to_owned(), value)]));
        for (name, value) in [
            ("days", Value::Int(0)),
            ("share", Value::text("0.10")),
            ("share", Value::Int(1)),
            ("since", Value::text("2025-02-28")),
            ("floor", Value::text("-2.0")),
            ("channels", Value::List(vec![Value::text("b")])),
        ] {
            assert_eq!(given(name, value.clone()).unwrap()[name], value);
        }
        let one = |text: &str| Value::List(vec![Value::text(text)]);
        assert_eq!(given("channels", Value::text("b")).unwrap()["channels"], one("b"));
        assert_eq!(
            given("channels", Value::Int(440100)).unwrap()["channels"],
            one("440100")
        );
        for (name, value, told) in [
            ("days", Value::text("abc"), "whole number"),
            ("days", Value::Int(-5), "negative"),
            ("share", Value::text("x"), "decimal"),
            ("share", Value::text("-0.1"), "negative"),
            ("since", Value::text("2025-02-30"), "date"),
            ("channels", Value::List(vec![Value::Bool(true)]), "text"),
        ] {
            let error = given(name, value).unwrap_err().to_string();
            assert!(error.contains(told) && error.contains(name), "{error}");
        }
    }

    #[test]
    fn an_unknown_override_is_an_error_that_names_what_there_is() {
        let defaults = BTreeMap::from([("window_days".to_string(), Value::Int(90))]);
        let error = in_force(
            "TEN-04",
            &defaults,
            &BTreeMap::from([("window".into(), Value::Int(1))]),
        )
        .unwrap_err();
        assert!(error.to_string().contains("window_days"), "{error}");
    }
}
