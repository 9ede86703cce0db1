//! Random runs, closures and repetitions against a model that knows nothing of the store: states, counts and
//! the log must agree, and so must what watchers see who reconnect at every token.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate};
use domain::alert::RuleCounts;
use domain::hit::RuleState;
use domain::ports::{AlertsPort, RunRecord};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::fixture::*;

const TENDERS: usize = 4;

#[derive(Debug, Clone)]
enum Step {
    Run {
        /// Days since the newest run; below 0 is a run of the past.
        days: i64,
        state: RuleState,
        /// Evidence each tender is hit with, if it is: rows by bit.
        hits: [Option<u8>; TENDERS],
        /// Rows that are gone from the lake, by bit.
        gone: u8,
    },
    Close(usize),
    /// Records a run again; counted back from the newest.
    Repeat(usize),
    /// Days that pass on the clock of those who close.
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let state = prop_oneof![
        6 => Just(RuleState::Evaluated),
        1 => Just(RuleState::NotEvaluable),
        1 => Just(RuleState::Failed),
    ];
    let hits = prop::array::uniform4(prop::option::weighted(0.6, 0u8..8));
    prop_oneof![
        6 => (prop_oneof![5 => 0..3i64, 1 => -4..0i64, 1 => 190..200i64], state, hits, 0u8..8)
            .prop_map(|(days, state, hits, gone)| Step::Run { days, state, hits, gone }),
        2 => (0..TENDERS).prop_map(Step::Close),
        1 => (0..3usize).prop_map(Step::Repeat),
        1 => prop_oneof![1..5u64, 190..200u64].prop_map(Step::Wait),
    ]
}

// === The model ===

#[derive(Debug, Clone)]
struct Modelled {
    episode: u32,
    state: &'static str,
    rows: BTreeSet<usize>,
    judged: (NaiveDate, i64),
    last_seen: NaiveDate,
    closed_on: Option<NaiveDate>,
}

#[derive(Debug, Default)]
struct Model {
    /// Newest episode of each tender.
    alerts: BTreeMap<usize, Modelled>,
    closed_episodes: usize,
    /// "Kind tender STATE"; the events of one run in any order, sorted.
    log: Vec<Vec<String>>,
}

impl Model {
    fn run(&mut self, at: (NaiveDate, i64), step: (RuleState, [Option<u8>; TENDERS], u8)) -> RuleCounts {
        let (state, hits, gone) = step;
        let mut counts = RuleCounts::default();
        let mut events = Vec::new();
        for (tender, hit) in hits.iter().enumerate() {
            let looked = state == RuleState::Evaluated;
            let hit = hit
                .filter(|_| looked)
                .map(|bits| rows(bits).collect::<BTreeSet<_>>());
            let known = self.alerts.get(&tender).cloned();
            let fresh = Modelled {
                episode: known.as_ref().map_or(1, |k| k.episode),
                state: "OPEN",
                rows: hit.clone().unwrap_or_default(),
                judged: at,
                last_seen: at.0,
                closed_on: None,
            };
            counts.hits += u64::from(hit.is_some());
            let past = known.as_ref().is_some_and(|k| at < k.judged);
            let (next, kind) = match (known, hit) {
                (None, None) => continue,
                (None, Some(_)) => {
                    counts.opened += 1;
                    (fresh, "Opened")
                }
                (Some(k), Some(seen)) if k.state == "CLOSED" => {
                    if past || seen.is_subset(&k.rows) {
                        counts.suppressed += 1;
                        continue;
                    }
                    if k.closed_on.unwrap() + Days::new(180) < at.0 {
                        counts.opened += 1;
                        self.closed_episodes += 1;
                        (
                            Modelled {
                                episode: k.episode + 1,
                                ..fresh
                            },
                            "Opened",
                        )
                    } else {
                        counts.reopened += 1;
                        (fresh, "Reopened")
                    }
                }
                (Some(_), Some(_)) if past => {
                    counts.updated += 1;
                    continue;
                }
                (Some(k), Some(seen)) if k.state == "OPEN" => {
                    counts.updated += 1;
                    let changed = k.rows != seen;
                    counts.changed += u64::from(changed);
                    (fresh, if changed { "Updated" } else { "" })
                }
                (Some(_), Some(_)) => {
                    counts.reopened += 1;
                    (fresh, "Reopened")
                }
                (Some(k), None) => {
                    if past || k.state == "CLOSED" || (!looked && k.state == "WITHDRAWN") {
                        continue;
                    }
                    let stands = k.rows.iter().all(|row| gone & (1 << row) == 0);
                    let (now, kind, count) = match (looked, stands) {
                        (true, true) => ("CLEARED", "Cleared", &mut counts.cleared),
                        (true, false) => ("WITHDRAWN", "Withdrawn", &mut counts.withdrawn),
                        (false, _) => ("STALE", "Stale", &mut counts.stale),
                    };
                    *count += 1;
                    let kind = if now == k.state { "" } else { kind };
                    (
                        Modelled {
                            state: now,
                            judged: at,
                            ..k
                        },
                        kind,
                    )
                }
            };
            if !kind.is_empty() {
                events.push(format!("{kind} T{tender} {}", next.state));
            }
            self.alerts.insert(tender, next);
        }
        self.commit(events);
        counts
    }

    fn close(&mut self, tender: usize, today: NaiveDate) -> bool {
        match self.alerts.get_mut(&tender) {
            Some(alert) if alert.state != "CLOSED" => {
                alert.state = "CLOSED";
                alert.closed_on = Some(today);
                self.commit(vec![format!("Closed T{tender} CLOSED")]);
                true
            }
            _ => false,
        }
    }

