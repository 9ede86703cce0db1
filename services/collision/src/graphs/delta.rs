//! The graph of a snapshot from that of an earlier one: only the rows that differ are read.
//!
//! Not where more differs than rows: where a known mention is another party's than before (merged, split, moved,
//! judged, or surer), where a party is no more, or where so many rows differ that reading all costs no more.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use datafusion::catalog::TableProvider;
use datafusion::prelude::SessionContext;
use graph::{Graph, GraphDelta, GraphInput, PartyNode};

use super::DATASETS;
use super::build::{self, Roles};
use super::kept::Known;
use crate::data::Snapshot;
use crate::data::parties::PartyLookup;
use crate::error::{CollisionError, Result};
use crate::session::{self, SessionOptions};

/// Rows that differ, in percent of the graph's parties and edges, up to which the graph is made from the earlier one:
/// as many as [`Graph::apply`] lays over a graph before it builds it anew.
const CHANGED_PERCENT_MAX: u64 = 10;
/// A graph with fewer parties and edges counts as having so many.
const SMALL_GRAPH: u64 = 1_000;

/// A dataset whose rows say more than themselves: a declaration's edge begins at the party of its staff id.
const DECLARATIONS: &str = "declarations";

/// The graph of `snapshot`, which `context` shows, from an earlier one's. `None`: it has to be built from all rows.
pub async fn next(
    known: &Known,
    context: &SessionContext,
    snapshot: &Arc<dyn Snapshot>,
) -> Result<Option<(Graph, Roles)>> {
    let report = known.graph.report();
    // What spoke of a party that was not there may speak of one now.
    if report.unknown_party + report.unknown_party_attributes > 0 {
        return Ok(None);
    }
    let (lookup, before) = (snapshot.parties().await?, known.snapshot.parties().await?);
    if !Arc::ptr_eq(&lookup, &before) && !lookup.agrees_with(&before) {
        return Ok(None);
    }
    let rows_max = (report.parties + report.edges).max(SMALL_GRAPH) / 100 * CHANGED_PERCENT_MAX;
    let Some((mut gone, mut new)) = changed_rows(&known.snapshot, snapshot, rows_max).await? else {
        return Ok(None);
    };

    let mut roles = known.roles.clone();
    roles.take(gone.roles(context).await?);
    roles.put(new.roles(context).await?);
    if known.roles.party_of_staff() != roles.party_of_staff() {
        gone.show_all(DECLARATIONS).await?;
        new.show_all(DECLARATIONS).await?;
    }
    let Some(parties) = changed_parties(&known.graph, build::parties(context, &roles).await?) else {
        return Ok(None);
    };
    let mut before = gone.stated(context, &known.roles).await?;
    before.edges.extend(build::branches(&known.snapshot).await?);
    let mut now = new.stated(context, &roles).await?;
    now.edges.extend(build::branches(snapshot).await?);
    let (removed_edges, edges) = differences(before.edges, now.edges);
    let (removed_attributes, attributes) = differences(before.attributes, now.attributes);
    let delta = GraphDelta {
        parties,
        removed_edges,
        edges,
        removed_attributes,
        attributes,
    };
    let next = known.graph.apply(delta);
    Ok(Some((next.map_err(|e| CollisionError::Source(e.into()))?, roles)))
}

/// The rows that only the earlier and that only the later snapshot has, of all datasets that a graph looks at. `None`:
/// they are not known, or more than `rows_max`.
async fn changed_rows(
    earlier: &Arc<dyn Snapshot>,
    later: &Arc<dyn Snapshot>,
    rows_max: u64,
) -> Result<Option<(Part, Part)>> {
    let (mut gone, mut new) = (Part::of(earlier), Part::of(later));
    let mut rows = 0;
    let mentioning = build::supplier_slots().map(|(dataset, _)| dataset);
    let datasets: BTreeSet<&str> = DATASETS.into_iter().chain(mentioning).collect();
    for dataset in datasets {
        let Some(changes) = later.changes(dataset, earlier.id()).await? else {
            return Ok(None);
        };
        // Of the others no more than the references is read.
        if DATASETS.contains(&dataset) {
            rows += changes.gone_rows + changes.new_rows;
        }
        if rows > rows_max {
            return Ok(None);
        }
        gone.tables.insert(dataset.to_owned(), changes.gone);
        new.tables.insert(dataset.to_owned(), changes.new);
    }
    Ok(Some((gone, new)))
}

