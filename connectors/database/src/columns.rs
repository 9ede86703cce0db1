//! From the columns that a query gives to the columns of a dataset: mapped, ignored by name, or reported.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use connector::coerce::date::Zone;
use connector::coerce::decimal::Factor;
use connector::coerce::fold;
use connector::columns::{MomentFormat, ValueRules};
use connector::mapping;
use connector::plan::{ColumnPlan, Plan, Source};
use domain::ports::Notice;
use domain::{Bilingual, Column, ColumnType, Dataset};

use crate::config::{ColumnConfig, ColumnTable, StreamConfig};
use crate::cursor::{CursorKind, SavedColumn};
use crate::error::DatabaseError;

/// How a source column's values travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    Bool,
    Int,
    /// PostgreSQL's `real`.
    Float4,
    Float,
    /// Decimal digits.
    Decimal,
    Text,
    Date,
    /// A timestamp without a zone.
    Local,
    /// A timestamp with one.
    Instant,
    Binary,
    /// Anything else: read as the server writes it as text.
    Other,
}

/// A column of a query's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    pub name: String,
    /// The type as the server calls it.
    pub ty: String,
    pub wire: Wire,
    /// The server's own number of the type; 0 where it has none.
    pub code: u32,
}

impl Described {
    pub fn cursor_kind(&self) -> Option<CursorKind> {
        match self.wire {
            Wire::Int | Wire::Decimal => Some(CursorKind::Integer),
            Wire::Text => Some(CursorKind::Text),
            Wire::Date => Some(CursorKind::Date),
            Wire::Local => Some(CursorKind::Local),
            Wire::Instant => Some(CursorKind::Instant),
            Wire::Bool | Wire::Float4 | Wire::Float | Wire::Binary | Wire::Other => None,
        }
    }
}

/// What of a query's result is read, and into what.
#[derive(Debug)]
pub struct Layout {
    /// The columns that travel.
    pub selected: Vec<Described>,
    pub plan: Arc<Plan>,
    /// Which of `selected` holds the cursor, and what it is.
    pub cursor: Option<(usize, CursorKind)>,
    /// Source columns to sort by behind the cursor.
    pub key: Vec<String>,
    /// For each key column of the dataset: which of `selected` feeds it; none for a constant.
    pub key_cells: Vec<Option<usize>>,
    pub saved: Vec<SavedColumn>,
    pub notices: Vec<Notice>,
}

/// Where the parts of a layout come from.
pub struct Request<'a> {
    pub stream: &'a StreamConfig,
    pub zone: Zone,
    /// Texts that mean "no value" in every stream.
    pub nulls: &'a [String],
    /// The columns of the last committed checkpoint; empty for a first read.
    pub before: &'a [SavedColumn],
}

