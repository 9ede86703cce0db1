//! Each row of the life cycle's table.

use domain::alert::RuleCounts;
use domain::hit::RuleState;
use domain::ports::AlertsPort;
use domain::rule::Severity;

use crate::fixture::*;
use crate::on_both_stores;

on_both_stores!(
    a_hit_opens_and_is_seen_again,
    what_a_hit_says_anew_updates_it,
    a_missing_hit_is_cleared_or_withdrawn,
    a_rule_that_could_not_look_makes_alerts_stale,
    a_capped_rule_judges_as_far_as_it_looked,
    a_closed_alert_moves_only_on_new_evidence,
    long_after_closing_a_new_episode_begins,
    a_run_of_an_earlier_date_moves_nothing_back,
    rules_that_did_not_run_are_left_alone,
);

async fn a_hit_opens_and_is_seen_again(store: Store) {
    let alerts = store.open().await;
    let two = || vec![hit("T1", &["o1", "o2"]), hit("T2", &["o3"])];
    let first = counts(&alerts, &hits(1, "2024-03-01", two())).await;
    assert_eq!(
        first,
        RuleCounts {
            hits: 2,
            opened: 2,
            ..RuleCounts::default()
        }
    );
    assert_eq!(
        states(&alerts).await,
        ["T1/1 OPEN 2024-03-01", "T2/1 OPEN 2024-03-01"]
    );

    let token = token_now(&alerts, "").await;
    let second = counts(&alerts, &hits(2, "2024-03-02", two())).await;
    assert_eq!(
        second,
        RuleCounts {
            hits: 2,
            updated: 2,
            ..RuleCounts::default()
        }
    );
    assert_eq!(
        states(&alerts).await,
        ["T1/1 OPEN 2024-03-02", "T2/1 OPEN 2024-03-02"]
    );
    let alert = &list(&alerts, "identity.tender_id = T1").await[0];
    assert_eq!(alert.first_seen, date("2024-03-01"));
    assert_eq!(alert.evidence, hit("T1", &["o1", "o2"]).evidence);
    assert_eq!(
        alerts.explain(&alert.alert_id).await.unwrap().occurrences.len(),
        2
    );

    // Seeing the same again is no event: the next one is the third run's.
    let mut stream = watch(&alerts, "", &token).await;
    let third = counts(&alerts, &hits(3, "2024-03-03", vec![])).await;
    assert_eq!(third.cleared, 2);
    assert_eq!(take(&mut stream, 2).await.concat().matches("Cleared").count(), 2);
}

async fn what_a_hit_says_anew_updates_it(store: Store) {
    let alerts = store.open().await;
    record(&alerts, &hits(1, "2024-03-01", vec![hit("T1", &["o1"])])).await;
    let token = token_now(&alerts, "").await;

    let more = hits(2, "2024-03-02", vec![hit("T1", &["o1", "o2"])]);
    assert_eq!(
        counts(&alerts, &more).await,
        RuleCounts {
            hits: 1,
            updated: 1,
            changed: 1,
            ..Default::default()
        }
    );
    let mut dearer = hit("T1", &["o1", "o2"]);
    dearer.amount_at_risk = Some("9999.00".into());
    assert_eq!(
        counts(&alerts, &hits(3, "2024-03-03", vec![dearer.clone()]))
            .await
            .changed,
        1
    );
    let graver = outcome_of(rule("R-1", 2, Severity::High), RuleState::Evaluated, vec![dearer]);
    assert_eq!(
        counts(&alerts, &output(4, "2024-03-04", vec![graver]))
            .await
            .changed,
        1
    );

    let mut stream = watch(&alerts, "", &token).await;
    assert_eq!(
        take(&mut stream, 3).await,
        ["2 Updated T1 OPEN", "3 Updated T1 OPEN", "4 Updated T1 OPEN"]
    );
    let alert = &list(&alerts, "").await[0];
    assert_eq!((alert.severity, alert.rule_version), (Severity::High, 2));
    assert_eq!(alert.amount_at_risk.as_deref(), Some("9999.00"));
    assert_eq!(alert.evidence.len(), 2);
}

