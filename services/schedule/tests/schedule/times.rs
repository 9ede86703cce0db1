//! When jobs run, what becomes of missed times and failures, and what is told.

use std::sync::Arc;

use domain::FailureKind;
use domain::sources::{CatchUp, JobAction, NewJob, SchedulePort};

use crate::fakes::{Bench, FakeSources, HandClock, bench_on, job};

struct Lone {
    _dir: tempfile::TempDir,
    bench: Bench,
}

impl std::ops::Deref for Lone {
    type Target = Bench;
    fn deref(&self) -> &Bench {
        &self.bench
    }
}

async fn lone(now: &str, sources: Arc<FakeSources>) -> Lone {
    let dir = tempfile::tempdir().expect("a folder");
    let store = dir.path().join("state.sqlite");
    let bench = bench_on(store.to_str().expect("UTF-8"), HandClock::new(now), sources).await;
    Lone { _dir: dir, bench }
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect()
}

#[tokio::test]
async fn a_job_runs_once_at_each_of_its_times() {
    let bench = lone("2025-01-01T00:30:00Z", Arc::default()).await;
    bench
        .scheduler
        .add(job("0 * * * *", CatchUp::Latest))
        .await
        .unwrap();
    assert!(bench.tick().await.is_empty());
    bench.clock.set("2025-01-01T01:00:00Z");
    assert_eq!(bench.tick().await, ["SUCCEEDED"]);
    assert!(bench.tick().await.is_empty());
    bench.clock.set("2025-01-01T01:59:59Z");
    assert!(bench.tick().await.is_empty());
    bench.clock.set("2025-01-01T02:00:01Z");
    assert_eq!(bench.tick().await, ["SUCCEEDED"]);
    assert_eq!(
        bench.runs("job").await,
        pairs(&[("01 01:00", "SUCCEEDED"), ("01 02:00", "SUCCEEDED")])
    );
}

#[tokio::test]
async fn a_clock_that_is_put_back_runs_nothing_twice() {
    let bench = lone("2025-01-01T00:30:00Z", Arc::default()).await;
    bench.scheduler.add(job("0 * * * *", CatchUp::All)).await.unwrap();
    bench.clock.set("2025-01-01T02:10:00Z");
    assert_eq!(bench.tick().await.len() + bench.tick().await.len(), 2);
    bench.clock.set("2025-01-01T00:50:00Z");
    assert!(bench.tick().await.is_empty());
    bench.clock.set("2025-01-01T02:00:00Z");
    assert!(bench.tick().await.is_empty());
    bench.clock.set("2025-01-01T03:00:00Z");
    assert_eq!(bench.tick().await.len(), 1);
    assert_eq!(bench.asked(), 3);
}

#[tokio::test]
async fn missed_times_are_caught_up_with_as_the_job_says() {
    for (catch_up, runs, told) in [
        (
            CatchUp::Latest,
            1,
            vec![
                ("01 01:00", "MISSED"),
                ("01 02:00", "MISSED"),
                ("01 03:00", "SUCCEEDED"),
            ],
        ),
        (
            CatchUp::Skip,
            0,
            vec![
                ("01 01:00", "MISSED"),
                ("01 02:00", "MISSED"),
                ("01 03:00", "MISSED"),
            ],
        ),
        (
            CatchUp::All,
            3,
            vec![
                ("01 01:00", "SUCCEEDED"),
                ("01 02:00", "SUCCEEDED"),
                ("01 03:00", "SUCCEEDED"),
            ],
        ),
    ] {
        let bench = lone("2025-01-01T00:30:00Z", Arc::default()).await;
        bench.scheduler.add(job("0 * * * *", catch_up)).await.unwrap();
        bench.clock.set("2025-01-01T03:30:00Z");
        for _ in 0..5 {
            bench.tick().await;
        }
        assert_eq!(bench.asked(), runs, "{catch_up:?}");
        assert_eq!(bench.runs("job").await, pairs(&told), "{catch_up:?}");
        // In time again: every policy runs it.
        bench.clock.set("2025-01-01T04:00:30Z");
        assert_eq!(bench.tick().await, ["SUCCEEDED"], "{catch_up:?}");
    }
}

#[tokio::test]
async fn a_job_missed_twice_is_told_until_it_runs_again() {
    let bench = lone("2025-01-01T00:30:00Z", Arc::default()).await;
    bench
        .scheduler
        .add(job("0 * * * *", CatchUp::Skip))
        .await
        .unwrap();
    bench.clock.set("2025-01-01T01:30:00Z");
    bench.tick().await;
    assert!(bench.alarms().await.is_empty(), "one missed time is none yet");
    bench.clock.set("2025-01-01T02:30:00Z");
    bench.tick().await;
    assert_eq!(bench.alarms().await, pairs(&[("JOB_MISSED", "job")]));
    bench.clock.set("2025-01-01T03:00:00Z");
    assert_eq!(bench.tick().await, ["SUCCEEDED"]);
    bench.clock.add_seconds(61);
    bench.tick().await;
    assert!(bench.alarms().await.is_empty());
    assert_eq!(bench.scheduler.alarms(true).await.unwrap().len(), 1);
}

