//! The push connector: JSON rows that a program sends become typed rows of datasets.
//!
//! Rows are first written to one file a dataset, one object a line, and kept as its raw batch: what is read is
//! what was kept, and pushing the same rows again makes the same batch. Members carry the English names of
//! the dataset's columns; any other name rejects the row.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use connector::coerce::date::Zone;
use connector::json::{JsonFields, UnknownPaths, Use};
use connector::message::RAW_BYTES_MAX;
use connector::plan::{Assembler, ColumnPlan, Plan};
use connector::{Connector, Discovered, Message, Progress, ReadRequest, Reason, Rejected, Spec};
use domain::ports::{PushedRows, Result};
use domain::{Bilingual, Dataset, Failure, FailureKind};
use serde::de::IgnoredAny;
use tempfile::NamedTempFile;
use tokio::sync::mpsc;

/// Longest row.
const ROW_BYTES_MAX: usize = 16 << 20;

/// What stops a whole push. What is wrong with one row is quarantined instead.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    #[error("there is no dataset {dataset:?}; there are {known}")]
    UnknownDataset { dataset: String, known: String },
    #[error("these rows have been read already; make a new connector for each push")]
    AlreadyRead,
    #[error("the pushed rows of {dataset} could not be written to a temporary file; check the disk")]
    Spool {
        dataset: String,
        #[source]
        source: std::io::Error,
    },
    #[error("the raw copy of {dataset} could not be kept: {source}")]
    Keep {
        dataset: String,
        #[source]
        source: Failure,
    },
    #[error("the rows of {dataset} could not be put together")]
    Assemble {
        dataset: String,
        #[source]
        source: arrow::error::ArrowError,
    },
    #[error("the push was cancelled")]
    Cancelled,
}

impl From<PushError> for Failure {
    fn from(error: PushError) -> Self {
        let (kind, reason) = match &error {
            PushError::UnknownDataset { .. } => (FailureKind::Invalid, "UNKNOWN_DATASET"),
            PushError::AlreadyRead => (FailureKind::Precondition, "ALREADY_READ"),
            PushError::Spool { .. } => (FailureKind::Unavailable, "SPOOL_FAILED"),
            PushError::Keep { source, .. } => (source.kind, source.reason),
            PushError::Assemble { .. } => (FailureKind::Internal, "INTERNAL"),
            PushError::Cancelled => (FailureKind::Cancelled, "CANCELLED"),
        };
        Failure::new(kind, reason, Failure::internal(&error).message)
    }
}

/// Reads one stream of pushed rows, once.
pub struct PushConnector {
    name: String,
    rows: Mutex<Option<mpsc::Receiver<PushedRows>>>,
}

impl PushConnector {
    /// `name` is what the raw batches and rejected rows call the push, e.g. its batch id.
    pub fn new(name: impl Into<String>, rows: mpsc::Receiver<PushedRows>) -> Self {
        Self {
            name: name.into(),
            rows: Mutex::new(Some(rows)),
        }
    }
}

#[async_trait]
impl Connector for PushConnector {
    fn spec(&self) -> Spec {
        let title = Bilingual::new("推送", "Pushed rows");
        Spec {
            kind: "push",
            title,
            ..Spec::default()
        }
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Nothing is known of a push before it comes.
    async fn discover(&self) -> Result<Vec<Discovered>> {
        Ok(Vec::new())
    }

    async fn read(&self, request: ReadRequest, out: mpsc::Sender<Message>) -> Result<()> {
        let taken = self
            .rows
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take();
        let rows = taken.ok_or(PushError::AlreadyRead)?;
        let name = self.name.clone();
        let cancelled = Arc::new(AtomicBool::new(false));
        let _guard = CancelOnDrop(cancelled.clone());
        let work = move || {
            let spools = spool(rows, &cancelled)?;
            spools
                .into_values()
                .try_for_each(|spool| spool.read(&name, &request, &out, &cancelled))
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result.map_err(Failure::from),
            Err(error) => Err(Failure::internal(&error)),
        }
    }
}

struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The rows of one dataset on their way to the raw store.
struct Spool {
    dataset: Arc<Dataset>,
    file: BufWriter<NamedTempFile>,
}

/// Writes all rows to their dataset's file, in the order they come.
fn spool(
    mut rows: mpsc::Receiver<PushedRows>,
    cancelled: &AtomicBool,
) -> std::result::Result<BTreeMap<String, Spool>, PushError> {
    let mut spools: BTreeMap<String, Spool> = BTreeMap::new();
    while let Some(pushed) = rows.blocking_recv() {
        if cancelled.load(Ordering::Relaxed) {
            return Err(PushError::Cancelled);
        }
        let failed = |source| PushError::Spool {
            dataset: pushed.dataset.clone(),
            source,
        };
        if !spools.contains_key(&pushed.dataset) {
            let dataset = domain::dataset(&pushed.dataset).ok_or_else(|| PushError::UnknownDataset {
                dataset: pushed.dataset.clone(),
                known: dataset_names(),
            })?;
            let file = BufWriter::new(NamedTempFile::new().map_err(failed)?);
            spools.insert(pushed.dataset.clone(), Spool { dataset, file });
        }
        let Some(spool) = spools.get_mut(&pushed.dataset) else {
            continue;
        };
        for row in &pushed.json_rows {
            spool
                .file
                .write_all(one_line(row).as_bytes())
                .and_then(|()| spool.file.write_all(b"\n"))
                .map_err(failed)?;
        }
    }
    Ok(spools)
}

fn dataset_names() -> String {
    let names: Vec<&str> = domain::catalogue().iter().map(|d| d.name.as_str()).collect();
    names.join(", ")
}

/// The row on one line. Line ends between members are white space; a row that they make invalid is kept as a
/// JSON text, which is then told to be no object.
fn one_line(row: &str) -> std::borrow::Cow<'_, str> {
    if !row.contains(['\n', '\r']) {
        return row.into();
    }
    match serde_json::from_str::<IgnoredAny>(row) {
        Ok(_) => row.replace(['\n', '\r'], " ").into(),
        Err(_) => serde_json::Value::String(row.to_owned()).to_string().into(),
    }
}

