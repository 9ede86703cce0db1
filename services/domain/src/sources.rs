//! The borders around sources and scheduled jobs: what operators see of them, and the ports they are reached by.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::ports::{DatasetCounts, Progress, Result, SyncReport};
use crate::text::Bilingual;

// === Sources ===

/// A kind of source that this program can read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindInfo {
    /// e.g. "files".
    pub kind: String,
    pub title: Bilingual,
    /// JSON Schema of the `config` table; null when it takes none.
    pub config_schema: serde_json::Value,
    /// Goes on from where it was.
    pub incremental: bool,
    /// Rows deleted at the source can be found.
    pub lists_keys: bool,
}

/// A configured source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceInfo {
    /// Name that its rows carry as `_source`.
    pub name: String,
    pub kind: String,
    /// Cron expression of its syncs; empty: none.
    pub schedule: String,
    /// IANA name of the schedule's time zone.
    pub zone: String,
    /// Share of rejected rows above which a sync fails, in ten-thousandths.
    pub quarantine_limit_bp: Option<u32>,
    /// Longest time without a new row before the source counts as silent, in seconds; none: only syncs are watched.
    pub silence_seconds: Option<u64>,
    /// The file and table that it stands in.
    pub place: String,
    /// What is wrong with its table; such a source is told, and neither read nor scheduled.
    pub problem: Option<String>,
}

/// Something to read at a source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamInfo {
    /// File, sheet, table or endpoint.
    pub place: String,
    pub dataset: Option<String>,
    /// 0: unknown.
    pub bytes: u64,
    /// (name, type as the source writes it).
    pub columns: Vec<(String, String)>,
    pub cursor: Option<String>,
}

/// How a sync stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SyncState {
    #[default]
    Running,
    Succeeded,
    Failed,
    /// The process ended, or the work was stopped, before its end; what was committed stays.
    Interrupted,
}

impl SyncState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Interrupted => "INTERRUPTED",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Running, Self::Succeeded, Self::Failed, Self::Interrupted]
            .into_iter()
            .find(|s| s.name() == name)
    }
}

/// What a failure asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FailureClass {
    /// A person must change something; never tried again.
    Configuration,
    /// May pass; tried again by the scheduler.
    Transient,
    /// A fault of a system; told, and tried at the next scheduled time.
    System,
}

impl FailureClass {
    pub fn of(kind: crate::FailureKind) -> Self {
        use crate::FailureKind as K;
        match kind {
            K::Invalid | K::NotFound | K::Precondition => Self::Configuration,
            K::Unavailable | K::DeadlineExceeded | K::Exhausted => Self::Transient,
            K::OutOfRange | K::Conflict | K::Cancelled | K::Internal => Self::System,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Configuration => "CONFIGURATION",
            Self::Transient => "TRANSIENT",
            Self::System => "SYSTEM",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Configuration, Self::Transient, Self::System]
            .into_iter()
            .find(|c| c.name() == name)
    }
}

/// The record of one sync, written with each of its commits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncRun {
    pub run_id: String,
    pub source: String,
    pub state: SyncState,
    /// UTC microseconds since 1970.
    pub started_at: i64,
    pub ended_at: Option<i64>,
    /// Lake commits so far.
    pub commits: u64,
    /// The snapshot of the last commit.
    pub snapshot: Option<i64>,
    /// What was committed, by dataset.
    pub datasets: Vec<DatasetCounts>,
    pub bytes: u64,
    /// Stream -> cursor.
    pub cursors_before: BTreeMap<String, String>,
    pub cursors_after: BTreeMap<String, String>,
    pub failure: Option<SyncFailure>,
    /// Changes of the source's columns that it was the first to find.
    pub drift: Vec<DriftEvent>,
}

/// What changed at a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DriftChange {
    ColumnNew,
    ColumnGone,
    TypeChanged,
    StreamGone,
}

impl DriftChange {
    pub fn name(self) -> &'static str {
        match self {
            Self::ColumnNew => "COLUMN_NEW",
            Self::ColumnGone => "COLUMN_GONE",
            Self::TypeChanged => "TYPE_CHANGED",
            Self::StreamGone => "STREAM_GONE",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::ColumnNew,
            Self::ColumnGone,
            Self::TypeChanged,
            Self::StreamGone,
        ]
        .into_iter()
        .find(|c| c.name() == name)
    }
}

/// A change of what a source's rows look like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftEvent {
    pub change: DriftChange,
    /// File or stream, and the column: `orders: updated_at`.
    pub place: String,
    pub message: Bilingual,
}

