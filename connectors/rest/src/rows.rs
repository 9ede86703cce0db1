//! From the records of a page to rows: every record is a row, or is rejected with its text and a reason.

use std::collections::BTreeMap;
use std::sync::Arc;

use connector::coerce::date::Zone;
use connector::json::{JsonFields, JsonRecord, Members, UnknownPaths};
use connector::mapping::{FieldMapping, TableKind, json_layout, template_cells};
use connector::message::RAW_BYTES_MAX;
use connector::plan::{Assembler, ColumnPlan, Part, Plan, Source};
use connector::{Message, RawBatch, Reason, Rejected};
use domain::ports::Notice;
use domain::{Bilingual, Dataset};
use serde_json::value::RawValue;
use xxhash_rust::xxh3::Xxh3;

use crate::error::RestError;
use crate::plan::{CursorValues, StreamPlan};
use crate::select::{Found, scalar};

/// How the records of one stream become rows.
#[derive(Debug)]
pub struct RowPlan {
    fields: JsonFields,
    plan: Arc<Plan>,
    /// Cells of mapped members, with the column and the member's path.
    required: Vec<(usize, Arc<str>, String)>,
    optional: Vec<(usize, String)>,
    key_cells: Vec<usize>,
    /// Key columns that are found by their name, each with its cell and how it is called.
    found_keys: Vec<(usize, String)>,
    /// How many cells a record has.
    cells: usize,
    /// The cell whose values move the stream on.
    watched: Option<(usize, CursorValues)>,
    watched_path: String,
    lines: Option<String>,
    zone: Zone,
}

/// A record as it was read, or why it is none.
type Parsed<'a> = std::result::Result<JsonRecord<'a>, (Reason, String)>;

/// What is told of a stream when it has been read, counted over all its pages.
#[derive(Debug, Default)]
pub struct Tally {
    unknown: UnknownPaths,
    notices: BTreeMap<(String, String), (Bilingual, u64)>,
    /// By index into the plan's optional cells: in how many records the member was.
    seen: Vec<u64>,
    pub records: u64,
    pub rejected: u64,
}

/// A record taken apart at its list: its other members as the start of an object, and the list's elements.
struct Lines<'a> {
    head: String,
    list: String,
    elements: Vec<&'a RawValue>,
}

impl<'a> Lines<'a> {
    /// None when the record holds no list at `name`; a list that is null has no elements.
    fn of(record: &'a str, name: &str) -> Option<Self> {
        let members = serde_json::from_str::<Members<'a>>(record).ok()?.0;
        let list = members.iter().find(|(member, _)| member == name)?.1;
        let elements = match list.get() {
            "null" => Vec::new(),
            text => serde_json::from_str::<Vec<&'a RawValue>>(text).ok()?,
        };
        let quote = |name: &str| serde_json::Value::from(name).to_string();
        let mut head = String::from("{");
        for (member, value) in members.iter().filter(|(member, _)| member != name) {
            head.push_str(&format!("{}:{},", quote(member), value.get()));
        }
        let list = quote(name);
        Some(Self { head, list, elements })
    }

    /// One object for each element, with the record's other members beside it.
    fn texts(&self) -> impl Iterator<Item = String> + '_ {
        let text = |element: &&RawValue| format!("{}{}:{}}}", self.head, self.list, element.get());
        self.elements.iter().map(text)
    }
}

/// What a page holds, before its records become rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspection {
    /// One a record: a hash of its key.
    pub keys: Vec<u128>,
    /// One a record when a member is watched: its value, where it can be read.
    pub watched: Vec<Option<i64>>,
}

