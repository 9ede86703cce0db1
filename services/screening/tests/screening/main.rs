//! The checks as their callers see them: each boundary of each interval, and never clean where data are missing.

mod fixture;
mod identity;
mod orders;
mod properties;
mod supplier;