/// Why a sync failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncFailure {
    pub class: FailureClass,
    /// UPPER_SNAKE.
    pub reason: String,
    pub message: String,
}

/// How a source stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceStatus {
    pub source: SourceInfo,
    pub last_run: Option<SyncRun>,
    /// When its last successful sync ended, UTC microseconds.
    pub last_success_at: Option<i64>,
    /// When the oldest sync on record began, UTC microseconds.
    pub first_run_at: Option<i64>,
    /// When rows last came (inserted or updated), UTC microseconds.
    pub last_rows_at: Option<i64>,
    /// Failed syncs since the last success.
    pub failures: u64,
    /// Rows of all syncs on record.
    pub read: u64,
    pub inserted: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub quarantined: u64,
    /// Whether every sync on record lost no row.
    pub conserved: bool,
    pub alarms: Vec<Alarm>,
    /// Changes of its columns that the newest sync with any found, and when it began, UTC microseconds.
    pub drift: Vec<DriftEvent>,
    pub drift_at: Option<i64>,
}

/// What reconciling one dataset found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconciledDataset {
    pub dataset: String,
    /// Keys that the source holds.
    pub at_source: u64,
    /// Rows of the source that the lake held.
    pub in_lake: u64,
    /// Rows that were gone at the source and are now withdrawn.
    pub withdrawn: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconcileReport {
    pub source: String,
    /// The snapshot after it.
    pub snapshot: i64,
    pub datasets: Vec<ReconciledDataset>,
    pub elapsed_ms: u64,
}

/// One property that every connector must have, and whether this one has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptanceCheck {
    /// e.g. "keys_unique".
    pub name: String,
    pub outcome: AcceptanceOutcome,
    /// What was found, or why it does not apply.
    pub detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AcceptanceOutcome {
    Passed,
    Failed,
    /// Does not apply to this source.
    Skipped,
}

impl AcceptanceOutcome {
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "PASSED",
            Self::Failed => "FAILED",
            Self::Skipped => "SKIPPED",
        }
    }
}

/// What the acceptance suite is to try. All but the suite itself look at what somebody did to the source since the suite
/// last ran on it in this process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AcceptanceTrial {
    /// Everything that can be tried without the source's help.
    #[default]
    Suite,
    /// A row was committed late: with a cursor value that others had passed already.
    LateCommit,
    /// The source gives its rows in another order.
    Unsorted,
    /// A column was renamed, dropped, or has another type.
    SchemaDrift,
}

/// A source as an operator writes it down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewSource {
    pub name: String,
    /// The table of the source as TOML: `kind = "files"`, `schedule = ...`, `[config]`.
    pub toml: String,
    /// Takes the place of a source of that name.
    pub replace: bool,
}

/// Keeps and runs configured sources. Dropping a future stops its work; what was committed stays.
#[async_trait]
pub trait SourcePort: Send + Sync {
    fn kinds(&self) -> Vec<KindInfo>;
    async fn list(&self) -> Result<Vec<SourceInfo>>;
    /// Fails unless the source can be opened as configured; its place may be unreachable.
    async fn add(&self, source: NewSource) -> Result<SourceInfo>;
    /// Forgets the configuration; with `forget_cursors` also where its streams stand.
    async fn remove(&self, name: &str, forget_cursors: bool) -> Result<()>;
    /// Forgets where a stream stands, or (without one) where all of them do, so that the next sync reads from the start.
    /// Rows stay. The streams that were forgotten.
    async fn reset(&self, name: &str, stream: Option<&str>) -> Result<Vec<String>>;
    async fn check(&self, name: &str) -> Result<()>;
    async fn discover(&self, name: &str) -> Result<Vec<StreamInfo>>;
    async fn sync(&self, name: &str, progress: Arc<dyn Progress>) -> Result<SyncReport>;
    /// Refuses to withdraw more than a tenth of a dataset's rows unless `any_share`.
    async fn reconcile(
        &self,
        name: &str,
        any_share: bool,
        progress: Arc<dyn Progress>,
    ) -> Result<ReconcileReport>;
    /// Reads the raw batches of quarantined rows again; rows that now read leave the quarantine.
    async fn redrive(&self, name: &str, progress: Arc<dyn Progress>) -> Result<SyncReport>;
    /// Only a [`AcceptanceTrial::Suite`] may come first.
    async fn accept(
        &self,
        name: &str,
        trial: AcceptanceTrial,
        progress: Arc<dyn Progress>,
    ) -> Result<Vec<AcceptanceCheck>>;
    /// Newest first; of one source or all.
    async fn runs(&self, source: Option<String>, limit: usize) -> Result<Vec<SyncRun>>;
    /// Without alarms, which are the scheduler's.
    async fn status(&self, source: Option<String>) -> Result<Vec<SourceStatus>>;
    /// The snapshot that last changed each dataset; datasets never synced are absent.
    async fn versions(&self, datasets: &[String]) -> Result<BTreeMap<String, i64>>;
}

