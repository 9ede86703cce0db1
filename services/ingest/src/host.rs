//! What every kind of ingestion shares: the lake, the clock, who is who, and which syncs run in this process.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use domain::Failure;
use domain::clock::Clock;
use domain::judgements::PartyJudgement;
use domain::ports::Progress;
use domain::sources::{FailureClass, SyncFailure, SyncRun, SyncState};
use lake::{Lake, Prepared};
use matching::Resolver;

use crate::drift::Columns;
use crate::error::{IngestError, Result};
use crate::parties::{self, Resolved};
use crate::pull::stage;
use crate::tally::Tally;

/// What errors call the source of resolution.
pub(crate) const JUDGED: &str = "parties";

/// Shared by [`Ingest`](crate::Ingest) and [`Sources`](crate::Sources).
pub(crate) struct Host {
    pub lake: Arc<Lake>,
    pub clock: Arc<dyn Clock>,
    pub resolver: Arc<dyn Resolver>,
    /// Run ids of syncs that run here.
    pub active: Arc<Mutex<BTreeSet<String>>>,
}

/// Takes the run out of the running ones when it ends, however it ends.
pub(crate) struct Active {
    run_id: String,
    active: Arc<Mutex<BTreeSet<String>>>,
}

impl Drop for Active {
    fn drop(&mut self) {
        self.active
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.run_id);
    }
}

/// What a failure is called in a sync's record.
pub(crate) fn failure_of(failure: &Failure) -> SyncFailure {
    SyncFailure {
        class: FailureClass::of(failure.kind),
        reason: failure.reason.to_owned(),
        message: failure.message.clone(),
    }
}

impl Host {
    pub fn in_lake(source: &str) -> impl Fn(lake::LakeError) -> IngestError + use<> {
        let source_name = source.to_owned();
        move |source| IngestError::Lake {
            source_name: source_name.clone(),
            source,
        }
    }

    pub fn in_source(source: &str) -> impl Fn(Failure) -> IngestError + use<> {
        let source_name = source.to_owned();
        move |source| IngestError::Source {
            source_name: source_name.clone(),
            source,
        }
    }

    /// Records that a sync begins.
    pub async fn begin_run(&self, run: &SyncRun) -> Result<Active> {
        let active = Active {
            run_id: run.run_id.clone(),
            active: self.active.clone(),
        };
        self.active
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(run.run_id.clone());
        self.lake
            .begin_run(run)
            .await
            .map_err(Self::in_lake(&run.source))?;
        Ok(active)
    }

    /// Records how it ended. That the record cannot be written does not change how it ended.
    pub async fn end_run(&self, run_id: &str, failure: Option<&Failure>) {
        let state = match failure {
            None => SyncState::Succeeded,
            Some(_) => SyncState::Failed,
        };
        let told = failure.map(failure_of);
        let at = self.clock.now().timestamp_micros();
        if let Err(error) = self.lake.end_run(run_id, state, at, told.as_ref()).await {
            tracing::error!(error = %error, sync.run_id = run_id, "the end of a sync was not recorded");
        }
    }

    /// Records what a sync saw of the columns. That it cannot be written does not change how the sync ended.
    pub async fn record_columns(&self, source: &str, run_id: &str, columns: &Columns) {
        let seen = columns.take();
        if seen.is_empty() {
            return;
        }
        if let Err(error) = self.lake.record_columns(source, run_id, &seen).await {
            tracing::error!(error = %error, sync.run_id = run_id, "changes of columns were not recorded");
        }
    }

    /// Syncs on record, newest first. One that nobody runs any more was interrupted.
    pub async fn runs(&self, source: Option<&str>, limit: usize) -> lake::Result<Vec<SyncRun>> {
        let mut runs = self.lake.runs(source, limit).await?;
        let active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        for run in &mut runs {
            if run.state == SyncState::Running && !active.contains(&run.run_id) {
                run.state = SyncState::Interrupted;
            }
        }
        Ok(runs)
    }

    /// Resolves parties anew when mentions changed, or what the register says of them.
    pub async fn resolve(
        &self,
        prepared: &mut Prepared,
        tally: &mut Tally,
        progress: &dyn Progress,
    ) -> Result<()> {
        if prepared.mentions().is_none() && !prepared.changes(parties::REGISTER) {
            return Ok(());
        }
        progress.report(stage("识别主体", "resolving parties"));
        let verdicts = self
            .lake
            .judgements(false, usize::MAX)
            .await
            .map_err(Self::in_lake(JUDGED))?;
        let resolved = self.resolved(prepared, verdicts.clone()).await?;
        resolved.notices.into_iter().for_each(|n| tally.notice(n));
        if let Some(notice) = parties::unobeyed_notice(&verdicts, &resolved.unobeyed) {
            tally.notice(notice);
        }
        prepared.set_parties(resolved.tables);
        Ok(())
    }

    /// Who is who after the sync, by these verdicts.
    pub async fn resolved(&self, prepared: &Prepared, verdicts: Vec<PartyJudgement>) -> Result<Resolved> {
        let in_lake = Self::in_lake(JUDGED);
        let mentions = prepared.all_mentions().await.map_err(&in_lake)?;
        let facts = parties::facts(prepared).map_err(&in_lake)?;
        let resolver = self.resolver.clone();
        let work = move || parties::resolve(resolver.as_ref(), &mentions, &facts, &verdicts);
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| IngestError::Resolution)
    }
}