impl RowPlan {
    /// `watch` is the path of a member whose values are wanted, and what they are.
    pub fn new(
        stream: &StreamPlan,
        fields: &FieldMapping,
        lines: Option<String>,
        zone: Zone,
        keys_only: bool,
        watch: Option<(&str, CursorValues)>,
    ) -> Result<Self, RestError> {
        let dataset = &stream.dataset;
        let kind = TableKind::new(dataset.clone(), Some(fields), zone, &stream.name, "");
        let (mut json, layout) = json_layout(&kind, &stream.name).map_err(|(reason, detail)| {
            RestError::config(format!("stream {}: {reason} {detail}", stream.name))
        })?;
        let mut plan = (*layout.plan).clone();
        if keys_only {
            for (column, how) in dataset.columns.iter().zip(&mut plan.columns) {
                if !dataset.key.contains(&column.name) {
                    *how = ColumnPlan::absent();
                }
            }
        }
        let (mut required, mut optional) = (Vec::new(), Vec::new());
        for (column, entry) in &fields.columns {
            if keys_only && !dataset.key.contains(column) {
                continue;
            }
            let members = entry
                .from
                .iter()
                .cloned()
                .chain(entry.when.iter().map(|w| w.0.clone()));
            for path in members.chain(entry.template.iter().flat_map(|t| template_cells(t))) {
                let Some(cell) = json.cell(&path) else {
                    continue;
                };
                if stream.optional.contains(column) {
                    optional.push((cell, format!("{column} ({path})")));
                } else {
                    required.push((cell, column.as_str().into(), path));
                }
            }
        }
        let key_cells = key_cells(dataset, &plan);
        let found = dataset
            .key
            .iter()
            .filter(|key| !fields.columns.contains_key(*key));
        let found_keys = found.filter_map(|key| {
            let index = dataset.column_index(key)?;
            match &plan.columns[index].source {
                Source::Cell(cell) => Some((*cell, format!("{key} ({})", dataset.columns[index].label()))),
                _ => None,
            }
        });
        let found_keys = found_keys.collect();
        let watched_path = watch.as_ref().map(|(path, _)| (*path).to_owned());
        let watched = watch.map(|(path, values)| (json.watch(path), values));
        let cells = json.width();
        Ok(Self {
            fields: json,
            plan: Arc::new(plan),
            required,
            optional,
            key_cells,
            found_keys,
            cells,
            watched,
            watched_path: watched_path.unwrap_or_default(),
            lines,
            zone,
        })
    }

    /// What is needed and in none of the records, in a sentence each; none where there are no records.
    pub fn absent(&self, records: &[&str]) -> Vec<String> {
        let expanded: Vec<String> = match &self.lines {
            None => Vec::new(),
            Some(lines) => {
                let taken = records.iter().filter_map(|record| Lines::of(record, lines));
                taken
                    .flat_map(|lines| lines.texts().collect::<Vec<_>>())
                    .collect()
            }
        };
        let rows: Vec<&str> = match &self.lines {
            None => records.to_vec(),
            Some(_) => expanded.iter().map(String::as_str).collect(),
        };
        let mut unknown = UnknownPaths::default();
        let mut parsed = |texts: &[&str]| -> Vec<Vec<bool>> {
            let read = texts
                .iter()
                .filter_map(|text| self.fields.record(text, &mut unknown).ok());
            read.map(|record| (0..self.cells).map(|cell| !record.lacks(cell)).collect())
                .collect()
        };
        let (whole, rows) = (parsed(records), parsed(&rows));
        let mut absent = Vec::new();
        if !rows.is_empty() {
            let lacks = |cell: &usize| !rows.iter().any(|row| row[*cell]);
            let required = self.required.iter().filter(|(cell, _, _)| lacks(cell));
            absent.extend(
                required.map(|(_, column, path)| format!("no record has {path}, mapped to {column}")),
            );
            absent.extend(
                self.found_keys
                    .iter()
                    .filter(|(cell, _)| lacks(cell))
                    .map(|(_, name)| {
                        format!("the key {name} is not mapped, and no record has a member of that name")
                    }),
            );
        }
        if let Some((cell, values)) = &self.watched
            && !whole.is_empty()
        {
            let path = &self.watched_path;
            let is_read = |record: &&str| self.watched(record).is_some();
            if !whole.iter().any(|record| record[*cell]) {
                absent.push(format!("no record has {path}, named as incremental.field"));
            } else if !records.iter().any(is_read) && self.has_watched(*cell, records) {
                absent.push(format!(
                    "no record's {path}, named as incremental.field, is written as {}",
                    values.name()
                ));
            }
        }
        absent
    }

    /// Whether any record has a value in the cell.
    fn has_watched(&self, cell: usize, records: &[&str]) -> bool {
        let mut unknown = UnknownPaths::default();
        records.iter().any(|record| {
            let parsed = self.fields.record(record, &mut unknown).ok();
            parsed.is_some_and(|parsed| parsed.raw(cell).is_some_and(|raw| raw != "null"))
        })
    }

