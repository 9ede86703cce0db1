//! The database connector against real servers.

mod documentation;
mod host;
mod mysql;
#[cfg(feature = "odbc")]
mod odbc;
mod postgres;
mod postgres_trouble;
mod servers;
