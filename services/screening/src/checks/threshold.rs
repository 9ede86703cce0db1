//! THRESHOLD: the order's amount against the standard from which a public tender is due, alone and together with
//! what the hospital bought before of the same class in the same year and budget item.
//!
//! Standards are those of the view `tender_facts` (the nearest place that has one, the highest of it), sums those
//! of the rule TEN-03. Alone, the standard itself is above it (以上); of a sum, only what is beyond (超过).

use chrono::{Datelike, NaiveDate};
use domain::screening::{Reason, ScreenOrder};
use rust_decimal::Decimal;

use super::Question;
use super::orders::{amount, said};
use crate::answer::{Days, ReasonExt, clean, hit, not_computed};
use crate::decimal::money;
use crate::input::{RowRef, TenderRow, ThresholdRow};

const LAW_GOODS: &str = "政府采购法第27条";
const LAW_WORKS: &str = "招标投标法第3条；必须招标的工程项目规定（发改委令第16号）第5条";
const LAW_SPLIT: &str = "政府采购法第28条；政府采购法实施条例第28条";

/// Tenders quoted at most.
const TENDERS_CITED_MAX: usize = 20;

pub(crate) fn check(question: &Question<'_>) -> Vec<Reason> {
    let Some(order) = &question.request.order else {
        return Vec::new();
    };
    match said(&order.method) {
        Some("public") => {
            return vec![clean("PUBLIC_TENDER", "采用公开招标", "it is a public tender")];
        }
        Some("framework") => {
            return vec![clean(
                "FRAMEWORK",
                "框架协议项下成交",
                "a call-off under a framework agreement",
            )];
        }
        _ => {}
    }
    if let Some(approval) = said(&order.method_approval_no) {
        return vec![clean(
            "METHOD_APPROVED",
            format!("采用其他方式已有批复文号 {approval}，须核对批复早于采购活动"),
            format!("another method was approved ({approval}); check that the approval came first"),
        )];
    }
    let mut lacking = question.lacking(&["procurement_thresholds"]);
    let (kind, region, amount) = (kind(order), region(question), amount(order));
    if kind.is_none() {
        lacking.push(not_computed(
            "KIND_UNKNOWN",
            "未给出品目编码或类别，不知是货物、服务还是工程",
            "neither catalogue code nor category says whether these are goods, services or works",
        ));
    }
    if region.is_none() {
        lacking.push(not_computed(
            "HOSPITAL_REGION_UNKNOWN",
            "本院未给出或行政区划未知，不知适用哪一限额标准",
            "no hospital was given or its region is not known, so which standard applies is not",
        ));
    }
    if amount.is_none() {
        lacking.push(not_computed(
            "AMOUNT_UNKNOWN",
            "订单和明细都没有可读的金额",
            "neither the order nor its lines have an amount that can be read",
        ));
    }
    let (Some(kind), Some(region), Some(amount), true) = (kind, region, amount, lacking.is_empty()) else {
        return lacking;
    };
    let Some(standard) = standard(question, kind, region, question.as_of) else {
        return vec![not_computed(
            "NO_STANDARD_THAT_DAY",
            format!("{} 在行政区划 {region} 没有有效的限额标准", question.as_of),
            format!(
                "no standard is in force for region {region} on {}",
                question.as_of
            ),
        )];
    };
    let mut reasons = vec![alone(order, kind, amount, standard)];
    if kind != "works" {
        reasons.push(with_earlier(question, order, kind, region, amount, standard));
    }
    reasons
}

/// goods, services or works: by the catalogue code's letter, else by the category.
fn kind(order: &ScreenOrder) -> Option<&'static str> {
    let letter = said(&order.catalogue_code).and_then(|c| c.chars().next());
    match letter.map(|l| l.to_ascii_uppercase()) {
        Some('A') => return Some("goods"),
        Some('B') => return Some("works"),
        Some('C') => return Some("services"),
        _ => {}
    }
    match said(&order.category)? {
        "works" => Some("works"),
        "service" | "services" => Some("services"),
        "drug" | "consumable" | "reagent" | "equipment" | "goods" => Some("goods"),
        _ => None,
    }
}

fn region<'a>(question: &Question<'a>) -> Option<&'a str> {
    let hospital_id = question.request.hospital_id.as_deref()?;
    let region = question.index.hospital(hospital_id)?.region_code.as_deref()?;
    (region.len() == 6 && region.is_ascii()).then_some(region)
}

/// The standard in force for the nearest place that has one: district, city, province, country.
fn standard<'a>(
    question: &Question<'a>,
    kind: &str,
    region: &str,
    day: NaiveDate,
) -> Option<&'a ThresholdRow> {
    let measure = if kind == "works" {
        "must_tender"
    } else {
        "public_tender"
    };
    let (city, province) = (format!("{}00", &region[..4]), format!("{}0000", &region[..2]));
    let places = [region, &city, &province, "000000", ""];
    places.into_iter().find_map(|place| {
        let rows = question.index.thresholds.of(place).iter();
        rows.filter(|t| {
            &*t.kind == kind
                && &*t.measure == measure
                && Days::new(t.effective_from, t.effective_to).contain(day)
        })
        .max_by_key(|t| (t.amount, &t.row))
    })
}

fn named(standard: &ThresholdRow) -> (String, String) {
    let source = standard.source.as_deref().unwrap_or(&standard.row.key);
    let amount = money(standard.amount);
    (
        format!("{amount} 元（{source}）"),
        format!("{amount} CNY ({source})"),
    )
}

