//! Lists: pages, order, filters, tokens.

use domain::alert::Alert;
use domain::hit::RuleState;
use domain::ports::{AlertsPort, ListAlertsRequest};
use domain::rule::Severity;

use crate::fixture::*;
use crate::on_both_stores;

on_both_stores!(
    pages_of_any_size_make_up_the_whole_list,
    a_filtered_list_is_paged_and_counted_too,
    sizes_are_coerced_and_bad_ones_refused,
    tokens_are_bound_to_the_filter_and_the_store,
    alerts_come_back_as_they_were_hit,
);

async fn filled(store: &Store) -> alerts::Alerts {
    let alerts = store.open().await;
    let of = |id: &str, severity, n: usize| {
        let hits = (0..n).map(|k| hit(&format!("{id}-{k}"), &["o"])).collect();
        outcome_of(rule(id, 1, severity), RuleState::Evaluated, hits)
    };
    let outcomes = vec![
        of("b-low", Severity::Low, 20),
        of("B-high", Severity::High, 25),
        of("a-high", Severity::High, 20),
        of("C-medium", Severity::Medium, 10),
    ];
    record(&alerts, &output(1, "2024-03-01", outcomes)).await;
    alerts
}

/// All pages of `size`.
async fn pages(alerts: &alerts::Alerts, filter: &str, size: i32) -> Vec<Vec<Alert>> {
    let mut pages = Vec::new();
    let mut request = ListAlertsRequest {
        filter: filter.into(),
        page_size: size,
        ..Default::default()
    };
    loop {
        let page = alerts.list(request.clone()).await.expect("a page");
        pages.push(page.alerts);
        if page.next_page_token.is_empty() {
            return pages;
        }
        request.page_token = page.next_page_token;
    }
}

async fn pages_of_any_size_make_up_the_whole_list(store: Store) {
    let alerts = filled(&store).await;
    let all = list(&alerts, "").await;
    assert_eq!(all.len(), 75);
    let order: Vec<_> = all
        .iter()
        .map(|a| {
            (
                std::cmp::Reverse(a.severity),
                a.rule_id.clone(),
                a.alert_id.clone(),
            )
        })
        .collect();
    assert!(order.is_sorted(), "severity, then rule by code point, then id");
    assert_eq!(all[0].rule_id, "B-high");
    for size in [1, 7, 25, 74, 75, 76] {
        let pages = pages(&alerts, "", size).await;
        assert!(pages.iter().all(|p| p.len() <= size as usize && !p.is_empty()));
        assert_eq!(pages.concat(), all, "pages of {size}");
    }
}

async fn a_filtered_list_is_paged_and_counted_too(store: Store) {
    let alerts = filled(&store).await;
    let filter = "severity >= MEDIUM AND NOT rule_id = \"B-high\" AND text : 疑似拆分";
    let all = list(&alerts, filter).await;
    assert_eq!(all.len(), 30);
    for size in [1, 4, 29, 30, 31] {
        assert_eq!(
            pages(&alerts, filter, size).await.concat(),
            all,
            "pages of {size}"
        );
    }
    let first = ListAlertsRequest {
        filter: filter.into(),
        page_size: 4,
        ..Default::default()
    };
    let page = alerts.list(first.clone()).await.unwrap();
    assert_eq!((page.alerts.len(), page.total), (4, 30));
    let second = ListAlertsRequest {
        page_token: page.next_page_token,
        ..first
    };
    assert_eq!(alerts.list(second).await.unwrap().total, 30);
    let none = ListAlertsRequest {
        filter: "rule_id = nothing".into(),
        ..Default::default()
    };
    let page = alerts.list(none).await.unwrap();
    assert_eq!(
        (page.alerts.len(), page.total, page.next_page_token.as_str()),
        (0, 0, "")
    );
}

async fn sizes_are_coerced_and_bad_ones_refused(store: Store) {
    let alerts = filled(&store).await;
    let sized = |page_size| ListAlertsRequest {
        page_size,
        ..Default::default()
    };
    assert_eq!(alerts.list(sized(0)).await.unwrap().alerts.len(), 50);
    assert_eq!(alerts.list(sized(i32::MAX)).await.unwrap().alerts.len(), 75);
    assert_eq!(reason(alerts.list(sized(-1)).await), "INVALID_PAGE_SIZE");
    let many = (0..1100).map(|k| hit(&format!("many-{k}"), &["o"])).collect();
    record(
        &alerts,
        &output(
            2,
            "2024-03-02",
            vec![outcome("R-many", RuleState::Evaluated, many)],
        ),
    )
    .await;
    assert_eq!(alerts.list(sized(5000)).await.unwrap().alerts.len(), 1000);
    let bad = ListAlertsRequest {
        filter: "colour = red".into(),
        ..Default::default()
    };
    assert_eq!(reason(alerts.list(bad).await), "INVALID_FILTER");
}

async fn tokens_are_bound_to_the_filter_and_the_store(store: Store) {
    let alerts = filled(&store).await;
    let first = ListAlertsRequest {
        filter: "severity = HIGH".into(),
        page_size: 3,
        ..Default::default()
    };
    let token = alerts.list(first.clone()).await.unwrap().next_page_token;
    let with = |filter: &str, token: &str| ListAlertsRequest {
        filter: filter.into(),
        page_token: token.into(),
        page_size: 3,
    };
    assert_eq!(
        reason(alerts.list(with("severity = LOW", &token)).await),
        "PAGE_TOKEN_MISMATCH"
    );
    assert_eq!(
        reason(alerts.list(with("severity = HIGH", "x")).await),
        "INVALID_PAGE_TOKEN"
    );
    let watch_token = token_now(&alerts, "severity = HIGH").await;
    assert_eq!(
        reason(alerts.list(with("severity = HIGH", &watch_token)).await),
        "INVALID_PAGE_TOKEN"
    );
    // Another server of the same store takes it, also with another page size.
    let other = store.open().await;
    let second = alerts.list(with("severity = HIGH", &token)).await.unwrap();
    assert_eq!(other.list(with("severity = HIGH", &token)).await.unwrap(), second);
    let foreign = Store::sqlite();
    let foreign = foreign.open().await;
    assert_eq!(
        reason(foreign.list(with("severity = HIGH", &token)).await),
        "INVALID_PAGE_TOKEN"
    );
}

async fn alerts_come_back_as_they_were_hit(store: Store) {
    let alerts = store.open().await;
    let mut some = hit("T1", &["o1", "o2#二"]);
    some.path = vec![domain::Value::Map(some.evidence[0].values.clone())];
    let wide: Vec<String> = (0..3000).map(|n| format!("o{n:05}")).collect();
    let huge = hit("T2", &wide.iter().map(String::as_str).collect::<Vec<_>>());
    record(&alerts, &hits(1, "2024-03-01", vec![some.clone(), huge.clone()])).await;
    for expected in [some, huge] {
        let tender = expected.identity[1].1.to_string();
        let alert = &list(&alerts, &format!("identity.tender_id = {tender}")).await[0];
        assert_eq!(alert.evidence, expected.evidence);
        assert_eq!(alert.path, expected.path);
        assert_eq!(alert.identity, expected.identity.into_iter().collect());
        assert_eq!(alert.subject, expected.subject);
        assert_eq!(alert.message, expected.message);
        assert_eq!(alert.amount_at_risk, expected.amount_at_risk);
        assert_eq!(alert.hospital_id.as_deref(), Some("H2"));
        assert_eq!(
            (alert.as_of, alert.last_seen),
            (date("2024-03-01"), date("2024-03-01"))
        );
    }
}
