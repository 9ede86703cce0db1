//! Probabilistic record linkage: which records of a file, or of two, are of one party.
//!
//! Pure: no I/O, no clock; the result depends neither on the number of threads nor on the order of records.
//! [`Records`] hold normalised values under a [`Schema`]; a [`Model`] says what is compared and how strong each
//! agreement is; [`link`] blocks, scores and clusters.

mod batch;
mod blocking;
mod bridges;
mod cluster;
mod compare;
mod explain;
mod index;
mod level;
mod linker;
mod model;
mod persons;
mod priors;
mod records;
mod rules;
mod schema;
mod score;
mod similarity;
mod sketch;
mod table;
mod train;
mod values;

pub use batch::{Linked, Options, Report, link};
pub use blocking::RuleReport;
pub use bridges::{APART_PROBABILITY_MAX, MARGIN};
pub use cluster::{Clusters, Edge};
pub use explain::{Explanation, Reason, explain};
pub use level::{Level, Pattern};
pub use linker::{EntityId, Event, Judgement, JudgementError, Linker};
pub use model::{BlockingRule, Model, ModelComparison, ModelError, ModelLevel};
pub use persons::{Held, Hold};
pub use records::{RecordNo, Records, settle_names};
pub use schema::{Binding, Field, FieldKind, Layout, LayoutError, Schema, is_record_id, known_names, layout};
pub use score::{Evidence, Score, Scorer, prior_weight, probability, weight_of};
pub use table::{MatchError, Matched, PairRow, RecordRow, Request, Table, match_tables};
pub use train::train;
pub use values::normalise;

#[cfg(test)]
mod sister_tests;
#[cfg(test)]
mod tests;
