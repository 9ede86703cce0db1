//! The watched folder and bucket from outside: files appear, syncs run, checkpoints are handed back.

mod bucket;
mod folder;
mod harness;
