//! The questions of `GraphPort`, answered from one snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use datafusion::common::ScalarValue;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::{ident, lit};
use datafusion::prelude::SessionContext;
use domain::Value;
use domain::ports::{PartyInfo, PartyPath};
use futures::StreamExt;
use graph::{FoundPath, Graph, Hop};
use matching::{IdNumber, Uscc};

use super::build;
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
    pub async fn open(runtime: Arc<RuntimeEnv>, snapshot: Arc<dyn Snapshot>) -> Result<Self> {
        let options = SessionOptions {
            for_questions: true,
            ..SessionOptions::default()
        };
        let context = session::open(runtime, &snapshot, options, None).await?;
        let graph = Arc::new(build(&context, &snapshot).await?);
        Ok(Self {
            context,
            snapshot,
            graph,
        })
    }

    pub fn snapshot_id(&self) -> i64 {
        self.snapshot.id()
    }

    /// Parties by party id, USCC, ID number, staff id, supplier id or name.
    pub async fn find(&self, text: &str) -> Result<Vec<PartyInfo>> {
        let text = text.trim();
        let mut ids: Vec<String> = Vec::new();
        let uscc = Uscc::parse(text)
            .map(|u| u.as_str().to_owned())
            .unwrap_or_default();
        let id_number = IdNumber::parse(text)
            .map(|n| n.as_str().to_owned())
            .unwrap_or_default();
        let by_party = "select party_id from parties where party_id = $text or uscc = $uscc or id_number = $number \
                        or name = $text or name_key(name) = $key";
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
        let mut parties = Vec::new();
        for id in ids {
            parties.extend(self.info(&id).await?);
        }
        Ok(parties)
    }

    /// Paths between two parties, each given as for [`Self::find`]; shortest first.
    pub async fn paths(
        &self,
        from: &str,
        to: &str,
        max_hops: usize,
        as_of: Option<NaiveDate>,
        limit: usize,
    ) -> Result<Vec<PartyPath>> {
        let (starts, ends) = (self.find(from).await?, self.find(to).await?);
        for (text, found) in [(from, &starts), (to, &ends)] {
            if found.is_empty() {
                return Err(CollisionError::Source(
                    graph::GraphError::UnknownParty(text.to_owned()).into(),
                ));
            }
        }
        let day = as_of.map(|d| (d - NaiveDate::default()).num_days() as i32);
        let mut paths: Vec<FoundPath<'_>> = Vec::new();
        for start in &starts {
            for end in &ends {
                let answer = self
                    .graph
                    .paths(&start.party_id, &end.party_id, max_hops, day, limit)
                    .map_err(|e| CollisionError::Source(e.into()))?;
                paths.extend(answer.rows);
            }
        }
        paths.sort_by_key(|p| p.hops.len());
        paths.truncate(limit);
        Ok(paths.iter().map(public_path).collect())
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

pub(crate) fn date(day: Option<i32>) -> Option<NaiveDate> {
    NaiveDate::default().checked_add_signed(chrono::TimeDelta::days(day?.into()))
}

fn public_path(path: &FoundPath<'_>) -> PartyPath {
    PartyPath {
        hops: path.hops.iter().map(public_hop).collect(),
        share: path.share.clone(),
        valid_from: date(path.valid_from),
        valid_to: date(path.valid_to),
    }
}

pub(crate) fn public_hop(hop: &Hop<'_>) -> Value {
    let day = |d: Option<i32>| date(d).map_or(Value::Null, |d| Value::Text(d.to_string()));
    Value::Map(BTreeMap::from([
        ("from".to_owned(), Value::text(hop.from)),
        ("from_name".to_owned(), Value::text(hop.from_name)),
        ("to".to_owned(), Value::text(hop.to)),
        ("to_name".to_owned(), Value::text(hop.to_name)),
        ("relation".to_owned(), Value::text(hop.relation.as_str())),
        (
            "share".to_owned(),
            hop.share.clone().map_or(Value::Null, Value::Text),
        ),
        ("valid_from".to_owned(), day(hop.valid_from)),
        ("valid_to".to_owned(), day(hop.valid_to)),
        ("dataset".to_owned(), Value::text(hop.row.dataset.as_ref())),
        ("key".to_owned(), Value::text(hop.row.key.as_ref())),
        ("source".to_owned(), Value::text(hop.row.source.as_ref())),
        ("batch".to_owned(), Value::text(hop.row.batch.as_ref())),
        ("row".to_owned(), Value::Int(hop.row.row as i64)),
    ]))
}
