//! Long-running operations and pushes: progress, waiting, cancelling, safe retries, broken streams.

use futures::StreamExt as _;
use proto::v1 as pb;
use proto::v1::operation::Result as Ended;
use proto::v1::push_rows_request::Item;
use tonic::Code;

use crate::fakes::World;
use crate::harness::{Served, reason, serve};

fn sync(directory: &str, request_id: &str) -> pb::SyncFilesRequest {
    pb::SyncFilesRequest {
        directory: directory.into(),
        request_id: request_id.into(),
        ..Default::default()
    }
}

async fn start(served: &Served, directory: &str) -> pb::Operation {
    let answer = served
        .connectors()
        .sync_files(sync(directory, ""))
        .await
        .expect("starts")
        .into_inner();
    answer.operation.expect("an operation")
}

#[tokio::test]
async fn a_sync_is_watched_to_its_report() {
    let served = serve(World::new(0)).await;
    let operation_id = start(&served, "/data").await.operation_id;
    let request = pb::WatchOperationRequest { operation_id };
    let states: Vec<_> = served
        .operations()
        .watch_operation(request)
        .await
        .expect("opens")
        .into_inner()
        .collect()
        .await;
    let last = states
        .last()
        .expect("at least one")
        .clone()
        .expect("no error")
        .operation
        .expect("an operation");
    assert_eq!(last.state(), pb::OperationState::Succeeded);
    assert_eq!(last.progress.as_ref().expect("was reported").total, 2);
    assert!(last.end_time.is_some());
    let Some(Ended::SyncReport(report)) = last.result else {
        panic!("{last:?}")
    };
    assert_eq!(
        (report.source.as_str(), report.datasets[0].inserted),
        ("files", 3)
    );
}

#[tokio::test]
async fn a_failed_operation_says_why_in_the_words_of_a_call() {
    let served = serve(World::new(0)).await;
    let ended = served.ended(Some(start(&served, "/missing").await)).await;
    assert_eq!(ended.state(), pb::OperationState::Failed);
    let Some(Ended::Error(error)) = ended.result else {
        panic!("{ended:?}")
    };
    assert_eq!(
        (error.code.as_str(), error.reason.as_str()),
        ("NOT_FOUND", "DIRECTORY_NOT_FOUND")
    );
    assert_eq!(gateway::convert::code_of_error(&error), Code::NotFound);
}

#[tokio::test]
async fn a_defect_fails_its_operation_and_nothing_else() {
    let served = serve(World::new(0)).await;
    let ended = served.ended(Some(start(&served, "/panic").await)).await;
    assert_eq!(ended.state(), pb::OperationState::Failed);
    let next = served.ended(Some(start(&served, "/data").await)).await;
    assert_eq!(next.state(), pb::OperationState::Succeeded);
}

#[tokio::test]
async fn cancelling_drops_the_work_and_lets_the_next_one_in() {
    let served = serve(World::new(0)).await;
    let hanging = start(&served, "/hang").await;
    served.world.begun(1).await;
    let waiting = start(&served, "/data").await;
    let request = pb::GetOperationRequest {
        operation_id: waiting.operation_id.clone(),
    };
    let now = served
        .operations()
        .get_operation(request)
        .await
        .expect("is known")
        .into_inner();
    assert_eq!(
        now.operation.expect("an operation").state(),
        pb::OperationState::Waiting,
        "one sync at a time"
    );

    let request = || pb::CancelOperationRequest {
        operation_id: hanging.operation_id.clone(),
    };
    let ended = served
        .operations()
        .cancel_operation(request())
        .await
        .expect("stops")
        .into_inner();
    assert_eq!(
        ended.operation.expect("an operation").state(),
        pb::OperationState::Cancelled
    );
    served.world.dropped(1).await;
    let again = served
        .operations()
        .cancel_operation(request())
        .await
        .expect_err("has ended");
    assert_eq!(
        (again.code(), reason(&again).as_str()),
        (Code::FailedPrecondition, "OPERATION_ENDED")
    );
    assert_eq!(
        served.ended(Some(waiting)).await.state(),
        pb::OperationState::Succeeded
    );
}