async fn a_missing_hit_is_cleared_or_withdrawn(store: Store) {
    let alerts = store.open().await;
    let three = || vec![hit("T1", &["o1", "o2"]), hit("T2", &["o3", "o4"]), hit("T3", &[])];
    record(&alerts, &hits(1, "2024-03-01", three())).await;

    let lake = Lake::without(&["o4"]);
    let run = alerts
        .record(&hits(2, "2024-03-02", vec![]), &lake)
        .await
        .unwrap();
    assert_eq!(
        run.rules[0].counts,
        RuleCounts {
            cleared: 2,
            withdrawn: 1,
            ..Default::default()
        }
    );
    assert_eq!(*lake.asked.lock().unwrap(), [4], "one batch for all rows");
    assert_eq!(
        states(&alerts).await,
        [
            "T1/1 CLEARED 2024-03-01",
            "T2/1 WITHDRAWN 2024-03-01",
            "T3/1 CLEARED 2024-03-01"
        ]
    );

    // The vanished row comes back, another one goes: each is told once.
    let token = token_now(&alerts, "").await;
    for (snapshot, day) in [(3, "2024-03-03"), (4, "2024-03-04")] {
        alerts
            .record(&hits(snapshot, day, vec![]), &Lake::without(&["o1"]))
            .await
            .unwrap();
    }
    let reopened = counts(&alerts, &hits(5, "2024-03-05", three())).await;
    assert_eq!(
        reopened,
        RuleCounts {
            hits: 3,
            reopened: 3,
            ..Default::default()
        }
    );
    let mut stream = watch(&alerts, "", &token).await;
    let mut told: Vec<String> = take(&mut stream, 5)
        .await
        .iter()
        .map(|line| line.split_once(' ').unwrap().1.to_owned())
        .collect();
    told.sort();
    assert_eq!(
        told,
        [
            "Cleared T2 CLEARED",
            "Reopened T1 OPEN",
            "Reopened T2 OPEN",
            "Reopened T3 OPEN",
            "Withdrawn T1 WITHDRAWN"
        ]
    );
    assert_eq!(list(&alerts, "state != OPEN").await.len(), 0);
}

async fn a_rule_that_could_not_look_makes_alerts_stale(store: Store) {
    let alerts = store.open().await;
    let three = || vec![hit("T1", &["o1"]), hit("T2", &["o2"]), hit("T3", &["o3"])];
    record(&alerts, &hits(1, "2024-03-01", three())).await;
    let lake = Lake::without(&["o2"]);
    alerts
        .record(&hits(2, "2024-03-02", vec![hit("T1", &["o1"])]), &lake)
        .await
        .unwrap();

    let blind = |snapshot, day, state| output(snapshot, day, vec![outcome("R-1", state, vec![])]);
    let run = record(&alerts, &blind(3, "2024-03-03", RuleState::NotEvaluable)).await;
    assert_eq!(
        run.rules[0].counts,
        RuleCounts {
            stale: 2,
            ..Default::default()
        }
    );
    assert_eq!(run.rules[0].reason_code.as_deref(), Some("INPUT_MISSING"));
    let after = [
        "T1/1 STALE 2024-03-02",
        "T2/1 WITHDRAWN 2024-03-01",
        "T3/1 STALE 2024-03-01",
    ];
    assert_eq!(states(&alerts).await, after);
    record(&alerts, &blind(4, "2024-03-04", RuleState::Failed)).await;
    assert_eq!(states(&alerts).await, after);
    assert_eq!(
        alerts.runs(10).await.unwrap()[0].rules[0].state,
        RuleState::Failed
    );

    assert_eq!(counts(&alerts, &hits(5, "2024-03-05", three())).await.reopened, 3);
}

