//! Holds exported alerts against the truth: what was missed, who was wrongly accused, what came that
//! nobody planted.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::BufRead;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::truth::{RowKey, Truth};

/// The part of an exported alert that is scored.
#[derive(Debug, Deserialize)]
struct Alert {
    #[serde(default)]
    alert_id: String,
    rule_id: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    evidence: Vec<Evidence>,
}

#[derive(Debug, Deserialize)]
struct Evidence {
    dataset: String,
    key: Map<String, Value>,
}

/// A violation without an alert of its rule that names all its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    pub rule: String,
    pub variant: String,
    /// The rows that no alert of the rule names.
    pub rows: Vec<String>,
}

/// An alert whose evidence names a row of a lawful near miss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accused {
    pub rule: String,
    pub alert_id: String,
    pub near: String,
    pub variant: String,
    pub row: String,
}

/// An alert that names no planted row of its rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unexpected {
    pub rule: String,
    pub alert_id: String,
    /// Up to five rows of its evidence.
    pub rows: Vec<String>,
}

/// One rule's counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RuleScore {
    pub planted: usize,
    pub missed: usize,
    /// Near misses of this rule.
    pub decoys: usize,
    /// Alerts of this rule that accuse a near miss of any rule.
    pub accused: usize,
    pub alerts: usize,
    pub unexpected: usize,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Score {
    pub missed: Vec<Missed>,
    pub accused: Vec<Accused>,
    pub unexpected: Vec<Unexpected>,
    pub rules: BTreeMap<String, RuleScore>,
}

impl Score {
    /// Nothing missed, nobody accused, nothing unexpected.
    pub fn is_perfect(&self) -> bool {
        self.missed.is_empty() && self.accused.is_empty() && self.unexpected.is_empty()
    }
}

/// `dataset(column=value, ...)`, columns in alphabetical order.
fn row_text(dataset: &str, key: &Map<String, Value>) -> String {
    let mut parts: Vec<String> = key
        .iter()
        .map(|(column, value)| match value {
            Value::String(text) => format!("{column}={text}"),
            other => format!("{column}={other}"),
        })
        .collect();
    parts.sort();
    format!("{dataset}({})", parts.join(", "))
}

fn text_of(row: &RowKey) -> String {
    row_text(&row.dataset, &row.key)
}

