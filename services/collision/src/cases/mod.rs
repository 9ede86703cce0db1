//! The cases of a rule: rows in, exact alerts out. See `docs/rules.md` for the file format.

pub mod compare;
pub mod file;
pub mod mutate;
pub mod run;

pub use file::{Case, CaseFile, CaseKind};
