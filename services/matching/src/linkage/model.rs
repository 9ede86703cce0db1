//! The model: comparisons with their levels and probabilities, blocking rules, prior and threshold. Read from and
//! written to JSON that follows Splink's names where the meaning is the same.

use serde::{Deserialize, Serialize};

use super::level::Level;
use super::priors::{is_frequency_weighted, priors};
use super::rules::default_rules;
use super::schema::{FieldKind, Schema};

/// Version of the JSON.
const FORMAT: &str = "lianjing-match/1";

/// Everything that decides which records match.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    pub format: String,
    /// The prior: probability that two records drawn at random are of one party. `None`: derived from the number of
    /// records and [`Self::expected_matches_per_record`].
    #[serde(default)]
    pub probability_two_random_records_match: Option<f64>,
    /// Matching pairs a record is expected to be in, on average; used when the prior is not given.
    #[serde(default = "default_expected_matches")]
    pub expected_matches_per_record: f64,
    /// Probability from which a pair joins its records' clusters.
    #[serde(default = "default_threshold")]
    pub match_probability_threshold: f64,
    pub comparisons: Vec<ModelComparison>,
    pub blocking_rules_to_generate_predictions: Vec<BlockingRule>,
    /// Records in one block above which it is refined by further keys.
    #[serde(default = "default_block_records_max")]
    pub block_records_max: usize,
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelComparison {
    /// The field compared.
    pub output_column_name: String,
    pub kind: FieldKind,
    /// The field with which it is often confused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swapped_with: Option<String>,
    /// Weighs agreement by how rare the value is.
    #[serde(default)]
    pub term_frequency_adjustments: bool,
    pub comparison_levels: Vec<ModelLevel>,
}

/// One level of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelLevel {
    pub label: Level,
    pub m_probability: f64,
    pub u_probability: f64,
}

/// Records that share the keys are compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockingRule {
    /// Parts that must all be equal: `field`, `field:transform` or `field|field:transform`.
    pub keys: Vec<String>,
    /// Parts added one after another while a block is too large.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refine: Vec<String>,
}

fn default_expected_matches() -> f64 {
    0.5
}

fn default_threshold() -> f64 {
    0.9
}

fn default_block_records_max() -> usize {
    60
}

