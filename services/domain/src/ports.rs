//! The borders between services, as small `dyn` traits. The gateway speaks only to these.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::alert::{Alert, AlertEvent, RuleCounts};
use crate::failure::Failure;
use crate::hit::{RuleState, RunOutput};
use crate::rule::RuleSpec;
use crate::screening::{ScreenRequest, Screening};
use crate::text::Bilingual;
use crate::value::Value;

pub type Result<T> = std::result::Result<T, Failure>;

/// How far a long piece of work has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgressUpdate {
    /// What is being done now, e.g. a file or a rule id.
    pub stage: Bilingual,
    /// In `unit`s ("bytes", "rules"); total 0 means unknown.
    pub done: u64,
    pub total: u64,
    pub unit: String,
}

/// Where progress goes. Must not block.
pub trait Progress: Send + Sync {
    fn report(&self, update: ProgressUpdate);
}

/// Ignores progress.
pub struct NoProgress;

impl Progress for NoProgress {
    fn report(&self, _: ProgressUpdate) {}
}

// === Syncing ===

/// What to pull. Dropping the future cancels; nothing is visible unless the whole sync committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncFilesRequest {
    /// Name the rows carry as `_source`. Empty: the one the mapping names, else "files".
    pub source: String,
    pub dir: PathBuf,
    pub mapping: Option<PathBuf>,
    /// Above this share of quarantined rows (in ten-thousandths) a sync fails and changes nothing. 100 (1 %) is
    /// what nobody asked for: then the mapping's counts, if it has one.
    pub quarantine_limit_bp: u32,
}

/// Per dataset: `read = inserted + updated + unchanged + quarantined`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetCounts {
    pub dataset: String,
    pub read: u64,
    pub inserted: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub quarantined: u64,
}

impl DatasetCounts {
    pub fn holds(&self) -> bool {
        self.read == self.inserted + self.updated + self.unchanged + self.quarantined
    }
}

/// Something the reader of a sync report should know: an ignored column, a file that is no dataset, a date
/// given to the month only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// UPPER_SNAKE.
    pub code: String,
    pub place: String,
    pub message: Bilingual,
    /// How often.
    pub count: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncReport {
    pub source: String,
    /// The snapshot after the sync.
    pub snapshot: i64,
    pub datasets: Vec<DatasetCounts>,
    pub notices: Vec<Notice>,
    /// First few quarantined rows for the terminal; all of them are in the lake table `_quarantine`.
    pub quarantine_sample: Vec<QuarantineEntry>,
    pub elapsed_ms: u64,
    pub bytes: u64,
}

/// A row that could not be read, kept with its raw bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineEntry {
    pub dataset: String,
    pub file: String,
    /// Line of a text file, row of a sheet, index of a record; from 1.
    pub row: u64,
    pub field: Option<String>,
    /// UPPER_SNAKE, e.g. BAD_DECIMAL.
    pub reason: String,
    pub detail: String,
    pub raw: String,
}

/// One row pushed over gRPC: JSON object text of a dataset row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushedRows {
    pub dataset: String,
    /// JSON objects, one a row.
    pub json_rows: Vec<String>,
}

/// Which quarantined rows; `None` does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QuarantineFilter {
    pub dataset: Option<String>,
    pub source: Option<String>,
    /// UPPER_SNAKE, e.g. BAD_DATE.
    pub reason: Option<String>,
}

#[async_trait]
pub trait SyncPort: Send + Sync {
    async fn sync_files(&self, request: SyncFilesRequest, progress: Arc<dyn Progress>) -> Result<SyncReport>;

    /// Ingests pushed rows as one batch; `batch_id` makes a repeat harmless.
    async fn sync_pushed(
        &self,
        source: String,
        batch_id: String,
        rows: mpsc::Receiver<PushedRows>,
        progress: Arc<dyn Progress>,
    ) -> Result<SyncReport>;

    /// Quarantined rows, newest sync first.
    async fn quarantine(&self, filter: QuarantineFilter, limit: usize) -> Result<Vec<QuarantineEntry>>;
}

// === Colliding ===

/// What to run. Same request on the same snapshot and rules: the same output, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRequest {
    /// Empty: all rules that are not deprecated.
    pub rules: Vec<String>,
    pub as_of: NaiveDate,
    /// None: the newest snapshot.
    pub snapshot: Option<i64>,
    /// 0: one per core.
    pub threads: usize,
    /// Rule id -> parameter -> value, over the rule's defaults.
    pub params: BTreeMap<String, BTreeMap<String, Value>>,
}

