//! What a run of rules yields: hits with their evidence, and for each rule what became of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::rule::RuleSpec;
use crate::text::Bilingual;
use crate::value::Value;

/// One row of a dataset that a hit rests on, as it stood in the run's snapshot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EvidenceRow {
    pub dataset: String,
    pub key: BTreeMap<String, Value>,
    pub source: String,
    /// Digest of the raw batch that last wrote the row.
    pub batch: String,
    /// Place in that batch: line of a text file, row of a sheet, index of a record (from 1).
    pub row: u64,
    /// Content hash of the row's own columns, as the lake's `_hash` writes it; what the evidence digest is made of.
    pub hash: String,
    pub values: BTreeMap<String, Value>,
    /// The mentions of the row that were taken for a party by resemblance, in the order of the dataset's slots.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uncertain: Vec<UncertainMention>,
}

/// A mention whose party is not proven: its name resembles that of one party only (`docs/parties.md`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UncertainMention {
    /// The dataset's slot, such as `supplier`.
    pub slot: String,
    /// The business key of the party that it was taken for.
    pub party_key: String,
    /// How sure that is, in ten-thousandths; below 10,000.
    pub certainty_bp: u16,
}

/// Ten-thousandths as percent with two digits: 9800 is `98.00`.
pub fn percent_of_bp(bp: u16) -> String {
    format!("{}.{:02}", bp / 100, bp % 100)
}

/// The evidence digest: SHA-256 (hex) over the rows' (dataset, key, content hash), sorted, each value typed and
/// length-prefixed. Where a row was read from (source, batch, row) is not part of it, so that the same rows
/// synced in another order give the same digest. The one definition: alerts store it, a replay compares it.
pub fn evidence_digest(rows: &[EvidenceRow]) -> String {
    use sha2::{Digest, Sha256};
    let mut parts: Vec<Vec<u8>> = rows
        .iter()
        .map(|row| {
            let mut bytes = Vec::new();
            Value::text(row.dataset.as_str()).write_canonical(&mut bytes);
            for (name, value) in &row.key {
                Value::text(name.as_str()).write_canonical(&mut bytes);
                value.write_canonical(&mut bytes);
            }
            Value::text(row.hash.as_str()).write_canonical(&mut bytes);
            bytes
        })
        .collect();
    parts.sort_unstable();
    parts.dedup();
    let mut hash = Sha256::new();
    for part in std::iter::once(b"lianjing.evidence.v1".as_slice()).chain(parts.iter().map(Vec::as_slice)) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

/// A rule's row, with all that is needed to explain it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hit {
    /// In the order the rule declares.
    pub identity: Vec<(String, Value)>,
    pub subject: BTreeMap<String, Value>,
    /// Decimal text, CNY.
    pub amount_at_risk: Option<String>,
    pub message: Bilingual,
    /// Hops, each a map with at least from, to, relation, dataset, key, source, row, valid_from, valid_to.
    pub path: Vec<Value>,
    /// Sorted by (dataset, key); no row twice.
    pub evidence: Vec<EvidenceRow>,
    /// Keys the rule named whose row could not be found in the snapshot (should be none).
    pub evidence_missing: Vec<String>,
}

/// What became of one rule in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RuleState {
    /// Looked at all rows; no hit means clean.
    Evaluated,
    /// Could not look: an input is missing, empty, too short or stale. Never the same as clean.
    NotEvaluable,
    /// More hits than the rule's cap; the first by identity are kept, the rest counted.
    Capped,
    /// The query failed, ran out of memory or of time.
    Failed,
}

/// One rule's part of a run.
#[derive(Debug, Clone)]
pub struct RuleOutcome {
    pub rule: Arc<RuleSpec>,
    /// SHA-256 (hex) of the rule's file.
    pub rule_hash: String,
    pub rule_text: Arc<str>,
    pub state: RuleState,
    /// Why it is not EVALUATED: a stable code (e.g. INPUT_MISSING) and a sentence.
    pub reason: Option<(String, Bilingual)>,
    /// Parameters in force.
    pub params: BTreeMap<String, Value>,
    /// Sorted by identity, at most `max_hits`.
    pub hits: Vec<Hit>,
    /// Hits beyond the cap.
    pub capped: u64,
    pub elapsed_ms: u64,
}

/// The result of a run: a pure function of (snapshot, bundle hash, parameters, as_of).
#[derive(Debug, Clone)]
pub struct RunOutput {
    pub snapshot: i64,
    pub as_of: NaiveDate,
    /// SHA-256 (hex) over all rules and views in force.
    pub bundle_hash: String,
    /// Dataset -> (snapshot that last changed it).
    pub table_versions: BTreeMap<String, i64>,
    pub outcomes: Vec<RuleOutcome>,
    /// Whether every rule was asked for; only then may missing hits of absent rules be judged.
    pub all_rules: bool,
}