fn alone(order: &ScreenOrder, kind: &str, amount: Decimal, standard: &ThresholdRow) -> Reason {
    let (standard_zh, standard_en) = named(standard);
    let amount_text = money(amount);
    let days = Days::new(standard.effective_from, standard.effective_to);
    if amount < standard.amount {
        return clean(
            "BELOW_STANDARD",
            format!("金额 {amount_text} 元，低于公开招标标准 {standard_zh}"),
            format!("{amount_text} CNY, below the standard for public tender of {standard_en}"),
        )
        .citing([&standard.row])
        .holding(days);
    }
    if said(&order.method).is_none() {
        return not_computed(
            "METHOD_NOT_GIVEN",
            format!("金额 {amount_text} 元，达到公开招标标准 {standard_zh}，但未给出采购方式"),
            format!("{amount_text} CNY reach the standard of {standard_en}, and no method was given"),
        )
        .citing([&standard.row])
        .holding(days);
    }
    hit(
        "AT_OR_ABOVE_STANDARD",
        format!("金额 {amount_text} 元，达到公开招标标准 {standard_zh}，却未公开招标"),
        format!("{amount_text} CNY reach the standard for public tender of {standard_en}, yet it is no public tender"),
    )
    .because_lawful(
        "经批准采用其他方式，或属框架协议、集中采购目录内由集中采购机构办理",
        "Another method was approved, or it is a call-off or bought by the central purchasing body",
    )
    .under(if kind == "works" { LAW_WORKS } else { LAW_GOODS })
    .citing([&standard.row])
    .holding(days)
}

/// Letter and four digits of a catalogue code, as `tender_facts` has it.
fn class_code(catalogue_code: &str) -> String {
    let letter = catalogue_code.starts_with(|c: char| c.is_ascii_uppercase());
    catalogue_code.chars().take(if letter { 5 } else { 4 }).collect()
}

fn with_earlier(
    question: &Question<'_>,
    order: &ScreenOrder,
    kind: &str,
    region: &str,
    amount: Decimal,
    standard_now: &ThresholdRow,
) -> Reason {
    let lacking = question.lacking(&["tenders"]);
    if let Some(reason) = lacking.into_iter().next() {
        return reason;
    }
    let (Some(item), Some(catalogue_code)) = (said(&order.budget_item_code), said(&order.catalogue_code))
    else {
        return not_computed(
            "BUDGET_ITEM_NOT_GIVEN",
            "未给出预算项目编码和品目编码，无法与本年度同类采购累计",
            "without budget item and catalogue code it cannot be summed with the year's purchases of its class",
        );
    };
    let class = class_code(catalogue_code);
    let counts = |t: &&TenderRow| {
        Some(&*t.hospital_id) == question.request.hospital_id.as_deref()
            && *t.class_code == *class
            && matches!(&*t.kind, "goods" | "services")
            && t.started_on.year() == question.as_of.year()
            && t.started_on <= question.as_of
            && !matches!(t.method.as_deref(), None | Some("public" | "framework"))
            && t.budget > Decimal::ZERO
            && !t.is_approved
            && !t.is_void
            && Some(&*t.row.key) != said(&order.order_id)
    };
    let earlier: Vec<&TenderRow> = question.index.tenders.of(item).iter().filter(counts).collect();
    // Where the standard changed within the year, the higher one.
    let highest = earlier
        .iter()
        .filter_map(|t| standard(question, kind, region, t.started_on))
        .chain([standard_now])
        .max_by_key(|t| (t.amount, &t.row))
        .unwrap_or(standard_now);
    let sum = earlier
        .iter()
        .try_fold(amount, |sum, t| sum.checked_add(t.budget))
        .unwrap_or(Decimal::MAX);
    let (count, year) = (earlier.len() + 1, question.as_of.year());
    let (standard_zh, standard_en) = named(highest);
    let (sum_text, rows) = (money(sum), || -> Vec<&RowRef> {
        let tenders = earlier.iter().take(TENDERS_CITED_MAX).map(|t| &t.row);
        tenders.chain([&highest.row]).collect()
    });
    let within =
        format!("{year} 年度预算项目 {item} 品目 {class} 非公开招标共 {count} 次，累计 {sum_text} 元");
    let within_en = format!(
        "{year}, budget item {item}, class {class}: {count} purchases by other than public tender, {sum_text} CNY in all"
    );
    if earlier.is_empty() || sum <= highest.amount {
        return clean(
            "SUM_WITHIN_STANDARD",
            format!("{within}，未超过标准 {standard_zh}"),
            format!("{within_en}, not above the standard of {standard_en}"),
        )
        .citing(rows());
    }
    if said(&order.method).is_none() {
        return not_computed(
            "METHOD_NOT_GIVEN",
            format!("{within}，超过标准 {standard_zh}，但未给出本次采购方式"),
            format!("{within_en}, above the standard of {standard_en}, and no method was given"),
        )
        .citing(rows());
    }
    hit(
        "SPLIT_ABOVE_STANDARD",
        format!("{within}，超过标准 {standard_zh}，涉嫌化整为零"),
        format!("{within_en}, above the standard of {standard_en}: perhaps a split"),
    )
    .because_lawful(
        "预算在年度中调整，或经批准采用其他方式",
        "The budget was adjusted within the year, or another method was approved",
    )
    .under(LAW_SPLIT)
    .citing(rows())
}
