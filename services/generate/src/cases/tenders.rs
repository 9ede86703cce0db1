//! TEN-03 to TEN-05: purchases split to stay below the public tender. Each case has a hospital of its own, so
//! that sums and counts are its own too.

use chrono::NaiveDate;

use crate::calendar::{date, plus, workdays_after};
use crate::everyday::{CITIES, PUBLIC_2023, PUBLIC_2024, WORKS, yuan};
use crate::province::{Entry, Province};
use crate::tendering::{Bid, Tender, Told};
use crate::truth::RowKey;

const DEVICES: &str = "A02320300";
const OTHER_DEVICES: &str = "A02320800";

pub(crate) fn plant(province: &mut Province, copy: usize) {
    statutory_splits(province, copy);
    lawful_series(province, copy);
    windowed_splits(province, copy);
    below_threshold(province, copy);
}

pub(super) fn hospital(province: &mut Province, copy: usize) -> usize {
    province.hospital(CITIES[copy % CITIES.len()], 6)
}

pub(super) fn budget_item(province: &mut Province, on: NaiveDate) -> String {
    format!("YS{}-P{:05}", on.format("%y"), province.next())
}

/// An inquiry of so many cents, published on a day, under a budget item; the winner bids the budget.
pub(super) fn inquiry(hospital: usize, item: &str, published: NaiveDate, cents: i64) -> Tender {
    Tender {
        hospital,
        title: format!("输液泵采购（{}）", published.format("%m%d")),
        category: "设备",
        budget_item: item.to_owned(),
        catalogue: DEVICES,
        method: "询价",
        budget: cents,
        published,
        opened: workdays_after(published, 6),
        awarded: workdays_after(published, 8),
        ..Tender::default()
    }
}

/// Enters a tender that one supplier won at the budget's full amount.
pub(super) fn won_by(province: &mut Province, tender: &Tender, supplier: usize) -> Told {
    let bid = Bid {
        supplier,
        amount: tender.budget,
        winner: true,
        ..Bid::default()
    };
    let told = province.tender(tender, vec![bid]);
    province.contract(&told, tender, plus(tender.awarded, 10), None);
    told
}

/// Inquiries under one budget item, each won by another supplier, more than 90 days apart.
fn series(
    province: &mut Province,
    hospital: usize,
    dates: &[NaiveDate],
    cents: &[i64],
    change: impl Fn(usize, &mut Tender),
) -> Vec<RowKey> {
    let item = budget_item(province, dates[0]);
    let mut rows = Vec::new();
    for (n, (on, amount)) in dates.iter().zip(cents).enumerate() {
        let mut tender = inquiry(hospital, &item, *on, *amount);
        tender.budget_item_known = n > 0;
        change(n, &mut tender);
        let told = if tender.failed {
            province.tender(&tender, Vec::new())
        } else {
            let supplier = province.supplier();
            won_by(province, &tender, supplier)
        };
        rows.push(told.key);
    }
    rows
}

const IN_2024: [(i32, u32, u32); 3] = [(2024, 1, 15), (2024, 5, 20), (2024, 9, 23)];

fn days(of: &[(i32, u32, u32)]) -> Vec<NaiveDate> {
    of.iter().map(|(y, m, d)| date(*y, *m, *d)).collect()
}

