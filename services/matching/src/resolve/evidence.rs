//! What the register's rows say beside names and codes: telephone, address, e-mail, account and legal representative
//! confirm or contradict that two names are one organisation's.
//!
//! Scored with the shipped model of [`crate::linkage`], so agreement on what many rows share (an agent's telephone)
//! says little, and a disagreement speaks against.

use hashbrown::HashMap;

use super::{Identity, content};
use crate::identifier::Uscc;
use crate::linkage::{Field, FieldKind, Model, RecordNo, Records, Schema, Scorer, probability};
use crate::party::{Facts, Mention};

/// Rows of a register, under the parties that they speak of.
pub struct Evidence {
    records: Records,
    model: Model,
    of_name: HashMap<u32, Vec<RecordNo>>,
    of_code: HashMap<Uscc, Vec<RecordNo>>,
}

/// Rows that may have a value which still counts as an organisation's own.
const ROWS_MAX: u32 = 4;

/// What is compared; the name comes first, and a field's place is that of its comparison in the shipped model.
const FIELDS: [(&str, FieldKind); 6] = [
    ("name", FieldKind::OrgName),
    ("legal_representative", FieldKind::PersonName),
    ("phone", FieldKind::Phone),
    ("address", FieldKind::Address),
    ("email", FieldKind::Email),
    ("bank_account", FieldKind::Account),
];

impl Evidence {
    /// The evidence of `facts`; `None` when no row without a code has any.
    pub fn of(facts: &[Facts], mentions: &[Mention], identified: &[Option<Identity<'_>>]) -> Option<Self> {
        if facts.is_empty() {
            return None;
        }
        let mut whose: HashMap<i64, (&str, Identity<'_>)> = HashMap::with_capacity(facts.len());
        for (mention, identity) in mentions.iter().zip(identified) {
            if let (Some(identity @ (Identity::Uscc(_) | Identity::Name(_))), Some(name)) =
                (identity, content(mention.name.as_ref()))
            {
                whose.insert(mention.reference, (name, *identity));
            }
        }
        let mut rows: Vec<&Facts> = facts
            .iter()
            .filter(|f| whose.contains_key(&f.reference))
            .collect();
        let unknown = |f: &&Facts| matches!(whose[&f.reference].1, Identity::Name(_));
        if !rows.iter().any(unknown) {
            return None;
        }
        rows.sort_unstable_by_key(|f| f.reference);
        let schema = Schema {
            fields: FIELDS
                .iter()
                .map(|(name, kind)| Field {
                    name: (*name).to_owned(),
                    kind: *kind,
                })
                .collect(),
        };
        let model = Model::shipped(&schema);
        let mut records = Records::new(schema);
        let text = |pick: fn(&Facts) -> &Option<String>| -> Vec<&str> {
            rows.iter()
                .map(|f| content(pick(f).as_ref()).unwrap_or_default())
                .collect()
        };
        records.extend(
            0,
            &[
                rows.iter().map(|f| whose[&f.reference].0).collect(),
                text(|f| &f.legal_representative),
                text(|f| &f.phone),
                text(|f| &f.address),
                text(|f| &f.email),
                text(|f| &f.bank_account),
            ],
        );
        let mut evidence = Self {
            records,
            model,
            of_name: HashMap::new(),
            of_code: HashMap::new(),
        };
        for (record, facts) in (0..).zip(&rows) {
            match whose[&facts.reference].1 {
                Identity::Uscc(uscc) => evidence.of_code.entry(uscc).or_default().push(record),
                Identity::Name(key) => evidence.of_name.entry(key).or_default().push(record),
                _ => {}
            }
        }
        Some(evidence)
    }

    /// Ready to score pairs.
    pub fn scorer(&self) -> Scorer<'_> {
        Scorer::new(&self.model, &self.records)
    }

    /// How likely the rows under a name and those under a code are one organisation's, by all their fields. `None` when
    /// no field beside the name agrees in any pair of rows, on a value that few rows have.
    pub fn probability(&self, scorer: &Scorer<'_>, name: u32, code: Uscc) -> Option<f64> {
        let (ours, theirs) = (self.of_name.get(&name)?, self.of_code.get(&code)?);
        let pairs = ours.iter().flat_map(|a| theirs.iter().map(move |b| (*a, *b)));
        pairs
            .filter_map(|(a, b)| {
                let found = scorer.explain(a, b);
                let confirmed = found
                    .iter()
                    .any(|e| e.comparison > 0 && e.weight > 0.0 && self.is_rare(e.comparison, a, b));
                let weight = scorer.prior() + found.iter().map(|e| e.weight).sum::<f64>();
                confirmed.then(|| probability(weight))
            })
            .max_by(f64::total_cmp)
    }

    /// Whether few rows say what these two say in a field: an agent's telephone is no organisation's own.
    fn is_rare(&self, field: usize, a: RecordNo, b: RecordNo) -> bool {
        let values = self.records.values(field);
        [a, b]
            .iter()
            .all(|row| values.count(self.records.row(*row)[field]) <= ROWS_MAX)
    }
}
