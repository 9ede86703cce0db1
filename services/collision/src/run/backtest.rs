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
        // Beyond a cap nothing is known, as where it could not look.
        let has_looked = outcome.state == RuleState::Evaluated;
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
        // The next day is compared with the last one on which all was looked at.
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

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;
    use crate::rules::Bundle;

    fn day(n: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2024, 1, n).expect("a day")
    }

    fn outcome(bundle: &Bundle, state: RuleState, names: &[&str], capped: u64) -> RuleOutcome {
        let hit = |name: &&str| Hit {
            identity: vec![("order_id".to_owned(), Value::text(*name))],
            subject: BTreeMap::new(),
            amount_at_risk: None,
            message: Bilingual::default(),
            path: Vec::new(),
            evidence: Vec::new(),
            evidence_missing: Vec::new(),
        };
        RuleOutcome {
            rule: bundle.rule("OFF-01").expect("a rule").spec.clone(),
            rule_hash: String::new(),
            rule_text: "".into(),
            state,
            reason: None,
            params: BTreeMap::new(),
            hits: names.iter().map(hit).collect(),
            capped,
            elapsed_ms: 0,
        }
    }

    #[test]
    fn a_day_is_compared_with_the_last_one_that_was_looked_at_whole() {
        let bundle = Bundle::load(None).expect("the rules that ship");
        let mut series = Series::default();
        for (n, state, names, capped) in [
            (1, RuleState::Evaluated, &["a", "b"][..], 0),
            (2, RuleState::NotEvaluable, &[], 0),
            (3, RuleState::Evaluated, &["b", "c"], 0),
            (4, RuleState::Capped, &["b"], 1),
            (5, RuleState::Failed, &[], 0),
            (6, RuleState::Evaluated, &["c"], 0),
        ] {
            series.add(day(n), outcome(&bundle, state, names, capped));
        }
        let counts: Vec<(u64, u64, u64)> = series.points.iter().map(|p| (p.hits, p.begun, p.ended)).collect();
        assert_eq!(
            counts,
            [(2, 2, 0), (0, 0, 0), (2, 1, 1), (2, 0, 0), (0, 0, 0), (1, 0, 1)]
        );
        let request = BacktestRequest {
            rule_id: "OFF-01".into(),
            days: Vec::new(),
            snapshot: None,
            threads: 1,
            params: BTreeMap::new(),
        };
        let report = series.report(&request, 7);
        let spans: Vec<(String, NaiveDate, NaiveDate)> = report
            .hits
            .iter()
            .map(|h| (h.identity["order_id"].to_string(), h.first_day, h.last_day))
            .collect();
        assert_eq!(
            spans,
            [
                ("a".to_owned(), day(1), day(1)),
                ("b".to_owned(), day(1), day(4)),
                ("c".to_owned(), day(3), day(6))
            ]
        );
        assert_eq!((report.hits_total, report.snapshot), (3, 7));
    }
}
