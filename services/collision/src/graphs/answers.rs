//! The graph's answers as the values that the ports hand out.

use std::collections::BTreeMap;

use chrono::{NaiveDate, TimeDelta};
use domain::Value;
use domain::ports::{
    Around, CompanyOwner, CompanyOwnership, PartyComponent, PartyName, PartyNeighbourhood, PartyPath,
};
use graph::{
    EdgeRow, Extent, Graph, Hop, Ownership, Part, PartyKind, Route, RouteHop, SharedAttribute, SourceRow, Tie,
};

/// Days since 1970-01-01.
pub fn day_number(date: NaiveDate) -> i32 {
    // The calendar of `NaiveDate` has fewer days than an i32 counts.
    (date - NaiveDate::default()).num_days() as i32
}

pub fn date(day: Option<i32>) -> Option<NaiveDate> {
    NaiveDate::default().checked_add_signed(TimeDelta::days(day?.into()))
}

/// A hop of a path between staff and suppliers, with the row that states it.
pub fn public_hop(hop: &Hop<'_>) -> Value {
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
        (
            "certainty".to_owned(),
            Value::Text(format!("{:.6}", hop.certainty.probability())),
        ),
        ("dataset".to_owned(), Value::text(hop.row.dataset.as_ref())),
        ("key".to_owned(), Value::text(hop.row.key.as_ref())),
        ("source".to_owned(), Value::text(hop.row.source.as_ref())),
        ("batch".to_owned(), Value::text(hop.row.batch.as_ref())),
        ("row".to_owned(), Value::Int(hop.row.row as i64)),
    ]))
}

pub fn extent(around: Around) -> Extent {
    Extent {
        max_hops: around.max_hops,
        day: around.as_of.map(day_number),
        parties_max: around.parties_max,
        edges_max: around.edges_max,
    }
}

fn name(graph: &Graph, party_id: &str) -> PartyName {
    let party = graph.party(party_id);
    PartyName {
        party_id: party_id.to_owned(),
        kind: party
            .map_or("", |p| match p.kind {
                PartyKind::Company => "company",
                PartyKind::Person => "person",
                PartyKind::Hospital => "hospital",
            })
            .to_owned(),
        name: party.map(|p| p.name.clone()).unwrap_or_default(),
    }
}

pub fn path(path: &Route<'_>) -> PartyPath {
    PartyPath {
        hops: path.hops.iter().map(hop).collect(),
        share: path.share.clone(),
        probability: path.probability,
        score: path.score,
        valid_from: date(path.valid_from),
        valid_to: date(path.valid_to),
    }
}

fn hop(hop: &RouteHop<'_>) -> Value {
    let mut map = ends((hop.from, hop.from_name), (hop.to, hop.to_name), hop.tie.as_str());
    match hop.tie {
        Tie::Relation { source, .. } => {
            dated(&mut map, hop.share.as_deref(), hop.valid_from, hop.valid_to);
            cite(&mut map, "", source);
        }
        Tie::Shared {
            value,
            degree,
            from_source,
            to_source,
            ..
        } => {
            dated(&mut map, None, None, None);
            shared(&mut map, value, degree);
            cite(&mut map, "", from_source);
            cite(&mut map, "to_", to_source);
        }
    }
    map.insert(
        "probability".to_owned(),
        Value::Text(format!("{:.6}", hop.probability)),
    );
    Value::Map(map)
}

pub fn neighbourhood(graph: &Graph, part: &Part<'_>) -> PartyNeighbourhood {
    let edges = part.edges.iter().map(|e| edge(graph, e));
    let shared = part.shared.iter().map(|s| shared_edge(graph, s));
    PartyNeighbourhood {
        parties: part
            .parties
            .iter()
            .map(|(p, distance)| (name(graph, &p.party_id), *distance))
            .collect(),
        edges: edges.chain(shared).collect(),
        truncated: part.truncated,
    }
}

