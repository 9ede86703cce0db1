//! What the columns of one table mean: each is mapped, ignored or reported.

use std::collections::HashMap;
use std::sync::Arc;

use domain::ports::Notice;
use domain::{Bilingual, Dataset};

use super::headers::Headers;
use super::{ColumnEntry, FieldMapping};
use crate::coerce::date::Zone;
use crate::coerce::{fold, trim};
use crate::columns::ValueRules;
use crate::plan::{ColumnPlan, Part, Plan, Source};
use crate::reason::Reason;

/// What is known of a table before its header is read.
pub struct TableKind<'a> {
    pub dataset: Arc<Dataset>,
    pub fields: Option<&'a FieldMapping>,
    pub zone: Zone,
    /// For templates: the file's name without its ending, and the sheet's name.
    pub stem: &'a str,
    pub sheet: &'a str,
    headers: Headers,
}

/// How to read the rows below a header.
#[derive(Debug)]
pub struct Layout {
    pub plan: Arc<Plan>,
    /// Cells in a row.
    pub width: usize,
    pub notices: Vec<Notice>,
}

/// What the mapping uses a source column for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum HeaderUse {
    None,
    /// Part of a template or a condition; it may be a field of its own besides.
    Part,
    /// A field takes its values.
    Whole,
}

/// Why a table cannot be read at all.
pub type Refusal = (Reason, String);

impl<'a> TableKind<'a> {
    pub fn new(
        dataset: Arc<Dataset>,
        fields: Option<&'a FieldMapping>,
        zone: Zone,
        stem: &'a str,
        sheet: &'a str,
    ) -> Self {
        let headers = Headers::of(&dataset);
        Self {
            dataset,
            fields,
            zone,
            stem,
            sheet,
            headers,
        }
    }

