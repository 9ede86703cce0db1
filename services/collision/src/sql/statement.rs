//! One read-only query: parsed, checked, with its table names, functions and parameters known.
//!
//! Parameters are put in as typed literals before planning, so that the planner sees their exact types
//! and two runs with the same parameters plan the same text.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArgumentClause, FunctionArguments, Ident, ObjectName, Statement as SqlStatement,
    TableFactor, Value as SqlValue, VisitMut, VisitorMut,
};

use crate::error::{CollisionError, Result};

/// Functions whose answer differs from call to call.
const VOLATILE: &[&str] = &[
    "now",
    "current_date",
    "current_time",
    "current_timestamp",
    "localtime",
    "localtimestamp",
    "random",
    "uuid",
    "today",
];

/// Table functions that can make rows out of nothing, without bound.
const UNBOUNDED: &[&str] = &["generate_series", "range"];

/// Aggregates that give what the order of rows happens to be, unless told an order.
const ORDER_MATTERS: &[&str] = &[
    "array_agg",
    "string_agg",
    "first_value",
    "last_value",
    "nth_value",
    "any_value",
];

fn has_order(function: &Function) -> bool {
    let inside = match &function.args {
        FunctionArguments::List(list) => list
            .clauses
            .iter()
            .any(|c| matches!(c, FunctionArgumentClause::OrderBy(keys) if !keys.is_empty())),
        _ => false,
    };
    inside || !function.within_group.is_empty()
}

/// One query and what can be read off it without planning.
#[derive(Debug, Clone)]
pub struct Query {
    statement: Statement,
    /// Tables and views it names, without its own CTEs and without table functions.
    pub tables: BTreeSet<String>,
    /// How often each of them is read: a CTE that is named twice is computed twice.
    pub times_read: BTreeMap<String, u64>,
    /// Names of scalar, aggregate and table functions, lower case.
    pub functions: BTreeSet<String>,
    /// Names of `$parameters`, without the dollar sign.
    pub params: BTreeSet<String>,
    /// Aggregates whose result depends on the order of rows, used without `order by`.
    pub unordered: BTreeSet<String>,
}

impl Query {
    /// Parses exactly one query. `volatile` allows `now()` and the like (questions may ask, rules may not).
    pub fn parse(text: &str, volatile: bool) -> std::result::Result<Self, String> {
        let mut statements = DFParser::parse_sql(text).map_err(|e| {
            e.strip_backtrace()
                .replace("SQL error: ParserError(", "")
                .replace("\")", "\"")
        })?;
        let (Some(mut statement), true) = (statements.pop_front(), statements.is_empty()) else {
            return Err("there must be exactly one select; put shared steps into CTEs".into());
        };
        let Statement::Statement(inner) = &mut statement else {
            return Err(
                "only a select may stand here; nothing may be created, copied, set or explained".into(),
            );
        };
        let SqlStatement::Query(_) = inner.as_ref() else {
            return Err(
                "only a select may stand here; nothing may be written, created, set or explained".into(),
            );
        };
        let mut finder = Finder::default();
        if let ControlFlow::Break(problem) = inner.visit(&mut finder) {
            return Err(problem);
        }
        if !volatile && let Some(name) = finder.functions.iter().find(|f| VOLATILE.contains(&f.as_str())) {
            return Err(format!(
                "{name} gives another answer each time; use $as_of instead of the clock"
            ));
        }
        if let Some(name) = finder
            .table_functions
            .iter()
            .find(|f| UNBOUNDED.contains(&f.as_str()))
        {
            return Err(format!(
                "the table function {name} makes rows without bound and is not allowed"
            ));
        }
        // A view and a table function may have one name; only what is read without arguments is a table.
        let mut tables_only = statement.clone();
        if let Statement::Statement(inner) = &mut tables_only {
            let _: ControlFlow<()> = inner.visit(&mut FunctionsHidden);
        }
        let (relations, _) = resolve_table_references(&tables_only, true).map_err(|e| e.strip_backtrace())?;
        let tables: BTreeSet<String> = relations
            .into_iter()
            .map(|r| r.to_string())
            .filter(|name| name != HIDDEN)
            .collect();
        finder.functions.extend(finder.table_functions);
        let mut times_read = times_read(&tables_only);
        times_read.retain(|name, _| tables.contains(name));
        Ok(Self {
            statement,
            tables,
            times_read,
            functions: finder.functions,
            params: finder.params,
            unordered: finder.unordered,
        })
    }

