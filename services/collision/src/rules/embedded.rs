//! The shipped rules, views and lock, carried in the binary. The only module that a changed rule recompiles.

/// (path below `queries/`, text), in path order.
pub static FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/queries.rs"));