/// One rule on a series of days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BacktestRequest {
    pub rule_id: String,
    /// In order of time.
    pub days: Vec<NaiveDate>,
    /// None: the newest snapshot.
    pub snapshot: Option<i64>,
    /// 0: one per core.
    pub threads: usize,
    /// Over the rule's defaults.
    pub params: BTreeMap<String, Value>,
}

/// What one rule would have found on a series of days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BacktestReport {
    pub rule_id: String,
    pub rule_version: u32,
    pub snapshot: i64,
    pub points: Vec<BacktestPoint>,
    /// The first ones by the day on which they were first found, then by identity.
    pub hits: Vec<BacktestHit>,
    /// Hits of different identity on all days.
    pub hits_total: u64,
}

/// One day of a backtest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BacktestPoint {
    pub as_of: NaiveDate,
    pub state: RuleState,
    pub reason: Option<(String, Bilingual)>,
    pub hits: u64,
    /// Hits that the day before did not have; the day before is the last one on which the rule could look.
    pub begun: u64,
    /// Hits of the day before that this one does not have.
    pub ended: u64,
    pub elapsed_ms: u64,
}

/// One hit of a backtest, as it stands on the last day that has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BacktestHit {
    pub identity: BTreeMap<String, Value>,
    pub message: Bilingual,
    pub amount_at_risk: Option<String>,
    pub first_day: NaiveDate,
    pub last_day: NaiveDate,
}

/// A rule with its text and place.
#[derive(Debug, Clone)]
pub struct Rule {
    pub spec: Arc<RuleSpec>,
    /// The whole file, front matter included.
    pub text: Arc<str>,
    /// SHA-256 (hex) of the text.
    pub hash: String,
    /// e.g. "rules/tender/TEN-04_split.sql", or the path below `--rules`.
    pub place: String,
}

/// One case of a rule's test file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleCaseResult {
    pub rule_id: String,
    pub case: String,
    pub passed: bool,
    /// What was expected and what came, when it failed.
    pub detail: String,
}

/// One change made to a rule's text or parameters, and whether some case noticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MutantResult {
    pub rule_id: String,
    pub mutation: String,
    pub killed: bool,
}

#[async_trait]
pub trait CollisionPort: Send + Sync {
    fn rules(&self) -> Vec<Rule>;

    /// Runs rules on one snapshot. One failing rule never stops the rest. Dropping the future stops the work.
    async fn run(&self, request: RunRequest, progress: Arc<dyn Progress>) -> Result<RunOutput>;

    /// Runs one rule on a series of days, on one snapshot. Dropping the future stops the work.
    async fn backtest(&self, request: BacktestRequest, progress: Arc<dyn Progress>)
    -> Result<BacktestReport>;

    /// Runs the cases of a rule (all rules when None).
    async fn test_rules(&self, rule: Option<String>) -> Result<Vec<RuleCaseResult>>;

    /// Flips each comparison and shifts each parameter; says which changes no case noticed.
    async fn mutate_rules(&self, rule: Option<String>) -> Result<Vec<MutantResult>>;

    /// Problems in rules, views and rules.lock, each with its file and line. Empty when all is well.
    async fn lint_rules(&self) -> Result<Vec<String>>;

    /// For each (dataset, key, hash): does the row still stand unchanged in the newest snapshot?
    async fn rows_unchanged(&self, rows: Vec<EvidenceRef>) -> Result<Vec<bool>>;
}

/// Points at one row of the lake and what it held.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EvidenceRef {
    pub dataset: String,
    pub key: BTreeMap<String, Value>,
    pub hash: String,
}

// === Alerts ===

/// One rule's line in a recorded run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleRunRecord {
    pub rule_id: String,
    pub rule_version: u32,
    pub rule_hash: String,
    pub state: RuleState,
    pub reason_code: Option<String>,
    pub reason: Option<Bilingual>,
    pub counts: RuleCounts,
    pub elapsed_ms: u64,
}

/// A recorded run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    pub run_id: String,
    pub snapshot: i64,
    pub as_of: NaiveDate,
    pub bundle_hash: String,
    pub rules: Vec<RuleRunRecord>,
}

/// What recording a run would do.
#[derive(Debug, Clone, PartialEq)]
pub struct RunPreview {
    /// With the counts that its record would have.
    pub run: RunRecord,
    /// The changes of alerts, rule by rule, without evidence and path; alerts that would be new have no id yet.
    pub events: Vec<AlertEvent>,
    /// Changes in all; `events` holds the first.
    pub events_total: u64,
}