impl Layout {
    pub fn new(request: &Request<'_>, described: &[Described]) -> Result<Self, DatabaseError> {
        let stream = request.stream;
        let name = stream.name();
        let wrong = |message: String| DatabaseError::Columns {
            stream: name.to_owned(),
            message,
        };
        let dataset = domain::dataset(&stream.dataset)
            .ok_or_else(|| wrong(format!("there is no dataset {:?}", stream.dataset)))?;
        let by_name = unique_names(described).map_err(wrong)?;
        let find = |column: &str, what: &str| {
            by_name
                .get(column)
                .or_else(|| by_name.get(fold(column).as_str()))
                .copied()
                .ok_or_else(|| {
                    wrong(format!(
                        "{what} names the column {column:?}, which the query does not give; it gives {}",
                        names(described)
                    ))
                })
        };
        let mut sources: Vec<Option<(Option<usize>, ColumnPlan)>> = vec![None; dataset.columns.len()];
        let mut used: HashSet<usize> = HashSet::new();
        for (field, config) in &stream.columns {
            let at = dataset.column_index(field).ok_or_else(|| {
                wrong(format!(
                    "columns names the field {field:?}, which {} does not have",
                    dataset.name
                ))
            })?;
            let column = &dataset.columns[at];
            let (from, plan) = written(config, column).map_err(|m| wrong(format!("columns.{field}: {m}")))?;
            let from = from
                .map(|column| find(&column, &format!("columns.{field}")))
                .transpose()?;
            used.extend(from);
            sources[at] = Some((from, plan));
        }
        let mut ignored: HashSet<usize> = HashSet::new();
        for column in &stream.ignore {
            ignored.extend(
                by_name
                    .get(column.as_str())
                    .or_else(|| by_name.get(fold(column).as_str())),
            );
        }
        let headers = headers(&dataset);
        for (n, column) in described.iter().enumerate() {
            if used.contains(&n) || ignored.contains(&n) {
                continue;
            }
            let Some((at, factor)) = header(&headers, &dataset, &fold(&column.name)) else {
                continue;
            };
            match &sources[at] {
                // The mapping's word is stronger than a name.
                Some(_) if stream.columns.contains_key(&dataset.columns[at].name) => {}
                Some(_) => {
                    return Err(wrong(format!(
                        "two columns of the query mean {}; map one under columns or list one under ignore",
                        dataset.columns[at].name
                    )));
                }
                None => {
                    let mut plan = ColumnPlan::cell(0);
                    plan.rules.factor = factor;
                    used.insert(n);
                    sources[at] = Some((Some(n), plan));
                }
            }
        }
        let cursor = match &stream.cursor {
            None => None,
            Some(column) => {
                let at = find(column, "cursor")?;
                let kind = described[at].cursor_kind().ok_or_else(|| {
                    wrong(format!(
                        "the cursor column {column:?} is of type {}; a cursor is a timestamp, a date, a whole number or \
                         a text",
                        described[at].ty
                    ))
                })?;
                Some((at, kind))
            }
        };
        let own_key = stream
            .key
            .iter()
            .flatten()
            .map(|column| find(column, "key"))
            .collect::<Result<Vec<_>, _>>()?;
        let saved = saved_columns(described, &sources, &dataset);
        let mut notices = drift(request, described, &saved)?;
        // What feeds nothing does not travel.
        let wanted: Vec<usize> = (0..described.len())
            .filter(|n| used.contains(n) || cursor.is_some_and(|(at, _)| at == *n))
            .collect();
        let place_of = |source: usize| wanted.iter().position(|n| *n == source).unwrap_or_default();
        let mut columns = Vec::with_capacity(dataset.columns.len());
        let mut key_cells = vec![None; dataset.key.len()];
        for (column, source) in dataset.columns.iter().zip(sources) {
            let key = dataset.key.iter().position(|k| *k == column.name);
            let mut plan = match source {
                None if key.is_some() => {
                    return Err(wrong(format!(
                        "the query gives no column for the key {} ({}) of {}; select it, name it under columns, or ask \
                         what was renamed; it gives {}",
                        column.name,
                        column.label(),
                        dataset.name,
                        names(described)
                    )));
                }
                None => ColumnPlan::absent(),
                Some((None, plan)) => plan,
                Some((Some(from), mut plan)) => {
                    let at = place_of(from);
                    plan.source = Source::Cell(at);
                    if let Some(key) = key {
                        key_cells[key] = Some(at);
                    }
                    plan
                }
            };
            plan.rules.nulls.extend_from_slice(request.nulls);
            columns.push(plan);
        }
        for (n, column) in described.iter().enumerate() {
            if !wanted.contains(&n) && !ignored.contains(&n) {
                notices.push(notice(
                    "COLUMN_IGNORED",
                    name,
                    &column.name,
                    "查询给出的列未对应任何字段，未读取；请在 columns 中映射或列入 ignore",
                    "a column of the query feeds no field and was not read; map it under columns or list it under ignore",
                ));
            }
        }
        let key = if stream.key.is_some() {
            own_key.iter().map(|at| described[*at].name.clone()).collect()
        } else {
            let cells = key_cells.iter().flatten().map(|at| wanted[*at]);
            cells.map(|at| described[at].name.clone()).collect()
        };
        Ok(Self {
            selected: wanted.iter().map(|n| described[*n].clone()).collect(),
            plan: Arc::new(Plan {
                dataset,
                columns,
                zone: request.zone,
            }),
            cursor: cursor.map(|(at, kind)| (place_of(at), kind)),
            key,
            key_cells,
            saved,
            notices,
        })
    }
}