    /// The statement with every parameter replaced by its literal.
    pub fn bind(&self, values: &BTreeMap<String, Vec<Expr>>) -> Result<Statement> {
        let mut bound = self.statement.clone();
        let Statement::Statement(inner) = &mut bound else {
            return Ok(bound);
        };
        match inner.visit(&mut Binder { values }) {
            ControlFlow::Continue(()) => Ok(bound),
            ControlFlow::Break(error) => Err(error),
        }
    }

    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// The same query with its syntax tree changed by `edit`; for mutation tests.
    pub fn edited(&self, edit: impl FnOnce(&mut SqlStatement)) -> Self {
        let mut changed = self.clone();
        if let Statement::Statement(inner) = &mut changed.statement {
            edit(inner);
        }
        changed
    }
}

/// How often each name is read when every CTE is put where it is named.
fn times_read(statement: &Statement) -> BTreeMap<String, u64> {
    let Statement::Statement(inner) = statement else {
        return BTreeMap::new();
    };
    let SqlStatement::Query(query) = inner.as_ref() else {
        return BTreeMap::new();
    };
    let mut body = query.as_ref().clone();
    let ctes = body.with.take().map(|with| with.cte_tables).unwrap_or_default();
    let mut times = names(&mut body);
    // Later CTEs name earlier ones.
    for mut cte in ctes.into_iter().rev() {
        let cte_name = normal(&cte.alias.name.value, cte.alias.name.quote_style.is_some());
        let Some(weight) = times.remove(&cte_name) else {
            continue;
        };
        for (name, count) in names(cte.query.as_mut()) {
            let total: &mut u64 = times.entry(name).or_default();
            *total = total.saturating_add(count.saturating_mul(weight));
        }
    }
    times
}

fn normal(name: &str, quoted: bool) -> String {
    if quoted {
        name.to_owned()
    } else {
        name.to_lowercase()
    }
}

/// The names in a part of a query and how often each stands there.
fn names(part: &mut impl VisitMut) -> BTreeMap<String, u64> {
    struct Names(BTreeMap<String, u64>);
    impl VisitorMut for Names {
        type Break = ();
        fn pre_visit_relation(&mut self, name: &mut ObjectName) -> ControlFlow<()> {
            let quoted = name.to_string().contains('"');
            *self
                .0
                .entry(normal(&name.to_string().replace('"', ""), quoted))
                .or_default() += 1;
            ControlFlow::Continue(())
        }
    }
    let mut names = Names(BTreeMap::new());
    let _: ControlFlow<()> = part.visit(&mut names);
    names.0
}

/// The parameter that an expression is, if it is one.
pub fn placeholder(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(v) => match &v.value {
            SqlValue::Placeholder(name) => Some(name.trim_start_matches('$')),
            _ => None,
        },
        _ => None,
    }
}

/// Stands where the name of a table function was; no table is named so.
const HIDDEN: &str = "a table function";

/// Takes the names of table functions out of a query.
struct FunctionsHidden;

impl VisitorMut for FunctionsHidden {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table {
            name, args: Some(_), ..
        }
        | TableFactor::Function { name, .. } = factor
        {
            *name = ObjectName::from(vec![Ident::with_quote('"', HIDDEN)]);
        }
        ControlFlow::Continue(())
    }
}

#[derive(Default)]
struct Finder {
    functions: BTreeSet<String>,
    table_functions: BTreeSet<String>,
    params: BTreeSet<String>,
    unordered: BTreeSet<String>,
    /// The function seen last was `array_sort`, whose argument comes next.
    sorts_next: bool,
}

fn last_part(name: &ObjectName) -> String {
    name.to_string()
        .rsplit('.')
        .next()
        .unwrap_or_default()
        .trim_matches('"')
        .to_lowercase()
}

