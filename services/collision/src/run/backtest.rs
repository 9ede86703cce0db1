//! Backtests: one rule on a series of days, on one snapshot, to see what it would have found and when. It is today's
//! data looked at from earlier days, not the data of those days.

use std::collections::{BTreeMap, BTreeSet};

use domain::hit::{Hit, RuleOutcome, RuleState};
use domain::ports::{
    BacktestHit, BacktestPoint, BacktestReport, BacktestRequest, Progress, ProgressUpdate, RunRequest,
};
use domain::{Bilingual, Value};

use super::runner::Runner;
use crate::error::Result;

/// Hits that a report lists, at most.
const HITS_MAX: usize = 200;

impl Runner {
    /// Runs the rule day by day.
    pub async fn backtest(
        &self,
        request: &BacktestRequest,
        progress: &dyn Progress,
    ) -> Result<BacktestReport> {
        let mut series = Series::default();
        let total = request.days.len() as u64;
        for (day, done) in request.days.iter().zip(0..) {
            progress.report(ProgressUpdate {
                stage: Bilingual::new(format!("截至 {day}"), format!("as of {day}")),
                done,
                total,
                unit: "runs".into(),
            });
            let run = RunRequest {
                rules: vec![request.rule_id.clone()],
                as_of: *day,
                snapshot: request.snapshot,
                threads: request.threads,
                params: [(request.rule_id.clone(), request.params.clone())].into(),
            };
            // The steps of a single run are not told.
            let output = self.run(&run, &domain::ports::NoProgress).await?;
            for outcome in output.outcomes {
                series.add(*day, outcome);
            }
        }
        Ok(series.report(request, self.snapshot.id()))
    }
}

/// What names a hit: its identity's values, in the rule's order.
type Identity = Vec<Value>;

/// The outcomes of one rule in order of time.
#[derive(Debug, Default)]
struct Series {
    rule_version: u32,
    points: Vec<BacktestPoint>,
    found: BTreeMap<Identity, BacktestHit>,
    /// Of the last day on which the rule could look.
    before: BTreeSet<Identity>,
}

impl Series {
    fn add(&mut self, day: chrono::NaiveDate, outcome: RuleOutcome) {
        self.rule_version = outcome.rule.version;
        let mut here = BTreeSet::new();
        for hit in outcome.hits {
            let identity: Identity = hit.identity.iter().map(|(_, value)| value.clone()).collect();
            here.insert(identity.clone());
            let first_day = self.found.get(&identity).map_or(day, |hit| hit.first_day);
            self.found.insert(identity, backtest_hit(hit, first_day, day));
        }
        let has_looked = matches!(outcome.state, RuleState::Evaluated | RuleState::Capped);
        let count = |hits: usize| if has_looked { hits as u64 } else { 0 };
        self.points.push(BacktestPoint {
            as_of: day,
            state: outcome.state,
            reason: outcome.reason,
            hits: here.len() as u64 + outcome.capped,
            begun: count(here.difference(&self.before).count()),
            ended: count(self.before.difference(&here).count()),
            elapsed_ms: outcome.elapsed_ms,
        });
        // Of a day on which it could not look nothing is known: the next one is compared with the one before.
        if has_looked {
            self.before = here;
        }
    }

    fn report(self, request: &BacktestRequest, snapshot: i64) -> BacktestReport {
        let hits_total = self.found.len() as u64;
        let mut hits: Vec<BacktestHit> = self.found.into_values().collect();
        // Stable: those of one day stay in order of identity.
        hits.sort_by_key(|hit| hit.first_day);
        hits.truncate(HITS_MAX);
        BacktestReport {
            rule_id: request.rule_id.clone(),
            rule_version: self.rule_version,
            snapshot,
            points: self.points,
            hits,
            hits_total,
        }
    }
}

/// The hit as it stands on its latest day.
fn backtest_hit(hit: Hit, first_day: chrono::NaiveDate, last_day: chrono::NaiveDate) -> BacktestHit {
    BacktestHit {
        identity: hit.identity.into_iter().collect(),
        message: hit.message,
        amount_at_risk: hit.amount_at_risk,
        first_day,
        last_day,
    }
}
