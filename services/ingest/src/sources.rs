//! [`Sources`]: the configured sources, and everything an operator does with one.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use connector::{Connector, ConnectorFactory};
use domain::ports::{Progress, Result, SyncReport};
use domain::sources::{
    AcceptanceCheck, AcceptanceTrial, KindInfo, NewSource, ReconcileReport, SourceInfo, SourcePort,
    SourceStatus, StreamInfo, SyncRun, SyncState,
};
use domain::{Failure, FailureKind};

use crate::accept::{Baseline, Suite};
use crate::host::Host;
use crate::pull::{CommitLimits, Plan, pull};
use crate::registry::Registry;
use crate::source_file::{ConfiguredSource, SourceFile};
use crate::{copies, reconcile};

/// Share of rejected rows above which a sync fails, in ten-thousandths, when neither the source nor its
/// configuration says another.
pub const QUARANTINE_LIMIT_BP: u32 = 100;
/// Rejected rows that never fail a sync of a source that is read in parts and says no limit: a share says little of the
/// few rows of a night.
const REJECTED_ALWAYS: u64 = 10;
/// Syncs of one source that its status looks at.
const STATUS_RUNS_MAX: usize = 1_000;

/// The service behind [`SourcePort`].
pub struct Sources {
    host: Arc<Host>,
    kinds: Registry,
    file: SourceFile,
    /// What the acceptance suite read last, by source.
    accepted: Mutex<BTreeMap<String, Arc<Baseline>>>,
    /// One piece of work a source at a time.
    turns: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Sources {
    pub(crate) fn new(host: Arc<Host>, kinds: Registry, file: SourceFile) -> Self {
        Self {
            host,
            kinds,
            file,
            accepted: Mutex::default(),
            turns: Mutex::default(),
        }
    }

    async fn turn(&self, name: &str) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = self
            .turns
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(name.to_owned())
            .or_default()
            .clone();
        turn.lock_owned().await
    }

    fn factory(&self, source: &ConfiguredSource) -> Result<&dyn ConnectorFactory> {
        self.kinds.get(&source.info.kind, &source.info.place)
    }

    /// Says where a wrong configuration stands.
    fn open(&self, source: &ConfiguredSource) -> Result<Box<dyn Connector>> {
        self.factory(source)?
            .open(source.config.clone(), &source.base)
            .map_err(|failure| at(failure, &source.info.place))
    }

    fn opened(&self, name: &str) -> Result<(ConfiguredSource, Box<dyn Connector>)> {
        let source = self.file.one(name)?;
        let connector = self.open(&source)?;
        Ok((source, connector))
    }

    fn plan(source: &ConfiguredSource, connector: &dyn Connector) -> Plan {
        let spec = connector.spec();
        let commit = CommitLimits::default();
        let limit_bp = source.info.quarantine_limit_bp.or(spec.quarantine_limit_bp);
        Plan {
            source: source.info.name.clone(),
            quarantine_limit_bp: limit_bp.unwrap_or(QUARANTINE_LIMIT_BP),
            commit: CommitLimits {
                rows_max: source.commit_rows.unwrap_or(commit.rows_max),
                ..commit
            },
            settles_source: !spec.incremental,
            rejected_always: match limit_bp {
                None if spec.incremental => REJECTED_ALWAYS,
                _ => 0,
            },
            overlaps: spec.overlaps,
            ..Plan::default()
        }
    }
}

/// The failure, with the place of the source in front.
fn at(failure: Failure, place: &str) -> Failure {
    Failure {
        message: format!("{place}: {}", failure.message),
        ..failure
    }
}

#[async_trait]
impl SourcePort for Sources {
    fn kinds(&self) -> Vec<KindInfo> {
        self.kinds.kinds()
    }

    async fn list(&self) -> Result<Vec<SourceInfo>> {
        self.file.all()
    }

    async fn add(&self, source: NewSource) -> Result<SourceInfo> {
        let configured = self.file.configured(&source.name, &source.toml)?;
        self.open(&configured)?;
        self.file.put(&source.name, &source.toml, source.replace)?;
        Ok(self.file.one(&source.name)?.info)
    }