// === Scheduled jobs ===

/// What a job does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "action")]
pub enum JobAction {
    /// Syncs a source, then runs the rules whose inputs changed.
    Sync { source: String },
    /// Runs rules; empty: all that are not deprecated.
    RunRules { rules: Vec<String>, only_changed: bool },
    /// Finds rows deleted at a source.
    Reconcile { source: String },
}

impl JobAction {
    /// For people and logs: `sync his`.
    pub fn summary(&self) -> String {
        match self {
            Self::Sync { source } => format!("sync {source}"),
            Self::Reconcile { source } => format!("reconcile {source}"),
            Self::RunRules { rules, only_changed } => {
                let which = if rules.is_empty() {
                    "all".to_owned()
                } else {
                    rules.join(",")
                };
                format!("run {which}{}", if *only_changed { " if changed" } else { "" })
            }
        }
    }
}

/// What becomes of scheduled times that passed while nobody ran the job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CatchUp {
    /// One run for the newest of them.
    #[default]
    Latest,
    /// None: the next one counts.
    Skip,
    /// One run each, oldest first.
    All,
}

impl CatchUp {
    pub fn name(self) -> &'static str {
        match self {
            Self::Latest => "LATEST",
            Self::Skip => "SKIP",
            Self::All => "ALL",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Latest, Self::Skip, Self::All]
            .into_iter()
            .find(|c| c.name() == name)
    }
}

/// A job as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Unique, e.g. "sync-his".
    pub job_id: String,
    pub action: JobAction,
    /// Five fields: minute hour day-of-month month day-of-week.
    pub cron: String,
    /// IANA name.
    pub zone: String,
    pub catch_up: CatchUp,
    pub paused: bool,
    /// The next scheduled time, UTC microseconds; none while paused.
    pub next_at: Option<i64>,
    /// Its newest runs' outcome, newest first.
    pub last_runs: Vec<JobRun>,
}

/// One run of a job, or one scheduled time that was missed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRun {
    pub job_id: String,
    /// UTC microseconds. With the job's id this is the idempotency key.
    pub scheduled_at: i64,
    /// RUNNING, RETRYING, SUCCEEDED, FAILED, MISSED, LOST (its server died).
    pub state: String,
    /// Which server ran it.
    pub owner: String,
    pub attempts: u32,
    pub started_at: Option<i64>,
    pub ended_at: Option<i64>,
    /// What it did or why it failed.
    pub message: String,
}

/// Something an operator must look after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// SOURCE_SILENT, JOB_MISSED.
    pub code: String,
    /// The source or job.
    pub subject: String,
    pub message: Bilingual,
    /// UTC microseconds.
    pub raised_at: i64,
    /// None: it still holds.
    pub cleared_at: Option<i64>,
}

/// A job to be made or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// Empty: made of the action, e.g. "sync-his".
    pub job_id: String,
    pub action: JobAction,
    pub cron: String,
    /// Empty: Asia/Shanghai.
    pub zone: String,
    pub catch_up: CatchUp,
}

/// Looks after scheduled jobs.
#[async_trait]
pub trait SchedulePort: Send + Sync {
    async fn jobs(&self) -> Result<Vec<Job>>;
    async fn add(&self, job: NewJob) -> Result<Job>;
    async fn pause(&self, job_id: &str) -> Result<Job>;
    async fn resume(&self, job_id: &str) -> Result<Job>;
    async fn remove(&self, job_id: &str) -> Result<()>;
    /// Runs it now, outside of its schedule; answers when it has ended.
    async fn run_now(&self, job_id: &str) -> Result<JobRun>;
    /// Alarms that hold, and with `cleared` also those that held.
    async fn alarms(&self, cleared: bool) -> Result<Vec<Alarm>>;
}

/// Does what jobs ask for.
#[async_trait]
pub trait JobRunner: Send + Sync {
    /// Does it to the end; says in one line what was done. Dropping the future stops the work.
    async fn run(&self, action: &JobAction) -> Result<String>;
}
