//! Keeps `array_agg` over text fast.
//!
//! Text is read as views, which point into the buffers that they were read from. Each list that `array_agg`
//! makes of views holds on to all those buffers, and lists made of such lists hold on to all of theirs: a few
//! hundred rows can take minutes. As plain text each list holds its own characters only.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, config::ConfigOptions};
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{Expr, ExprSchemable, cast};

/// Casts what `array_agg` gathers from text views to plain text, at any depth.
#[derive(Debug)]
pub struct CompactLists;

impl FunctionRewrite for CompactLists {
    fn name(&self) -> &str {
        "compact_lists"
    }

    fn rewrite(&self, expr: Expr, schema: &DFSchema, _: &ConfigOptions) -> Result<Transformed<Expr>> {
        let Expr::AggregateFunction(mut aggregate) = expr else {
            return Ok(Transformed::no(expr));
        };
        let gathered = match &aggregate.params.args[..] {
            [gathered] if aggregate.func.name() == "array_agg" => gathered.clone(),
            _ => return Ok(Transformed::no(Expr::AggregateFunction(aggregate))),
        };
        let Some(plain) = without_views(&gathered.get_type(schema)?) else {
            return Ok(Transformed::no(Expr::AggregateFunction(aggregate)));
        };
        let plain = cast(gathered.clone(), plain);
        // `array_agg(distinct x order by x)` must be ordered by what it gathers.
        for key in aggregate
            .params
            .order_by
            .iter_mut()
            .filter(|key| key.expr == gathered)
        {
            key.expr = plain.clone();
        }
        aggregate.params.args = vec![plain];
        Ok(Transformed::yes(Expr::AggregateFunction(aggregate)))
    }
}

/// The type with plain text for every text view in it; `None` when there is none.
fn without_views(ty: &DataType) -> Option<DataType> {
    let inside = |field: &FieldRef| -> Option<FieldRef> {
        Some(Arc::new(
            field
                .as_ref()
                .clone()
                .with_data_type(without_views(field.data_type())?),
        ))
    };
    match ty {
        DataType::Utf8View => Some(DataType::Utf8),
        DataType::List(item) => inside(item).map(DataType::List),
        DataType::LargeList(item) => inside(item).map(DataType::LargeList),
        DataType::Struct(fields) => {
            let plain: Vec<Option<FieldRef>> = fields.iter().map(inside).collect();
            plain.iter().any(Option::is_some).then(|| {
                let fields = fields
                    .iter()
                    .zip(plain)
                    .map(|(old, new)| new.unwrap_or_else(|| old.clone()));
                DataType::Struct(fields.collect())
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::datatypes::{Field, Fields};

    use super::*;

    #[test]
    fn views_are_found_at_any_depth() {
        let row = |ty| {
            DataType::Struct(Fields::from(vec![
                Field::new("a", ty, true),
                Field::new("b", DataType::Int64, true),
            ]))
        };
        let list = |ty| DataType::List(Arc::new(Field::new("item", ty, true)));
        assert_eq!(
            without_views(&list(row(DataType::Utf8View))),
            Some(list(row(DataType::Utf8)))
        );
        assert_eq!(without_views(&list(row(DataType::Utf8))), None);
    }
}
