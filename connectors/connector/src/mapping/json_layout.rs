//! The layout of JSON records: members by the paths that a mapping names, or by name and label.

use super::{Layout, Refusal, TableKind, template_cells};
use crate::coerce::fold;
use crate::json::{JsonFields, Use};

/// Which members of a JSON object are read, and as what: those the mapping names, and for the other columns
/// those called like them. The layout's notices are empty: what lacks is seen in each record.
pub fn json_layout(kind: &TableKind<'_>, place: &str) -> Result<(JsonFields, Layout), Refusal> {
    let mut header: Vec<String> = Vec::new();
    let mut fields = JsonFields::default();
    let explicit = |column: &str| kind.fields.and_then(|f| f.columns.get(column));
    for column in kind.dataset.columns.iter() {
        let Some(entry) = explicit(&column.name) else {
            continue;
        };
        let names = entry.from.iter().chain(entry.when.iter().map(|w| &w.0)).cloned();
        for name in names.chain(entry.template.iter().flat_map(|t| template_cells(t))) {
            if !header.iter().any(|h| fold(h) == fold(&name)) {
                fields.exact(&name, Use::Cell(header.len()));
                header.push(name);
            }
        }
    }
    for column in kind
        .dataset
        .columns
        .iter()
        .filter(|c| explicit(&c.name).is_none())
    {
        if header.iter().any(|h| fold(h) == fold(&column.name)) {
            continue;
        }
        for name in std::iter::once(&column.name).chain(&column.labels) {
            fields.folded(name, Use::Cell(header.len()));
        }
        header.push(column.name.clone());
    }
    for name in kind.fields.iter().flat_map(|f| &f.ignore) {
        fields.folded(name, Use::Ignored);
    }
    let cells: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut layout = kind.layout(&cells, place)?;
    layout.notices.clear();
    Ok((fields, layout))
}