/// Columns by name as written and, where no two fold to the same, by folded name.
fn unique_names(described: &[Described]) -> Result<HashMap<String, usize>, String> {
    let mut by_name = HashMap::new();
    for (n, column) in described.iter().enumerate() {
        if by_name.insert(column.name.clone(), n).is_some() {
            return Err(format!(
                "the query gives two columns named {:?}; rename one with AS",
                column.name
            ));
        }
    }
    let mut folded: HashMap<String, Option<usize>> = HashMap::new();
    for (n, column) in described.iter().enumerate() {
        folded
            .entry(fold(&column.name))
            .and_modify(|found| *found = None)
            .or_insert(Some(n));
    }
    for (name, found) in folded {
        if let Some(n) = found {
            by_name.entry(name).or_insert(n);
        }
    }
    Ok(by_name)
}

fn names(described: &[Described]) -> String {
    let names: Vec<&str> = described.iter().map(|d| d.name.as_str()).collect();
    names.join(", ")
}

/// The source column and how its values are read; no source column for a constant.
fn written(config: &ColumnConfig, column: &Column) -> Result<(Option<String>, ColumnPlan), String> {
    let table = match config {
        ColumnConfig::From(from) => return Ok((Some(from.clone()), ColumnPlan::cell(0))),
        ColumnConfig::Table(table) => table,
    };
    let ColumnTable {
        from,
        constant,
        scale,
        format,
        nulls,
        codes,
    } = table;
    let source = match (from, constant) {
        (Some(_), None) => Source::Cell(0),
        (None, Some(text)) => Source::Constant(text.clone()),
        _ => return Err("takes exactly one of from and const".into()),
    };
    let factor = match scale.as_deref() {
        None => None,
        Some("fen") => Some(Factor::FEN),
        Some("万元" | "wan") => Some(Factor::WAN),
        Some(other) => return Err(format!("scale {other:?} is neither \"fen\" nor \"万元\"")),
    };
    let format = match format.as_deref() {
        None => None,
        Some("epoch_ms") => Some(MomentFormat::EpochMilliseconds),
        Some("epoch_s") => Some(MomentFormat::EpochSeconds),
        Some(other) => {
            return Err(format!(
                "format {other:?} is neither \"epoch_ms\" nor \"epoch_s\""
            ));
        }
    };
    let rules = ValueRules {
        factor,
        format,
        nulls: nulls.clone(),
        codes: mapping::codes(column, codes)?,
    };
    Ok((from.clone(), ColumnPlan { source, rules }))
}

/// English names and Chinese labels, folded.
fn headers(dataset: &Dataset) -> HashMap<String, usize> {
    let columns = dataset.columns.iter().enumerate();
    columns
        .flat_map(|(n, c)| {
            std::iter::once(&c.name)
                .chain(&c.labels)
                .map(move |label| (fold(label), n))
        })
        .collect()
}

/// The dataset column of a folded name, and the unit that the name itself states.
fn header(
    headers: &HashMap<String, usize>,
    dataset: &Dataset,
    name: &str,
) -> Option<(usize, Option<Factor>)> {
    if let Some(at) = headers.get(name) {
        return Some((*at, None));
    }
    [
        ("(元)", None),
        ("(万元)", Some(Factor::WAN)),
        ("(分)", Some(Factor::FEN)),
    ]
    .into_iter()
    .find_map(|(unit, factor)| {
        let at = *headers.get(name.strip_suffix(unit)?)?;
        matches!(dataset.columns[at].ty, ColumnType::Money | ColumnType::Price).then_some((at, factor))
    })
}

fn saved_columns(
    described: &[Described],
    sources: &[Option<(Option<usize>, ColumnPlan)>],
    dataset: &Dataset,
) -> Vec<SavedColumn> {
    let field = |n: usize| {
        let at = sources
            .iter()
            .position(|s| s.as_ref().is_some_and(|(from, _)| *from == Some(n)))?;
        Some(dataset.columns[at].name.clone())
    };
    let columns = described.iter().enumerate();
    columns
        .map(|(n, column)| SavedColumn {
            name: column.name.clone(),
            ty: column.ty.clone(),
            field: field(n),
        })
        .collect()
}