    /// How many of the cells are names that a header of this table would have.
    pub fn header_score<'c>(&self, cells: impl Iterator<Item = &'c str>) -> usize {
        let wanted: Vec<String> = self.wanted().map(|w| fold(&w)).collect();
        let mut seen: Vec<String> = Vec::new();
        for cell in cells {
            let cell = fold(cell);
            let known =
                self.headers.find(&cell).is_some() || wanted.contains(&cell) || self.is_ignored(&cell);
            if known && !seen.contains(&cell) {
                seen.push(cell);
            }
        }
        seen.len()
    }

    /// Whether a row whose first filled cell is `text` is no data, e.g. a total.
    pub fn is_not_data(&self, text: &str) -> bool {
        let Some(fields) = self.fields.filter(|f| !f.not_data.is_empty()) else {
            return false;
        };
        let text = trim(text);
        if text.len() > 48 {
            return false;
        }
        let text = fold(text);
        fields
            .not_data
            .iter()
            .any(|word| *word == text || text.strip_suffix(':') == Some(word))
    }

    fn is_ignored(&self, folded: &str) -> bool {
        self.fields.is_some_and(|e| e.ignore.iter().any(|i| i == folded))
    }

    /// Source columns that the mapping names.
    fn wanted(&self) -> impl Iterator<Item = String> {
        let columns = self.fields.into_iter().flat_map(|e| e.columns.values());
        columns.flat_map(|c| {
            let template = c.template.iter().flat_map(|t| template_cells(t));
            c.from
                .iter()
                .cloned()
                .chain(c.when.iter().map(|w| w.0.clone()))
                .chain(template)
                .collect::<Vec<_>>()
        })
    }

    /// The layout below a header with these cells.
    pub fn layout(&self, header: &[&str], place: &str) -> Result<Layout, Refusal> {
        let width = header
            .iter()
            .rposition(|h| !trim(h).is_empty())
            .map_or(0, |last| last + 1);
        let folded: Vec<String> = header[..width].iter().map(|h| fold(h)).collect();
        let mut uses = vec![HeaderUse::None; width];
        let mut notices = Vec::new();
        let mut columns: Vec<ColumnPlan> = vec![ColumnPlan::absent(); self.dataset.columns.len()];
        let mut explicit = vec![false; columns.len()];

        for (index, column) in self.dataset.columns.iter().enumerate() {
            let Some(entry) = self.fields.and_then(|e| e.columns.get(&column.name)) else {
                continue;
            };
            explicit[index] = true;
            let source = self.source(entry, &folded, &mut uses)?;
            columns[index] = ColumnPlan {
                source,
                rules: rules(self.fields, entry),
            };
            if columns[index].source == Source::Absent {
                notices.push(Notice {
                    code: "COLUMN_MISSING".to_owned(),
                    place: format!("{place}: {}", column.name),
                    message: Bilingual::new(
                        "文件中没有映射所指的列，该字段为空",
                        "the file lacks the column that the mapping names; the field stays empty",
                    ),
                    count: 1,
                });
            }
        }
        let mut from: HashMap<usize, usize> = HashMap::new();
        for (position, header) in folded.iter().enumerate() {
            if header.is_empty() || uses[position] == HeaderUse::Whole || self.is_ignored(header) {
                continue;
            }
            let Some((index, factor)) = self.headers.find(header).filter(|(index, _)| !explicit[*index])
            else {
                if uses[position] == HeaderUse::Part {
                    continue;
                }
                notices.push(Notice {
                    code: "COLUMN_IGNORED".to_owned(),
                    place: format!("{place}: {}", header),
                    message: Bilingual::new(
                        "该列不属于数据集，未读取；请在映射文件中指定或列入 ignore",
                        "this column belongs to no field and was not read; map it or list it under ignore",
                    ),
                    count: 1,
                });
                continue;
            };
            if let Some(other) = from.insert(index, position) {
                let name = &self.dataset.columns[index].name;
                let detail = format!("columns {} and {} both stand for {name}", other + 1, position + 1);
                return Err((Reason::DuplicateColumn, detail));
            }
            let mut plan = ColumnPlan::cell(position);
            plan.rules = rules(
                self.fields,
                &ColumnEntry {
                    factor,
                    ..ColumnEntry::default()
                },
            );
            columns[index] = plan;
        }
        for key in &self.dataset.key {
            let index = self.dataset.column_index(key).unwrap_or_default();
            if columns[index].source == Source::Absent {
                return Err((Reason::MissingKeyColumn, self.looked_for(key)));
            }
        }
        let plan = Plan {
            dataset: self.dataset.clone(),
            columns,
            zone: self.zone,
        };
        Ok(Layout {
            plan: Arc::new(plan),
            width,
            notices,
        })
    }

    /// What a missing column could have been called.
    pub fn looked_for(&self, column: &str) -> String {
        let explicit = self.fields.and_then(|e| e.columns.get(column));
        let names: Vec<String> = match (explicit, self.dataset.column(column)) {
            (Some(entry), _) => entry
                .from
                .iter()
                .cloned()
                .chain(entry.template.iter().flat_map(|t| template_cells(t)))
                .collect(),
            (None, Some(column)) => std::iter::once(&column.name)
                .chain(&column.labels)
                .cloned()
                .collect(),
            (None, None) => Vec::new(),
        };
        format!("no column for {column}; looked for {}", names.join(", "))
    }

    fn source(
        &self,
        entry: &ColumnEntry,
        folded: &[String],
        uses: &mut [HeaderUse],
    ) -> Result<Source, Refusal> {
        let what = if entry.from.is_some() {
            HeaderUse::Whole
        } else {
            HeaderUse::Part
        };
        let mut find = |name: &str| -> Result<Option<usize>, Refusal> {
            let name = fold(name);
            let mut places = folded
                .iter()
                .enumerate()
                .filter(|(_, h)| **h == name)
                .map(|(at, _)| at);
            let (first, second) = (places.next(), places.next());
            if let (Some(first), Some(second)) = (first, second) {
                let detail = format!("columns {} and {} are both called {name}", first + 1, second + 1);
                return Err((Reason::DuplicateColumn, detail));
            }
            if let Some(at) = first {
                uses[at] = uses[at].max(what);
            }
            Ok(first)
        };
        if let Some(text) = &entry.constant {
            return Ok(Source::Constant(text.clone()));
        }
        if let Some((column, text)) = &entry.when {
            return Ok(find(column)?.map_or(Source::Absent, |at| Source::Equals(at, text.clone())));
        }
        if let Some(template) = &entry.template {
            let mut parts = Vec::new();
            for piece in template_pieces(template) {
                match piece {
                    Piece::Literal(text) => parts.push(Part::Literal(text.to_owned())),
                    Piece::Name("sheet") => parts.push(Part::Literal(self.sheet.to_owned())),
                    Piece::Name("file") => parts.push(Part::Literal(self.stem.to_owned())),
                    Piece::Name(name) => match find(name)? {
                        Some(at) => parts.push(Part::Cell(at)),
                        None => return Ok(Source::Absent),
                    },
                }
            }
            return Ok(Source::Template(parts));
        }
        Ok(entry
            .from
            .as_deref()
            .map(find)
            .transpose()?
            .flatten()
            .map_or(Source::Absent, Source::Cell))
    }
}

