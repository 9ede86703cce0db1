//! The mapping file: what a source's files, sheets and columns mean, where their names do not say it.
//!
//! Strict: an unknown key, dataset or column is an error that names it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use connector::coerce::date::Zone;
use connector::coerce::fold;
use connector::mapping::{
    ConstantRow, FieldMapping, constant_row, known_dataset, quarantine_limit, time_zone,
};
use domain::Dataset;

use crate::error::FilesError;

mod written;

use written::{HeaderRow, RawFile, RawMapping};

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
    /// Where the records are in a JSON file, e.g. `data.list`; none: the file is the list.
    pub records: Option<String>,
    pub encoding: Option<String>,
    pub delimiter: Option<u8>,
    /// What its columns are.
    pub fields: FieldMapping,
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
        let zone = time_zone(raw.time_zone.as_deref())?;
        let quarantine_limit_bp = raw
            .quarantine_limit
            .as_deref()
            .map(quarantine_limit)
            .transpose()?;
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
    let nulls = raw.nulls.iter().chain(nulls).cloned().collect();
    let fields = FieldMapping::new(&dataset, &raw.columns, nulls, &raw.ignore, &raw.not_data)?;
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
        records: raw.records.clone(),
        encoding: raw.encoding.clone(),
        delimiter,
        fields,
    })
}

#[cfg(test)]
mod tests {
    use connector::coerce::decimal::Factor;

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
        assert_eq!(table.fields.columns["amount"].factor, Some(Factor::FEN));
        assert_eq!(table.fields.columns["line_no"].constant.as_deref(), Some("1"));
        assert_eq!(table.fields.not_data, ["合计"]);
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
