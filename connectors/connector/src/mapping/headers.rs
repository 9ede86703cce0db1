//! Which dataset column a header names.

use std::collections::HashMap;

use domain::{ColumnType, Dataset};

use crate::coerce::decimal::Factor;
use crate::coerce::fold;

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