#[tokio::test]
async fn an_operation_outlives_its_caller() {
    let served = serve(World::new(0)).await;
    let mut leaving = served.connectors();
    let call = leaving.sync_files(sync("/hang", ""));
    let id = call
        .await
        .expect("starts")
        .into_inner()
        .operation
        .expect("an operation")
        .operation_id;
    drop(leaving);
    served.world.begun(1).await;
    let list = served
        .operations()
        .list_operations(pb::ListOperationsRequest::default())
        .await
        .expect("lists");
    let list = list.into_inner().operations;
    assert_eq!(
        (list[0].operation_id.as_str(), list[0].state()),
        (id.as_str(), pb::OperationState::Running)
    );
}

#[tokio::test]
async fn the_same_request_id_gives_the_same_operation() {
    let served = serve(World::new(0)).await;
    let id = "0b7c6f1e-58a7-4d0c-9f0e-3f4a2f9a7c11";
    let first = served
        .connectors()
        .sync_files(sync("/data", id))
        .await
        .expect("starts")
        .into_inner();
    let again = served
        .connectors()
        .sync_files(sync("/data", id))
        .await
        .expect("is the same")
        .into_inner();
    let id_of = |answer: pb::SyncFilesResponse| answer.operation.expect("an operation").operation_id;
    assert_eq!(id_of(first), id_of(again));
    let other = served
        .connectors()
        .sync_files(sync("/other", id))
        .await
        .expect_err("another request");
    assert_eq!(
        (other.code(), reason(&other).as_str()),
        (Code::InvalidArgument, "REQUEST_ID_REUSED")
    );
    let wrong = served
        .connectors()
        .sync_files(sync("/data", "again"))
        .await
        .expect_err("no UUID");
    assert_eq!(reason(&wrong), "INVALID_REQUEST_ID");
}

#[tokio::test]
async fn a_run_that_is_only_previewed_records_nothing() {
    let served = serve(World::new(3)).await;
    let request = pb::RunRulesRequest {
        validate_only: true,
        ..Default::default()
    };
    let started = served
        .collisions()
        .run_rules(request)
        .await
        .expect("starts")
        .into_inner();
    let Some(Ended::RunPreview(preview)) = served.ended(started.operation).await.result else {
        panic!("no preview")
    };
    assert_eq!((preview.events.len(), preview.events_total), (3, 3));
    assert_eq!(preview.run.expect("a run").rules[0].opened, 3);
    let listed = served
        .alerts()
        .list_alerts(pb::ListAlertsRequest::default())
        .await
        .expect("lists")
        .into_inner();
    assert_eq!(listed.total_size, 0);
    assert_eq!(served.run().await.rules[0].opened, 3);
}