/// A page of alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertPage {
    pub alerts: Vec<Alert>,
    /// Empty at the end.
    pub next_page_token: String,
    pub total: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListAlertsRequest {
    /// AIP-160 subset: `rule_id = "TEN-04" AND state != CLOSED AND severity >= MEDIUM`.
    pub filter: String,
    /// 0 = 50; at most 1000.
    pub page_size: i32,
    pub page_token: String,
}

/// How an alert came about and how to get it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertExplanation {
    pub alert: Alert,
    pub rule_text: String,
    pub rule_hash: String,
    pub params: BTreeMap<String, Value>,
    pub snapshot: i64,
    pub as_of: NaiveDate,
    pub bundle_hash: String,
    pub table_versions: BTreeMap<String, i64>,
    /// SHA-256 (hex) over the sorted evidence rows' (dataset, key, hash).
    pub evidence_digest: String,
    /// Newest first: (run id, as_of, rule version, evidence digest).
    pub occurrences: Vec<(String, NaiveDate, u32, String)>,
    /// Newest first.
    pub closures: Vec<Closure>,
}

/// That a person closed an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closure {
    pub actor: String,
    pub reason: String,
    /// RFC 3339, UTC.
    pub closed_at: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WatchRequest {
    pub filter: String,
    pub resume_token: String,
    pub send_initial_list: bool,
    /// Events buffered for a slow reader before SLOW_CONSUMER; 0 = 1000.
    pub max_outstanding: usize,
}

/// What a watch stream carries. Every item has a token to resume after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchItem {
    Event {
        event: Box<AlertEvent>,
        resume_token: String,
    },
    Bookmark {
        revision: i64,
        initial_list_end: bool,
        resume_token: String,
    },
}

pub type WatchStream = futures_stream::BoxStream<Result<WatchItem>>;

/// A boxed stream without naming a futures crate in every signature.
pub mod futures_stream {
    use std::pin::Pin;

    pub use futures_core::Stream;

    pub type BoxStream<T> = Pin<Box<dyn Stream<Item = T> + Send>>;
}

#[async_trait]
pub trait AlertsPort: Send + Sync {
    /// Records a run: alerts, occurrences, events and counts in one transaction. Recording the same output
    /// again changes nothing. `unchanged` tells whether evidence rows still stand at the source.
    async fn record(&self, output: &RunOutput, rows: &dyn EvidenceCheck) -> Result<RunRecord>;
    /// What [`record`](Self::record) would do with a run. Changes nothing, and nobody is told.
    async fn preview(&self, output: &RunOutput, rows: &dyn EvidenceCheck) -> Result<RunPreview>;
    async fn list(&self, request: ListAlertsRequest) -> Result<AlertPage>;
    async fn get(&self, alert_id: &str) -> Result<Alert>;
    async fn explain(&self, alert_id: &str) -> Result<AlertExplanation>;
    /// Closes by a person; a closed alert cannot be closed again (FAILED_PRECONDITION).
    async fn close(&self, alert_id: &str, actor: &str, reason: &str) -> Result<Alert>;
    async fn watch(&self, request: WatchRequest) -> Result<WatchStream>;
    async fn runs(&self, limit: usize) -> Result<Vec<RunRecord>>;
}

/// Asks the lake whether evidence rows still stand. Implemented for every [`CollisionPort`].
#[async_trait]
pub trait EvidenceCheck: Send + Sync {
    async fn unchanged(&self, rows: Vec<EvidenceRef>) -> Result<Vec<bool>>;
}

// === Asking ===

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryRequest {
    pub sql: String,
    pub at_snapshot: Option<i64>,
    /// 0 = 10,000.
    pub max_rows: u64,
}

/// First the columns, then rows in chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryItem {
    /// (name, type as the engine writes it).
    Columns(Vec<(String, String)>),
    Rows(Vec<Vec<Value>>),
    /// Sent last when the row limit cut the result.
    Truncated {
        limit: u64,
    },
}

#[async_trait]
pub trait QueryPort: Send + Sync {
    /// One read-only SELECT over the lake. Dropping the stream stops the work.
    async fn query(&self, request: QueryRequest) -> Result<futures_stream::BoxStream<Result<QueryItem>>>;

    /// Newest first: (snapshot, RFC 3339 time, what it did).
    async fn snapshots(&self, limit: usize) -> Result<Vec<(i64, String, String)>>;
}

// === Graph ===

