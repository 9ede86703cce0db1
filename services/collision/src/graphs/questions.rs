//! The questions of `GraphPort`, answered from one snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use datafusion::common::ScalarValue;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::{ident, lit};
use datafusion::prelude::SessionContext;
use domain::Value;
use domain::ports::{
    Around, CompanyOwnership, GraphFormat, PartyComponent, PartyInfo, PartyNeighbourhood, PartyPath,
};
use futures::StreamExt;
use graph::{Graph, RouteQuestion};
use matching::{IdNumber, Uscc};

use super::{Graphs, answers};
use crate::data::Snapshot;
use crate::error::{CollisionError, Result};
use crate::session::{self, SessionOptions};
use crate::values::value_at;

/// Rows that mention a party, quoted per dataset.
const MENTIONS_PER_DATASET_MAX: usize = 2;
const PARTIES_MAX: usize = 20;

/// A snapshot opened for questions about parties.
pub struct PartyQuestions {
    context: SessionContext,
    snapshot: Arc<dyn Snapshot>,
    graph: Arc<Graph>,
}

impl std::fmt::Debug for PartyQuestions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PartyQuestions")
            .field("snapshot", &self.snapshot.id())
            .finish_non_exhaustive()
    }
}

type Row = BTreeMap<String, Value>;

impl PartyQuestions {
    pub async fn open(
        runtime: Arc<RuntimeEnv>,
        snapshot: Arc<dyn Snapshot>,
        graphs: &Graphs,
    ) -> Result<Self> {
        let options = SessionOptions {
            for_questions: true,
            ..SessionOptions::default()
        };
        let context = session::open(runtime, &snapshot, options, None).await?;
        let graph = graphs.of(&context, &snapshot).await?;
        Ok(Self {
            context,
            snapshot,
            graph,
        })
    }

    pub fn snapshot_id(&self) -> i64 {
        self.snapshot.id()
    }

    /// Parties by party id, USCC, ID number, staff id, supplier id or name: their own, or another that a row uses for them.
    pub async fn find(&self, text: &str) -> Result<Vec<PartyInfo>> {
        let mut parties = Vec::new();
        for id in self.matches(text).await? {
            parties.extend(self.info(&id).await?);
        }
        Ok(parties)
    }

    async fn matches(&self, text: &str) -> Result<Vec<String>> {
        let text = text.trim();
        let mut ids: Vec<String> = Vec::new();
        let uscc = Uscc::parse(text)
            .map(|u| u.as_str().to_owned())
            .unwrap_or_default();
        let id_number = IdNumber::parse(text)
            .map(|n| n.as_str().to_owned())
            .unwrap_or_default();
        let by_party = "select party_id from parties where party_id = $text or uscc = $uscc or id_number = $number \
                        or name = $text or name_key(name) = $key \
                        or strpos(aliases, '\"' || $text || '\"') > 0 or strpos('|' || aliases || '|', '|' || $text || '|') > 0";
        let key = matching::strict_key(text);
        let values = [
            ("text", text),
            ("uscc", &uscc),
            ("number", &id_number),
            ("key", &key),
        ];
        ids.extend(self.ids(by_party, &values).await?);
        for sql in [
            "select supplier_party_id as party_id from suppliers where supplier_id = $text",
            "select staff_party_id as party_id from staff where staff_id = $text or name = $text",
        ] {
            ids.extend(self.ids(sql, &[("text", text)]).await?);
        }
        ids.sort();
        ids.dedup();
        ids.truncate(PARTIES_MAX);
        Ok(ids)
    }

    /// The party of that id.
    pub async fn party(&self, party_id: &str) -> Result<PartyInfo> {
        self.info(party_id).await?.ok_or_else(|| unknown(party_id))
    }

    /// The ids of the parties that a text finds; at least one.
    async fn found(&self, text: &str) -> Result<Vec<String>> {
        let found = self.matches(text).await?;
        if found.is_empty() {
            Err(unknown(text))
        } else {
            Ok(found)
        }
    }

    /// Paths between two parties, each given as for [`Self::find`]; best first.
    pub async fn paths(
        &self,
        from: &str,
        to: &str,
        max_hops: usize,
        as_of: Option<NaiveDate>,
        limit: usize,
    ) -> Result<Vec<PartyPath>> {
        let (starts, ends) = (self.found(from).await?, self.found(to).await?);
        let question = RouteQuestion {
            max_hops,
            day: as_of.map(answers::day_number),
            limit,
            per_pair_max: limit,
            over_attributes: true,
        };
        let answer = self
            .graph
            .best_paths(&texts(&starts), &texts(&ends), question)
            .map_err(graph_failure)?;
        Ok(answer.rows.iter().map(answers::path).collect())
    }

    /// Who owns each party that a text finds, on a day.
    pub async fn ownership(
        &self,
        company: &str,
        as_of: NaiveDate,
        min_share: f64,
    ) -> Result<Vec<CompanyOwnership>> {
        let mut answers = Vec::new();
        for id in self.found(company).await? {
            let owned = self
                .graph
                .owners_of(&id, answers::day_number(as_of), min_share)
                .map_err(graph_failure)?;
            answers.push(answers::ownership(&self.graph, &id, &owned));
        }
        Ok(answers)
    }

    /// What stands around the one party that a text finds.
    pub async fn neighbourhood(&self, party: &str, around: Around) -> Result<PartyNeighbourhood> {
        let id = self.one(party).await?;
        let part = self
            .graph
            .neighbourhood(&id, answers::extent(around))
            .map_err(graph_failure)?;
        Ok(answers::neighbourhood(&self.graph, &part))
    }

