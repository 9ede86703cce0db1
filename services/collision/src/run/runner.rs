//! All rules of a run, in order, each on its own; then the evidence of all hits at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::collect;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::prelude::SessionContext;
use domain::hit::{EvidenceRow, Hit, RuleOutcome, RuleState, RunOutput, percent_of_bp};
use domain::ports::{Progress, ProgressUpdate, RunRequest};
use domain::{Bilingual, Value};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};

use super::evaluable::InputFacts;
use super::evidence;
use super::hits::{RawHit, RowKey};
use super::rule::{self, RuleOutput};
use super::views::{self, OpenedViews};
use crate::data::Snapshot;
use crate::error::{CollisionError, Result};
use crate::graphs::{self, Graphs};
use crate::rules::{Bundle, LoadedRule};
use crate::session::{self, Limits, SessionOptions};
use crate::sql::params;

/// What a run needs beside its request.
#[derive(Debug, Clone)]
pub struct Runner {
    pub runtime: Arc<RuntimeEnv>,
    pub limits: Limits,
    pub bundle: Arc<Bundle>,
    pub snapshot: Arc<dyn Snapshot>,
    /// Graphs of the source that the snapshot is of.
    pub graphs: Arc<Graphs>,
}

/// A session with all that some rules read, opened once for all of them.
pub struct Opened {
    pub(crate) context: SessionContext,
    facts: InputFacts,
    pub(crate) views: OpenedViews,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened")
            .field("facts", &self.facts)
            .field("views", &self.views)
            .finish_non_exhaustive()
    }
}

/// One rule's result, evidence not fetched yet.
struct Done {
    state: RuleState,
    reason: Option<(String, Bilingual)>,
    params: BTreeMap<String, Value>,
    output: RuleOutput,
    elapsed_ms: u64,
}

impl Runner {
    /// Runs the rules asked for. Fails only when the request is wrong or the data cannot be opened at all.
    pub async fn run(&self, request: &RunRequest, progress: &dyn Progress) -> Result<RunOutput> {
        let rules = self.bundle.select(&request.rules)?;
        for (id, values) in &request.params {
            params::in_force(id, &self.bundle.rule(id)?.spec.params, values)?;
            if !rules.iter().any(|rule| rule.spec.id == *id) {
                return Err(CollisionError::IdleParameters { rule: id.clone() });
            }
        }
        let opened = self.open(&rules, request).await?;
        self.run_on(&opened, &rules, request, progress).await
    }

    /// Opens the snapshot for these rules: tables, functions, the graph and the views that they need.
    pub async fn open(&self, rules: &[&LoadedRule], request: &RunRequest) -> Result<Opened> {
        let options = SessionOptions {
            threads: request.threads,
            late_columns: true,
            ..SessionOptions::default()
        };
        let reads: Vec<_> = rules.iter().map(|r| self.bundle.reads(&r.query)).collect();
        let over_graph = reads.iter().any(|(_, functions)| graphs::are_asked(functions));
        let mut datasets: BTreeSet<String> = reads.into_iter().flat_map(|(tables, _)| tables).collect();
        datasets.extend(
            rules
                .iter()
                .flat_map(|r| &r.spec.inputs)
                .map(|i| i.dataset.clone()),
        );
        if over_graph {
            datasets.extend(graphs::DATASETS.map(str::to_owned));
        }
        let step = Step::begin();
        let context = session::open(self.runtime.clone(), &self.snapshot, options, Some(&datasets)).await?;
        let step = step.end("session");
        let specs: Vec<_> = rules.iter().map(|r| r.spec.clone()).collect();
        let facts = InputFacts::gather(&context, &self.snapshot, &specs).await?;
        let step = step.end("inputs");
        let queries: Vec<_> = rules
            .iter()
            .filter(|r| facts.reason(&r.spec, request.as_of).is_none())
            .map(|r| &r.query)
            .collect();
        let graph = async {
            if over_graph && !queries.is_empty() {
                let step = Step::begin();
                graphs::register(&context, &self.snapshot, &self.graphs).await?;
                step.end("graph");
            }
            Ok(())
        };
        let views = views::open(
            &context,
            &self.bundle,
            &queries,
            request.as_of,
            &self.limits,
            graph,
        )
        .await?;
        step.end("views and graph");
        Ok(Opened {
            context,
            facts,
            views,
        })
    }

