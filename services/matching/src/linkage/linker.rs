//! Linking as records arrive: a new record is compared with the records of its blocks only, and only the clusters
//! it touches are formed anew, under ids that stay.
//!
//! A cluster is a function of the scored pairs, not of the order in which they came. What can make the result
//! depend on the order of arrival is small: frequencies of values are those of the records known when a pair
//! is scored, and a block that outgrows its limit is refined from then on.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::batch::{Linked, Options, link_blocks};
use super::blocking::Blocks;
use super::bridges::Bridges;
use super::cluster::{Edge, Forbidden, SAME_WEIGHT};
use super::index::Index;
use super::model::{Model, ModelError};
use super::persons::{Hold, Persons};
use super::records::{RecordNo, Records};
use super::rules::{self, Rule};
use super::schema::FieldKind;
use super::score::{Scorer, weight_of};
use super::values::MISSING;

/// The id of a cluster; never used again for another.
pub type EntityId = u64;

/// What a reviewer says of two records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    Same,
    Different,
}

/// What happened to entities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// A new entity of new records.
    Created { entity: EntityId },
    /// All records of `from` went to `into`; `from` is no more.
    Merged { from: EntityId, into: EntityId },
    /// Some records of `from` became the new entity `into`.
    Split { from: EntityId, into: EntityId },
    /// A record went from one living entity to another.
    Moved {
        record: RecordNo,
        from: EntityId,
        to: EntityId,
    },
}

/// A judgement that cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JudgementError {
    #[error("record {0} is not known")]
    NoSuchRecord(RecordNo),
    #[error("a record cannot be judged against itself")]
    OneRecord,
    #[error("both records carry valid codes and the codes differ; correct the wrong one at its source first")]
    TwoCodes,
}

/// Records, their scored pairs, clusters and judgements.
#[derive(Debug)]
pub struct Linker {
    model: Model,
    rules: Vec<Rule>,
    records: Records,
    index: Index,
    threshold: f64,
    /// Pairs over the threshold, under both records.
    near: Vec<Vec<(RecordNo, f32)>>,
    /// Pairs in conflict, under both records.
    apart: HashMap<RecordNo, Vec<RecordNo>>,
    judgements: BTreeMap<(RecordNo, RecordNo), Judgement>,
    judged: HashMap<RecordNo, Vec<RecordNo>>,
    entity_of: Vec<EntityId>,
    members: HashMap<EntityId, Vec<RecordNo>>,
    next: EntityId,
}

impl Linker {
    /// Links the records known so far, as [`super::link`] does, and indexes them.
    ///
    /// # Errors
    /// When the model does not fit the records.
    pub fn new(records: Records, model: Model) -> Result<Self, ModelError> {
        model.check(records.schema())?;
        let rules = rules::compile(&model.blocking_rules_to_generate_predictions, records.schema())?;
        let blocks = Blocks::build(&records, &rules, model.block_records_max, false);
        let threshold = weight_of(model.match_probability_threshold);
        let options = Options {
            pairs_from: model.match_probability_threshold,
            ..Options::default()
        };
        let Linked {
            edges,
            clusters,
            conflicts,
            held,
            ..
        } = link_blocks(&records, &model, blocks, &options);
        let index = Index::build(&records, &rules, model.block_records_max);
        let mut linker = Self {
            near: vec![Vec::new(); records.len()],
            apart: HashMap::new(),
            judgements: BTreeMap::new(),
            judged: HashMap::new(),
            entity_of: vec![0; records.len()],
            members: HashMap::new(),
            next: 1,
            model,
            rules,
            records,
            index,
            threshold,
        };
        for edge in edges {
            if held.why(edge.a, edge.b) != Some(Hold::Person) {
                linker.add_edge(edge);
            }
        }
        conflicts.into_iter().for_each(|(a, b)| linker.add_conflict(a, b));
        for (record, lowest) in clusters.cluster_of.iter().enumerate() {
            if *lowest as usize == record {
                linker.entity_of[record] = linker.next;
                linker.next += 1;
            } else {
                linker.entity_of[record] = linker.entity_of[*lowest as usize];
            }
            linker
                .members
                .entry(linker.entity_of[record])
                .or_default()
                .push(record as RecordNo);
        }
        Ok(linker)
    }

