//! ScreeningService over a real index of a few parties.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate};
use proto::v1 as pb;
use screening::{
    CreditRecord, DatasetState, FixedIndex, HospitalRow, Index, PartyRow, RowRef, ScreeningInput, Settings,
};
use tokio_stream::StreamExt as _;
use tonic::Code;

use crate::fakes::World;
use crate::harness::{reason, serve};

pub const SNAPSHOT: i64 = 7;

fn row(dataset: &str, key: &str) -> RowRef {
    RowRef {
        dataset: dataset.into(),
        key: key.into(),
        source: "his".into(),
        batch: "b1".into(),
        row: 3,
    }
}

fn party(id: &str, name: &str) -> PartyRow {
    PartyRow {
        party_id: id.into(),
        name: name.into(),
        aliases: Vec::new(),
        uscc: None,
        row: Some(row("suppliers", id)),
        owners_known: true,
    }
}

/// Two suppliers, the first banned in province 33 since 2024-05-01.
pub fn port() -> FixedIndex {
    let synced = DatasetState {
        last_synced: DateTime::from_timestamp(1_738_310_400, 0),
        has_rows: true,
        empty_columns: Vec::new(),
    };
    let datasets = ["credit_records", "staff", "relations", "hospitals"];
    let input = ScreeningInput {
        snapshot: SNAPSHOT,
        parties: vec![
            party("c1", "杭州甲医药有限公司"),
            party("c2", "宁波乙器械有限公司"),
        ],
        credit_records: vec![CreditRecord {
            row: row("credit_records", "R1"),
            party_id: "c1".into(),
            record_type: Some("bribery_blacklist".into()),
            level: None,
            region_code: Some("330000".into()),
            issued_on: NaiveDate::from_ymd_opt(2024, 5, 1),
            expires_on: None,
        }],
        hospitals: vec![HospitalRow {
            row: row("hospitals", "H1"),
            hospital_id: "H1".into(),
            region_code: Some("330100".into()),
        }],
        datasets: datasets
            .into_iter()
            .map(|d| (d.into(), synced.clone()))
            .collect::<BTreeMap<_, _>>(),
        ..ScreeningInput::default()
    };
    FixedIndex(Arc::new(Index::build(input, Settings::default())))
}

fn question(name: &str) -> pb::ScreeningQuestion {
    pb::ScreeningQuestion {
        reference: format!("about {name}"),
        subject: Some(pb::ScreeningSubject {
            name: name.into(),
            ..Default::default()
        }),
        hospital_id: "H1".into(),
        as_of: "2025-01-31".into(),
        checks: vec![pb::ScreeningCheck::Lists.into()],
        ..Default::default()
    }
}

#[tokio::test]
async fn a_banned_supplier_is_a_hit_with_the_row_that_says_so() {
    let served = serve(World::new(0)).await;
    let request = pb::ScreenRequest {
        question: Some(question("杭州甲医药有限公司")),
        min_snapshot: 0,
    };
    let answer = served
        .screening()
        .screen(request)
        .await
        .expect("answers")
        .into_inner();
    let screening = answer.screening.expect("a screening");
    assert_eq!(screening.verdict(), pb::ScreeningVerdict::Hit);
    assert!(screening.complete);
    assert_eq!(
        (screening.snapshot, screening.as_of.as_str()),
        (SNAPSHOT, "2025-01-31")
    );
    assert_eq!(screening.reference, "about 杭州甲医药有限公司");
    assert_eq!(screening.party.expect("known").party_id, "c1");
    let reason = &screening.checks[0].reasons[0];
    assert_eq!(reason.code, "BANNED_IN_PROVINCE");
    assert_eq!(
        (reason.valid_from.as_str(), reason.valid_to.as_str()),
        ("2024-05-01", "2026-05-01")
    );
    assert!(
        reason
            .lawful_explanation
            .as_ref()
            .is_some_and(|t| !t.zh.is_empty() && !t.en.is_empty())
    );
    let cited = &reason.evidence[0];
    assert_eq!(
        (cited.dataset.as_str(), cited.source.as_str(), cited.row),
        ("credit_records", "his", 3)
    );
    assert!(cited.key.contains_key("record_id"));
}