/// A party as the graph knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartyInfo {
    pub party_id: String,
    /// company, person or hospital.
    pub kind: String,
    pub name: String,
    /// USCC or masked ID number, when it has a valid one.
    pub code: Option<String>,
    pub aliases: Vec<String>,
    /// (dataset, key) of the rows that mention it, a few.
    pub mentions: Vec<String>,
}

/// A path between two parties, hop by hop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartyPath {
    pub hops: Vec<Value>,
    /// Product of shares along the path, decimal text, when every hop has one.
    pub share: Option<String>,
    /// How likely it is that every hop is a true tie, over 0 to 1.
    pub probability: f64,
    /// What paths are ranked by, over 0 to 1.
    pub score: f64,
    pub valid_from: Option<NaiveDate>,
    pub valid_to: Option<NaiveDate>,
}

/// A party by its names alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartyName {
    pub party_id: String,
    /// company, person or hospital.
    pub kind: String,
    pub name: String,
}

/// What one owner has of a company.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CompanyOwner {
    pub owner: PartyName,
    /// Fraction, 0 to 1, through all chains and circles.
    pub integrated_share: f64,
    pub controls: bool,
    /// Nobody is known to hold the owner.
    pub ultimate: bool,
}

/// Who owns a company on a day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CompanyOwnership {
    pub company: PartyName,
    /// The largest share first.
    pub owners: Vec<CompanyOwner>,
    /// Companies above whose stated shares sum to over 100 %, with the sum in percent as decimal text.
    pub over_whole: Vec<(PartyName, String)>,
    /// Circles above that have no integrated shares; `true` where the members hold one another whole.
    pub unowned: Vec<(Vec<PartyName>, bool)>,
    /// A limit cut the answer.
    pub truncated: bool,
}

/// What stands around a party.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartyNeighbourhood {
    /// With the distance in hops; nearest first.
    pub parties: Vec<(PartyName, usize)>,
    /// Each a map as the hops of a path are.
    pub edges: Vec<Value>,
    pub truncated: bool,
}

/// Parties that hang together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartyComponent {
    /// The least party id.
    pub component_id: String,
    pub size: usize,
    /// A few of its parties, by id.
    pub parties: Vec<PartyName>,
}

/// A file format for the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GraphFormat {
    GraphMl,
    FollowTheMoney,
}

/// How far around a party one looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Around {
    pub max_hops: usize,
    /// Only relations in force on this day.
    pub as_of: Option<NaiveDate>,
    pub parties_max: usize,
    pub edges_max: usize,
}

/// Every question is answered from one version of the graph, that of the newest snapshot. A party is given as
/// [`GraphPort::find_party`] takes it.
#[async_trait]
pub trait GraphPort: Send + Sync {
    /// By party id, USCC, ID number, staff id, supplier id or name; every match.
    async fn find_party(&self, text: &str) -> Result<Vec<PartyInfo>>;
    /// By party id alone.
    async fn party(&self, party_id: &str) -> Result<PartyInfo>;
    /// Best first; at most `limit`.
    async fn paths(
        &self,
        from: &str,
        to: &str,
        max_hops: usize,
        as_of: Option<NaiveDate>,
        limit: usize,
    ) -> Result<Vec<PartyPath>>;
    /// Of each company that the text finds. `min_share` is a fraction.
    async fn ownership(
        &self,
        company: &str,
        as_of: NaiveDate,
        min_share: f64,
    ) -> Result<Vec<CompanyOwnership>>;
    async fn neighbourhood(&self, party: &str, around: Around) -> Result<PartyNeighbourhood>;
    /// The largest first, of at least `size_min` parties; at most `limit`, each with at most `parties_max` parties.
    async fn components(
        &self,
        size_min: usize,
        limit: usize,
        parties_max: usize,
    ) -> Result<Vec<PartyComponent>>;
    /// A neighbourhood, or all, as text of that format.
    async fn export(&self, format: GraphFormat, party: Option<(&str, Around)>) -> Result<String>;
}

// === Screening ===

/// Answers screenings over one snapshot, without waiting for anything.
pub trait Screener: Send + Sync {
    fn snapshot(&self) -> i64;
    /// The same request on the same snapshot: the same answer.
    fn screen(&self, request: &ScreenRequest) -> Screening;
}

#[async_trait]
pub trait ScreeningPort: Send + Sync {
    /// What answers over snapshot `min_snapshot` or a newer one. 0: whatever is at hand, which is the newest or
    /// one that was the newest a moment ago. OUT_OF_RANGE when `min_snapshot` was not committed yet.
    async fn screener(&self, min_snapshot: i64) -> Result<Arc<dyn Screener>>;
}
