//! Whether a rule can say anything at all. "Could not look" is never the same answer as "nothing found".

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use datafusion::arrow::array::Array;
use datafusion::logical_expr::ident;
use datafusion::prelude::SessionContext;
use domain::Bilingual;
use domain::rule::RuleSpec;
use futures::StreamExt;

use crate::data::Snapshot;
use crate::data::memory::start_of_day;
use crate::error::{CollisionError, Result};
use crate::rules::file::duration_seconds;

/// Why a rule is NOT_EVALUABLE: a stable code and a sentence.
pub type Reason = (String, Bilingual);

/// What is known of the datasets of a run; gathered once, asked by each rule.
#[derive(Debug, Default)]
pub struct InputFacts {
    datasets: BTreeMap<String, DatasetFacts>,
}

#[derive(Debug)]
struct DatasetFacts {
    synced: bool,
    last_synced: Option<DateTime<Utc>>,
    /// Rows seen: exact below the number that was asked for, else at least that.
    rows: u64,
    /// Of the columns asked for, those that are null in every row.
    empty_columns: BTreeSet<String>,
}

impl InputFacts {
    /// Looks at the inputs of these rules, reading no more rows than the answers need.
    pub async fn gather(
        context: &SessionContext,
        snapshot: &Arc<dyn Snapshot>,
        rules: &[Arc<RuleSpec>],
    ) -> Result<Self> {
        let mut wanted: BTreeMap<&str, (BTreeSet<&str>, u64)> = BTreeMap::new();
        for rule in rules {
            for (n, input) in rule.inputs.iter().enumerate() {
                let (columns, rows) = wanted.entry(&input.dataset).or_default();
                columns.extend(input.required.iter().map(String::as_str));
                let history = rule.min_history.as_ref().filter(|_| n == 0).map_or(1, |h| h.rows);
                *rows = (*rows).max(history);
            }
        }
        let mut datasets = BTreeMap::new();
        for (name, (columns, rows)) in wanted {
            let synced = snapshot.dataset(name).await?.is_some();
            let last_synced = snapshot.last_synced(name).await?;
            let (rows, empty_columns) = if synced {
                probe(context, name, &columns, rows).await?
            } else {
                (0, BTreeSet::new())
            };
            datasets.insert(
                name.to_owned(),
                DatasetFacts {
                    synced,
                    last_synced,
                    rows,
                    empty_columns,
                },
            );
        }
        Ok(Self { datasets })
    }

    /// The first thing that keeps the rule from saying anything, in the order of its inputs.
    pub fn reason(&self, rule: &RuleSpec, as_of: NaiveDate) -> Option<Reason> {
        let reason = |code: &str, zh: String, en: String| Some((code.to_owned(), Bilingual { zh, en }));
        for (n, input) in rule
            .inputs
            .iter()
            .enumerate()
            .filter(|(_, input)| !input.optional)
        {
            let name = &input.dataset;
            let title = domain::dataset(name).map_or(name.clone(), |d| d.title.clone());
            let Some(facts) = self.datasets.get(name).filter(|f| f.synced) else {
                return reason(
                    "INPUT_MISSING",
                    format!("缺少数据：{title}（{name}）从未同步"),
                    format!("dataset {name} was never synced"),
                );
            };
            if facts.rows == 0 {
                return reason(
                    "INPUT_EMPTY",
                    format!("数据为空：{title}（{name}）没有任何记录"),
                    format!("dataset {name} has no rows"),
                );
            }
            if let Some(column) = input.required.iter().find(|c| facts.empty_columns.contains(*c)) {
                let label = domain::dataset(name)
                    .and_then(|d| d.column(column).map(|c| c.label().to_owned()))
                    .unwrap_or_else(|| column.clone());
                return reason(
                    "COLUMN_EMPTY",
                    format!("字段为空：{title}的“{label}”（{name}.{column}）在所有记录中均为空"),
                    format!("column {name}.{column} is null in every row"),
                );
            }
            if n == 0
                && let Some(history) = &rule.min_history
                && facts.rows < history.rows
            {
                let (have, need) = (facts.rows, history.rows);
                return reason(
                    "HISTORY_SHORT",
                    format!("数据不足：{title}（{name}）只有 {have} 条记录，至少需要 {need} 条"),
                    format!("dataset {name} has {have} rows, the rule needs at least {need}"),
                );
            }
            if let (Some(limit), Some(at)) = (&input.max_staleness, facts.last_synced)
                && let Some(seconds) = duration_seconds(limit)
            {
                let end = as_of.succ_opt().map_or(at, start_of_day);
                let age = end - at;
                if age > TimeDelta::seconds(seconds.min(i64::MAX as u64 / 1000) as i64) {
                    let hours = age.num_hours();
                    return reason(
                        "INPUT_STALE",
                        format!(
                            "数据过期：{title}（{name}）距 {as_of} 日终已有 {hours} 小时未同步，上限为 {limit}"
                        ),
                        format!(
                            "dataset {name} was last synced {hours} h before the end of {as_of}; the limit is {limit}"
                        ),
                    );
                }
            }
        }
        None
    }
}

/// Reads until `rows` rows and a value in each column were seen. Gives the rows seen and the columns without
/// any value.
async fn probe(
    context: &SessionContext,
    dataset: &str,
    columns: &BTreeSet<&str>,
    rows: u64,
) -> Result<(u64, BTreeSet<String>)> {
    let what = || format!("looking at {dataset}");
    let key = domain::dataset(dataset).map(|d| d.key[0].clone());
    let mut missing: BTreeSet<String> = columns.iter().map(|c| (*c).to_owned()).collect();
    let table = context
        .table(dataset)
        .await
        .map_err(CollisionError::engine(what()))?;
    let selected: BTreeSet<String> = missing.iter().cloned().chain(key).collect();
    let known: Vec<String> = selected
        .into_iter()
        .filter(|c| table.schema().has_column_with_unqualified_name(c))
        .collect();
    let mut stream = table
        .select(known.iter().map(ident).collect::<Vec<_>>())
        .map_err(CollisionError::engine(what()))?
        .execute_stream()
        .await
        .map_err(CollisionError::engine(what()))?;
    let mut seen = 0;
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(CollisionError::engine(what()))?;
        seen += batch.num_rows() as u64;
        missing.retain(|c| batch.column_by_name(c).is_none_or(|a| a.null_count() == a.len()));
        if missing.is_empty() && seen >= rows {
            break;
        }
    }
    Ok((seen, missing))
}