/// A model that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error("the model is not the JSON it should be")]
    Json(#[source] serde_json::Error),
    #[error("the model says format {0:?}; this program reads {FORMAT:?}")]
    Format(String),
    #[error("the model compares the column {0:?}, which the records do not have; they have {1}")]
    NoSuchField(String, String),
    #[error(
        "the model compares {0:?} as {1:?}, but the records hold it as {2:?}; rename it with --map {0}:{3}=COLUMN"
    )]
    OtherKind(String, FieldKind, FieldKind, String),
    #[error("comparison {0:?}: level {1:?} is no level of its kind; it has {2}")]
    NoSuchLevel(String, &'static str, String),
    #[error("comparison {0:?}: {1} of level {2} must lie in (0, 1], not {3}")]
    Probability(String, &'static str, &'static str, f64),
    #[error("blocking rule {0:?}: {1}")]
    Rule(String, String),
    #[error("a model has 1 to {COMPARISONS_MAX} comparisons, this one has {0}")]
    Comparisons(usize),
    #[error("{0} must lie in [0, 1], not {1}")]
    Range(&'static str, f64),
}

/// Comparisons a pattern has room for.
pub const COMPARISONS_MAX: usize = 16;

impl Model {
    /// The shipped model for a schema.
    pub fn shipped(schema: &Schema) -> Self {
        let swaps = swaps(schema);
        let organisations = schema.of_kind(FieldKind::OrgName).is_some();
        let comparisons = schema
            .fields
            .iter()
            .enumerate()
            .take(COMPARISONS_MAX)
            .map(|(at, field)| {
                let swapped_with = swaps[at].map(|s| schema.fields[s].name.clone());
                let mut levels = priors(field.kind, swapped_with.is_some());
                if organisations && field.kind == FieldKind::PersonName {
                    // Legal representatives change; a person's own name hardly does.
                    levels
                        .iter_mut()
                        .filter(|p| p.level == Level::Different)
                        .for_each(|p| p.m = 0.12);
                }
                ModelComparison {
                    output_column_name: field.name.clone(),
                    kind: field.kind,
                    term_frequency_adjustments: is_frequency_weighted(field.kind),
                    comparison_levels: levels
                        .into_iter()
                        .map(|p| ModelLevel {
                            label: p.level,
                            m_probability: p.m,
                            u_probability: p.u,
                        })
                        .collect(),
                    swapped_with,
                }
            })
            .collect();
        Self {
            format: FORMAT.to_owned(),
            probability_two_random_records_match: None,
            expected_matches_per_record: default_expected_matches(),
            match_probability_threshold: default_threshold(),
            comparisons,
            blocking_rules_to_generate_predictions: default_rules(schema),
            block_records_max: default_block_records_max(),
        }
    }

    /// Reads a model.
    ///
    /// # Errors
    /// When the text is no such JSON or of another version.
    pub fn from_json(text: &str) -> Result<Self, ModelError> {
        let model: Self = serde_json::from_str(text).map_err(ModelError::Json)?;
        if model.format != FORMAT {
            return Err(ModelError::Format(model.format));
        }
        Ok(model)
    }

    /// The model as JSON, indented.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Whether the model can be used on records of a schema.
    ///
    /// # Errors
    /// Tells the first thing that is wrong.
    pub fn check(&self, schema: &Schema) -> Result<(), ModelError> {
        if self.comparisons.is_empty() || self.comparisons.len() > COMPARISONS_MAX {
            return Err(ModelError::Comparisons(self.comparisons.len()));
        }
        for (what, value) in [
            ("match_probability_threshold", self.match_probability_threshold),
            (
                "probability_two_random_records_match",
                self.probability_two_random_records_match.unwrap_or(0.5),
            ),
        ] {
            if !(0.0..=1.0).contains(&value) {
                return Err(ModelError::Range(what, value));
            }
        }
        let names = || {
            schema
                .fields
                .iter()
                .map(|f| f.name.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        };
        for comparison in &self.comparisons {
            let name = &comparison.output_column_name;
            for field in std::iter::once(name).chain(&comparison.swapped_with) {
                schema
                    .index(field)
                    .ok_or_else(|| ModelError::NoSuchField(field.clone(), names()))?;
            }
            let held = schema
                .index(name)
                .map_or(comparison.kind, |at| schema.fields[at].kind);
            if held != comparison.kind {
                let kind = serde_json::to_value(comparison.kind).unwrap_or_default();
                let kind = kind.as_str().unwrap_or_default().to_owned();
                return Err(ModelError::OtherKind(name.clone(), comparison.kind, held, kind));
            }
            let known = comparison.kind.levels(comparison.swapped_with.is_some());
            for level in &comparison.comparison_levels {
                if !known.contains(&level.label) {
                    let known: Vec<&str> = known.iter().map(|l| l.as_str()).collect();
                    return Err(ModelError::NoSuchLevel(
                        name.clone(),
                        level.label.as_str(),
                        known.join(", "),
                    ));
                }
                for (what, p) in [
                    ("m_probability", level.m_probability),
                    ("u_probability", level.u_probability),
                ] {
                    if !(p > 0.0 && p <= 1.0) {
                        return Err(ModelError::Probability(
                            name.clone(),
                            what,
                            level.label.as_str(),
                            p,
                        ));
                    }
                }
            }
        }
        Ok(())
    }
}

/// For each field, the one that files confuse it with: given name and surname, two lines of an address.
fn swaps(schema: &Schema) -> Vec<Option<usize>> {
    let mut out = vec![None; schema.fields.len()];
    let lines: Vec<usize> = schema.all_of_kind(FieldKind::AddressLine).collect();
    let names = schema
        .of_kind(FieldKind::GivenName)
        .zip(schema.of_kind(FieldKind::Surname));
    let lines = (lines.len() == 2).then(|| (lines[0], lines[1]));
    for (a, b) in names.into_iter().chain(lines) {
        out[a] = Some(b);
        out[b] = Some(a);
    }
    out
}
