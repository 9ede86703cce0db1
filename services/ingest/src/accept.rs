//! The acceptance suite: properties that every connector must have, tried against a real source. Nothing of it reaches
//! the lake.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::util::display::array_value_to_string;
use chrono::{DateTime, Utc};
use connector::{Connector, Message, RawBatch, RawStore, ReadRequest, RowBatch};
use domain::ports::{Progress, ProgressUpdate};
use domain::sources::{AcceptanceCheck, AcceptanceOutcome};
use domain::{Bilingual, Failure};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::sync::mpsc;

/// Rows of a source that the suite reads, at most; of a larger one the rest is not looked at.
const ROWS_MAX: usize = 200_000;
/// Places at which a reading is cut, at most, spread evenly over its messages.
const CUTS_MAX: usize = 40;

type Open<'a> = dyn Fn() -> domain::ports::Result<Box<dyn Connector>> + Send + Sync + 'a;

/// Everything that a reading sent.
#[derive(Default)]
struct Reading {
    /// One entry a message: the rows it carried, or a checkpoint.
    steps: Vec<Step>,
    rejected: usize,
    problems: Vec<String>,
    /// Cut short by the number of rows or at the wanted message.
    cut: bool,
}

enum Step {
    Rows(Vec<Row>),
    Checkpoint(String, String),
    Other,
}

/// (dataset and key, content).
type Row = (String, String);

impl Reading {
    fn rows(&self) -> BTreeMap<String, String> {
        let mut rows = BTreeMap::new();
        for step in &self.steps {
            if let Step::Rows(found) = step {
                rows.extend(found.iter().cloned());
            }
        }
        rows
    }

    fn count(&self) -> usize {
        self.steps
            .iter()
            .map(|s| match s {
                Step::Rows(rows) => rows.len(),
                _ => 0,
            })
            .sum()
    }

    fn cursors(&self) -> BTreeMap<String, String> {
        let mut cursors = BTreeMap::new();
        for step in &self.steps {
            if let Step::Checkpoint(stream, cursor) = step {
                cursors.insert(stream.clone(), cursor.clone());
            }
        }
        cursors
    }
}

struct Suite<'a> {
    open: &'a Open<'a>,
    now: DateTime<Utc>,
    checks: Vec<AcceptanceCheck>,
    progress: &'a dyn Progress,
}

/// Runs all checks; a failed one does not stop the others where they can still say something.
pub(crate) async fn accept(
    open: &Open<'_>,
    now: DateTime<Utc>,
    progress: &dyn Progress,
) -> Vec<AcceptanceCheck> {
    let mut suite = Suite {
        open,
        now,
        checks: Vec::new(),
        progress,
    };
    suite.run().await;
    suite.checks
}

