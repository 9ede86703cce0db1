//! The database connector: queries of PostgreSQL, MySQL and MariaDB, and over ODBC of everything that has a driver.
//!
//! A stream is one SELECT whose rows are one dataset. It is read in the order of a cursor column, from a little
//! behind where the last sync stood up to a bound frozen at the start, in one snapshot, by a session that can only
//! read. Each fetch is kept as it came (see [`window`]), then becomes columns; a checkpoint follows it.

mod columns;
pub mod config;
mod connector_database;
mod cursor;
mod error;
mod keys;
mod mysql;
#[cfg(feature = "odbc")]
mod odbc;
mod postgres;
mod reader;
mod select;
mod session;
mod statement;
pub mod window;
mod worker;

pub use config::DatabaseConfig;
pub use connector_database::DatabaseConnector;
pub use error::DatabaseError;
