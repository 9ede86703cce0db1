//! Recording as a whole: once, completely or not at all, explainable afterwards.

use std::sync::Arc;

use domain::hit::RuleState;
use domain::ports::{AlertsPort, EvidenceCheck, EvidenceRef};
use domain::rule::Severity;
use domain::{Failure, FailureKind, Value};
use futures::StreamExt;

use crate::fixture::*;
use crate::on_both_stores;

on_both_stores!(
    recording_the_same_output_again_changes_nothing,
    a_rule_that_failed_and_then_did_not_is_another_run,
    going_back_to_earlier_parameters_restores_their_alerts,
    a_preview_tells_what_recording_does_and_does_nothing,
    what_cannot_be_recorded_leaves_no_trace,
    an_alert_explains_itself,
    two_processes_record_and_close_at_once,
    a_store_survives_a_restart,
    a_name_in_use_grows,
    a_closure_during_the_evidence_check_is_respected,
);

async fn recording_the_same_output_again_changes_nothing(store: Store) {
    let alerts = store.open().await;
    let run = hits(1, "2024-03-01", vec![hit("T1", &["o1"]), hit("T2", &["o2"])]);
    let first = record(&alerts, &run).await;
    let (before, runs) = (list(&alerts, "").await, alerts.runs(10).await.unwrap());
    let token = token_now(&alerts, "").await;
    store.clock.set("2024-04-01");

    let again = record(&alerts, &run).await;
    assert_eq!(again.run_id, first.run_id);
    assert_eq!(again.rules[0].counts.opened, 0);
    assert_eq!(
        (again.rules[0].counts.updated, again.rules[0].counts.changed),
        (2, 0)
    );
    assert_eq!(list(&alerts, "").await, before);
    assert_eq!(alerts.runs(10).await.unwrap(), runs);
    assert_eq!(
        alerts
            .explain(&before[0].alert_id)
            .await
            .unwrap()
            .occurrences
            .len(),
        1
    );
    assert_eq!(token_now(&alerts, "").await, token, "the log did not move");

    // Also when a later run came between: the repeated one is the past then.
    record(&alerts, &hits(2, "2024-03-02", vec![hit("T1", &["o1"])])).await;
    let (before, runs) = (list(&alerts, "").await, alerts.runs(10).await.unwrap());
    record(&alerts, &run).await;
    assert_eq!(list(&alerts, "").await, before);
    assert_eq!(alerts.runs(10).await.unwrap(), runs);
}

async fn a_rule_that_failed_and_then_did_not_is_another_run(store: Store) {
    let alerts = store.open().await;
    record(&alerts, &hits(1, "2024-03-01", vec![hit("T1", &["o1"])])).await;
    let failed = output(2, "2024-03-02", vec![outcome("R-1", RuleState::Failed, vec![])]);
    record(&alerts, &failed).await;
    assert_eq!(states(&alerts).await, ["T1/1 STALE 2024-03-01"]);
    let worked = hits(2, "2024-03-02", vec![hit("T1", &["o1"])]);
    assert_eq!(counts(&alerts, &worked).await.reopened, 1);
    assert_eq!(states(&alerts).await, ["T1/1 OPEN 2024-03-02"]);
}

async fn going_back_to_earlier_parameters_restores_their_alerts(store: Store) {
    let alerts = store.open().await;
    let usual = hits(1, "2024-03-01", vec![hit("T1", &["o1"])]);
    let mut tried = hits(1, "2024-03-01", vec![]);
    tried.outcomes[0]
        .params
        .insert("window_days".into(), Value::Int(1));
    record(&alerts, &usual).await;
    record(&alerts, &tried).await;
    assert_eq!(states(&alerts).await, ["T1/1 CLEARED 2024-03-01"]);
    let back = record(&alerts, &usual).await;
    assert_eq!(back.rules[0].counts.reopened, 1);
    assert_eq!(states(&alerts).await, ["T1/1 OPEN 2024-03-01"]);
    let runs = alerts.runs(10).await.unwrap();
    assert_eq!(runs.len(), 2);
    assert_eq!(
        runs[0].run_id, back.run_id,
        "the newest judgement is listed first"
    );
}

