//! The networks of bidders: who meets whom in tenders, and who loses to whom.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::leiden::leiden;
use super::pagerank::pagerank;

/// In a tender with more bidders (a framework that admits everybody) meeting means nothing: it makes no pairs.
const BIDDERS_MAX: usize = 100;

/// One row of `bids`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BidInput {
    pub tender: String,
    /// Party id.
    pub bidder: String,
    pub is_winner: bool,
    /// When it was opened or handed in: days since 1970-01-01. Orders the tenders; without, they follow by name.
    pub day: Option<i32>,
}

/// All tenders, each with its bidders, and what can be told of them.
#[derive(Debug)]
pub struct Market {
    bidders: Vec<String>,
    /// By day and name.
    tenders: Vec<Tender>,
}

#[derive(Debug)]
struct Tender {
    /// Ordered by number; each once.
    bidders: Vec<u32>,
    winners: Vec<u32>,
}

/// Two bidders who met. `a_party_id < b_party_id`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CoBidding<'m> {
    pub a_party_id: &'m str,
    pub b_party_id: &'m str,
    /// Tenders in which both bid, and those in which each did.
    pub tenders: u32,
    pub a_tenders: u32,
    pub b_tenders: u32,
    /// Tenders in which both bid over those in which either did, 0 to 1 (Jaccard).
    pub overlap: f64,
    /// Of the common tenders those that each won.
    pub a_wins: u32,
    pub b_wins: u32,
}

/// One bidder's record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bidder<'m> {
    pub party_id: &'m str,
    pub tenders: u32,
    pub wins: u32,
    /// Tenders that somebody else won.
    pub losses: u32,
    /// Who won most of those, the least id of several; `None` without a loss.
    pub main_winner_id: Option<&'m str>,
    /// How many of the losses were to it.
    pub main_winner_losses: u32,
    /// Its PageRank in the network that goes from each loser to whoever won: who profits from others' bids.
    pub pagerank: f64,
}

/// A bidder's community in the network of those who meet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BiddingCommunity<'m> {
    pub party_id: &'m str,
    /// The least party id of the community.
    pub community_id: &'m str,
    /// Bidders in it.
    pub size: u32,
    /// How evenly they all meet, 0 to 1: pairs that meet over all pairs, times the geometric over the
    /// arithmetic mean of how often those do (coherence of Onnela et al., Physical Review E 71, 2005, 065103).
    pub cohesion: f64,
    /// Meetings among members over all meetings of members, 0 to 1.
    pub exclusivity: f64,
    /// Tenders in which at least two members bid; those a member won; those this member won.
    pub tenders: u32,
    pub community_wins: u32,
    pub wins: u32,
    /// How evenly the members share these wins: their entropy over the greatest possible, 0 to 1.
    pub rotation: f64,
    /// Of two wins in a row, how many went to different members, 0 to 1.
    pub turns: f64,
    /// Herfindahl index of the members' PageRanks in the network from losers to winners among them: from
    /// 1/size when all profit alike, to near 1 when all lose to one.
    pub concentration: f64,
}

impl Market {
    /// Several rows of one tender and bidder are one bid, won if any says so.
    pub fn build(mut bids: Vec<BidInput>) -> Self {
        bids.sort_unstable();
        let mut bidders: Vec<String> = bids.iter().map(|b| b.bidder.clone()).collect();
        bidders.sort_unstable();
        bidders.dedup();
        let number: HashMap<&str, u32> = bidders
            .iter()
            .enumerate()
            .map(|(n, id)| (id.as_str(), n as u32))
            .collect();
        let mut tenders: Vec<(Option<i32>, Tender)> = bids
            .chunk_by(|a, b| a.tender == b.tender)
            .map(|rows| {
                let of = |winning: bool| {
                    let rows = rows.iter().filter(|b| b.is_winner || !winning);
                    let mut numbers: Vec<u32> = rows.map(|b| number[b.bidder.as_str()]).collect();
                    numbers.sort_unstable();
                    numbers.dedup();
                    numbers
                };
                let day = rows.iter().filter_map(|b| b.day).max();
                (
                    day,
                    Tender {
                        bidders: of(false),
                        winners: of(true),
                    },
                )
            })
            .collect();
        // Stable: those of one day stay ordered by name.
        tenders.sort_by_key(|(day, _)| *day);
        let tenders = tenders.into_iter().map(|(_, tender)| tender).collect();
        drop(number);
        Self { bidders, tenders }
    }