/// What changed since the last sync. A lost column that fed a field is an error: its field would silently be
/// empty from now on.
fn drift(
    request: &Request<'_>,
    described: &[Described],
    now: &[SavedColumn],
) -> Result<Vec<Notice>, DatabaseError> {
    let stream = request.stream;
    let name = stream.name();
    let mut notices = Vec::new();
    if request.before.is_empty() {
        return Ok(notices);
    }
    let is_new = |column: &&Described| !request.before.iter().any(|b| b.name == column.name);
    for column in described.iter().filter(is_new) {
        notices.push(notice(
            "COLUMN_NEW",
            name,
            &column.name,
            "查询结果出现新列",
            "the query's result has a new column",
        ));
    }
    for old in request.before {
        match now.iter().find(|c| c.name == old.name) {
            Some(column) if column.ty != old.ty => notices.push(notice(
                "COLUMN_TYPE_CHANGED",
                name,
                &format!("{} ({} -> {})", column.name, old.ty, column.ty),
                "列的类型已改变；不符合字段类型的行将被隔离",
                "a column's type changed; rows that do not fit the field are quarantined",
            )),
            // What was read before is not read again by itself.
            Some(column) if stream.cursor.is_some() && column.field != old.field => notices.push(notice(
                "COLUMN_REMAPPED",
                name,
                &format!(
                    "{} ({} -> {})",
                    column.name,
                    old.field.as_deref().unwrap_or("-"),
                    column.field.as_deref().unwrap_or("-")
                ),
                "列的映射已改变；此前读取的行仍按原映射，可用 source reset 重新读取全部",
                "what a column feeds has changed; rows that were read before stay as they were, until `source reset` has all read again",
            )),
            Some(_) => {}
            None => {
                let still_fed = |field: &String| now.iter().any(|c| c.field.as_ref() == Some(field));
                let lost = old.field.as_ref().filter(|field| !still_fed(field));
                if let Some(field) = lost.filter(|_| !stream.gone.contains(&old.name)) {
                    let new: Vec<&str> = described.iter().filter(is_new).map(|c| c.name.as_str()).collect();
                    return Err(DatabaseError::Drift {
                        stream: name.to_owned(),
                        message: format!(
                            "the column {:?}, which fed {field}, is no longer there (new since: {}); name its successor \
                             under columns, or list it under gone if it will not come back",
                            old.name,
                            if new.is_empty() {
                                "none".to_owned()
                            } else {
                                new.join(", ")
                            }
                        ),
                    });
                }
                notices.push(notice(
                    "COLUMN_GONE",
                    name,
                    &old.name,
                    "列已从查询结果中消失",
                    "a column is gone from the query's result",
                ));
            }
        }
    }
    Ok(notices)
}

