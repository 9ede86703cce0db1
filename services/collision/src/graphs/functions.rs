//! The graph's questions as table functions; the answers that are not of paths are in `networks`.
//!
//! An answer is computed once per session and argument, whichever rules ask.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int64Array, ListArray, RecordBatch,
    StringViewArray, StructArray,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, Fields, Schema};
use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{ScalarValue, plan_err};
use datafusion::datasource::MemTable;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::Expr;
use datafusion::prelude::SessionContext;
use graph::{Certainty, Graph, Hop, Market, certainty_of};

use super::networks;

/// Registers all of them over one graph and one market.
pub fn register(context: &SessionContext, graph: Arc<Graph>, market: Arc<Market>) {
    let answers = Arc::new(Answers {
        graph,
        market,
        known: Mutex::default(),
    });
    for (name, usage) in USAGES {
        let answers = answers.clone();
        context.register_udtf(name, Arc::new(GraphFunction { name, usage, answers }));
    }
}

/// Each function, and what to tell whoever calls it wrongly.
const USAGES: [(&str, &str); super::FUNCTIONS.len()] = [
    (
        "related_parties",
        "takes a whole number of hops, e.g. related_parties(4)",
    ),
    ("related_suppliers", "takes no argument"),
    ("shared_attributes", "takes no argument"),
    ("components", "takes no argument"),
    ("communities", "takes no argument"),
    (
        "ownership",
        "takes a day and the least share as a fraction from 0 to 1, e.g. ownership(date '2025-01-31', 0.25)",
    ),
    ("co_bidding", "takes no argument"),
    ("bidders", "takes no argument"),
    ("bidding_communities", "takes no argument"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Question {
    /// Longest path in hops.
    RelatedParties(usize),
    RelatedSuppliers,
    SharedAttributes,
    Components,
    Communities,
    /// Day since 1970-01-01 and the bits of the least share.
    Ownership(i32, u64),
    CoBidding,
    Bidders,
    BiddingCommunities,
}

impl Question {
    /// What a call asks; `None` when the arguments do not fit.
    fn of(name: &str, arguments: &[Expr]) -> Option<Self> {
        match (name, arguments) {
            ("related_parties", [hops]) => Some(Self::RelatedParties(whole_number(hops)?)),
            ("ownership", [day, share]) => {
                let share = fraction(share).filter(|share| (0.0..=1.0).contains(share))?;
                Some(Self::Ownership(day_number(day)?, share.to_bits()))
            }
            ("related_suppliers", []) => Some(Self::RelatedSuppliers),
            ("shared_attributes", []) => Some(Self::SharedAttributes),
            ("components", []) => Some(Self::Components),
            ("communities", []) => Some(Self::Communities),
            ("co_bidding", []) => Some(Self::CoBidding),
            ("bidders", []) => Some(Self::Bidders),
            ("bidding_communities", []) => Some(Self::BiddingCommunities),
            _ => None,
        }
    }
}

struct Answers {
    graph: Arc<Graph>,
    market: Arc<Market>,
    known: Mutex<HashMap<Question, Arc<MemTable>>>,
}

impl Answers {
    fn of(&self, question: Question) -> Result<Arc<MemTable>> {
        // Held while computing, so that two rules that ask at once compute once.
        let mut known = self.known.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(table) = known.get(&question) {
            return Ok(table.clone());
        }
        let batch = match question {
            Question::RelatedParties(hops) => related_parties(&self.graph, hops)?,
            Question::RelatedSuppliers => related_suppliers(&self.graph)?,
            Question::SharedAttributes => shared_attributes(&self.graph)?,
            Question::Components => components(&self.graph)?,
            Question::Communities => networks::communities(&self.graph)?,
            Question::Ownership(day, share) => networks::ownership(&self.graph, day, f64::from_bits(share))?,
            Question::CoBidding => networks::co_bidding(&self.market)?,
            Question::Bidders => networks::bidders(&self.market)?,
            Question::BiddingCommunities => networks::bidding_communities(&self.market)?,
        };
        let table = Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]])?);
        known.insert(question, table.clone());
        Ok(table)
    }
}

struct GraphFunction {
    name: &'static str,
    usage: &'static str,
    answers: Arc<Answers>,
}