/// The rules for a column's values, with the nulls of its file.
pub fn rules(table: Option<&FieldMapping>, column: &ColumnEntry) -> ValueRules {
    let file_nulls = table.into_iter().flat_map(|t| &t.nulls);
    ValueRules {
        factor: column.factor,
        format: column.format,
        nulls: column.nulls.iter().chain(file_nulls).cloned().collect(),
        codes: column.codes.clone(),
    }
}

/// A piece of a template such as `{sheet}-{供应商}`.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    Literal(&'a str),
    Name(&'a str),
}

pub fn template_pieces(template: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            break;
        };
        if !before.is_empty() {
            pieces.push(Piece::Literal(before));
        }
        pieces.push(Piece::Name(name));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest));
    }
    pieces
}

/// Source columns that a template names.
pub fn template_cells(template: &str) -> Vec<String> {
    let names = template_pieces(template).into_iter().filter_map(|p| match p {
        Piece::Name("sheet" | "file") | Piece::Literal(_) => None,
        Piece::Name(name) => Some(name.to_owned()),
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(dataset: &str) -> TableKind<'static> {
        TableKind::new(domain::dataset(dataset).unwrap(), None, Zone::CHINA, "", "")
    }

    #[test]
    fn headers_in_any_order_language_and_width() {
        let layout = kind("workdays")
            .layout(&["备 注", "ｉｓ_workday", "日期", "  "], "f")
            .unwrap();
        assert_eq!(layout.width, 3);
        let sources: Vec<_> = layout.plan.columns.iter().map(|c| c.source.clone()).collect();
        assert_eq!(sources, [Source::Cell(2), Source::Cell(1), Source::Cell(0)]);
        assert!(layout.notices.is_empty());
    }

    #[test]
    fn what_is_wrong_with_a_header() {
        let (reason, detail) = kind("workdays").layout(&["备注"], "f").unwrap_err();
        assert_eq!(reason, Reason::MissingKeyColumn);
        assert!(detail.contains("日期"), "{detail}");
        let (reason, _) = kind("workdays").layout(&["day", "日期"], "f").unwrap_err();
        assert_eq!(reason, Reason::DuplicateColumn);
        let notices = kind("workdays").layout(&["日期", "心情"], "f").unwrap().notices;
        assert_eq!(
            (notices[0].code.as_str(), notices[0].place.as_str()),
            ("COLUMN_IGNORED", "f: 心情")
        );
    }

    #[test]
    fn templates() {
        assert_eq!(
            template_pieces("{sheet}-{供应商}!"),
            [
                Piece::Name("sheet"),
                Piece::Literal("-"),
                Piece::Name("供应商"),
                Piece::Literal("!")
            ]
        );
        assert_eq!(template_cells("{sheet}-{供应商}-{日期}"), ["供应商", "日期"]);
        assert_eq!(template_pieces("{open"), [Piece::Literal("{open")]);
    }
}