    /// Every two bidders who met, ordered by their ids.
    pub fn co_bidding(&self) -> Vec<CoBidding<'_>> {
        let bids = self.tenders_of_each();
        self.pairs()
            .into_iter()
            .map(|((a, b), pair)| {
                let (a_tenders, b_tenders) = (bids[a as usize], bids[b as usize]);
                CoBidding {
                    a_party_id: &self.bidders[a as usize],
                    b_party_id: &self.bidders[b as usize],
                    tenders: pair.tenders,
                    a_tenders,
                    b_tenders,
                    overlap: f64::from(pair.tenders) / f64::from(a_tenders + b_tenders - pair.tenders),
                    a_wins: pair.a_wins,
                    b_wins: pair.b_wins,
                }
            })
            .collect()
    }

    /// Every bidder's record, by id.
    pub fn bidders(&self) -> Vec<Bidder<'_>> {
        let lost = lost_to(&self.tenders, |_| true);
        let edges: Vec<(u32, u32, f64)> = lost.iter().map(|((l, w), n)| (*l, *w, f64::from(*n))).collect();
        let ranks = pagerank(self.bidders.len(), &edges);
        let tenders = self.tenders_of_each();
        let mut wins = vec![0u32; self.bidders.len()];
        let mut losses = vec![0u32; self.bidders.len()];
        for tender in &self.tenders {
            tender.winners.iter().for_each(|w| wins[*w as usize] += 1);
            for loser in tender.losers() {
                losses[loser as usize] += 1;
            }
        }
        let mut main: Vec<Option<(u32, u32)>> = vec![None; self.bidders.len()];
        for ((loser, winner), count) in lost {
            let main = &mut main[loser as usize];
            if main.is_none_or(|(_, most)| count > most) {
                *main = Some((winner, count));
            }
        }
        (0..self.bidders.len())
            .map(|n| Bidder {
                party_id: &self.bidders[n],
                tenders: tenders[n],
                wins: wins[n],
                losses: losses[n],
                main_winner_id: main[n].map(|(winner, _)| self.bidders[winner as usize].as_str()),
                main_winner_losses: main[n].map_or(0, |(_, count)| count),
                pagerank: ranks[n],
            })
            .collect()
    }

    /// Every bidder's community, by the bidder's id. Pairs weigh by their overlap. A bidder who met nobody is
    /// its own community.
    pub fn communities(&self) -> Vec<BiddingCommunity<'_>> {
        let count = self.bidders.len();
        let pairs = self.pairs();
        let bids = self.tenders_of_each();
        let weight = |a: u32, b: u32, common: u32| {
            f64::from(common) / f64::from(bids[a as usize] + bids[b as usize] - common)
        };
        let edges = pairs
            .iter()
            .map(|((a, b), pair)| (*a, *b, weight(*a, *b, pair.tenders)));
        let community = leiden(count, edges);
        let mut members: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (bidder, least) in community.iter().enumerate() {
            members.entry(*least).or_default().push(bidder as u32);
        }
        let mut meetings: HashMap<u32, Meetings> = HashMap::new();
        for ((a, b), pair) in &pairs {
            let (of_a, of_b) = (community[*a as usize], community[*b as usize]);
            if of_a == of_b {
                let met = meetings.entry(of_a).or_default();
                met.pairs += 1;
                met.within += u64::from(pair.tenders);
                met.logs += f64::from(pair.tenders).ln();
            } else {
                for of in [of_a, of_b] {
                    meetings.entry(of).or_default().across += u64::from(pair.tenders);
                }
            }
        }
        let mut tenders: HashMap<u32, Vec<usize>> = HashMap::new();
        for (at, tender) in self.tenders.iter().enumerate() {
            let mut of: Vec<u32> = tender.bidders.iter().map(|b| community[*b as usize]).collect();
            of.sort_unstable();
            for same in of.chunk_by(|a, b| a == b).filter(|same| same.len() > 1) {
                tenders.entry(same[0]).or_default().push(at);
            }
        }
        let mut rows: Vec<BiddingCommunity<'_>> = Vec::with_capacity(count);
        for (least, members) in &members {
            let met = meetings.get(least).copied().unwrap_or_default();
            let common = tenders.get(least).map_or(&[][..], Vec::as_slice);
            self.community_rows(*least, members, met, common, &mut rows);
        }
        rows.sort_unstable_by_key(|row| row.party_id);
        rows
    }

    fn community_rows<'m>(
        &'m self,
        least: u32,
        members: &[u32],
        met: Meetings,
        common: &[usize],
        rows: &mut Vec<BiddingCommunity<'m>>,
    ) {
        let size = members.len() as f64;
        let mut wins = vec![0u32; members.len()];
        let place = |bidder: u32| members.binary_search(&bidder).ok();
        let (mut won, mut turns, mut last) = (0u32, 0u32, None);
        for tender in common.iter().map(|at| &self.tenders[*at]) {
            let winners: Vec<usize> = tender.winners.iter().filter_map(|w| place(*w)).collect();
            winners.iter().for_each(|w| wins[*w] += 1);
            if let Some(first) = winners.first() {
                turns += u32::from(last.is_some_and(|last| last != *first));
                won += 1;
                last = Some(*first);
            }
        }
        let all: u32 = wins.iter().sum();
        let entropy: f64 = wins
            .iter()
            .filter(|w| **w > 0)
            .map(|w| f64::from(*w) / f64::from(all))
            .map(|part| -part * part.ln())
            .sum();
        let lost = lost_to(common.iter().map(|at| &self.tenders[*at]), |b| place(b).is_some());
        let edges: Vec<(u32, u32, f64)> = lost
            .iter()
            .filter_map(|((l, w), n)| Some((place(*l)? as u32, place(*w)? as u32, f64::from(*n))))
            .collect();
        let concentration = pagerank(members.len(), &edges).iter().map(|r| r * r).sum();
        for (at, member) in members.iter().enumerate() {
            rows.push(BiddingCommunity {
                party_id: &self.bidders[*member as usize],
                community_id: &self.bidders[least as usize],
                size: members.len() as u32,
                cohesion: met.cohesion(size),
                exclusivity: met.exclusivity(),
                tenders: common.len() as u32,
                community_wins: won,
                wins: wins[at],
                rotation: if members.len() > 1 {
                    entropy / size.ln()
                } else {
                    0.0
                },
                turns: if won > 1 {
                    f64::from(turns) / f64::from(won - 1)
                } else {
                    0.0
                },
                concentration,
            });
        }
    }

    fn tenders_of_each(&self) -> Vec<u32> {
        let mut bids = vec![0u32; self.bidders.len()];
        for bidder in self.tenders.iter().flat_map(|t| &t.bidders) {
            bids[*bidder as usize] += 1;
        }
        bids
    }

    fn pairs(&self) -> BTreeMap<(u32, u32), Pair> {
        let mut pairs: BTreeMap<(u32, u32), Pair> = BTreeMap::new();
        for tender in self.tenders.iter().filter(|t| t.bidders.len() <= BIDDERS_MAX) {
            for (at, a) in tender.bidders.iter().enumerate() {
                for b in &tender.bidders[at + 1..] {
                    let pair = pairs.entry((*a, *b)).or_default();
                    pair.tenders += 1;
                    pair.a_wins += u32::from(tender.winners.contains(a));
                    pair.b_wins += u32::from(tender.winners.contains(b));
                }
            }
        }
        pairs
    }
}

