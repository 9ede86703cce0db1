//! Tables of text in, clusters and explained pairs out: all of `lianjing match` but reading and writing files.

use rayon::prelude::*;
use serde::Serialize;

use super::batch::{Linked, Options, Report, link};
use super::explain::{Explanation, explain};
use super::model::{Model, ModelError};
use super::persons::Hold;
use super::records::{Records, settle_names};
use super::schema::{Layout, LayoutError, Schema, layout, says_organisation};
use super::score::{Scorer, probability, weight_of};
use super::train::train;

/// A table of text, held compactly.
#[derive(Debug, Clone, Default)]
pub struct Table {
    header: Vec<String>,
    text: String,
    ends: Vec<usize>,
}

impl Table {
    pub fn new(header: Vec<String>) -> Self {
        Self {
            header,
            text: String::new(),
            ends: Vec::new(),
        }
    }

    /// Adds a row. Missing cells are empty; cells beyond the header are dropped.
    pub fn push<'a>(&mut self, cells: impl Iterator<Item = &'a str>) {
        let mut count = 0;
        for cell in cells.take(self.header.len()) {
            self.text.push_str(cell);
            self.ends.push(self.text.len());
            count += 1;
        }
        self.ends
            .resize(self.ends.len() + self.header.len() - count, self.text.len());
    }

    pub fn header(&self) -> &[String] {
        &self.header
    }

    pub fn rows(&self) -> usize {
        self.ends.len().checked_div(self.header.len()).unwrap_or(0)
    }

    pub fn cell(&self, row: usize, column: usize) -> &str {
        let at = row * self.header.len() + column;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[at]]
    }

    fn column(&self, column: usize) -> impl Iterator<Item = &str> {
        (0..self.rows()).map(move |row| self.cell(row, column))
    }
}

/// What to do with the tables.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// (field, column) pairs that win over the detection of columns.
    pub map: Vec<(String, String)>,
    /// The model; the shipped one for the columns when `None`.
    pub model: Option<Model>,
    /// Fits the model's probabilities to the records first.
    pub train: bool,
    /// Replaces the model's threshold.
    pub threshold: Option<f64>,
    /// With two tables: also matches records of one table with each other.
    pub dedupe_each: bool,
    /// Least probability of pairs given back; `None` gives none.
    pub pairs_from: Option<f64>,
}

/// One record's place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordRow {
    /// The table, from 0.
    pub file: u8,
    pub record_id: String,
    pub cluster_id: String,
    /// See [`super::Clusters::confidence`].
    pub confidence: f64,
}

/// One pair and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairRow {
    pub left: String,
    pub right: String,
    pub probability: f64,
    /// log2 odds.
    pub weight: f64,
    /// Whether both are in one cluster.
    pub joined: bool,
    pub explanation: Explanation,
}

/// All that a run gives.
#[derive(Debug)]
pub struct Matched {
    pub records: Vec<RecordRow>,
    pub pairs: Vec<PairRow>,
    pub report: Report,
    /// The model used, trained when asked for.
    pub model: Model,
    /// Headers that no field took.
    pub unused_columns: Vec<String>,
}

/// Why tables cannot be matched.
#[derive(Debug, thiserror::Error)]
pub enum MatchError {
    #[error("file {0} has no rows")]
    Empty(usize),
    #[error("file {file}: {source}")]
    Layout {
        file: usize,
        #[source]
        source: LayoutError,
    },
    #[error("the files share no column to match on: the first has {0}, the second {1}")]
    NothingShared(String, String),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error("the threshold must lie between 0 and 1, not {0}")]
    Threshold(f64),
}

/// Matches one table with itself, or two with each other.
///
/// # Errors
/// When a table is empty, no column can be matched on, or the model does not fit.
pub fn match_tables(tables: &[Table], request: &Request) -> Result<Matched, MatchError> {
    if let Some(threshold) = request.threshold.or(request.pairs_from)
        && !(0.0..=1.0).contains(&threshold)
    {
        return Err(MatchError::Threshold(threshold));
    }
    let layouts = layouts(tables, request)?;
    let records = load(tables, &layouts);
    let mut model = match &request.model {
        Some(model) => model.clone(),
        None => Model::shipped(records.schema()),
    };
    if let Some(threshold) = request.threshold {
        model.match_probability_threshold = threshold;
    }
    let options = Options {
        across_sources: tables.len() > 1 && !request.dedupe_each,
        pairs_from: request.pairs_from.unwrap_or(model.match_probability_threshold),
    };
    if request.train {
        model = train(&records, &model, &options)?;
    }
    let linked = link(&records, &model, &options)?;
    let ids = record_ids(tables, &layouts);
    let pairs = match request.pairs_from {
        Some(least) => pair_rows(&records, &model, &linked, &ids, least),
        None => Vec::new(),
    };
    Ok(Matched {
        records: record_rows(&records, &linked, ids),
        pairs,
        report: linked.report,
        model,
        unused_columns: layouts.into_iter().flat_map(|l| l.unused).collect(),
    })
}

