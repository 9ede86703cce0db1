//! Who is who: identifiers with their check digits, name keys, and the resolution of mentions to parties.
//!
//! Pure: no I/O, no clock, no engine. The same mentions give the same parties in whatever order they come.
//! [`StrictResolver`] joins on proof (a checked code, an equal strict name key, a registered id), then as reviewers
//! found, and last where a name resembles one organisation only and nothing speaks against it.

pub mod address;
pub mod han;
mod hash;
pub mod identifier;
pub mod linkage;
pub mod name;
mod notices;
pub mod org;
mod party;
pub mod person;
pub mod pinyin;
pub mod places;
mod radicals;
mod resolve;

pub use address::{Address, AddressAgreement, AddressLevel, compare_addresses};
pub use identifier::{IdNumber, IdNumberError, MacAddress, Uscc, UsccError};
pub use name::{branch_of, strict_key};
pub use org::{OrgAgreement, OrgForm, OrgLevel, OrgName, compare_orgs};
pub use party::{
    Branch, CERTAIN_BP, Facts, Judged, Known, Mention, Party, PartyKind, PartyRef, Resolution, Resolver,
    Unobeyed, Verdict,
};
pub use person::{PersonAgreement, PersonLevel, PersonName, compare_persons};
pub use resolve::{StrictResolver, resolve, resolve_known};
