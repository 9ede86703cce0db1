//! What each service answers, and how it refuses.

use domain::alert::AlertState;
use gateway::convert;
use proto::v1 as pb;
use tokio_stream::StreamExt as _;
use tonic::Code;

use crate::fakes::{RULE, World};
use crate::harness::{reason, serve};

#[tokio::test]
async fn rules_are_listed_and_shown_with_their_text() {
    let served = serve(World::new(0)).await;
    let list = served
        .collisions()
        .list_rules(pb::ListRulesRequest::default())
        .await
        .expect("lists")
        .into_inner();
    assert_eq!(list.rules.len(), 1);
    assert_eq!((list.rules[0].rule_id.as_str(), list.rules[0].version), (RULE, 3));
    assert_eq!(list.rules[0].severity(), pb::Severity::High);
    assert_eq!(list.rules[0].text, "", "lists leave texts out");
    let one = served
        .collisions()
        .get_rule(pb::GetRuleRequest { rule_id: RULE.into() })
        .await
        .expect("is there");
    assert_eq!(one.into_inner().rule.expect("a rule").text, "select 1");
    let none = served
        .collisions()
        .get_rule(pb::GetRuleRequest {
            rule_id: "X-1".into(),
        })
        .await
        .expect_err("unknown");
    assert_eq!(
        (none.code(), reason(&none).as_str()),
        (Code::NotFound, "RULE_NOT_FOUND")
    );
}

#[tokio::test]
async fn an_error_names_reason_domain_and_metadata() {
    let served = serve(World::new(0)).await;
    let request = pb::ListAlertsRequest {
        filter: "colour = red".into(),
        ..Default::default()
    };
    let status = served
        .alerts()
        .list_alerts(request)
        .await
        .expect_err("a wrong filter");
    assert_eq!(status.code(), Code::InvalidArgument);
    let (reason, metadata) = gateway::status::error_info(&status).expect("ErrorInfo of our domain");
    assert_eq!(reason, "INVALID_FILTER");
    assert_eq!(metadata["field"], "colour");
}

#[tokio::test]
async fn a_run_records_alerts_that_are_listed_exported_and_watched() {
    let served = serve(World::new(1_203)).await;
    let mut watch = served
        .alerts()
        .watch_alerts(pb::WatchAlertsRequest::default())
        .await
        .expect("opens")
        .into_inner();
    let run = convert::run_from_proto(served.run().await).expect("readable");
    assert_eq!(
        (run.rules[0].counts.hits, run.rules[0].counts.opened),
        (1_203, 1_203)
    );
    assert!(run.rules[0].counts.holds());

    let list = served
        .alerts()
        .list_alerts(pb::ListAlertsRequest::default())
        .await
        .expect("lists")
        .into_inner();
    assert_eq!((list.alerts.len(), list.total_size), (50, 1_203));
    assert_eq!(list.alerts[0].evidence.len(), 1);
    let request = pb::ListAlertsRequest {
        view: pb::AlertView::Basic.into(),
        ..Default::default()
    };
    let basic = served
        .alerts()
        .list_alerts(request)
        .await
        .expect("lists")
        .into_inner();
    assert!(basic.alerts.iter().all(|a| a.evidence.is_empty()));

    let mut export = served
        .alerts()
        .export_alerts(pb::ExportAlertsRequest::default())
        .await
        .expect("opens")
        .into_inner();
    let mut exported = Vec::new();
    while let Some(item) = export.next().await {
        let alert = item.expect("no error").alert.expect("an alert");
        exported.push(convert::alert_from_proto(alert).expect("readable"));
    }
    assert_eq!(exported.len(), 1_203, "all pages");
    assert_eq!(exported, served.world_alerts().await, "the wire loses nothing");

    for n in 1..=1_203 {
        let item = watch.next().await.expect("goes on").expect("no error");
        assert_eq!(item.resume_token, n.to_string());
    }
}

#[tokio::test]
async fn a_run_looks_from_no_day_that_is_to_come() {
    let served = serve(World::new(1)).await;
    // The server's clock says 31 January 2025.
    for (as_of, fits) in [
        ("2025-01-31", true),
        ("2025-02-01", false),
        ("2099-01-01", false),
        ("0001-01-01", false),
    ] {
        let request = pb::RunRulesRequest {
            as_of: as_of.into(),
            ..pb::RunRulesRequest::default()
        };
        let started = served.collisions().run_rules(request).await;
        match started {
            Ok(_) => assert!(fits, "{as_of}"),
            Err(status) => {
                assert!(!fits, "{as_of}: {status}");
                assert_eq!(reason(&status), "INVALID_FIELD");
            }
        }
    }
}

