//! A snapshot held in memory, made from rows; what the cases of a rule run on.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use datafusion::arrow::array::{
    ArrayRef, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use domain::{ColumnType, Dataset, MentionKind};
use matching::{Mention, PartyKind, Resolution};

use super::parties::PartyLookup;
use super::snapshot::{Snapshot, SnapshotSource};
use super::tables::{read_type, stored_schema};
use crate::error::{CollisionError, Result};
use crate::rules::file::sha256;

/// One row: column -> its text, read by the column's type; absent and `None` are null.
pub type TextRow = BTreeMap<String, Option<String>>;

/// The rows of one dataset and when it was last synced.
#[derive(Debug, Clone)]
pub struct DatasetRows {
    pub dataset: Arc<Dataset>,
    pub rows: Vec<TextRow>,
    pub synced_at: DateTime<Utc>,
}

/// A snapshot of given rows, parties resolved as a sync does it.
#[derive(Debug)]
pub struct MemorySnapshot {
    id: i64,
    tables: BTreeMap<String, (RecordBatch, DateTime<Utc>)>,
    parties: RecordBatch,
    lookup: Arc<PartyLookup>,
    branches: Vec<(String, String)>,
    /// Rows of one table are split into so many partitions.
    partitions: usize,
}

fn bad(place: &str, problem: String) -> CollisionError {
    CollisionError::BadFile {
        place: place.to_owned(),
        problem,
    }
}

impl MemorySnapshot {
    /// `place` names the file the rows stand in, for errors.
    pub fn new(place: &str, datasets: &[DatasetRows]) -> Result<Self> {
        let mut mentions = Vec::new();
        let mut tables = BTreeMap::new();
        for given in datasets {
            let batch = batch(place, given, &mut mentions)?;
            tables.insert(given.dataset.name.clone(), (batch, given.synced_at));
        }
        let resolution = matching::resolve(&mentions);
        let lookup = PartyLookup::new(
            resolution
                .refs
                .iter()
                .map(|r| (r.reference, r.party_id.as_str(), r.party_key.as_str())),
        )
        .with_certainty(resolution.refs.iter().map(|r| (r.reference, r.certainty_bp)));
        let parties = parties_batch(&resolution)
            .map_err(|e| CollisionError::engine("parties of the case")(e.into()))?;
        let branches = resolution
            .branches
            .into_iter()
            .map(|b| (b.branch_party_id, b.parent_party_id))
            .collect();
        Ok(Self {
            id: 1,
            tables,
            parties,
            lookup: Arc::new(lookup),
            branches,
            partitions: 1,
        })
    }

    /// The same rows spread over `partitions`; for tests of determinism.
    pub fn with_partitions(mut self, partitions: usize) -> Self {
        self.partitions = partitions.max(1);
        self
    }
}

/// Local midnight in China as UTC.
pub fn start_of_day(day: NaiveDate) -> DateTime<Utc> {
    (day.and_time(NaiveTime::MIN) - TimeDelta::hours(8)).and_utc()
}

/// A timestamp as test files write it: local date, local time, or UTC with a final `Z`.
pub fn parse_timestamp(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Some(start_of_day(day));
    }
    if text.ends_with('Z') {
        return DateTime::parse_from_rfc3339(&text.replacen(' ', "T", 1))
            .ok()
            .map(|t| t.with_timezone(&Utc));
    }
    let text = text.replacen('T', " ", 1);
    ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(&text, format).ok())
        .map(|local| (local - TimeDelta::hours(8)).and_utc())
}

/// A column of texts read by the column's type. `Err` names the row (from 0) and text that does not fit.
pub fn typed_column(
    ty: ColumnType,
    texts: &[Option<&str>],
) -> std::result::Result<ArrayRef, (usize, String)> {
    let array =
        |texts: &[Option<&str>]| Arc::new(StringViewArray::from_iter(texts.iter().copied())) as ArrayRef;
    if ty == ColumnType::Timestamp {
        let mut micros = Vec::with_capacity(texts.len());
        for (row, text) in texts.iter().enumerate() {
            micros.push(match text {
                None => None,
                Some(t) => Some(
                    parse_timestamp(t)
                        .ok_or((row, (*t).to_owned()))?
                        .timestamp_micros(),
                ),
            });
        }
        return Ok(Arc::new(TimestampMicrosecondArray::from(micros)));
    }
    if let Some((_, scale)) = ty.decimal() {
        let too_fine = |t: &str| {
            t.split_once('.')
                .is_some_and(|(_, part)| part.trim_end_matches('0').len() > scale as usize)
        };
        if let Some((row, text)) = texts.iter().enumerate().find(|(_, t)| t.is_some_and(too_fine)) {
            return Err((row, text.unwrap_or_default().to_owned()));
        }
    }
    let target = read_type(ty);
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(&array(texts), &target, &strict).map_err(|_| {
        let wrong = texts.iter().position(|t| {
            let one = array(std::slice::from_ref(t));
            cast_with_options(&one, &target, &strict).is_err()
        });
        let row = wrong.unwrap_or(0);
        (
            row,
            texts.get(row).copied().flatten().unwrap_or_default().to_owned(),
        )
    })
}

