//! A small hospital with everything synced, to be changed by each test, and one helper to ask.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate};
use domain::Value;
use domain::ports::Screener;
use domain::screening::{
    CheckKind, CheckResult, ScreenOrder, ScreenOrderLine, ScreenRequest, ScreenSubject, Screening, Verdict,
};
use rust_decimal::Decimal;
use screening::{
    AgreementRow, BranchLink, CreditRecord, DatasetState, FilingRow, HospitalRow, Index, ListingRow, NEEDS,
    PartyRow, RowRef, ScreeningInput, Settings, StaffTie, TenderRow, ThresholdRow,
};

pub const FIRM: &str = "杭州康瑞医疗器械有限公司";

pub fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

pub fn dec(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

/// A code of that number with its check character.
pub fn code(number: u32) -> String {
    let first = format!("91330100{number:09}");
    let check = matching::Uscc::check_character(first.as_bytes()).expect("digits");
    format!("{first}{}", char::from(check))
}

pub fn row(dataset: &str, key: &str) -> RowRef {
    RowRef {
        dataset: dataset.into(),
        key: key.into(),
        source: "his".into(),
        batch: "b1".into(),
        row: 1,
    }
}

pub fn party(id: &str, name: &str, code: Option<String>) -> PartyRow {
    PartyRow {
        party_id: id.into(),
        name: name.into(),
        aliases: Vec::new(),
        uscc: code.map(Into::into),
        row: Some(row("suppliers", id)),
        owners_known: true,
    }
}

/// All datasets synced on 2025-06-30; one supplier, known, unlisted, without agreement.
pub fn input() -> ScreeningInput {
    let state = DatasetState {
        last_synced: DateTime::from_timestamp(1_751_270_400, 0),
        has_rows: true,
        empty_columns: Vec::new(),
    };
    ScreeningInput {
        snapshot: 5,
        parties: vec![party("c1", FIRM, Some(code(1)))],
        hospitals: vec![HospitalRow {
            row: row("hospitals", "H1"),
            hospital_id: "H1".into(),
            region_code: Some("330100".into()),
        }],
        datasets: NEEDS
            .iter()
            .map(|(name, _)| ((*name).into(), state.clone()))
            .collect::<BTreeMap<_, _>>(),
        ..ScreeningInput::default()
    }
}

pub fn record(id: &str, kind: &str, region: Option<&str>, issued: &str) -> CreditRecord {
    CreditRecord {
        row: row("credit_records", id),
        party_id: "c1".into(),
        record_type: Some(kind.into()),
        level: None,
        region_code: region.map(Into::into),
        issued_on: Some(day(issued)),
        expires_on: None,
    }
}

pub fn agreement(id: &str, kind: &str, from: &str, to: &str) -> AgreementRow {
    AgreementRow {
        row: row("agreements", id),
        party_id: "c1".into(),
        hospital_id: "H1".into(),
        kind: kind.into(),
        signed_on: Some(day(from)),
        valid_from: Some(day(from)),
        valid_to: Some(day(to)),
    }
}

pub fn both(from: &str, to: &str) -> Vec<AgreementRow> {
    vec![
        agreement("A1", "integrity_agreement", from, to),
        agreement("A2", "integrity_commitment", from, to),
    ]
}

pub fn branch(other: &str, since: Option<&str>, until: Option<&str>) -> Vec<BranchLink> {
    let link = |from: &str, to: &str| BranchLink {
        party_id: from.into(),
        other_party_id: to.into(),
        row: Some(row("relations", "B1")),
        since: since.map(day),
        until: until.map(day),
    };
    vec![link("c1", other), link(other, "c1")]
}

pub fn tie() -> StaffTie {
    StaffTie {
        party_id: "c1".into(),
        staff_id: "E1".into(),
        hospital_id: Some("H1".into()),
        is_key_post: true,
        left_on: None,
        staff_row: row("staff", "E1"),
        hops: vec![Value::Map(BTreeMap::from([(
            "relation".to_owned(),
            Value::text("shareholder"),
        )]))],
        hop_rows: vec![row("relations", "R1")],
        share: Some(dec("10")),
        controls: false,
        may_be_listed: false,
        valid_from: Some(day("2024-01-01")),
        valid_to: Some(day("2025-07-01")),
    }
}

pub fn listing(id: &str, price: &str, region: Option<&str>, party: Option<&str>) -> ListingRow {
    ListingRow {
        row: row("platform_listings", id),
        national_code: "C0101000000000000001".into(),
        party_id: party.map(Into::into),
        product_id: None,
        region_code: region.map(Into::into),
        listed_price: dec(price),
        listed_from: Some(day("2025-01-01")),
        listed_to: Some(day("2025-07-01")),
    }
}

pub fn threshold(id: &str, region: &str, amount: &str) -> ThresholdRow {
    ThresholdRow {
        row: row("procurement_thresholds", id),
        region_code: region.into(),
        kind: "goods".into(),
        measure: "public_tender".into(),
        amount: dec(amount),
        effective_from: Some(day("2020-01-01")),
        effective_to: None,
        source: Some("测试文件".into()),
    }
}

pub fn tender(id: &str, budget: &str, started: &str) -> TenderRow {
    TenderRow {
        row: row("tenders", id),
        hospital_id: "H1".into(),
        budget_item_code: "YS1".into(),
        class_code: "A0232".into(),
        kind: "goods".into(),
        method: Some("inquiry".into()),
        budget: dec(budget),
        started_on: day(started),
        is_approved: false,
        is_void: false,
    }
}

pub fn filing(from: &str, to: &str) -> FilingRow {
    FilingRow {
        row: row("filings", "F1"),
        hospital_id: Some("H1".into()),
        national_code: Some("C0101000000000000001".into()),
        product_id: None,
        valid_from: Some(day(from)),
        valid_to: Some(day(to)),
    }
}

/// About the one supplier, for hospital H1, all checks that apply.
pub fn request(as_of: &str) -> ScreenRequest {
    ScreenRequest {
        reference: "q".into(),
        subject: ScreenSubject {
            name: Some(FIRM.into()),
            ..ScreenSubject::default()
        },
        hospital_id: Some("H1".into()),
        as_of: day(as_of),
        order: None,
        checks: Vec::new(),
    }
}

/// An order of one line of a listed consumable.
pub fn order(unit_price: &str) -> ScreenOrder {
    ScreenOrder {
        order_id: Some("PO-1".into()),
        category: Some("consumable".into()),
        catalogue_code: Some("A02320000".into()),
        budget_item_code: Some("YS1".into()),
        method: Some("inquiry".into()),
        channel: Some("platform".into()),
        lines: vec![ScreenOrderLine {
            national_code: Some("C0101000000000000001".into()),
            product_name: Some("支架".into()),
            quantity: Some("2".into()),
            unit_price: Some(unit_price.into()),
            ..ScreenOrderLine::default()
        }],
        ..ScreenOrder::default()
    }
}

pub fn ask(input: ScreeningInput, request: &ScreenRequest) -> Screening {
    Index::build(input, Settings::default()).screen(request)
}

pub fn of(screening: &Screening, kind: CheckKind) -> &CheckResult {
    let found = screening.checks.iter().find(|c| c.check == kind);
    found.unwrap_or_else(|| panic!("{kind:?} was not made"))
}

pub fn codes(screening: &Screening, kind: CheckKind) -> Vec<&'static str> {
    of(screening, kind).reasons.iter().map(|r| r.code).collect()
}

/// The verdict and the first code of a check on a day.
pub fn check(input: ScreeningInput, kind: CheckKind, as_of: &str) -> (Verdict, &'static str) {
    verdict(&ask(input, &request(as_of)), kind)
}

pub fn verdict(screening: &Screening, kind: CheckKind) -> (Verdict, &'static str) {
    let result = of(screening, kind);
    (result.verdict, result.reasons[0].code)
}