    fn commit(&mut self, mut events: Vec<String>) {
        events.sort();
        if !events.is_empty() {
            self.log.push(events);
        }
    }

    fn states(&self) -> Vec<String> {
        self.alerts
            .iter()
            .map(|(tender, a)| format!("T{tender}/{} {} {}", a.episode, a.state, a.last_seen))
            .collect()
    }
}

fn rows(bits: u8) -> impl Iterator<Item = usize> {
    (0..3).filter(move |row| bits & (1 << row) != 0)
}

// === The check ===

async fn check(store: Store, steps: Vec<Step>) {
    let alerts = store.open().await;
    let start = token_now(&alerts, "").await;
    let mut model = Model::default();
    let (mut today, mut clock_day, mut snapshot) = (date("2024-03-01"), date("2024-03-01"), 0);
    let mut recorded: Vec<(domain::hit::RunOutput, Lake, RunRecord)> = Vec::new();
    for step in steps {
        match step {
            Step::Run {
                days,
                state,
                hits: bits,
                gone,
            } => {
                snapshot += 1;
                let as_of = if days < 0 {
                    today - Days::new(days.unsigned_abs())
                } else {
                    today = today + Days::new(days.unsigned_abs());
                    today
                };
                let found = bits
                    .iter()
                    .enumerate()
                    .filter_map(|(tender, bits)| {
                        let names: Vec<String> = rows((*bits)?).map(|row| format!("o{row}")).collect();
                        let names: Vec<&str> = names.iter().map(String::as_str).collect();
                        Some(hit(&format!("T{tender}"), &names))
                    })
                    .filter(|_| state == RuleState::Evaluated)
                    .collect();
                let run = output(snapshot, &as_of.to_string(), vec![outcome("R-1", state, found)]);
                let names: Vec<String> = rows(gone).map(|row| format!("o{row}")).collect();
                let lake = Lake::without(&names.iter().map(String::as_str).collect::<Vec<_>>());
                let done = alerts.record(&run, &lake).await.expect("the run is recorded");
                let expected = model.run((as_of, snapshot), (state, bits, gone));
                assert_eq!(done.rules[0].counts, expected);
                assert!(expected.holds());
                recorded.push((run, lake, done));
            }
            Step::Close(tender) => {
                let known = list(&alerts, &format!("identity.tender_id = T{tender}")).await;
                let newest = known.into_iter().max_by_key(|a| a.episode);
                if let Some(alert) = newest {
                    let done = alerts.close(&alert.alert_id, "li", "why").await.is_ok();
                    assert_eq!(done, model.close(tender, clock_day));
                }
            }
            Step::Repeat(back) => {
                if let Some((run, lake, first)) = recorded.iter().rev().nth(back) {
                    let again = alerts.record(run, lake).await.expect("the run is recorded again");
                    assert_eq!(again.run_id, first.run_id);
                    assert!(again.rules[0].counts.holds());
                    assert_eq!(
                        (again.rules[0].counts.opened, again.rules[0].counts.changed),
                        (0, 0)
                    );
                }
            }
            Step::Wait(days) => {
                clock_day = clock_day + Days::new(days);
                store.clock.set(&clock_day.to_string());
            }
        }
        let mut newest: BTreeMap<String, String> = BTreeMap::new();
        for line in states(&alerts).await {
            let tender = line.split('/').next().unwrap().to_owned();
            newest.insert(tender, line);
        }
        assert_eq!(newest.into_values().collect::<Vec<_>>(), model.states());
    }
    assert_eq!(
        list(&alerts, "").await.len(),
        model.alerts.len() + model.closed_episodes
    );
    let runs: Vec<RunRecord> = alerts.runs(1000).await.unwrap().into_iter().rev().collect();
    assert_eq!(
        runs,
        recorded.into_iter().map(|(_, _, run)| run).collect::<Vec<_>>()
    );

    // A watcher that reconnects at every token, on another server of the store.
    let other = store.open().await;
    let mut token = start;
    let mut revision = 0;
    for commit in model.log {
        let mut told = Vec::new();
        for _ in 0..commit.len() {
            let (line, next_token) = describe(&next(&mut watch(&other, "", &token).await).await.unwrap());
            revision += 1;
            let (number, event) = line.split_once(' ').unwrap();
            assert_eq!(number, revision.to_string());
            told.push(event.to_owned());
            token = next_token;
        }
        told.sort();
        assert_eq!(told, commit);
    }
    assert_eq!(token, token_now(&other, "").await, "nothing else was told");
    alerts.shut_down().await;
    other.shut_down().await;
}

fn run_cases(cases: u32, store: impl Fn(&tokio::runtime::Runtime) -> Option<Store>) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    });
    let result = runner.run(&prop::collection::vec(step(), 1..25), |steps| {
        let Some(store) = store(&runtime) else {
            return Ok(());
        };
        let done = runtime.block_on(async { tokio::spawn(check(store, steps)).await });
        done.map_err(|error| TestCaseError::fail(panic_text(error)))
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

fn panic_text(error: tokio::task::JoinError) -> String {
    let payload = error.into_panic();
    payload
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| payload.downcast_ref::<&str>().map(|s| (*s).to_owned()))
        .unwrap_or_else(|| "a panic without text".into())
}

#[test]
fn random_histories_agree_with_the_model_on_sqlite() {
    run_cases(60, |_| Some(Store::sqlite()));
}

#[test]
fn random_histories_agree_with_the_model_on_postgres() {
    run_cases(15, |runtime| runtime.block_on(Store::postgres()));
}
