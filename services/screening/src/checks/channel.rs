//! CHANNEL: drugs and consumables of the platform are bought on it, or filed, or in an emergency.
//!
//! Scope and filings are those of the rule OFF-01.

use chrono::NaiveDate;
use domain::screening::{Reason, ScreenOrder, ScreenOrderLine};

use super::orders::{code, numbered, said};
use super::{Province, Question};
use crate::answer::{Days, ReasonExt, clean, hit, not_computed};
use crate::input::{FilingRow, ListingRow};

const LAW: &str = "国办发〔2015〕7号；国办发〔2019〕37号";
/// What the platform does not trade.
const EXEMPT: [&str; 5] = ["饮片", "院内制剂", "医院制剂", "自制制剂", "协定处方"];
const LAWFUL: (&str, &str) = (
    "平台无货或未及时配送而备案，或急抢救采购，手续后补",
    "Not available on the platform and filed, or an emergency whose papers follow",
);

pub(crate) fn check(question: &Question<'_>) -> Vec<Reason> {
    let Some(order) = &question.request.order else {
        return Vec::new();
    };
    match said(&order.channel) {
        Some("platform") => vec![clean("ON_PLATFORM", "通过平台采购", "bought on the platform")],
        Some("emergency") => vec![clean(
            "EMERGENCY",
            "急抢救采购，须留存审批记录",
            "an emergency purchase; its approval has to be kept",
        )],
        Some("offline" | "filed_offline") => numbered(order)
            .map(|(line_no, line)| offline(question, order, line).at_line(line_no))
            .collect(),
        Some(other) => vec![not_computed(
            "CHANNEL_UNKNOWN",
            format!("采购渠道“{other}”无法识别"),
            format!("the channel {other:?} is not known; use platform, filed_offline, offline or emergency"),
        )],
        None => vec![not_computed(
            "CHANNEL_NOT_GIVEN",
            "未给出采购渠道",
            "no channel was given",
        )],
    }
}

fn offline(question: &Question<'_>, order: &ScreenOrder, line: &ScreenOrderLine) -> Reason {
    let name = said(&line.product_name).or(said(&line.product_id)).unwrap_or("-");
    let Some(code) = code(question.index, line) else {
        let traded = !matches!(
            said(&order.category),
            Some("works" | "service" | "services" | "goods" | "equipment")
        );
        return match traded {
            true => not_computed(
                "LINE_WITHOUT_CODE",
                format!("{name}：没有医保编码，不知是否属平台采购范围"),
                format!("{name}: no national code, so whether the platform trades it is not known"),
            ),
            false => out_of_scope(name),
        };
    };
    if !in_scope(code) || EXEMPT.iter().any(|word| name.contains(word)) {
        return out_of_scope(name);
    }
    let listing = listing(question, code);
    match said(&order.filing_no) {
        Some(filing_no) => filed(question, filing_no, name, code, line),
        None => {
            let (listed_zh, listed_en) = match listing {
                Some(_) => ("，当日挂网", ", listed that day"),
                None => ("", ""),
            };
            hit(
                "OFFLINE_WITHOUT_FILING",
                format!("{name}（{code}）属平台采购范围{listed_zh}，却线下采购且未备案"),
                format!(
                    "{name} ({code}) is traded on the platform{listed_en}, yet bought off it without a filing"
                ),
            )
            .because_lawful(LAWFUL.0, LAWFUL.1)
            .under(LAW)
            .citing(listing.map(|l| &l.row))
        }
    }
}

fn out_of_scope(name: &str) -> Reason {
    clean(
        "OUT_OF_SCOPE",
        format!("{name}：不属平台采购范围"),
        format!("{name}: the platform does not trade it"),
    )
}

/// National codes of drugs (X, Z, 86) and consumables (C).
fn in_scope(code: &str) -> bool {
    let code = code.to_ascii_uppercase();
    let plain = |s: &str| s.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
    match code.as_bytes().first() {
        Some(b'X' | b'Z' | b'C') => code.len() >= 8 && plain(&code[1..]),
        Some(b'8') => code.len() == 14 && code.starts_with("86") && code.bytes().all(|b| b.is_ascii_digit()),
        _ => false,
    }
}

fn listing<'a>(question: &Question<'a>, code: &str) -> Option<&'a ListingRow> {
    question.index.listings.of(code).iter().find(|l| {
        let here = match (question.province(), l.region_code.as_deref()) {
            (Province::Known(here), Some(code)) => code.get(..2) == Some(here),
            _ => true,
        };
        here && Days::new(l.listed_from, l.listed_to).contain(question.as_of)
    })
}

fn filed(question: &Question<'_>, filing_no: &str, name: &str, code: &str, line: &ScreenOrderLine) -> Reason {
    if let Some(reason) = question.lacking(&["filings"]).into_iter().next() {
        return reason;
    }
    let Some(filing) = question.index.filings.of(filing_no).first() else {
        return hit(
            "FILING_NOT_FOUND",
            format!("{name}（{code}）：没有备案号 {filing_no}"),
            format!("{name} ({code}): there is no filing {filing_no}"),
        )
        .because_lawful(
            "备案已办理而尚未同步",
            "The filing was made and is not synced yet",
        )
        .under(LAW);
    };
    let days = Days::new(filing.valid_from, filing.valid_to);
    match uncovered(question, filing, code, line, question.as_of) {
        None => clean(
            "FILED",
            format!("{name}（{code}）：备案 {filing_no} 有效"),
            format!("{name} ({code}): filing {filing_no} covers it"),
        )
        .citing([&filing.row])
        .holding(days),
        Some((zh, en)) => hit(
            "FILING_DOES_NOT_COVER",
            format!("{name}（{code}）：备案 {filing_no} {zh}"),
            format!("{name} ({code}): filing {filing_no} {en}"),
        )
        .because_lawful(LAWFUL.0, LAWFUL.1)
        .under(LAW)
        .citing([&filing.row])
        .holding(days),
    }
}

/// Why a filing does not cover a line on that day.
fn uncovered(
    question: &Question<'_>,
    filing: &FilingRow,
    code: &str,
    line: &ScreenOrderLine,
    day: NaiveDate,
) -> Option<(&'static str, &'static str)> {
    let other_hospital = match (&filing.hospital_id, &question.request.hospital_id) {
        (Some(own), Some(asked)) => **own != **asked,
        _ => false,
    };
    let other_code = filing.national_code.as_deref().is_some_and(|own| own != code);
    let same_product = filing.product_id.is_some() && filing.product_id.as_deref() == said(&line.product_id);
    if other_hospital {
        Some(("属其他医院", "is another hospital's"))
    } else if other_code && !same_product {
        Some(("不含该产品", "is for another product"))
    } else if !Days::new(filing.valid_from, filing.valid_to).contain(day) {
        Some(("当日不在有效期内", "is not valid that day"))
    } else {
        None
    }
}