async fn a_capped_rule_judges_as_far_as_it_looked(store: Store) {
    let alerts = store.open().await;
    let all = ["T1", "T2", "T3", "T4"].map(|id| hit(id, &["o"]));
    record(&alerts, &hits(1, "2024-03-01", all.to_vec())).await;

    let mut capped = outcome(
        "R-1",
        RuleState::Capped,
        vec![hit("T1", &["o"]), hit("T3", &["o"])],
    );
    capped.capped = 7;
    let run = counts(&alerts, &output(2, "2024-03-02", vec![capped])).await;
    assert_eq!(
        run,
        RuleCounts {
            hits: 9,
            updated: 2,
            capped: 7,
            cleared: 1,
            ..Default::default()
        }
    );
    assert_eq!(
        states(&alerts).await,
        [
            "T1/1 OPEN 2024-03-02",
            "T2/1 CLEARED 2024-03-01",
            "T3/1 OPEN 2024-03-02",
            "T4/1 OPEN 2024-03-01"
        ]
    );
}

async fn a_closed_alert_moves_only_on_new_evidence(store: Store) {
    let alerts = store.open().await;
    record(&alerts, &hits(1, "2024-03-01", vec![hit("T1", &["o1", "o2"])])).await;
    let id = id_of(&alerts, "T1").await;
    let token = token_now(&alerts, "").await;
    assert_eq!(
        reason(alerts.close(&id, " ", "框架采购").await),
        "CLOSE_INCOMPLETE"
    );
    assert_eq!(reason(alerts.close(&id, "li", "").await), "CLOSE_INCOMPLETE");
    assert_eq!(
        reason(alerts.close("A-none-1", "li", "why").await),
        "ALERT_NOT_FOUND"
    );
    let closed = alerts.close(&id, "li", "框架采购").await.unwrap();
    assert_eq!(closed.state.as_str(), "CLOSED");
    assert_eq!(
        reason(alerts.close(&id, "li", "again").await),
        "ALERT_ALREADY_CLOSED"
    );

    // The same rows, fewer rows, no rows: still closed. Each hit is counted and leaves an occurrence.
    let suppressed = RuleCounts {
        hits: 1,
        suppressed: 1,
        ..Default::default()
    };
    assert_eq!(
        counts(&alerts, &hits(2, "2024-03-02", vec![hit("T1", &["o1", "o2"])])).await,
        suppressed
    );
    assert_eq!(
        counts(&alerts, &hits(3, "2024-03-03", vec![hit("T1", &["o1"])])).await,
        suppressed
    );
    assert_eq!(
        counts(&alerts, &hits(4, "2024-03-04", vec![])).await,
        RuleCounts::default()
    );
    assert_eq!(alerts.explain(&id).await.unwrap().occurrences.len(), 3);
    assert_eq!(states(&alerts).await, ["T1/1 CLOSED 2024-03-01"]);

    // A row that changed is new evidence.
    let reopened = counts(
        &alerts,
        &hits(5, "2024-03-05", vec![hit("T1", &["o1#corrected"])]),
    )
    .await;
    assert_eq!(
        reopened,
        RuleCounts {
            hits: 1,
            reopened: 1,
            ..Default::default()
        }
    );
    assert_eq!(states(&alerts).await, ["T1/1 OPEN 2024-03-05"]);
    let mut stream = watch(&alerts, "", &token).await;
    assert_eq!(
        take(&mut stream, 2).await,
        ["2 Closed T1 CLOSED", "3 Reopened T1 OPEN"]
    );
}