impl Tender {
    /// Who bid and did not win, where anybody won.
    fn losers(&self) -> impl Iterator<Item = u32> + '_ {
        let won = !self.winners.is_empty();
        self.bidders
            .iter()
            .copied()
            .filter(move |b| won && !self.winners.contains(b))
    }
}

/// How often whom lost to whom, among those `counts` says.
fn lost_to<'t>(
    tenders: impl IntoIterator<Item = &'t Tender>,
    counts: impl Fn(u32) -> bool,
) -> BTreeMap<(u32, u32), u32> {
    let mut lost = BTreeMap::new();
    for tender in tenders {
        for loser in tender.losers().filter(|b| counts(*b)) {
            for winner in tender.winners.iter().filter(|b| counts(**b)) {
                *lost.entry((loser, *winner)).or_insert(0) += 1;
            }
        }
    }
    lost
}

#[derive(Debug, Default)]
struct Pair {
    tenders: u32,
    a_wins: u32,
    b_wins: u32,
}

/// What the members of a community have in common.
#[derive(Debug, Clone, Copy, Default)]
struct Meetings {
    /// Pairs of members that met, how often in all, and the sum of logarithms of how often.
    pairs: u64,
    within: u64,
    logs: f64,
    /// Meetings of members with others.
    across: u64,
}

impl Meetings {
    fn cohesion(&self, size: f64) -> f64 {
        if self.pairs == 0 {
            return 0.0;
        }
        let pairs = self.pairs as f64;
        let density = pairs / (size * (size - 1.0) / 2.0);
        density * (self.logs / pairs).exp() / (self.within as f64 / pairs)
    }

    fn exclusivity(&self) -> f64 {
        // A meeting within is one of each of both members.
        let within = 2.0 * self.within as f64;
        if self.within == 0 {
            0.0
        } else {
            within / (within + self.across as f64)
        }
    }
}
