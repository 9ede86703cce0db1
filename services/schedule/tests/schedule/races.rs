//! Several servers on one store: exactly one runs a job, and one that dies is stood in for.

use std::sync::Arc;

use domain::sources::{CatchUp, SchedulePort};
use test_servers::database::new_postgres_database;

use crate::fakes::{Bench, HandClock, bench_on, job};

/// Two servers on one store, under one clock.
async fn two(store: &str) -> (Bench, Bench) {
    let clock = HandClock::new("2025-01-01T00:30:00Z");
    let first = bench_on(store, clock.clone(), Arc::default()).await;
    let second = bench_on(store, clock, Arc::default()).await;
    (first, second)
}

async fn check_exactly_one_runs(store: &str) {
    let (first, second) = two(store).await;
    first
        .scheduler
        .add(job("* * * * *", CatchUp::Latest))
        .await
        .unwrap();
    let rounds = 50;
    for _ in 0..rounds {
        first.clock.add_seconds(60);
        // Both look at once; one may find the other's claim at any point of its own.
        let (a, b) = (first.scheduler.clone(), second.scheduler.clone());
        let (a, b) = tokio::join!(
            tokio::spawn(async move { a.tick().await }),
            tokio::spawn(async move { b.tick().await })
        );
        let (a, b) = (a.unwrap().unwrap(), b.unwrap().unwrap());
        assert_eq!(a.len() + b.len(), 1, "{a:?} {b:?}");
        for claim in &a {
            first.scheduler.execute(claim).await.unwrap();
        }
        for claim in &b {
            second.scheduler.execute(claim).await.unwrap();
        }
    }
    assert_eq!(first.asked() + second.asked(), rounds);
    let totals = first.scheduler.totals().await.unwrap();
    assert_eq!(
        totals,
        [("job".to_owned(), "SUCCEEDED".to_owned(), rounds as i64)]
    );
}

async fn check_a_dead_server_is_stood_in_for(store: &str) {
    let (first, second) = two(store).await;
    first
        .scheduler
        .add(job("0 * * * *", CatchUp::Latest))
        .await
        .unwrap();
    first.clock.set("2025-01-01T01:00:00Z");
    let claims = first.scheduler.tick().await.unwrap();
    assert_eq!(claims.len(), 1);
    // It dies here: nobody renews its lease. While it lasts, nobody else runs the job, not even at its next time.
    assert!(second.tick().await.is_empty());
    assert_eq!(
        second.scheduler.run_now("job").await.unwrap_err().reason,
        "JOB_RUNNING"
    );
    first.clock.add_seconds(61);
    assert_eq!(second.tick().await, ["SUCCEEDED"]);
    assert_eq!(
        second.runs("job").await,
        [("01 01:00".to_owned(), "SUCCEEDED".to_owned())]
    );
    // The dead one comes back: what it says of its run no longer counts.
    first
        .runner
        .answers
        .lock()
        .unwrap()
        .push_back(domain::FailureKind::Invalid);
    let late = first.scheduler.execute(&claims[0]).await.unwrap();
    assert_eq!(late.state, "SUCCEEDED");
    assert_eq!(late.attempts, 2);
}

/// A job that is still running at its next time is not run a second time beside itself.
async fn check_no_overlap(store: &str) {
    let (first, second) = two(store).await;
    first
        .scheduler
        .add(job("* * * * *", CatchUp::Latest))
        .await
        .unwrap();
    first.clock.add_seconds(30);
    let claims = first.scheduler.tick().await.unwrap();
    let claims = match claims.is_empty() {
        true => {
            first.clock.add_seconds(30);
            first.scheduler.tick().await.unwrap()
        }
        false => claims,
    };
    assert_eq!(claims.len(), 1);
    first.clock.add_seconds(59);
    assert!(first.tick().await.is_empty() && second.tick().await.is_empty());
    first.scheduler.execute(&claims[0]).await.unwrap();
    first.clock.add_seconds(1);
    assert_eq!(second.tick().await, ["SUCCEEDED"]);
}

macro_rules! on_both_stores {
    ($($check:ident => $sqlite:ident, $postgres:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $sqlite() {
            let dir = tempfile::tempdir().unwrap();
            $check(dir.path().join("state.sqlite").to_str().unwrap()).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $postgres() {
            if let Some(store) = new_postgres_database() {
                $check(&store).await;
            }
        }
    )*};
}

on_both_stores! {
    check_exactly_one_runs => exactly_one_of_two_servers_runs_a_job_sqlite, exactly_one_of_two_servers_runs_a_job_postgres;
    check_a_dead_server_is_stood_in_for => a_dead_server_is_stood_in_for_sqlite, a_dead_server_is_stood_in_for_postgres;
    check_no_overlap => a_job_does_not_overlap_itself_sqlite, a_job_does_not_overlap_itself_postgres;
}
