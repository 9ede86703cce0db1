//! PRICE: no line above the price listed that day.
//!
//! As the view `priced_above_listing` has it: the listings of the supplier decide, or all of the product's where it has
//! none, in the hospital's province, the highest of them; by smallest unit where both pack sizes are known.
//! Where supplier or province are not known, a line is clean only when it is not above the lowest that might
//! apply, and a hit only when it is above the highest.

use domain::screening::{Reason, ScreenOrderLine};
use rust_decimal::Decimal;

use super::orders::{code, numbered, said};
use super::{Province, Question};
use crate::answer::{Days, ReasonExt, clean, hit, not_computed};
use crate::decimal::{money, parse, price};
use crate::identity::Standing;
use crate::input::ListingRow;

const LAW: &str = "国务院办公厅关于完善公立医院药品集中采购工作的指导意见（国办发〔2015〕7号）";

/// A listing and its price in the unit of the line.
#[derive(Clone, Copy)]
struct Allowed<'a> {
    listing: &'a ListingRow,
    price: Decimal,
}

pub(crate) fn check(question: &Question<'_>) -> Vec<Reason> {
    let lacking = question.lacking(&["platform_listings"]);
    let Some(order) = question.request.order.as_ref().filter(|_| lacking.is_empty()) else {
        return lacking;
    };
    numbered(order)
        .map(|(line_no, line)| judge(question, line).at_line(line_no))
        .collect()
}

fn judge(question: &Question<'_>, line: &ScreenOrderLine) -> Reason {
    let name = said(&line.product_name).or(said(&line.product_id)).unwrap_or("-");
    let Some(code) = code(question.index, line) else {
        return not_computed(
            "LINE_WITHOUT_CODE",
            format!("{name}：没有医保编码，无法对应挂网价"),
            format!("{name}: no national code to find a listing by"),
        );
    };
    let Some(asked) = said(&line.unit_price).and_then(parse) else {
        return not_computed(
            "LINE_WITHOUT_PRICE",
            format!("{name}：没有可读的单价"),
            format!("{name}: no unit price that can be read"),
        );
    };
    let valid = valid(question, code, line);
    let (Some(low), Some(high)) = bounds(question, &valid) else {
        return not_computed(
            "NO_LISTING_THAT_DAY",
            format!("{name}（{code}）：{} 没有有效的挂网价", question.as_of),
            format!("{name} ({code}): no listing is in force on {}", question.as_of),
        );
    };
    let margin = Decimal::ONE + question.index.settings.price_margin_percent / Decimal::ONE_HUNDRED;
    let days = |a: &Allowed<'_>| Days::new(a.listing.listed_from, a.listing.listed_to);
    let asked_text = price(asked);
    if asked > high.price * margin {
        let quantity = said(&line.quantity).and_then(parse);
        let excess = quantity
            .and_then(|q| q.checked_mul(asked - high.price))
            .map(money);
        let (more_zh, more_en) = match excess {
            Some(excess) => (
                format!("，共多 {excess} 元"),
                format!(", {excess} CNY too much in all"),
            ),
            None => (String::new(), String::new()),
        };
        let allowed = price(high.price);
        return hit(
            "PRICE_ABOVE_LISTING",
            format!("{name}（{code}）：单价 {asked_text} 元，高于当日挂网价 {allowed} 元{more_zh}"),
            format!("{name} ({code}): {asked_text} CNY, above the listed {allowed}{more_en}"),
        )
        .because_lawful(
            "挂网价当日调整；单价含配送、安装等另计费用，或计价单位不同",
            "The listed price changed that day; the price includes delivery or fitting, or counts another unit",
        )
        .under(LAW)
        .citing([&high.listing.row])
        .holding(days(&high));
    }
    if asked > low.price * margin {
        return not_computed(
            "WHICH_LISTING_UNKNOWN",
            format!(
                "{name}（{code}）：单价 {asked_text} 元，各挂网价自 {} 至 {} 元；供应商或本院省份未确定，不知适用哪一个",
                price(low.price),
                price(high.price)
            ),
            format!(
                "{name} ({code}): {asked_text} CNY, listings from {} to {}; supplier or province is not known, so which applies is not",
                price(low.price),
                price(high.price)
            ),
        )
        .citing([&low.listing.row, &high.listing.row]);
    }
    let allowed = price(high.price);
    clean(
        "WITHIN_LISTING",
        format!("{name}（{code}）：单价 {asked_text} 元，不高于当日挂网价 {allowed} 元"),
        format!("{name} ({code}): {asked_text} CNY, not above the listed {allowed}"),
    )
    .citing([&high.listing.row])
    .holding(days(&high))
}

/// The code's listings of that day that may apply at the hospital.
fn valid<'a>(question: &Question<'a>, code: &str, line: &ScreenOrderLine) -> Vec<Allowed<'a>> {
    let index = question.index;
    let pack = |product_id: Option<&str>| {
        product_id
            .and_then(|id| index.products.of(id).first())
            .and_then(|p| p.pack_size)
            .filter(|p| *p > Decimal::ZERO)
    };
    let own = pack(said(&line.product_id));
    let here = |listing: &ListingRow| match (question.province(), listing.region_code.as_deref()) {
        (Province::Known(here), Some(code)) => code.get(..2) == Some(here),
        _ => true,
    };
    index
        .listings
        .of(code)
        .iter()
        .filter(|l| Days::new(l.listed_from, l.listed_to).contain(question.as_of) && here(l))
        .map(|listing| Allowed {
            listing,
            price: match (own, pack(listing.product_id.as_deref())) {
                (Some(own), Some(theirs)) if own != theirs => {
                    (listing.listed_price * own / theirs).round_dp(4)
                }
                _ => listing.listed_price,
            },
        })
        .collect()
}

/// The lowest and the highest price that may decide; equal where supplier and province are known.
fn bounds<'a>(question: &Question<'_>, valid: &[Allowed<'a>]) -> (Option<Allowed<'a>>, Option<Allowed<'a>>) {
    let own: Vec<Allowed<'a>> = match question.standing {
        Standing::Known(at) => {
            let party = &question.index.party(at).party_id;
            let of_party = |a: &&Allowed<'_>| a.listing.party_id.as_ref() == Some(party);
            valid.iter().filter(of_party).copied().collect()
        }
        Standing::Unknown | Standing::Undecided => Vec::new(),
    };
    let deciding = if own.is_empty() { valid } else { &own };
    let key = |a: &&Allowed<'_>| (a.price, a.listing.row.key.clone());
    let high = deciding.iter().max_by_key(key).copied();
    let sure = matches!(question.province(), Province::Known(_)) && question.standing != Standing::Undecided;
    let low = if sure {
        high
    } else {
        deciding.iter().min_by_key(key).copied()
    };
    (low, high)
}