/// TEN-03: more than the standard in one year, under one budget item and class, by other than public tender.
fn statutory_splits(province: &mut Province, copy: usize) {
    let in_2024 = days(&IN_2024);

    let h = hospital(province, copy);
    let amounts = [yuan(1_500_000), yuan(1_400_000), yuan(1_300_000)];
    let rows = series(province, h, &in_2024, &amounts, |_, _| {});
    province.plant(
        "TEN-03",
        "three_inquiries",
        rows,
        "4.2 million in one year, the standard is 4 million",
    );

    let h = hospital(province, copy);
    let cent_more = [PUBLIC_2024 / 2, PUBLIC_2024 / 2 + 1];
    let rows = series(province, h, &in_2024[..2], &cent_more, |_, _| {});
    province.plant("TEN-03", "one_fen_over", rows, "a fen above the standard");

    // The same class in four digits, another article below it.
    let h = hospital(province, copy);
    let amounts = [yuan(2_300_000), yuan(2_100_000)];
    let rows = series(province, h, &in_2024[1..], &amounts, |n, t| {
        if n == 1 {
            t.catalogue = OTHER_DEVICES;
        }
    });
    province.plant(
        "TEN-03",
        "one_class_two_articles",
        rows,
        "one class of goods, two articles of it",
    );

    // In 2023 the standard was lower.
    let h = hospital(province, copy);
    let amounts = [yuan(1_100_000), yuan(1_050_000)];
    let rows = series(
        province,
        h,
        &days(&[(2023, 4, 10), (2023, 10, 16)]),
        &amounts,
        |_, _| {},
    );
    province.plant(
        "TEN-03",
        "standard_of_2023",
        rows,
        "2.15 million in 2023, when the standard was 2 million",
    );

    // Half past midnight of 1 January 2024 in China is 2023 in UTC; both belong to 2024.
    let h = hospital(province, copy);
    let amounts = [yuan(2_200_000), yuan(2_100_000)];
    let rows = series(
        province,
        h,
        &days(&[(2024, 1, 1), (2024, 6, 17)]),
        &amounts,
        |n, t| {
            t.published_at_night = n == 0;
        },
    );
    province.plant(
        "TEN-03",
        "new_years_night",
        rows,
        "the first was published at 00:30 on 1 January",
    );
}

/// TEN-03's near misses: a single fact away.
fn lawful_series(province: &mut Province, copy: usize) {
    let in_2024 = days(&IN_2024);
    let amounts = [yuan(2_300_000), yuan(2_100_000)];

    let h = hospital(province, copy);
    let exact = [PUBLIC_2024 / 2, PUBLIC_2024 / 2];
    let rows = series(province, h, &in_2024[..2], &exact, |_, _| {});
    province.decoy(
        "TEN-03",
        "exactly_the_standard",
        rows,
        "4 million do not exceed 4 million",
    );

    let h = hospital(province, copy);
    let exact = [PUBLIC_2023 / 2, PUBLIC_2023 / 2];
    let rows = series(
        province,
        h,
        &days(&[(2023, 4, 10), (2023, 10, 16)]),
        &exact,
        |_, _| {},
    );
    province.decoy(
        "TEN-03",
        "exactly_the_standard_of_2023",
        rows,
        "2 million do not exceed 2 million",
    );

    let h = hospital(province, copy);
    let under_new = [yuan(1_500_000), yuan(1_500_000)];
    let rows = series(province, h, &in_2024[..2], &under_new, |_, _| {});
    province.decoy(
        "TEN-03",
        "over_the_old_standard",
        rows,
        "3 million in 2024, above the standard of 2023 only",
    );

    let h = hospital(province, copy);
    let rows = series(province, h, &in_2024[..2], &amounts, |n, t| {
        if n == 1 {
            t.method = "公开招标";
        }
    });
    province.decoy(
        "TEN-03",
        "one_was_public",
        rows,
        "only one of the two by other than public tender",
    );

    let h = hospital(province, copy);
    let rows = series(province, h, &in_2024[..2], &amounts, |n, t| t.failed = n == 0);
    province.decoy(
        "TEN-03",
        "one_failed",
        rows,
        "the first tender failed, nothing was bought",
    );

    let h = hospital(province, copy);
    let approved = [plus(in_2024[0], -20), plus(in_2024[1], -20)];
    let rows = series(province, h, &in_2024[..2], &amounts, |n, t| {
        t.approval = Some(("示例财采批〔2024〕12号", approved[n]));
    });
    province.decoy(
        "TEN-03",
        "method_approved",
        rows,
        "the method was approved before each began",
    );

    let h = hospital(province, copy);
    let rows = series(province, h, &in_2024[..2], &amounts, |_, t| {
        t.adjusted = Some(yuan(4_400_000))
    });
    province.decoy(
        "TEN-03",
        "budget_adjusted",
        rows,
        "the budget was adjusted within the year",
    );

    let h = hospital(province, copy);
    let rows = series(
        province,
        h,
        &days(&[(2023, 9, 4), (2024, 1, 8)]),
        &[yuan(1_800_000), yuan(2_300_000)],
        |_, _| {},
    );
    province.decoy(
        "TEN-03",
        "two_fiscal_years",
        rows,
        "one in each of two fiscal years",
    );

    let h = hospital(province, copy);
    let rows = series(province, h, &in_2024[..2], &amounts, |n, t| {
        if n == 1 {
            t.catalogue = "A05010300";
        }
    });
    province.decoy("TEN-03", "two_classes", rows, "goods of two classes");

    let h = hospital(province, copy);
    let mut rows = series(province, h, &in_2024[..1], &amounts[..1], |_, _| {});
    rows.extend(series(province, h, &in_2024[1..2], &amounts[1..], |_, _| {}));
    province.decoy(
        "TEN-03",
        "two_budget_items",
        rows,
        "one under each of two budget items",
    );
}

