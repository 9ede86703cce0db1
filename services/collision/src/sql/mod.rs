//! What the engine does to SQL text before it runs it: checks it, fills in parameters, finds what it reads.

pub mod compact_lists;
pub mod mutants;
pub mod params;
pub mod statement;

pub use statement::Query;