async fn a_preview_tells_what_recording_does_and_does_nothing(store: Store) {
    let alerts = store.open().await;
    record(
        &alerts,
        &hits(
            1,
            "2024-03-01",
            vec![hit("T1", &["o1"]), hit("T2", &["o2"]), hit("T3", &["o3"])],
        ),
    )
    .await;
    let (before, runs) = (list(&alerts, "").await, alerts.runs(10).await.unwrap());
    let token = token_now(&alerts, "").await;

    // T1 as it was, T2 with other evidence, T3 gone at the source, T4 new.
    let next = hits(
        2,
        "2024-03-02",
        vec![hit("T1", &["o1"]), hit("T2", &["o9"]), hit("T4", &["o4"])],
    );
    let lake = Lake::without(&["o3"]);
    let preview = alerts.preview(&next, &lake).await.unwrap();
    assert_eq!(list(&alerts, "").await, before);
    assert_eq!(alerts.runs(10).await.unwrap(), runs);
    assert_eq!(token_now(&alerts, "").await, token, "nobody was told");

    let told: Vec<(&str, String, bool)> = preview
        .events
        .iter()
        .map(|e| {
            let tender = e.alert.identity["tender_id"].to_string();
            (e.kind.as_str(), tender, e.alert.alert_id.is_empty())
        })
        .collect();
    let recorded = alerts.record(&next, &lake).await.unwrap();
    assert_eq!(preview.run, recorded);
    assert_eq!(preview.events_total, 3);
    assert_eq!(
        told,
        [
            ("UPDATED", "T2".to_owned(), false),
            ("OPENED", "T4".to_owned(), true),
            ("WITHDRAWN", "T3".to_owned(), false)
        ]
    );
    assert!(preview.events.iter().all(|e| !e.alert.message.zh.is_empty()));

    // Recorded, it changes nothing any more, whatever became of its evidence since.
    let again = alerts
        .preview(&next, &Lake::without(&["o3", "o1", "o9"]))
        .await
        .unwrap();
    assert_eq!((again.events.len(), again.events_total), (0, 0));
}

/// A lake that cannot answer, or answers too little.
struct Broken(bool);

#[async_trait::async_trait]
impl EvidenceCheck for Broken {
    async fn unchanged(&self, _: Vec<EvidenceRef>) -> domain::ports::Result<Vec<bool>> {
        match self.0 {
            true => Ok(vec![]),
            false => Err(Failure::new(
                FailureKind::Unavailable,
                "LAKE_BUSY",
                "the lake is busy; try again",
            )),
        }
    }
}

async fn what_cannot_be_recorded_leaves_no_trace(store: Store) {
    let alerts = store.open().await;
    record(&alerts, &hits(1, "2024-03-01", vec![hit("T1", &["o1"])])).await;
    let (before, token) = (list(&alerts, "").await, token_now(&alerts, "").await);

    let twice = hits(2, "2024-03-02", vec![hit("T2", &["o1"]), hit("T2", &["o2"])]);
    let failure = alerts.record(&twice, &Lake::default()).await.unwrap_err();
    assert!(failure.message.contains("tender_id=T2"), "{failure}");
    let none = || outcome("R-1", RuleState::Evaluated, vec![]);
    let repeated = output(2, "2024-03-02", vec![none(), none()]);
    assert!(alerts.record(&repeated, &Lake::default()).await.is_err());
    let missing = hits(2, "2024-03-02", vec![hit("T9", &["o9"])]);
    assert_eq!(reason(alerts.record(&missing, &Broken(false)).await), "LAKE_BUSY");
    assert_eq!(reason(alerts.record(&missing, &Broken(true)).await), "INTERNAL");

    assert_eq!(list(&alerts, "").await, before);
    assert_eq!(token_now(&alerts, "").await, token);
    assert_eq!(alerts.runs(10).await.unwrap().len(), 1);
}

