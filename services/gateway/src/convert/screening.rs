//! Screenings: questions are parsed here, once, and answers written.

use chrono::NaiveDate;
use domain::Failure;
use domain::screening::{
    CheckKind, PartyCandidate, Reason, ScreenOrder, ScreenOrderLine, ScreenRequest, ScreenSubject, Screening,
    SourceRow, Verdict,
};
use proto::v1 as pb;

use super::{bilingual_to_proto, date_of_request, map_to_proto, value_to_proto};

/// Longest text of a question, in characters.
const TEXT_CHARS_MAX: usize = 200;
/// Lines of one order.
const LINES_MAX: usize = 1_000;
/// Digits of a decimal before and behind the point.
const WHOLE_DIGITS_MAX: usize = 14;
const FRACTION_DIGITS_MAX: usize = 8;

const CATEGORIES: [&str; 7] = [
    "drug",
    "consumable",
    "reagent",
    "equipment",
    "works",
    "service",
    "goods",
];
const METHODS: [&str; 8] = [
    "public",
    "invited",
    "negotiation",
    "consultation",
    "inquiry",
    "single_source",
    "framework",
    "direct",
];
const CHANNELS: [&str; 4] = ["platform", "filed_offline", "offline", "emergency"];

/// Reads a question; the day is `today` where it names none.
pub fn question_from_proto(
    question: Option<pb::ScreeningQuestion>,
    today: NaiveDate,
) -> Result<ScreenRequest, Failure> {
    let question = question.unwrap_or_default();
    let subject = question.subject.unwrap_or_default();
    let subject = ScreenSubject {
        party_id: text("subject.party_id", subject.party_id)?,
        uscc: text("subject.uscc", subject.uscc)?,
        name: text("subject.name", subject.name)?,
    };
    if subject == ScreenSubject::default() {
        return Err(invalid(
            "subject",
            "subject names nobody; give a party_id, a uscc or a name".to_owned(),
        ));
    }
    let mut checks = Vec::new();
    for check in &question.checks {
        checks.push(check_from_proto(*check)?);
    }
    checks.sort();
    checks.dedup();
    Ok(ScreenRequest {
        reference: text("reference", question.reference)?.unwrap_or_default(),
        subject,
        hospital_id: text("hospital_id", question.hospital_id)?,
        as_of: date_of_request("as_of", &question.as_of)?.unwrap_or(today),
        order: question.order.map(order).transpose()?,
        checks,
    })
}

fn order(order: pb::ScreeningOrder) -> Result<ScreenOrder, Failure> {
    if order.lines.len() > LINES_MAX {
        return Err(invalid(
            "order.lines",
            format!(
                "the order has {} lines; it takes at most {LINES_MAX}",
                order.lines.len()
            ),
        ));
    }
    Ok(ScreenOrder {
        order_id: text("order.order_id", order.order_id)?,
        amount: decimal("order.amount", order.amount)?,
        category: code("order.category", order.category, &CATEGORIES)?,
        catalogue_code: text("order.catalogue_code", order.catalogue_code)?,
        budget_item_code: text("order.budget_item_code", order.budget_item_code)?,
        method: code("order.method", order.method, &METHODS)?,
        method_approval_no: text("order.method_approval_no", order.method_approval_no)?,
        channel: code("order.channel", order.channel, &CHANNELS)?,
        filing_no: text("order.filing_no", order.filing_no)?,
        lines: order.lines.into_iter().map(line).collect::<Result<_, _>>()?,
    })
}

fn line(line: pb::ScreeningOrderLine) -> Result<ScreenOrderLine, Failure> {
    Ok(ScreenOrderLine {
        line_no: line.line_no,
        product_id: text("order.lines.product_id", line.product_id)?,
        product_name: text("order.lines.product_name", line.product_name)?,
        national_code: text("order.lines.national_code", line.national_code)?,
        quantity: decimal("order.lines.quantity", line.quantity)?,
        unit_price: decimal("order.lines.unit_price", line.unit_price)?,
        amount: decimal("order.lines.amount", line.amount)?,
    })
}