/// Two inquiries under two budget items within a time, won by the given suppliers.
fn pair(
    province: &mut Province,
    copy: usize,
    gap: i64,
    cents: [i64; 2],
    winners: [usize; 2],
    change: impl Fn(&mut Tender),
) -> Vec<RowKey> {
    let h = hospital(province, copy);
    let first = plus(date(2024, 3, 4), copy as i64 * 7);
    let mut rows = Vec::new();
    for (n, (on, amount)) in [first, plus(first, gap)].into_iter().zip(cents).enumerate() {
        let item = budget_item(province, on);
        let mut tender = inquiry(h, &item, on, amount);
        change(&mut tender);
        rows.push(won_by(province, &tender, winners[n]).key);
    }
    rows
}

/// TEN-04: one supplier, or related ones, within 90 days, each below the limit, together at or above it.
fn windowed_splits(province: &mut Province, copy: usize) {
    let big = [yuan(2_300_000), yuan(2_100_000)];
    let one = |p: &mut Province| {
        let s = p.supplier();
        [s, s]
    };

    let w = one(province);
    let rows = pair(province, copy, 40, big, w, |_| {});
    province.plant(
        "TEN-04",
        "same_supplier",
        rows,
        "40 days apart, 4.4 million together",
    );
    let w = one(province);
    let rows = pair(province, copy, 90, big, w, |_| {});
    province.plant("TEN-04", "ninety_days", rows, "90 days apart");
    let w = one(province);
    let rows = pair(province, copy, 91, big, w, |_| {});
    province.decoy("TEN-04", "ninety_one_days", rows, "91 days apart");
    let w = one(province);
    let rows = pair(province, copy, 40, [PUBLIC_2024 / 2, PUBLIC_2024 / 2], w, |_| {});
    province.plant("TEN-04", "exactly_the_limit", rows, "exactly the limit together");
    let w = one(province);
    let rows = pair(
        province,
        copy,
        40,
        [PUBLIC_2024 / 2, PUBLIC_2024 / 2 - 1],
        w,
        |_| {},
    );
    province.decoy("TEN-04", "one_fen_under", rows, "a fen below the limit together");
    let w = one(province);
    let rows = pair(province, copy, 40, big, w, |t| t.method = "框架协议采购");
    province.decoy(
        "TEN-04",
        "framework_call_offs",
        rows,
        "call-offs under a framework agreement",
    );
    let w = one(province);
    let rows = pair(province, copy, 40, [WORKS / 8 * 5, WORKS / 8 * 4], w, |t| {
        t.category = "工程";
        t.catalogue = "B07010000";
    });
    province.plant(
        "TEN-04",
        "works",
        rows,
        "two works below 4 million each, 4.5 together",
    );

    // Related suppliers: one holds more than half of the other, or one person leads both.
    let (holder, held) = (province.supplier(), province.supplier());
    holds(province, holder, held, 510_000, None);
    let rows = pair(province, copy, 40, big, [holder, held], |_| {});
    province.plant(
        "TEN-04",
        "holder_and_held",
        rows,
        "one supplier holds 51 % of the other",
    );

    let boss = province.person();
    let lead = |p: &mut Province| {
        p.supplier_with(Entry {
            legal: Some(boss.clone()),
            ..Entry::default()
        })
    };
    let winners = [lead(province), lead(province)];
    let rows = pair(province, copy, 40, big, winners, |_| {});
    province.plant(
        "TEN-04",
        "one_legal_representative",
        rows,
        "one person is legal representative of both",
    );

    let (holder, held) = (province.supplier(), province.supplier());
    holds(province, holder, held, 500_000, None);
    let rows = pair(province, copy, 40, big, [holder, held], |_| {});
    province.decoy(
        "TEN-04",
        "half_held",
        rows,
        "one supplier holds exactly half of the other",
    );

    let (holder, held) = (province.supplier(), province.supplier());
    holds(province, holder, held, 510_000, Some(date(2023, 12, 31)));
    let rows = pair(province, copy, 40, big, [holder, held], |_| {});
    province.decoy("TEN-04", "no_longer_held", rows, "the holding ended before");

    let winners = [province.supplier(), province.supplier()];
    let rows = pair(province, copy, 40, big, winners, |_| {});
    province.decoy("TEN-04", "strangers", rows, "two suppliers that are not related");
}

