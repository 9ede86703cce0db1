//! Who owns and controls whom in the end, through chains and circles of holdings, on one day.
//!
//! Integrated ownership (cash-flow rights) is Y = D (I - A)^-1 with A the shares companies hold in companies
//! and D those of parties that nobody holds. Summing products over paths instead would lose what circulates
//! in cross-holdings: of P 60 % and B 40 % of A, A 50 % and Q 50 % of B, P owns 75 % of A, not 60 %
//! (Magnanimi and Iezzi, EcoFinKG 2022; per strongly connected group as in Ricca and Scozzari, Annals of
//! Operations Research 357, 2026). Control is another question with another answer: [`control`].

mod circle;
mod control;
mod holdings;
#[cfg(test)]
mod tests;

use circle::{Circle, DENSE_MAX, Unsolvable};
use control::Controls;
use hashbrown::{HashMap, HashSet};
use holdings::{Holdings, WHOLE};

use crate::error::GraphError;
use crate::input::PartyKind;
use crate::share::percent_text;
use crate::snapshot::Graph;

/// Shares below this are let go on the way down; what that can miss in all is told as `missing_max`.
const SHARE_MIN: f64 = 1e-12;
/// Above this many intermediate owners `owners_of` asks control of the ultimate ones only.
const CONTROLLERS_MAX: usize = 2_000;

/// What an owner has of a company.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Owned<'g> {
    pub owner_id: &'g str,
    pub company_id: &'g str,
    /// The fraction, 0 to 1, that is the owner's in the end, through all chains and circles. It may be 0
    /// for a controller only when it is below what can be told.
    pub integrated_share: f64,
    /// Whether the owner controls the company: with all it controls it holds over half of it.
    pub controls: bool,
    /// Whether nobody is known to hold the owner: a person, or where the rows end.
    pub ultimate: bool,
    pub is_person: bool,
}

/// A company whose stated direct shares sum to more than 100 %. They are used as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverWhole<'g> {
    pub company_id: &'g str,
    /// Percent with four digits.
    pub sum: String,
}

/// Companies that hold one another in a circle which has no integrated shares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unowned<'g> {
    /// By id.
    pub company_ids: Vec<&'g str>,
    /// Whether they hold one another whole, so that no natural person owns any of it; else stated shares
    /// contradict each other. What parties outside hold is told without what circulates, and is a lower bound.
    pub closed: bool,
}

/// Who owns what on a day.
#[derive(Debug, Clone, PartialEq)]
pub struct Ownership<'g> {
    /// By company, then the largest share first.
    pub rows: Vec<Owned<'g>>,
    pub over_whole: Vec<OverWhole<'g>>,
    pub unowned: Vec<Unowned<'g>>,
    /// The most that any share may be too small by, for shares let go on the way down.
    pub missing_max: f64,
    /// A limit of [`crate::GraphOptions`] cut the answer: rows are missing.
    pub truncated: bool,
}

/// Integrated shares of everybody: for each party a run of (owner, share).
struct Shares {
    ranges: Vec<(u32, u32)>,
    entries: Vec<(u32, f64)>,
    unsolvable: Vec<(Vec<u32>, Unsolvable)>,
    missing_max: f64,
    truncated: bool,
}

