//! The one integration-test binary: real files, the real binary, real servers on port 0.

mod cli;
mod connector_pages;
mod crash;
mod duckdb;
mod first_hospital;
mod kill;
mod province;
mod readme;
mod redrive;
mod schema_drift;
mod screening;
mod server;
mod sources;
mod trials;