impl std::fmt::Debug for GraphFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GraphFunction")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl TableFunctionImpl for GraphFunction {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        match Question::of(self.name, args.exprs()) {
            Some(question) => Ok(self.answers.of(question)?),
            None => plan_err!("{}() {}", self.name, self.usage),
        }
    }
}

/// The value that a literal is, cast to a type; also of one that is cast already, as parameters are.
fn literal(expr: &Expr, to: &DataType) -> Option<ScalarValue> {
    match expr {
        Expr::Literal(value, _) => value.cast_to(to).ok(),
        Expr::Cast(cast) => literal(&cast.expr, to),
        _ => None,
    }
}

fn whole_number(expr: &Expr) -> Option<usize> {
    match literal(expr, &DataType::Int64)? {
        ScalarValue::Int64(Some(n)) => usize::try_from(n).ok(),
        _ => None,
    }
}

fn day_number(expr: &Expr) -> Option<i32> {
    match literal(expr, &DataType::Date32)? {
        ScalarValue::Date32(day) => day,
        _ => None,
    }
}

fn fraction(expr: &Expr) -> Option<f64> {
    match literal(expr, &DataType::Float64)? {
        ScalarValue::Float64(n) => n,
        _ => None,
    }
}

pub(super) fn graph_error(error: graph::GraphError) -> DataFusionError {
    DataFusionError::Plan(error.to_string())
}

pub(super) fn text<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringViewArray::from_iter_values(values))
}

fn dates(values: impl Iterator<Item = Option<i32>>) -> ArrayRef {
    Arc::new(values.collect::<Date32Array>())
}

/// Texts such as "40.0000" as decimal(7,4).
fn percents<'a>(values: impl Iterator<Item = Option<&'a str>>) -> Result<ArrayRef> {
    let scaled: Decimal128Array = values
        .map(|v| v.and_then(|v| v.replace('.', "").parse().ok()))
        .collect();
    Ok(Arc::new(scaled.with_precision_and_scale(7, 4)?))
}

/// As decimal(7,6): binary floats have no place in rules.
fn certainties(values: impl Iterator<Item = Certainty>) -> Result<ArrayRef> {
    let millionths: Decimal128Array = values.map(|c| Some(i128::from(c.millionths()))).collect();
    Ok(Arc::new(millionths.with_precision_and_scale(7, 6)?))
}

pub(super) fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(n, a)| Field::new(*n, a.data_type().clone(), true))
        .collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

/// One list of hops a row, each hop a struct that ends with the row that states it.
fn hop_lists<'g>(rows: impl Iterator<Item = &'g Vec<Hop<'g>>> + Clone) -> Result<ArrayRef> {
    let lengths = OffsetBuffer::<i32>::from_lengths(rows.clone().map(Vec::len));
    let hops = || rows.clone().flatten();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("from", text(hops().map(|h| h.from))),
        ("from_name", text(hops().map(|h| h.from_name))),
        ("to", text(hops().map(|h| h.to))),
        ("to_name", text(hops().map(|h| h.to_name))),
        ("relation", text(hops().map(|h| h.relation.as_str()))),
        ("share", percents(hops().map(|h| h.share.as_deref()))?),
        ("valid_from", dates(hops().map(|h| h.valid_from))),
        ("valid_to", dates(hops().map(|h| h.valid_to))),
        ("certainty", certainties(hops().map(|h| h.certainty))?),
        ("dataset", text(hops().map(|h| h.row.dataset.as_ref()))),
        ("key", text(hops().map(|h| h.row.key.as_ref()))),
        ("source", text(hops().map(|h| h.row.source.as_ref()))),
        ("batch", text(hops().map(|h| h.row.batch.as_ref()))),
        (
            "row",
            Arc::new(Int64Array::from_iter_values(hops().map(|h| h.row.row as i64))),
        ),
    ];
    let fields: Fields = columns
        .iter()
        .map(|(n, a)| Field::new(*n, a.data_type().clone(), true))
        .collect();
    let structs = StructArray::try_new(
        fields.clone(),
        columns.into_iter().map(|(_, a)| a).collect(),
        None,
    )?;
    let item = Arc::new(Field::new("item", DataType::Struct(fields), true));
    Ok(Arc::new(ListArray::try_new(
        item,
        lengths,
        Arc::new(structs),
        None,
    )?))
}

