//! The tables a sync keeps beside the datasets: mentions, parties, batches, counts. Rows in, Parquet out, and back.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use domain::ports::{DatasetCounts, QuarantineFilter};

use crate::catalogue::TableInfo;
use crate::error::{LakeError, Result, arrow_doing};
use crate::parquet_file::{read_columns, read_deletes};
use crate::raw::KeptBatch;
use crate::shape::{BATCHES, MENTIONS, PARTIES, PARTY_BRANCHES, PARTY_REFS, SYNCS, Shape};
use crate::sync::Mention;

/// An organisation or person, as resolved. `aliases` are the other names it goes by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartyRow {
    pub party_id: String,
    /// `company`, `person` or `hospital`.
    pub kind: String,
    pub name: String,
    pub uscc: Option<String>,
    pub id_number: Option<String>,
    pub aliases: Vec<String>,
}

const CERTAIN_BP: u16 = 10_000;

/// What a mention's reference was resolved to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartyRefRow {
    pub reference: i64,
    pub party_id: String,
    pub party_key: String,
    /// How sure it is, in ten-thousandths; 10,000 in lakes that do not tell.
    pub certainty_bp: u16,
}

/// A branch and the company it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartyBranchRow {
    pub branch_party_id: String,
    pub parent_party_id: String,
}

/// All that resolution yields. Sorted when read from the lake.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartyTables {
    pub parties: Vec<PartyRow>,
    pub refs: Vec<PartyRefRow>,
    pub branches: Vec<PartyBranchRow>,
}

/// A row of `_quarantine`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantinedRow {
    pub sync_id: String,
    pub dataset: String,
    pub file: String,
    pub row: u64,
    pub field: Option<String>,
    pub reason: String,
    pub detail: String,
    pub raw: Vec<u8>,
}

/// Where a quarantined row stood.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct QuarantinedPlace {
    pub dataset: String,
    /// Digest of the raw batch.
    pub batch: String,
    /// 0: the file as a whole.
    pub row: u64,
}

/// Calls `each` with the live rows of a table, as they are stored.
fn each_batch(table: &TableInfo, mut each: impl FnMut(RecordBatch) -> Result<()>) -> Result<()> {
    let names: Vec<&str> = table.columns.iter().map(|(_, c)| c.name.as_str()).collect();
    for file in &table.files {
        let gone = match &file.delete {
            Some(delete) => read_deletes(&delete.path)?,
            None => Vec::new(),
        };
        read_columns(&file.path, &names, |first, batch| {
            if gone.is_empty() {
                return each(batch.clone());
            }
            let is_live = |p: u64| u32::try_from(p).is_ok_and(|p| gone.binary_search(&p).is_err());
            let live: BooleanArray = (first..)
                .take(batch.num_rows())
                .map(|p| Some(is_live(p)))
                .collect();
            each(filter_record_batch(batch, &live).map_err(arrow_doing("leave out deleted rows"))?)
        })?;
    }
    Ok(())
}

/// Live rows of a table, as they are stored.
pub(crate) fn read_rows(table: &TableInfo) -> Result<Vec<RecordBatch>> {
    let mut batches = Vec::new();
    each_batch(table, |batch| {
        batches.push(batch);
        Ok(())
    })?;
    Ok(batches)
}

/// Access to a stored batch's columns by name.
struct Columns<'a>(&'a RecordBatch);

impl<'a> Columns<'a> {
    fn get(&self, name: &str) -> Result<&'a ArrayRef> {
        self.0.column_by_name(name).ok_or_else(|| LakeError::Unreadable {
            what: format!("a bookkeeping file lacks column {name}"),
        })
    }

    fn text(&self, name: &str) -> Result<&'a StringArray> {
        Ok(self.get(name)?.as_string::<i32>())
    }

    fn int(&self, name: &str) -> Result<&'a Int64Array> {
        Ok(self.get(name)?.as_primitive::<Int64Type>())
    }
}

fn optional(array: &StringArray, row: usize) -> Option<String> {
    array.is_valid(row).then(|| array.value(row).to_owned())
}