    /// Adds records given by columns, in the order of the schema's fields.
    pub fn add(&mut self, source: u8, columns: &[Vec<&str>]) -> Vec<Event> {
        let first = self.records.len() as RecordNo;
        self.records.extend(source, columns);
        let new: Vec<RecordNo> = (first..self.records.len() as RecordNo).collect();
        self.near.resize(self.records.len(), Vec::new());
        self.entity_of.resize(self.records.len(), 0);
        let mut pairs: Vec<(RecordNo, RecordNo)> = Vec::new();
        for record in &new {
            let found = self.index.add(&self.records, &self.rules, *record);
            pairs.extend(found.into_iter().map(|other| (other, *record)));
        }
        let scorer = Scorer::new(&self.model, &self.records);
        let persons = Persons::new(&self.model, self.records.schema());
        let scored: Vec<(Edge, bool)> = pairs
            .par_iter()
            .with_min_len(1024)
            .filter_map(|&(a, b)| {
                let score = scorer.score(a, b, self.threshold)?;
                let weight = score.weight as f32;
                let joins = score.conflict || persons.may_join(score.pattern);
                joins.then_some((Edge { a, b, weight }, score.conflict))
            })
            .collect();
        for (edge, conflict) in scored {
            if conflict {
                self.add_conflict(edge.a, edge.b);
            } else {
                self.add_edge(edge);
            }
        }
        self.form_anew(&new)
    }

    /// Records a reviewer's judgement; it replaces an earlier one of the pair and binds from now on.
    ///
    /// # Errors
    /// When a record is unknown, or "same" contradicts two valid codes.
    pub fn judge(
        &mut self,
        a: RecordNo,
        b: RecordNo,
        judgement: Judgement,
    ) -> Result<Vec<Event>, JudgementError> {
        let known = |r: RecordNo| (r as usize) < self.records.len();
        if let Some(unknown) = [a, b].into_iter().find(|r| !known(*r)) {
            return Err(JudgementError::NoSuchRecord(unknown));
        }
        if a == b {
            return Err(JudgementError::OneRecord);
        }
        if judgement == Judgement::Same && self.codes_differ(a, b) {
            return Err(JudgementError::TwoCodes);
        }
        if self.judgements.insert((a.min(b), a.max(b)), judgement).is_none() {
            self.judged.entry(a).or_default().push(b);
            self.judged.entry(b).or_default().push(a);
        }
        Ok(self.form_anew(&[a, b]))
    }

    /// Takes a judgement back; nothing happens when there is none.
    pub fn withdraw(&mut self, a: RecordNo, b: RecordNo) -> Vec<Event> {
        if self.judgements.remove(&(a.min(b), a.max(b))).is_none() {
            return Vec::new();
        }
        // What the judgement held together is touched as well as what it kept apart.
        let touched: Vec<RecordNo> = [a, b]
            .into_iter()
            .flat_map(|r| self.members[&self.entity_of[r as usize]].clone())
            .collect();
        for (own, other) in [(a, b), (b, a)] {
            if let Some(list) = self.judged.get_mut(&own) {
                list.retain(|r| *r != other);
            }
        }
        self.form_anew(&touched)
    }

    /// The entity of a record.
    pub fn entity(&self, record: RecordNo) -> Option<EntityId> {
        self.entity_of.get(record as usize).copied()
    }

    /// The records of an entity, ascending; none when it is no more.
    pub fn members(&self, entity: EntityId) -> &[RecordNo] {
        self.members.get(&entity).map_or(&[], Vec::as_slice)
    }

    pub fn records(&self) -> &Records {
        &self.records
    }

    pub fn model(&self) -> &Model {
        &self.model
    }

    fn add_edge(&mut self, edge: Edge) {
        self.near[edge.a as usize].push((edge.b, edge.weight));
        self.near[edge.b as usize].push((edge.a, edge.weight));
    }

    fn add_conflict(&mut self, a: RecordNo, b: RecordNo) {
        self.apart.entry(a).or_default().push(b);
        self.apart.entry(b).or_default().push(a);
    }