/// The stored table of the given rows; its mentions are added to `mentions`.
fn batch(place: &str, given: &DatasetRows, mentions: &mut Vec<Mention>) -> Result<RecordBatch> {
    let dataset = &given.dataset;
    for row in &given.rows {
        if let Some(name) = row.keys().find(|name| dataset.column(name).is_none()) {
            return Err(bad(
                place,
                format!("dataset {} has no column {name}", dataset.name),
            ));
        }
    }
    let filled: Vec<HashMap<&str, String>> = given
        .rows
        .iter()
        .enumerate()
        .map(|(n, row)| {
            let mut cells: HashMap<&str, String> = row
                .iter()
                .filter_map(|(k, v)| Some((k.as_str(), v.clone()?)))
                .collect();
            for key in &dataset.key {
                cells.entry(key).or_insert_with(|| fill_in(dataset, key, n));
            }
            cells
        })
        .collect();
    let cell = |n: usize, column: &str| filled[n].get(column).map(String::as_str);
    let mut columns: Vec<ArrayRef> = Vec::new();
    for column in &dataset.columns {
        let texts: Vec<Option<&str>> = (0..filled.len()).map(|n| cell(n, &column.name)).collect();
        if column.codes_are_closed
            && let Some(text) = texts.iter().flatten().find(|t| !column.codes.contains_key(**t))
        {
            let codes = column.codes.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(bad(
                place,
                format!("{}.{}: {text:?} is none of {codes}", dataset.name, column.name),
            ));
        }
        let array = typed_column(column.ty, &texts).map_err(|(row, text)| {
            let (d, c, t) = (&dataset.name, &column.name, column.ty.name());
            bad(place, format!("{d}.{c}, row {}: {text:?} is no {t}", row + 1))
        })?;
        columns.push(array);
    }
    let rows = filled.len();
    let hashes = filled.iter().map(|cells| {
        let own = dataset
            .columns
            .iter()
            .map(|c| format!("{:?};", cells.get(c.name.as_str())));
        i64::from_str_radix(&sha256(&own.collect::<String>())[..15], 16).unwrap_or_default()
    });
    let text = |value: &str| Arc::new(StringViewArray::from_iter_values(vec![value; rows])) as ArrayRef;
    columns.push(text("test"));
    columns.push(text(&sha256(&dataset.name)));
    columns.push(Arc::new(Int64Array::from_iter_values(1..=rows as i64)));
    columns.push(Arc::new(TimestampMicrosecondArray::from(vec![
        given
            .synced_at
            .timestamp_micros(
            );
        rows
    ])));
    columns.push(Arc::new(Int64Array::from_iter_values(hashes)));
    for slot in &dataset.mentions {
        let mut references = Vec::with_capacity(rows);
        for n in 0..rows {
            let of = |column: &Option<String>| column.as_deref().and_then(|c| cell(n, c)).map(str::to_owned);
            let (id, name, code) = (of(&slot.id), of(&slot.name), of(&slot.code));
            let kind = match &slot.kind {
                MentionKind::Company => PartyKind::Company,
                MentionKind::Person => PartyKind::Person,
                MentionKind::ByColumn(column) if cell(n, column) == Some("person") => PartyKind::Person,
                MentionKind::ByColumn(_) => PartyKind::Company,
            };
            if id.is_none() && name.is_none() && code.is_none() {
                references.push(None);
                continue;
            }
            let reference = mentions.len() as i64 + 1;
            references.push(Some(reference));
            let context = dataset
                .key
                .iter()
                .filter_map(|k| cell(n, k))
                .collect::<Vec<_>>()
                .join("|");
            mentions.push(Mention {
                reference,
                kind,
                id,
                name,
                code,
                dataset: dataset.name.clone(),
                slot: slot.slot.clone(),
                context,
            });
        }
        columns.push(Arc::new(Int64Array::from(references)));
    }
    RecordBatch::try_new(stored_schema(dataset), columns)
        .map_err(|e| CollisionError::engine(format!("rows of {}", dataset.name))(e.into()))
}