/// `share` in ten-thousandths of a percent.
pub(super) fn holds(
    province: &mut Province,
    holder: usize,
    held: usize,
    share: i64,
    until: Option<NaiveDate>,
) -> RowKey {
    let from = province.as_company(holder);
    let to = province.as_company(held);
    let valid = (Some(date(2019, 5, 1)), until);
    province.relation(("企业", &from.uscc, &from.name), &to, "股东", Some(share), valid)
}

/// TEN-05: three times a year just below the standard.
fn below_threshold(province: &mut Province, copy: usize) {
    let three = [(2024, 2, 26), (2024, 6, 24), (2024, 10, 28)];
    let lower_edge = PUBLIC_2024 / 100 * 95;
    let cases = [
        (
            "three_a_year",
            [yuan(3_960_000), yuan(3_900_000), yuan(3_990_000)],
            3,
            true,
        ),
        (
            "lower_edge_counts",
            [lower_edge, yuan(3_900_000), PUBLIC_2024 - 1],
            3,
            true,
        ),
        ("two_a_year", [yuan(3_960_000), yuan(3_900_000), 0], 2, false),
        (
            "third_below_the_band",
            [yuan(3_960_000), yuan(3_900_000), lower_edge - 1],
            3,
            false,
        ),
    ];
    for (variant, amounts, count, unlawful) in cases {
        let h = hospital(province, copy);
        let mut rows = Vec::new();
        for (on, amount) in days(&three).into_iter().zip(amounts).take(count) {
            // Each under a budget item of its own.
            rows.extend(series(province, h, &[on], &[amount], |_, _| {}));
        }
        if unlawful {
            province.plant(
                "TEN-05",
                variant,
                rows,
                "three inquiries in a year within 5 % below 4 million",
            );
        } else {
            province.decoy("TEN-05", variant, rows, "not three in the band in one year");
        }
    }

    let h = hospital(province, copy);
    let mut rows = Vec::new();
    for (n, on) in days(&three).into_iter().enumerate() {
        let cents = [yuan(3_960_000), yuan(3_900_000), yuan(3_990_000)][n];
        rows.extend(series(province, h, &[on], &[cents], |_, t| t.method = "公开招标"));
    }
    province.decoy(
        "TEN-05",
        "public_below_standard",
        rows,
        "tendered publicly although below the standard",
    );
}
