//! Which dataset a file or sheet is named after.

use std::sync::Arc;

use connector::coerce::fold;
use domain::{Dataset, catalogue};

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

fn is_numbering(rest: &str) -> bool {
    let rest = rest.replace("part", "");
    rest.chars().all(|c| {
        c.is_ascii_digit()
            || matches!(
                c,
                '-' | '_'
                    | '.'
                    | '('
                    | ')'
                    | '年'
                    | '月'
                    | '日'
                    | '第'
                    | '页'
                    | '期'
                    | '季'
                    | '度'
                    | '部'
                    | '分'
            )
    })
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
}