/// Parties that the graph has not, or otherwise. `None`: it has one that is no more.
fn changed_parties(graph: &Graph, parties: Vec<PartyNode>) -> Option<Vec<PartyNode>> {
    let all = parties.len();
    let mut known = 0;
    let changed: Vec<PartyNode> = parties
        .into_iter()
        .filter(|node| match graph.party(&node.party_id) {
            Some(before) => {
                known += 1;
                before != node
            }
            None => true,
        })
        .collect();
    tracing::trace!(all, known, changed = changed.len(), "graph.delta.parties");
    (known == graph.report().parties).then_some(changed)
}

/// What only the first has, and what only the second has.
fn differences<T: Hash + Eq>(before: Vec<T>, now: Vec<T>) -> (Vec<T>, Vec<T>) {
    let mut gone: HashSet<T> = before.into_iter().collect();
    let mut new: HashSet<T> = now.into_iter().collect();
    let same: Vec<T> = gone.extract_if(|item| new.contains(item)).collect();
    same.iter().for_each(|item| {
        new.remove(item);
    });
    (gone.into_iter().collect(), new.into_iter().collect())
}

impl Roles {
    fn take(&mut self, gone: Self) {
        for (party, ids) in gone.staff {
            let Some(known) = self.staff.get_mut(&party) else {
                continue;
            };
            known.retain(|id| !ids.contains(id));
            if known.is_empty() {
                self.staff.remove(&party);
            }
        }
        for (party, rows) in gone.suppliers {
            let Some(known) = self.suppliers.get_mut(&party) else {
                continue;
            };
            *known = known.saturating_sub(rows);
            if *known == 0 {
                self.suppliers.remove(&party);
            }
        }
    }

    fn put(&mut self, new: Self) {
        for (party, ids) in new.staff {
            self.staff.entry(party).or_default().extend(ids);
        }
        for (party, rows) in new.suppliers {
            *self.suppliers.entry(party).or_default() += rows;
        }
    }
}

/// Some rows of a snapshot, as a snapshot of their own.
#[derive(Debug, Clone)]
struct Part {
    of: Arc<dyn Snapshot>,
    /// The datasets that are shown; the others are empty.
    tables: BTreeMap<String, Arc<dyn TableProvider>>,
}

impl Part {
    fn of(snapshot: &Arc<dyn Snapshot>) -> Self {
        Self {
            of: snapshot.clone(),
            tables: BTreeMap::new(),
        }
    }

    /// Shows all rows that the snapshot has of a dataset.
    async fn show_all(&mut self, dataset: &str) -> Result<()> {
        match self.of.dataset(dataset).await? {
            Some(table) => self.tables.insert(dataset.to_owned(), table),
            None => self.tables.remove(dataset),
        };
        Ok(())
    }

    async fn open(&self, like: &SessionContext) -> Result<(SessionContext, Arc<dyn Snapshot>)> {
        let snapshot: Arc<dyn Snapshot> = Arc::new(self.clone());
        let datasets = DATASETS.map(str::to_owned).into();
        let options = SessionOptions::default();
        let context = session::open(like.runtime_env(), &snapshot, options, Some(&datasets)).await?;
        Ok((context, snapshot))
    }

    async fn roles(&self, like: &SessionContext) -> Result<Roles> {
        let (context, snapshot) = self.open(like).await?;
        Roles::of(&context, &snapshot).await
    }

    async fn stated(&self, like: &SessionContext, roles: &Roles) -> Result<GraphInput> {
        let (context, snapshot) = self.open(like).await?;
        let party_of_staff: HashMap<&str, &str> = roles.party_of_staff();
        build::stated(&context, &snapshot, &party_of_staff).await
    }
}

#[async_trait]
impl Snapshot for Part {
    fn id(&self) -> i64 {
        self.of.id()
    }

    async fn dataset(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        Ok(self.tables.get(name).cloned())
    }

    async fn other_tables(&self) -> Result<BTreeMap<String, Arc<dyn TableProvider>>> {
        Ok(BTreeMap::new())
    }

    async fn parties(&self) -> Result<Arc<PartyLookup>> {
        self.of.parties().await
    }

    async fn branches(&self) -> Result<Vec<(String, String)>> {
        self.of.branches().await
    }

    fn taken_on(&self) -> NaiveDate {
        self.of.taken_on()
    }

    async fn table_versions(&self) -> Result<BTreeMap<String, i64>> {
        self.of.table_versions().await
    }

    async fn last_synced(&self, dataset: &str) -> Result<Option<DateTime<Utc>>> {
        self.of.last_synced(dataset).await
    }
}