#[tokio::test]
async fn transient_failures_are_tried_again_and_configuration_failures_never() {
    let bench = lone("2025-01-01T00:30:00Z", Arc::default()).await;
    bench
        .scheduler
        .add(job("0 0 * * *", CatchUp::Latest))
        .await
        .unwrap();
    let fail = |kinds: &[FailureKind]| bench.runner.answers.lock().unwrap().extend(kinds);
    fail(&[FailureKind::Unavailable, FailureKind::Exhausted]);
    bench.clock.set("2025-01-02T00:00:00Z");
    assert_eq!(bench.tick().await, ["RETRYING"]);
    bench.clock.add_seconds(59);
    assert!(bench.tick().await.is_empty());
    bench.clock.add_seconds(1);
    assert_eq!(bench.tick().await, ["RETRYING"]);
    bench.clock.add_seconds(119);
    assert!(bench.tick().await.is_empty());
    bench.clock.add_seconds(1);
    assert_eq!(bench.tick().await, ["SUCCEEDED"]);

    fail(&[FailureKind::Invalid]);
    bench.clock.set("2025-01-03T00:00:00Z");
    assert_eq!(bench.tick().await, ["FAILED"]);
    bench.clock.set("2025-01-03T23:59:59Z");
    assert!(bench.tick().await.is_empty());

    fail(&[FailureKind::Unavailable; 4]);
    bench.clock.set("2025-01-04T00:00:00Z");
    let mut states = Vec::new();
    for _ in 0..10 {
        states.extend(bench.tick().await);
        bench.clock.add_seconds(1_000);
    }
    assert_eq!(states, ["RETRYING", "RETRYING", "RETRYING", "FAILED"]);
}

#[tokio::test]
async fn pausing_lets_times_pass_and_running_now_does_not_count_as_one() {
    let bench = lone("2025-01-01T00:30:00Z", Arc::default()).await;
    bench.scheduler.add(job("0 * * * *", CatchUp::All)).await.unwrap();
    assert_eq!(
        bench
            .scheduler
            .add(job("1 * * * *", CatchUp::All))
            .await
            .unwrap_err()
            .reason,
        "JOB_EXISTS"
    );
    let paused = bench.scheduler.pause("job").await.unwrap();
    assert!(paused.paused && paused.next_at.is_none());
    bench.clock.set("2025-01-01T05:30:00Z");
    assert!(bench.tick().await.is_empty());
    assert_eq!(bench.scheduler.run_now("job").await.unwrap().state, "SUCCEEDED");
    bench.scheduler.resume("job").await.unwrap();
    assert!(bench.tick().await.is_empty(), "the times of the pause are gone");
    bench.clock.set("2025-01-01T06:00:00Z");
    assert_eq!(bench.tick().await, ["SUCCEEDED"]);
    bench.scheduler.remove("job").await.unwrap();
    assert_eq!(
        bench.scheduler.pause("job").await.unwrap_err().reason,
        "JOB_NOT_FOUND"
    );
}

#[tokio::test]
async fn a_job_of_the_model_is_refused_when_it_makes_no_sense() {
    let bench = lone("2025-01-01T00:30:00Z", Arc::default()).await;
    let refused = async |change: fn(&mut NewJob)| {
        let mut new = job("0 * * * *", CatchUp::Latest);
        change(&mut new);
        bench.scheduler.add(new).await.unwrap_err().reason
    };
    assert_eq!(refused(|j| j.cron = "hourly".into()).await, "INVALID_CRON");
    assert_eq!(refused(|j| j.zone = "Mars/Base".into()).await, "INVALID_ZONE");
    assert_eq!(refused(|j| j.job_id = "a b".into()).await, "INVALID_JOB_ID");
}

