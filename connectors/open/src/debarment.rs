//! Lists of debarments and credit records: CSV, or FollowTheMoney entities of which the sanctions are read.

use std::collections::HashMap;
use std::sync::Arc;

use connector::coerce::{Cell, fold, trim};
use connector::{ReadRequest, Reason};
use xxhash_rust::xxh3::xxh3_128;

use crate::config::{Common, DebarmentConfig, check_code, check_codes};
use crate::connector_open::KindReader;
use crate::error::OpenError;
use crate::ftm::{self, CREDIT_COLUMNS};
use crate::input::Input;
use crate::rows::{Place, Rows, TableSpec, Tables};
use crate::sink::{Notices, Sink};

mod csv;

const SPECS: [TableSpec; 1] = [TableSpec {
    dataset: "credit_records",
    columns: CREDIT_COLUMNS,
}];

/// Usual headers of such lists -> column, beside the data model's own labels.
pub const HEADERS: [(&str, &str); 28] = [
    ("id", "record_id"),
    ("record number", "record_id"),
    ("名单编号", "record_id"),
    ("firm name", "supplier_name"),
    ("firm", "supplier_name"),
    ("name", "supplier_name"),
    ("entity name", "supplier_name"),
    ("company", "supplier_name"),
    ("company name", "supplier_name"),
    ("名称", "supplier_name"),
    ("单位名称", "supplier_name"),
    ("社会信用代码", "supplier_uscc"),
    ("uscc", "supplier_uscc"),
    ("type", "record_type"),
    ("from date", "issued_on"),
    ("start date", "issued_on"),
    ("listing date", "issued_on"),
    ("date of effect", "issued_on"),
    ("处罚日期", "issued_on"),
    ("列入日期", "issued_on"),
    ("to date", "expires_on"),
    ("end date", "expires_on"),
    ("expiry date", "expires_on"),
    ("移出日期", "expires_on"),
    ("grounds", "reason"),
    ("reason", "reason"),
    ("列入原因", "reason"),
    ("处罚事由", "reason"),
];

/// Texts in `expires_on` that mean that it never does.
const NEVER: [&str; 8] = [
    "permanent",
    "indefinite",
    "ongoing",
    "no expiry",
    "永久",
    "长期",
    "无期限",
    "-",
];

/// How lists become rows.
#[derive(Debug)]
pub struct Settings {
    record_type: String,
    /// Folded text -> record type.
    record_types: HashMap<String, String>,
    /// Folded header -> index of the column in [`CREDIT_COLUMNS`].
    headers: HashMap<String, usize>,
    ignored: Vec<String>,
    region_code: Option<String>,
    delimiter: Option<u8>,
    tables: Tables,
    entities: Arc<ftm::Settings>,
}

impl Settings {
    pub fn new(config: &DebarmentConfig, common: &Common) -> Result<Self, OpenError> {
        let record_type = config.record_type.clone().unwrap_or_else(|| "penalty".to_owned());
        check_code(
            "[debarment] record_type",
            &record_type,
            "credit_records",
            "record_type",
        )?;
        check_codes(
            "[debarment.record_types]",
            &config.record_types,
            "credit_records",
            "record_type",
        )?;
        let wrong = |text: String| OpenError::Config(format!("[debarment] {text}"));
        let dataset = domain::dataset("credit_records");
        let mut headers = HashMap::new();
        let index = |column: &str| CREDIT_COLUMNS.iter().position(|c| *c == column);
        for (header, column) in HEADERS {
            headers.extend(index(column).map(|n| (fold(header), n)));
        }
        for column in dataset.iter().flat_map(|d| &d.columns) {
            for text in std::iter::once(&column.name).chain(&column.labels) {
                headers.extend(index(&column.name).map(|n| (fold(text), n)));
            }
        }
        for (column, header) in &config.columns {
            let n = index(column).ok_or_else(|| {
                wrong(format!(
                    "columns: credit_records has no column {column:?}; there are {}",
                    CREDIT_COLUMNS.join(", ")
                ))
            })?;
            // The configuration's header is the only one for its column.
            headers.retain(|_, known| *known != n);
            headers.insert(fold(header), n);
        }
        let delimiter = match config.delimiter.as_deref().map(str::as_bytes) {
            None => None,
            Some([byte]) => Some(*byte),
            Some(_) => return Err(wrong("delimiter is one ASCII character".to_owned())),
        };
        let dataset_types = dataset.iter().flat_map(|d| d.column("record_type"));
        let built_in = dataset_types.flat_map(|column| {
            column.codes.iter().flat_map(|(code, texts)| {
                std::iter::once(code)
                    .chain(texts)
                    .map(move |t| (fold(t), code.clone()))
            })
        });
        let own = config
            .record_types
            .iter()
            .map(|(text, code)| (fold(text), code.clone()));
        Ok(Self {
            record_type,
            record_types: built_in.chain(own).collect(),
            headers,
            ignored: config.ignore.iter().map(|text| fold(text)).collect(),
            region_code: config.region_code.clone(),
            delimiter,
            tables: Tables::new(&SPECS, common.zone)?,
            entities: Arc::new(ftm::Settings::of_list(config, common)?),
        })
    }
}

