//! Connectors for the open standards: OCDS (contracting), BODS and FollowTheMoney (who owns whom), and
//! debarment lists.
//!
//! Files of these standards become rows of the data model: tenders, bids, contracts, suppliers, hospitals,
//! payments; relations; credit records. Every record becomes rows or a rejected one with its text, and every
//! member of an OCDS release that is not read is told by its path.

mod bods;
mod config;
mod connector_open;
mod debarment;
mod error;
mod ftm;
mod identifiers;
mod input;
mod json;
mod ocds;
mod ordered;
mod rows;
mod sink;

pub use config::{BodsConfig, DebarmentConfig, FtmConfig, Kind, OcdsConfig, OpenConfig, ShareBound};
pub use connector_open::OpenConnector;
pub use error::OpenError;