pub fn notice(code: &str, stream: &str, what: &str, zh: &str, en: &str) -> Notice {
    Notice {
        code: code.to_owned(),
        place: if what.is_empty() {
            stream.to_owned()
        } else {
            format!("{stream}: {what}")
        },
        message: Bilingual::new(zh, en),
        count: 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(extra: &str) -> StreamConfig {
        toml::from_str(&format!("dataset = \"contracts\"\nquery = \"select\"\n{extra}")).unwrap()
    }

    fn described(columns: &[(&str, Wire)]) -> Vec<Described> {
        columns
            .iter()
            .map(|(name, wire)| Described {
                name: (*name).to_owned(),
                ty: format!("{wire:?}"),
                wire: *wire,
                code: 0,
            })
            .collect()
    }

    fn layout(
        stream: &StreamConfig,
        columns: &[(&str, Wire)],
        before: &[SavedColumn],
    ) -> Result<Layout, String> {
        let request = Request {
            stream,
            zone: Zone::CHINA,
            nulls: &[],
            before,
        };
        Layout::new(&request, &described(columns)).map_err(|e| e.to_string())
    }

    #[test]
    fn columns_are_mapped_recognised_ignored_or_told() {
        let stream = stream("cursor = \"CHANGED\"\nignore = [\"junk\"]\n[columns]\ntitle = \"t1\"");
        let columns = [
            ("合同编号", Wire::Text),
            ("t1", Wire::Text),
            ("金额（万元）", Wire::Decimal),
            ("junk", Wire::Binary),
            ("odd", Wire::Text),
            ("changed", Wire::Local),
        ];
        let layout = layout(&stream, &columns, &[]).unwrap();
        let selected: Vec<&str> = layout.selected.iter().map(|d| d.name.as_str()).collect();
        assert_eq!(selected, ["合同编号", "t1", "金额（万元）", "changed"]);
        assert_eq!(layout.cursor, Some((3, CursorKind::Local)));
        assert_eq!(
            (layout.key, layout.key_cells),
            (vec!["合同编号".to_owned()], vec![Some(0)])
        );
        let dataset = &layout.plan.dataset;
        let amount = &layout.plan.columns[dataset.column_index("amount").unwrap()];
        assert_eq!(
            (&amount.source, amount.rules.factor),
            (&Source::Cell(2), Some(Factor::WAN))
        );
        let told: Vec<&str> = layout.notices.iter().map(|n| n.place.as_str()).collect();
        assert_eq!(told, ["contracts: odd"]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let id = ("contract_id", Wire::Text);
        for (extra, columns, word) in [
            (
                "",
                &[("title", Wire::Text)][..],
                "no column for the key contract_id",
            ),
            (
                "",
                &[id, ("合同编号", Wire::Text)],
                "two columns of the query mean contract_id",
            ),
            ("", &[id, id], "two columns named"),
            ("cursor = \"x\"", &[id], "cursor names the column \"x\""),
            ("cursor = \"f\"", &[id, ("f", Wire::Float)], "is of type Float"),
            (
                "columns = { title = \"x\" }",
                &[id],
                "columns.title names the column \"x\"",
            ),
            ("columns = { titel = \"x\" }", &[id], "field \"titel\""),
        ] {
            let error = layout(&stream(extra), columns, &[]).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn codes_are_those_of_the_field() {
        let stream = |code: &str| -> StreamConfig {
            let text = "dataset = \"purchase_orders\"\nquery = \"select\"\n[columns.channel]\nfrom = \"way\"";
            toml::from_str(&format!("{text}\ncodes = {{ 1 = \"{code}\" }}")).unwrap()
        };
        let columns = [
            ("order_id", Wire::Text),
            ("line_no", Wire::Int),
            ("way", Wire::Text),
        ];
        let plan = layout(&stream("线上"), &columns, &[]).unwrap().plan;
        let channel = &plan.columns[plan.dataset.column_index("channel").unwrap()];
        assert_eq!(channel.rules.codes["1"], "platform");
        let error = layout(&stream("电话"), &columns, &[]).unwrap_err();
        assert!(
            error.contains("columns.channel: codes: \"电话\" is none of "),
            "{error}"
        );
    }

    #[test]
    fn drift_is_told_and_a_lost_field_stops() {
        let first = [
            ("contract_id", Wire::Text),
            ("amount", Wire::Decimal),
            ("odd", Wire::Text),
        ];
        let saved = layout(&stream(""), &first, &[]).unwrap().saved;
        let changed = [
            ("contract_id", Wire::Int),
            ("amount", Wire::Decimal),
            ("new", Wire::Text),
        ];
        let codes: Vec<String> = layout(&stream(""), &changed, &saved)
            .unwrap()
            .notices
            .into_iter()
            .map(|n| n.code)
            .collect();
        assert_eq!(
            codes,
            [
                "COLUMN_NEW",
                "COLUMN_TYPE_CHANGED",
                "COLUMN_GONE",
                "COLUMN_IGNORED"
            ]
        );
        let renamed = [("contract_id", Wire::Text), ("total", Wire::Decimal)];
        let error = layout(&stream(""), &renamed, &saved).unwrap_err();
        assert!(
            error.contains("\"amount\"") && error.contains("new since: total"),
            "{error}"
        );
        layout(&stream("columns = { amount = \"total\" }"), &renamed, &saved).unwrap();
        layout(&stream("gone = [\"amount\"]"), &renamed, &saved).unwrap();
        // One that is mapped only now is empty in all rows that were read before.
        let notices = layout(
            &stream("cursor = \"amount\"\ncolumns = { title = \"odd\" }"),
            &first,
            &saved,
        )
        .unwrap()
        .notices;
        let told: Vec<(&str, &str)> = notices
            .iter()
            .map(|n| (n.code.as_str(), n.place.as_str()))
            .collect();
        assert_eq!(told, [("COLUMN_REMAPPED", "contracts: odd (- -> title)")]);
    }
}