/// Reads the files of one source.
pub struct Reader {
    settings: Arc<Settings>,
    batch_rows: usize,
    entities: Box<ftm::Reader>,
}

impl Reader {
    pub fn new(settings: Arc<Settings>, request: &ReadRequest) -> Self {
        Self {
            batch_rows: request.batch_rows,
            entities: Box::new(ftm::Reader::new(settings.entities.clone(), request)),
            settings,
        }
    }
}

impl KindReader for Reader {
    fn file(&mut self, input: Input, place: &Place, sink: &mut Sink) -> Result<(), OpenError> {
        if !place.file.to_ascii_lowercase().ends_with(".csv") {
            return self.entities.file(input, place, sink);
        }
        let size = input.bytes();
        let mut rows = Rows::new(&self.settings.tables, place.clone(), self.batch_rows);
        let mut notices = Notices::default();
        match input.text()? {
            Ok(text) => self.list(&text, place, &mut rows, &mut notices, sink)?,
            Err((reason, detail)) => rows.reject(0, 0, None, reason, detail, ""),
        }
        sink.all(rows.take(true)?)?;
        sink.all(notices.take())?;
        sink.progress(size, &place.file)
    }

    fn finish(self: Box<Self>, sink: &mut Sink) -> Result<(), OpenError> {
        self.entities.finish(sink)
    }
}

impl Reader {
    fn list(
        &self,
        text: &str,
        place: &Place,
        rows: &mut Rows,
        notices: &mut Notices,
        sink: &Sink,
    ) -> Result<(), OpenError> {
        let settings = &*self.settings;
        let delimiter = settings.delimiter.unwrap_or_else(|| csv::delimiter(text));
        let mut records = csv::Records::new(text, delimiter);
        let Some(header) = records.next() else {
            rows.reject(0, 0, None, Reason::EmptyFile, Reason::EmptyFile.of_file(), "");
            return Ok(());
        };
        let mut places = [None; CREDIT_COLUMNS.len()];
        for (n, name) in header.cells.iter().enumerate() {
            let folded = fold(name);
            match settings.headers.get(&folded) {
                Some(&column) if places[column].replace(n).is_some() => {
                    rows.reject(0, 0, Some(CREDIT_COLUMNS[column]), Reason::DuplicateColumn, name.as_str(), header.raw);
                    return Ok(());
                }
                Some(_) => {}
                None if folded.is_empty() || settings.ignored.contains(&folded) => {}
                None => notices.add(
                    "COLUMN_IGNORED",
                    &format!("{}: {name}", place.file),
                    (
                        "该列不属于不良记录，未读取；请在 columns 中指定或列入 ignore",
                        "this column is none of credit_records and was not read; name it under columns or ignore",
                    ),
                ),
            }
        }
        // supplier_name or supplier_uscc: whom a record is about.
        if places[2].is_none() && places[3].is_none() {
            let detail = "neither supplier_name nor supplier_uscc; name the list's header under columns";
            rows.reject(
                0,
                0,
                Some("supplier_name"),
                Reason::MissingHeader,
                detail,
                header.raw,
            );
            return Ok(());
        }
        let width = header.cells.len();
        for record in records {
            if record.cells.iter().all(|cell| trim(cell).is_empty()) {
                continue;
            }
            if record.cells.len() != width {
                let detail = format!("{} cells, the header has {width}", record.cells.len());
                rows.reject(0, record.line, None, Reason::WrongCellCount, detail, record.raw);
                continue;
            }
            if record.raw.contains('\u{fffd}') {
                rows.reject(0, record.line, None, Reason::BadEncoding, "", record.raw);
                continue;
            }
            self.record(&record, &places, rows);
            sink.all(rows.take(false)?)?;
        }
        Ok(())
    }