impl Suite<'_> {
    fn passed(&mut self, name: &str, detail: impl Into<String>) {
        self.add(name, AcceptanceOutcome::Passed, detail.into());
    }

    fn skipped(&mut self, name: &str, why: impl Into<String>) {
        self.add(name, AcceptanceOutcome::Skipped, why.into());
    }

    fn judge(&mut self, name: &str, problem: Option<String>, well: impl Into<String>) -> bool {
        let good = problem.is_none();
        match problem {
            None => self.passed(name, well),
            Some(problem) => self.add(name, AcceptanceOutcome::Failed, problem),
        }
        good
    }

    fn add(&mut self, name: &str, outcome: AcceptanceOutcome, detail: String) {
        self.progress.report(ProgressUpdate {
            stage: Bilingual::new(format!("验收：{name}"), format!("checked {name}")),
            done: self.checks.len() as u64 + 1,
            total: 0,
            unit: "checks".into(),
        });
        self.checks.push(AcceptanceCheck {
            name: name.to_owned(),
            outcome,
            detail,
        });
    }

    async fn run(&mut self) {
        let connector = match (self.open)() {
            Ok(connector) => connector,
            Err(e) => {
                self.judge("opens", Some(e.message), "");
                return;
            }
        };
        let spec = connector.spec();
        let schema_is_right = spec.config_schema.is_null() || spec.config_schema.is_object();
        let problem = if spec.kind.is_empty() {
            Some("it has no kind".to_owned())
        } else if spec.title.zh.is_empty() || spec.title.en.is_empty() {
            Some("its title lacks Chinese or English".to_owned())
        } else if !schema_is_right {
            Some("its config_schema is neither null nor a JSON Schema object".to_owned())
        } else {
            None
        };
        self.judge("spec_valid", problem, format!("kind {}", spec.kind));
        let problem = connector.check().await.err().map(|e| told(&e));
        if !self.judge("check_ok", problem, "the source answers") {
            return;
        }
        self.discovery(connector.as_ref()).await;
        let first = match self.read(connector.as_ref(), BTreeMap::new(), None).await {
            Ok(first) => first,
            Err(e) => {
                self.judge("read_completes", Some(told(&e)), "");
                return;
            }
        };
        let problem = first.problems.first().cloned();
        self.judge(
            "rows_fit_the_data_model",
            problem,
            format!("{} rows, {} rejected", first.count(), first.rejected),
        );
        self.keys_unique(&first);
        self.read_twice(&first).await;
        if spec.incremental {
            self.resumption(&first).await;
            self.nothing_lost_at_the_end(&first).await;
        } else {
            for name in ["resumes_after_a_cut", "incremental_loses_nothing"] {
                self.skipped(name, "the source keeps no cursors");
            }
        }
        match spec.lists_keys {
            true => self.keys(&first).await,
            false => self.skipped("keys_listed", "the source lists no keys"),
        }
    }

    async fn discovery(&mut self, connector: &dyn Connector) {
        let problem = match connector.discover().await {
            Err(e) => Some(told(&e)),
            Ok(found) => {
                let mut places = BTreeSet::new();
                found.iter().find_map(|d| {
                    let name = d.dataset.as_deref();
                    if d.place.is_empty() {
                        Some("a stream has no name".to_owned())
                    } else if !places.insert((d.place.clone(), d.dataset.clone())) {
                        Some(format!("{} is listed twice", d.place))
                    } else if name.is_some_and(|n| domain::dataset(n).is_none()) {
                        Some(format!("{}: no dataset {name:?}", d.place))
                    } else {
                        None
                    }
                })
            }
        };
        self.judge("discovery_valid", problem, "streams are named once each");
    }

    /// One key stands for one row: where it comes twice, the source must say the same both times or send it as a
    /// change later on, which a source without cursors does not.
    fn keys_unique(&mut self, reading: &Reading) {
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        let mut twice = None;
        for step in &reading.steps {
            let Step::Rows(rows) = step else { continue };
            for (key, content) in rows {
                if let Some(before) = seen.insert(key, content)
                    && before != content
                {
                    twice.get_or_insert_with(|| format!("{key} came with two contents"));
                }
            }
        }
        self.judge("keys_unique", twice, format!("{} keys", seen.len()));
    }

    async fn read_twice(&mut self, first: &Reading) {
        let again = async {
            let connector = (self.open)()?;
            self.read(connector.as_ref(), BTreeMap::new(), None).await
        };
        let problem = match again.await {
            Err(e) => Some(told(&e)),
            Ok(again) => difference(&first.rows(), &again.rows()),
        };
        self.judge("read_twice_equal", problem, "two readings agree");
    }

    /// Cuts a reading after message k; what was read up to its last checkpoint, and a second reading from there, make
    /// the whole.
    async fn resumption(&mut self, first: &Reading) {
        let whole = first.rows();
        let messages = first.steps.len();
        let step = messages.div_ceil(CUTS_MAX).max(1);
        let mut cuts = 0;
        for k in (0..messages).step_by(step) {
            let tried = async {
                let connector = (self.open)()?;
                let head = self.read(connector.as_ref(), BTreeMap::new(), Some(k)).await?;
                let committed = head
                    .steps
                    .iter()
                    .rposition(|s| matches!(s, Step::Checkpoint(..)))
                    .map_or(0, |at| at + 1);
                let kept = Reading {
                    steps: head.steps.into_iter().take(committed).collect(),
                    ..Reading::default()
                };
                let connector = (self.open)()?;
                let rest = self.read(connector.as_ref(), kept.cursors(), None).await?;
                let mut both = kept.rows();
                both.extend(rest.rows());
                domain::ports::Result::Ok(both)
            };
            let problem = match tried.await {
                Err(e) => Some(told(&e)),
                Ok(both) => difference(&whole, &both),
            };
            if let Some(problem) = problem {
                self.judge(
                    "resumes_after_a_cut",
                    Some(format!("cut after message {k} of {messages}: {problem}")),
                    "",
                );
                return;
            }
            cuts += 1;
        }
        self.passed(
            "resumes_after_a_cut",
            format!("{cuts} cuts in {messages} messages"),
        );
    }

    /// Reading on from the end may repeat rows, and must not contradict those that came.
    async fn nothing_lost_at_the_end(&mut self, first: &Reading) {
        let cursors = first.cursors();
        if cursors.is_empty() {
            self.judge(
                "incremental_loses_nothing",
                Some("the source says that it is incremental but sent no checkpoint".to_owned()),
                "",
            );
            return;
        }
        let whole = first.rows();
        let tried = async {
            let connector = (self.open)()?;
            self.read(connector.as_ref(), cursors, None).await
        };
        let problem = match tried.await {
            Err(e) => Some(told(&e)),
            Ok(on) => on
                .rows()
                .iter()
                .find(|(key, content)| whole.get(*key).is_some_and(|known| known != *content))
                .map(|(key, _)| format!("{key} is another row when it is read again")),
        };
        self.judge(
            "incremental_loses_nothing",
            problem,
            "reading on repeats what it must",
        );
    }

    async fn keys(&mut self, first: &Reading) {
        let listed = async {
            let connector = (self.open)()?;
            let raw = TempRaw::new()?;
            let (sender, mut batches) = mpsc::channel::<connector::KeyBatch>(4);
            let collect = async {
                let mut keys = BTreeSet::new();
                while let Some(batch) = batches.recv().await {
                    let columns: Vec<&ArrayRef> = batch.keys.columns().iter().collect();
                    for row in 0..batch.keys.num_rows() {
                        keys.insert(key_text(&batch.dataset.name, &columns, row));
                    }
                }
                keys
            };
            let request = ReadRequest::new(raw, self.now);
            let (listed, keys) = tokio::join!(connector.keys(request, sender), collect);
            listed.map(|()| keys)
        };
        let problem = match listed.await {
            Err(e) => Some(told(&e)),
            Ok(_) if first.cut => None,
            Ok(keys) => first
                .rows()
                .keys()
                .find(|key| !keys.contains(*key))
                .map(|key| format!("{key} was read but is not listed")),
        };
        self.judge("keys_listed", problem, "every row that was read is listed");
    }

    async fn read(
        &self,
        connector: &dyn Connector,
        cursors: BTreeMap<String, String>,
        stop_after: Option<usize>,
    ) -> domain::ports::Result<Reading> {
        let raw = TempRaw::new()?;
        let request = ReadRequest {
            cursors,
            batch_rows: 1_000,
            ..ReadRequest::new(raw.clone(), self.now)
        };
        let (sender, messages) = mpsc::channel(1);
        let (read, mut reading) = tokio::join!(
            connector.read(request, sender),
            collect(messages, stop_after, &raw)
        );
        match read {
            Ok(()) => Ok(reading),
            // The suite hung up; that it stopped for that is right.
            Err(_) if reading.cut => Ok(std::mem::take(&mut reading)),
            Err(e) => Err(e),
        }
    }
}

