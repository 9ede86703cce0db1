//! Reads a test file and works out the rows, parameters and expectation of each case.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use domain::{Dataset, Value};
use serde::Deserialize;

use crate::data::memory::{DatasetRows, TextRow, parse_timestamp, start_of_day};
use crate::error::{CollisionError, Result};
use crate::rules::file::from_yaml;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseKind {
    Fires,
    NearMiss,
    Boundary,
    NotEvaluable,
}

impl CaseKind {
    pub const ALL: [Self; 4] = [Self::Fires, Self::NearMiss, Self::Boundary, Self::NotEvaluable];

    pub fn name(self) -> &'static str {
        match self {
            Self::Fires => "fires",
            Self::NearMiss => "near_miss",
            Self::Boundary => "boundary",
            Self::NotEvaluable => "not_evaluable",
        }
    }
}

/// A key in `remove` or `evidence`: scalar, list in key order, or map.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub enum KeyText {
    Map(BTreeMap<String, String>),
    List(Vec<String>),
    One(String),
}

impl TryFrom<Value> for KeyText {
    type Error = String;

    fn try_from(value: Value) -> std::result::Result<Self, String> {
        let scalar = |value: Value| match value {
            Value::Null | Value::List(_) | Value::Map(_) => Err(format!("a key has no place for {value}")),
            value => Ok(value.to_string()),
        };
        Ok(match value {
            Value::Map(map) => KeyText::Map(
                map.into_iter()
                    .map(|(k, v)| Ok((k, scalar(v)?)))
                    .collect::<std::result::Result<_, String>>()?,
            ),
            Value::List(items) => KeyText::List(
                items
                    .into_iter()
                    .map(scalar)
                    .collect::<std::result::Result<_, String>>()?,
            ),
            one => KeyText::One(scalar(one)?),
        })
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// An alert as a case expects it.
#[derive(Debug, Clone)]
pub struct Expected {
    pub identity: BTreeMap<String, String>,
    pub subject: BTreeMap<String, String>,
    pub amount_at_risk: Option<String>,
    pub message: Vec<String>,
    /// Dataset -> keys in key order.
    pub evidence: BTreeMap<String, BTreeSet<Vec<String>>>,
}

/// What must come out of a case.
#[derive(Debug, Clone)]
pub enum Outcome {
    Alerts(Vec<Expected>),
    NotEvaluable(String),
}

/// One case, ready to run.
#[derive(Debug, Clone)]
pub struct Case {
    pub name: String,
    pub kind: CaseKind,
    pub as_of: NaiveDate,
    pub datasets: Vec<DatasetRows>,
    pub params: BTreeMap<String, Value>,
    pub outcome: Outcome,
}

/// All cases of a rule, in the order of the file.
#[derive(Debug, Clone)]
pub struct CaseFile {
    pub place: String,
    pub cases: Vec<Case>,
}

type Rows = BTreeMap<String, Vec<TextRow>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    as_of: NaiveDate,
    #[serde(default)]
    given: Rows,
    #[serde(default)]
    synced: BTreeMap<String, String>,
    #[serde(default)]
    params: BTreeMap<String, Value>,
    cases: Vec<RawCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCase {
    name: String,
    kind: CaseKind,
    #[serde(default)]
    base: Option<String>,
    #[serde(default)]
    as_of: Option<NaiveDate>,
    #[serde(default)]
    given: Rows,
    #[serde(default)]
    change: Rows,
    #[serde(default)]
    remove: BTreeMap<String, Vec<KeyText>>,
    #[serde(default)]
    without: Vec<String>,
    #[serde(default)]
    synced: BTreeMap<String, String>,
    #[serde(default)]
    params: BTreeMap<String, Value>,
    #[serde(default)]
    expect: Option<Vec<RawExpected>>,
    #[serde(default)]
    not_evaluable: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExpected {
    #[serde(default)]
    identity: BTreeMap<String, String>,
    #[serde(default)]
    subject: BTreeMap<String, String>,
    #[serde(default)]
    amount_at_risk: Option<String>,
    #[serde(default)]
    message: Option<OneOrMany>,
    #[serde(default)]
    evidence: BTreeMap<String, Vec<KeyText>>,
}

/// What a case starts from.
#[derive(Clone)]
struct State {
    as_of: NaiveDate,
    rows: Rows,
    synced: BTreeMap<String, String>,
    params: BTreeMap<String, Value>,
}

fn bad(place: &str, problem: impl Into<String>) -> CollisionError {
    CollisionError::BadFile {
        place: place.to_owned(),
        problem: problem.into(),
    }
}

impl CaseFile {
    pub fn parse(place: &str, text: &str) -> Result<Self> {
        let raw: RawFile = from_yaml(place, 1, text)?;
        let start = State {
            as_of: raw.as_of,
            rows: raw.given,
            synced: raw.synced,
            params: raw.params,
        };
        let mut states: BTreeMap<String, State> = BTreeMap::new();
        let mut cases = Vec::new();
        for case in raw.cases {
            let place = format!("{place}: case {:?}", case.name);
            let from = match &case.base {
                None => &start,
                Some(name) => states
                    .get(name)
                    .ok_or_else(|| bad(&place, format!("there is no earlier case {name:?} to start from")))?,
            };
            let state = from.clone().apply(&place, &case)?;
            if states.insert(case.name.clone(), state.clone()).is_some() {
                return Err(bad(&place, "there is another case of this name"));
            }
            cases.push(ready(&place, case, state)?);
        }
        Ok(Self {
            place: place.to_owned(),
            cases,
        })
    }
}

impl State {
    fn apply(mut self, place: &str, case: &RawCase) -> Result<Self> {
        self.as_of = case.as_of.unwrap_or(self.as_of);
        self.rows.extend(case.given.clone());
        for (name, changes) in &case.change {
            let dataset = dataset(place, name)?;
            let rows = self.rows.entry(name.clone()).or_default();
            for change in changes {
                let key = row_key(&dataset, change);
                match rows
                    .iter_mut()
                    .find(|row| key.is_some() && row_key(&dataset, row) == key)
                {
                    Some(row) => row.extend(change.clone()),
                    None => rows.push(change.clone()),
                }
            }
        }
        for (name, keys) in &case.remove {
            let dataset = dataset(place, name)?;
            let rows = self.rows.entry(name.clone()).or_default();
            for key in keys {
                let key = key_texts(place, &dataset, key)?;
                let before = rows.len();
                rows.retain(|row| row_key(&dataset, row).as_ref() != Some(&key));
                if rows.len() == before {
                    return Err(bad(
                        place,
                        format!("there is no row {} of {name} to remove", key.join("|")),
                    ));
                }
            }
        }
        for name in &case.without {
            dataset(place, name)?;
            self.rows.remove(name);
        }
        self.synced.extend(case.synced.clone());
        self.params.extend(case.params.clone());
        Ok(self)
    }
}

fn dataset(place: &str, name: &str) -> Result<Arc<Dataset>> {
    domain::dataset(name).ok_or_else(|| bad(place, format!("there is no dataset {name}")))
}

/// The key of a row that names all its key columns.
fn row_key(dataset: &Dataset, row: &TextRow) -> Option<Vec<String>> {
    dataset
        .key
        .iter()
        .map(|k| row.get(k).cloned().flatten())
        .collect()
}

fn key_texts(place: &str, dataset: &Dataset, key: &KeyText) -> Result<Vec<String>> {
    let wrong = || {
        let (name, key) = (&dataset.name, dataset.key.join(", "));
        bad(
            place,
            format!("a key of {name} is {key}: a scalar for one column, else a list or a map"),
        )
    };
    match key {
        KeyText::One(text) if dataset.key.len() == 1 => Ok(vec![text.clone()]),
        KeyText::List(texts) if texts.len() == dataset.key.len() => Ok(texts.clone()),
        KeyText::Map(map) if map.len() == dataset.key.len() => dataset
            .key
            .iter()
            .map(|k| map.get(k).cloned().ok_or_else(wrong))
            .collect(),
        _ => Err(wrong()),
    }
}

fn ready(place: &str, case: RawCase, state: State) -> Result<Case> {
    let end_of_day = state
        .as_of
        .succ_opt()
        .map_or(DateTime::<Utc>::MAX_UTC, start_of_day);
    if let Some(name) = state.synced.keys().find(|name| domain::dataset(name).is_none()) {
        return Err(bad(place, format!("there is no dataset {name}")));
    }
    let mut datasets = Vec::new();
    for (name, rows) in state.rows {
        let dataset = dataset(place, &name)?;
        let keys: Vec<_> = rows.iter().filter_map(|row| row_key(&dataset, row)).collect();
        if let Some(key) = keys
            .iter()
            .enumerate()
            .find(|(n, k)| keys[..*n].contains(k))
            .map(|(_, k)| k)
        {
            return Err(bad(
                place,
                format!("two rows of {name} have the key {}", key.join("|")),
            ));
        }
        let synced_at = match state.synced.get(&name) {
            None => end_of_day,
            Some(text) => parse_timestamp(text)
                .ok_or_else(|| bad(place, format!("synced.{name}: {text:?} is no date or time")))?,
        };
        datasets.push(DatasetRows {
            dataset,
            rows,
            synced_at,
        });
    }
    let outcome = match (case.expect, case.not_evaluable) {
        (Some(alerts), None) => Outcome::Alerts(
            alerts
                .into_iter()
                .map(|alert| expected(place, alert))
                .collect::<Result<Vec<_>>>()?,
        ),
        (None, Some(code)) => Outcome::NotEvaluable(code),
        _ => return Err(bad(place, "a case has either `expect` or `not_evaluable`")),
    };
    match (case.kind, &outcome) {
        (CaseKind::Fires, Outcome::Alerts(alerts)) if alerts.is_empty() => {
            return Err(bad(place, "a case of kind fires expects at least one alert"));
        }
        (CaseKind::NotEvaluable, Outcome::Alerts(_)) | (CaseKind::Fires, Outcome::NotEvaluable(_)) => {
            return Err(bad(
                place,
                format!("the expectation does not fit kind {}", case.kind.name()),
            ));
        }
        _ => {}
    }
    Ok(Case {
        name: case.name,
        kind: case.kind,
        as_of: state.as_of,
        datasets,
        params: state.params,
        outcome,
    })
}

fn expected(place: &str, raw: RawExpected) -> Result<Expected> {
    let mut evidence = BTreeMap::new();
    for (name, keys) in raw.evidence {
        let dataset = dataset(place, &name)?;
        let keys = keys
            .iter()
            .map(|key| key_texts(place, &dataset, key))
            .collect::<Result<BTreeSet<_>>>()?;
        evidence.insert(name, keys);
    }
    Ok(Expected {
        identity: raw.identity,
        subject: raw.subject,
        amount_at_risk: raw.amount_at_risk,
        message: match raw.message {
            None => Vec::new(),
            Some(OneOrMany::One(text)) => vec![text],
            Some(OneOrMany::Many(texts)) => texts,
        },
        evidence,
    })
}
