//! Phones, addresses, accounts and e-mail addresses that several parties share.

use crate::input::{AttributeInput, AttributeKind, SourceRow};
use crate::snapshot::{BuildReport, Graph};

/// Attributes by (kind, value, party), each once, with the least of the rows that state it.
#[derive(Debug, Default)]
pub(crate) struct Attributes(Vec<Attribute>);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Attribute {
    kind: AttributeKind,
    value: Box<str>,
    party: u32,
    source: SourceRow,
}

impl Attributes {
    pub fn build(
        input: Vec<AttributeInput>,
        number: &impl Fn(&str) -> Option<u32>,
        report: &mut BuildReport,
    ) -> Self {
        let mut attributes = Vec::with_capacity(input.len());
        for AttributeInput {
            party,
            kind,
            value,
            source,
        } in input
        {
            match number(&party) {
                Some(party) => attributes.push(Attribute {
                    kind,
                    value: value.into(),
                    party,
                    source,
                }),
                None => report.unknown_party_attributes += 1,
            }
        }
        attributes.sort_unstable();
        attributes.dedup_by(|b, a| (a.kind, &a.value, a.party) == (b.kind, &b.value, b.party));
        Self(attributes)
    }
}

/// Two parties that share a value. `party_a < party_b`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharedAttribute<'g> {
    pub party_a: &'g str,
    pub party_b: &'g str,
    pub kind: AttributeKind,
    pub value: &'g str,
    /// How many parties have the value.
    pub degree: u32,
    /// More parties have it than `attribute_degree_max`: an agent's or a business centre's, most likely.
    pub weak: bool,
    pub a_source: &'g SourceRow,
    pub b_source: &'g SourceRow,
}

impl Graph {
    /// Pairs of parties with a value in common, ordered by kind, value and parties. Of a weak value only the
    /// pairs with its first party are given: each party still appears, and a hub of n parties costs n rows.
    pub fn shared_attributes(&self) -> Vec<SharedAttribute<'_>> {
        let mut rows = Vec::new();
        for group in self
            .attributes
            .0
            .chunk_by(|a, b| a.kind == b.kind && a.value == b.value)
        {
            let weak = group.len() > self.options.attribute_degree_max;
            for (at, a) in group.iter().enumerate().take(if weak { 1 } else { group.len() }) {
                rows.extend(group[at + 1..].iter().map(|b| SharedAttribute {
                    party_a: &self.parties[a.party as usize].party_id,
                    party_b: &self.parties[b.party as usize].party_id,
                    kind: a.kind,
                    value: &a.value,
                    degree: group.len() as u32,
                    weak,
                    a_source: &a.source,
                    b_source: &b.source,
                }));
            }
        }
        rows
    }
}
