//! A run: rules on one snapshot at one date. A pure function of (snapshot, rules, parameters, as_of).

mod backtest;
pub mod evaluable;
pub mod evidence;
pub mod hits;
pub mod rule;
pub mod runner;
pub mod views;

#[cfg(test)]
mod tests;