fn edge(graph: &Graph, edge: &EdgeRow<'_>) -> Value {
    let (from, to) = (name(graph, edge.from), name(graph, edge.to));
    let mut map = ends(
        (edge.from, &from.name),
        (edge.to, &to.name),
        edge.relation.as_str(),
    );
    dated(&mut map, edge.share.as_deref(), edge.valid_from, edge.valid_to);
    cite(&mut map, "", edge.source);
    map.insert(
        "probability".to_owned(),
        Value::Text(format!("{:.6}", edge.certainty)),
    );
    Value::Map(map)
}

fn shared_edge(graph: &Graph, row: &SharedAttribute<'_>) -> Value {
    let (from, to) = (name(graph, row.party_a), name(graph, row.party_b));
    let relation = format!("shared_{}", row.kind.as_str());
    let mut map = ends((row.party_a, &from.name), (row.party_b, &to.name), &relation);
    dated(&mut map, None, None, None);
    shared(&mut map, row.value, row.degree);
    cite(&mut map, "", row.a_source);
    cite(&mut map, "to_", row.b_source);
    Value::Map(map)
}

fn ends(from: (&str, &str), to: (&str, &str), relation: &str) -> BTreeMap<String, Value> {
    BTreeMap::from([
        ("from".to_owned(), Value::text(from.0)),
        ("from_name".to_owned(), Value::text(from.1)),
        ("to".to_owned(), Value::text(to.0)),
        ("to_name".to_owned(), Value::text(to.1)),
        ("relation".to_owned(), Value::text(relation)),
    ])
}

fn dated(map: &mut BTreeMap<String, Value>, share: Option<&str>, from: Option<i32>, to: Option<i32>) {
    let day = |d: Option<i32>| date(d).map_or(Value::Null, |d| Value::Text(d.to_string()));
    map.insert("share".to_owned(), share.map_or(Value::Null, Value::text));
    map.insert("valid_from".to_owned(), day(from));
    map.insert("valid_to".to_owned(), day(to));
}

fn shared(map: &mut BTreeMap<String, Value>, value: &str, degree: u32) {
    map.insert("value".to_owned(), Value::text(value));
    map.insert("degree".to_owned(), Value::Int(degree.into()));
}

fn cite(map: &mut BTreeMap<String, Value>, prefix: &str, row: &SourceRow) {
    for (column, value) in [
        ("dataset", Value::text(row.dataset.as_ref())),
        ("key", Value::text(row.key.as_ref())),
        ("source", Value::text(row.source.as_ref())),
        ("batch", Value::text(row.batch.as_ref())),
        ("row", Value::Int(row.row as i64)),
    ] {
        map.insert(format!("{prefix}{column}"), value);
    }
}

pub fn ownership(graph: &Graph, company: &str, owned: &Ownership<'_>) -> CompanyOwnership {
    let owner = |row: &graph::Owned<'_>| CompanyOwner {
        owner: name(graph, row.owner_id),
        integrated_share: row.integrated_share,
        controls: row.controls,
        ultimate: row.ultimate,
    };
    CompanyOwnership {
        company: name(graph, company),
        owners: owned.rows.iter().map(owner).collect(),
        over_whole: owned
            .over_whole
            .iter()
            .map(|o| (name(graph, o.company_id), o.sum.clone()))
            .collect(),
        unowned: owned
            .unowned
            .iter()
            .map(|u| (u.company_ids.iter().map(|id| name(graph, id)).collect(), u.closed))
            .collect(),
        truncated: owned.truncated,
    }
}

pub fn components(graph: &Graph, size_min: usize, limit: usize, parties_max: usize) -> Vec<PartyComponent> {
    let mut by_component: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in graph.components() {
        if row.size as usize >= size_min {
            by_component
                .entry(row.component_id)
                .or_default()
                .push(row.party_id);
        }
    }
    let mut components: Vec<(&str, Vec<&str>)> = by_component.into_iter().collect();
    // Stable: those of one size stay ordered by id.
    components.sort_by_key(|(_, parties)| std::cmp::Reverse(parties.len()));
    components.truncate(limit);
    components
        .into_iter()
        .map(|(component_id, parties)| PartyComponent {
            component_id: component_id.to_owned(),
            size: parties.len(),
            parties: parties
                .iter()
                .take(parties_max)
                .map(|id| name(graph, id))
                .collect(),
        })
        .collect()
}
