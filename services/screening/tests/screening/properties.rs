//! What holds whatever is in the data.

use domain::screening::{CheckKind, Verdict};
use proptest::prelude::*;
use screening::{Index, NEEDS, ScreeningInput, Settings};

use crate::fixture::*;

/// Which datasets a check cannot do without.
const NEEDED: [(CheckKind, &[&str]); 6] = [
    (CheckKind::Lists, &["credit_records"]),
    (CheckKind::Agreement, &["agreements"]),
    (CheckKind::Relations, &["staff", "relations", "declarations"]),
    (CheckKind::Price, &["platform_listings"]),
    (CheckKind::Threshold, &["procurement_thresholds", "tenders"]),
    (CheckKind::Channel, &["filings"]),
];

/// How a dataset may be missing.
#[derive(Debug, Clone, Copy)]
enum Lack {
    Never,
    Empty,
    Column,
    Stale,
}

fn lacking() -> impl Strategy<Value = Vec<Option<Lack>>> {
    let lack = prop_oneof![
        Just(Lack::Never),
        Just(Lack::Empty),
        Just(Lack::Column),
        Just(Lack::Stale)
    ];
    proptest::collection::vec(proptest::option::of(lack), NEEDS.len())
}

/// Everything in order, then spoiled. Gives what was really spoiled: not each dataset has columns or an age limit.
fn spoiled(lacks: &[Option<Lack>]) -> (ScreeningInput, Vec<&'static str>) {
    let settings = Settings::default();
    let mut input = ScreeningInput {
        agreements: both("2025-01-01", "2026-01-01"),
        listings: vec![listing("L1", "100", Some("330000"), None)],
        thresholds: vec![threshold("T1", "330000", "2000000")],
        tenders: vec![tender("X1", "10", "2025-02-01")],
        filings: vec![filing("2025-06-01", "2025-07-01")],
        ..input()
    };
    let mut names = Vec::new();
    for ((name, columns), lack) in NEEDS.iter().zip(lacks) {
        let Some(state) = input.datasets.get_mut(*name) else {
            continue;
        };
        match lack {
            None => continue,
            Some(Lack::Never) => drop(input.datasets.remove(*name)),
            Some(Lack::Empty) => state.has_rows = false,
            Some(Lack::Column) if !columns.is_empty() => state.empty_columns = vec![columns[0].into()],
            Some(Lack::Stale) if settings.staleness.iter().any(|s| s.dataset == *name) => {
                state.last_synced = chrono::DateTime::from_timestamp(0, 0);
            }
            Some(Lack::Column | Lack::Stale) => continue,
        }
        // Declarations may be kept nowhere; where they are kept they have to be fresh.
        if *name != "declarations" || matches!(lack, Some(Lack::Stale)) {
            names.push(*name);
        }
    }
    (input, names)
}

proptest! {
    #[test]
    fn a_check_is_clean_only_when_all_it_needs_is_there(lacks in lacking()) {
        let (input, missing) = spoiled(&lacks);
        let mut asked = request("2025-06-30");
        let mut offline = order("1");
        offline.channel = Some("filed_offline".into());
        offline.filing_no = Some("F1".into());
        asked.order = Some(offline);
        let screening = ask(input, &asked);
        for (kind, needed) in NEEDED {
            let lacks = needed.iter().any(|n| missing.contains(n));
            let verdict = of(&screening, kind).verdict;
            prop_assert_eq!(verdict == Verdict::Clean, !lacks, "{:?} without {:?} is {:?}", kind, missing, verdict);
        }
        prop_assert_eq!(screening.complete, missing.is_empty());
    }

    #[test]
    fn a_verdict_is_the_worst_of_its_parts_and_hits_say_what_may_be_lawful(
        name in "(杭州|上海|)(康瑞|和众|甲)(医疗器械|医药|)(有限公司|股份有限公司|)",
        number in proptest::option::of(1_u32..4),
        price in 0_u32..200,
        channel in proptest::option::of(prop_oneof!["platform", "offline", "emergency"]),
    ) {
        let (mut input, _) = spoiled(&[]);
        input.parties.push(party("c2", "上海和众医药有限公司", Some(code(2))));
        input.credit_records = vec![record("C1", "bribery_blacklist", Some("330000"), "2024-03-01")];
        let mut asked = request("2025-06-30");
        asked.subject.name = Some(name);
        asked.subject.uscc = number.map(code);
        let mut bought = order(&price.to_string());
        bought.channel = channel;
        asked.order = Some(bought);
        let index = Index::build(input, Settings::default());
        let screening = domain::ports::Screener::screen(&index, &asked);
        for check in &screening.checks {
            prop_assert_eq!(Some(check.verdict), check.reasons.iter().map(|r| r.verdict).max());
            for reason in &check.reasons {
                prop_assert!(!reason.text.zh.is_empty() && !reason.text.en.is_empty());
                let is_hit = reason.verdict == Verdict::Hit;
                prop_assert_eq!(is_hit, !reason.lawful_explanation.zh.is_empty(), "{}", reason.code);
            }
        }
        prop_assert_eq!(Some(screening.verdict), screening.checks.iter().map(|c| c.verdict).max());
        prop_assert_eq!(&screening, &domain::ports::Screener::screen(&index, &asked));
    }
}