impl Spool {
    fn read(
        self,
        name: &str,
        request: &ReadRequest,
        out: &mpsc::Sender<Message>,
        cancelled: &AtomicBool,
    ) -> std::result::Result<(), PushError> {
        let dataset = self.dataset;
        let failed = |source| PushError::Spool {
            dataset: dataset.name.clone(),
            source,
        };
        let file = self.file.into_inner().map_err(|e| failed(e.into_error()))?;
        let raw = request
            .raw
            .put_file(file.path(), &format!("{name}/{}.jsonl", dataset.name))
            .map_err(|source| PushError::Keep {
                dataset: dataset.name.clone(),
                source,
            })?;
        drop(file);
        let send = |message| {
            if cancelled.load(Ordering::Relaxed) {
                return Err(PushError::Cancelled);
            }
            out.blocking_send(message).map_err(|_| PushError::Cancelled)
        };
        let (fields, plan) = strict(&dataset);
        let mut assembler = Assembler::new(Arc::new(plan), raw.digest.clone());
        let assemble = |source| PushError::Assemble {
            dataset: dataset.name.clone(),
            source,
        };
        let place: Arc<str> = name.into();
        let dataset_name: Arc<str> = dataset.name.as_str().into();
        let mut input = BufReader::new(std::fs::File::open(&raw.path).map_err(failed)?);
        let (mut bytes, mut position) = (Vec::new(), 0);
        loop {
            bytes.clear();
            if input
                .by_ref()
                .take(ROW_BYTES_MAX as u64)
                .read_until(b'\n', &mut bytes)
                .map_err(failed)?
                == 0
            {
                break;
            }
            position += 1;
            let is_cut = bytes.len() == ROW_BYTES_MAX && bytes.last() != Some(&b'\n');
            if is_cut {
                input.skip_until(b'\n').map_err(failed)?;
            }
            let bad = if is_cut {
                Some((
                    None,
                    Reason::RowTooLong,
                    format!("more than {ROW_BYTES_MAX} bytes"),
                ))
            } else {
                push_row(&fields, &mut assembler, bytes.trim_ascii(), position)
            };
            if let Some((field, reason, detail)) = bad {
                let row = bytes.trim_ascii_end();
                send(Message::Rejected(Rejected {
                    dataset: dataset_name.clone(),
                    batch: raw.digest.clone(),
                    file: place.clone(),
                    position,
                    field,
                    reason,
                    detail,
                    raw: row[..row.len().min(RAW_BYTES_MAX)].to_vec(),
                }))?;
            }
            if assembler.is_full(request.batch_rows) {
                assembler
                    .take()
                    .map_err(assemble)?
                    .map_or(Ok(()), |rows| send(Message::Rows(rows)))?;
            }
        }
        assembler
            .take()
            .map_err(assemble)?
            .map_or(Ok(()), |rows| send(Message::Rows(rows)))?;
        assembler
            .take_notices(name)
            .into_iter()
            .try_for_each(|n| send(Message::Notice(n)))?;
        send(Message::Progress(Progress {
            done_bytes: raw.bytes,
            total_bytes: 0,
            stage: Bilingual::new(&dataset.title, &dataset.name),
        }))
    }
}

type Bad = (Option<Arc<str>>, Reason, String);

fn push_row(fields: &JsonFields, assembler: &mut Assembler, line: &[u8], position: u64) -> Option<Bad> {
    let Ok(text) = std::str::from_utf8(line) else {
        return Some((None, Reason::BadEncoding, String::new()));
    };
    let mut unknown = UnknownPaths::default();
    let record = match fields.record(text, &mut unknown) {
        Ok(record) => record,
        Err((reason, detail)) => return Some((None, reason, detail)),
    };
    if let Some((path, _)) = unknown.iter().next() {
        return Some((None, Reason::UnknownField, path.to_owned()));
    }
    assembler
        .push(&record, position)
        .err()
        .map(|bad| (Some(bad.field), bad.reason, bad.detail))
}

