//! Who bids with whom, who wins from whom, and who hangs together: networks as rows that rules can use.

mod bidding;
mod communities;
mod leiden;
mod pagerank;
#[cfg(test)]
mod tests;

pub use bidding::{BidInput, Bidder, BiddingCommunity, CoBidding, Market};
pub use communities::Community;
