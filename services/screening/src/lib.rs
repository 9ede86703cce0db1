//! Screens a supplier, a party or an order before approval, from an index of one snapshot held in memory.
//!
//! Pure: no I/O, no clock, no engine. Whoever holds the data fills a [`ScreeningInput`]; [`Index::build`] makes
//! an immutable index of it, which is swapped as a whole when a newer snapshot is committed. The same request on
//! the same index gives the same answer. The definitions of bans, agreements in force, standards and listed
//! prices are those of the rules SUP-04, SUP-01, TEN-03 and PRC-03.

mod answer;
mod checks;
mod decimal;
mod identity;
mod index;
mod input;
mod names;
mod settings;

pub use index::{FixedIndex, Index, not_committed};
pub use input::{
    AgreementRow, BranchLink, CreditRecord, DatasetState, FilingRow, HospitalRow, ListingRow, NEEDS,
    PartyRow, ProductRow, RowRef, ScreeningInput, StaffTie, TenderRow, ThresholdRow,
};
pub use settings::{Settings, Staleness};