async fn an_alert_explains_itself(store: Store) {
    let alerts = store.open().await;
    record(&alerts, &hits(1, "2024-03-01", vec![hit("T1", &["o1"])])).await;
    let second = outcome_of(
        rule("R-1", 2, Severity::High),
        RuleState::Evaluated,
        vec![hit("T1", &["o1", "o2"])],
    );
    let run = record(&alerts, &output(2, "2024-03-02", vec![second])).await;
    // Not seen any more: the explanation stays that of the last run that saw it.
    record(&alerts, &hits(3, "2024-03-03", vec![])).await;

    let id = id_of(&alerts, "T1").await;
    let told = alerts.explain(&id).await.unwrap();
    assert_eq!(told.alert, alerts.get(&id).await.unwrap());
    assert_eq!(told.alert.state.as_str(), "CLEARED");
    assert_eq!(
        told.alert.evidence,
        hit("T1", &["o1", "o2"]).evidence,
        "evidence is kept in full"
    );
    assert_eq!(told.rule_text, "select 'R-1' as rule, 2");
    assert_eq!(told.rule_hash, "rule-hash-R-1-2");
    assert_eq!(told.params["window_days"], Value::Int(90));
    assert_eq!((told.snapshot, told.as_of), (2, date("2024-03-02")));
    assert_eq!(told.table_versions["purchase_orders"], 2);
    assert_eq!(told.bundle_hash, "bundle");
    assert_eq!(
        told.evidence_digest,
        domain::hit::evidence_digest(&told.alert.evidence)
    );
    let occurrences: Vec<_> = told.occurrences.iter().map(|o| (o.1.to_string(), o.2)).collect();
    assert_eq!(
        occurrences,
        [("2024-03-02".to_owned(), 2), ("2024-03-01".to_owned(), 1)]
    );
    assert_eq!(
        (&told.occurrences[0].0, &told.occurrences[0].3),
        (&run.run_id, &told.evidence_digest)
    );
    assert_eq!(reason(alerts.explain("A-0-1").await), "ALERT_NOT_FOUND");
    assert_eq!(reason(alerts.get("").await), "ALERT_NOT_FOUND");
}

async fn two_processes_record_and_close_at_once(store: Store) {
    const RUNS: i64 = 12;
    let (one, two) = (Arc::new(store.open().await), Arc::new(store.open().await));
    let mut stream = watch(&two, "", &token_now(&two, "").await).await;
    let writer = |alerts: Arc<alerts::Alerts>, name: &'static str| {
        tokio::spawn(async move {
            for n in 0..RUNS {
                let hits = (0..5).map(|k| hit(&format!("{name}{n}-{k}"), &["o"])).collect();
                let of = outcome(&format!("R-{name}"), RuleState::Evaluated, hits);
                record(&alerts, &output(n, "2024-03-01", vec![of])).await;
                let id = id_of(&alerts, &format!("{name}{n}-0")).await;
                alerts.close(&id, "li", "why").await.expect("it closes");
            }
        })
    };
    let (a, b) = (writer(one.clone(), "a"), writer(two.clone(), "b"));
    // Opened 5, closed 1 a run; each run but the first clears the 4 open ones before it.
    let expected = 2 * (RUNS * 6 + (RUNS - 1) * 4);
    for revision in 1..=expected {
        let item = next(&mut stream).await.expect("an event");
        let (line, _) = describe(&item);
        assert!(
            line.starts_with(&format!("{revision} ")),
            "expected revision {revision}, got {line}"
        );
    }
    a.await.unwrap();
    b.await.unwrap();
    assert_eq!(list(&one, "").await, list(&two, "").await);
    assert_eq!(one.runs(100).await.unwrap().len() as i64, 2 * RUNS);
}

