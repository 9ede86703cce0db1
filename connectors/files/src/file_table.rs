//! One table of a file: what its fields mean, and what the mapping says of the file it stands in.

use std::ops::Deref;
use std::sync::Arc;

use connector::coerce::date::Zone;
use connector::mapping::TableKind;
use domain::Dataset;

use crate::mapping::TableEntry;

/// Rows among which a header is looked for.
pub const HEADER_ROWS_MAX: usize = 20;

/// What is known of a table before its header is read.
pub struct FileTable<'a> {
    kind: TableKind<'a>,
    pub entry: Option<&'a TableEntry>,
}

impl<'a> FileTable<'a> {
    pub fn new(
        dataset: Arc<Dataset>,
        entry: Option<&'a TableEntry>,
        zone: Zone,
        stem: &'a str,
        sheet: &'a str,
    ) -> Self {
        Self {
            kind: TableKind::new(dataset, entry.map(|e| &e.fields), zone, stem, sheet),
            entry,
        }
    }
}

impl<'a> Deref for FileTable<'a> {
    type Target = TableKind<'a>;

    fn deref(&self) -> &TableKind<'a> {
        &self.kind
    }
}
