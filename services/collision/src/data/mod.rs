//! The data a run looks at: one pinned snapshot, from the lake or from a test's rows.

pub mod lake_source;
pub mod memory;
pub mod parties;
pub mod snapshot;
pub mod tables;

pub use lake_source::LakeSource;
pub use memory::{MemorySnapshot, MemorySource};
pub use snapshot::{RowChanges, Snapshot, SnapshotSource};