    /// Runs rules on what was opened for them.
    pub async fn run_on(
        &self,
        opened: &Opened,
        rules: &[&LoadedRule],
        request: &RunRequest,
        progress: &dyn Progress,
    ) -> Result<RunOutput> {
        let step = Step::begin();
        let total = rules.len() as u64;
        let work: Vec<BoxFuture<'_, Done>> = rules
            .iter()
            .map(|rule| self.one(rule, request, opened).boxed())
            .collect();
        let mut running = futures::stream::iter(work).buffered(self.limits.concurrent_rules_max.max(1));
        let mut done = Vec::with_capacity(rules.len());
        while let Some(one) = running.next().await {
            let id = &rules[done.len()].spec.id;
            done.push(one);
            progress.report(ProgressUpdate {
                stage: Bilingual::new(id, id),
                done: done.len() as u64,
                total,
                unit: "rules".into(),
            });
        }
        drop(running);
        let step = step.end("rules");

        let keys: BTreeSet<RowKey> = done
            .iter()
            .flat_map(|d| &d.output.hits)
            .flat_map(|h| h.evidence.iter().cloned())
            .collect();
        let rows = evidence::fetch(&self.runtime, &self.snapshot, &keys, request.threads).await?;
        step.end("evidence");
        let outcomes = rules
            .iter()
            .zip(done)
            .map(|(rule, done)| RuleOutcome {
                rule: rule.spec.clone(),
                rule_hash: rule.hash.clone(),
                rule_text: rule.text.clone(),
                state: done.state,
                reason: done.reason,
                params: done.params,
                hits: done
                    .output
                    .hits
                    .into_iter()
                    .map(|h| hit(rule, h, &rows))
                    .collect(),
                capped: done.output.capped,
                elapsed_ms: done.elapsed_ms,
            })
            .collect();
        Ok(RunOutput {
            snapshot: self.snapshot.id(),
            as_of: request.as_of,
            bundle_hash: self.bundle.hash(),
            table_versions: self.snapshot.table_versions().await?,
            outcomes,
            all_rules: request.rules.is_empty(),
        })
    }

    /// Runs one rule and tells how: its physical plan with rows and times of each step. For whoever tunes rules.
    pub async fn explain(&self, rule: &str, request: &RunRequest) -> Result<String> {
        let rule = self.bundle.rule(rule)?;
        let opened = self.open(&[rule], request).await?;
        let kept: Vec<&str> = opened.views.kept.iter().map(String::as_str).collect();
        let frame = rule::plan(
            &opened.context,
            &rule.spec,
            &rule.query,
            &rule.spec.params,
            request.as_of,
        )
        .await?;
        let what = || format!("rule {}", rule.spec.id);
        let plan = frame
            .create_physical_plan()
            .await
            .map_err(CollisionError::engine(what()))?;
        let rows = collect(plan.clone(), opened.context.task_ctx())
            .await
            .map_err(CollisionError::engine(what()))?;
        let count: usize = rows.iter().map(|batch| batch.num_rows()).sum();
        let steps = DisplayableExecutionPlan::with_metrics(plan.as_ref())
            .indent(false)
            .to_string();
        Ok(format!(
            "views computed beforehand: [{}]\nrows: {count}\n{steps}",
            kept.join(", ")
        ))
    }

    async fn one(&self, rule: &LoadedRule, request: &RunRequest, opened: &Opened) -> Done {
        let started = Instant::now();
        let none = BTreeMap::new();
        let overrides = request.params.get(&rule.spec.id).unwrap_or(&none);
        let params = params::in_force(&rule.spec.id, &rule.spec.params, overrides)
            .unwrap_or_else(|_| rule.spec.params.clone());
        let mut done = Done {
            state: RuleState::Evaluated,
            reason: None,
            params: params.clone(),
            output: RuleOutput::default(),
            elapsed_ms: 0,
        };
        if let Some(reason) = opened.facts.reason(&rule.spec, request.as_of) {
            done.state = RuleState::NotEvaluable;
            done.reason = Some(reason);
            return done;
        }
        match self.evaluate(rule, request, opened, params).await {
            Ok(output) => {
                if !output.repeated.is_empty() {
                    done.reason = Some(repeated(&output.repeated[0]));
                }
                if output.capped > 0 {
                    done.state = RuleState::Capped;
                    done.reason = Some(capped(rule.spec.limits.max_hits, output.capped));
                }
                done.output = output;
            }
            Err(error) => {
                done.state = RuleState::Failed;
                done.reason = Some(failed(&error));
            }
        }
        done.elapsed_ms = started.elapsed().as_millis() as u64;
        done
    }

    async fn evaluate(
        &self,
        rule: &LoadedRule,
        request: &RunRequest,
        opened: &Opened,
        params: BTreeMap<String, Value>,
    ) -> Result<RuleOutput> {
        let context = &opened.context;
        for view in self.bundle.views_under(&rule.query) {
            if let Some(problem) = opened.views.failed.get(&view) {
                return Err(CollisionError::BadOutput {
                    rule: rule.spec.id.clone(),
                    problem: problem.clone(),
                });
            }
        }
        let rows_max = self.limits.evidence_rows_per_hit_max;
        let run = |context: SessionContext, params: BTreeMap<String, Value>| async move {
            rule::run(
                &context,
                rule.spec.clone(),
                rule.query.clone(),
                params,
                request.as_of,
                rows_max,
            )
            .await
        };
        match run(context.clone(), params.clone()).await {
            Err(error) if error.is_out_of_memory() => {
                tracing::warn!(
                    rule = rule.spec.id,
                    "rule.memory.retry: again with joins that spill"
                );
                run(self.spilling(context), params).await
            }
            result => result,
        }
    }