impl VisitorMut for Finder {
    type Break = String;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<String> {
        if let Expr::Function(f) = &*expr {
            let name = last_part(&f.name);
            let sorted = std::mem::replace(&mut self.sorts_next, name == "array_sort");
            if ORDER_MATTERS.contains(&name.as_str()) && f.over.is_none() && !has_order(f) && !sorted {
                self.unordered.insert(name.clone());
            }
            self.functions.insert(name);
        }
        if let Some(name) = placeholder(expr) {
            let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if name.is_empty() || !plain || name.chars().all(|c| c.is_ascii_digit()) {
                return ControlFlow::Break(format!("a parameter is written $name, not ${name}"));
            }
            self.params.insert(name.to_owned());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<String> {
        match factor {
            TableFactor::Table {
                name, args: Some(_), ..
            } => {
                self.table_functions.insert(last_part(name));
            }
            TableFactor::Function { name, .. } => {
                self.table_functions.insert(last_part(name));
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

struct Binder<'a> {
    values: &'a BTreeMap<String, Vec<Expr>>,
}

impl Binder<'_> {
    fn find(&self, name: &str) -> std::result::Result<&Vec<Expr>, CollisionError> {
        self.values.get(name).ok_or_else(|| CollisionError::BadParameter {
            name: name.to_owned(),
            problem: "the SQL uses it, but `params` does not declare it".into(),
        })
    }
}

impl VisitorMut for Binder<'_> {
    type Break = CollisionError;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<CollisionError> {
        if let Expr::InList { list, .. } = expr {
            let mut items = Vec::new();
            for item in list.drain(..) {
                match placeholder(&item).map(|name| self.find(name)) {
                    Some(Ok(values)) => items.extend(values.iter().cloned()),
                    Some(Err(error)) => return ControlFlow::Break(error),
                    None => items.push(item),
                }
            }
            *list = items;
        } else if let Some(name) = placeholder(expr) {
            match self.find(name).map(|values| (values.as_slice(), name)) {
                Ok(([one], _)) => *expr = one.clone(),
                Ok((_, name)) => {
                    return ControlFlow::Break(CollisionError::BadParameter {
                        name: name.to_owned(),
                        problem: "a list can only stand in `in ($name)`".into(),
                    });
                }
                Err(error) => return ControlFlow::Break(error),
            }
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_plain_query_is_taken() {
        for (text, want) in [
            ("select 1; select 2", "exactly one select"),
            ("", "exactly one select"),
            ("delete from tenders", "only a select"),
            ("insert into tenders select * from tenders", "only a select"),
            ("create table x as select 1", "only a select"),
            (
                "create external table x stored as csv location '/etc/passwd'",
                "only a select",
            ),
            ("copy tenders to '/tmp/x'", "only a select"),
            ("set datafusion.execution.batch_size = 1", "only a select"),
            ("select now()", "now gives another answer"),
            (
                "select 1 where current_date > $as_of",
                "current_date gives another answer",
            ),
            (
                "with a as (select random() r) select * from a",
                "random gives another answer",
            ),
            ("select * from generate_series(1, 1000000000)", "without bound"),
            ("select $1", "written $name"),
            ("selec 1", "Expected"),
        ] {
            let error = Query::parse(text, false).expect_err(text);
            assert!(error.contains(want), "{text}: {error}");
        }
    }

    #[test]
    fn tables_functions_and_parameters_are_found() {
        let q = Query::parse(
            "with t as (select * from tenders where budget > $floor) \
             select name_key(a.x) from t a join related_parties(4) r on true where exists (select 1 from bids)",
            false,
        )
        .unwrap();
        assert_eq!(q.tables, ["bids", "tenders"].map(String::from).into());
        assert!(q.functions.contains("related_parties") && q.functions.contains("name_key"));
        assert_eq!(q.params, ["floor".to_string()].into());
        assert!(q.unordered.is_empty());
    }

    #[test]
    fn a_table_and_a_function_of_one_name_are_told_apart() {
        let query = |text: &str| Query::parse(text, false).unwrap();
        let both =
            query("select * from bidders as b inner join bidders() as f on b.supplier_party_id = f.party_id");
        assert_eq!(both.tables, ["bidders".to_string()].into());
        assert_eq!(both.times_read, [("bidders".to_string(), 1)].into());
        assert!(both.functions.contains("bidders"));
        let one = query("with bidders as (select * from bidders()) select * from bidders");
        assert!(one.tables.is_empty() && one.times_read.is_empty());
        assert!(one.functions.contains("bidders"));
    }

    #[test]
    fn a_cte_that_is_named_twice_reads_its_tables_twice() {
        let query = Query::parse(
            "with a as (select * from tenders), b as (select * from a union all select * from a), \
             c as (select * from bids) \
             select * from b x join b y on x.i = y.i where x.j in (select j from a)",
            false,
        )
        .unwrap();
        assert_eq!(query.times_read, [("tenders".to_string(), 5)].into());
    }

    #[test]
    fn aggregates_that_depend_on_the_order_of_rows_are_found() {
        let unordered = |text: &str| Query::parse(text, false).unwrap().unordered;
        assert_eq!(
            unordered("select array_agg(a) from t"),
            ["array_agg".to_string()].into()
        );
        assert!(unordered("select array_agg(a order by a), string_agg(b, ',' order by b) from t").is_empty());
        assert!(unordered("select array_sort(array_agg(distinct a)) from t").is_empty());
        assert!(unordered("select first_value(a) over (order by b) from t").is_empty());
    }
}