pub(super) fn counts(values: impl Iterator<Item = usize>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values.map(|n| n as i64)))
}

pub(super) fn told_when_cut(truncated: bool, function: &str) {
    if truncated {
        tracing::warn!(
            function,
            "graph.answer.cut: a limit cut the answer; some relations are left out"
        );
    }
}

fn related_parties(graph: &Graph, max_hops: usize) -> Result<RecordBatch> {
    let answer = graph.related_parties(max_hops).map_err(graph_error)?;
    told_when_cut(answer.truncated, "related_parties");
    let rows = &answer.rows;
    batch(vec![
        ("staff_id", text(rows.iter().map(|r| r.staff_id))),
        ("staff_party_id", text(rows.iter().map(|r| r.staff_party_id))),
        (
            "supplier_party_id",
            text(rows.iter().map(|r| r.supplier_party_id)),
        ),
        ("hops", hop_lists(rows.iter().map(|r| &r.path.hops))?),
        ("hop_count", counts(rows.iter().map(|r| r.path.hops.len()))),
        ("share", percents(rows.iter().map(|r| r.path.share.as_deref()))?),
        (
            "controls",
            Arc::new(BooleanArray::from_iter(
                rows.iter().map(|r| Some(r.path.controls)),
            )),
        ),
        ("valid_from", dates(rows.iter().map(|r| r.path.valid_from))),
        ("valid_to", dates(rows.iter().map(|r| r.path.valid_to))),
        ("certainty", certainties(rows.iter().map(|r| r.path.certainty))?),
    ])
}

fn related_suppliers(graph: &Graph) -> Result<RecordBatch> {
    let answer = graph.related_suppliers();
    told_when_cut(answer.truncated, "related_suppliers");
    let rows = &answer.rows;
    batch(vec![
        ("a_party_id", text(rows.iter().map(|r| r.a_party_id))),
        ("b_party_id", text(rows.iter().map(|r| r.b_party_id))),
        ("kind", text(rows.iter().map(|r| r.kind.as_str()))),
        ("via_party_id", text(rows.iter().map(|r| r.via_party_id))),
        ("hops", hop_lists(rows.iter().map(|r| &r.hops))?),
        ("hop_count", counts(rows.iter().map(|r| r.hops.len()))),
        ("valid_from", dates(rows.iter().map(|r| r.valid_from))),
        ("valid_to", dates(rows.iter().map(|r| r.valid_to))),
        (
            "certainty",
            certainties(rows.iter().map(|r| certainty_of(&r.hops)))?,
        ),
    ])
}

fn shared_attributes(graph: &Graph) -> Result<RecordBatch> {
    let rows = graph.shared_attributes();
    batch(vec![
        ("party_a", text(rows.iter().map(|r| r.party_a))),
        ("party_b", text(rows.iter().map(|r| r.party_b))),
        ("kind", text(rows.iter().map(|r| r.kind.as_str()))),
        ("value", text(rows.iter().map(|r| r.value))),
        ("degree", counts(rows.iter().map(|r| r.degree as usize))),
        (
            "weak",
            Arc::new(BooleanArray::from_iter(rows.iter().map(|r| Some(r.weak)))),
        ),
        (
            "a_dataset",
            text(rows.iter().map(|r| r.a_source.dataset.as_ref())),
        ),
        ("a_key", text(rows.iter().map(|r| r.a_source.key.as_ref()))),
        (
            "b_dataset",
            text(rows.iter().map(|r| r.b_source.dataset.as_ref())),
        ),
        ("b_key", text(rows.iter().map(|r| r.b_source.key.as_ref()))),
    ])
}

fn components(graph: &Graph) -> Result<RecordBatch> {
    let rows = graph.components();
    batch(vec![
        ("party_id", text(rows.iter().map(|r| r.party_id))),
        ("component_id", text(rows.iter().map(|r| r.component_id))),
        ("size", counts(rows.iter().map(|r| r.size as usize))),
    ])
}