#[tokio::test]
async fn sources_bring_their_own_jobs_and_take_them_away() {
    let bench = lone("2025-01-01T00:30:00Z", FakeSources::with("0 * * * *")).await;
    bench.tick().await;
    let jobs = bench.scheduler.jobs().await.unwrap();
    assert_eq!(jobs.len(), 1);
    assert_eq!(
        (jobs[0].job_id.as_str(), &jobs[0].action),
        ("sync-his", &JobAction::Sync { source: "his".into() })
    );
    assert_eq!(
        bench.scheduler.remove("sync-his").await.unwrap_err().reason,
        "JOB_OF_SOURCE"
    );
    bench.clock.set("2025-01-01T01:00:00Z");
    assert_eq!(bench.tick().await, ["SUCCEEDED"]);
    bench.sources.set("30 * * * *", None, None);
    bench.clock.set("2025-01-01T01:10:00Z");
    bench.tick().await;
    assert_eq!(bench.scheduler.jobs().await.unwrap()[0].cron, "30 * * * *");
    bench.clock.set("2025-01-01T01:30:00Z");
    assert_eq!(bench.tick().await, ["SUCCEEDED"]);
    bench.sources.set("", None, None);
    assert!(bench.scheduler.jobs().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_source_silent_for_two_periods_is_told() {
    let sources = FakeSources::with("0 * * * *");
    let bench = lone("2025-01-01T00:30:00Z", sources.clone()).await;
    sources.set(
        "0 * * * *",
        Some("2025-01-01T00:00:00Z"),
        Some("2025-01-01T00:00:00Z"),
    );
    bench.tick().await;
    assert!(bench.alarms().await.is_empty());
    bench.clock.set("2025-01-01T02:00:00Z");
    bench.tick().await;
    assert!(bench.alarms().await.is_empty(), "two periods, not more");
    bench.clock.set("2025-01-01T02:01:01Z");
    bench.tick().await;
    assert!(
        bench
            .alarms()
            .await
            .contains(&("SOURCE_SILENT".into(), "his".into()))
    );
    // It syncs again but has nothing new for longer than it may.
    sources.set(
        "0 * * * *",
        Some("2025-01-03T00:30:00Z"),
        Some("2025-01-01T00:00:00Z"),
    );
    bench.clock.set("2025-01-03T00:31:00Z");
    bench.tick().await;
    let alarms = bench.scheduler.alarms(false).await.unwrap();
    let silent = alarms.iter().find(|a| a.code == "SOURCE_SILENT").unwrap();
    assert!(silent.cleared_at.is_none());
    sources.set(
        "0 * * * *",
        Some("2025-01-03T00:30:00Z"),
        Some("2025-01-03T00:30:00Z"),
    );
    bench.clock.set("2025-01-03T00:33:00Z");
    bench.tick().await;
    assert!(
        !bench
            .alarms()
            .await
            .iter()
            .any(|(code, _)| code == "SOURCE_SILENT")
    );
}

#[tokio::test]
async fn a_source_that_never_synced_or_is_configured_wrongly_is_told() {
    let sources = FakeSources::with("0 * * * *");
    let bench = lone("2025-01-01T00:30:00Z", sources.clone()).await;
    sources.set("0 * * * *", None, None);
    let at = |text: &str| {
        chrono::DateTime::parse_from_rfc3339(text)
            .unwrap()
            .timestamp_micros()
    };
    sources.0.lock().unwrap()[0].first_run_at = Some(at("2025-01-01T01:00:00Z"));
    bench.clock.set("2025-01-01T02:59:00Z");
    bench.tick().await;
    let codes = async || {
        let alarms = bench.scheduler.alarms(false).await.unwrap();
        alarms
            .into_iter()
            .map(|a| (a.code, a.message.en))
            .collect::<Vec<_>>()
    };
    assert!(codes().await.iter().all(|(code, _)| code != "SOURCE_SILENT"));
    bench.clock.set("2025-01-01T03:01:01Z");
    bench.tick().await;
    let told = codes().await;
    let silent = told.iter().find(|(code, _)| code == "SOURCE_SILENT").unwrap();
    assert!(silent.1.contains("2 h"), "{}", silent.1);
    sources.0.lock().unwrap()[0].source.problem = Some("key `zone` is \"Mars\"".into());
    bench.clock.set("2025-01-01T03:03:00Z");
    bench.tick().await;
    let told = codes().await;
    let wrong = told
        .iter()
        .find(|(code, _)| code == "SOURCE_MISCONFIGURED")
        .unwrap();
    assert!(wrong.1.contains("Mars"), "{}", wrong.1);
    assert_eq!(bench.scheduler.jobs().await.unwrap().len(), 1, "its job stays");
}

#[tokio::test]
async fn a_job_that_can_never_be_due_or_has_no_source_is_refused() {
    let bench = lone("2025-01-01T00:30:00Z", FakeSources::with("0 * * * *")).await;
    let never = bench
        .scheduler
        .add(job("0 0 31 2 *", CatchUp::All))
        .await
        .unwrap_err();
    assert_eq!(never.reason, "INVALID_CRON");
    let mut of_nobody = job("0 3 * * *", CatchUp::All);
    of_nobody.action = JobAction::Reconcile {
        source: "nobody".into(),
    };
    let refused = bench.scheduler.add(of_nobody).await.unwrap_err();
    assert!(
        refused.reason == "SOURCE_NOT_FOUND" && refused.message.contains("his"),
        "{}",
        refused.message
    );
}

#[tokio::test]
async fn local_times_and_ends_of_months_are_kept() {
    let bench = lone("2025-01-30T00:00:00Z", Arc::default()).await;
    let mut new = job("30 2 L * *", CatchUp::All);
    new.zone = "Asia/Shanghai".into();
    bench.scheduler.add(new).await.unwrap();
    bench.clock.set("2025-03-01T00:00:00Z");
    while !bench.tick().await.is_empty() {}
    assert_eq!(
        bench.runs("job").await,
        pairs(&[("30 18:30", "SUCCEEDED"), ("27 18:30", "SUCCEEDED")])
    );
}
