//! Feeds one snapshot's rows to the graph: parties, dated edges and shared attributes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::NaiveDate;
use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::{Int64Type, SchemaRef};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{ident, lit};
use datafusion::prelude::SessionContext;
use domain::Value;
use futures::StreamExt;
use graph::mapping::{
    DeclarationRow, RelationRow, branch_edge, declaration_edges, legal_representative_edge, relation_edge,
};
use graph::{
    AttributeInput, AttributeKind, BidInput, Certainty, EdgeInput, Graph, GraphInput, Market, PartyKind,
    PartyNode, SourceRow,
};
use matching::identifier::{norm_account, norm_email, norm_phone};

use crate::data::Snapshot;
use crate::error::{CollisionError, Result};
use crate::values::value_at;

/// Which column of which dataset states an attribute of which party.
const ATTRIBUTES: [(&str, &str, &str, AttributeKind); 8] = [
    ("suppliers", "supplier_party_id", "phone", AttributeKind::Phone),
    (
        "suppliers",
        "supplier_party_id",
        "address",
        AttributeKind::Address,
    ),
    (
        "suppliers",
        "supplier_party_id",
        "bank_account",
        AttributeKind::Account,
    ),
    ("suppliers", "supplier_party_id", "email", AttributeKind::Email),
    ("staff", "staff_party_id", "phone", AttributeKind::Phone),
    ("bids", "supplier_party_id", "contact_phone", AttributeKind::Phone),
    (
        "bids",
        "supplier_party_id",
        "deposit_account",
        AttributeKind::Account,
    ),
    (
        "rep_registrations",
        "rep_party_id",
        "rep_phone",
        AttributeKind::Phone,
    ),
];

/// What of a snapshot many rows tell together: who is staff, and who is a supplier.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles {
    /// Party -> its staff ids.
    pub staff: BTreeMap<String, BTreeSet<String>>,
    /// Party -> rows of which a `supplier` slot speaks of it.
    pub suppliers: HashMap<String, u64>,
}

impl Roles {
    /// Those that the datasets of `snapshot` tell, which `context` shows.
    pub async fn of(context: &SessionContext, snapshot: &Arc<dyn Snapshot>) -> Result<Self> {
        Ok(Self {
            staff: staff(context).await?,
            suppliers: suppliers(context, snapshot).await?,
        })
    }

    /// Staff id -> its party.
    pub fn party_of_staff(&self) -> HashMap<&str, &str> {
        self.staff
            .iter()
            .flat_map(|(party, ids)| ids.iter().map(|id| (id.as_str(), party.as_str())))
            .collect()
    }
}

/// Builds the graph of the snapshot that `context` shows.
pub async fn build(context: &SessionContext, snapshot: &Arc<dyn Snapshot>) -> Result<(Graph, Roles)> {
    let roles = Roles::of(context, snapshot).await?;
    let mut input = stated(context, snapshot, &roles.party_of_staff()).await?;
    input.parties = parties(context, &roles).await?;
    input.edges.extend(branches(snapshot).await?);
    let graph = Graph::build(input).map_err(|error| CollisionError::Source(error.into()))?;
    Ok((graph, roles))
}

/// The bids of the snapshot that `context` shows, but for those that were withdrawn.
pub async fn market(context: &SessionContext) -> Result<Market> {
    let bids = rows(
        context,
        "select tender_id, supplier_party_id, max(case when is_winner then 1 else 0 end) as won, \
         max(local_date(submitted_at)) as day from bids \
         where tender_id is not null and supplier_party_id is not null and coalesce(status, '') <> 'withdrawn' \
         group by tender_id, supplier_party_id",
    )
    .await?;
    let bids = bids.iter().map(|row| BidInput {
        tender: row.owned("tender_id"),
        bidder: row.owned("supplier_party_id"),
        is_winner: row.get("won") == Some(&Value::Int(1)),
        day: row.day("day"),
    });
    Ok(Market::build(bids.collect()))
}

/// The parties of the snapshot that `context` shows.
pub async fn parties(context: &SessionContext, roles: &Roles) -> Result<Vec<PartyNode>> {
    let rows = rows(context, "select party_id, kind, name from parties").await?;
    let node = |row: &Row| {
        let party_id = row.owned("party_id");
        let staff_ids = roles.staff.get(&party_id).into_iter().flatten();
        PartyNode {
            kind: match row.text("kind") {
                Some("person") => PartyKind::Person,
                Some("hospital") => PartyKind::Hospital,
                _ => PartyKind::Company,
            },
            name: row.owned("name"),
            staff_ids: staff_ids.cloned().collect(),
            is_supplier: roles.suppliers.contains_key(&party_id),
            party_id,
        }
    };
    Ok(rows.iter().map(node).collect())
}

/// The edges to branches that names tell.
pub async fn branches(snapshot: &Arc<dyn Snapshot>) -> Result<Vec<EdgeInput>> {
    let edge = |(branch, parent): &(String, String)| {
        // Told by the name alone: no row of a dataset states it.
        let source = SourceRow {
            dataset: "parties".into(),
            key: branch.as_str().into(),
            source: "".into(),
            batch: "".into(),
            row: 0,
        };
        branch_edge(parent, branch, source)
    };
    Ok(snapshot.branches().await?.iter().map(edge).collect())
}

