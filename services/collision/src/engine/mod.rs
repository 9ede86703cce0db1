//! The engine as other services see it: the ports of `domain` over rules and a source of snapshots.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::NaiveDate;
use datafusion::execution::runtime_env::RuntimeEnv;
use domain::Failure;
use domain::hit::RunOutput;
use domain::ports::futures_stream::BoxStream;
use domain::ports::{
    Around, BacktestReport, BacktestRequest, CollisionPort, CompanyOwnership, EvidenceCheck, EvidenceRef,
    GraphFormat, GraphPort, MutantResult, PartyComponent, PartyInfo, PartyNeighbourhood, PartyPath, Progress,
    QueryItem, QueryPort, QueryRequest, Rule, RuleCaseResult, RunRequest, Screener, ScreeningPort,
};
use futures::StreamExt;
use tokio::sync::Mutex;

use crate::cases::{mutate, run as case_run};
use crate::compute::Compute;
use crate::data::{Snapshot, SnapshotSource};
use crate::error::{CollisionError, Result};
use crate::graphs::Graphs;
use crate::graphs::questions::PartyQuestions;
use crate::rules::{Bundle, LoadedRule};
use crate::run::evidence;
use crate::run::hits::RowKey;
use crate::run::runner::Runner;
use crate::screening::Desk;
use crate::session::Limits;
use crate::{lint, query};

/// Runs rules and answers questions over snapshots.
#[derive(Debug)]
pub struct Engine {
    source: Arc<dyn SnapshotSource>,
    bundle: Arc<Bundle>,
    limits: Limits,
    runtime: Arc<RuntimeEnv>,
    graphs: Arc<Graphs>,
    /// The newest snapshot that was asked about parties.
    parties: Mutex<Option<Arc<PartyQuestions>>>,
    screening: Arc<Desk>,
    compute: Compute,
}

impl Engine {
    /// Fails when the spill folder cannot be used.
    pub fn new(source: Arc<dyn SnapshotSource>, bundle: Bundle, limits: Limits) -> Result<Self> {
        let runtime = limits.runtime()?;
        let bundle = Arc::new(bundle);
        let graphs: Arc<Graphs> = Arc::default();
        let screening = Desk::new(
            source.clone(),
            runtime.clone(),
            bundle.clone(),
            limits.clone(),
            graphs.clone(),
        );
        Ok(Self {
            source,
            bundle,
            limits,
            runtime,
            graphs,
            parties: Mutex::default(),
            screening: Arc::new(screening),
            compute: Compute::new().map_err(|e| CollisionError::Source(Failure::internal(&e)))?,
        })
    }

    fn chosen(&self, rule: Option<String>) -> Result<Vec<&LoadedRule>> {
        match rule {
            Some(id) => Ok(vec![self.bundle.rule(&id)?]),
            None => Ok(self.bundle.rules.values().collect()),
        }
    }

    async fn still_there(&self, rows: Vec<EvidenceRef>) -> Result<Vec<bool>> {
        let snapshot = self.source.snapshot(None).await?;
        let keys: Vec<Option<RowKey>> = rows.iter().map(row_key).collect();
        let wanted: BTreeSet<RowKey> = keys.iter().flatten().cloned().collect();
        let found: BTreeMap<RowKey, _> = evidence::fetch(&self.runtime, &snapshot, &wanted, 0).await?;
        let stands = |(row, key): (&EvidenceRef, &Option<RowKey>)| {
            key.as_ref()
                .and_then(|k| found.get(k))
                .is_some_and(|now| now.hash == row.hash)
        };
        Ok(rows.iter().zip(&keys).map(stands).collect())
    }

    async fn party_questions(&self) -> Result<Arc<PartyQuestions>> {
        let snapshot = self.source.snapshot(None).await?;
        let mut known = self.parties.lock().await;
        if let Some(open) = known.as_ref().filter(|q| q.snapshot_id() == snapshot.id()) {
            return Ok(open.clone());
        }
        let open = Arc::new(PartyQuestions::open(self.runtime.clone(), snapshot, &self.graphs).await?);
        *known = Some(open.clone());
        Ok(open)
    }
}

/// The key's texts in the dataset's order; `None` when it is no key of a known dataset.
fn row_key(row: &EvidenceRef) -> Option<RowKey> {
    let dataset = domain::dataset(&row.dataset)?;
    let texts = dataset
        .key
        .iter()
        .map(|k| row.key.get(k).map(ToString::to_string))
        .collect::<Option<_>>()?;
    Some((row.dataset.clone(), texts))
}

impl Engine {
    async fn runner(&self, snapshot: Option<i64>) -> std::result::Result<Runner, Failure> {
        Ok(Runner {
            runtime: self.runtime.clone(),
            limits: self.limits.clone(),
            bundle: self.bundle.clone(),
            snapshot: self.source.snapshot(snapshot).await?,
            graphs: self.graphs.clone(),
        })
    }
}

#[async_trait]
impl CollisionPort for Engine {
    fn rules(&self) -> Vec<Rule> {
        self.bundle.rules.values().map(LoadedRule::public).collect()
    }