fn backtest(first_day: &str, last_day: &str, step_days: u32) -> pb::BacktestRuleRequest {
    pb::BacktestRuleRequest {
        rule_id: crate::fakes::RULE.into(),
        first_day: first_day.into(),
        last_day: last_day.into(),
        step_days,
        params: [("window_days".to_owned(), pb::Value::default())].into(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_backtest_looks_back_from_its_last_day() {
    let served = serve(World::new(0)).await;
    let started = served
        .collisions()
        .backtest_rule(backtest("2024-01-02", "2024-03-01", 0))
        .await
        .expect("starts")
        .into_inner();
    let Some(Ended::BacktestReport(report)) = served.ended(started.operation).await.result else {
        panic!("no report")
    };
    let days: Vec<&str> = report.points.iter().map(|p| p.as_of.as_str()).collect();
    assert_eq!(days, ["2024-01-31", "2024-03-01"]);
    assert_eq!((report.hits_total, report.hits.len()), (2, 2));
    assert!(report.hits[0].identity.contains_key("window_days"));
    for (wrong, expected) in [
        (backtest("", "2024-03-01", 30), "INVALID_FIELD"),
        (backtest("2024-03-02", "2024-03-01", 30), "INVALID_FIELD"),
        (backtest("2024-03-02", "2999-01-01", 30), "INVALID_FIELD"),
        (backtest("2020-01-01", "2024-03-01", 1), "INVALID_FIELD"),
        (backtest("soon", "2024-03-01", 1), "INVALID_DATE"),
    ] {
        let refused = served
            .collisions()
            .backtest_rule(wrong)
            .await
            .expect_err("refused");
        assert_eq!(reason(&refused), expected, "{refused:?}");
    }
}

#[tokio::test]
async fn runs_refuse_what_they_do_not_know() {
    let served = serve(World::new(0)).await;
    let refused = async |request: pb::RunRulesRequest| {
        reason(&served.collisions().run_rules(request).await.expect_err("refused"))
    };
    let base = pb::RunRulesRequest::default;
    assert_eq!(
        refused(pb::RunRulesRequest {
            rule_ids: vec!["X-1".into()],
            ..base()
        })
        .await,
        "RULE_NOT_FOUND"
    );
    assert_eq!(
        refused(pb::RunRulesRequest {
            as_of: "yesterday".into(),
            ..base()
        })
        .await,
        "INVALID_DATE"
    );
    assert_eq!(
        refused(pb::RunRulesRequest {
            snapshot: Some(-1),
            ..base()
        })
        .await,
        "INVALID_FIELD"
    );
    let started = served
        .collisions()
        .run_rules(base())
        .await
        .expect("starts")
        .into_inner();
    let Some(Ended::Run(run)) = served.ended(started.operation).await.result else {
        panic!("no run")
    };
    assert_eq!(run.as_of, "2025-01-31", "today in China by the server's clock");
}

fn header(batch_id: &str) -> pb::PushRowsRequest {
    let header = pb::PushHeader {
        source: "his".into(),
        batch_id: batch_id.into(),
    };
    pb::PushRowsRequest {
        item: Some(Item::Header(header)),
    }
}

fn rows(dataset: &str, count: usize) -> pb::PushRowsRequest {
    let rows = pb::PushedRows {
        dataset: dataset.into(),
        json_rows: vec!["{}".into(); count],
    };
    pb::PushRowsRequest {
        item: Some(Item::Rows(rows)),
    }
}

#[tokio::test]
async fn a_push_is_one_batch() {
    let served = serve(World::new(0)).await;
    let stream = futures::stream::iter([header("b1"), rows("bids", 3), rows("staff", 4)]);
    let report = served
        .connectors()
        .push_rows(stream)
        .await
        .expect("pushes")
        .into_inner()
        .report
        .expect("a report");
    assert_eq!(report.datasets[0].read, 7);
    assert_eq!(*served.world.pushed.lock().expect("lock"), [("b1".to_owned(), 7)]);
}

#[tokio::test]
async fn a_bad_message_spoils_the_whole_push() {
    let served = serve(World::new(0)).await;
    let pushes = [
        (vec![rows("bids", 1)], "HEADER_MISSING"),
        (vec![], "HEADER_MISSING"),
        (vec![header("")], "INVALID_FIELD"),
        (vec![header("b"), rows("cats", 1)], "UNKNOWN_DATASET"),
        (vec![header("b"), rows("bids", 1), header("b")], "ROWS_MISSING"),
        (vec![header("b"), rows("bids", 10_001)], "TOO_MANY_ROWS"),
    ];
    for (messages, why) in pushes {
        let status = served
            .connectors()
            .push_rows(futures::stream::iter(messages))
            .await
            .expect_err("refused");
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::InvalidArgument, why)
        );
    }
    assert!(
        served.world.pushed.lock().expect("lock").is_empty(),
        "nothing was committed"
    );
}

#[tokio::test]
async fn a_caller_that_leaves_in_the_middle_of_a_push_leaves_no_trace() {
    let served = serve(World::new(0)).await;
    let endless = |batch: &str| {
        futures::stream::iter([header(batch), rows("bids", 1)]).chain(futures::stream::pending())
    };
    let mut client = served.connectors();
    let hanging = tokio::spawn(async move { client.push_rows(endless("hang")).await.map(drop) });
    served.world.begun(1).await;
    hanging.abort();
    served.world.dropped(1).await;

    // Its turn has ended with it, so that the next push gets in.
    let complete = futures::stream::iter([header("b2"), rows("bids", 2)]);
    served.connectors().push_rows(complete).await.expect("pushes");
    assert_eq!(*served.world.pushed.lock().expect("lock"), [("b2".to_owned(), 2)]);
}

#[tokio::test]
async fn mutants_come_as_an_operation() {
    let served = serve(World::new(0)).await;
    let started = served
        .collisions()
        .mutate_rules(pb::MutateRulesRequest::default())
        .await
        .expect("starts");
    let Some(Ended::MutationReport(report)) = served.ended(started.into_inner().operation).await.result
    else {
        panic!("no report")
    };
    assert!(report.mutants[0].killed);
}
