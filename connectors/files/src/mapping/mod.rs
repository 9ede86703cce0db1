//! The mapping file: what a source's files, sheets and columns mean, where their names do not say it.
//!
//! Strict: an unknown key, dataset or column is an error that names it.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use connector::coerce::date::Zone;
use connector::coerce::decimal::{self, Factor, Notation};
use connector::coerce::fold;
use connector::columns::MomentFormat;
use domain::{ColumnType, Dataset};

use crate::error::FilesError;

mod written;

use written::{HeaderRow, RawColumn, RawFile, RawMapping, RawRow};

/// A mapping, checked.
#[derive(Debug, Clone)]
pub struct Mapping {
    pub path: PathBuf,
    pub source: Option<String>,
    pub zone: Zone,
    /// In ten-thousandths.
    pub quarantine_limit_bp: Option<u32>,
    pub entries: Vec<Entry>,
    pub rows: Vec<ConstantRow>,
}

/// What one `[[file]]` says of the files and sheets it matches.
#[derive(Debug, Clone)]
pub struct Entry {
    pub glob: String,
    pattern: glob::Pattern,
    /// Empty: every sheet.
    pub sheets: Vec<String>,
    pub meaning: Meaning,
}

#[derive(Debug, Clone)]
pub enum Meaning {
    /// Known and not to be read, with the reason.
    Skip(String),
    Table(Arc<TableEntry>),
}

#[derive(Debug, Clone)]
pub struct TableEntry {
    pub dataset: Arc<Dataset>,
    /// Line or sheet row of the header; none: found by its words.
    pub header_row: Option<u64>,
    /// First cells (folded) of rows that are no data, such as totals.
    pub not_data: Vec<String>,
    /// Where the records are in a JSON file, e.g. `data.list`; none: the file is the list.
    pub records: Option<String>,
    pub encoding: Option<String>,
    pub delimiter: Option<u8>,
    pub nulls: Vec<String>,
    /// Source columns (folded) that are known and not wanted.
    pub ignore: Vec<String>,
    /// Dataset column -> where its values come from.
    pub columns: BTreeMap<String, ColumnEntry>,
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

impl Entry {
    /// `path` is below the source's directory, with `/`. A glob without `/` matches the name in any folder.
    pub fn matches_file(&self, path: &str) -> bool {
        let subject = if self.glob.contains('/') {
            path
        } else {
            path.rsplit('/').next().unwrap_or(path)
        };
        let options = glob::MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            require_literal_leading_dot: false,
        };
        self.pattern.matches_with(subject, options)
    }

    pub fn matches_sheet(&self, sheet: &str) -> bool {
        self.sheets.is_empty() || self.sheets.iter().any(|s| fold(s) == fold(sheet))
    }
}