    async fn remove(&self, name: &str, forget_cursors: bool) -> Result<()> {
        let _turn = self.turn(name).await;
        self.file.take(name)?;
        if forget_cursors {
            self.host.lake.forget_cursors(name, None).await?;
        }
        Ok(())
    }

    async fn reset(&self, name: &str, stream: Option<&str>) -> Result<Vec<String>> {
        let _turn = self.turn(name).await;
        self.file.one(name)?;
        let known: Vec<String> = self.host.lake.cursors(name).await?.into_keys().collect();
        if let Some(stream) = stream.filter(|stream| !known.iter().any(|k| k == stream)) {
            let text = format!(
                "source {name} keeps no position of a stream {stream:?}; it keeps those of: {}",
                known.join(", ")
            );
            return Err(Failure::not_found("STREAM_NOT_FOUND", text).with("source", name));
        }
        Ok(self.host.lake.forget_cursors(name, stream).await?)
    }

    async fn check(&self, name: &str) -> Result<()> {
        let (source, connector) = self.opened(name)?;
        connector.check().await.map_err(|e| at(e, &source.info.place))
    }

    async fn discover(&self, name: &str) -> Result<Vec<StreamInfo>> {
        let (source, connector) = self.opened(name)?;
        let found = connector
            .discover()
            .await
            .map_err(|e| at(e, &source.info.place))?;
        let info = found.into_iter().map(|d| StreamInfo {
            place: d.place,
            dataset: d.dataset,
            bytes: d.bytes,
            columns: d.columns,
            cursor: d.cursor,
        });
        Ok(info.collect())
    }

    async fn sync(&self, name: &str, progress: Arc<dyn Progress>) -> Result<SyncReport> {
        let _turn = self.turn(name).await;
        let (source, connector) = self.opened(name)?;
        let plan = Self::plan(&source, connector.as_ref());
        Ok(pull(&self.host, connector.as_ref(), plan, progress.as_ref()).await?)
    }

    async fn reconcile(
        &self,
        name: &str,
        any_share: bool,
        progress: Arc<dyn Progress>,
    ) -> Result<ReconcileReport> {
        let _turn = self.turn(name).await;
        let (_, connector) = self.opened(name)?;
        Ok(reconcile::reconcile(&self.host, connector.as_ref(), name, any_share, progress.as_ref()).await?)
    }

    async fn redrive(&self, name: &str, progress: Arc<dyn Progress>) -> Result<SyncReport> {
        let _turn = self.turn(name).await;
        let source = self.file.one(name)?;
        let factory = self.factory(&source)?;
        let head = self.host.lake.head().await?;
        let places = self.host.lake.quarantined_batches(name.to_owned(), head).await?;
        let only: HashSet<(String, u64)> = places.iter().map(|p| (p.batch.clone(), p.row)).collect();
        let mut report = SyncReport {
            source: name.to_owned(),
            snapshot: head,
            ..SyncReport::default()
        };
        if only.is_empty() {
            return Ok(report);
        }
        let open_copies = |dir: &Path| factory.open_copies(source.config.clone(), &source.base, dir);
        if open_copies(self.host.lake.root()).is_none() {
            // The kind cannot read kept bytes: the source itself is read from the start.
            let connector = self.open(&source)?;
            let plan = Plan {
                from_start: true,
                settles_source: true,
                ..Self::plan(&source, connector.as_ref())
            };
            return Ok(pull(&self.host, connector.as_ref(), plan, progress.as_ref()).await?);
        }
        let rounds = copies::lay_out(&self.host, name, &only, head).await?;
        for round in &rounds {
            let Some(opened) = open_copies(round.path()) else {
                continue;
            };
            let connector = opened.map_err(|e| at(e, &source.info.place))?;
            let plan = Plan {
                // Rows that still cannot be read were within the limit once.
                quarantine_limit_bp: 10_000,
                settles_source: false,
                insert_only: true,
                only: Some(only.clone()),
                ..Self::plan(&source, connector.as_ref())
            };
            let one = pull(&self.host, connector.as_ref(), plan, progress.as_ref()).await?;
            copies::add(&mut report, one);
        }
        Ok(report)
    }

