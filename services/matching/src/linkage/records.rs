//! Records as rows of value numbers: what blocking and comparing work on.

use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::schema::{FieldKind, Schema, holds_organisations};
use super::values::Values;

/// The number of a record, in the order in which records were added.
pub type RecordNo = u32;

/// Records of one or two files under one schema.
#[derive(Debug, Clone)]
pub struct Records {
    schema: Schema,
    rows: Vec<u32>,
    sources: Vec<u8>,
    values: Vec<Values>,
}

impl Records {
    pub fn new(schema: Schema) -> Self {
        let values = schema.fields.iter().map(|f| Values::new(f.kind)).collect();
        Self {
            schema,
            rows: Vec::new(),
            sources: Vec::new(),
            values,
        }
    }

    /// Adds records given by columns: `columns[f][i]` is the value of field `f` of record `i`, empty when
    /// missing. `source` tells files apart.
    ///
    /// # Panics
    /// When there are not as many columns as fields, or their lengths differ.
    pub fn extend(&mut self, source: u8, columns: &[Vec<&str>]) {
        assert_eq!(columns.len(), self.schema.fields.len(), "one column a field");
        let count = columns.first().map_or(0, Vec::len);
        let width = columns.len();
        assert!(
            columns.iter().all(|column| column.len() == count),
            "columns are of one length"
        );
        // What a field does by itself, one value after the other, goes on beside what others do.
        let numbers: Vec<Vec<u32>> = self
            .values
            .par_iter_mut()
            .zip(columns)
            .map(|(values, column)| values.add_all(column))
            .collect();
        self.rows.reserve(count * width);
        for row in 0..count {
            self.rows.extend(numbers.iter().map(|column| column[row]));
        }
        self.sources.resize(self.sources.len() + count, source);
    }

    pub fn len(&self) -> usize {
        self.sources.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The value numbers of a record, one a field.
    pub fn row(&self, record: RecordNo) -> &[u32] {
        let width = self.schema.fields.len();
        &self.rows[record as usize * width..][..width]
    }

    pub fn source(&self, record: RecordNo) -> u8 {
        self.sources[record as usize]
    }

    pub fn values(&self, field: usize) -> &Values {
        &self.values[field]
    }

    /// A number of the record's whole content: equal records have equal ones.
    pub fn content(&self, record: RecordNo) -> u64 {
        (0..self.values.len()).fold(0, |hash, field| {
            xxh3_64_with_seed(self.text(record, field).as_bytes(), hash)
        })
    }

    /// The normalised text of a field; empty when missing.
    pub fn text(&self, record: RecordNo, field: usize) -> &str {
        self.values[field].text(self.row(record)[field])
    }
}

/// The schema with its `name` column taken for persons' names when it holds those.
pub fn settle_names<'a>(
    mut schema: Schema,
    names: impl Fn(usize) -> Box<dyn Iterator<Item = &'a str> + 'a>,
) -> Schema {
    for at in 0..schema.fields.len() {
        if schema.fields[at].name == "name"
            && schema.fields[at].kind == FieldKind::OrgName
            && schema.of_kind(FieldKind::Uscc).is_none()
            && !holds_organisations(names(at))
        {
            schema.fields[at].kind = FieldKind::PersonName;
        }
    }
    schema
}
