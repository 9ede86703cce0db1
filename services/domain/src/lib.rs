//! The words every other crate shares: datasets, values, hits, runs and the ports between services.
//!
//! Nothing here does I/O, reads a clock, or knows an engine. A service sees another through the small
//! `dyn` traits in [`ports`], so that e.g. testing `alerts` never links DataFusion.

pub mod alert;
pub mod clock;
pub mod dataset;
pub mod failure;
pub mod hit;
pub mod judgements;
pub mod ports;
pub mod rule;
pub mod screening;
pub mod sources;
pub mod text;
pub mod value;

pub use dataset::{Column, ColumnType, Dataset, MentionKind, MentionSlot, catalogue, dataset, is_personal};
pub use failure::{Failure, FailureKind};
pub use text::{Bilingual, Lang};
pub use value::Value;
