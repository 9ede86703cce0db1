//! The graph, or a part of it, as GraphML and as FollowTheMoney, for other tools to read.
//!
//! GraphML (graphdrawing.org): a node a party, an edge an edge; shared values are nodes of the kind of value.
//! FollowTheMoney 4 (followthemoney.tech), JSON lines: Person, Company and Organization, and for the edges
//! Ownership, Directorship, Employment, Representation, Family and UnknownLink; shared values are properties.

use std::fmt::{self, Write};

use chrono::{NaiveDate, TimeDelta};
use serde_json::{Map, Value, json};

use crate::attributes::SharedAttribute;
use crate::input::{AttributeKind, PartyKind, PartyNode, Relation};
use crate::neighbourhood::{EdgeRow, Part};
use crate::snapshot::Graph;

/// A file format for graphs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    GraphMl,
    FollowTheMoney,
}

impl Graph {
    /// Writes everything.
    pub fn export(&self, format: Format, out: &mut dyn Write) -> fmt::Result {
        match format {
            Format::GraphMl => {
                let mut xml = GraphMl::open(out)?;
                for party in self.parties() {
                    xml.party(party)?;
                }
                for value in 0..self.attributes.values() as u32 {
                    let sharing = self.attributes.sharing(value);
                    if sharing.len() > 1 {
                        let parties = sharing
                            .iter()
                            .map(|a| self.parties[a.party as usize].party_id.as_str());
                        xml.value(sharing[0].kind, &sharing[0].value, parties)?;
                    }
                }
                for edge in self.edges() {
                    xml.edge(&edge)?;
                }
                xml.close()
            }
            Format::FollowTheMoney => {
                for party in self.by_id() {
                    let attributes = self.attributes.of(party).iter().map(|value| {
                        let sharing = self.attributes.sharing(*value);
                        (sharing[0].kind, &*sharing[0].value)
                    });
                    line(out, &party_entity(&self.parties[party as usize], attributes))?;
                }
                for edge in self.edges() {
                    let kind = |id: &str| self.party(id).map(|p| p.kind);
                    line(out, &edge_entity(&edge, kind(edge.from), kind(edge.to)))?;
                }
                Ok(())
            }
        }
    }
}

impl Part<'_> {
    /// Writes this part.
    pub fn export(&self, format: Format, out: &mut dyn Write) -> fmt::Result {
        match format {
            Format::GraphMl => {
                let mut xml = GraphMl::open(out)?;
                for (party, _) in &self.parties {
                    xml.party(party)?;
                }
                let same =
                    |a: &SharedAttribute<'_>, b: &SharedAttribute<'_>| a.kind == b.kind && a.value == b.value;
                for star in self.shared.chunk_by(same) {
                    let centre = std::iter::once(star[0].party_a);
                    xml.value(
                        star[0].kind,
                        star[0].value,
                        centre.chain(star.iter().map(|s| s.party_b)),
                    )?;
                }
                for edge in &self.edges {
                    xml.edge(edge)?;
                }
                xml.close()
            }
            Format::FollowTheMoney => {
                let kind = |id: &str| {
                    self.parties
                        .iter()
                        .find(|(p, _)| p.party_id == id)
                        .map(|(p, _)| p.kind)
                };
                for (party, _) in &self.parties {
                    let id = party.party_id.as_str();
                    let shared = self.shared.iter().filter(|s| s.party_a == id || s.party_b == id);
                    let mut values: Vec<(AttributeKind, &str)> = shared.map(|s| (s.kind, s.value)).collect();
                    values.dedup();
                    line(out, &party_entity(party, values.into_iter()))?;
                }
                for edge in &self.edges {
                    line(out, &edge_entity(edge, kind(edge.from), kind(edge.to)))?;
                }
                Ok(())
            }
        }
    }
}

// === GraphML ===

struct GraphMl<'o> {
    out: &'o mut dyn Write,
    edges: u64,
    values: u64,
}

