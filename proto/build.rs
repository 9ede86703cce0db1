//! Compiles the protos with protox (no protoc to install).
fn main() {}