    /// Keys and watched values of records.
    pub fn inspect(&self, records: &[&str]) -> Inspection {
        let mut inspection = Inspection::default();
        let mut unknown = UnknownPaths::default();
        for record in records {
            self.look(record, &self.fields.record(record, &mut unknown), &mut inspection);
        }
        inspection
    }

    /// The watched value of one record.
    pub fn watched(&self, record: &str) -> Option<i64> {
        let parsed = self.fields.record(record, &mut UnknownPaths::default());
        self.watched_of(&parsed)
    }

    fn watched_of(&self, parsed: &Parsed<'_>) -> Option<i64> {
        let (cell, values) = self.watched.as_ref()?;
        match parsed.as_ref().ok().and_then(|p| p.raw(*cell)).map(scalar) {
            Some(Found::Scalar(text)) => values.read(&text, self.zone),
            _ => None,
        }
    }

    fn look(&self, record: &str, parsed: &Parsed<'_>, inspection: &mut Inspection) {
        let mut hash = Xxh3::new();
        match parsed {
            Ok(parsed)
                if self.lines.is_none()
                    && self
                        .key_cells
                        .iter()
                        .all(|c| parsed.raw(*c).is_some_and(|raw| raw != "null")) =>
            {
                for cell in &self.key_cells {
                    let raw = parsed.raw(*cell).unwrap_or_default();
                    hash.update(&(raw.len() as u64).to_le_bytes());
                    hash.update(raw.as_bytes());
                }
            }
            _ => hash.update(record.as_bytes()),
        }
        inspection.keys.push(hash.digest128());
        if self.watched.is_some() {
            inspection.watched.push(self.watched_of(parsed));
        }
    }

    /// The page's rows and rejected records, in their order, and what `inspect` tells of them. `name` is how the page is
    /// called.
    pub fn messages(
        &self,
        records: &[&str],
        raw: &RawBatch,
        name: &Arc<str>,
        batch_rows: usize,
        tally: &mut Tally,
    ) -> Result<(Vec<Message>, Inspection), RestError> {
        let mut inspection = Inspection::default();
        let mut page = Page {
            plan: self,
            assembler: Assembler::new(self.plan.clone(), raw.digest.clone()),
            raw,
            name,
            messages: Vec::new(),
            position: 0,
        };
        tally.seen.resize(self.optional.len(), 0);
        for record in records {
            match &self.lines {
                None => {
                    let parsed = self.fields.record(record, &mut tally.unknown);
                    self.look(record, &parsed, &mut inspection);
                    page.push(record, parsed, tally);
                }
                Some(lines) => {
                    let whole = self.fields.record(record, &mut UnknownPaths::default());
                    self.look(record, &whole, &mut inspection);
                    page.push_lines(record, lines, tally);
                }
            }
            if page.assembler.is_full(batch_rows) {
                page.flush()?;
            }
        }
        page.flush()?;
        let stream = name.split(' ').next().unwrap_or(name);
        for notice in page.assembler.take_notices(stream) {
            tally.add(&notice.code, &notice.place, notice.message, notice.count);
        }
        Ok((page.messages, inspection))
    }
}

/// The cells that a dataset's key is made of.
fn key_cells(dataset: &Dataset, plan: &Plan) -> Vec<usize> {
    let mut cells = Vec::new();
    for key in &dataset.key {
        let Some(index) = dataset.column_index(key) else {
            continue;
        };
        match &plan.columns[index].source {
            Source::Cell(cell) | Source::Equals(cell, _) => cells.push(*cell),
            Source::Template(parts) => cells.extend(parts.iter().filter_map(|part| match part {
                Part::Cell(cell) => Some(*cell),
                Part::Literal(_) => None,
            })),
            Source::Absent | Source::Constant(_) => {}
        }
    }
    cells
}

/// One page on its way to messages.
struct Page<'a> {
    plan: &'a RowPlan,
    assembler: Assembler,
    raw: &'a RawBatch,
    name: &'a Arc<str>,
    messages: Vec<Message>,
    position: u64,
}

