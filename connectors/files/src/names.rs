//! Which dataset a file or sheet is named after.

use std::sync::Arc;

use connector::coerce::fold;
use domain::{Bilingual, Dataset, catalogue};

/// The dataset that a file's name (without its ending) or a sheet's name speaks of: its English name or its
/// Chinese title, alone or with a year, a month or a part number behind it (`purchase_orders_2024`,
/// `采购订单2024年第1页`, `bids-part-0001`).
pub fn dataset_of(name: &str) -> Option<Arc<Dataset>> {
    let folded = fold(name);
    let candidates = catalogue()
        .iter()
        .flat_map(|d| [(d, fold(&d.name)), (d, fold(&d.title))]);
    candidates
        .filter(|(_, word)| folded.strip_prefix(word.as_str()).is_some_and(is_numbering))
        .max_by_key(|(_, word)| word.len())
        .map(|(dataset, _)| dataset.clone())
}

/// Why a file or sheet of this name is not read, with the names that it may have been meant to have.
pub fn not_read(name: &str) -> Bilingual {
    let (mut zh, mut en) = (
        "名称不是数据集，映射文件也未提及，未读取".to_owned(),
        "its name is no dataset and the mapping does not mention it; it was not read".to_owned(),
    );
    let meant = nearest(name);
    if !meant.is_empty() {
        let zh_names: Vec<String> = meant
            .iter()
            .map(|d| format!("{}（{}）", d.name, d.title))
            .collect();
        let en_names: Vec<&str> = meant.iter().map(|d| d.name.as_str()).collect();
        zh.push_str(&format!("；是否应为 {}", zh_names.join("、")));
        en.push_str(&format!("; did you mean {}?", en_names.join(" or ")));
    }
    Bilingual { zh, en }
}

/// Whether the name may have been meant for a dataset's.
pub fn is_nearly_one(name: &str) -> bool {
    !nearest(name).is_empty()
}

/// Least likeness (1 is equal) of a name that is taken for a misspelt one.
const LIKENESS_MIN: f64 = 0.75;
/// Names that are suggested, at most.
const SUGGESTIONS_MAX: usize = 3;

/// Datasets whose name or title is like this one, or part of it, or the other way round; the likest first.
fn nearest(name: &str) -> Vec<Arc<Dataset>> {
    let folded = fold(name);
    let word = folded.trim_matches(is_number_sign);
    let likeness = |other: &str| {
        let holds = |a: &str, b: &str| b.len() >= 4 && (a.contains(b) || is_short_for(b, a));
        let like = strsim::normalized_damerau_levenshtein(word, other);
        match like >= LIKENESS_MIN || holds(word, other) || holds(other, word) {
            true => like,
            false => 0.0,
        }
    };
    let mut found: Vec<(f64, &Arc<Dataset>)> = catalogue()
        .iter()
        .map(|d| (likeness(&fold(&d.name)).max(likeness(&fold(&d.title))), d))
        .filter(|(like, _)| *like > 0.0)
        .collect();
    found.sort_by(|(a, x), (b, y)| b.total_cmp(a).then_with(|| x.name.cmp(&y.name)));
    found
        .into_iter()
        .take(SUGGESTIONS_MAX)
        .map(|(_, dataset)| dataset.clone())
        .collect()
}

/// Whether a Chinese name leaves out characters of the longer one: 平台订单 for 平台交易订单.
fn is_short_for(short: &str, long: &str) -> bool {
    let mut rest = long.chars();
    !short.is_ascii() && short.chars().all(|c| rest.any(|other| other == c))
}

fn is_numbering(rest: &str) -> bool {
    rest.replace("part", "").chars().all(is_number_sign)
}

fn is_number_sign(c: char) -> bool {
    c.is_ascii_digit()
        || matches!(
            c,
            '-' | '_' | '.' | '(' | ')' | '年' | '月' | '日' | '第' | '页' | '期' | '季' | '度' | '部' | '分'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_after_datasets() {
        let name = |text: &str| dataset_of(text).map(|d| d.name.clone());
        for (file, expected) in [
            ("purchase_orders", "purchase_orders"),
            ("purchase_orders_2024", "purchase_orders"),
            ("purchase_orders-part-0001", "purchase_orders"),
            ("采购订单2024", "purchase_orders"),
            ("采购订单_2024年第1页", "purchase_orders"),
            ("usage", "usage"),
            ("usage_2024-05", "usage"),
            ("usage_queries", "usage_queries"),
            ("usage_query_approvals", "usage_query_approvals"),
            ("Purchase_Orders", "purchase_orders"),
        ] {
            assert_eq!(name(file).as_deref(), Some(expected), "{file}");
        }
        for file in [
            "orders",
            "purchase_orders_old",
            "采购订单汇总",
            "说明",
            "usagex",
            "",
        ] {
            assert_eq!(name(file), None, "{file}");
        }
    }

    #[test]
    fn a_name_that_is_nearly_one_is_told_what_it_may_mean() {
        for (file, expected) in [
            ("purchase_order_2024", "purchase_orders"),
            ("purchse_orders", "purchase_orders"),
            ("采购订单汇总", "purchase_orders"),
            ("platform_order", "platform_orders"),
            ("平台订单", "platform_orders"),
            ("廉洁协议2024", "agreements"),
        ] {
            let text = not_read(file);
            assert!(
                text.en.contains(&format!("did you mean {expected}")) && text.zh.contains(expected),
                "{file}: {}",
                text.en
            );
        }
        for file in ["说明", "notes", "2024", ""] {
            assert!(
                !not_read(file).en.contains("did you mean"),
                "{file}: {}",
                not_read(file).en
            );
        }
    }
}