    /// The largest components first.
    pub fn components(&self, size_min: usize, limit: usize, parties_max: usize) -> Vec<PartyComponent> {
        answers::components(&self.graph, size_min, limit, parties_max)
    }

    /// What stands around a party, or all, in a file format.
    pub async fn export(&self, format: GraphFormat, party: Option<(&str, Around)>) -> Result<String> {
        let format = match format {
            GraphFormat::GraphMl => graph::Format::GraphMl,
            GraphFormat::FollowTheMoney => graph::Format::FollowTheMoney,
        };
        let mut text = String::new();
        let written = match party {
            None => self.graph.export(format, &mut text),
            Some((party, around)) => {
                let id = self.one(party).await?;
                let part = self
                    .graph
                    .neighbourhood(&id, answers::extent(around))
                    .map_err(graph_failure)?;
                part.export(format, &mut text)
            }
        };
        written.map_err(|e| CollisionError::Source(domain::Failure::internal(&e)))?;
        Ok(text)
    }

    /// The id of the only party that a text finds.
    async fn one(&self, text: &str) -> Result<String> {
        let mut found = self.found(text).await?;
        if found.len() > 1 {
            let ids = found.join(", ");
            let failure = domain::Failure::invalid(
                "PARTY_AMBIGUOUS",
                format!("{text:?} is {} parties; give the id of one: {ids}", found.len()),
            );
            return Err(CollisionError::Source(failure));
        }
        Ok(found.remove(0))
    }

    async fn ids(&self, sql: &str, values: &[(&str, &str)]) -> Result<Vec<String>> {
        let rows = self.rows(sql, values).await?;
        Ok(rows
            .iter()
            .filter_map(|r| r.get("party_id")?.as_str().map(str::to_owned))
            .collect())
    }

    async fn info(&self, party_id: &str) -> Result<Option<PartyInfo>> {
        let rows = self
            .rows("select * from parties where party_id = $id", &[("id", party_id)])
            .await?;
        let Some(row) = rows.into_iter().next() else {
            return Ok(None);
        };
        let text = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
        let masked = text("id_number")
            .and_then(|n| IdNumber::parse(&n).ok())
            .map(|n| n.masked());
        Ok(Some(PartyInfo {
            party_id: party_id.to_owned(),
            kind: text("kind").unwrap_or_default(),
            name: text("name").unwrap_or_default(),
            code: text("uscc").or(masked),
            aliases: match row.get("aliases") {
                Some(Value::List(items)) => items.iter().map(ToString::to_string).collect(),
                Some(Value::Text(joined)) if !joined.is_empty() => {
                    joined.split('|').map(str::to_owned).collect()
                }
                _ => Vec::new(),
            },
            mentions: self.mentions(party_id).await?,
        }))
    }

    /// "dataset key" of a few rows that speak of the party.
    async fn mentions(&self, party_id: &str) -> Result<Vec<String>> {
        let mut mentions = Vec::new();
        for dataset in domain::catalogue() {
            if self.snapshot.dataset(&dataset.name).await?.is_none() {
                continue;
            }
            for slot in &dataset.mentions {
                let what = || format!("mentions in {}", dataset.name);
                let keys: Vec<_> = dataset.key.iter().map(ident).collect();
                let order = keys.iter().map(|k| k.clone().sort(true, true)).collect();
                let frame = self
                    .context
                    .table(&dataset.name)
                    .await
                    .and_then(|t| t.filter(ident(format!("{}_party_id", slot.slot)).eq(lit(party_id))))
                    .and_then(|t| t.select(keys))
                    .and_then(|t| t.sort(order))
                    .and_then(|t| t.limit(0, Some(MENTIONS_PER_DATASET_MAX)))
                    .map_err(CollisionError::engine(what()))?;
                for batch in frame.collect().await.map_err(CollisionError::engine(what()))? {
                    for n in 0..batch.num_rows() {
                        let key: Vec<String> = batch
                            .columns()
                            .iter()
                            .map(|c| value_at(c.as_ref(), n).map(|v| v.to_string()))
                            .collect::<std::result::Result<_, _>>()
                            .map_err(CollisionError::engine(what()))?;
                        mentions.push(format!("{} {}", dataset.name, key.join("|")));
                    }
                }
            }
        }
        mentions.dedup();
        Ok(mentions)
    }

    async fn rows(&self, sql: &str, values: &[(&str, &str)]) -> Result<Vec<Row>> {
        let what = || "the party's rows";
        let values: Vec<(&str, ScalarValue)> = values
            .iter()
            .map(|(n, v)| (*n, ScalarValue::Utf8View(Some((*v).to_owned()))))
            .collect();
        let mut stream = self
            .context
            .sql(sql)
            .await
            .and_then(|frame| frame.with_param_values(values))
            .map_err(CollisionError::engine(what()))?
            .execute_stream()
            .await
            .map_err(CollisionError::engine(what()))?;
        let mut rows = Vec::new();
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(CollisionError::engine(what()))?;
            let schema = batch.schema();
            for n in 0..batch.num_rows() {
                let mut row = Row::new();
                for (field, column) in schema.fields().iter().zip(batch.columns()) {
                    let value = value_at(column.as_ref(), n).map_err(CollisionError::engine(what()))?;
                    row.insert(field.name().clone(), value);
                }
                rows.push(row);
            }
        }
        Ok(rows)
    }
}

fn texts(ids: &[String]) -> Vec<&str> {
    ids.iter().map(String::as_str).collect()
}

fn unknown(text: &str) -> CollisionError {
    graph_failure(graph::GraphError::UnknownParty(text.to_owned()))
}

fn graph_failure(error: graph::GraphError) -> CollisionError {
    CollisionError::Source(error.into())
}