impl Page<'_> {
    fn push(&mut self, text: &str, parsed: Parsed<'_>, tally: &mut Tally) {
        self.position += 1;
        tally.records += 1;
        let bad = match parsed {
            Err((reason, detail)) => Some((None, reason, detail)),
            Ok(record) => {
                for (at, (cell, _)) in self.plan.optional.iter().enumerate() {
                    tally.seen[at] += u64::from(!record.lacks(*cell));
                }
                match self.plan.required.iter().find(|(cell, _, _)| record.lacks(*cell)) {
                    Some((_, column, path)) => {
                        Some((Some(column.clone()), Reason::MissingColumn, path.clone()))
                    }
                    None => {
                        let pushed = self.assembler.push(&record, self.position);
                        pushed.err().map(|bad| (Some(bad.field), bad.reason, bad.detail))
                    }
                }
            }
        };
        if let Some((field, reason, detail)) = bad {
            self.reject(field, reason, detail, text, tally);
        }
    }

    /// One row for each element of the record's list, with the record's other members beside it.
    fn push_lines(&mut self, record: &str, lines: &str, tally: &mut Tally) {
        let Some(taken) = Lines::of(record, lines) else {
            self.position += 1;
            tally.records += 1;
            let detail = format!("{lines} is no list");
            return self.reject(None, Reason::MissingColumn, detail, record, tally);
        };
        if taken.elements.is_empty() {
            let text = Bilingual::new("记录没有明细行", "records without a line, so without a row");
            tally.add("RECORD_WITHOUT_LINES", lines, text, 1);
        }
        for text in taken.texts() {
            let parsed = self.plan.fields.record(&text, &mut tally.unknown);
            self.push(&text, parsed, tally);
        }
    }

    fn reject(
        &mut self,
        field: Option<Arc<str>>,
        reason: Reason,
        detail: String,
        text: &str,
        tally: &mut Tally,
    ) {
        tally.rejected += 1;
        self.messages.push(Message::Rejected(Rejected {
            dataset: self.plan.plan.dataset.name.as_str().into(),
            batch: self.raw.digest.clone(),
            file: self.name.clone(),
            position: self.position,
            field,
            reason,
            detail,
            raw: text.as_bytes()[..text.len().min(RAW_BYTES_MAX)].to_vec(),
        }));
    }

    fn flush(&mut self) -> Result<(), RestError> {
        let rows = self.assembler.take().map_err(|source| RestError::Assemble {
            name: self.name.to_string(),
            source,
        })?;
        self.messages.extend(rows.map(Message::Rows));
        Ok(())
    }
}

impl Tally {
    /// Counts something worth telling.
    pub fn add(&mut self, code: &str, place: &str, message: Bilingual, count: u64) {
        let entry = self.notices.entry((code.to_owned(), place.to_owned()));
        entry.or_insert((message, 0)).1 += count;
    }

    /// Adds what was counted on a page.
    pub fn merge(&mut self, page: Self) {
        self.unknown.merge(page.unknown);
        for ((code, place), (message, count)) in page.notices {
            self.add(&code, &place, message, count);
        }
        self.seen.resize(self.seen.len().max(page.seen.len()), 0);
        for (seen, more) in self.seen.iter_mut().zip(&page.seen) {
            *seen += more;
        }
        self.records += page.records;
        self.rejected += page.rejected;
    }

    /// Everything worth telling of the stream; forgotten afterwards.
    pub fn take_notices(&mut self, stream: &str, plan: &RowPlan) -> Vec<Notice> {
        for (path, count) in self.unknown.iter() {
            let text = Bilingual::new(
                "该字段不属于数据集，未读取；请在映射文件中指定或列入 ignore",
                "this member belongs to no field and was not read; map it or list it under ignore",
            );
            let entry = self
                .notices
                .entry(("COLUMN_IGNORED".to_owned(), format!("{stream}: {path}")));
            entry.or_insert((text, 0)).1 += count;
        }
        if self.records > 0 {
            let seen = std::mem::take(&mut self.seen);
            for ((_, name), _) in plan.optional.iter().zip(&seen).filter(|(_, seen)| **seen == 0) {
                let text = Bilingual::new(
                    "本次所有记录都没有该字段，该列为空",
                    "no record had this member, so the column stays empty",
                );
                self.add("COLUMN_MISSING", &format!("{stream}: {name}"), text, self.records);
            }
        }
        let told = std::mem::take(self);
        told.notices
            .into_iter()
            .map(|((code, place), (message, count))| Notice {
                code,
                place,
                message,
                count,
            })
            .collect()
    }
}
