//! What the fields of a source mean, in the same words for every kind of source: where a dataset column's
//! values come from, how they are written, and which of the source's columns are known and not wanted.
//!
//! Strict: an unknown key, dataset or column is an error that names it, and nothing is guessed. A column of
//! the source is mapped, found by its name or label, listed under `ignore`, or reported.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use domain::{Column, ColumnType, Dataset};

use crate::coerce::date::Zone;
use crate::coerce::decimal::{self, Factor, Notation};
use crate::coerce::fold;
use crate::columns::{MomentFormat, ValueRules};
use crate::plan::{ColumnPlan, Plan, Source};

mod headers;
mod json_layout;
mod layout;
pub mod written;

pub use json_layout::json_layout;
pub use layout::{Layout, Piece, Refusal, TableKind, rules, template_cells, template_pieces};
use written::{RawColumn, RawRow};

/// What a mapping says of the fields of one table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldMapping {
    /// Texts that mean "no value" in every column.
    pub nulls: Vec<String>,
    /// Source columns (folded) that are known and not wanted.
    pub ignore: Vec<String>,
    /// First cells (folded) of rows that are no data, such as totals.
    pub not_data: Vec<String>,
    /// Dataset column -> where its values come from.
    pub columns: BTreeMap<String, ColumnEntry>,
}

impl FieldMapping {
    /// Checks columns as written against the dataset. `ignore` and `not_data` are folded here.
    pub fn new(
        dataset: &Dataset,
        columns: &BTreeMap<String, RawColumn>,
        nulls: Vec<String>,
        ignore: &[String],
        not_data: &[String],
    ) -> Result<Self, String> {
        let mut entries = BTreeMap::new();
        for (name, column) in columns {
            let known = dataset
                .column(name)
                .ok_or_else(|| unknown_column(dataset, name))?;
            let within = |e: String| format!("columns.{name}: {e}");
            let mut entry = column_entry(column, known.ty).map_err(within)?;
            entry.codes = codes(known, &entry.codes).map_err(within)?;
            entries.insert(name.clone(), entry);
        }
        Ok(Self {
            nulls,
            ignore: ignore.iter().map(|t| fold(t)).collect(),
            not_data: not_data.iter().map(|t| fold(t)).collect(),
            columns: entries,
        })
    }
}

/// Where a dataset column's values come from and how they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnEntry {
    pub from: Option<String>,
    pub constant: Option<String>,
    pub template: Option<String>,
    /// (source column, text): true where the cell has that text.
    pub when: Option<(String, String)>,
    pub factor: Option<Factor>,
    pub format: Option<MomentFormat>,
    pub nulls: Vec<String>,
    pub codes: HashMap<String, String>,
}

/// A row that no file holds.
#[derive(Debug, Clone)]
pub struct ConstantRow {
    pub dataset: Arc<Dataset>,
    pub values: BTreeMap<String, String>,
}

impl ConstantRow {
    /// How the row is made: of constants only.
    pub fn plan(&self, zone: Zone) -> Plan {
        let columns = self
            .dataset
            .columns
            .iter()
            .map(|column| match self.values.get(&column.name) {
                Some(text) => ColumnPlan {
                    source: Source::Constant(text.clone()),
                    rules: ValueRules::default(),
                },
                None => ColumnPlan::absent(),
            });
        Plan {
            dataset: self.dataset.clone(),
            columns: columns.collect(),
            zone,
        }
    }
}

/// The zone of times that have none; China's when the mapping does not say.
pub fn time_zone(name: Option<&str>) -> Result<Zone, String> {
    match name {
        None => Ok(Zone::CHINA),
        Some(name) => Zone::parse(name).ok_or_else(|| {
            format!("time_zone {name:?} is not known; use \"Asia/Shanghai\", \"UTC\" or \"+08:00\"")
        }),
    }
}