/// Scores exported alerts, one JSON object a line. Alerts that are CLEARED or WITHDRAWN do not count.
///
/// # Errors
/// When a line cannot be read or is no alert.
pub fn score(truth: &Truth, alerts: impl BufRead) -> Result<Score, Error> {
    let mut result = Score::default();
    let mut decoys: HashMap<String, Vec<(&str, &str)>> = HashMap::new();
    for decoy in &truth.decoys {
        result.rules.entry(decoy.near.clone()).or_default().decoys += 1;
        for row in &decoy.rows {
            decoys
                .entry(text_of(row))
                .or_default()
                .push((&decoy.near, &decoy.variant));
        }
    }
    let mut expected: HashSet<(&str, String)> = HashSet::new();
    for planted in &truth.planted {
        result.rules.entry(planted.rule.clone()).or_default().planted += 1;
        expected.extend(
            planted
                .rows
                .iter()
                .map(|row| (planted.rule.as_str(), text_of(row))),
        );
    }
    let allowed: HashSet<(&str, String)> = truth
        .allowed
        .iter()
        .flat_map(|a| a.rows.iter().map(|row| (a.rule.as_str(), text_of(row))))
        .collect();

    let mut named: HashMap<String, HashSet<String>> = HashMap::new();
    for (number, line) in alerts.lines().enumerate() {
        let line = line.map_err(|e| Error::Alerts {
            line: number + 1,
            source: e,
        })?;
        if line.trim().is_empty() {
            continue;
        }
        let alert: Alert = serde_json::from_str(&line).map_err(|e| Error::Alert {
            line: number + 1,
            source: e,
        })?;
        if matches!(alert.state.as_str(), "CLEARED" | "WITHDRAWN") {
            continue;
        }
        let rows: BTreeSet<String> = alert
            .evidence
            .iter()
            .map(|e| row_text(&e.dataset, &e.key))
            .collect();
        let counts = result.rules.entry(alert.rule_id.clone()).or_default();
        counts.alerts += 1;
        let rule = alert.rule_id.as_str();
        let is_known =
            |row: &String| expected.contains(&(rule, row.clone())) || allowed.contains(&(rule, row.clone()));
        if !rows.iter().any(is_known) {
            counts.unexpected += 1;
            result.unexpected.push(Unexpected {
                rule: alert.rule_id.clone(),
                alert_id: alert.alert_id.clone(),
                rows: rows.iter().take(5).cloned().collect(),
            });
        }
        let accused = rows.iter().find_map(|row| {
            let (near, variant) = decoys.get(row)?.first()?;
            (!allowed.contains(&(rule, row.clone()))).then_some((row, near, variant))
        });
        if let Some((row, near, variant)) = accused {
            counts.accused += 1;
            result.accused.push(Accused {
                rule: alert.rule_id.clone(),
                alert_id: alert.alert_id.clone(),
                near: (*near).to_owned(),
                variant: (*variant).to_owned(),
                row: row.clone(),
            });
        }
        named.entry(alert.rule_id).or_default().extend(rows);
    }

    let none = HashSet::new();
    for planted in &truth.planted {
        let seen = named.get(&planted.rule).unwrap_or(&none);
        let rows: Vec<String> = planted
            .rows
            .iter()
            .map(text_of)
            .filter(|row| !seen.contains(row))
            .collect();
        if !rows.is_empty() {
            result.rules.entry(planted.rule.clone()).or_default().missed += 1;
            result.missed.push(Missed {
                rule: planted.rule.clone(),
                variant: planted.variant.clone(),
                rows,
            });
        }
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::truth::{Allowed, Decoy, Planted};

    fn truth() -> Truth {
        Truth {
            as_of: "2025-01-31".to_owned(),
            planted: vec![Planted {
                rule: "OFF-01".to_owned(),
                variant: "ghost_order".to_owned(),
                rows: vec![RowKey::line("A", 1), RowKey::line("A", 2)],
                note: String::new(),
            }],
            decoys: vec![Decoy {
                near: "OFF-01".to_owned(),
                variant: "filed".to_owned(),
                rows: vec![RowKey::line("B", 1)],
                note: String::new(),
            }],
            allowed: vec![Allowed {
                rule: "SUP-01".to_owned(),
                rows: vec![RowKey::line("B", 1)],
                note: String::new(),
            }],
            ..Truth::default()
        }
    }

    fn alert(rule: &str, rows: &[(&str, &str)]) -> String {
        let evidence: Vec<Value> = rows
            .iter()
            .map(|(order, line)| {
                serde_json::json!({"dataset": "purchase_orders", "key": {"line_no": line, "order_id": order}})
            })
            .collect();
        serde_json::json!({"alert_id": "x", "rule_id": rule, "state": "OPEN", "evidence": evidence})
            .to_string()
    }

    fn check(lines: &[String]) -> Score {
        score(&truth(), lines.join("\n").as_bytes()).unwrap()
    }

    #[test]
    fn all_rows_must_be_named_by_the_rule() {
        assert!(check(&[alert("OFF-01", &[("A", "1")]), alert("OFF-01", &[("A", "2")])]).is_perfect());
        let half = check(&[alert("OFF-01", &[("A", "1")])]);
        assert_eq!(half.missed[0].rows, ["purchase_orders(line_no=2, order_id=A)"]);
        let other_rule = check(&[alert("PRC-03", &[("A", "1"), ("A", "2")])]);
        assert_eq!((other_rule.missed.len(), other_rule.unexpected.len()), (1, 1));
    }

    #[test]
    fn near_misses_must_stay_out_of_all_evidence_unless_allowed() {
        let found = alert("OFF-01", &[("A", "1"), ("A", "2"), ("B", "1")]);
        assert_eq!(check(&[found]).accused[0].variant, "filed");
        let whole = alert("OFF-01", &[("A", "1"), ("A", "2")]);
        assert!(check(&[whole.clone(), alert("SUP-01", &[("B", "1")])]).is_perfect());
        let stray = check(&[whole, alert("OFF-02", &[("C", "1")])]);
        assert_eq!(stray.rules["OFF-02"].unexpected, 1);
    }

    #[test]
    fn cleared_alerts_do_not_count_and_broken_lines_are_told() {
        let cleared = alert("OFF-02", &[("C", "1")]).replace("OPEN", "CLEARED");
        assert!(check(&[cleared]).unexpected.is_empty());
        assert!(matches!(
            score(&truth(), "{".as_bytes()),
            Err(Error::Alert { line: 1, .. })
        ));
    }
}
