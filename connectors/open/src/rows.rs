//! Rows of several datasets that one kind of record becomes, assembled side by side.

use std::sync::Arc;

use connector::coerce::Cell;
use connector::coerce::date::Zone;
use connector::message::RAW_BYTES_MAX;
use connector::plan::{Assembler, ColumnPlan, Plan};
use connector::{Message, Reason, Rejected};

use crate::error::OpenError;

/// One raw batch as its rows name it.
#[derive(Debug, Clone)]
pub struct Place {
    pub batch: Arc<str>,
    /// Path below the source's directory.
    pub file: Arc<str>,
}

/// A dataset with the columns that are filled, in the order of the cells.
#[derive(Debug, Clone, Copy)]
pub struct TableSpec {
    pub dataset: &'static str,
    pub columns: &'static [&'static str],
}

/// Plans for a fixed list of tables, made once and shared by threads.
#[derive(Debug, Clone)]
pub struct Tables(Vec<Arc<Plan>>);

impl Tables {
    pub fn new(specs: &[TableSpec], zone: Zone) -> Result<Self, OpenError> {
        specs
            .iter()
            .map(|spec| plan(*spec, zone))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn plan(spec: TableSpec, zone: Zone) -> Result<Arc<Plan>, OpenError> {
    let wrong = |what: &str| OpenError::Config(format!("the data model has no {}.{what}", spec.dataset));
    let dataset = domain::dataset(spec.dataset).ok_or_else(|| wrong("*"))?;
    if let Some(column) = spec.columns.iter().find(|c| dataset.column(c).is_none()) {
        return Err(wrong(column));
    }
    let columns = dataset
        .columns
        .iter()
        .map(|column| {
            let cell = spec.columns.iter().position(|c| *c == column.name);
            cell.map_or_else(ColumnPlan::absent, ColumnPlan::cell)
        })
        .collect();
    Ok(Arc::new(Plan {
        dataset,
        columns,
        zone,
    }))
}

/// Rows in the making of one raw batch.
pub struct Rows {
    place: Place,
    plans: Vec<Arc<Plan>>,
    tables: Vec<Option<Assembler>>,
    batch_rows: usize,
    messages: Vec<Message>,
    failed: Option<arrow::error::ArrowError>,
}

impl Rows {
    pub fn new(tables: &Tables, place: Place, batch_rows: usize) -> Self {
        Self {
            place,
            plans: tables.0.clone(),
            tables: tables.0.iter().map(|_| None).collect(),
            batch_rows: batch_rows.max(1),
            messages: Vec::new(),
            failed: None,
        }
    }

    /// Adds a row to the table with this index; rejects it, with `raw` as its text, when a cell cannot be read.
    /// Whether it is a row.
    pub fn push(&mut self, table: usize, cells: &[Cell<'_>], position: u64, raw: &str) -> bool {
        let assembler = self.tables[table]
            .get_or_insert_with(|| Assembler::new(self.plans[table].clone(), self.place.batch.clone()));
        if let Err(bad) = assembler.push(cells, position) {
            self.reject(table, position, Some(&bad.field), bad.reason, bad.detail, raw);
            return false;
        }
        if assembler.is_full(self.batch_rows) {
            self.flush(table);
        }
        true
    }

    pub fn reject(
        &mut self,
        table: usize,
        position: u64,
        field: Option<&str>,
        reason: Reason,
        detail: impl Into<String>,
        raw: &str,
    ) {
        let raw = raw.as_bytes();
        self.messages.push(Message::Rejected(Rejected {
            dataset: self.plans[table].dataset.name.as_str().into(),
            batch: self.place.batch.clone(),
            file: self.place.file.clone(),
            position,
            field: field.map(Into::into),
            reason,
            detail: detail.into(),
            raw: raw[..raw.len().min(RAW_BYTES_MAX)].to_vec(),
        }));
    }

    fn flush(&mut self, table: usize) {
        let Some(assembler) = &mut self.tables[table] else {
            return;
        };
        match assembler.take() {
            Ok(rows) => self.messages.extend(rows.map(Message::Rows)),
            Err(error) => self.failed = Some(error),
        }
        let notices = assembler.take_notices(&self.place.file);
        self.messages.extend(notices.into_iter().map(Message::Notice));
    }

    /// What is ready to be sent; with `all`, everything.
    pub fn take(&mut self, all: bool) -> Result<Vec<Message>, OpenError> {
        if all {
            (0..self.tables.len()).for_each(|table| self.flush(table));
        }
        if let Some(source) = self.failed.take() {
            return Err(OpenError::Assemble {
                name: self.place.file.to_string(),
                source,
            });
        }
        Ok(std::mem::take(&mut self.messages))
    }
}
