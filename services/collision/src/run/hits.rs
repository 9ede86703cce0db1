//! From a rule's output rows to hits: identity, subject, message, path and the keys of the evidence.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use domain::rule::{EvidenceSpec, RuleSpec};
use domain::{Bilingual, Value};

use crate::error::{CollisionError, Result};
use crate::values::{has_float, value_at};

/// A row of a dataset: its name and its key's texts in key order.
pub type RowKey = (String, Vec<String>);

/// A hit whose evidence rows are not fetched yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawHit {
    pub identity: Vec<Value>,
    pub subject: BTreeMap<String, Value>,
    pub amount_at_risk: Option<String>,
    pub message: Bilingual,
    pub path: Vec<Value>,
    pub evidence: BTreeSet<RowKey>,
}

impl RawHit {
    /// What decides between two rows of one identity.
    fn rank(&self) -> (&str, &str, &Option<String>, &BTreeMap<String, Value>, &Vec<Value>) {
        (
            &self.message.zh,
            &self.message.en,
            &self.amount_at_risk,
            &self.subject,
            &self.path,
        )
    }

    /// One hit of two rows with one identity, whichever came first: the lesser row, the evidence of both.
    fn merge(&mut self, mut other: RawHit, evidence_rows_max: usize) {
        if other.rank() < self.rank() {
            std::mem::swap(self, &mut other);
        }
        self.evidence.append(&mut other.evidence);
        while self.evidence.len() > evidence_rows_max {
            self.evidence.pop_last();
        }
    }
}

/// Gathers the hits of a rule from its rows, which come sorted by identity.
#[derive(Debug)]
pub struct Collector<'a> {
    rule: &'a RuleSpec,
    evidence_rows_max: usize,
    pub hits: Vec<RawHit>,
    /// Identities beyond the rule's cap.
    pub capped: u64,
    last_capped: Option<Vec<Value>>,
    /// Identities that more than one row had (the first few).
    pub repeated: Vec<Vec<Value>>,
}

