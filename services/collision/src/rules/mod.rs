//! Rules and views as files: reading, checking, pinning.

pub mod bundle;
pub mod embedded;
pub mod file;
pub mod lock;

pub use bundle::{Bundle, LoadedRule, View};
