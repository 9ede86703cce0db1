//! What a rule declares about itself: the front matter of its SQL file.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::text::Bilingual;
use crate::value::Value;

/// The four kinds of misconduct that are supervised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Target {
    /// 违规线下采购, off-platform buying.
    #[serde(rename = "OFF")]
    OffPlatform,
    /// 操纵, manipulation.
    #[serde(rename = "MAN")]
    Manipulation,
    /// 干预, interference.
    #[serde(rename = "INT")]
    Interference,
    /// 谋取利益, improper benefit.
    #[serde(rename = "BEN")]
    ImproperBenefit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleStatus {
    Experimental,
    Stable,
    Deprecated,
}

/// High = human review within 3 working days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Low,
    Medium,
    High,
}

/// How sure an alert of this rule is, before any human looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// The law itself presumes it from these facts (视为).
    Statutory,
    /// The rows contradict a plain requirement; lawful explanations are few.
    Strong,
    /// A screen: worth a look, often lawful.
    Indicator,
}

/// One law and article, with the dates between which it applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegalBasis {
    pub law: String,
    pub article: String,
    pub effective_from: NaiveDate,
    #[serde(default)]
    pub effective_to: Option<NaiveDate>,
    #[serde(default)]
    pub source: Option<String>,
}

/// A dataset a rule reads, and what must hold of it before the rule can say anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleInput {
    pub dataset: String,
    /// Longest time between the dataset's last sync and the end of `as_of`, e.g. "26h", "30d". None: no limit.
    #[serde(default)]
    pub max_staleness: Option<String>,
    /// Columns that must not be null in every row (a column null throughout counts as missing).
    #[serde(default)]
    pub required: Vec<String>,
    /// An optional input may be missing or empty; the rule says in `known_gaps` what that means.
    #[serde(default)]
    pub optional: bool,
}

/// Which rows of which dataset prove a hit. `column` is an output column of the rule that holds the key
/// (text for a one-column key), a list of keys, a struct of the key columns, or a list of such structs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceSpec {
    pub dataset: String,
    pub key: Vec<String>,
    pub column: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MinHistory {
    /// Fewest rows in the first declared input.
    pub rows: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    pub max_hits: u64,
    /// e.g. "120s".
    pub timeout: String,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_hits: 5000,
            timeout: "120s".into(),
        }
    }
}

/// The whole front matter. Unknown or repeated keys are errors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSpec {
    pub id: String,
    pub version: u32,
    pub title: Bilingual,
    pub target: Target,
    pub status: RuleStatus,
    pub severity: Severity,
    pub certainty: Certainty,
    pub legal_basis: Vec<LegalBasis>,
    pub why: Bilingual,
    pub lawful_explanations: Vec<Bilingual>,
    #[serde(default)]
    pub known_gaps: Vec<Bilingual>,
    pub inputs: Vec<RuleInput>,
    /// Name -> default. Bind in the SQL as `$name`. Decimals are written as strings ("0.05").
    #[serde(default)]
    pub params: BTreeMap<String, Value>,
    #[serde(default)]
    pub min_history: Option<MinHistory>,
    /// Output columns that say which alert this is; business keys that the source keeps, in order.
    pub identity: Vec<String>,
    /// Role -> output column, e.g. `supplier: supplier_key`.
    pub subject: BTreeMap<String, String>,
    pub evidence: Vec<EvidenceSpec>,
    /// Output column with the money at risk (decimal), if the rule can tell.
    #[serde(default)]
    pub amount_at_risk: Option<String>,
    /// Output column with a list of hops, for rules over the graph.
    #[serde(default)]
    pub path: Option<String>,
    /// `{column}` takes the value of an output column.
    pub message: Bilingual,
    #[serde(default)]
    pub limits: Limits,
}