/// The edges and attributes that the rows which `context` shows of `snapshot` state.
pub async fn stated(
    context: &SessionContext,
    snapshot: &Arc<dyn Snapshot>,
    party_of_staff: &HashMap<&str, &str>,
) -> Result<GraphInput> {
    let (relations, registered, declared) = (
        Sureness::of(context, snapshot, "relations").await?,
        Sureness::of(context, snapshot, "suppliers").await?,
        Sureness::of(context, snapshot, "declarations").await?,
    );
    let mut input = GraphInput::default();
    for row in rows(
        context,
        "select relation_id, from_party_id, from_name, to_party_id, to_name, relation, share_percent, \
         valid_from, valid_to, _source, _batch, _row from relations \
         where from_party_id is not null and to_party_id is not null and relation is not null",
    )
    .await?
    {
        let edge = relation_edge(RelationRow {
            from_party: row.text("from_party_id").unwrap_or_default(),
            from_name: row.text("from_name").unwrap_or_default(),
            to_party: row.text("to_party_id").unwrap_or_default(),
            to_name: row.text("to_name").unwrap_or_default(),
            relation: row.text("relation").unwrap_or_default(),
            share: row.share("share_percent"),
            valid_from: row.day("valid_from"),
            valid_to: row.day("valid_to"),
            source: row.source("relations", "relation_id"),
        });
        input.edges.extend(relations.applied(edge));
    }
    for row in rows(
        context,
        "select supplier_id, supplier_party_id, legal_representative_party_id, _source, _batch, _row \
         from suppliers where supplier_party_id is not null and legal_representative_party_id is not null",
    )
    .await?
    {
        let edge = legal_representative_edge(
            row.text("legal_representative_party_id").unwrap_or_default(),
            row.text("supplier_party_id").unwrap_or_default(),
            row.source("suppliers", "supplier_id"),
        );
        input.edges.extend(registered.applied([edge]));
    }
    for row in rows(
        context,
        "select declaration_id, staff_id, relative_party_id, company_party_id, relation, role, share_percent, \
         _source, _batch, _row from declarations where staff_id is not null",
    )
    .await?
    {
        let Some(staff_party) = row.text("staff_id").and_then(|id| party_of_staff.get(id)) else { continue };
        let edges = declaration_edges(DeclarationRow {
            staff_party,
            relative_party: row.text("relative_party_id"),
            relation: row.text("relation"),
            company_party: row.text("company_party_id"),
            role: row.text("role"),
            share: row.share("share_percent"),
            source: row.source("declarations", "declaration_id"),
        });
        input.edges.extend(declared.applied(edges));
    }
    for (dataset, party, column, kind) in ATTRIBUTES {
        let key = domain::dataset(dataset)
            .map(|d| d.key[0].clone())
            .unwrap_or_default();
        let sql = format!(
            "select {key}, {party}, {column}, _source, _batch, _row from {dataset} \
             where {party} is not null and {column} is not null"
        );
        for row in rows(context, &sql).await? {
            let text = row.text(column).unwrap_or_default();
            let value = match kind {
                AttributeKind::Phone => norm_phone(text),
                AttributeKind::Account => norm_account(text),
                AttributeKind::Email => norm_email(text),
                AttributeKind::Address => Some(matching::strict_key(text)).filter(|t| !t.is_empty()),
            };
            if let Some(value) = value {
                let source = row.source(dataset, &key);
                input.attributes.push(AttributeInput {
                    party: row.owned(party),
                    kind,
                    value,
                    source,
                });
            }
        }
    }
    Ok(input)
}

/// How sure it is that the parties of a dataset's rows are those that the rows mention: by the row's key, where it is
/// less than certain.
struct Sureness(HashMap<String, Certainty>);

impl Sureness {
    async fn of(context: &SessionContext, snapshot: &Arc<dyn Snapshot>, dataset: &str) -> Result<Self> {
        let lookup = snapshot.parties().await?;
        let (Some(model), Some(table), false) = (
            domain::dataset(dataset),
            snapshot.dataset(dataset).await?,
            lookup.all_certain(),
        ) else {
            return Ok(Self(HashMap::new()));
        };
        let what = || format!("references of {dataset}");
        let slots = model.mentions.iter().map(|slot| ident(slot.ref_column()));
        let columns: Vec<_> = [ident(&model.key[0])].into_iter().chain(slots).collect();
        let mut stream = context
            .read_table(table)
            .and_then(|t| t.select(columns))
            .map_err(CollisionError::engine(what()))?
            .execute_stream()
            .await
            .map_err(CollisionError::engine(what()))?;
        let mut found = HashMap::new();
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(CollisionError::engine(what()))?;
            let references: Vec<_> = batch.columns()[1..]
                .iter()
                .map(|column| column.as_primitive::<Int64Type>())
                .collect();
            for row in 0..batch.num_rows() {
                let sure: f64 = references
                    .iter()
                    .filter(|column| column.is_valid(row))
                    .map(|column| lookup.certainty(column.value(row)))
                    .product();
                if sure < 1.0 {
                    let key =
                        value_at(batch.column(0).as_ref(), row).map_err(CollisionError::engine(what()))?;
                    found.insert(key.to_string(), Certainty::from_probability(sure));
                }
            }
        }
        Ok(Self(found))
    }

    /// The edges that a row states, no surer than its mentions are.
    fn applied(&self, edges: impl IntoIterator<Item = EdgeInput>) -> impl Iterator<Item = EdgeInput> {
        edges.into_iter().map(|mut edge| {
            if let Some(certainty) = self.0.get(&*edge.source.key) {
                edge.certainty = *certainty;
            }
            edge
        })
    }
}