#[tokio::test]
async fn closing_needs_an_actor_and_a_reason_and_happens_once() {
    let served = serve(World::new(1)).await;
    served.run().await;
    let request = |actor: &str, reason: &str| pb::CloseAlertRequest {
        alert_id: "A-PO-00000-1".into(),
        actor: actor.into(),
        reason: reason.into(),
    };
    for (actor, why) in [("", "checked"), ("li", ""), ("li", "  ")] {
        let status = served
            .alerts()
            .close_alert(request(actor, why))
            .await
            .expect_err("incomplete");
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::InvalidArgument, "INVALID_FIELD")
        );
    }
    let closed = served
        .alerts()
        .close_alert(request("li", "checked"))
        .await
        .expect("closes")
        .into_inner();
    let closed = convert::alert_from_proto(closed.alert.expect("an alert")).expect("readable");
    assert_eq!(closed.state, AlertState::Closed);
    let again = served
        .alerts()
        .close_alert(request("li", "checked"))
        .await
        .expect_err("closed");
    assert_eq!(
        (again.code(), reason(&again).as_str()),
        (Code::FailedPrecondition, "ALERT_CLOSED")
    );
}

#[tokio::test]
async fn a_replay_compares_evidence_and_says_what_differs() {
    let served = serve(World::new(2)).await;
    served.run().await;
    let replay = |id: &str| pb::ReplayAlertRequest { alert_id: id.into() };
    let same = served
        .alerts()
        .replay_alert(replay("A-PO-00000-1"))
        .await
        .expect("replays")
        .into_inner();
    assert!(same.reproduced, "{same:?}");
    assert_eq!(same.recorded_digest, same.replayed_digest);
    assert_eq!(same.recorded_digest.len(), 64);

    served
        .world
        .orders
        .lock()
        .expect("lock")
        .insert("PO-00000".into(), "other".into());
    let changed = served
        .alerts()
        .replay_alert(replay("A-PO-00000-1"))
        .await
        .expect("replays")
        .into_inner();
    assert!(!changed.reproduced);
    assert_ne!(changed.recorded_digest, changed.replayed_digest);

    served.world.orders.lock().expect("lock").remove("PO-00001");
    let gone = served
        .alerts()
        .replay_alert(replay("A-PO-00001-1"))
        .await
        .expect("replays")
        .into_inner();
    assert!(!gone.reproduced);
    assert_eq!(gone.replayed_digest, "");
    assert!(
        gone.explanation
            .expect("a text")
            .en
            .contains("did not give this alert again")
    );
}

#[tokio::test]
async fn a_query_streams_columns_rows_and_the_cut() {
    let served = serve(World::new(0)).await;
    let request = pb::QueryRequest {
        sql: "select n".into(),
        max_rows: 2,
        at_snapshot: None,
    };
    let items: Vec<_> = served
        .queries()
        .query(request)
        .await
        .expect("opens")
        .into_inner()
        .collect()
        .await;
    let items: Vec<_> = items
        .into_iter()
        .map(|i| i.expect("no error").item.expect("an item"))
        .collect();
    use pb::query_response::Item;
    let [Item::Columns(columns), Item::Rows(rows), Item::Truncated(cut)] = &items[..] else {
        panic!("{items:?}");
    };
    assert_eq!(
        (
            columns.columns[0].name.as_str(),
            columns.columns[0].r#type.as_str()
        ),
        ("n", "Int64")
    );
    assert_eq!(
        convert::value_from_proto(rows.rows[0].values[0].clone()),
        domain::Value::Int(1)
    );
    assert_eq!(
        convert::value_from_proto(rows.rows[1].values[0].clone()),
        domain::Value::Null
    );
    assert_eq!(cut.limit, 2);
    let request = pb::QueryRequest {
        sql: "delete from staff".into(),
        ..Default::default()
    };
    assert_eq!(
        reason(&served.queries().query(request).await.expect_err("refused")),
        "NOT_A_SELECT"
    );
    let empty = served
        .queries()
        .query(pb::QueryRequest::default())
        .await
        .expect_err("no SQL");
    assert_eq!(reason(&empty), "INVALID_FIELD");
}

#[tokio::test]
async fn quarantine_is_paged_and_its_token_belongs_to_one_list() {
    let served = serve(World::new(0)).await;
    let request = |dataset: &str, token: &str| pb::ListQuarantineRequest {
        dataset: dataset.into(),
        page_size: 0,
        page_token: token.into(),
        ..Default::default()
    };
    let (mut rows, mut token) = (Vec::new(), String::new());
    loop {
        let page = served
            .connectors()
            .list_quarantine(request("", &token))
            .await
            .expect("lists")
            .into_inner();
        rows.extend(page.entries.iter().map(|e| e.row));
        if page.next_page_token.is_empty() {
            break;
        }
        token = page.next_page_token;
    }
    assert_eq!(rows, (1..=120).collect::<Vec<_>>());
    let other = served
        .connectors()
        .list_quarantine(request("bids", &token))
        .await
        .expect_err("another list");
    assert_eq!(reason(&other), "INVALID_PAGE_TOKEN");
    let unknown = served
        .connectors()
        .list_quarantine(request("cats", ""))
        .await
        .expect_err("no dataset");
    assert_eq!(reason(&unknown), "UNKNOWN_DATASET");
}