/// English names only.
fn strict(dataset: &Arc<Dataset>) -> (JsonFields, Plan) {
    let mut fields = JsonFields::default();
    for (index, column) in dataset.columns.iter().enumerate() {
        fields.exact(&column.name, Use::Cell(index));
    }
    let columns = (0..dataset.columns.len()).map(ColumnPlan::cell).collect();
    (
        fields,
        Plan {
            dataset: dataset.clone(),
            columns,
            zone: Zone::CHINA,
        },
    )
}

#[cfg(test)]
mod tests {
    use connector::TemporaryRawStore;

    use super::*;

    fn pushed(dataset: &str, rows: &[&str]) -> PushedRows {
        PushedRows {
            dataset: dataset.to_owned(),
            json_rows: rows.iter().map(|r| (*r).to_owned()).collect(),
        }
    }

    async fn read(chunks: Vec<PushedRows>) -> Result<Vec<Message>> {
        let (give, take) = mpsc::channel(16);
        let connector = PushConnector::new("p-1", take);
        tokio::spawn(async move {
            for chunk in chunks {
                give.send(chunk).await.unwrap();
            }
        });
        let request = ReadRequest::new(
            Arc::new(TemporaryRawStore::new().unwrap()),
            chrono::DateTime::UNIX_EPOCH,
        );
        let (out, mut messages) = mpsc::channel(4);
        let reading = tokio::spawn(async move {
            let first = connector.read(request.clone(), out.clone()).await;
            if first.is_ok() {
                assert_eq!(
                    connector.read(request, out).await.unwrap_err().reason,
                    "ALREADY_READ"
                );
            }
            first
        });
        let mut all = Vec::new();
        while let Some(message) = messages.recv().await {
            all.push(message);
        }
        reading.await.unwrap().map(|()| all)
    }

    /// (dataset, batch, positions) of row batches and (position, reason) of rejected rows.
    type Summary = (Vec<(String, String, Vec<u64>)>, Vec<(u64, &'static str)>);

    fn summary(messages: &[Message]) -> Summary {
        let mut rows = Vec::new();
        let mut rejected = Vec::new();
        for message in messages {
            match message {
                Message::Rows(r) => {
                    rows.push((
                        r.dataset.name.clone(),
                        r.batch.to_string(),
                        r.positions.values().to_vec(),
                    ));
                }
                Message::Rejected(r) => rejected.push((r.position, r.reason.code())),
                _ => {}
            }
        }
        (rows, rejected)
    }

    #[tokio::test]
    async fn rows_of_several_datasets_become_one_batch_each() {
        let chunks = || {
            vec![
                pushed("workdays", &[r#"{"day": "2024-01-01", "is_workday": false}"#]),
                pushed("hospitals", &[r#"{"hospital_id": "H1", "name": "甲"}"#]),
                pushed("workdays", &["{\"day\": \"2024-01-02\",\n \"is_workday\": true}"]),
            ]
        };
        let (first, rejected) = {
            let m = read(chunks()).await.unwrap();
            summary(&m)
        };
        assert_eq!(first.len(), 2);
        assert_eq!((first[0].0.as_str(), &first[0].2[..]), ("hospitals", &[1][..]));
        assert_eq!((first[1].0.as_str(), &first[1].2[..]), ("workdays", &[1, 2][..]));
        assert!(rejected.is_empty());
        let (again, _) = summary(&read(chunks()).await.unwrap());
        assert_eq!(first, again, "the same rows make the same batches");
    }

    #[tokio::test]
    async fn bad_rows_are_rejected_one_by_one() {
        let rows = [
            r#"{"day": "2024-01-01"}"#,
            r#"{"日期": "2024-01-01"}"#,
            r#"{"day": "2024-13-01"}"#,
            r#"{"is_workday": true}"#,
            r#"[1]"#,
            "",
            "{\"day\": \"2024-01\n-01\"}",
            r#"{"day": "2024-01-03", "is_workday": "maybe"}"#,
            r#"{"day": "2024-01-04", "note": {"a": 1}}"#,
        ];
        let messages = read(vec![pushed("workdays", &rows)]).await.unwrap();
        let (read, rejected) = summary(&messages);
        assert_eq!(read[0].2, [1]);
        assert_eq!(
            rejected,
            [
                (2, "UNKNOWN_FIELD"),
                (3, "BAD_DATE"),
                (4, "MISSING_KEY"),
                (5, "BAD_JSON"),
                (6, "BAD_JSON"),
                (7, "BAD_JSON"),
                (8, "BAD_BOOL"),
                (9, "NOT_A_SCALAR"),
            ]
        );
    }

    #[tokio::test]
    async fn an_unknown_dataset_stops_the_push() {
        let failure = read(vec![pushed("orders", &["{}"])]).await.unwrap_err();
        assert_eq!(
            (failure.kind, failure.reason),
            (FailureKind::Invalid, "UNKNOWN_DATASET")
        );
    }
}
