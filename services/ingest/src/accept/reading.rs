//! One reading of a source for the acceptance suite: every message, with each row as texts.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, ArrayRef};
use arrow::util::display::array_value_to_string;
use connector::{Message, RowBatch, TemporaryRawStore};
use domain::Failure;
use tokio::sync::mpsc;

/// Rows of a source that the suite reads, at most; of a larger one the rest is not looked at.
const ROWS_MAX: usize = 200_000;

/// Everything that a reading sent.
#[derive(Default)]
pub struct Reading {
    /// One entry a message: the rows it carried, or a checkpoint.
    pub steps: Vec<Step>,
    pub rejected: usize,
    /// (reason, dataset, field) of the rejected rows -> how many, and what the first of them said.
    pub reasons: BTreeMap<(String, String, String), (usize, String)>,
    /// (code, place) of the notices that came.
    pub told: BTreeSet<(String, String)>,
    pub problems: Vec<String>,
    /// Cut short by the number of rows or at the wanted message.
    pub cut: bool,
}

pub enum Step {
    Rows(Vec<Row>),
    Checkpoint(String, String),
    Other,
}

/// (dataset and key, content).
pub type Row = (String, String);

impl Reading {
    pub fn rows(&self) -> BTreeMap<String, String> {
        let mut rows = BTreeMap::new();
        for step in &self.steps {
            if let Step::Rows(found) = step {
                rows.extend(found.iter().cloned());
            }
        }
        rows
    }

    pub fn count(&self) -> usize {
        self.steps
            .iter()
            .map(|s| match s {
                Step::Rows(rows) => rows.len(),
                _ => 0,
            })
            .sum()
    }

    /// What most rejected rows have against them.
    pub fn commonest_reason(&self) -> Option<String> {
        let ((reason, dataset, field), (rows, first)) =
            self.reasons.iter().max_by_key(|(_, (rows, _))| *rows)?;
        let place = if field.is_empty() {
            dataset.clone()
        } else {
            format!("{dataset}.{field}")
        };
        Some(format!("{reason} in {place}, {rows} rows, the first: {first}"))
    }

    pub fn cursors(&self) -> BTreeMap<String, String> {
        let mut cursors = BTreeMap::new();
        for step in &self.steps {
            if let Step::Checkpoint(stream, cursor) = step {
                cursors.insert(stream.clone(), cursor.clone());
            }
        }
        cursors
    }
}

pub async fn collect(
    mut messages: mpsc::Receiver<Message>,
    stop_after: Option<usize>,
    raw: &TemporaryRawStore,
) -> Reading {
    let mut reading = Reading::default();
    let mut rows = 0;
    loop {
        if stop_after.is_some_and(|k| reading.steps.len() >= k) || rows > ROWS_MAX {
            reading.cut = true;
            return reading;
        }
        let Some(message) = messages.recv().await else {
            return reading;
        };
        let step = match message {
            Message::Rows(batch) => {
                if !raw.has(&batch.batch) {
                    reading.problems.push(format!(
                        "rows of {} come from a batch that was not kept",
                        batch.dataset.name
                    ));
                }
                let found = rows_of(&batch, &mut reading.problems);
                rows += found.len();
                Step::Rows(found)
            }
            Message::Rejected(row) => {
                // A total is known to be no row.
                reading.rejected += usize::from(row.reason != connector::Reason::TotalsRow);
                let field = row.field.as_deref().unwrap_or_default();
                let why = (row.reason.to_string(), row.dataset.to_string(), field.to_owned());
                let first = || (0, format!("{} in {}:{}", row.detail, row.file, row.position));
                reading.reasons.entry(why).or_insert_with(first).0 += 1;
                Step::Other
            }
            Message::Checkpoint(c) => Step::Checkpoint(c.stream.to_string(), c.cursor),
            Message::Notice(notice) => {
                reading.told.insert((notice.code, notice.place));
                Step::Other
            }
            Message::Progress(_) => Step::Other,
        };
        reading.steps.push(step);
    }
}

fn rows_of(batch: &RowBatch, problems: &mut Vec<String>) -> Vec<Row> {
    let dataset = &batch.dataset;
    if batch.columns.schema() != dataset.schema() {
        problems.push(format!(
            "rows of {} have another schema than the data model's",
            dataset.name
        ));
        return Vec::new();
    }
    if batch.positions.len() != batch.columns.num_rows() || batch.positions.null_count() > 0 {
        problems.push(format!("rows of {} lack positions", dataset.name));
    }
    let key: Vec<&ArrayRef> = dataset
        .key
        .iter()
        .filter_map(|k| dataset.column_index(k))
        .map(|n| batch.columns.column(n))
        .collect();
    if key.iter().any(|column| column.null_count() > 0) {
        problems.push(format!("a key of {} is null", dataset.name));
    }
    let all: Vec<&ArrayRef> = batch.columns.columns().iter().collect();
    (0..batch.columns.num_rows())
        .map(|row| (key_text(&dataset.name, &key, row), key_text("", &all, row)))
        .collect()
}

/// The values of a row as one text.
pub fn key_text(dataset: &str, columns: &[&ArrayRef], row: usize) -> String {
    let mut text = dataset.to_owned();
    for column in columns {
        text.push('\u{1f}');
        if column.is_valid(row) {
            text.push_str(&array_value_to_string(column.as_ref(), row).unwrap_or_default());
        } else {
            text.push('\u{0}');
        }
    }
    text
}

pub fn readable(key: &str) -> String {
    key.replace('\u{1f}', " / ")
}

pub fn difference(want: &BTreeMap<String, String>, found: &BTreeMap<String, String>) -> Option<String> {
    if let Some((key, _)) = want.iter().find(|(key, _)| !found.contains_key(*key)) {
        return Some(format!("{} is missing", readable(key)));
    }
    if let Some((key, _)) = found.iter().find(|(key, _)| !want.contains_key(*key)) {
        return Some(format!("{} came that was not there before", readable(key)));
    }
    let other = want
        .iter()
        .find(|(key, content)| found.get(*key) != Some(content));
    other.map(|(key, _)| format!("{} differs", readable(key)))
}

pub fn told(failure: &Failure) -> String {
    format!("{} [{}]", failure.message, failure.reason)
}
