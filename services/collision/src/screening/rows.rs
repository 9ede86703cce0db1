//! Rows of a query, one at a time, with typed access by column name.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::NaiveDate;
use datafusion::arrow::array::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use domain::Value;
use futures::StreamExt;
use rust_decimal::Decimal;
use screening::RowRef;

use crate::error::{CollisionError, Result};
use crate::values::value_at;

/// Gives each text once, however many rows carry it.
#[derive(Debug, Default)]
pub struct Shared(HashMap<Box<str>, Arc<str>>);

impl Shared {
    pub fn of(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return known.clone();
        }
        let new: Arc<str> = text.into();
        self.0.insert(text.into(), new.clone());
        new
    }
}

/// One row.
pub struct Row<'a> {
    batch: &'a RecordBatch,
    places: &'a HashMap<String, usize>,
    at: usize,
}

impl Row<'_> {
    /// Null where the query has no such column: a query and its reader stand side by side.
    pub fn value(&self, column: &str) -> Value {
        self.places
            .get(column)
            .and_then(|place| value_at(self.batch.column(*place).as_ref(), self.at).ok())
            .unwrap_or(Value::Null)
    }

    /// `None` for null and for an empty text.
    pub fn text(&self, column: &str) -> Option<Box<str>> {
        match self.value(column) {
            Value::Text(text) if !text.is_empty() => Some(text.into()),
            _ => None,
        }
    }

    pub fn owned(&self, column: &str) -> Box<str> {
        self.value(column).to_string().into()
    }

    pub fn date(&self, column: &str) -> Option<NaiveDate> {
        self.value(column).as_str()?.parse().ok()
    }

    pub fn decimal(&self, column: &str) -> Option<Decimal> {
        Decimal::from_str_exact(self.value(column).as_str()?).ok()
    }

    pub fn flag(&self, column: &str) -> bool {
        self.value(column) == Value::Bool(true)
    }

    pub fn number(&self, column: &str) -> i64 {
        match self.value(column) {
            Value::Int(n) => n,
            _ => 0,
        }
    }

    /// Where the row stands, by `_source`, `_batch` and `_row`.
    pub fn place(&self, dataset: &str, key: &str, shared: &mut Shared) -> RowRef {
        RowRef {
            dataset: shared.of(dataset),
            key: self.owned(key),
            source: shared.of(&self.owned("_source")),
            batch: shared.of(&self.owned("_batch")),
            row: self.number("_row").max(0) as u64,
        }
    }
}

/// Reads a stream to its end, a batch at a time.
pub async fn each(
    mut stream: SendableRecordBatchStream,
    what: &str,
    mut take: impl FnMut(&Row<'_>),
) -> Result<()> {
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(CollisionError::engine(what))?;
        let schema = batch.schema();
        let names = schema.fields().iter().enumerate();
        let places = names.map(|(at, f)| (f.name().clone(), at)).collect();
        for at in 0..batch.num_rows() {
            take(&Row {
                batch: &batch,
                places: &places,
                at,
            });
        }
    }
    Ok(())
}