impl Graph {
    /// What each ultimate owner (a person, or an organisation nobody is known to hold) owns of each company
    /// on `day` (days since 1970-01-01): all shares of at least `min_share` (a fraction), and all control.
    ///
    /// Direct holdings are the rows `shareholder` that hold on the day, and a branch is held whole by its
    /// organisation. Of several rows of one holder and company the largest counts, since two sources may tell
    /// of one holding. Rows `beneficial_owner` with a share count only for companies without such rows.
    pub fn ownership(&self, day: i32, min_share: f64) -> Result<Ownership<'_>, GraphError> {
        check_share(min_share)?;
        let holdings = Holdings::all(self, day);
        let shares = integrated(&holdings, self.options.ownership_entries_max);
        let downwards = holdings.downwards();
        let mut controls = Controls::new(&downwards, self.options.control_visits_max);
        // (rank of the company, controller)
        let mut controlled: Vec<(u32, u32)> = Vec::new();
        let mut truncated = shares.truncated;
        for owner in 0..holdings.len() as u32 {
            if !holdings.of(owner).is_empty() || downwards.of(owner).is_empty() {
                continue;
            }
            let Some(companies) = controls.of(owner) else {
                truncated = true;
                break;
            };
            controlled.extend(companies.into_iter().map(|company| (self.rank(company), owner)));
        }
        controlled.sort_unstable();
        let mut rows = Vec::new();
        let mut rest = &controlled[..];
        for (rank, company) in self.by_id().enumerate() {
            let rank = rank as u32;
            let (controllers, after) = rest.split_at(rest.partition_point(|(c, _)| *c == rank));
            rest = after;
            let (start, length) = shares.ranges[company as usize];
            let entries = &shares.entries[start as usize..(start + length) as usize];
            let first = rows.len();
            for (owner, share) in entries {
                let controls = controllers.binary_search(&(rank, *owner)).is_ok();
                if *share >= min_share || controls {
                    rows.push(self.owned(*owner, company, *share, controls, true));
                }
            }
            // A controller through shares too small to be kept.
            for (_, owner) in controllers {
                if !entries.iter().any(|(o, _)| o == owner) {
                    rows.push(self.owned(*owner, company, 0.0, true, true));
                }
            }
            sort_rows(&mut rows[first..]);
        }
        Ok(self.answer(&holdings, rows, shares.unsolvable, shares.missing_max, truncated))
    }

    /// Who owns `company` on `day`: every party above it with at least `min_share` (a fraction) or control,
    /// the largest share first.
    ///
    /// The share of a party that is itself held is what it would own by itself, each way down counted once:
    /// z(i, company) / z(i, i) of Z = (I - A)^-1 (Baldone, Brioschi and Paleari, Economia Politica, 1997).
    /// Only the shares of ultimate owners sum to at most 1.
    pub fn owners_of(&self, company_id: &str, day: i32, min_share: f64) -> Result<Ownership<'_>, GraphError> {
        check_share(min_share)?;
        let company = self.number(company_id)?;
        let holdings = Holdings::above(self, company, day);
        let (reach, unsolvable) = upwards(&holdings);
        let downwards = holdings.downwards();
        let mut controls = Controls::new(&downwards, self.options.control_visits_max);
        let mut truncated = false;
        let mut rows = Vec::new();
        for owner in 1..holdings.len() as u32 {
            let ultimate = holdings.of(owner).is_empty();
            let mut control = false;
            if ultimate || holdings.len() <= CONTROLLERS_MAX {
                match controls.of(owner) {
                    Some(companies) => control = companies.contains(&0),
                    None => truncated = true,
                }
            } else {
                truncated = true;
            }
            match reach[owner as usize] {
                Some(share) if share >= min_share && share > 0.0 || control => {
                    let number = holdings.parties[owner as usize];
                    rows.push(self.owned(number, company, share, control, ultimate));
                }
                None => truncated = true,
                Some(_) => {}
            }
        }
        sort_rows(&mut rows);
        Ok(self.answer(&holdings, rows, unsolvable, 0.0, truncated))
    }

    fn owned(&self, owner: u32, company: u32, share: f64, controls: bool, ultimate: bool) -> Owned<'_> {
        let party = &self.parties[owner as usize];
        Owned {
            owner_id: &party.party_id,
            company_id: &self.parties[company as usize].party_id,
            integrated_share: share,
            controls,
            ultimate,
            is_person: party.kind == PartyKind::Person,
        }
    }

    fn answer<'g>(
        &'g self,
        holdings: &Holdings,
        rows: Vec<Owned<'g>>,
        unsolvable: Vec<(Vec<u32>, Unsolvable)>,
        missing_max: f64,
        truncated: bool,
    ) -> Ownership<'g> {
        let id = |local: u32| {
            self.parties[holdings.parties[local as usize] as usize]
                .party_id
                .as_str()
        };
        let mut over_whole: Vec<OverWhole<'g>> = (0..holdings.len() as u32)
            .filter_map(|company| {
                let sum: i64 = holdings.of(company).iter().map(|h| i64::from(h.share)).sum();
                (sum > i64::from(WHOLE)).then(|| OverWhole {
                    company_id: id(company),
                    sum: percent_text(sum),
                })
            })
            .collect();
        over_whole.sort_unstable_by_key(|o| o.company_id);
        let mut unowned: Vec<Unowned<'g>> = unsolvable
            .into_iter()
            .map(|(members, why)| {
                let mut company_ids: Vec<&str> = members.into_iter().map(id).collect();
                company_ids.sort_unstable();
                Unowned {
                    company_ids,
                    closed: why == Unsolvable::Closed,
                }
            })
            .collect();
        unowned.sort_unstable_by(|a, b| a.company_ids.cmp(&b.company_ids));
        Ownership {
            rows,
            over_whole,
            unowned,
            missing_max,
            truncated,
        }
    }
}

