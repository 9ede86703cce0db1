//! Large runs, counted to the last event. How long they take is printed, not judged:
//! `LIANJING_HITS=20000 cargo test --release -p alerts -- --nocapture speed`.

use std::time::Instant;

use domain::hit::{Hit, RuleState};
use domain::ports::{AlertsPort, ListAlertsRequest};
use futures::StreamExt;

use crate::fixture::*;

/// Few enough for every test run, unless a measurement asks for more.
fn hits() -> usize {
    std::env::var("LIANJING_HITS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(500)
}

const ROWS: usize = 5;

fn large() -> Vec<Hit> {
    (0..hits())
        .map(|n| {
            let rows: Vec<String> = (0..ROWS).map(|r| format!("o{n}-{r}")).collect();
            hit(
                &format!("T{n:06}"),
                &rows.iter().map(String::as_str).collect::<Vec<_>>(),
            )
        })
        .collect()
}

#[expect(clippy::print_stderr, reason = "a measurement")]
async fn measure(store: Store, name: &str) {
    let alerts = store.open().await;
    let token = token_now(&alerts, "").await;
    let told = |what: &str, start: Instant| eprintln!("{name}: {what}: {:?}", start.elapsed());
    let all = large();
    let run = |snapshot, hits: Vec<Hit>| {
        output(
            snapshot,
            "2024-03-01",
            vec![outcome("R-1", RuleState::Evaluated, hits)],
        )
    };
    let first = run(1, all.clone());
    let start = Instant::now();
    record(&alerts, &first).await;
    told("hits of 5 rows opened", start);
    let start = Instant::now();
    record(&alerts, &first).await;
    told("the same run again", start);
    let start = Instant::now();
    record(&alerts, &run(2, all.clone())).await;
    told("seen again in a new snapshot", start);
    let start = Instant::now();
    record(&alerts, &run(3, vec![])).await;
    told("all cleared", start);
    let start = Instant::now();
    list(&alerts, "state = CLEARED AND text : T000499").await;
    told("a filtered list", start);
    let start = Instant::now();
    let mut request = ListAlertsRequest {
        page_size: 1000,
        ..Default::default()
    };
    loop {
        let page = alerts.list(request.clone()).await.unwrap();
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    told("all pages of 1,000", start);
    let start = Instant::now();
    let seen = watch(&alerts, "", &token).await.take(2 * hits()).count().await;
    told("every event watched", start);
    assert_eq!(seen, 2 * hits());
    let start = Instant::now();
    let mut readers = tokio::task::JoinSet::new();
    let token = token_now(&alerts, "").await;
    for _ in 0..1000 {
        let mut stream = watch(&alerts, "", &token).await;
        readers.spawn(async move { next(&mut stream).await.map(|_| Instant::now()) });
    }
    told("1,000 watchers opened", start);
    tokio::task::yield_now().await;
    let small = outcome("R-2", RuleState::Evaluated, vec![all[0].clone()]);
    let start = Instant::now();
    record(&alerts, &output(4, "2024-03-01", vec![small])).await;
    told("a small run with 1,000 watchers", start);
    let mut last = start;
    while let Some(seen) = readers.join_next().await {
        last = last.max(seen.unwrap().unwrap());
    }
    eprintln!(
        "{name}: the last of 1,000 watchers saw it: {:?} after the run began",
        last - start
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn speed_on_sqlite() {
    measure(Store::sqlite(), "sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn speed_on_postgres() {
    if let Some(store) = Store::postgres().await {
        measure(store, "postgres").await;
    }
}
