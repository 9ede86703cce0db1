//! TEN-06 and TEN-07: works begun before the tender, and purchases from one source without ground.

use crate::calendar::{date, plus, workdays_after};
use crate::cases::tenders::{budget_item, hospital, inquiry, won_by};
use crate::everyday::{PUBLIC_2024, yuan};
use crate::names::Class;
use crate::province::Province;
use crate::tendering::{Bid, Tender};
use crate::truth::RowKey;

pub(crate) fn plant(province: &mut Province, copy: usize) {
    built_before(province, copy);
    single_source(province, copy);
}

/// TEN-06: works begun before the tender was published, or before it was decided.
fn built_before(province: &mut Province, copy: usize) {
    let published = plus(date(2024, 5, 13), copy as i64 * 9);
    let works = |province: &mut Province, copy: usize, night: bool| {
        let h = hospital(province, copy);
        let item = budget_item(province, published);
        Tender {
            hospital: h,
            title: "门诊楼改造工程".to_owned(),
            category: "工程",
            budget_item: item,
            catalogue: "B06030000",
            method: "公开招标",
            budget: yuan(6_200_000),
            published,
            published_at_night: night,
            opened: plus(published, 24),
            awarded: plus(published, 30),
            ..Tender::default()
        }
    };
    let told = |province: &mut Province, tender: &Tender| {
        let bids = (0..3)
            .map(|n| Bid {
                supplier: province.supplier(),
                amount: tender.budget / 1000 * (940 + n * n * 7 + n * 11) + n,
                winner: n == 0,
                ..Bid::default()
            })
            .collect();
        province.tender(tender, bids)
    };

    for (variant, kind, days_before) in [
        ("started_before_notice", "开工", 20),
        ("mobilised_before_notice", "进场", 1),
        ("material_before_notice", "材料进场", 12),
        ("paid_before_notice", "进度款", 5),
    ] {
        let tender = works(province, copy, kind == "进场");
        let t = told(province, &tender);
        let signed = plus(tender.awarded, 10);
        let contract = province.contract(&t, &tender, signed, Some(plus(signed, 5)));
        let event = province.works_event(
            &t.id,
            Some(&contract),
            kind,
            plus(published, -days_before),
            Some(yuan(50_000)),
        );
        province.plant(
            "TEN-06",
            variant,
            vec![t.key, event],
            "before the tender was published",
        );
    }

    let tender = works(province, copy, false);
    let t = told(province, &tender);
    let contract = province.contract(&t, &tender, plus(tender.awarded, 10), Some(plus(published, -7)));
    let contract = RowKey::new("contracts", "contract_id", &contract);
    province.plant(
        "TEN-06",
        "contract_says_started",
        vec![t.key, contract],
        "the contract gives an earlier start of works",
    );

    let tender = works(province, copy, false);
    let t = told(province, &tender);
    let contract = province.contract(&t, &tender, plus(tender.awarded, 10), None);
    let event = province.works_event(&t.id, Some(&contract), "开工", plus(tender.awarded, -3), None);
    province.plant(
        "TEN-06",
        "started_before_award",
        vec![t.key, event],
        "after the notice, before the award",
    );

    // Begun on the day the contract was signed; a variation order is no beginning.
    let tender = works(province, copy, true);
    let t = told(province, &tender);
    let signed = plus(tender.awarded, 10);
    let contract = province.contract(&t, &tender, signed, Some(signed));
    let event = province.works_event(&t.id, Some(&contract), "开工", signed, None);
    province.decoy(
        "TEN-06",
        "started_on_signing",
        vec![t.key, event],
        "begun on the day of signing",
    );
}

/// TEN-07: one source without ground, without approval, without notice, or where others sell the same.
fn single_source(province: &mut Province, copy: usize) {
    // Mondays that are worked, one of them before a holiday week with made-up days.
    let published = plus(date(2024, 9, 2), copy as i64 * 21);
    let base = |province: &mut Province| {
        let h = hospital(province, copy);
        let item = budget_item(province, published);
        Tender {
            method: "单一来源采购",
            justification: Some("专利设备，只能从唯一供应商处采购"),
            title: "专用设备采购".to_owned(),
            opened: workdays_after(published, 5),
            awarded: workdays_after(published, 8),
            ..inquiry(h, &item, published, yuan(900_000))
        }
    };
    let large = |t: &mut Tender| {
        t.budget = yuan(5_600_000);
        t.approval = Some(("示例财采批〔2024〕31号", plus(published, -14)));
    };

    let mut t = base(province);
    t.justification = None;
    single(province, &t, Some(("no_ground", "no ground is given")), "");
    let t = base(province);
    single(province, &t, None, "ground_given");

    let mut t = base(province);
    large(&mut t);
    t.approval = None;
    single(
        province,
        &t,
        Some(("large_not_approved", "above the standard, not approved")),
        "",
    );
    let mut t = base(province);
    large(&mut t);
    t.budget = PUBLIC_2024;
    t.approval = None;
    single(
        province,
        &t,
        Some(("at_standard_not_approved", "at the standard (以上), not approved")),
        "",
    );
    let mut t = base(province);
    large(&mut t);
    t.opened = workdays_after(published, 3);
    t.awarded = workdays_after(published, 3);
    single(
        province,
        &t,
        Some(("short_notice", "three working days of notice")),
        "",
    );
    let mut t = base(province);
    large(&mut t);
    single(province, &t, None, "five_working_days");

    let mut t = base(province);
    large(&mut t);
    t.justification = Some("不可预见的紧急情况，抢救设备损坏");
    t.opened = workdays_after(published, 1);
    t.awarded = workdays_after(published, 1);
    single(province, &t, None, "urgent_without_notice");

    // Two other suppliers list the same generic product; or only one does.
    for (others, unlawful) in [(2, true), (1, false)] {
        let mut t = base(province);
        let own = province.supplier();
        let product = listed_generic(province, own, copy, others);
        t.product = Some(product);
        for _ in 0..others {
            let other = province.supplier();
            listed_generic(province, other, copy, others);
        }
        let key = won_by(province, &t, own).key;
        if unlawful {
            province.plant(
                "TEN-07",
                "others_list_it",
                vec![key],
                "two other suppliers list the same generic product",
            );
        } else {
            province.decoy(
                "TEN-07",
                "one_other_lists_it",
                vec![key],
                "one other supplier lists the same generic product",
            );
        }
    }
}

/// A listed product under a generic name that only this case uses.
fn listed_generic(province: &mut Province, supplier: usize, copy: usize, case: usize) -> usize {
    let product = province.product(supplier, Class::Reagent, 9_800_000, 1);
    province.rename_generic(product, &format!("专用试剂{copy}{case}"));
    product
}

fn single(province: &mut Province, tender: &Tender, plant: Option<(&str, &str)>, lawful: &str) {
    let supplier = province.supplier();
    let key = won_by(province, tender, supplier).key;
    match plant {
        Some((variant, note)) => province.plant("TEN-07", variant, vec![key], note),
        None => province.decoy(
            "TEN-07",
            lawful,
            vec![key],
            "one source with ground, approval and notice as the law asks",
        ),
    }
}