fn invalid(field: &'static str, message: String) -> Failure {
    Failure::invalid("INVALID_FIELD", message).with("field", field)
}

/// Empty means `None`.
fn text(field: &'static str, text: String) -> Result<Option<String>, Failure> {
    let chars = text.chars().count();
    if chars > TEXT_CHARS_MAX {
        return Err(invalid(
            field,
            format!("{field} has {chars} characters; it takes at most {TEXT_CHARS_MAX}"),
        ));
    }
    Ok(Some(text.trim().to_owned()).filter(|t| !t.is_empty()))
}

fn decimal(field: &'static str, written: String) -> Result<Option<String>, Failure> {
    let Some(written) = text(field, written)? else {
        return Ok(None);
    };
    let (whole, fraction) = written.split_once('.').unwrap_or((&written, "0"));
    let digits = |s: &str, max: usize| (1..=max).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_digit());
    if digits(whole, WHOLE_DIGITS_MAX) && digits(fraction, FRACTION_DIGITS_MAX) {
        return Ok(Some(written));
    }
    Err(invalid(
        field,
        format!("{field} is {written:?}; write a plain decimal of 0 or more, e.g. \"1234.50\""),
    ))
}

fn code(field: &'static str, written: String, codes: &[&str]) -> Result<Option<String>, Failure> {
    let Some(written) = text(field, written)? else {
        return Ok(None);
    };
    if codes.contains(&written.as_str()) {
        return Ok(Some(written));
    }
    Err(invalid(
        field,
        format!("{field} is {written:?}; it takes one of {}", codes.join(", ")),
    ))
}

fn check_from_proto(check: i32) -> Result<CheckKind, Failure> {
    let known = pb::ScreeningCheck::try_from(check).ok();
    known
        .and_then(|wanted| CheckKind::ALL.into_iter().find(|k| check_to_proto(*k) == wanted))
        .ok_or_else(|| invalid("checks", format!("checks has {check}, which is no check")))
}

/// The wire's word for a check.
pub fn check_to_proto(check: CheckKind) -> pb::ScreeningCheck {
    match check {
        CheckKind::Identity => pb::ScreeningCheck::Identity,
        CheckKind::Lists => pb::ScreeningCheck::Lists,
        CheckKind::Agreement => pb::ScreeningCheck::Agreement,
        CheckKind::Relations => pb::ScreeningCheck::Relations,
        CheckKind::Price => pb::ScreeningCheck::Price,
        CheckKind::Threshold => pb::ScreeningCheck::Threshold,
        CheckKind::Channel => pb::ScreeningCheck::Channel,
    }
}

/// The wire's word for a verdict.
pub fn verdict_to_proto(verdict: Verdict) -> pb::ScreeningVerdict {
    match verdict {
        Verdict::Clean => pb::ScreeningVerdict::Clean,
        Verdict::NotComputed => pb::ScreeningVerdict::NotComputed,
        Verdict::Hit => pb::ScreeningVerdict::Hit,
    }
}

pub fn screening_to_proto(screening: Screening) -> pb::Screening {
    pb::Screening {
        reference: screening.reference,
        snapshot: screening.snapshot,
        as_of: screening.as_of.to_string(),
        verdict: verdict_to_proto(screening.verdict).into(),
        complete: screening.complete,
        party: screening.party.map(party),
        candidates: screening.candidates.into_iter().map(party).collect(),
        checks: screening
            .checks
            .into_iter()
            .map(|c| pb::ScreeningCheckResult {
                check: check_to_proto(c.check).into(),
                verdict: verdict_to_proto(c.verdict).into(),
                reasons: c.reasons.into_iter().map(reason).collect(),
            })
            .collect(),
        not_asked: screening
            .not_asked
            .into_iter()
            .map(|(check, lacking)| pb::ScreeningNotAsked {
                check: check_to_proto(check).into(),
                lacking: Some(bilingual_to_proto(&lacking)),
            })
            .collect(),
    }
}

