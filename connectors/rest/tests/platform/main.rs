//! The connector against platforms that misbehave. Each scenario ends with what the platform really holds, or with a
//! failure or notice that says what is missing.

mod auth;
mod config;
mod faults;
mod host;
mod incremental;
mod page_doc;
mod rows;
mod scenario;
mod server;
mod shifting;
mod tls;
mod world;