/// A key that the row did not name: the same for the same place.
fn fill_in(dataset: &Dataset, key: &str, n: usize) -> String {
    match dataset.column(key).map(|c| c.ty) {
        Some(ColumnType::Int) => (n + 1).to_string(),
        Some(ColumnType::Date) => (NaiveDate::default() + TimeDelta::days(n as i64)).to_string(),
        _ => format!("{}-{}", dataset.name, n + 1),
    }
}

/// The dataset `parties` and its columns.
fn parties_batch(resolution: &Resolution) -> datafusion::arrow::error::Result<RecordBatch> {
    let names = ["party_id", "kind", "name", "uscc", "id_number", "aliases"];
    let schema = Arc::new(Schema::new(
        names.map(|n| Field::new(n, DataType::Utf8View, true)).to_vec(),
    ));
    let p = &resolution.parties;
    let aliases: Vec<String> = p.iter().map(|p| p.aliases.join("|")).collect();
    let column = |texts: Vec<Option<&str>>| Arc::new(StringViewArray::from_iter(texts)) as ArrayRef;
    RecordBatch::try_new(
        schema,
        vec![
            column(p.iter().map(|p| Some(p.party_id.as_str())).collect()),
            column(p.iter().map(|p| Some(p.kind.as_str())).collect()),
            column(p.iter().map(|p| Some(p.name.as_str())).collect()),
            column(p.iter().map(|p| p.uscc.as_deref()).collect()),
            column(p.iter().map(|p| p.id_number.as_deref()).collect()),
            column(aliases.iter().map(|a| Some(a.as_str())).collect()),
        ],
    )
}

fn table(batch: &RecordBatch, partitions: usize) -> Result<Arc<dyn TableProvider>> {
    let rows = batch.num_rows();
    let step = rows.div_ceil(partitions).max(1);
    let parts = (0..partitions)
        .map(|n| vec![batch.slice((n * step).min(rows), step.min(rows - (n * step).min(rows)))])
        .collect();
    let table = MemTable::try_new(batch.schema(), parts).map_err(CollisionError::engine("rows in memory"))?;
    Ok(Arc::new(table))
}

#[async_trait]
impl Snapshot for MemorySnapshot {
    fn id(&self) -> i64 {
        self.id
    }

    async fn dataset(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        self.tables
            .get(name)
            .map(|(batch, _)| table(batch, self.partitions))
            .transpose()
    }

    async fn other_tables(&self) -> Result<BTreeMap<String, Arc<dyn TableProvider>>> {
        Ok(BTreeMap::from([("parties".to_owned(), table(&self.parties, 1)?)]))
    }

    async fn parties(&self) -> Result<Arc<PartyLookup>> {
        Ok(self.lookup.clone())
    }

    async fn branches(&self) -> Result<Vec<(String, String)>> {
        Ok(self.branches.clone())
    }

    fn taken_on(&self) -> NaiveDate {
        let last = self
            .tables
            .values()
            .map(|(_, at)| *at)
            .max()
            .unwrap_or(DateTime::<Utc>::UNIX_EPOCH);
        domain::clock::local_date(last - TimeDelta::microseconds(1))
    }

    async fn table_versions(&self) -> Result<BTreeMap<String, i64>> {
        Ok(self.tables.keys().map(|name| (name.clone(), self.id)).collect())
    }

    async fn last_synced(&self, dataset: &str) -> Result<Option<DateTime<Utc>>> {
        Ok(self.tables.get(dataset).map(|(_, at)| *at))
    }
}

/// Serves one snapshot only.
#[derive(Debug, Clone)]
pub struct MemorySource(pub Arc<MemorySnapshot>);

#[async_trait]
impl SnapshotSource for MemorySource {
    async fn snapshot(&self, id: Option<i64>) -> Result<Arc<dyn Snapshot>> {
        match id {
            Some(other) if other != self.0.id => Err(CollisionError::NoSuchSnapshot(other)),
            _ => Ok(self.0.clone()),
        }
    }

    async fn snapshots(&self, _limit: usize) -> Result<Vec<(i64, String, String)>> {
        Ok(vec![(
            self.0.id,
            DateTime::<Utc>::UNIX_EPOCH.to_rfc3339(),
            "given rows".into(),
        )])
    }
}
