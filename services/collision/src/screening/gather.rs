//! Gathers what screening looks at from one snapshot: a few columns of a few datasets, never the order lines.
//!
//! Branches and the facts of tenders come from the same views as those of the rules.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::NaiveDate;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::prelude::{DataFrame, SessionContext};
use domain::Value;
use graph::{Graph, RelatedParty, Relation, SourceRow};
use screening::{
    AgreementRow, BranchLink, CreditRecord, DatasetState, FilingRow, HospitalRow, ListingRow, NEEDS,
    PartyRow, ProductRow, RowRef, ScreeningInput, StaffTie, TenderRow, ThresholdRow,
};

use super::rows::{Row, Shared, each};
use crate::data::Snapshot;
use crate::error::{CollisionError, Result};
use crate::graphs::answers::{date, public_hop};
use crate::graphs::{self, Graphs};
use crate::rules::Bundle;
use crate::run::views;
use crate::session::{self, Limits, SessionOptions};
use crate::sql::{Query, params};

/// Longest tie between staff and supplier, in hops: that of the rule REL-05.
const HOPS_MAX: usize = 4;

const WHAT: &str = "the rows of screening";

struct Gatherer<'a> {
    context: SessionContext,
    bundle: &'a Bundle,
    limits: &'a Limits,
    as_of: NaiveDate,
    shared: Shared,
    input: ScreeningInput,
}

/// Reads all of it.
pub async fn gather(
    runtime: &Arc<RuntimeEnv>,
    snapshot: &Arc<dyn Snapshot>,
    bundle: &Bundle,
    limits: &Limits,
    graphs: &Graphs,
) -> Result<ScreeningInput> {
    let context = session::open(runtime.clone(), snapshot, SessionOptions::default(), None).await?;
    let graph = graphs.of(&context, snapshot).await?;
    graphs::register_graph(&context, graph.clone()).await?;
    let mut gatherer = Gatherer {
        context,
        bundle,
        limits,
        as_of: snapshot.taken_on(),
        shared: Shared::default(),
        input: ScreeningInput {
            snapshot: snapshot.id(),
            ..ScreeningInput::default()
        },
    };
    gatherer.states(snapshot).await?;
    gatherer.branches().await?;
    gatherer.parties().await?;
    gatherer.records().await?;
    gatherer.prices().await?;
    gatherer.purchasing().await?;
    gatherer.ties(&graph).await?;
    Ok(gatherer.input)
}

