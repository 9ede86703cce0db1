//! The `lianjing` binary: wiring only.
fn main() {}