/// A share such as `1%` or `2.5%`, in ten-thousandths.
pub fn quarantine_limit(text: &str) -> Result<u32, String> {
    let wrong = || format!("quarantine_limit {text:?} is no percentage such as \"1%\"");
    let percent = Notation {
        percent: true,
        ..Notation::default()
    };
    let number = decimal::parse(text.trim(), percent).map_err(|_| wrong())?;
    let share = decimal::to_scale(number, None, 5, 2).map_err(|_| wrong())?;
    u32::try_from(share)
        .ok()
        .filter(|bp| text.trim().ends_with('%') && *bp <= 10_000)
        .ok_or_else(wrong)
}

/// The dataset of that name, or a sentence that says which one is meant or lists those there are.
pub fn known_dataset(name: &str) -> Result<Arc<Dataset>, String> {
    domain::dataset(name).ok_or_else(|| {
        let meant = |d: &&Arc<Dataset>| fold(&d.title) == fold(name) || fold(&d.name) == fold(name);
        if let Some(meant) = domain::catalogue().iter().find(meant) {
            return format!(
                "there is no dataset {name:?}; write {:?}, which is the name of {}",
                meant.name, meant.title
            );
        }
        let names: Vec<&str> = domain::catalogue().iter().map(|d| d.name.as_str()).collect();
        format!("there is no dataset {name:?}; there are {}", names.join(", "))
    })
}

/// A sentence that names the columns there are.
pub fn unknown_column(dataset: &Dataset, name: &str) -> String {
    let names: Vec<&str> = dataset.columns.iter().map(|c| c.name.as_str()).collect();
    format!(
        "{} has no column {name:?}; it has {}",
        dataset.name,
        names.join(", ")
    )
}

/// What the source writes -> the column's code, which may be given by one of its known spellings. A column with closed
/// codes takes nothing else.
pub fn codes(column: &Column, written: &HashMap<String, String>) -> Result<HashMap<String, String>, String> {
    let of = |text: &String| {
        let spelled = |(code, known): &(&String, &Vec<String>)| {
            std::iter::once(*code)
                .chain(*known)
                .any(|known| fold(known) == fold(text))
        };
        let code = column.code(text).or_else(|| {
            let found = column.codes.iter().find(spelled)?;
            Some(found.0.as_str())
        });
        match code {
            Some(code) => Ok(code.to_owned()),
            None if column.codes_are_closed => {
                let codes: Vec<&str> = column.codes.keys().map(String::as_str).collect();
                Err(format!("codes: {text:?} is none of {}", codes.join(", ")))
            }
            None => Ok(text.clone()),
        }
    };
    written
        .iter()
        .map(|(source, target)| Ok((source.clone(), of(target)?)))
        .collect()
}