    fn record(
        &self,
        record: &csv::Record<'_>,
        places: &[Option<usize>; CREDIT_COLUMNS.len()],
        rows: &mut Rows,
    ) {
        let settings = &*self.settings;
        let text = |column: usize| {
            places[column]
                .map(|n| trim(&record.cells[n]))
                .filter(|t| !t.is_empty())
        };
        let record_type = match text(4) {
            None => settings.record_type.as_str(),
            Some(text) => match settings.record_types.get(&fold(text)) {
                Some(code) => code,
                None => {
                    return rows.reject(
                        0,
                        record.line,
                        Some("record_type"),
                        Reason::UnknownCode,
                        connector::columns::clip(text),
                        record.raw,
                    );
                }
            },
        };
        let dates = [text(7), text(8)].map(|date| date.map(|d| day_first(d).unwrap_or_else(|| d.to_owned())));
        let expires = dates[1].as_deref().filter(|t| !is_never(t));
        // A list without numbers of its own: what a record says is what it is told apart by.
        let record_id = text(0).map(str::to_owned).unwrap_or_else(|| {
            let said = [2, 3, 4, 7, 9].map(|column| text(column).unwrap_or_default());
            format!("{:032x}", xxh3_128(said.join("\u{1f}").as_bytes()))
        });
        let region = text(6).or(settings.region_code.as_deref());
        let cells = [
            Cell::Text(&record_id),
            text(1).map_or(Cell::Empty, Cell::Text),
            text(2).map_or(Cell::Empty, Cell::Text),
            text(3).map_or(Cell::Empty, Cell::Text),
            Cell::Text(record_type),
            text(5).map_or(Cell::Empty, Cell::Text),
            region.map_or(Cell::Empty, Cell::Text),
            dates[0].as_deref().map_or(Cell::Empty, Cell::Text),
            expires.map_or(Cell::Empty, Cell::Text),
            text(9).map_or(Cell::Empty, Cell::Text),
        ];
        rows.push(0, &cells, record.line, record.raw);
    }
}

/// `noexpiry` folds away its space.
fn is_never(text: &str) -> bool {
    NEVER.iter().any(|never| fold(never) == fold(text))
}

/// `05-MAR-2024` and `5 March 2024` as `2024-03-05`: the month's name leaves no doubt about the order.
fn day_first(text: &str) -> Option<String> {
    const MONTHS: [&str; 12] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let mut parts = text.split(['-', ' ', '/']).filter(|p| !p.is_empty());
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let month = month.to_ascii_lowercase();
    let month = MONTHS.iter().position(|m| month.starts_with(m))? + 1;
    let day: u32 = day.parse().ok()?;
    let is_year = year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit());
    (parts.next().is_none() && is_year).then(|| format!("{year}-{month:02}-{day:02}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_before_named_months() {
        assert_eq!(day_first("05-MAR-2024").as_deref(), Some("2024-03-05"));
        assert_eq!(day_first("5 March 2024").as_deref(), Some("2024-03-05"));
        assert_eq!(day_first("05-03-2024"), None, "which is the month is not said");
        assert_eq!(day_first("2024-03-05"), None);
    }

    #[test]
    fn usual_headers_are_columns_and_each_stands_once() {
        let mut seen = std::collections::HashSet::new();
        for (header, column) in HEADERS {
            assert!(CREDIT_COLUMNS.contains(&column), "{column}");
            assert!(seen.insert(header), "{header}");
        }
    }
}