/// Checks that the output has every column that the front matter speaks of, and no float.
pub fn check_schema(rule: &RuleSpec, schema: &SchemaRef) -> std::result::Result<(), Vec<String>> {
    let mut problems = Vec::new();
    let mut need = |column: &str, what: &str| {
        if schema.field_with_name(column).is_err() {
            problems.push(format!(
                "{what} names the column {column}, which the select does not give"
            ));
        }
    };
    rule.identity.iter().for_each(|c| need(c, "identity"));
    rule.subject.values().for_each(|c| need(c, "subject"));
    rule.evidence.iter().for_each(|e| need(&e.column, "evidence"));
    rule.amount_at_risk.iter().for_each(|c| need(c, "amount_at_risk"));
    rule.path.iter().for_each(|c| need(c, "path"));
    for text in [&rule.message.zh, &rule.message.en] {
        placeholders(text).for_each(|c| need(c, "message"));
    }
    for field in schema.fields() {
        if has_float(field.data_type()) {
            problems.push(format!(
                "the column {} is a binary float; cast it to a decimal",
                field.name()
            ));
        }
    }
    if let Some(field) = rule
        .amount_at_risk
        .as_ref()
        .and_then(|c| schema.field_with_name(c).ok())
        && !field.data_type().is_decimal()
        && !field.data_type().is_integer()
    {
        problems.push(format!(
            "amount_at_risk {} is {}, not a decimal",
            field.name(),
            field.data_type()
        ));
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

/// The names in braces.
pub fn placeholders(template: &str) -> impl Iterator<Item = &str> {
    template
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
}

/// The row's values in the places of their names. `counts` are decimals with more than two places, which are told
/// without zeros at their end.
fn fill(template: &str, row: &BTreeMap<&str, Value>, counts: &BTreeSet<&str>) -> String {
    let mut out = String::with_capacity(template.len() + 32);
    let mut parts = template.split('{');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        match part.split_once('}') {
            Some((name, rest)) => {
                match row.get(name) {
                    Some(value) if counts.contains(name) => out.push_str(&short(value.to_string())),
                    Some(value) => out.push_str(&value.to_string()),
                    None => {}
                }
                out.push_str(rest);
            }
            None => {
                out.push('{');
                out.push_str(part);
            }
        }
    }
    out
}

/// 300.0000 as 300, 1.6200 as 1.62, 1.5000 as 1.50: whole, or with two places at least.
fn short(decimal: String) -> String {
    let Some((whole, places)) = decimal.split_once('.') else {
        return decimal;
    };
    match places.trim_end_matches('0') {
        "" => whole.to_owned(),
        kept => format!("{whole}.{kept:0<2}"),
    }
}

/// The keys in an evidence column's value.
fn evidence_keys(
    spec: &EvidenceSpec,
    value: &Value,
    out: &mut BTreeSet<RowKey>,
) -> std::result::Result<(), String> {
    let one = |texts: Vec<String>| (spec.dataset.clone(), texts);
    match value {
        Value::Null => {}
        Value::List(items) => {
            for item in items {
                evidence_keys(spec, item, out)?;
            }
        }
        Value::Map(map) => {
            let mut texts = Vec::with_capacity(spec.key.len());
            for column in &spec.key {
                match map.get(column) {
                    Some(Value::Null) => return Ok(()),
                    Some(value) => texts.push(value.to_string()),
                    None => {
                        return Err(format!(
                            "evidence of {}: the struct in {} has no {column}",
                            spec.dataset, spec.column
                        ));
                    }
                }
            }
            out.insert(one(texts));
        }
        scalar if spec.key.len() == 1 => {
            out.insert(one(vec![scalar.to_string()]));
        }
        _ => {
            return Err(format!(
                "evidence of {}: {} must hold structs of {}",
                spec.dataset,
                spec.column,
                spec.key.join(", ")
            ));
        }
    }
    Ok(())
}

impl<'a> Collector<'a> {
    pub fn new(rule: &'a RuleSpec, evidence_rows_max: usize) -> Self {
        Self {
            rule,
            evidence_rows_max,
            hits: Vec::new(),
            capped: 0,
            last_capped: None,
            repeated: Vec::new(),
        }
    }

    fn bad(&self, problem: String) -> CollisionError {
        CollisionError::BadOutput {
            rule: self.rule.id.clone(),
            problem,
        }
    }

    pub fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let schema = batch.schema();
        let identity: Vec<usize> = self
            .rule
            .identity
            .iter()
            .map(|c| schema.index_of(c))
            .collect::<std::result::Result<_, _>>()
            .map_err(|e| self.bad(e.to_string()))?;
        let counts: BTreeSet<&str> = schema
            .fields()
            .iter()
            .filter(|f| matches!(f.data_type(), DataType::Decimal128(_, places) if *places > 2))
            .map(|f| f.name().as_str())
            .collect();
        let cell = |column: usize, row: usize| value_at(batch.column(column).as_ref(), row);
        for row in 0..batch.num_rows() {
            let id: Vec<Value> = identity
                .iter()
                .map(|c| cell(*c, row))
                .collect::<std::result::Result<_, _>>()
                .map_err(|e| self.bad(e.to_string()))?;
            let repeats = self.hits.last().is_some_and(|h| h.identity == id);
            if !repeats && self.hits.len() as u64 >= self.rule.limits.max_hits {
                if self.last_capped.as_ref() != Some(&id) {
                    self.capped += 1;
                    self.last_capped = Some(id);
                }
                continue;
            }
            let mut values = BTreeMap::new();
            for (n, field) in schema.fields().iter().enumerate() {
                values.insert(
                    field.name().as_str(),
                    cell(n, row).map_err(|e| self.bad(e.to_string()))?,
                );
            }
            let hit = self.hit(id, &values, &counts)?;
            match self.hits.last_mut().filter(|_| repeats) {
                Some(last) => {
                    if self.repeated.len() < 10 && self.repeated.last() != Some(&last.identity) {
                        self.repeated.push(last.identity.clone());
                    }
                    last.merge(hit, self.evidence_rows_max);
                }
                None => self.hits.push(hit),
            }
        }
        Ok(())
    }

    fn hit(
        &self,
        identity: Vec<Value>,
        row: &BTreeMap<&str, Value>,
        counts: &BTreeSet<&str>,
    ) -> Result<RawHit> {
        let rule = self.rule;
        let of = |column: &String| row.get(column.as_str()).cloned().unwrap_or(Value::Null);
        let mut evidence = BTreeSet::new();
        for spec in &rule.evidence {
            evidence_keys(spec, &of(&spec.column), &mut evidence).map_err(|p| self.bad(p))?;
        }
        while evidence.len() > self.evidence_rows_max {
            evidence.pop_last();
        }
        Ok(RawHit {
            identity,
            subject: rule
                .subject
                .iter()
                .map(|(role, column)| (role.clone(), of(column)))
                .collect(),
            amount_at_risk: rule
                .amount_at_risk
                .as_ref()
                .map(of)
                .filter(|v| !v.is_null())
                .map(|v| v.to_string()),
            message: Bilingual {
                zh: fill(&rule.message.zh, row, counts),
                en: fill(&rule.message.en, row, counts),
            },
            path: match rule.path.as_ref().map(of) {
                Some(Value::List(hops)) => hops,
                _ => Vec::new(),
            },
            evidence,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_told_without_zeros_and_identifiers_as_they_are() {
        for (decimal, told) in [
            ("300.0000", "300"),
            ("1.6200", "1.62"),
            ("1.5000", "1.50"),
            ("0.0250", "0.025"),
            ("-2.0000", "-2"),
            ("7", "7"),
        ] {
            assert_eq!(short(decimal.to_owned()), told);
        }
        let row = BTreeMap::from([
            ("quantity", Value::text("300.0000")),
            ("order_id", Value::text("7.5000")),
        ]);
        assert_eq!(
            fill(
                "{quantity} of {order_id}, {none}.",
                &row,
                &BTreeSet::from(["quantity"])
            ),
            "300 of 7.5000, ."
        );
    }
}
