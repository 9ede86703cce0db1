//! Real servers that tests start, each on a port or in a folder of its own, gone when the test process ends: only tests
//! depend on this crate.

#[cfg(feature = "authority")]
pub mod authority;
pub mod database;
pub mod platform;
pub mod relay;
pub mod s3;
