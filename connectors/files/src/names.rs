//! Which dataset a file or sheet is named after, and which column a header names.

use std::collections::HashMap;
use std::sync::Arc;

use connector::coerce::decimal::Factor;
use connector::coerce::fold;
use domain::{ColumnType, Dataset, catalogue};

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

/// What headers a dataset's columns go by, folded.
pub struct Headers {
    by_name: HashMap<String, usize>,
    types: Vec<ColumnType>,
}

impl Headers {
    pub fn of(dataset: &Dataset) -> Self {
        let mut by_name = HashMap::new();
        for (index, column) in dataset.columns.iter().enumerate() {
            for label in std::iter::once(&column.name).chain(&column.labels) {
                by_name.insert(fold(label), index);
            }
        }
        Self {
            by_name,
            types: dataset.columns.iter().map(|c| c.ty).collect(),
        }
    }

    /// The dataset column of a folded header, and the unit that the header itself states.
    pub fn find(&self, header: &str) -> Option<(usize, Option<Factor>)> {
        if let Some(index) = self.by_name.get(header) {
            return Some((*index, None));
        }
        let is_money = |index: &usize| matches!(self.types[*index], ColumnType::Money | ColumnType::Price);
        for (unit, factor) in [
            ("(元)", None),
            ("(万元)", Some(Factor::WAN)),
            ("(分)", Some(Factor::FEN)),
        ] {
            if let Some(index) = header
                .strip_suffix(unit)
                .and_then(|h| self.by_name.get(h))
                .filter(|i| is_money(i))
            {
                return Some((*index, factor));
            }
        }
        let index = self.by_name.get(header.strip_suffix("(%)")?)?;
        (self.types[*index] == ColumnType::Percent).then_some((*index, None))
    }
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
    fn headers_may_state_their_unit() {
        let contracts = domain::dataset("contracts").unwrap();
        let headers = Headers::of(&contracts);
        let amount = contracts.column_index("amount").unwrap();
        assert_eq!(headers.find("合同金额"), Some((amount, None)));
        assert_eq!(headers.find("合同金额(元)"), Some((amount, None)));
        assert_eq!(headers.find("合同金额(万元)"), Some((amount, Some(Factor::WAN))));
        assert_eq!(headers.find("合同编号(元)"), None);
        assert_eq!(headers.find("备注"), None);
    }
}
