//! Phones, addresses, accounts and e-mail addresses that several parties share.

use crate::input::{AttributeInput, AttributeKind, SourceRow};
use crate::snapshot::{BuildReport, Graph};

/// Attributes by (kind, value, party), each once, with the least of the rows that state it. Values are
/// numbered in that order.
#[derive(Debug, Default)]
pub(crate) struct Attributes {
    list: Vec<Attribute>,
    /// Further rows that state what the list has already.
    repeated: Vec<Attribute>,
    /// Where each value's parties begin in the list.
    values: Vec<u32>,
    /// Where each party's values begin in `of_party`.
    parties: Vec<u32>,
    of_party: Vec<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Attribute {
    pub kind: AttributeKind,
    pub value: Box<str>,
    pub party: u32,
    pub source: SourceRow,
}

impl Attributes {
    /// Gives parties their numbers; what speaks of nobody is counted.
    pub fn numbered(
        input: Vec<AttributeInput>,
        number: &impl Fn(&str) -> Option<u32>,
        report: &mut BuildReport,
    ) -> Vec<Attribute> {
        let mut list = Vec::with_capacity(input.len());
        for AttributeInput {
            party,
            kind,
            value,
            source,
        } in input
        {
            match number(&party) {
                Some(party) => list.push(Attribute {
                    kind,
                    value: value.into(),
                    party,
                    source,
                }),
                None => report.unknown_party_attributes += 1,
            }
        }
        list
    }

    /// `rank` orders the parties.
    pub fn index(mut list: Vec<Attribute>, parties: usize, rank: impl Fn(u32) -> u32) -> Self {
        list.sort_unstable_by(|a, b| {
            let by_value = a.kind.cmp(&b.kind).then_with(|| a.value.cmp(&b.value));
            by_value
                .then_with(|| rank(a.party).cmp(&rank(b.party)))
                .then_with(|| a.source.cmp(&b.source))
        });
        list.dedup();
        let mut repeated = Vec::new();
        list.dedup_by(|b, a| {
            let again = (a.kind, &a.value, a.party) == (b.kind, &b.value, b.party);
            if again {
                repeated.push(b.clone());
            }
            again
        });
        let mut values = vec![0];
        for group in list.chunk_by(|a, b| a.kind == b.kind && a.value == b.value) {
            values.push(values[values.len() - 1] + group.len() as u32);
        }
        let mut starts = vec![0u32; parties + 1];
        for attribute in &list {
            starts[attribute.party as usize + 1] += 1;
        }
        for at in 0..parties {
            starts[at + 1] += starts[at];
        }
        let mut next = starts.clone();
        let mut of_party = vec![0; list.len()];
        for (value, range) in values.windows(2).enumerate() {
            for attribute in &list[range[0] as usize..range[1] as usize] {
                let at = &mut next[attribute.party as usize];
                of_party[*at as usize] = value as u32;
                *at += 1;
            }
        }
        Self {
            list,
            repeated,
            values,
            parties: starts,
            of_party,
        }
    }

    /// Every row that states an attribute.
    pub fn all(&self) -> impl Iterator<Item = &Attribute> {
        self.list.iter().chain(&self.repeated)
    }

    /// How many values there are.
    pub fn values(&self) -> usize {
        self.values.len().saturating_sub(1)
    }

    /// The parties that have a value, ordered by number.
    pub fn sharing(&self, value: u32) -> &[Attribute] {
        let value = value as usize;
        &self.list[self.values[value] as usize..self.values[value + 1] as usize]
    }

    /// The values that a party has.
    pub fn of(&self, party: u32) -> &[u32] {
        let party = party as usize;
        match self.parties.get(party + 1) {
            Some(end) => &self.of_party[self.parties[party] as usize..*end as usize],
            // Added after the index was built.
            None => &[],
        }
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
        for value in 0..self.attributes.values() as u32 {
            let group = self.attributes.sharing(value);
            let weak = group.len() > self.options.attribute_degree_max;
            for (at, a) in group.iter().enumerate().take(if weak { 1 } else { group.len() }) {
                rows.extend(
                    group[at + 1..]
                        .iter()
                        .map(|b| self.shared_attribute(a, b, group.len())),
                );
            }
        }
        rows
    }

    pub(crate) fn shared_attribute<'g>(
        &'g self,
        a: &'g Attribute,
        b: &'g Attribute,
        degree: usize,
    ) -> SharedAttribute<'g> {
        SharedAttribute {
            party_a: &self.parties[a.party as usize].party_id,
            party_b: &self.parties[b.party as usize].party_id,
            kind: a.kind,
            value: &a.value,
            degree: degree as u32,
            weak: degree > self.options.attribute_degree_max,
            a_source: &a.source,
            b_source: &b.source,
        }
    }
}
