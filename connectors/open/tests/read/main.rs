//! The open-standards connector from outside: files and a configuration in, messages out.

mod bods;
mod debarment;
mod ftm;
mod harness;
mod ocds;
mod ocds_messy;
mod properties;