    /// The same tables, joined by sorting, which can spill.
    fn spilling(&self, context: &SessionContext) -> SessionContext {
        let mut state = context.state();
        let settings = state.config_mut().options_mut();
        settings.optimizer.prefer_hash_join = false;
        // Kept free by each sort for its merge; with little memory and several sorts the default is too much.
        settings.execution.sort_spill_reservation_bytes = 1 << 20;
        SessionContext::new_with_state(state)
    }
}

/// Times the steps of a run that belong to no rule, for the log.
struct Step(Instant);

impl Step {
    fn begin() -> Self {
        Self(Instant::now())
    }

    fn end(self, step: &str) -> Self {
        tracing::debug!(step, elapsed_ms = self.0.elapsed().as_millis() as u64, "run.step");
        Self::begin()
    }
}

/// The reason code of a rule that was evaluated, but gave several rows for one identity.
pub const IDENTITY_REPEATED: &str = "IDENTITY_REPEATED";

fn repeated(example: &[Value]) -> (String, Bilingual) {
    let example = Value::List(example.to_vec()).to_string();
    let text = Bilingual {
        zh: format!("同一标识出现多行（例如 {example}），已合并为一条"),
        en: format!("several rows had one identity (e.g. {example}) and were merged into one"),
    };
    (IDENTITY_REPEATED.into(), text)
}

fn capped(limit: u64, beyond: u64) -> (String, Bilingual) {
    let text = Bilingual {
        zh: format!("命中数超过上限 {limit}，另有 {beyond} 条未列出"),
        en: format!("more hits than the limit of {limit}; {beyond} more were counted and left out"),
    };
    ("HITS_CAPPED".into(), text)
}

fn failed(error: &CollisionError) -> (String, Bilingual) {
    let zh = match error {
        CollisionError::TimedOut { seconds, .. } => format!("执行超过 {seconds} 秒，已停止"),
        error if error.is_out_of_memory() => format!("内存不足：{error}"),
        error => format!("执行失败：{error}"),
    };
    (
        error.code().into(),
        Bilingual {
            zh,
            en: error.to_string(),
        },
    )
}

/// The certainty, in ten-thousandths, of the least certain party that a hit rests on; `None` when all are proven.
fn least_certain(evidence: &[EvidenceRow], path: &[Value]) -> Option<u16> {
    let mentions = evidence
        .iter()
        .flat_map(|row| row.uncertain.iter().map(|m| m.certainty_bp));
    let hops = path.iter().filter_map(|hop| {
        let Value::Map(hop) = hop else { return None };
        let millionths: u32 = hop
            .get("certainty")?
            .as_str()?
            .replacen('.', "", 1)
            .parse()
            .ok()?;
        u16::try_from(millionths / 100)
            .ok()
            .filter(|bp| *bp < matching::CERTAIN_BP)
    });
    mentions.chain(hops).min()
}

/// A message that says that a party is not proven: nobody is to be accused by a name that resembles.
fn with_doubt(message: Bilingual, bp: u16) -> Bilingual {
    let percent = percent_of_bp(bp);
    Bilingual {
        zh: format!(
            "{}（证据中有主体只凭相近名称认定，确定度最低 {percent}%，请先核对是否同一主体。）",
            message.zh
        ),
        en: format!(
            "{} (A party in the evidence is told by a resembling name only, at least {percent} % sure: check first that it is the same one.)",
            message.en
        ),
    }
}

fn hit(rule: &LoadedRule, raw: RawHit, rows: &BTreeMap<RowKey, EvidenceRow>) -> Hit {
    let mut evidence = Vec::with_capacity(raw.evidence.len());
    let mut missing = Vec::new();
    for key in &raw.evidence {
        match rows.get(key) {
            Some(row) => evidence.push(row.clone()),
            None => missing.push(format!("{} {}", key.0, key.1.join("|"))),
        }
    }
    evidence.sort();
    let message = match least_certain(&evidence, &raw.path) {
        Some(bp) => with_doubt(raw.message, bp),
        None => raw.message,
    };
    Hit {
        identity: rule.spec.identity.iter().cloned().zip(raw.identity).collect(),
        subject: raw.subject,
        amount_at_risk: raw.amount_at_risk,
        message,
        path: raw.path,
        evidence,
        evidence_missing: missing,
    }
}