fn party(party: PartyCandidate) -> pb::ScreeningParty {
    pb::ScreeningParty {
        party_id: party.party_id,
        name: party.name,
        uscc: party.uscc.unwrap_or_default(),
        level: party.level.to_owned(),
        explanation: Some(bilingual_to_proto(&party.explanation)),
    }
}

fn reason(reason: Reason) -> pb::ScreeningReason {
    let lawful = &reason.lawful_explanation;
    let day = |date: Option<NaiveDate>| date.map(|d| d.to_string()).unwrap_or_default();
    pb::ScreeningReason {
        verdict: verdict_to_proto(reason.verdict).into(),
        code: reason.code.to_owned(),
        lawful_explanation: (!lawful.zh.is_empty()).then(|| bilingual_to_proto(lawful)),
        text: Some(bilingual_to_proto(&reason.text)),
        legal_basis: reason.legal_basis,
        evidence: reason.evidence.into_iter().map(source_row).collect(),
        path: reason.path.iter().map(value_to_proto).collect(),
        line_no: reason.line_no,
        valid_from: day(reason.valid_from),
        valid_to: day(reason.valid_to),
    }
}

fn source_row(row: SourceRow) -> pb::ScreeningSourceRow {
    pb::ScreeningSourceRow {
        dataset: row.dataset,
        key: map_to_proto(&row.key),
        source: row.source,
        batch: row.batch,
        row: row.row,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(change: impl FnOnce(&mut pb::ScreeningQuestion)) -> Result<ScreenRequest, Failure> {
        let mut question = pb::ScreeningQuestion {
            subject: Some(pb::ScreeningSubject {
                name: "甲公司".into(),
                ..Default::default()
            }),
            order: Some(pb::ScreeningOrder {
                lines: vec![pb::ScreeningOrderLine::default()],
                ..Default::default()
            }),
            ..Default::default()
        };
        change(&mut question);
        question_from_proto(Some(question), NaiveDate::MIN)
    }

    #[test]
    fn the_day_is_today_unless_it_is_named() {
        assert_eq!(read(|_| ()).expect("valid").as_of, NaiveDate::MIN);
        let named = read(|q| q.as_of = "2025-03-05".into()).expect("valid");
        assert_eq!(named.as_of.to_string(), "2025-03-05");
        assert_eq!(
            read(|q| q.as_of = "05.03.2025".into())
                .expect_err("no date")
                .reason,
            "INVALID_DATE"
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused_by_field() {
        let field = |failure: Failure| failure.metadata[0].1.clone();
        let order = |change: fn(&mut pb::ScreeningOrder)| {
            field(read(|q| change(q.order.as_mut().expect("an order"))).expect_err("refused"))
        };
        for bad in [
            "-1",
            "1e3",
            "1,000",
            "1.",
            ".5",
            "壹",
            "123456789012345",
            "1.123456789",
        ] {
            let refused = read(|q| q.order.as_mut().expect("an order").lines[0].unit_price = bad.into());
            assert_eq!(field(refused.expect_err(bad)), "order.lines.unit_price", "{bad}");
        }
        assert_eq!(order(|o| o.amount = "x".into()), "order.amount");
        assert_eq!(order(|o| o.method = "lottery".into()), "order.method");
        assert_eq!(order(|o| o.channel = "web".into()), "order.channel");
        assert_eq!(
            order(|o| o.lines = vec![Default::default(); 1_001]),
            "order.lines"
        );
        assert_eq!(field(read(|q| q.subject = None).expect_err("nobody")), "subject");
        assert_eq!(
            field(read(|q| q.checks = vec![0]).expect_err("no check")),
            "checks"
        );
        let long = read(|q| q.reference = "名".repeat(201)).expect_err("too long");
        assert_eq!(field(long), "reference");
    }

    #[test]
    fn every_check_has_a_word_of_its_own() {
        let read = |kind| check_from_proto(check_to_proto(kind).into()).expect("known");
        assert!(CheckKind::ALL.into_iter().all(|kind| read(kind) == kind));
    }
}
