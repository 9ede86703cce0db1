//! From rows to answers, with the shipped views.

use std::sync::Arc;

use chrono::NaiveDate;
use domain::ports::ScreeningPort;
use domain::screening::{CheckKind, ScreenRequest, ScreenSubject, Screening, Verdict};

use crate::Engine;
use crate::data::memory::{DatasetRows, TextRow, parse_timestamp};
use crate::data::{MemorySnapshot, MemorySource};
use crate::rules::Bundle;
use crate::session::Limits;

fn rows(dataset: &str, rows: &[&[(&str, &str)]]) -> DatasetRows {
    let row = |cells: &&[(&str, &str)]| -> TextRow {
        let cells = cells.iter();
        cells
            .map(|(k, v)| ((*k).to_owned(), Some((*v).to_owned())))
            .collect()
    };
    DatasetRows {
        dataset: domain::dataset(dataset).unwrap(),
        rows: rows.iter().map(row).collect(),
        synced_at: parse_timestamp("2025-06-30 12:00").unwrap(),
    }
}

const PARENT: &str = "杭州康瑞医疗器械有限公司";
const BRANCH: &str = "杭州康瑞医疗器械有限公司宁波分公司";

fn engine() -> Engine {
    let datasets = [
        rows(
            "hospitals",
            &[&[
                ("hospital_id", "H1"),
                ("name", "甲医院"),
                ("region_code", "330100"),
            ]],
        ),
        rows(
            "suppliers",
            &[
                &[
                    ("supplier_id", "S1"),
                    ("name", PARENT),
                    ("legal_representative", "张三"),
                    ("legal_representative_id_number", "11010519491231002X"),
                ],
                &[("supplier_id", "S2"), ("name", BRANCH)],
            ],
        ),
        rows(
            "credit_records",
            &[&[
                ("record_id", "C1"),
                ("supplier_name", PARENT),
                ("record_type", "bribery_blacklist"),
                ("region_code", "330000"),
                ("issued_on", "2024-05-01"),
            ]],
        ),
        rows(
            "agreements",
            &[
                &[
                    ("agreement_id", "A1"),
                    ("hospital_id", "H1"),
                    ("supplier_name", PARENT),
                    ("kind", "integrity_agreement"),
                    ("signed_on", "2025-01-01"),
                    ("valid_to", "2025-12-31"),
                ],
                &[
                    ("agreement_id", "A2"),
                    ("hospital_id", "H1"),
                    ("supplier_name", PARENT),
                    ("kind", "integrity_commitment"),
                    ("signed_on", "2025-01-01"),
                    ("valid_to", "2025-12-31"),
                ],
            ],
        ),
        rows(
            "staff",
            &[&[
                ("staff_id", "E1"),
                ("hospital_id", "H1"),
                ("name", "张三"),
                ("id_number", "11010519491231002X"),
                ("is_key_post", "true"),
            ]],
        ),
        rows(
            "relations",
            &[&[
                ("relation_id", "R1"),
                ("from_type", "person"),
                ("from_id", "440524188001010014"),
                ("from_name", "李四"),
                ("to_type", "company"),
                ("to_name", PARENT),
                ("relation", "shareholder"),
                ("share_percent", "60"),
            ]],
        ),
    ];
    let snapshot = MemorySnapshot::new("test", &datasets).unwrap();
    let source = Arc::new(MemorySource(Arc::new(snapshot)));
    Engine::new(source, Bundle::load(None).unwrap(), Limits::default()).unwrap()
}

async fn screen(engine: &Engine, name: &str) -> Screening {
    let request = ScreenRequest {
        reference: String::new(),
        subject: ScreenSubject {
            name: Some(name.to_owned()),
            ..ScreenSubject::default()
        },
        hospital_id: Some("H1".to_owned()),
        as_of: NaiveDate::from_ymd_opt(2025, 7, 1).unwrap(),
        order: None,
        checks: Vec::new(),
    };
    engine.screener(0).await.unwrap().screen(&request)
}

fn codes(screening: &Screening, check: CheckKind) -> Vec<&'static str> {
    let of_check = screening.checks.iter().filter(|c| c.check == check);
    of_check.flat_map(|c| &c.reasons).map(|r| r.code).collect()
}

#[tokio::test]
async fn the_branch_is_banned_with_its_parent_and_covered_by_its_agreement() {
    let engine = engine();
    for name in [PARENT, BRANCH] {
        let screening = screen(&engine, name).await;
        assert_eq!(
            codes(&screening, CheckKind::Lists),
            ["BANNED_IN_PROVINCE"],
            "{name}"
        );
        assert_eq!(
            codes(&screening, CheckKind::Agreement),
            ["IN_FORCE", "IN_FORCE"],
            "{name}"
        );
        assert_eq!(
            codes(&screening, CheckKind::Relations)[0],
            "KEY_STAFF_TIED",
            "{name}"
        );
        assert_eq!(screening.verdict, Verdict::Hit);
    }
}

#[tokio::test]
async fn reasons_cite_rows_of_the_snapshot() {
    let screening = screen(&engine(), PARENT).await;
    let lists = screening
        .checks
        .iter()
        .find(|c| c.check == CheckKind::Lists)
        .unwrap();
    let cited = &lists.reasons[0].evidence[0];
    assert_eq!(
        (
            cited.dataset.as_str(),
            cited.key["record_id"].to_string().as_str()
        ),
        ("credit_records", "C1")
    );
    let tie = screening
        .checks
        .iter()
        .find(|c| c.check == CheckKind::Relations)
        .unwrap();
    assert_eq!(tie.reasons[0].path.len(), 1);
    let datasets: Vec<_> = tie.reasons[0]
        .evidence
        .iter()
        .map(|e| e.dataset.as_str())
        .collect();
    assert_eq!(datasets, ["staff", "suppliers"]);
}

#[tokio::test]
async fn a_later_snapshot_than_the_newest_is_told() {
    let failure = engine().screener(2).await.err().unwrap();
    assert_eq!(failure.reason, "SNAPSHOT_NOT_COMMITTED");
}
