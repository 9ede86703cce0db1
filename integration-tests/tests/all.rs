//! The one integration-test binary: real files, the real binary, real servers on port 0.

mod cli;
mod crash;
mod duckdb;
mod first_hospital;
mod province;
mod readme;
mod screening;
mod server;
mod sources;
