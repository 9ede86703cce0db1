//! Fetches the rows that hits rest on: one scan a dataset for all hits of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Field, Int64Type, Schema};
use datafusion::datasource::MemTable;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::{JoinType, ident};
use datafusion::prelude::{DataFrame, SessionContext};
use domain::hit::{EvidenceRow, UncertainMention};
use domain::{Dataset, Value};
use futures::StreamExt;

use super::hits::RowKey;
use crate::data::Snapshot;
use crate::data::memory::typed_column;
use crate::data::parties::PartyLookup;
use crate::data::tables::read_type;
use crate::error::{CollisionError, Result};
use crate::session::{self, SessionOptions};
use crate::values::value_at;

/// The rows of these keys as they stand in the snapshot. Keys without a row are absent.
pub async fn fetch(
    runtime: &Arc<RuntimeEnv>,
    snapshot: &Arc<dyn Snapshot>,
    keys: &BTreeSet<RowKey>,
    threads: usize,
) -> Result<BTreeMap<RowKey, EvidenceRow>> {
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let datasets: BTreeSet<String> = keys.iter().map(|(dataset, _)| dataset.clone()).collect();
    let options = SessionOptions {
        threads,
        late_columns: true,
        ..SessionOptions::default()
    };
    let context = &session::open(runtime.clone(), snapshot, options, Some(&datasets)).await?;
    let mut by_dataset: BTreeMap<&str, Vec<&Vec<String>>> = BTreeMap::new();
    for (dataset, key) in keys {
        by_dataset.entry(dataset).or_default().push(key);
    }
    let lookup = snapshot.parties().await?;
    let mut rows = BTreeMap::new();
    for (name, keys) in by_dataset {
        if let Some(dataset) = domain::dataset(name)
            && let Some(table) = snapshot.dataset(name).await?
        {
            // The stored table: it has the references, which say whether a party is certain.
            let table = context
                .read_table(table)
                .map_err(CollisionError::engine(format!("evidence rows of {name}")))?;
            fetch_dataset(context, table, &dataset, &keys, &lookup, &mut rows).await?;
        }
    }
    Ok(rows)
}

async fn fetch_dataset(
    context: &SessionContext,
    table: DataFrame,
    dataset: &Dataset,
    keys: &[&Vec<String>],
    lookup: &PartyLookup,
    rows: &mut BTreeMap<RowKey, EvidenceRow>,
) -> Result<()> {
    let what = || format!("evidence rows of {}", dataset.name);
    let names: Vec<String> = (0..dataset.key.len()).map(|n| format!("wanted_{n}")).collect();
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for (n, column) in dataset.key.iter().filter_map(|k| dataset.column(k)).enumerate() {
        let texts: Vec<Option<&str>> = keys.iter().map(|key| key.get(n).map(String::as_str)).collect();
        let array = typed_column(column.ty, &texts).map_err(|(_, text)| CollisionError::BadOutput {
            rule: what(),
            problem: format!("{text:?} is no {} as {} needs it", column.ty.name(), column.name),
        })?;
        fields.push(Field::new(&names[n], read_type(column.ty), true));
        columns.push(array);
    }
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
        .map_err(|e| CollisionError::engine(what())(e.into()))?;
    let wanted = MemTable::try_new(batch.schema(), vec![vec![batch]])
        .and_then(|table| context.read_table(Arc::new(table)))
        .map_err(CollisionError::engine(what()))?;
    let mut shown: Vec<String> = dataset.columns.iter().map(|c| c.name.clone()).collect();
    shown.extend(["_source", "_batch", "_row", "_hash"].map(str::to_owned));
    if !lookup.all_certain() {
        shown.extend(dataset.mentions.iter().map(|slot| slot.ref_column()));
    }
    let left: Vec<&str> = names.iter().map(String::as_str).collect();
    let right: Vec<&str> = dataset.key.iter().map(String::as_str).collect();
    let mut stream = wanted
        .join(table, JoinType::RightSemi, &left, &right, None)
        .and_then(|joined| joined.select(shown.into_iter().map(ident).collect::<Vec<_>>()))
        .map_err(CollisionError::engine(what()))?
        .execute_stream()
        .await
        .map_err(CollisionError::engine(what()))?;
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(CollisionError::engine(what()))?;
        for n in 0..batch.num_rows() {
            let mut row = evidence_row(dataset, &batch, n).map_err(CollisionError::engine(what()))?;
            row.uncertain = uncertain(dataset, &batch, n, lookup);
            let key = dataset.key.iter().map(|k| row.key[k].to_string()).collect();
            rows.insert((dataset.name.clone(), key), row);
        }
    }
    Ok(())
}

fn evidence_row(dataset: &Dataset, batch: &RecordBatch, n: usize) -> datafusion::error::Result<EvidenceRow> {
    let mut values = BTreeMap::new();
    for (column, array) in dataset.columns.iter().zip(batch.columns()) {
        values.insert(column.name.clone(), value_at(array.as_ref(), n)?);
    }
    let place = |offset: usize| value_at(batch.column(dataset.columns.len() + offset).as_ref(), n);
    let key = dataset
        .key
        .iter()
        .map(|k| (k.clone(), values.get(k).cloned().unwrap_or(Value::Null)))
        .collect();
    Ok(EvidenceRow {
        dataset: dataset.name.clone(),
        key,
        source: place(0)?.to_string(),
        batch: place(1)?.to_string(),
        row: match place(2)? {
            Value::Int(row) => row.max(0) as u64,
            _ => 0,
        },
        hash: place(3)?.to_string(),
        values,
        uncertain: Vec::new(),
    })
}

/// The mentions of a row that were joined by resemblance; the references follow the columns that are shown.
fn uncertain(
    dataset: &Dataset,
    batch: &RecordBatch,
    n: usize,
    lookup: &PartyLookup,
) -> Vec<UncertainMention> {
    let references = batch.columns().iter().skip(dataset.columns.len() + 4);
    let mentions = dataset.mentions.iter().zip(references);
    mentions
        .filter_map(|(slot, column)| {
            let column = column.as_primitive::<Int64Type>();
            let reference = column.is_valid(n).then(|| column.value(n))?;
            Some(UncertainMention {
                slot: slot.slot.clone(),
                party_key: lookup.party_key(reference)?.to_owned(),
                certainty_bp: lookup.unsure_bp(reference)?,
            })
        })
        .collect()
}