    async fn accept(
        &self,
        name: &str,
        trial: AcceptanceTrial,
        progress: Arc<dyn Progress>,
    ) -> Result<Vec<AcceptanceCheck>> {
        let _turn = self.turn(name).await;
        let source = self.file.one(name)?;
        let open = || self.open(&source);
        let limit_bp = source.info.quarantine_limit_bp;
        let mut suite = Suite::new(&open, self.host.clock.now(), limit_bp, progress.as_ref());
        let known = || self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        if trial == AcceptanceTrial::Suite {
            let baseline = suite.run().await;
            match baseline {
                Some(baseline) => known().insert(name.to_owned(), Arc::new(baseline)),
                None => known().remove(name),
            };
        } else {
            let baseline = known().get(name).cloned().ok_or_else(|| {
                Failure::new(
                    FailureKind::Precondition,
                    "NOT_ACCEPTED",
                    format!("the acceptance suite has not read source {name} here yet; run it without a trial first"),
                )
            })?;
            if let Some(after) = suite.trial(trial, &baseline).await {
                known().insert(name.to_owned(), Arc::new(after));
            }
        }
        Ok(suite.into_checks())
    }

    async fn runs(&self, source: Option<String>, limit: usize) -> Result<Vec<SyncRun>> {
        Ok(self.host.runs(source.as_deref(), limit).await?)
    }

    async fn status(&self, source: Option<String>) -> Result<Vec<SourceStatus>> {
        let mut all = self.list().await?;
        if let Some(name) = &source {
            if !all.iter().any(|s| s.name == *name) {
                self.file.one(name)?;
            }
            all.retain(|s| s.name == *name);
        }
        let mut statuses = Vec::new();
        for info in all {
            let runs = self.host.runs(Some(&info.name), STATUS_RUNS_MAX).await?;
            statuses.push(status_of(info, runs));
        }
        Ok(statuses)
    }

    async fn versions(&self, datasets: &[String]) -> Result<BTreeMap<String, i64>> {
        let head = self.host.lake.head().await?;
        let mut versions = BTreeMap::new();
        for dataset in datasets {
            if let Some(version) = self.host.lake.table_version(dataset, head).await? {
                versions.insert(dataset.clone(), version);
            }
        }
        Ok(versions)
    }
}

/// What the records of a source's syncs (newest first) say of it.
fn status_of(source: SourceInfo, runs: Vec<SyncRun>) -> SourceStatus {
    let mut status = SourceStatus {
        source,
        conserved: true,
        ..SourceStatus::default()
    };
    for run in &runs {
        if run.state == SyncState::Succeeded && status.last_success_at.is_none() {
            status.last_success_at = run.ended_at;
        }
        if status.last_success_at.is_none() && matches!(run.state, SyncState::Failed | SyncState::Interrupted)
        {
            status.failures += 1;
        }
        let moved = run.datasets.iter().any(|d| d.inserted + d.updated > 0);
        if moved && status.last_rows_at.is_none() {
            status.last_rows_at = Some(run.ended_at.unwrap_or(run.started_at));
        }
        if status.drift_at.is_none() && !run.drift.is_empty() {
            status.drift.clone_from(&run.drift);
            status.drift_at = Some(run.started_at);
        }
        for counts in &run.datasets {
            status.conserved &= counts.holds();
            status.read += counts.read;
            status.inserted += counts.inserted;
            status.updated += counts.updated;
            status.unchanged += counts.unchanged;
            status.quarantined += counts.quarantined;
        }
    }
    status.first_run_at = runs.last().map(|run| run.started_at);
    status.last_run = runs.into_iter().next();
    status
}

#[cfg(test)]
mod tests;
