//! AGREEMENT: both the integrity agreement and the supplier's commitment with the hospital, in force that day.
//!
//! As the views `agreement_intervals` and `agreement_cover` have it: it binds from its period's start but not
//! before it was signed, to its end (exclusive); a seam of one day between two is no gap; one signed by a parent
//! binds its branches while they are such, and the other way round.

use chrono::{Days as ChronoDays, NaiveDate};
use domain::screening::Reason;

use super::{Question, undecided};
use crate::answer::{Days, ReasonExt, clean, hit};
use crate::identity::Standing;
use crate::input::RowRef;

const LAW: &str = "医疗机构廉洁购销管理规定（以合肥市第一人民医院2021年文件为准）";
const KINDS: [(&str, &str, &str); 2] = [
    ("integrity_agreement", "廉洁购销协议", "integrity agreement"),
    ("integrity_commitment", "供应商廉洁承诺书", "integrity commitment"),
];
const LAWFUL: (&str, &str) = (
    "由上级医院或医联体统一签订而未录入本院台账，或以曾用名签订",
    "Signed by the parent hospital or alliance and not in this register, or under a former name",
);

/// An agreement and the days it binds.
struct Bound<'a> {
    from: NaiveDate,
    to: NaiveDate,
    rows: Vec<&'a RowRef>,
}

pub(crate) fn check(question: &Question<'_>) -> Vec<Reason> {
    let mut reasons = question.lacking(&["agreements"]);
    reasons.extend(question.unknown_hospital());
    if question.standing == Standing::Undecided {
        reasons.push(undecided());
    }
    if !reasons.is_empty() {
        return reasons;
    }
    KINDS
        .iter()
        .map(|(kind, zh, en)| duty(question, kind, zh, en))
        .collect()
}

fn duty(question: &Question<'_>, kind: &str, zh: &str, en: &str) -> Reason {
    let as_of = question.as_of;
    let stretches = stretches(bound(question, kind));
    if let Some(covers) = stretches.iter().find(|s| s.from <= as_of && as_of < s.to) {
        let warn = u64::from(question.index.settings.agreement_warn_days);
        let soon = as_of
            .checked_add_days(ChronoDays::new(warn))
            .is_some_and(|day| day >= covers.to);
        let (until_zh, until_en) = match covers.to {
            NaiveDate::MAX => ("长期".to_owned(), "without end".to_owned()),
            to => (format!("至 {to}（不含）"), format!("until {to} (exclusive)")),
        };
        let (code, more_zh, more_en) = match soon {
            true => ("ENDS_SOON", "，即将到期", ", ending soon"),
            false => ("IN_FORCE", "", ""),
        };
        return clean(
            code,
            format!("{zh}有效，{until_zh}{more_zh}"),
            format!("the {en} is in force {until_en}{more_en}"),
        )
        .citing(covers.rows.iter().copied())
        .holding(days(covers));
    }
    let last = stretches.iter().rfind(|s| s.to <= as_of);
    let next = stretches.iter().find(|s| s.from > as_of);
    let reason = match (last, next) {
        (Some(last), _) => hit(
            "AGREEMENT_EXPIRED",
            format!("{zh}已于 {} 到期，{as_of} 未续签", last.to),
            format!("the {en} ended on {} and was not renewed by {as_of}", last.to),
        )
        .citing(last.rows.iter().copied())
        .holding(Days::new(Some(last.to), next.map(|n| n.from))),
        (None, Some(next)) => hit(
            "AGREEMENT_NOT_YET",
            format!("{zh}自 {} 才生效，{as_of} 尚未生效", next.from),
            format!("the {en} binds only from {}, not on {as_of}", next.from),
        )
        .citing(next.rows.iter().copied())
        .holding(Days::new(None, Some(next.from))),
        (None, None) => hit(
            "AGREEMENT_MISSING",
            format!("本院没有与该供应商的{zh}"),
            format!("this hospital has no {en} with the supplier"),
        ),
    };
    reason.because_lawful(LAWFUL.0, LAWFUL.1).under(LAW)
}

fn days(bound: &Bound<'_>) -> Days {
    Days::new(
        Some(bound.from).filter(|d| *d != NaiveDate::MIN),
        Some(bound.to).filter(|d| *d != NaiveDate::MAX),
    )
}

/// The agreements of a kind with the days on which each binds the subject.
fn bound<'a>(question: &Question<'a>, kind: &str) -> Vec<Bound<'a>> {
    let (Standing::Known(at), Some(hospital_id)) = (question.standing, &question.request.hospital_id) else {
        return Vec::new();
    };
    let mut bound = Vec::new();
    for (party_id, link) in question.one_person(at) {
        for row in question.index.agreements.of(party_id) {
            if *row.hospital_id != **hospital_id || &*row.kind != kind {
                continue;
            }
            let mut from = row.valid_from.max(row.signed_on).unwrap_or(NaiveDate::MIN);
            let mut to = row.valid_to.unwrap_or(NaiveDate::MAX);
            let mut rows = vec![&row.row];
            if let Some(link) = link {
                from = from.max(link.since.unwrap_or(NaiveDate::MIN));
                to = to.min(link.until.unwrap_or(NaiveDate::MAX));
                rows.extend(&link.row);
            }
            if from < to {
                bound.push(Bound { from, to, rows });
            }
        }
    }
    bound.sort_by(|a, b| (a.from, a.to, &a.rows).cmp(&(b.from, b.to, &b.rows)));
    bound
}

/// Unbroken periods, in order.
fn stretches(bound: Vec<Bound<'_>>) -> Vec<Bound<'_>> {
    let mut stretches: Vec<Bound<'_>> = Vec::new();
    for next in bound {
        match stretches.last_mut() {
            Some(last) if next.from <= last.to.succ_opt().unwrap_or(NaiveDate::MAX) => {
                last.to = last.to.max(next.to);
                last.rows.extend(next.rows);
            }
            _ => stretches.push(next),
        }
    }
    stretches
}