async fn a_store_survives_a_restart(store: Store) {
    let alerts = store.open().await;
    let token = token_now(&alerts, "").await;
    record(&alerts, &hits(1, "2024-03-01", vec![hit("T1", &["o1"])])).await;
    let before = list(&alerts, "").await;
    let mut stream = watch(&alerts, "", "").await;
    let (line, token_at_end) = describe(&next(&mut stream).await.unwrap());
    assert_eq!(line, "bookmark 1");
    alerts.shut_down().await;
    assert_eq!(
        next(&mut stream).await.unwrap_err().kind,
        FailureKind::Unavailable
    );
    assert!(stream.next().await.is_none(), "a stream ends after its error");

    let again = store.open().await;
    assert_eq!(list(&again, "").await, before);
    record(&again, &hits(2, "2024-03-02", vec![])).await;
    assert_eq!(
        take(&mut watch(&again, "", &token).await, 2).await,
        ["1 Opened T1 OPEN", "2 Cleared T1 CLEARED"]
    );
    assert_eq!(
        take(&mut watch(&again, "", &token_at_end).await, 1).await,
        ["2 Cleared T1 CLEARED"]
    );
}

async fn a_name_in_use_grows(store: Store) {
    let alerts = store.open().await;
    record(&alerts, &hits(1, "2024-03-01", vec![hit("T1", &["o1"])])).await;
    let print = alerts::fingerprint::fingerprint("R-1", &hit("T2", &[]).identity);
    let short = format!("A-{}-1", &print[..16]);
    rename_first_alert(&store.url, &short).await;
    record(
        &alerts,
        &hits(2, "2024-03-02", vec![hit("T1", &["o1"]), hit("T2", &["o1"])]),
    )
    .await;
    assert_eq!(id_of(&alerts, "T1").await, short);
    let grown = id_of(&alerts, "T2").await;
    assert_eq!(grown, format!("A-{}-1", &print[..24]));
    // Once given, a name stays.
    record(&alerts, &hits(3, "2024-03-03", vec![hit("T2", &["o1", "o2"])])).await;
    assert_eq!(id_of(&alerts, "T2").await, grown);
}

/// Does to the store what a fingerprint with the same first digits would have done.
async fn rename_first_alert(url: &str, id: &str) {
    use sqlx::Connection;
    if url.starts_with("postgres") {
        let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
        sqlx::query("update lianjing_alerts.alerts set alert_id = $1")
            .bind(id)
            .execute(&mut connection)
            .await
            .unwrap();
    } else {
        let mut connection = sqlx::SqliteConnection::connect(url).await.unwrap();
        sqlx::query("update alerts set alert_id = $1")
            .bind(id)
            .execute(&mut connection)
            .await
            .unwrap();
    }
}

/// A lake during whose answer a person closes an alert.
struct Meanwhile(alerts::Alerts, String);

#[async_trait::async_trait]
impl EvidenceCheck for Meanwhile {
    async fn unchanged(&self, rows: Vec<EvidenceRef>) -> domain::ports::Result<Vec<bool>> {
        self.0.close(&self.1, "li", "框架采购").await?;
        Ok(vec![true; rows.len()])
    }
}

async fn a_closure_during_the_evidence_check_is_respected(store: Store) {
    let alerts = store.open().await;
    record(
        &alerts,
        &hits(1, "2024-03-01", vec![hit("T1", &["o1"]), hit("T2", &["o2"])]),
    )
    .await;
    let lake = Meanwhile(alerts.clone(), id_of(&alerts, "T1").await);
    let run = alerts
        .record(&hits(2, "2024-03-02", vec![]), &lake)
        .await
        .unwrap();
    assert_eq!(run.rules[0].counts.cleared, 1);
    assert_eq!(
        states(&alerts).await,
        ["T1/1 CLOSED 2024-03-01", "T2/1 CLEARED 2024-03-01"]
    );
}