async fn long_after_closing_a_new_episode_begins(store: Store) {
    let alerts = store.open().await;
    record(
        &alerts,
        &hits(1, "2024-03-01", vec![hit("T1", &["o1"]), hit("T2", &["o1"])]),
    )
    .await;
    for tender in ["T1", "T2"] {
        let id = id_of(&alerts, tender).await;
        alerts.close(&id, "li", "框架采购").await.unwrap();
    }
    // 180 days after 2024-03-01 is 2024-08-28.
    let on_the_day = counts(&alerts, &hits(2, "2024-08-28", vec![hit("T1", &["o9"])])).await;
    assert_eq!(
        on_the_day,
        RuleCounts {
            hits: 1,
            reopened: 1,
            ..Default::default()
        }
    );
    let a_day_later = counts(
        &alerts,
        &hits(3, "2024-08-29", vec![hit("T1", &["o9"]), hit("T2", &["o9"])]),
    )
    .await;
    assert_eq!(
        a_day_later,
        RuleCounts {
            hits: 2,
            updated: 1,
            opened: 1,
            ..Default::default()
        }
    );
    assert_eq!(
        states(&alerts).await,
        [
            "T1/1 OPEN 2024-08-29",
            "T2/1 CLOSED 2024-03-01",
            "T2/2 OPEN 2024-08-29"
        ]
    );
    let id = id_of(&alerts, "T2").await;
    assert!(id.ends_with("-2"), "{id}");
    let second = alerts.get(&id).await.unwrap();
    assert_eq!((second.episode, second.first_seen), (2, date("2024-08-29")));
    // Now the second episode is the one that is seen again.
    let again = counts(
        &alerts,
        &hits(4, "2024-08-30", vec![hit("T1", &["o9"]), hit("T2", &["o9"])]),
    )
    .await;
    assert_eq!(again.updated, 2);
}

async fn a_run_of_an_earlier_date_moves_nothing_back(store: Store) {
    let alerts = store.open().await;
    record(
        &alerts,
        &hits(5, "2024-03-10", vec![hit("T1", &["o1"]), hit("T2", &["o2"])]),
    )
    .await;
    record(&alerts, &hits(6, "2024-03-11", vec![hit("T1", &["o1"])])).await;
    let before = list(&alerts, "").await;
    let token = token_now(&alerts, "").await;

    // T1 with other evidence, T2 (cleared since) a hit again, T3 never seen: only T3 is news.
    let past = hits(
        2,
        "2024-03-05",
        vec![hit("T1", &["o7"]), hit("T2", &["o2"]), hit("T3", &["o3"])],
    );
    let run = counts(&alerts, &past).await;
    assert_eq!(
        run,
        RuleCounts {
            hits: 3,
            opened: 1,
            updated: 2,
            ..Default::default()
        }
    );
    assert_eq!(list(&alerts, "identity.tender_id != T3").await, before);
    let id = id_of(&alerts, "T1").await;
    assert_eq!(alerts.explain(&id).await.unwrap().occurrences.len(), 3);
    // On the same date, the older snapshot is the past.
    assert_eq!(
        counts(&alerts, &hits(1, "2024-03-11", vec![hit("T2", &["o2"])]))
            .await
            .updated,
        1
    );
    assert_eq!(states(&alerts).await[1], "T2/1 CLEARED 2024-03-10");

    // The past run without T1 does not clear it.
    record(&alerts, &hits(3, "2024-03-06", vec![])).await;
    assert_eq!(states(&alerts).await[0], "T1/1 OPEN 2024-03-11");
    let mut stream = watch(&alerts, "", &token).await;
    assert_eq!(take(&mut stream, 1).await, ["4 Opened T3 OPEN"]);
    assert_eq!(alerts.runs(10).await.unwrap().len(), 5);
}

async fn rules_that_did_not_run_are_left_alone(store: Store) {
    let alerts = store.open().await;
    let of = |id: &str, tender: &str| outcome(id, RuleState::Evaluated, vec![hit(tender, &["o"])]);
    record(
        &alerts,
        &output(1, "2024-03-01", vec![of("R-1", "T1"), of("R-2", "T1")]),
    )
    .await;
    record(
        &alerts,
        &output(
            2,
            "2024-03-02",
            vec![outcome("R-2", RuleState::Evaluated, vec![])],
        ),
    )
    .await;
    assert_eq!(list(&alerts, "state = OPEN").await[0].rule_id, "R-1");
    assert_eq!(list(&alerts, "state = CLEARED").await[0].rule_id, "R-2");
}
