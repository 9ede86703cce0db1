//! The acceptance suite and its trials on the scripted source.

use domain::sources::{AcceptanceOutcome, AcceptanceTrial};

use super::*;

#[tokio::test]
async fn the_acceptance_suite_tells_a_sound_source_from_one_that_loses_rows() {
    let bench = Bench::new(1_000).await;
    ten(&bench);
    let checks = bench
        .sources
        .accept("shop", AcceptanceTrial::Suite, Arc::new(NoProgress))
        .await
        .unwrap();
    let failed: Vec<_> = checks
        .iter()
        .filter(|c| c.outcome == AcceptanceOutcome::Failed)
        .collect();
    assert!(failed.is_empty() && checks.len() == 12, "{checks:?}");
    bench.world().loses_equal_cursors = true;
    let checks = bench
        .sources
        .accept("shop", AcceptanceTrial::Suite, Arc::new(NoProgress))
        .await
        .unwrap();
    let failed: Vec<_> = checks
        .iter()
        .filter(|c| c.outcome == AcceptanceOutcome::Failed)
        .map(|c| c.name.as_str())
        .collect();
    assert_eq!(failed, ["resumes_after_a_cut"], "{checks:?}");
    assert_eq!(
        bench.lake.head().await.unwrap(),
        0,
        "nothing of it reaches the lake"
    );
}

/// The outcome of a trial that says one thing.
async fn tried(bench: &Bench, trial: AcceptanceTrial) -> (AcceptanceOutcome, String) {
    let checks = bench.sources.accept("shop", trial, Arc::new(NoProgress)).await;
    let check = checks.unwrap().remove(0);
    (check.outcome, check.detail)
}

#[tokio::test]
async fn trials_one_after_the_other_each_start_from_what_the_one_before_left() {
    let bench = Bench::new(1_000).await;
    ten(&bench);
    // A row that can never be read says nothing of a change.
    bench.world().broken = Some("p1".into());
    let suite = bench
        .sources
        .accept("shop", AcceptanceTrial::Suite, Arc::new(NoProgress))
        .await
        .unwrap();
    assert!(
        suite.iter().all(|c| c.outcome != AcceptanceOutcome::Failed),
        "{suite:?}"
    );
    // It is behind the cursor, and this source looks back no further than that.
    bench.put("late", "committed late", 1);
    let (outcome, detail) = tried(&bench, AcceptanceTrial::LateCommit).await;
    assert!(
        outcome == AcceptanceOutcome::Failed && detail.contains("late"),
        "{detail}"
    );
    let (outcome, detail) = tried(&bench, AcceptanceTrial::Unsorted).await;
    assert_eq!(outcome, AcceptanceOutcome::Passed, "{detail}");
    bench.put("p3", "another name", 2);
    let (outcome, detail) = tried(&bench, AcceptanceTrial::SchemaDrift).await;
    assert!(
        outcome == AcceptanceOutcome::Failed && detail.contains("nothing was said"),
        "{detail}"
    );
    assert_eq!(bench.lake.head().await.unwrap(), 0);
}

#[tokio::test]
async fn a_source_whose_rows_are_rejected_or_that_has_none_does_not_pass() {
    let bench = Bench::new(1_000).await;
    let outcome = async |name: &str| {
        let suite = bench
            .sources
            .accept("shop", AcceptanceTrial::Suite, Arc::new(NoProgress));
        let checks = suite.await.unwrap();
        let check = checks.into_iter().find(|c| c.name == name).unwrap();
        (check.outcome, check.detail)
    };
    let (empty, detail) = outcome("rows_fit_the_data_model").await;
    assert_eq!(empty, AcceptanceOutcome::Skipped, "{detail}");
    assert_eq!(outcome("keys_unique").await.0, AcceptanceOutcome::Skipped);
    // One of two is above the fifth that the source allows.
    bench.put("p1", "good", 1);
    bench.put("p2", "bad", 2);
    bench.world().broken = Some("p2".into());
    let (rejected, detail) = outcome("rows_fit_the_data_model").await;
    assert_eq!(rejected, AcceptanceOutcome::Failed);
    assert!(detail.contains("BAD_DATE in products, 1 rows"), "{detail}");
}