    async fn run(
        &self,
        request: RunRequest,
        progress: Arc<dyn Progress>,
    ) -> std::result::Result<RunOutput, Failure> {
        let runner = self.runner(request.snapshot).await?;
        let running = async move { runner.run(&request, progress.as_ref()).await };
        Ok(self.compute.run(running).await??)
    }

    async fn backtest(
        &self,
        request: BacktestRequest,
        progress: Arc<dyn Progress>,
    ) -> std::result::Result<BacktestReport, Failure> {
        let runner = self.runner(request.snapshot).await?;
        let running = async move { runner.backtest(&request, progress.as_ref()).await };
        Ok(self.compute.run(running).await??)
    }

    async fn test_rules(&self, rule: Option<String>) -> std::result::Result<Vec<RuleCaseResult>, Failure> {
        Ok(case_run::run_all(&self.runtime, &self.bundle, &self.chosen(rule)?).await)
    }

    async fn mutate_rules(&self, rule: Option<String>) -> std::result::Result<Vec<MutantResult>, Failure> {
        let time_max = self.limits.mutation_time_max;
        let rules = self.chosen(rule.clone())?;
        let mut results = mutate::run_all(&self.runtime, &self.bundle, &rules, time_max).await?;
        if rule.is_none() {
            for name in self.bundle.views.keys() {
                results.extend(mutate::run_view(&self.runtime, &self.bundle, name, time_max).await?);
            }
        }
        Ok(results)
    }

    async fn lint_rules(&self) -> std::result::Result<Vec<String>, Failure> {
        Ok(lint::lint(&self.runtime, &self.bundle).await?)
    }

    async fn rows_unchanged(&self, rows: Vec<EvidenceRef>) -> std::result::Result<Vec<bool>, Failure> {
        Ok(self.still_there(rows).await?)
    }
}

#[async_trait]
impl EvidenceCheck for Engine {
    async fn unchanged(&self, rows: Vec<EvidenceRef>) -> std::result::Result<Vec<bool>, Failure> {
        Ok(self.still_there(rows).await?)
    }
}

#[async_trait]
impl QueryPort for Engine {
    async fn query(
        &self,
        request: QueryRequest,
    ) -> std::result::Result<BoxStream<std::result::Result<QueryItem, Failure>>, Failure> {
        let snapshot: Arc<dyn Snapshot> = self.source.snapshot(request.at_snapshot).await?;
        let rows_max = if request.max_rows == 0 {
            self.limits.query_rows_default
        } else {
            request.max_rows
        };
        let (runtime, bundle) = (self.runtime.clone(), self.bundle.clone());
        let (limits, graphs) = (self.limits.clone(), self.graphs.clone());
        let answer = async move {
            query::answer(
                runtime,
                &snapshot,
                &bundle,
                &request.sql,
                rows_max,
                &limits,
                &graphs,
            )
            .await
        };
        let items = self.compute.run(answer).await??;
        let items = items.map(|item| item.map_err(Failure::from)).boxed();
        Ok(Box::pin(self.compute.stream(items)))
    }

    async fn snapshots(&self, limit: usize) -> std::result::Result<Vec<(i64, String, String)>, Failure> {
        Ok(self.source.snapshots(limit).await?)
    }
}

#[async_trait]
impl ScreeningPort for Engine {
    async fn screener(&self, min_snapshot: i64) -> std::result::Result<Arc<dyn Screener>, Failure> {
        Ok(self.screening.clone().index(min_snapshot).await?)
    }
}

#[async_trait]
impl GraphPort for Engine {
    async fn find_party(&self, text: &str) -> std::result::Result<Vec<PartyInfo>, Failure> {
        Ok(self.party_questions().await?.find(text).await?)
    }

    async fn paths(
        &self,
        from: &str,
        to: &str,
        max_hops: usize,
        as_of: Option<NaiveDate>,
        limit: usize,
    ) -> std::result::Result<Vec<PartyPath>, Failure> {
        Ok(self
            .party_questions()
            .await?
            .paths(from, to, max_hops, as_of, limit)
            .await?)
    }

    async fn party(&self, party_id: &str) -> std::result::Result<PartyInfo, Failure> {
        Ok(self.party_questions().await?.party(party_id).await?)
    }

    async fn ownership(
        &self,
        company: &str,
        as_of: NaiveDate,
        min_share: f64,
    ) -> std::result::Result<Vec<CompanyOwnership>, Failure> {
        Ok(self
            .party_questions()
            .await?
            .ownership(company, as_of, min_share)
            .await?)
    }

    async fn neighbourhood(
        &self,
        party: &str,
        around: Around,
    ) -> std::result::Result<PartyNeighbourhood, Failure> {
        Ok(self.party_questions().await?.neighbourhood(party, around).await?)
    }

    async fn components(
        &self,
        size_min: usize,
        limit: usize,
        parties_max: usize,
    ) -> std::result::Result<Vec<PartyComponent>, Failure> {
        let questions = self.party_questions().await?;
        Ok(questions.components(size_min, limit, parties_max))
    }

    async fn export(
        &self,
        format: GraphFormat,
        party: Option<(&str, Around)>,
    ) -> std::result::Result<String, Failure> {
        Ok(self.party_questions().await?.export(format, party).await?)
    }
}

#[cfg(test)]
mod tests;
