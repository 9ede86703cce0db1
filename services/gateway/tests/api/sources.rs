//! Sources and jobs over the wire: what goes in comes out, and long work is an operation.

use gateway::convert;
use proto::v1 as pb;
use proto::v1::schedule_service_client::ScheduleServiceClient;
use tonic::Code;

use domain::sources::*;

use crate::fakes::World;
use crate::harness::{Served, serve};

async fn served() -> Served {
    serve(World::new(3)).await
}

#[tokio::test]
async fn a_source_is_added_listed_and_looked_into() {
    let served = served().await;
    let mut client = served.connectors();
    let kinds = client
        .list_source_kinds(pb::ListSourceKindsRequest {})
        .await
        .unwrap();
    let kind = convert::kind_from_proto(kinds.into_inner().kinds.remove(0));
    assert_eq!((kind.kind.as_str(), kind.lists_keys), ("files", true));
    assert_eq!(kind.config_schema["type"], "object");

    let sources = client
        .list_sources(pb::ListSourcesRequest {})
        .await
        .unwrap()
        .into_inner();
    let source = convert::source_from_proto(sources.sources[0].clone());
    assert_eq!(
        (source.quarantine_limit_bp, source.silence_seconds),
        (Some(50), Some(86_400))
    );

    let add = |name: &str, toml: &str| pb::AddSourceRequest {
        name: name.into(),
        toml: toml.into(),
        replace: false,
    };
    let added = client.add_source(add("lis", "kind = \"files\"")).await.unwrap();
    assert_eq!(added.into_inner().source.unwrap().name, "lis");
    let refused = client.add_source(add("", "x")).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);

    let name = "his".to_owned();
    let found = client
        .discover_source(pb::DiscoverSourceRequest { name: name.clone() })
        .await;
    assert_eq!(found.unwrap().into_inner().streams[0].columns[0].r#type, "int");
    client
        .check_source(pb::CheckSourceRequest { name })
        .await
        .unwrap();
    let missing = client
        .check_source(pb::CheckSourceRequest { name: "no".into() })
        .await;
    assert_eq!(missing.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn status_carries_the_last_sync_and_the_alarms() {
    let served = served().await;
    let mut client = served.connectors();
    let answer = client
        .get_source_status(pb::GetSourceStatusRequest::default())
        .await
        .unwrap();
    let status = convert::status_from_proto(answer.into_inner().statuses.remove(0));
    assert_eq!((status.read, status.quarantined, status.conserved), (4, 1, true));
    assert_eq!(status.alarms[0].code, "SOURCE_SILENT");
    let run = status.last_run.unwrap();
    assert_eq!(run.failure.unwrap().class, FailureClass::Transient);
    assert_eq!(run.cursors_after["orders"], "2");

    let page = client
        .list_sync_runs(pb::ListSyncRunsRequest {
            source: "his".into(),
            page_size: 100,
            page_token: String::new(),
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(page.runs.len(), 100);
    assert!(!page.next_page_token.is_empty());
}

#[tokio::test]
async fn syncs_reconciliations_and_acceptance_are_operations() {
    let served = served().await;
    let mut client = served.connectors();
    let request = pb::SyncSourceRequest {
        name: "his".into(),
        request_id: String::new(),
    };
    let sync = served
        .ended(client.sync_source(request).await.unwrap().into_inner().operation)
        .await;
    assert_eq!(sync.kind(), pb::OperationKind::SyncSource);
    let Some(pb::operation::Result::SyncReport(report)) = sync.result else {
        panic!("{sync:?}")
    };
    assert_eq!(report.snapshot, 7);

    let request = pb::ReconcileSourceRequest {
        name: "his".into(),
        any_share: true,
        request_id: String::new(),
    };
    let done = served
        .ended(
            client
                .reconcile_source(request)
                .await
                .unwrap()
                .into_inner()
                .operation,
        )
        .await;
    let Some(pb::operation::Result::ReconcileReport(report)) = done.result else {
        panic!("{done:?}")
    };
    assert_eq!(convert::reconcile_from_proto(report).datasets[0].withdrawn, 1);

    let request = pb::AcceptSourceRequest {
        name: "his".into(),
        request_id: String::new(),
        trial: pb::AcceptanceTrial::LateCommit.into(),
    };
    let done = served
        .ended(
            client
                .accept_source(request)
                .await
                .unwrap()
                .into_inner()
                .operation,
        )
        .await;
    let Some(pb::operation::Result::AcceptanceReport(report)) = done.result else {
        panic!("{done:?}")
    };
    let outcomes: Vec<_> = report
        .checks
        .into_iter()
        .map(|c| convert::acceptance_from_proto(c).outcome)
        .collect();
    use AcceptanceOutcome as O;
    assert_eq!(outcomes, [O::Passed, O::Failed, O::Skipped]);

    let request = pb::RedriveSourceRequest {
        name: "no".into(),
        request_id: String::new(),
    };
    let failed = served
        .ended(
            client
                .redrive_source(request)
                .await
                .unwrap()
                .into_inner()
                .operation,
        )
        .await;
    assert_eq!(failed.state(), pb::OperationState::Failed);
}

#[tokio::test]
async fn jobs_go_over_the_wire_whole() {
    let served = served().await;
    let mut client = ScheduleServiceClient::new(served.channel.clone());
    let jobs = client
        .list_jobs(pb::ListJobsRequest {})
        .await
        .unwrap()
        .into_inner()
        .jobs;
    let job = convert::job_from_proto(jobs[0].clone()).unwrap();
    assert_eq!(convert::job_to_proto(&job), jobs[0]);
    assert_eq!((job.catch_up, job.last_runs[0].attempts), (CatchUp::Skip, 2));
    for action in [
        JobAction::Sync { source: "his".into() },
        JobAction::Reconcile { source: "his".into() },
        JobAction::RunRules {
            rules: vec![],
            only_changed: false,
        },
    ] {
        let request = pb::AddJobRequest {
            job_id: "j".into(),
            action: Some(convert::action_to_proto(&action)),
            cron: "* * * * *".into(),
            zone: String::new(),
            catch_up: pb::CatchUp::All.into(),
        };
        let added = client.add_job(request).await.unwrap().into_inner().job.unwrap();
        let added = convert::job_from_proto(added).unwrap();
        assert_eq!((added.action, added.catch_up), (action, CatchUp::All));
    }
    let nothing = pb::AddJobRequest {
        cron: "* * * * *".into(),
        ..pb::AddJobRequest::default()
    };
    assert_eq!(
        client.add_job(nothing).await.unwrap_err().code(),
        Code::InvalidArgument
    );
    let id = || "run-rules".to_owned();
    let paused = client
        .pause_job(pb::PauseJobRequest { job_id: id() })
        .await
        .unwrap();
    assert!(paused.into_inner().job.unwrap().paused);
    client
        .resume_job(pb::ResumeJobRequest { job_id: id() })
        .await
        .unwrap();
    let run = client
        .run_job_now(pb::RunJobNowRequest { job_id: id() })
        .await
        .unwrap();
    assert_eq!(run.into_inner().run.unwrap().state, "SUCCEEDED");
    client
        .remove_job(pb::RemoveJobRequest { job_id: id() })
        .await
        .unwrap();
    let alarms = client
        .list_alarms(pb::ListAlarmsRequest::default())
        .await
        .unwrap();
    assert_eq!(alarms.into_inner().alarms[0].subject, "his");
}