fn each_row(table: &TableInfo, mut each: impl FnMut(&Columns<'_>, usize) -> Result<()>) -> Result<()> {
    each_batch(table, |batch| {
        let columns = Columns(&batch);
        (0..batch.num_rows()).try_for_each(|row| each(&columns, row))
    })
}

pub(crate) fn read_mentions(table: &TableInfo) -> Result<Vec<Mention>> {
    let mut mentions = Vec::new();
    each_row(table, |c, row| {
        mentions.push(Mention {
            reference: c.int("ref")?.value(row),
            dataset: c.text("dataset")?.value(row).to_owned(),
            slot: c.text("slot")?.value(row).to_owned(),
            kind: c.text("kind")?.value(row).to_owned(),
            id: optional(c.text("id")?, row),
            name: optional(c.text("name")?, row),
            code: optional(c.text("code")?, row),
            context: c.text("context")?.value(row).to_owned(),
        });
        Ok(())
    })?;
    Ok(mentions)
}

pub(crate) fn read_parties(table: &TableInfo) -> Result<Vec<PartyRow>> {
    let mut parties = Vec::new();
    each_row(table, |c, row| {
        let aliases = match optional(c.text("aliases")?, row) {
            None => Vec::new(),
            Some(text) => serde_json::from_str(&text).map_err(|e| LakeError::Unreadable {
                what: format!("aliases of a party: {e}"),
            })?,
        };
        parties.push(PartyRow {
            party_id: c.text("party_id")?.value(row).to_owned(),
            kind: c.text("kind")?.value(row).to_owned(),
            name: c.text("name")?.value(row).to_owned(),
            uscc: optional(c.text("uscc")?, row),
            id_number: optional(c.text("id_number")?, row),
            aliases,
        });
        Ok(())
    })?;
    parties.sort_unstable();
    Ok(parties)
}

pub(crate) fn read_refs(table: &TableInfo) -> Result<Vec<PartyRefRow>> {
    let mut refs = Vec::new();
    each_row(table, |c, row| {
        refs.push(PartyRefRow {
            reference: c.int("ref")?.value(row),
            party_id: c.text("party_id")?.value(row).to_owned(),
            party_key: c.text("party_key")?.value(row).to_owned(),
            certainty_bp: match c.0.column_by_name("certainty_bp") {
                Some(column) if column.is_valid(row) => {
                    u16::try_from(column.as_primitive::<Int64Type>().value(row)).unwrap_or(CERTAIN_BP)
                }
                _ => CERTAIN_BP,
            },
        });
        Ok(())
    })?;
    refs.sort_unstable();
    Ok(refs)
}

pub(crate) fn read_branches(table: &TableInfo) -> Result<Vec<PartyBranchRow>> {
    let mut branches = Vec::new();
    each_row(table, |c, row| {
        branches.push(PartyBranchRow {
            branch_party_id: c.text("branch_party_id")?.value(row).to_owned(),
            parent_party_id: c.text("parent_party_id")?.value(row).to_owned(),
        });
        Ok(())
    })?;
    branches.sort_unstable();
    Ok(branches)
}

/// Digest -> bytes of every raw batch that is part of a commit.
pub(crate) fn read_batches(table: &TableInfo) -> Result<HashMap<String, u64>> {
    let mut batches = HashMap::new();
    each_row(table, |c, row| {
        let bytes = u64::try_from(c.int("bytes")?.value(row)).unwrap_or_default();
        batches.insert(c.text("digest")?.value(row).to_owned(), bytes);
        Ok(())
    })?;
    Ok(batches)
}

/// When each dataset was last synced (UTC microseconds).
pub(crate) fn read_last_synced(table: &TableInfo) -> Result<HashMap<String, i64>> {
    let mut last = HashMap::new();
    each_row(table, |c, row| {
        let started = c
            .get("started_at")?
            .as_primitive::<TimestampMicrosecondType>()
            .value(row);
        let entry = last
            .entry(c.text("dataset")?.value(row).to_owned())
            .or_insert(started);
        *entry = started.max(*entry);
        Ok(())
    })?;
    Ok(last)
}

/// Newest sync first, and within a sync in reading order; at most `limit`.
pub(crate) fn read_quarantine(
    table: &TableInfo,
    filter: &QuarantineFilter,
    limit: usize,
) -> Result<Vec<QuarantinedRow>> {
    let mut rows = Vec::new();
    for file in table.files.iter().rev() {
        if rows.len() >= limit {
            break;
        }
        let one = TableInfo {
            files: vec![file.clone()],
            ..table.clone()
        };
        each_row(&one, |c, row| {
            let of = c.text("dataset")?.value(row);
            let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|w| w == found);
            if rows.len() < limit
                && is(&filter.dataset, of)
                && is(&filter.source, c.text("source")?.value(row))
                && is(&filter.reason, c.text("reason")?.value(row))
            {
                rows.push(QuarantinedRow {
                    sync_id: c.text("sync_id")?.value(row).to_owned(),
                    dataset: of.to_owned(),
                    file: c.text("file")?.value(row).to_owned(),
                    row: u64::try_from(c.int("row")?.value(row)).unwrap_or_default(),
                    field: optional(c.text("field")?, row),
                    reason: c.text("reason")?.value(row).to_owned(),
                    detail: c.text("detail")?.value(row).to_owned(),
                    raw: c.get("raw")?.as_binary::<i32>().value(row).to_vec(),
                });
            }
            Ok(())
        })?;
    }
    Ok(rows)
}

/// Where the quarantined rows of a source stood, in order.
pub(crate) fn read_quarantined_places(table: &TableInfo, source: &str) -> Result<Vec<QuarantinedPlace>> {
    let mut places = Vec::new();
    each_row(table, |c, row| {
        if c.text("source")?.value(row) == source {
            places.push(QuarantinedPlace {
                dataset: c.text("dataset")?.value(row).to_owned(),
                batch: c.text("batch")?.value(row).to_owned(),
                row: u64::try_from(c.int("row")?.value(row)).unwrap_or_default(),
            });
        }
        Ok(())
    })?;
    places.sort_unstable();
    places.dedup();
    Ok(places)
}

