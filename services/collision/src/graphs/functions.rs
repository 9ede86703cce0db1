//! `related_parties`, `related_suppliers`, `shared_attributes` and `components` as table functions.
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
use graph::{Graph, Hop};

/// Registers all of them over one graph.
pub fn register(context: &SessionContext, graph: Arc<Graph>) {
    let answers = Arc::new(Answers {
        graph,
        known: Mutex::default(),
    });
    for (name, question) in [
        (
            "related_parties",
            Question::RelatedParties as fn(usize) -> Question,
        ),
        ("related_suppliers", |_| Question::RelatedSuppliers),
        ("shared_attributes", |_| Question::SharedAttributes),
        ("components", |_| Question::Components),
    ] {
        let takes_hops = name == "related_parties";
        context.register_udtf(
            name,
            Arc::new(GraphFunction {
                name,
                question,
                takes_hops,
                answers: answers.clone(),
            }),
        );
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Question {
    /// Longest path in hops.
    RelatedParties(usize),
    RelatedSuppliers,
    SharedAttributes,
    Components,
}

struct Answers {
    graph: Arc<Graph>,
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
        };
        let table = Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]])?);
        known.insert(question, table.clone());
        Ok(table)
    }
}

struct GraphFunction {
    name: &'static str,
    question: fn(usize) -> Question,
    takes_hops: bool,
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
        let hops = match (args.exprs(), self.takes_hops) {
            ([], false) => 0,
            ([hops], true) => match whole_number(hops) {
                Some(hops) => hops,
                None => {
                    return plan_err!(
                        "{}(max_hops) takes a whole number, e.g. {}(4)",
                        self.name,
                        self.name
                    );
                }
            },
            (_, true) => return plan_err!("{}(max_hops) takes one argument", self.name),
            (_, false) => return plan_err!("{}() takes no argument", self.name),
        };
        Ok(self.answers.of((self.question)(hops))?)
    }
}

/// The number that a literal is, also one cast to bigint as parameters are.
fn whole_number(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Literal(value, _) => match value.cast_to(&DataType::Int64).ok()? {
            ScalarValue::Int64(Some(n)) => usize::try_from(n).ok(),
            _ => None,
        },
        Expr::Cast(cast) => whole_number(&cast.expr),
        _ => None,
    }
}

fn graph_error(error: graph::GraphError) -> DataFusionError {
    DataFusionError::Plan(error.to_string())
}

fn text<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
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

fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
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

fn counts(values: impl Iterator<Item = usize>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values.map(|n| n as i64)))
}

fn told_when_cut(truncated: bool, function: &str) {
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