/// Layouts with the same fields in the same order.
fn layouts(tables: &[Table], request: &Request) -> Result<Vec<Layout>, MatchError> {
    let mut out = Vec::with_capacity(tables.len());
    for (at, table) in tables.iter().enumerate() {
        if table.rows() == 0 {
            return Err(MatchError::Empty(at + 1));
        }
        let header: Vec<&str> = table.header.iter().map(String::as_str).collect();
        // A mapping may name a column of one file only.
        let map: Vec<(String, String)> = request
            .map
            .iter()
            .filter(|(_, column)| {
                let here = |t: &Table| t.header.iter().any(|h| h.trim() == column.trim());
                here(table) || !tables.iter().any(here)
            })
            .cloned()
            .collect();
        out.push(layout(&header, &map).map_err(|source| MatchError::Layout { file: at + 1, source })?);
    }
    if let [first, second] = out.as_mut_slice() {
        let shared =
            |other: &Layout, b: &super::Binding| other.bindings.iter().any(|o| o.field.name == b.field.name);
        let names = |l: &Layout| {
            l.bindings
                .iter()
                .map(|b| b.field.name.clone())
                .collect::<Vec<_>>()
                .join(", ")
        };
        let (a, b) = (names(first), names(second));
        let second_before = second.clone();
        first.bindings.retain(|x| shared(&second_before, x));
        let order: Vec<super::Binding> = first
            .bindings
            .iter()
            .filter_map(|x| {
                second
                    .bindings
                    .iter()
                    .find(|y| y.field.name == x.field.name)
                    .cloned()
            })
            .collect();
        second.bindings = order;
        if first.bindings.is_empty() {
            return Err(MatchError::NothingShared(a, b));
        }
    }
    Ok(out)
}

fn load(tables: &[Table], layouts: &[Layout]) -> Records {
    let fields = layouts[0].bindings.iter().map(|b| b.field.clone()).collect();
    let mut schema = Schema { fields };
    // A header such as 公司名称 says itself whose names they are.
    let said = |b: &super::Binding| says_organisation(&tables[0].header[b.column]);
    if !layouts[0].bindings.iter().any(said) {
        schema = settle_names(schema, |field| {
            let column = layouts[0].bindings[field].column;
            Box::new(tables[0].column(column).take(1000))
        });
    }
    let mut records = Records::new(schema);
    for (at, (table, layout)) in tables.iter().zip(layouts).enumerate() {
        let columns: Vec<Vec<&str>> = layout
            .bindings
            .par_iter()
            .map(|b| table.column(b.column).collect())
            .collect();
        records.extend(at as u8, &columns);
    }
    records
}

fn record_ids(tables: &[Table], layouts: &[Layout]) -> Vec<String> {
    tables
        .iter()
        .zip(layouts)
        .flat_map(|(table, layout)| {
            (0..table.rows()).map(
                move |row| match layout.record_id.map(|c| table.cell(row, c).trim()) {
                    Some(id) if !id.is_empty() => id.to_owned(),
                    _ => (row + 1).to_string(),
                },
            )
        })
        .collect()
}

fn record_rows(records: &Records, linked: &Linked, ids: Vec<String>) -> Vec<RecordRow> {
    // Clusters are numbered in the order of their first records.
    let mut numbers = vec![0u32; records.len()];
    let mut next = 0;
    ids.into_iter()
        .enumerate()
        .map(|(at, record_id)| {
            let lowest = linked.clusters.cluster_of[at] as usize;
            if lowest == at {
                next += 1;
                numbers[at] = next;
            }
            RecordRow {
                file: records.source(at as u32),
                record_id,
                cluster_id: format!("C{}", numbers[lowest]),
                confidence: linked.clusters.confidence[at],
            }
        })
        .collect()
}

/// Why a pair over the threshold is in two clusters when nothing holds back the pair itself.
const APART: (&str, &str) = (
    "未合并：否则会把不同主体并在一起",
    "not joined: that would bring together what is of different parties",
);

fn pair_rows(records: &Records, model: &Model, linked: &Linked, ids: &[String], least: f64) -> Vec<PairRow> {
    let scorer = Scorer::new(model, records);
    let threshold = weight_of(model.match_probability_threshold);
    linked
        .edges
        .iter()
        .map(|edge| (edge, probability(f64::from(edge.weight))))
        .filter(|(_, p)| *p >= least)
        .map(|(edge, probability)| {
            let cluster = |record: u32| linked.clusters.cluster_of[record as usize];
            let joined = cluster(edge.a) == cluster(edge.b);
            let mut explanation = explain(&scorer, model, edge.a, edge.b);
            if !joined && f64::from(edge.weight) >= threshold {
                let why = linked.held.why(edge.a, edge.b);
                explanation.add(why.map_or(APART, Hold::words));
            }
            PairRow {
                left: ids[edge.a as usize].clone(),
                right: ids[edge.b as usize].clone(),
                probability,
                weight: f64::from(edge.weight),
                joined,
                explanation,
            }
        })
        .collect()
}
