//! The tables as SQL sees them: a dataset's own columns, its parties, and where each row came from.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::TableProvider;
use datafusion::catalog::view::ViewTable;
use datafusion::common::Column;
use datafusion::datasource::empty::EmptyTable;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, ScalarUDF};
use domain::{ColumnType, Dataset};

use crate::error::{CollisionError, Result};

/// Where a row came from; every dataset's table ends with these.
pub const PROVENANCE: [&str; 5] = ["_source", "_batch", "_row", "_synced_at", "_hash"];

/// The type in which the engine reads a column.
pub fn read_type(ty: ColumnType) -> DataType {
    match ty {
        ColumnType::Text => DataType::Utf8View,
        other => other.arrow(),
    }
}

/// A dataset's table as it is stored: own columns, provenance, one reference a mention slot.
pub fn stored_schema(dataset: &Dataset) -> SchemaRef {
    let own = dataset
        .columns
        .iter()
        .map(|c| Field::new(&c.name, read_type(c.ty), true));
    let provenance = [
        Field::new("_source", DataType::Utf8View, true),
        Field::new("_batch", DataType::Utf8View, true),
        Field::new("_row", DataType::Int64, true),
        Field::new(
            "_synced_at",
            DataType::Timestamp(TimeUnit::Microsecond, None),
            true,
        ),
        Field::new("_hash", DataType::Int64, true),
    ];
    let refs = dataset
        .mentions
        .iter()
        .map(|m| Field::new(m.ref_column(), DataType::Int64, true));
    Arc::new(Schema::new(own.chain(provenance).chain(refs).collect::<Vec<_>>()))
}

/// The table of a dataset that was never synced.
pub fn empty(dataset: &Dataset) -> Arc<dyn TableProvider> {
    Arc::new(EmptyTable::new(stored_schema(dataset)))
}

/// The dataset's columns, `<slot>_party_id` and `<slot>_key` of each mention, and the provenance; references
/// stay hidden. A view over the stored table, so that columns no one asks for are never read or computed.
pub fn visible(
    dataset: &Dataset,
    stored: Arc<dyn TableProvider>,
    party_id_of: &ScalarUDF,
    party_key_of: &ScalarUDF,
) -> Result<Arc<dyn TableProvider>> {
    let column = |name: &str| Expr::Column(Column::new_unqualified(name));
    let mut columns: Vec<Expr> = dataset.columns.iter().map(|c| column(&c.name)).collect();
    for mention in &dataset.mentions {
        let reference = column(&mention.ref_column());
        columns.push(
            party_id_of
                .call(vec![reference.clone()])
                .alias(format!("{}_party_id", mention.slot)),
        );
        columns.push(
            party_key_of
                .call(vec![reference])
                .alias(format!("{}_key", mention.slot)),
        );
    }
    columns.extend(PROVENANCE.iter().map(|name| column(name)));
    let plan = LogicalPlanBuilder::scan(&dataset.name, provider_as_source(stored), None)
        .and_then(|scan| scan.project(columns))
        .and_then(LogicalPlanBuilder::build)
        .map_err(CollisionError::engine(format!("table {}", dataset.name)))?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}
