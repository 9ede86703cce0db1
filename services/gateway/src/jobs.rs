//! Does what scheduled jobs ask for, as operations like any other: they take their turns, can be watched and cancelled.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use domain::hit::RuleState;
use domain::ports::{Result, Rule, RuleRunRecord, RunRequest};
use domain::rule::RuleStatus;
use domain::sources::{JobAction, JobRunner};
use domain::{Failure, FailureKind};

use crate::operations::{Kind, Outcome};
use crate::services::{EvidenceRows, Services};

/// Recorded runs that are looked at for when each rule last ran.
const RUNS_LOOKED_AT: usize = 500;

/// Runs jobs on the services of one gateway.
pub(crate) struct Jobs(pub(crate) Services);

/// Cancels the operation when its job is dropped.
struct Watched(std::sync::Arc<crate::operations::Operation>);

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Jobs {
    async fn sync(&self, source: &str) -> Result<String> {
        let (port, name) = (self.0.ports.sources.clone(), source.to_owned());
        let work = move |progress| async move { port.sync(&name, progress).await.map(Outcome::Sync) };
        let outcome = self.await_operation(Kind::SyncSource, work).await?;
        let Outcome::Sync(report) = outcome else {
            return Err(odd());
        };
        let read: u64 = report.datasets.iter().map(|d| d.read).sum();
        let moved: u64 = report.datasets.iter().map(|d| d.inserted + d.updated).sum();
        let quarantined: u64 = report.datasets.iter().map(|d| d.quarantined).sum();
        let mut told = format!(
            "read {read}, new or changed {moved}, quarantined {quarantined}, snapshot {}",
            report.snapshot
        );
        // What the rows changed is looked at at once; that a rule fails does not make the sync a failure.
        match self.run_rules(Vec::new(), true).await {
            Ok(ran) => told.push_str(&format!("; {ran}")),
            Err(failure) => told.push_str(&format!("; rules failed: {}", failure.message)),
        }
        Ok(told)
    }

    async fn reconcile(&self, source: &str) -> Result<String> {
        let (port, name) = (self.0.ports.sources.clone(), source.to_owned());
        let work = move |progress| async move {
            port.reconcile(&name, false, progress)
                .await
                .map(Outcome::Reconcile)
        };
        let outcome = self.await_operation(Kind::ReconcileSource, work).await?;
        let Outcome::Reconcile(report) = outcome else {
            return Err(odd());
        };
        let withdrawn: u64 = report.datasets.iter().map(|d| d.withdrawn).sum();
        let mut told = format!("{withdrawn} rows withdrawn");
        if withdrawn > 0 {
            let ran = self.run_rules(Vec::new(), true).await?;
            told.push_str(&format!("; {ran}"));
        }
        Ok(told)
    }

    async fn run_rules(&self, rules: Vec<String>, only_changed: bool) -> Result<String> {
        let rules = match only_changed {
            false => rules,
            true => {
                let changed = self.changed(&rules).await?;
                if changed.is_empty() {
                    return Ok("no rule's inputs changed".to_owned());
                }
                changed
            }
        };
        let request = RunRequest {
            rules,
            as_of: self.0.ports.clock.today(),
            snapshot: None,
            threads: self.0.options.threads,
            params: BTreeMap::new(),
        };
        let (collision, alerts) = (self.0.ports.collision.clone(), self.0.ports.alerts.clone());
        let work = move |progress| async move {
            let output = collision.run(request, progress).await?;
            let record = alerts.record(&output, &EvidenceRows(collision)).await?;
            Ok(Outcome::Run(record))
        };
        let Outcome::Run(run) = self.await_operation(Kind::RunRules, work).await? else {
            return Err(odd());
        };
        let opened: u64 = run.rules.iter().map(|r| r.counts.opened).sum();
        Ok(format!("{} rules ran, {opened} alerts opened", run.rules.len()))
    }

    /// The rules among `wanted` (empty: all that are not deprecated) that never ran, whose text changed since, or one
    /// of whose inputs changed since.
    async fn changed(&self, wanted: &[String]) -> Result<Vec<String>> {
        let rules: Vec<Rule> = self
            .0
            .ports
            .collision
            .rules()
            .into_iter()
            .filter(|r| match wanted.is_empty() {
                true => r.spec.status != RuleStatus::Deprecated,
                false => wanted.contains(&r.spec.id),
            })
            .collect();
        let datasets: BTreeSet<String> = rules
            .iter()
            .flat_map(|r| r.spec.inputs.iter().map(|i| i.dataset.clone()))
            .collect();
        let datasets: Vec<String> = datasets.into_iter().collect();
        let versions = self.0.ports.sources.versions(&datasets).await?;
        // Rule -> (hash, snapshot) of the newest run in which it could look, or lacked what only another snapshot has.
        let mut ran: BTreeMap<String, (String, i64)> = BTreeMap::new();
        for run in self.0.ports.alerts.runs(RUNS_LOOKED_AT).await? {
            for rule in run.rules.iter().filter(|r| is_settled(r)) {
                ran.entry(rule.rule_id.clone())
                    .or_insert_with(|| (rule.rule_hash.clone(), run.snapshot));
            }
        }
        let is_changed = |rule: &&Rule| match ran.get(&rule.spec.id) {
            None => true,
            Some((hash, _)) if *hash != rule.hash => true,
            Some((_, snapshot)) => rule
                .spec
                .inputs
                .iter()
                .any(|i| versions.get(&i.dataset).is_some_and(|v| v > snapshot)),
        };
        Ok(rules
            .iter()
            .filter(is_changed)
            .map(|r| r.spec.id.clone())
            .collect())
    }

    async fn await_operation<F>(
        &self,
        kind: Kind,
        work: impl FnOnce(std::sync::Arc<dyn domain::ports::Progress>) -> F + Send + 'static,
    ) -> Result<Outcome>
    where
        F: Future<Output = Result<Outcome>> + Send + 'static,
    {
        let operation = self.0.operations.start(kind, "", String::new(), work)?;
        let watched = Watched(operation);
        watched.0.ended().await;
        watched.0.outcome().unwrap_or_else(|| Err(odd()))
    }
}

/// Whether the rule would end as it did, as long as its inputs are the same.
fn is_settled(rule: &RuleRunRecord) -> bool {
    match rule.state {
        RuleState::Evaluated | RuleState::Capped => true,
        RuleState::NotEvaluable => {
            let lacks = ["INPUT_MISSING", "INPUT_EMPTY", "COLUMN_EMPTY"];
            rule.reason_code
                .as_deref()
                .is_some_and(|code| lacks.contains(&code))
        }
        _ => false,
    }
}

fn odd() -> Failure {
    Failure::new(
        FailureKind::Internal,
        "INTERNAL",
        "the work ended without its result",
    )
}

#[async_trait]
impl JobRunner for Jobs {
    async fn run(&self, action: &JobAction) -> Result<String> {
        match action {
            JobAction::Sync { source } => self.sync(source).await,
            JobAction::Reconcile { source } => self.reconcile(source).await,
            JobAction::RunRules { rules, only_changed } => self.run_rules(rules.clone(), *only_changed).await,
        }
    }
}