#[tokio::test]
async fn what_lacks_its_data_is_not_called_clean() {
    let served = serve(World::new(0)).await;
    let mut asked = question("宁波乙器械有限公司");
    asked.checks = vec![
        pb::ScreeningCheck::Lists.into(),
        pb::ScreeningCheck::Agreement.into(),
    ];
    let request = pb::ScreenRequest {
        question: Some(asked),
        min_snapshot: SNAPSHOT,
    };
    let answer = served
        .screening()
        .screen(request)
        .await
        .expect("answers")
        .into_inner();
    let screening = answer.screening.expect("a screening");
    assert_eq!(screening.verdict(), pb::ScreeningVerdict::NotComputed);
    assert!(!screening.complete);
    let verdicts: Vec<_> = screening
        .checks
        .iter()
        .map(pb::ScreeningCheckResult::verdict)
        .collect();
    assert_eq!(
        verdicts,
        [pb::ScreeningVerdict::Clean, pb::ScreeningVerdict::NotComputed]
    );
    assert_eq!(screening.checks[1].reasons[0].code, "INPUT_MISSING");
}

#[tokio::test]
async fn a_batch_is_answered_in_order_and_bounded() {
    let served = serve(World::new(0)).await;
    let mut client = served.screening();
    let questions: Vec<_> = (0..40)
        .map(|n| {
            question(if n % 2 == 0 {
                "杭州甲医药有限公司"
            } else {
                "宁波乙器械有限公司"
            })
        })
        .collect();
    let request = pb::ScreenBatchRequest {
        questions,
        min_snapshot: 0,
    };
    let answer = client.screen_batch(request).await.expect("answers").into_inner();
    let verdicts: Vec<_> = answer.screenings.iter().map(pb::Screening::verdict).collect();
    assert_eq!(verdicts.len(), 40);
    for pair in verdicts.chunks(2) {
        assert_eq!(pair, [pb::ScreeningVerdict::Hit, pb::ScreeningVerdict::Clean]);
    }
    for count in [0, 1_001] {
        let request = pb::ScreenBatchRequest {
            questions: vec![question("甲"); count],
            min_snapshot: 0,
        };
        let status = client.screen_batch(request).await.expect_err("refused");
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::InvalidArgument, "INVALID_FIELD")
        );
    }
}

#[tokio::test]
async fn a_stream_is_answered_one_by_one_until_a_request_cannot_be_read() {
    let served = serve(World::new(0)).await;
    let mut bad = question("甲");
    bad.as_of = "yesterday".into();
    let requests: Vec<_> = [
        question("杭州甲医药有限公司"),
        question("宁波乙器械有限公司"),
        bad,
    ]
    .into_iter()
    .map(|question| pb::ScreenStreamRequest {
        question: Some(question),
        min_snapshot: 0,
    })
    .collect();
    let mut answers = served
        .screening()
        .screen_stream(tokio_stream::iter(requests))
        .await
        .expect("opens")
        .into_inner();
    for wanted in [pb::ScreeningVerdict::Hit, pb::ScreeningVerdict::Clean] {
        let answer = answers.next().await.expect("goes on").expect("no error");
        assert_eq!(answer.screening.expect("a screening").verdict(), wanted);
    }
    let status = answers
        .next()
        .await
        .expect("an end with a reason")
        .expect_err("is no answer");
    assert_eq!(reason(&status), "INVALID_DATE");
    let (_, metadata) = gateway::status::error_info(&status).expect("has ErrorInfo");
    assert_eq!(metadata["index"], "2");
    assert!(answers.next().await.is_none());
}

#[tokio::test]
async fn a_snapshot_that_is_not_there_yet_is_told() {
    let served = serve(World::new(0)).await;
    for (min_snapshot, code, why) in [
        (SNAPSHOT + 1, Code::OutOfRange, "SNAPSHOT_NOT_COMMITTED"),
        (-1, Code::InvalidArgument, "INVALID_FIELD"),
    ] {
        let request = pb::ScreenRequest {
            question: Some(question("甲")),
            min_snapshot,
        };
        let status = served.screening().screen(request).await.expect_err("refused");
        assert_eq!((status.code(), reason(&status).as_str()), (code, why));
    }
}