impl Gatherer<'_> {
    /// Runs one query, with the views it reads.
    async fn query(
        &mut self,
        sql: &str,
        mut take: impl FnMut(&Row<'_>, &mut Shared, &mut ScreeningInput),
    ) -> Result<()> {
        let query = Query::parse(sql, true).map_err(CollisionError::NotAQuery)?;
        let opened = views::open(
            &self.context,
            self.bundle,
            &[&query],
            self.as_of,
            self.limits,
            async { Ok(()) },
        )
        .await?;
        if let Some((view, problem)) = opened.failed.first_key_value() {
            return Err(CollisionError::NotAQuery(format!(
                "screening reads the view {view}, which is broken: {problem}"
            )));
        }
        let statement = query.bind(&params::literals(&Default::default(), self.as_of)?)?;
        let state = self.context.state();
        let plan = state
            .statement_to_plan(statement)
            .await
            .map_err(CollisionError::engine(WHAT))?;
        let stream = DataFrame::new(state, plan)
            .execute_stream()
            .await
            .map_err(CollisionError::engine(WHAT))?;
        let (shared, input) = (&mut self.shared, &mut self.input);
        each(stream, WHAT, |row| take(row, shared, input)).await
    }

    /// What is known of each dataset as a whole.
    async fn states(&mut self, snapshot: &Arc<dyn Snapshot>) -> Result<()> {
        for (dataset, columns) in NEEDS {
            if snapshot.dataset(dataset).await?.is_none() {
                continue;
            }
            let last_synced = snapshot.last_synced(dataset).await?;
            let counted: String = columns.iter().map(|c| format!(", count({c}) as {c}")).collect();
            let sql = format!("select count(*) as all_rows{counted} from {dataset}");
            self.query(&sql, |row, _, input| {
                let has_rows = row.number("all_rows") > 0;
                let empty = columns.iter().filter(|c| has_rows && row.number(c) == 0);
                let state = DatasetState {
                    last_synced,
                    has_rows,
                    empty_columns: empty.map(|c| (*c).into()).collect(),
                };
                input.datasets.insert(dataset.into(), state);
            })
            .await?;
        }
        Ok(())
    }

    async fn branches(&mut self) -> Result<()> {
        let sql = "select b.party_id, b.other_party_id, b.since, b.until, r.relation_id, r._source, r._batch, r._row \
                   from branch_links as b left join relations as r on b.relation_id = r.relation_id";
        self.query(sql, |row, shared, input| {
            let told = row.text("relation_id").is_some();
            input.branches.push(BranchLink {
                party_id: row.owned("party_id"),
                other_party_id: row.owned("other_party_id"),
                row: told.then(|| row.place("relations", "relation_id", shared)),
                since: row.date("since"),
                until: row.date("until"),
            });
        })
        .await
    }

    async fn parties(&mut self) -> Result<()> {
        let mut owned: HashSet<Box<str>> = HashSet::new();
        let sql = "select distinct to_party_id as party_id from relations where to_party_id is not null \
                   and relation in ('legal_representative', 'shareholder', 'director', 'supervisor', 'manager', 'beneficial_owner')";
        self.query(sql, |row, _, _| {
            owned.insert(row.owned("party_id"));
        })
        .await?;
        let mut registered: HashMap<Box<str>, RowRef> = HashMap::new();
        let sql = "select supplier_party_id, supplier_id, legal_representative_party_id, _source, _batch, _row \
                   from suppliers where supplier_party_id is not null order by supplier_id";
        self.query(sql, |row, shared, _| {
            let party = row.owned("supplier_party_id");
            if row.text("legal_representative_party_id").is_some() {
                owned.insert(party.clone());
            }
            registered
                .entry(party)
                .or_insert_with(|| row.place("suppliers", "supplier_id", shared));
        })
        .await?;
        // Who owns a parent owns its branches.
        let through: Vec<Box<str>> = self
            .input
            .branches
            .iter()
            .filter(|b| owned.contains(&b.other_party_id))
            .map(|b| b.party_id.clone())
            .collect();
        owned.extend(through);
        let sql =
            "select party_id, name, uscc, aliases from parties where kind <> 'person' order by party_id";
        self.query(sql, |row, _, input| {
            let party_id = row.owned("party_id");
            input.parties.push(PartyRow {
                row: registered.get(&party_id).cloned(),
                owners_known: owned.contains(&party_id),
                name: row.owned("name"),
                uscc: row.text("uscc"),
                aliases: aliases(&row.value("aliases")),
                party_id,
            });
        })
        .await
    }

    async fn records(&mut self) -> Result<()> {
        let sql = "select record_id, supplier_party_id, record_type, level, region_code, issued_on, expires_on, \
                   _source, _batch, _row from credit_records where supplier_party_id is not null";
        self.query(sql, |row, shared, input| {
            input.credit_records.push(CreditRecord {
                row: row.place("credit_records", "record_id", shared),
                party_id: row.owned("supplier_party_id"),
                record_type: row.text("record_type"),
                level: row.text("level"),
                region_code: row.text("region_code"),
                issued_on: row.date("issued_on"),
                expires_on: row.date("expires_on"),
            });
        })
        .await?;
        let sql = "select agreement_id, supplier_party_id, hospital_id, kind, signed_on, valid_from, valid_to, \
                   _source, _batch, _row from agreements \
                   where hospital_id is not null and supplier_party_id is not null and kind is not null";
        self.query(sql, |row, shared, input| {
            input.agreements.push(AgreementRow {
                row: row.place("agreements", "agreement_id", shared),
                party_id: row.owned("supplier_party_id"),
                hospital_id: row.owned("hospital_id"),
                kind: row.owned("kind"),
                signed_on: row.date("signed_on"),
                valid_from: row.date("valid_from"),
                valid_to: row.date("valid_to"),
            });
        })
        .await?;
        let sql = "select hospital_id, region_code, _source, _batch, _row from hospitals";
        self.query(sql, |row, shared, input| {
            input.hospitals.push(HospitalRow {
                row: row.place("hospitals", "hospital_id", shared),
                hospital_id: row.owned("hospital_id"),
                region_code: row.text("region_code"),
            });
        })
        .await
    }

    async fn prices(&mut self) -> Result<()> {
        let sql = "select listing_id, national_code, supplier_party_id, product_id, region_code, listed_price, \
                   listed_from, listed_to, _source, _batch, _row from platform_listings \
                   where listed_price > 0 and national_code is not null";
        self.query(sql, |row, shared, input| {
            let Some(listed_price) = row.decimal("listed_price") else {
                return;
            };
            input.listings.push(ListingRow {
                row: row.place("platform_listings", "listing_id", shared),
                national_code: row.owned("national_code"),
                party_id: row.text("supplier_party_id"),
                product_id: row.text("product_id"),
                region_code: row.text("region_code"),
                listed_price,
                listed_from: row.date("listed_from"),
                listed_to: row.date("listed_to"),
            });
        })
        .await?;
        let sql = "select product_id, national_code, pack_size from products";
        self.query(sql, |row, _, input| {
            input.products.push(ProductRow {
                product_id: row.owned("product_id"),
                national_code: row.text("national_code"),
                pack_size: row.decimal("pack_size"),
            });
        })
        .await
    }

    async fn purchasing(&mut self) -> Result<()> {
        let sql = "select threshold_id, coalesce(region_code, '000000') as region_code, kind, measure, amount, \
                   effective_from, effective_to, source, _source, _batch, _row from procurement_thresholds \
                   where amount is not null and kind is not null and measure is not null";
        self.query(sql, |row, shared, input| {
            let Some(amount) = row.decimal("amount") else {
                return;
            };
            input.thresholds.push(ThresholdRow {
                row: row.place("procurement_thresholds", "threshold_id", shared),
                region_code: row.owned("region_code"),
                kind: row.owned("kind"),
                measure: row.owned("measure"),
                amount,
                effective_from: row.date("effective_from"),
                effective_to: row.date("effective_to"),
                source: row.text("source"),
            });
        })
        .await?;
        let sql = "select f.tender_id, f.hospital_id, f.budget_item_code, f.class_code, f.kind, f.method, f.budget, \
                   f.started_on, f.is_approved, f.is_void, t._source, t._batch, t._row \
                   from tender_facts as f inner join tenders as t on f.tender_id = t.tender_id \
                   where f.hospital_id is not null and f.budget_item_code is not null and f.class_code is not null \
                   and f.budget > 0 and f.started_on is not null";
        self.query(sql, |row, shared, input| {
            let (Some(budget), Some(started_on)) = (row.decimal("budget"), row.date("started_on")) else {
                return;
            };
            input.tenders.push(TenderRow {
                row: row.place("tenders", "tender_id", shared),
                hospital_id: row.owned("hospital_id"),
                budget_item_code: row.owned("budget_item_code"),
                class_code: row.owned("class_code"),
                kind: row.owned("kind"),
                method: row.text("method"),
                budget,
                started_on,
                is_approved: row.flag("is_approved"),
                is_void: row.flag("is_void"),
            });
        })
        .await?;
        let sql = "select filing_no, hospital_id, national_code, product_id, valid_from, valid_to, \
                   _source, _batch, _row from filings";
        self.query(sql, |row, shared, input| {
            input.filings.push(FilingRow {
                row: row.place("filings", "filing_no", shared),
                hospital_id: row.text("hospital_id"),
                national_code: row.text("national_code"),
                product_id: row.text("product_id"),
                valid_from: row.date("valid_from"),
                valid_to: row.date("valid_to"),
            });
        })
        .await
    }

    async fn ties(&mut self, graph: &Graph) -> Result<()> {
        struct Staff {
            hospital_id: Option<Box<str>>,
            is_key_post: bool,
            left_on: Option<NaiveDate>,
            row: RowRef,
        }
        let mut staff: HashMap<Box<str>, Staff> = HashMap::new();
        let sql = "select staff_id, hospital_id, is_key_post, left_on, _source, _batch, _row from staff";
        self.query(sql, |row, shared, _| {
            let member = Staff {
                hospital_id: row.text("hospital_id"),
                is_key_post: row.flag("is_key_post"),
                left_on: row.date("left_on"),
                row: row.place("staff", "staff_id", shared),
            };
            staff.insert(row.owned("staff_id"), member);
        })
        .await?;
        let answer = graph
            .related_parties(HOPS_MAX)
            .map_err(|e| CollisionError::Source(e.into()))?;
        self.input.ties_cut = answer.truncated;
        for related in &answer.rows {
            let Some(member) = staff.get(related.staff_id) else {
                continue;
            };
            let rows = related
                .path
                .hops
                .iter()
                .map(|h| cited(h.row, &mut self.shared))
                .collect();
            self.input.ties.push(StaffTie {
                party_id: related.supplier_party_id.into(),
                staff_id: related.staff_id.into(),
                hospital_id: member.hospital_id.clone(),
                is_key_post: member.is_key_post,
                left_on: member.left_on,
                staff_row: member.row.clone(),
                hops: related.path.hops.iter().map(public_hop).collect(),
                hop_rows: rows,
                share: related.path.share.as_deref().and_then(|s| s.parse().ok()),
                controls: related.path.controls,
                may_be_listed: may_be_listed(related),
                valid_from: date(related.path.valid_from),
                valid_to: date(related.path.valid_to),
            });
        }
        Ok(())
    }
}

/// A holding in a company limited by shares may have been bought on the exchange.
fn may_be_listed(related: &RelatedParty<'_>) -> bool {
    related
        .path
        .hops
        .last()
        .is_some_and(|h| h.relation == Relation::Shareholder && h.to_name.contains("股份有限公司"))
}

fn cited(row: &SourceRow, shared: &mut Shared) -> RowRef {
    RowRef {
        dataset: shared.of(&row.dataset),
        key: (*row.key).into(),
        source: shared.of(&row.source),
        batch: shared.of(&row.batch),
        row: row.row,
    }
}

/// Other names: the lake keeps a JSON list, rows in memory one text.
fn aliases(value: &Value) -> Vec<Box<str>> {
    let names: Vec<String> = match value {
        Value::List(items) => items.iter().map(ToString::to_string).collect(),
        Value::Text(json) if json.starts_with('[') => serde_json::from_str(json).unwrap_or_default(),
        Value::Text(joined) => joined.split('|').map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    names
        .into_iter()
        .filter(|n| !n.is_empty())
        .map(Into::into)
        .collect()
}
