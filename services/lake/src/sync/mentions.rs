//! Where rows speak of organisations and persons: a reference per row and slot, and each distinct mention once.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::util::display::array_value_to_string;
use domain::{Dataset, MentionKind};

use crate::error::{Result, arrow_doing};
use crate::hash::reference;

/// One distinct thing that a dataset's slot says of a party.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mention {
    /// What the rows' `_<slot>_ref` holds.
    pub reference: i64,
    pub dataset: String,
    pub slot: String,
    /// `company` or `person`.
    pub kind: String,
    pub id: Option<String>,
    pub name: Option<String>,
    pub code: Option<String>,
    /// Of a person: `<dataset>:<key>` of the row, since people are never the same by name. Of a company: empty.
    pub context: String,
}

enum Kind {
    Fixed(&'static str),
    /// Place of the column that says which.
    ByColumn(usize),
}

struct Slot {
    name: String,
    kind: Kind,
    id: Option<usize>,
    name_column: Option<usize>,
    code: Option<usize>,
}

/// The slots of a dataset and what its rows mentioned in this sync.
pub struct Mentions {
    dataset: String,
    key: Vec<usize>,
    slots: Vec<Slot>,
    found: HashMap<(i64, usize), Mention>,
    scratch: Vec<u8>,
}

impl Mentions {
    pub fn of(dataset: &Dataset) -> Self {
        let place = |name: &Option<String>| name.as_deref().and_then(|n| dataset.column_index(n));
        let slots = dataset
            .mentions
            .iter()
            .map(|slot| Slot {
                name: slot.slot.clone(),
                kind: match &slot.kind {
                    MentionKind::Company => Kind::Fixed("company"),
                    MentionKind::Person => Kind::Fixed("person"),
                    MentionKind::ByColumn(column) => Kind::ByColumn(
                        dataset
                            .column_index(column)
                            .expect("the data model names known columns"),
                    ),
                },
                id: place(&slot.id),
                name_column: place(&slot.name),
                code: place(&slot.code),
            })
            .collect();
        let key = dataset
            .key
            .iter()
            .filter_map(|k| dataset.column_index(k))
            .collect();
        Self {
            dataset: dataset.name.clone(),
            key,
            slots,
            found: HashMap::new(),
            scratch: Vec::new(),
        }
    }

    /// The reference columns of a batch of the dataset's own columns, one per slot.
    pub fn references(&mut self, rows: &RecordBatch) -> Result<Vec<ArrayRef>> {
        let Self {
            dataset,
            key,
            slots,
            found,
            scratch,
        } = self;
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(slots.len());
        for (number, slot) in slots.iter().enumerate() {
            let texts = |place: Option<usize>| place.map(|p| rows.column(p).as_string::<i32>());
            let (ids, names, codes) = (texts(slot.id), texts(slot.name_column), texts(slot.code));
            let kinds = match slot.kind {
                Kind::Fixed(_) => None,
                Kind::ByColumn(place) => Some(rows.column(place).as_string::<i32>()),
            };
            let mut values = Vec::with_capacity(rows.num_rows());
            for row in 0..rows.num_rows() {
                let kind = match (&slot.kind, kinds) {
                    (Kind::Fixed(kind), _) => Some(*kind),
                    (Kind::ByColumn(_), kinds) => match at(kinds, row) {
                        Some("company") => Some("company"),
                        Some("person") => Some("person"),
                        _ => None,
                    },
                };
                let said = [at(ids, row), at(names, row), at(codes, row)];
                let Some(kind) = kind.filter(|_| said.iter().any(Option::is_some)) else {
                    values.push(None);
                    continue;
                };
                let context = match kind {
                    "person" => person_context(dataset, key, rows, row)?,
                    _ => String::new(),
                };
                let [id, name, code] = said;
                let value = match context.as_str() {
                    "" => reference(kind, &said, scratch),
                    context => reference(kind, &[id, name, code, Some(context)], scratch),
                };
                values.push(Some(value));
                found.entry((value, number)).or_insert_with(|| Mention {
                    reference: value,
                    dataset: dataset.clone(),
                    slot: slot.name.clone(),
                    kind: kind.to_owned(),
                    id: id.map(str::to_owned),
                    name: name.map(str::to_owned),
                    code: code.map(str::to_owned),
                    context,
                });
            }
            columns.push(Arc::new(Int64Array::from(values)));
        }
        Ok(columns)
    }

    /// The distinct mentions of all rows so far.
    pub fn into_found(self) -> impl Iterator<Item = Mention> {
        self.found.into_values()
    }
}

/// The text at a row, if there is one.
fn at(column: Option<&StringArray>, row: usize) -> Option<&str> {
    column.filter(|c| c.is_valid(row)).map(|c| c.value(row))
}

fn person_context(dataset: &str, key: &[usize], rows: &RecordBatch, row: usize) -> Result<String> {
    let mut context = format!("{dataset}:");
    for (n, &place) in key.iter().enumerate() {
        if n > 0 {
            context.push('/');
        }
        let value = array_value_to_string(rows.column(place), row).map_err(arrow_doing("read a key"))?;
        context.push_str(&value);
    }
    Ok(context)
}