/// Digest -> name of the raw batches of a source.
pub(crate) fn read_batch_names(table: &TableInfo, source: &str) -> Result<HashMap<String, String>> {
    let mut names = HashMap::new();
    each_row(table, |c, row| {
        if c.text("source")?.value(row) == source {
            names.insert(
                c.text("digest")?.value(row).to_owned(),
                c.text("name")?.value(row).to_owned(),
            );
        }
        Ok(())
    })?;
    Ok(names)
}

fn batch_of(table: &str, columns: Vec<ArrayRef>) -> Result<(Shape, RecordBatch)> {
    let shape = Shape::of(table).ok_or_else(|| LakeError::NoTable {
        table: table.to_owned(),
    })?;
    let batch =
        RecordBatch::try_new(shape.stored_schema(), columns).map_err(arrow_doing("list bookkeeping rows"))?;
    Ok((shape, batch))
}

fn texts<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn optional_texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn ints(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(crate) fn mentions_batch(rows: &[Mention]) -> Result<(Shape, RecordBatch)> {
    batch_of(
        MENTIONS,
        vec![
            ints(rows.iter().map(|m| m.reference)),
            texts(rows.iter().map(|m| m.dataset.as_str())),
            texts(rows.iter().map(|m| m.slot.as_str())),
            texts(rows.iter().map(|m| m.kind.as_str())),
            optional_texts(rows.iter().map(|m| m.id.as_deref())),
            optional_texts(rows.iter().map(|m| m.name.as_deref())),
            optional_texts(rows.iter().map(|m| m.code.as_deref())),
            texts(rows.iter().map(|m| m.context.as_str())),
        ],
    )
}

pub(crate) fn parties_batch(rows: &[PartyRow]) -> Result<(Shape, RecordBatch)> {
    let aliases = rows
        .iter()
        .map(|p| (!p.aliases.is_empty()).then(|| serde_json::Value::from(p.aliases.clone()).to_string()));
    batch_of(
        PARTIES,
        vec![
            texts(rows.iter().map(|p| p.party_id.as_str())),
            texts(rows.iter().map(|p| p.kind.as_str())),
            texts(rows.iter().map(|p| p.name.as_str())),
            optional_texts(rows.iter().map(|p| p.uscc.as_deref())),
            optional_texts(rows.iter().map(|p| p.id_number.as_deref())),
            Arc::new(aliases.collect::<StringArray>()),
        ],
    )
}

pub(crate) fn refs_batch(rows: &[PartyRefRow]) -> Result<(Shape, RecordBatch)> {
    batch_of(
        PARTY_REFS,
        vec![
            ints(rows.iter().map(|r| r.reference)),
            texts(rows.iter().map(|r| r.party_id.as_str())),
            texts(rows.iter().map(|r| r.party_key.as_str())),
            ints(rows.iter().map(|r| i64::from(r.certainty_bp))),
        ],
    )
}

pub(crate) fn branches_batch(rows: &[PartyBranchRow]) -> Result<(Shape, RecordBatch)> {
    batch_of(
        PARTY_BRANCHES,
        vec![
            texts(rows.iter().map(|b| b.branch_party_id.as_str())),
            texts(rows.iter().map(|b| b.parent_party_id.as_str())),
        ],
    )
}

pub(crate) fn batches_batch(
    rows: &[KeptBatch],
    source: &str,
    synced_at: i64,
) -> Result<(Shape, RecordBatch)> {
    batch_of(
        BATCHES,
        vec![
            texts(rows.iter().map(|b| &*b.digest)),
            texts(rows.iter().map(|_| source)),
            texts(rows.iter().map(|b| b.name.as_str())),
            ints(rows.iter().map(|b| signed(b.bytes))),
            Arc::new(TimestampMicrosecondArray::from_value(synced_at, rows.len())),
        ],
    )
}

pub(crate) fn syncs_batch(
    rows: &[DatasetCounts],
    sync_id: &str,
    source: &str,
    synced_at: i64,
) -> Result<(Shape, RecordBatch)> {
    batch_of(
        SYNCS,
        vec![
            texts(rows.iter().map(|_| sync_id)),
            texts(rows.iter().map(|_| source)),
            Arc::new(TimestampMicrosecondArray::from_value(synced_at, rows.len())),
            texts(rows.iter().map(|c| c.dataset.as_str())),
            ints(rows.iter().map(|c| signed(c.read))),
            ints(rows.iter().map(|c| signed(c.inserted))),
            ints(rows.iter().map(|c| signed(c.updated))),
            ints(rows.iter().map(|c| signed(c.unchanged))),
            ints(rows.iter().map(|c| signed(c.quarantined))),
        ],
    )
}