    fn code_fields(&self) -> impl Iterator<Item = usize> + '_ {
        let fields = &self.records.schema().fields;
        (0..fields.len()).filter(|f| matches!(fields[*f].kind, FieldKind::Uscc | FieldKind::IdNumber))
    }

    fn valid_code(&self, record: RecordNo, field: usize) -> u32 {
        let number = self.records.row(record)[field];
        if self.records.values(field).is_valid(number) {
            number
        } else {
            MISSING
        }
    }

    fn codes_differ(&self, a: RecordNo, b: RecordNo) -> bool {
        self.code_fields().any(|field| {
            let (x, y) = (self.valid_code(a, field), self.valid_code(b, field));
            x != MISSING && y != MISSING && x != y
        })
    }

    fn judgement(&self, a: RecordNo, b: RecordNo) -> Option<Judgement> {
        self.judgements.get(&(a.min(b), a.max(b))).copied()
    }

    /// All records that hang together with these by pairs over the threshold or by judgement, and the whole of
    /// their present clusters; ascending.
    fn component(&self, seeds: &[RecordNo]) -> Vec<RecordNo> {
        let mut seen: BTreeSet<RecordNo> = seeds.iter().copied().collect();
        let mut open: Vec<RecordNo> = seeds.to_vec();
        while let Some(record) = open.pop() {
            let near = self.near[record as usize].iter().map(|(other, _)| *other);
            let judged = self.judged.get(&record).into_iter().flatten().copied();
            let together = self.members(self.entity_of[record as usize]).iter().copied();
            for other in near.chain(judged).chain(together) {
                if seen.insert(other) {
                    open.push(other);
                }
            }
        }
        seen.into_iter().collect()
    }

    /// Clusters the components of the touched records again.
    fn form_anew(&mut self, touched: &[RecordNo]) -> Vec<Event> {
        let component = self.component(touched);
        let local: HashMap<RecordNo, u32> = component.iter().copied().zip(0..).collect();
        let mut edges = Vec::new();
        let mut forbidden = Forbidden::default();
        for (at, record) in component.iter().enumerate() {
            for (other, weight) in &self.near[*record as usize] {
                if record < other && self.judgement(*record, *other).is_none() {
                    edges.push(Edge {
                        a: at as u32,
                        b: local[other],
                        weight: *weight,
                    });
                }
            }
            for other in self.apart.get(record).into_iter().flatten() {
                if record < other
                    && self.judgement(*record, *other).is_none()
                    && let Some(b) = local.get(other)
                {
                    forbidden.pairs.push((at as u32, *b));
                }
            }
            for other in self
                .judged
                .get(record)
                .into_iter()
                .flatten()
                .filter(|o| record < *o)
            {
                match self.judgement(*record, *other) {
                    Some(Judgement::Same) => edges.push(Edge {
                        a: at as u32,
                        b: local[other],
                        weight: SAME_WEIGHT,
                    }),
                    Some(Judgement::Different) => forbidden.pairs.push((at as u32, local[other])),
                    None => {}
                }
            }
        }
        forbidden.attributes = self
            .code_fields()
            .map(|field| component.iter().map(|r| self.valid_code(*r, field)).collect())
            .collect();
        forbidden.order = component.iter().map(|r| self.records.content(*r)).collect();
        let scorer = Scorer::new(&self.model, &self.records);
        let bridges = Bridges::new(&self.records, &scorer, self.threshold);
        let clusters = bridges.cluster(component.len(), &mut edges, &mut forbidden, |at| {
            component[at as usize]
        });
        let mut groups: BTreeMap<u32, Vec<RecordNo>> = BTreeMap::new();
        for (at, lowest) in clusters.cluster_of.iter().enumerate() {
            groups.entry(*lowest).or_default().push(component[at]);
        }
        self.rename(groups.into_values().collect())
    }

    /// Gives new groups the ids of the entities that most of their records come from, and tells what changed.
    fn rename(&mut self, groups: Vec<Vec<RecordNo>>) -> Vec<Event> {
        // Claims: (records shared, entity, group), the strongest first.
        let mut claims: Vec<(usize, EntityId, usize)> = Vec::new();
        for (at, group) in groups.iter().enumerate() {
            let mut shared: BTreeMap<EntityId, usize> = BTreeMap::new();
            for record in group {
                *shared.entry(self.entity_of[*record as usize]).or_default() += 1;
            }
            claims.extend(
                shared
                    .into_iter()
                    .filter(|(e, _)| *e != 0)
                    .map(|(e, n)| (n, e, at)),
            );
        }
        claims.sort_unstable_by(|x, y| y.0.cmp(&x.0).then(x.1.cmp(&y.1)).then(x.2.cmp(&y.2)));
        let mut id_of: Vec<Option<EntityId>> = vec![None; groups.len()];
        let mut taken: BTreeSet<EntityId> = BTreeSet::new();
        for (_, entity, group) in &claims {
            if id_of[*group].is_none() && taken.insert(*entity) {
                id_of[*group] = Some(*entity);
            }
        }
        let old: BTreeSet<EntityId> = claims.iter().map(|c| c.1).collect();
        let mut events = Vec::new();
        let mut ids = Vec::with_capacity(groups.len());
        let mut fresh = BTreeSet::new();
        for id in id_of {
            ids.push(id.unwrap_or_else(|| {
                let id = self.next;
                self.next += 1;
                fresh.insert(id);
                id
            }));
        }
        let mut told = BTreeSet::new();
        for (group, id) in groups.iter().zip(&ids) {
            let mut all_new = true;
            for record in group {
                let from = self.entity_of[*record as usize];
                all_new &= from == 0;
                if from == 0 || from == *id {
                    continue;
                }
                let event = if !taken.contains(&from) {
                    Event::Merged { from, into: *id }
                } else if fresh.contains(id) {
                    Event::Split { from, into: *id }
                } else {
                    Event::Moved {
                        record: *record,
                        from,
                        to: *id,
                    }
                };
                if matches!(event, Event::Moved { .. }) || told.insert((from, *id)) {
                    events.push(event);
                }
            }
            if all_new {
                events.push(Event::Created { entity: *id });
            }
        }
        for entity in old {
            self.members.remove(&entity);
        }
        for (group, id) in groups.into_iter().zip(ids) {
            for record in &group {
                self.entity_of[*record as usize] = id;
            }
            self.members.insert(id, group);
        }
        events
    }
}