#[tokio::test]
async fn paths_take_bounded_hops_and_real_dates() {
    let served = serve(World::new(0)).await;
    let request = |max_hops, as_of: &str| pb::FindPathsRequest {
        from: "甲".into(),
        to: "乙".into(),
        max_hops,
        as_of: as_of.into(),
        limit: 0,
    };
    let paths = served
        .graph()
        .find_paths(request(0, "2024-02-29"))
        .await
        .expect("finds")
        .into_inner()
        .paths;
    assert_eq!(
        (paths[0].hops.len(), paths[0].valid_from.as_str()),
        (4, "2024-02-29")
    );
    for (hops, date, why) in [
        (9, "", "INVALID_FIELD"),
        (1, "2023-02-29", "INVALID_DATE"),
        (1, "2024-2-3", "INVALID_DATE"),
    ] {
        let status = served
            .graph()
            .find_paths(request(hops, date))
            .await
            .expect_err("refused");
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::InvalidArgument, why)
        );
    }
}

#[tokio::test]
async fn ownership_takes_a_fraction_and_a_day() {
    let served = serve(World::new(0)).await;
    let request = |as_of: &str, min_share| pb::OwnershipRequest {
        company: "甲".into(),
        as_of: as_of.into(),
        min_share,
    };
    let answer = async |request| served.graph().ownership(request).await.map(|a| a.into_inner());
    let companies = answer(request("2024-02-29", None))
        .await
        .expect("answers")
        .companies;
    let company = &companies[0];
    assert_eq!(company.company.as_ref().unwrap().name, "2024-02-29");
    assert!((company.owners[0].integrated_share - 0.25).abs() < 1e-12 && company.owners[0].controls);
    assert_eq!(company.over_whole[0].sum, "110.0000");
    assert_eq!(
        (company.unowned[0].companies.len(), company.unowned[0].closed),
        (2, true)
    );
    for min_share in [25.0, -0.1, f64::NAN] {
        let status = answer(request("", Some(min_share))).await.expect_err("refused");
        assert_eq!(reason(&status), "INVALID_FIELD");
    }
}

#[tokio::test]
async fn the_graph_is_shown_in_bounds_and_exported_in_pieces() {
    let served = serve(World::new(0)).await;
    let request = |max_hops| pb::NeighbourhoodRequest {
        party: "甲".into(),
        max_hops,
        as_of: String::new(),
    };
    let part = served
        .graph()
        .neighbourhood(request(0))
        .await
        .expect("answers")
        .into_inner();
    assert_eq!(
        (part.parties[0].distance, part.edges.len(), part.truncated),
        (2, 2, true)
    );
    let status = served
        .graph()
        .neighbourhood(request(5))
        .await
        .expect_err("refused");
    assert_eq!(reason(&status), "INVALID_FIELD");

    let components = served
        .graph()
        .components(pb::ComponentsRequest::default())
        .await
        .expect("answers");
    let components = components.into_inner().components;
    assert_eq!((components.len(), components[0].size), (50, 22));

    let known = served
        .graph()
        .get_party(pb::GetPartyRequest {
            party_id: "c1".into(),
        })
        .await;
    assert_eq!(known.expect("answers").into_inner().party.unwrap().party_id, "c1");
    let unknown = served
        .graph()
        .get_party(pb::GetPartyRequest {
            party_id: "c9".into(),
        })
        .await;
    assert_eq!(unknown.expect_err("there is none").code(), Code::NotFound);

    let mut request = pb::ExportGraphRequest {
        format: pb::GraphFormat::Ftm.into(),
        party: "甲".into(),
        ..Default::default()
    };
    let mut stream = served
        .graph()
        .export_graph(request.clone())
        .await
        .expect("answers")
        .into_inner();
    let mut pieces = Vec::new();
    while let Some(piece) = stream.message().await.expect("goes on") {
        assert!(piece.data.len() <= 65_536);
        pieces.push(piece.data);
    }
    assert_eq!(pieces.len(), 3);
    let text = String::from_utf8(pieces.concat()).expect("UTF-8 when put together");
    assert!(text.starts_with("FollowTheMoney 甲 2 图"));
    request.format = 0;
    let status = served.graph().export_graph(request).await.expect_err("refused");
    assert_eq!(reason(&status), "INVALID_FIELD");
}

#[tokio::test]
async fn cases_and_lint_pass_through() {
    let served = serve(World::new(0)).await;
    let tested = served
        .collisions()
        .test_rules(pb::TestRulesRequest::default())
        .await
        .expect("tests")
        .into_inner();
    assert!(tested.cases[0].passed);
    let lint = served
        .collisions()
        .lint_rules(pb::LintRulesRequest {})
        .await
        .expect("lints")
        .into_inner();
    assert_eq!(lint.problems, ["rules/x.sql:3: no case at the boundary"]);
    let request = pb::TestRulesRequest {
        rule_id: "X-1".into(),
    };
    assert_eq!(
        reason(
            &served
                .collisions()
                .test_rules(request)
                .await
                .expect_err("unknown")
        ),
        "RULE_NOT_FOUND"
    );
}

impl crate::harness::Served {
    async fn world_alerts(&self) -> Vec<domain::alert::Alert> {
        use domain::ports::{AlertsPort as _, ListAlertsRequest};
        let request = ListAlertsRequest {
            page_size: i32::MAX,
            ..Default::default()
        };
        self.world.list(request).await.expect("lists").alerts
    }
}