const KEYS: [(&str, &str, &str); 11] = [
    ("kind", "node", "string"),
    ("name", "node", "string"),
    ("is_supplier", "node", "boolean"),
    ("relation", "edge", "string"),
    ("share_percent", "edge", "double"),
    ("valid_from", "edge", "string"),
    ("valid_to", "edge", "string"),
    ("certainty", "edge", "double"),
    ("dataset", "edge", "string"),
    ("key", "edge", "string"),
    ("source", "edge", "string"),
];

impl<'o> GraphMl<'o> {
    fn open(out: &'o mut dyn Write) -> Result<Self, fmt::Error> {
        out.write_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")?;
        out.write_str("<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n")?;
        for (name, of, kind) in KEYS {
            writeln!(
                out,
                "<key id=\"{name}\" for=\"{of}\" attr.name=\"{name}\" attr.type=\"{kind}\"/>"
            )?;
        }
        out.write_str("<graph edgedefault=\"directed\">\n")?;
        Ok(Self {
            out,
            edges: 0,
            values: 0,
        })
    }

    fn party(&mut self, party: &PartyNode) -> fmt::Result {
        write!(self.out, "<node id=\"{}\">", xml(&party.party_id))?;
        self.data("kind", party_kind(party.kind))?;
        self.data("name", &party.name)?;
        self.data("is_supplier", if party.is_supplier { "true" } else { "false" })?;
        self.out.write_str("</node>\n")
    }

    fn value<'p>(
        &mut self,
        kind: AttributeKind,
        value: &str,
        parties: impl Iterator<Item = &'p str>,
    ) -> fmt::Result {
        self.values += 1;
        let id = format!("value {}", self.values);
        write!(self.out, "<node id=\"{id}\">")?;
        self.data("kind", kind.as_str())?;
        self.data("name", value)?;
        self.out.write_str("</node>\n")?;
        for party in parties {
            self.edges += 1;
            write!(
                self.out,
                "<edge id=\"e{}\" source=\"{}\" target=\"{id}\">",
                self.edges,
                xml(party)
            )?;
            self.data("relation", kind.as_str())?;
            self.out.write_str("</edge>\n")?;
        }
        Ok(())
    }

    fn edge(&mut self, edge: &EdgeRow<'_>) -> fmt::Result {
        self.edges += 1;
        let (from, to) = (xml(edge.from), xml(edge.to));
        write!(
            self.out,
            "<edge id=\"e{}\" source=\"{from}\" target=\"{to}\">",
            self.edges
        )?;
        self.data("relation", edge.relation.as_str())?;
        for (name, value) in [
            ("share_percent", edge.share.clone()),
            ("valid_from", edge.valid_from.map(day_text)),
            ("valid_to", edge.valid_to.map(day_text)),
            ("certainty", Some(edge.certainty.to_string())),
            ("dataset", Some(edge.source.dataset.to_string())),
            ("key", Some(edge.source.key.to_string())),
            ("source", Some(edge.source.source.to_string())),
        ] {
            if let Some(value) = value {
                self.data(name, &value)?;
            }
        }
        self.out.write_str("</edge>\n")
    }

    fn data(&mut self, key: &str, value: &str) -> fmt::Result {
        write!(self.out, "<data key=\"{key}\">{}</data>", xml(value))
    }

    fn close(self) -> fmt::Result {
        self.out.write_str("</graph>\n</graphml>\n")
    }
}

/// Text as it may stand in XML 1.0: what has a meaning is escaped, what may not stand there at all is replaced.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => {
                // A fmt::Write to a String does not fail.
                let _ = write!(out, "&#{};", c as u32);
            }
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

// === FollowTheMoney ===

fn party_kind(kind: PartyKind) -> &'static str {
    match kind {
        PartyKind::Company => "company",
        PartyKind::Person => "person",
        PartyKind::Hospital => "hospital",
    }
}

