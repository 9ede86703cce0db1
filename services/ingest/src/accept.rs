//! The acceptance suite: properties that every connector must have, tried against a real source. Nothing of it reaches
//! the lake.

mod reading;
mod trials;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::ArrayRef;
use chrono::{DateTime, Utc};
use connector::{Connector, ReadRequest, TemporaryRawStore};
use domain::Bilingual;
use domain::ports::{Progress, ProgressUpdate};
use domain::sources::{AcceptanceCheck, AcceptanceOutcome};
use tokio::sync::mpsc;

use crate::sources::QUARANTINE_LIMIT_BP;
use reading::{Reading, Step, collect, difference, key_text, readable, told};

/// Places at which a reading is cut, at most: between any two messages where there are no more, else spread evenly.
const CUTS_MAX: usize = 64;

type Open<'a> = dyn Fn() -> domain::ports::Result<Box<dyn Connector>> + Send + Sync + 'a;

/// What a source held when the suite, or its last trial, read it whole.
#[derive(Clone)]
pub struct Baseline {
    rows: BTreeMap<String, String>,
    cursors: BTreeMap<String, String>,
    rejected: usize,
    /// (code, place) of what was told.
    told: BTreeSet<(String, String)>,
    /// Why the last trial's reading failed, where that was right.
    refused: Option<&'static str>,
}

impl From<&Reading> for Baseline {
    fn from(whole: &Reading) -> Self {
        Self {
            rows: whole.rows(),
            cursors: whole.cursors(),
            rejected: whole.rejected,
            told: whole.told.clone(),
            refused: None,
        }
    }
}

/// A run of the suite, or of one of its trials.
pub struct Suite<'a> {
    open: &'a Open<'a>,
    now: DateTime<Utc>,
    /// Share of rejected rows above which a sync would fail, in ten-thousandths; none: the kind's.
    quarantine_limit_bp: Option<u32>,
    checks: Vec<AcceptanceCheck>,
    progress: &'a dyn Progress,
}

impl<'a> Suite<'a> {
    pub fn new(
        open: &'a Open<'a>,
        now: DateTime<Utc>,
        quarantine_limit_bp: Option<u32>,
        progress: &'a dyn Progress,
    ) -> Self {
        Self {
            open,
            now,
            quarantine_limit_bp,
            checks: Vec::new(),
            progress,
        }
    }

    pub fn into_checks(self) -> Vec<AcceptanceCheck> {
        self.checks
    }
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

    /// Runs all checks; a failed one does not stop the others where they can still say something. What was read, for the
    /// trials to compare with; none when nothing could be read.
    pub async fn run(&mut self) -> Option<Baseline> {
        let connector = match (self.open)() {
            Ok(connector) => connector,
            Err(e) => {
                self.judge("opens", Some(e.message), "");
                return None;
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
            return None;
        }
        self.discovery(connector.as_ref()).await;
        let first = match self.read(connector.as_ref(), BTreeMap::new(), None).await {
            Ok(first) => first,
            Err(e) => {
                self.judge("read_completes", Some(told(&e)), "");
                return None;
            }
        };
        let limit_bp = self.quarantine_limit_bp.or(spec.quarantine_limit_bp);
        self.rows_fit(&first, limit_bp.unwrap_or(QUARANTINE_LIMIT_BP));
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
        self.trials_ahead(spec.incremental);
        Some(Baseline::from(&first))
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

    /// What a sync would do with the rows. A source without a row proves nothing.
    fn rows_fit(&mut self, reading: &Reading, limit_bp: u32) {
        let (rows, rejected) = (reading.count(), reading.rejected);
        let name = "rows_fit_the_data_model";
        if rows + rejected == 0 && reading.problems.is_empty() {
            return self.skipped(name, "the source gave no row, so that nothing was tried");
        }
        let counts = format!("{rows} rows, {rejected} rejected");
        let is_over = rejected * 10_000 > (rows + rejected) * limit_bp as usize;
        let commonest = reading.commonest_reason().filter(|_| is_over);
        let problem = reading.problems.first().cloned();
        let problem = problem.or_else(|| commonest.map(|why| format!("{counts}; most often {why}")));
        self.judge(name, problem, counts);
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
                    twice.get_or_insert_with(|| format!("{} came with two contents", readable(key)));
                }
            }
        }
        if seen.is_empty() {
            return self.skipped("keys_unique", "no row was read");
        }
        let keys = seen.len();
        self.judge("keys_unique", twice, format!("{keys} keys"));
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
        let messages = first.steps.len();
        match self.cut(&first.rows(), messages).await {
            Ok(cuts) => self.passed(
                "resumes_after_a_cut",
                format!("{cuts} cuts in {messages} messages"),
            ),
            Err(problem) => {
                self.judge("resumes_after_a_cut", Some(problem), "");
            }
        }
    }

    /// How many cuts went well, or what is wrong with the first other.
    async fn cut(&self, whole: &BTreeMap<String, String>, messages: usize) -> Result<usize, String> {
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
                Ok(both) => difference(whole, &both),
            };
            if let Some(problem) = problem {
                return Err(format!("cut after message {k} of {messages}: {problem}"));
            }
            cuts += 1;
        }
        Ok(cuts)
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
                .map(|(key, _)| format!("{} is another row when it is read again", readable(key))),
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
            let raw = Arc::new(TemporaryRawStore::new()?);
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
            Err(e) if e.reason == "KEY_UNKNOWN" => return self.skipped("keys_listed", &e.message),
            Err(e) => Some(told(&e)),
            Ok(_) if first.cut => None,
            Ok(keys) => first
                .rows()
                .keys()
                .find(|key| !keys.contains(*key))
                .map(|key| format!("{} was read but is not listed", readable(key))),
        };
        self.judge("keys_listed", problem, "every row that was read is listed");
    }

    async fn read(
        &self,
        connector: &dyn Connector,
        cursors: BTreeMap<String, String>,
        stop_after: Option<usize>,
    ) -> domain::ports::Result<Reading> {
        let raw = Arc::new(TemporaryRawStore::new()?);
        let request = ReadRequest {
            cursors,
            batch_rows: 1_000,
            is_trial: true,
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