async fn collect(mut messages: mpsc::Receiver<Message>, stop_after: Option<usize>, raw: &TempRaw) -> Reading {
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
            Message::Rejected(_) => {
                reading.rejected += 1;
                Step::Other
            }
            Message::Checkpoint(c) => Step::Checkpoint(c.stream.to_string(), c.cursor),
            Message::Notice(_) | Message::Progress(_) => Step::Other,
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
fn key_text(dataset: &str, columns: &[&ArrayRef], row: usize) -> String {
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

fn readable(key: &str) -> String {
    key.replace('\u{1f}', " / ")
}

fn difference(want: &BTreeMap<String, String>, found: &BTreeMap<String, String>) -> Option<String> {
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

fn told(failure: &Failure) -> String {
    format!("{} [{}]", failure.message, failure.reason)
}

/// Keeps raw batches as long as the suite needs them.
#[derive(Debug)]
struct TempRaw {
    dir: TempDir,
}

impl TempRaw {
    fn new() -> domain::ports::Result<Arc<Self>> {
        let dir = TempDir::new().map_err(|e| Failure::internal(&e))?;
        Ok(Arc::new(Self { dir }))
    }

    fn place(&self, digest: &str) -> PathBuf {
        self.dir.path().join(digest)
    }

    fn has(&self, digest: &str) -> bool {
        !digest.is_empty() && self.place(digest).is_file()
    }
}

impl RawStore for TempRaw {
    fn put_file(&self, path: &Path, name: &str) -> domain::ports::Result<RawBatch> {
        let bytes = std::fs::read(path).map_err(|e| {
            Failure::new(
                domain::FailureKind::Unavailable,
                "FILE",
                format!("{}: {e}", path.display()),
            )
        })?;
        self.put_bytes(&bytes, name)
    }

    fn put_bytes(&self, bytes: &[u8], _name: &str) -> domain::ports::Result<RawBatch> {
        let digest = format!("{:x}", Sha256::digest(bytes));
        let path = self.place(&digest);
        std::fs::write(&path, bytes).map_err(|e| Failure::internal(&e))?;
        Ok(RawBatch {
            digest: digest.into(),
            path,
            bytes: bytes.len() as u64,
        })
    }
}