impl Mapping {
    pub fn load(path: &Path) -> Result<Self, FilesError> {
        let text = std::fs::read_to_string(path).map_err(|source| FilesError::MappingFile {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, path).map_err(|message| FilesError::Mapping {
            path: path.to_owned(),
            message,
        })
    }

    /// Reads a mapping; `path` is for messages and raw batches only.
    pub fn parse(text: &str, path: &Path) -> Result<Self, String> {
        let raw: RawMapping = toml::from_str(text).map_err(|e| e.to_string())?;
        let zone = match &raw.time_zone {
            None => Zone::CHINA,
            Some(name) => Zone::parse(name).ok_or_else(|| {
                format!("time_zone {name:?} is not known; use \"Asia/Shanghai\", \"UTC\" or \"+08:00\"")
            })?,
        };
        let quarantine_limit_bp = raw.quarantine_limit.as_deref().map(limit).transpose()?;
        let entries = raw
            .file
            .into_iter()
            .map(|f| entry(f, &raw.nulls))
            .collect::<Result<_, _>>()?;
        let rows = raw.rows.into_iter().map(constant_row).collect::<Result<_, _>>()?;
        Ok(Self {
            path: path.to_owned(),
            source: raw.source,
            zone,
            quarantine_limit_bp,
            entries,
            rows,
        })
    }
}

fn limit(text: &str) -> Result<u32, String> {
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

fn known_dataset(name: &str) -> Result<Arc<Dataset>, String> {
    domain::dataset(name).ok_or_else(|| {
        let names: Vec<&str> = domain::catalogue().iter().map(|d| d.name.as_str()).collect();
        format!("there is no dataset {name:?}; there are {}", names.join(", "))
    })
}

fn entry(raw: RawFile, nulls: &[String]) -> Result<Entry, String> {
    let place = format!("[[file]] glob = {:?}", raw.glob);
    let pattern = glob::Pattern::new(&raw.glob).map_err(|e| format!("{place}: {e}"))?;
    let sheets = raw.sheet.clone().map(|s| s.0).unwrap_or_default();
    let meaning = match (&raw.dataset, &raw.skip) {
        (None, Some(reason)) => Meaning::Skip(reason.clone()),
        (Some(dataset), None) => Meaning::Table(Arc::new(
            table(dataset, &raw, nulls).map_err(|e| format!("{place}: {e}"))?,
        )),
        _ => {
            return Err(format!(
                "{place}: give either dataset = \"...\" or skip = \"reason\""
            ));
        }
    };
    Ok(Entry {
        glob: raw.glob,
        pattern,
        sheets,
        meaning,
    })
}

fn table(dataset: &str, raw: &RawFile, nulls: &[String]) -> Result<TableEntry, String> {
    let dataset = known_dataset(dataset)?;
    let mut columns = BTreeMap::new();
    for (name, column) in &raw.columns {
        let known = dataset
            .column(name)
            .ok_or_else(|| unknown_column(&dataset, name))?;
        let entry = column_entry(column, known.ty).map_err(|e| format!("columns.{name}: {e}"))?;
        let strange = entry
            .codes
            .values()
            .find(|code| known.codes_are_closed && known.code(code).is_none());
        if let Some(code) = strange {
            let codes: Vec<&str> = known.codes.keys().map(String::as_str).collect();
            return Err(format!(
                "columns.{name}: codes: {code:?} is none of {}",
                codes.join(", ")
            ));
        }
        columns.insert(name.clone(), entry);
    }
    let delimiter = match raw.delimiter.as_deref() {
        None => None,
        Some(text @ ("," | "\t" | ";" | "|")) => Some(text.as_bytes()[0]),
        Some(other) => {
            return Err(format!(
                "delimiter {other:?} is none of \",\", \"\\t\", \";\", \"|\""
            ));
        }
    };
    if let Some(name) = &raw.encoding
        && connector::decode::Encoding::by_name(name).is_none()
    {
        return Err(format!(
            "encoding {name:?} is none of \"utf-8\", \"gb18030\", \"utf-16le\", \"utf-16be\""
        ));
    }
    let header_row = match raw.header_row {
        None | Some(HeaderRow::Auto) => None,
        Some(HeaderRow::Row(row)) => Some(row),
    };
    Ok(TableEntry {
        dataset,
        header_row,
        not_data: raw.not_data.iter().map(|t| fold(t)).collect(),
        records: raw.records.clone(),
        encoding: raw.encoding.clone(),
        delimiter,
        nulls: raw.nulls.iter().chain(nulls).cloned().collect(),
        ignore: raw.ignore.iter().map(|t| fold(t)).collect(),
        columns,
    })
}

fn unknown_column(dataset: &Dataset, name: &str) -> String {
    let names: Vec<&str> = dataset.columns.iter().map(|c| c.name.as_str()).collect();
    format!(
        "{} has no column {name:?}; it has {}",
        dataset.name,
        names.join(", ")
    )
}

fn column_entry(raw: &RawColumn, ty: ColumnType) -> Result<ColumnEntry, String> {
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

fn constant_row(raw: RawRow) -> Result<ConstantRow, String> {
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

    fn parse(text: &str) -> Result<Mapping, String> {
        Mapping::parse(text, Path::new("mapping.toml"))
    }

    #[test]
    fn a_full_mapping_is_read() {
        let mapping = parse(
            r#"
            source = "h1"
            time_zone = "+08:00"
            quarantine_limit = "2.5%"
            nulls = ["无"]

            [[file]]
            glob = "orders/*.csv"
            dataset = "purchase_orders"
            header_row = 3
            not_data = ["合 计"]
            ignore = ["序号"]
            [file.columns]
            order_id = "单号"
            line_no = { const = 1 }
            amount = { from = "金额", scale = "fen" }
            ordered_at = { from = "时间", format = "epoch_ms" }

            [[file]]
            glob = "*.xlsx"
            sheet = ["说明", "封面"]
            skip = "text for readers"

            [[rows]]
            dataset = "hospitals"
            values = { hospital_id = "H1", region_code = 330000 }
            "#,
        )
        .unwrap();
        assert_eq!(mapping.quarantine_limit_bp, Some(250));
        let entry = &mapping.entries[0];
        assert!(
            entry.matches_file("orders/a.csv")
                && !entry.matches_file("a.csv")
                && !entry.matches_file("orders/x/a.csv")
        );
        assert!(mapping.entries[1].matches_file("deep/a.xlsx") && mapping.entries[1].matches_sheet("封面"));
        let Meaning::Table(table) = &entry.meaning else {
            panic!("a table")
        };
        assert_eq!(table.columns["amount"].factor, Some(Factor::FEN));
        assert_eq!(table.columns["line_no"].constant.as_deref(), Some("1"));
        assert_eq!(table.not_data, ["合计"]);
        assert_eq!(mapping.rows[0].values["region_code"], "330000");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, word) in [
            ("sources = 'x'", "sources"),
            ("[[file]]\nglob='*'\ndataset='orders'", "no dataset \"orders\""),
            ("[[file]]\nglob='*'", "either dataset"),
            ("[[file]]\nglob='['\nskip='x'", "glob"),
            (
                "[[file]]\nglob='*'\ndataset='bids'\n[file.columns]\nprice='x'",
                "no column \"price\"",
            ),
            (
                "[[file]]\nglob='*'\ndataset='bids'\n[file.columns]\namount={from='x', unit='y'}",
                "unit",
            ),
            (
                "[[file]]\nglob='*'\ndataset='bids'\n[file.columns]\namount={from='x', scale='dollars'}",
                "dollars",
            ),
            (
                "[[file]]\nglob='*'\ndataset='bids'\n[file.columns]\namount={const=1.5}",
                "write a number",
            ),
            (
                "[[file]]\nglob='*'\ndataset='bids'\n[file.columns]\namount={from='a', const='b'}",
                "exactly one",
            ),
            (
                "[[file]]\nglob='*'\ndataset='bids'\n[file.columns]\namount={when={'a'='b'}}",
                "bool",
            ),
            ("[[file]]\nglob='*'\ndataset='bids'\nencoding='latin'", "latin"),
            ("[[file]]\nglob='*'\ndataset='bids'\nheader_row=0", "header"),
            (
                "[[file]]\nglob='*'\ndataset='bids'\n[file.columns]\nstatus={from='s', codes={'1'='ok'}}",
                "\"ok\" is none",
            ),
            ("quarantine_limit='1'", "percentage"),
            ("quarantine_limit='101%'", "percentage"),
            ("time_zone='Mars'", "Mars"),
            (
                "[[rows]]\ndataset='hospitals'\nvalues={name='x'}",
                "lacks the key",
            ),
            (
                "[[rows]]\ndataset='hospitals'\nvalues={hospital_id='x', nam='y'}",
                "no column \"nam\"",
            ),
        ] {
            let message = parse(text).expect_err(text);
            assert!(message.contains(word), "{text}: {message}");
        }
    }
}