fn line(out: &mut dyn Write, entity: &Value) -> fmt::Result {
    writeln!(out, "{entity}")
}

fn party_entity<'a>(party: &PartyNode, attributes: impl Iterator<Item = (AttributeKind, &'a str)>) -> Value {
    let schema = match party.kind {
        PartyKind::Company => "Company",
        PartyKind::Person => "Person",
        PartyKind::Hospital => "Organization",
    };
    let mut properties = Map::new();
    let mut add = |name: &str, value: &str| {
        if let Value::Array(values) = properties.entry(name).or_insert_with(|| json!([])) {
            values.push(json!(value));
        }
    };
    add("name", &party.name);
    for (kind, value) in attributes {
        match kind {
            AttributeKind::Phone => add("phone", value),
            AttributeKind::Address => add("address", value),
            AttributeKind::Email => add("email", value),
            // An account is an entity of its own there; a note keeps it with its party.
            AttributeKind::Account => add("notes", &format!("account {value}")),
        }
    }
    json!({"id": entity_id("party", &[&party.party_id]), "schema": schema, "properties": properties})
}

fn edge_entity(edge: &EdgeRow<'_>, from: Option<PartyKind>, to: Option<PartyKind>) -> Value {
    let (person, company) = (Some(PartyKind::Person), Some(PartyKind::Company));
    let (schema, source, target) = match edge.relation {
        Relation::Shareholder | Relation::BeneficialOwner if to == company => ("Ownership", "owner", "asset"),
        Relation::LegalRepresentative | Relation::Director | Relation::Supervisor | Relation::Manager
            if to != person =>
        {
            ("Directorship", "director", "organization")
        }
        Relation::Employee if from == person && to != person => ("Employment", "employee", "employer"),
        Relation::Agent => ("Representation", "agent", "client"),
        relation if relation.is_kin() && from == person && to == person => ("Family", "person", "relative"),
        _ => ("UnknownLink", "subject", "object"),
    };
    let mut properties = Map::new();
    properties.insert(source.to_owned(), json!([entity_id("party", &[edge.from])]));
    properties.insert(target.to_owned(), json!([entity_id("party", &[edge.to])]));
    let role = if schema == "Family" {
        "relationship"
    } else {
        "role"
    };
    properties.insert(role.to_owned(), json!([edge.relation.as_str()]));
    if schema == "Ownership" {
        if let Some(share) = &edge.share {
            properties.insert("percentage".to_owned(), json!([share]));
        }
        if edge.relation == Relation::BeneficialOwner {
            properties.insert("ownershipType".to_owned(), json!(["beneficial"]));
        }
    }
    for (name, day) in [
        ("startDate", edge.valid_from),
        ("endDate", edge.valid_to.map(|day| day - 1)),
    ] {
        if let Some(day) = day {
            properties.insert(name.to_owned(), json!([day_text(day)]));
        }
    }
    let record = format!("{} {}", edge.source.dataset, edge.source.key);
    properties.insert("recordId".to_owned(), json!([record]));
    let id = entity_id(
        "edge",
        &[
            edge.relation.as_str(),
            edge.from,
            edge.to,
            &record,
            &edge.source.batch,
        ],
    );
    json!({"id": id, "schema": schema, "properties": properties})
}

/// An id of the letters FollowTheMoney takes; different parts make different ids.
fn entity_id(kind: &str, parts: &[&str]) -> String {
    let mut id = kind.to_owned();
    for part in parts {
        id.push('.');
        for c in part.chars() {
            if c.is_ascii_alphanumeric() {
                id.push(c);
            } else {
                let _ = write!(id, "-{:06x}", c as u32);
            }
        }
    }
    id
}

/// A day as YYYY-MM-DD; beyond the calendar its number.
fn day_text(day: i32) -> String {
    let date = NaiveDate::default().checked_add_signed(TimeDelta::days(day.into()));
    date.map_or_else(|| day.to_string(), |date| date.to_string())
}

#[cfg(test)]
mod tests;