fn check_share(min_share: f64) -> Result<(), GraphError> {
    if (0.0..=1.0).contains(&min_share) {
        Ok(())
    } else {
        Err(GraphError::MinShare(min_share.to_string()))
    }
}

/// The largest share first; equal shares by owner.
fn sort_rows(rows: &mut [Owned<'_>]) {
    rows.sort_unstable_by(|a, b| {
        b.integrated_share
            .total_cmp(&a.integrated_share)
            .then_with(|| a.owner_id.cmp(b.owner_id))
    });
}

/// Sums of shares by owner, reset in time of what was added.
struct Sums {
    by_owner: Vec<f64>,
    owners: Vec<u32>,
}

impl Sums {
    fn add(&mut self, owner: u32, share: f64) {
        let sum = &mut self.by_owner[owner as usize];
        if *sum <= 0.0 {
            self.owners.push(owner);
        }
        *sum += share;
    }

    /// Gives each owner and its sum, ordered by owner.
    fn drain(&mut self, mut each: impl FnMut(u32, f64)) {
        self.owners.sort_unstable();
        for owner in self.owners.drain(..) {
            each(owner, std::mem::take(&mut self.by_owner[owner as usize]));
        }
    }
}

/// Integrated shares of all ultimate owners, holders before held.
fn integrated(holdings: &Holdings, entries_max: usize) -> Shares {
    let count = holdings.len();
    let mut shares = Shares {
        ranges: vec![(0, 0); count],
        entries: Vec::new(),
        unsolvable: Vec::new(),
        missing_max: 0.0,
        truncated: false,
    };
    let mut missing = vec![0.0f64; count];
    let mut sums = Sums {
        by_owner: vec![0.0; count],
        owners: Vec::new(),
    };
    let mut place: HashMap<u32, u32> = HashMap::new();
    for group in holdings.groups() {
        if shares.entries.len() >= entries_max {
            shares.truncated = true;
            break;
        }
        if let [party] = group[..] {
            let mut lost = 0.0;
            for held in holdings.of(party) {
                let fraction = f64::from(held.share) / f64::from(WHOLE);
                lost += fraction * missing[held.party as usize];
                spread(holdings, &shares, held.party, fraction, &mut |o, s| {
                    sums.add(o, s)
                });
            }
            let start = shares.entries.len();
            let mut dropped = 0.0f64;
            sums.drain(|owner, share| {
                if share >= SHARE_MIN {
                    shares.entries.push((owner, share));
                } else {
                    dropped = dropped.max(share);
                }
            });
            shares.ranges[party as usize] = (start as u32, (shares.entries.len() - start) as u32);
            missing[party as usize] = lost + dropped;
            shares.missing_max = shares.missing_max.max(lost + dropped);
            continue;
        }
        place.clear();
        place.extend(group.iter().enumerate().map(|(at, party)| (*party, at as u32)));
        // (owner, place, share from outside the group)
        let mut outside: Vec<(u32, u32, f64)> = Vec::new();
        let mut lost = 0.0f64;
        for (at, party) in group.iter().enumerate() {
            for held in holdings
                .of(*party)
                .iter()
                .filter(|h| !place.contains_key(&h.party))
            {
                let fraction = f64::from(held.share) / f64::from(WHOLE);
                lost = lost.max(missing[held.party as usize]);
                spread(holdings, &shares, held.party, fraction, &mut |o, s| {
                    outside.push((o, at as u32, s));
                });
            }
        }
        outside.sort_unstable_by_key(|(owner, at, _)| (*owner, *at));
        let circle = Circle::new(holdings, &group, |party| place.get(&party).copied());
        let solver = match circle {
            Ok(circle) => Some(circle),
            Err(why) => {
                shares.unsolvable.push((group.clone(), why));
                None
            }
        };
        let mut by_member: Vec<Vec<(u32, f64)>> = vec![Vec::new(); group.len()];
        let mut found = 0;
        for of_owner in outside.chunk_by(|a, b| a.0 == b.0) {
            if shares.entries.len() + found >= entries_max {
                shares.truncated = true;
                break;
            }
            let mut from_outside = vec![0.0; group.len()];
            of_owner
                .iter()
                .for_each(|(_, at, share)| from_outside[*at as usize] += share);
            let owned = solver
                .as_ref()
                .and_then(|circle| circle.shares(&from_outside))
                .unwrap_or(from_outside);
            for (at, share) in owned
                .into_iter()
                .enumerate()
                .filter(|(_, share)| *share >= SHARE_MIN)
            {
                by_member[at].push((of_owner[0].0, share));
                found += 1;
            }
        }
        for (at, entries) in by_member.into_iter().enumerate() {
            let party = group[at] as usize;
            shares.ranges[party] = (shares.entries.len() as u32, entries.len() as u32);
            shares.entries.extend(entries);
            missing[party] = lost + SHARE_MIN;
        }
        shares.missing_max = shares.missing_max.max(lost + SHARE_MIN);
    }
    shares
}

/// What `fraction` of `holder` gives to whom.
fn spread(holdings: &Holdings, shares: &Shares, holder: u32, fraction: f64, give: &mut dyn FnMut(u32, f64)) {
    if holdings.of(holder).is_empty() {
        give(holder, fraction);
        return;
    }
    let (start, length) = shares.ranges[holder as usize];
    for (owner, share) in &shares.entries[start as usize..(start + length) as usize] {
        give(*owner, fraction * share);
    }
}

/// The groups without an answer, and why.
type Unanswered = Vec<(Vec<u32>, Unsolvable)>;

/// How much of party 0 each party owns by itself, `None` where that takes too long; and the groups without
/// an answer.
fn upwards(holdings: &Holdings) -> (Vec<Option<f64>>, Unanswered) {
    let mut reach: Vec<Option<f64>> = vec![Some(0.0); holdings.len()];
    // What flows on to holders: for a member of a circle more than its own, since it comes round again.
    let mut flow = vec![0.0f64; holdings.len()];
    flow[0] = 1.0;
    let mut unsolvable = Vec::new();
    for group in holdings.groups().into_iter().rev() {
        if let [party] = group[..] {
            reach[party as usize] = Some(flow[party as usize]);
        } else {
            let place: HashMap<u32, u32> = group.iter().enumerate().map(|(at, p)| (*p, at as u32)).collect();
            let below: Vec<f64> = group.iter().map(|p| flow[*p as usize]).collect();
            let circle = Circle::new(holdings, &group, |party| place.get(&party).copied());
            let solved = circle.and_then(|circle| {
                let flows = circle.reach(&below).ok_or(Unsolvable::Inconsistent)?;
                Ok((circle, flows))
            });
            match solved {
                Ok((circle, flows)) => {
                    for (at, party) in group.iter().enumerate() {
                        flow[*party as usize] = flows[at];
                        reach[*party as usize] =
                            own_part(&circle, at, group.len()).map(|round| flows[at] / round);
                    }
                }
                Err(why) => {
                    // Nothing circulates: what is held from within the group is not told.
                    group
                        .iter()
                        .for_each(|p| reach[*p as usize] = Some(flow[*p as usize]));
                    unsolvable.push((group.clone(), why));
                }
            }
        }
        let members: HashSet<u32> = group.iter().copied().collect();
        for party in &group {
            for held in holdings.of(*party).iter().filter(|h| !members.contains(&h.party)) {
                flow[held.party as usize] += flow[*party as usize] * f64::from(held.share) / f64::from(WHOLE);
            }
        }
    }
    (reach, unsolvable)
}

/// z(i, i): how much of itself comes round to a member, itself included.
fn own_part(circle: &Circle, at: usize, size: usize) -> Option<f64> {
    if !circle.is_dense() {
        return None;
    }
    debug_assert!(size <= DENSE_MAX);
    let mut unit = vec![0.0; size];
    unit[at] = 1.0;
    circle.reach(&unit).map(|z| z[at])
}