/// A column entry as written, checked against the type of its dataset column.
pub fn column_entry(raw: &RawColumn, ty: ColumnType) -> Result<ColumnEntry, String> {
    let raw = match raw {
        RawColumn::From(from) => {
            return Ok(ColumnEntry {
                from: Some(from.clone()),
                ..ColumnEntry::default()
            });
        }
        RawColumn::Table(raw) => raw,
    };
    let given = [
        raw.from.is_some(),
        raw.constant.is_some(),
        raw.template.is_some(),
        raw.when.is_some(),
    ];
    if given.iter().filter(|g| **g).count() != 1 {
        return Err("give exactly one of from, const, template, when".to_owned());
    }
    let when = match &raw.when {
        None => None,
        Some(_) if ty != ColumnType::Bool => return Err("when is for columns of type bool".to_owned()),
        Some(pairs) => match pairs.iter().collect::<Vec<_>>()[..] {
            [(column, text)] => Some((column.clone(), text.clone())),
            _ => return Err("when takes one pair: { \"column\" = \"text\" }".to_owned()),
        },
    };
    let factor = match raw.scale.as_deref() {
        None => None,
        Some(_) if ty.decimal().is_none() && ty != ColumnType::Int => {
            return Err("scale is for columns of numbers".to_owned());
        }
        Some("fen" | "分") => Some(Factor::FEN),
        Some("万元" | "万") => Some(Factor::WAN),
        Some(text) => Some(Factor(decimal::parse(text, Notation::default()).map_err(
            |_| format!("scale {text:?} is none of \"fen\", \"万元\", or a number as text such as \"0.001\""),
        )?)),
    };
    let format = match raw.format.as_deref() {
        None => None,
        Some(_) if !matches!(ty, ColumnType::Date | ColumnType::Timestamp) => {
            return Err("format is for dates and times".to_owned());
        }
        Some("epoch_ms") => Some(MomentFormat::EpochMilliseconds),
        Some("epoch_s") => Some(MomentFormat::EpochSeconds),
        Some("excel") => Some(MomentFormat::SpreadsheetSerial),
        Some(other) => {
            return Err(format!(
                "format {other:?} is none of \"epoch_ms\", \"epoch_s\", \"excel\""
            ));
        }
    };
    Ok(ColumnEntry {
        from: raw.from.clone(),
        constant: raw.constant.clone().map(|c| c.0),
        template: raw.template.clone(),
        when,
        factor,
        format,
        nulls: raw.nulls.clone(),
        codes: raw.codes.clone(),
    })
}

/// A constant row as written, checked.
pub fn constant_row(raw: RawRow) -> Result<ConstantRow, String> {
    let dataset = known_dataset(&raw.dataset).map_err(|e| format!("[[rows]]: {e}"))?;
    if let Some(name) = raw.values.keys().find(|name| dataset.column(name).is_none()) {
        return Err(format!("[[rows]]: {}", unknown_column(&dataset, name)));
    }
    if let Some(name) = dataset.key.iter().find(|name| !raw.values.contains_key(*name)) {
        return Err(format!(
            "[[rows]] dataset = {:?}: values lacks the key {name:?}",
            dataset.name
        ));
    }
    let values = raw
        .values
        .into_iter()
        .map(|(name, value)| (name, value.0))
        .collect();
    Ok(ConstantRow { dataset, values })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(dataset: &str, column: &str, codes: &str) -> Result<HashMap<String, String>, String> {
        let text = format!("{column} = {{ from = 's', codes = {codes} }}");
        let columns = toml::from_str(&text).unwrap();
        let dataset = known_dataset(dataset).unwrap();
        let fields = FieldMapping::new(&dataset, &columns, Vec::new(), &[], &[])?;
        Ok(fields.columns[column].codes.clone())
    }

    #[test]
    fn codes_may_be_given_by_their_known_spellings() {
        for (written, code) in [
            ("received", "received"),
            ("已收货", "received"),
            (" 已 收货", "received"),
            ("Received", "received"),
            ("在途", "在途"),
        ] {
            let codes = mapping("platform_orders", "status", &format!("{{ '3' = '{written}' }}")).unwrap();
            assert_eq!(codes["3"], code, "{written}");
        }
    }

    #[test]
    fn closed_codes_take_nothing_else() {
        let codes = mapping("purchase_orders", "channel", "{ '1' = '线上', '2' = 'offline' }").unwrap();
        assert_eq!(
            (codes["1"].as_str(), codes["2"].as_str()),
            ("platform", "offline")
        );
        let error = mapping("purchase_orders", "channel", "{ '1' = '电话' }").unwrap_err();
        assert!(
            error.contains("columns.channel: codes: \"电话\" is none of ") && error.contains("platform"),
            "{error}"
        );
    }

    #[test]
    fn a_dataset_called_by_its_title_is_named() {
        for name in ["采购订单", " 采购订单", "Purchase_Orders"] {
            let error = known_dataset(name).unwrap_err();
            assert!(
                error.contains("write \"purchase_orders\"") && !error.contains("bids"),
                "{error}"
            );
        }
        assert!(known_dataset("采购").unwrap_err().contains("bids"));
    }
}