/// Party -> its staff ids.
pub async fn staff(context: &SessionContext) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let mut staff: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in rows(
        context,
        "select staff_id, staff_party_id from staff where staff_party_id is not null",
    )
    .await?
    {
        staff
            .entry(row.owned("staff_party_id"))
            .or_default()
            .insert(row.owned("staff_id"));
    }
    Ok(staff)
}

/// The datasets with a slot `supplier`, and its column of references.
pub fn supplier_slots() -> impl Iterator<Item = (&'static str, String)> {
    domain::catalogue().iter().filter_map(|dataset| {
        let slot = dataset.mentions.iter().find(|m| m.slot == "supplier")?;
        Some((dataset.name.as_str(), slot.ref_column()))
    })
}

/// Parties that a `supplier` slot of some dataset speaks of, with the number of rows. Reads the references only: of
/// ten million order lines a few thousand differ.
async fn suppliers(context: &SessionContext, snapshot: &Arc<dyn Snapshot>) -> Result<HashMap<String, u64>> {
    let lookup = snapshot.parties().await?;
    let mut parties: HashMap<String, u64> = HashMap::new();
    for (dataset, reference) in supplier_slots() {
        let Some(table) = snapshot.dataset(dataset).await? else {
            continue;
        };
        let what = || format!("suppliers of {dataset}");
        let mut stream = context
            .read_table(table)
            .and_then(|t| t.aggregate(vec![ident(reference)], vec![count(lit(1))]))
            .map_err(CollisionError::engine(what()))?
            .execute_stream()
            .await
            .map_err(CollisionError::engine(what()))?;
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(CollisionError::engine(what()))?;
            let references = batch.column(0).as_primitive::<Int64Type>();
            let counts = batch.column(1).as_primitive::<Int64Type>();
            for (reference, rows) in references.iter().zip(counts.values()) {
                if let Some(party) = reference.and_then(|r| lookup.party_id(r)) {
                    *parties.entry(party.to_owned()).or_default() += rows.unsigned_abs();
                }
            }
        }
    }
    Ok(parties)
}

/// One row of a query.
struct Row {
    columns: SchemaRef,
    values: Vec<Value>,
}

impl Row {
    fn get(&self, column: &str) -> Option<&Value> {
        let place = self.columns.fields().iter().position(|f| f.name() == column)?;
        self.values.get(place)
    }

    fn text(&self, column: &str) -> Option<&str> {
        self.get(column).and_then(Value::as_str)
    }

    fn owned(&self, column: &str) -> String {
        self.get(column).map(ToString::to_string).unwrap_or_default()
    }

    /// Days since 1970-01-01.
    fn day(&self, column: &str) -> Option<i32> {
        let date: NaiveDate = self.text(column)?.parse().ok()?;
        i32::try_from((date - NaiveDate::default()).num_days()).ok()
    }

    /// Ten-thousandths of a percent: a decimal(7,4) without its point.
    fn share(&self, column: &str) -> Option<i64> {
        self.text(column)?.replace('.', "").parse().ok()
    }

    fn source(&self, dataset: &str, key: &str) -> SourceRow {
        SourceRow {
            dataset: dataset.into(),
            key: self.owned(key).into(),
            source: self.text("_source").unwrap_or_default().into(),
            batch: self.text("_batch").unwrap_or_default().into(),
            row: match self.get("_row") {
                Some(Value::Int(row)) => (*row).max(0) as u64,
                _ => 0,
            },
        }
    }
}

async fn rows(context: &SessionContext, sql: &str) -> Result<Vec<Row>> {
    let what = || "rows of the graph";
    let mut stream = context
        .sql(sql)
        .await
        .map_err(CollisionError::engine(what()))?
        .execute_stream()
        .await
        .map_err(CollisionError::engine(what()))?;
    let mut rows = Vec::new();
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(CollisionError::engine(what()))?;
        for n in 0..batch.num_rows() {
            let values = batch
                .columns()
                .iter()
                .map(|column| value_at(column.as_ref(), n))
                .collect::<std::result::Result<_, _>>()
                .map_err(CollisionError::engine(what()))?;
            rows.push(Row {
                columns: batch.schema(),
                values,
            });
        }
    }
    Ok(rows)
}
