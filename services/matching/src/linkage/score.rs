//! The Fellegi-Sunter score of a pair: log2 Bayes factors of its levels over the prior.
//!
//! Fellegi & Sunter, "A theory for record linkage", JASA 64 (1969). Agreement on a value is weighed by the value's
//! frequency (Winkler, "Frequency-based matching in Fellegi-Sunter model", 2000), smoothed so that small files
//! do not make every value look common.

use super::compare::Comparator;
use super::level::{LEVELS, Level, Pattern};
use super::model::{COMPARISONS_MAX, Model, ModelComparison};
use super::records::Records;
use super::schema::FieldKind;
use super::sketch::{GLANCES, Glance, Sketch};
use super::values::{MISSING, Values};

/// Records' worth of trust in the model's u of equality, against the frequencies counted in the data.
const FREQUENCY_PRIOR_RECORDS: f64 = 1000.0;

/// Least u of equality on a common Chinese name ([`crate::PersonName::is_common`]) before the data's frequencies are
/// known: five times the share of its bearers in the population, set by hand.
const COMMON_NAME_U: f64 = 1e-3;

/// Least u of equality on one value: nothing is rarer than this.
const LEAST_U: f64 = 1e-10;

struct Weighted<'r> {
    comparator: Comparator<'r>,
    values: &'r Values,
    /// log2(m / u) by level.
    weights: [f64; LEVELS],
    /// m and u of the levels that mean equality, when weighed by frequency.
    exact: Option<(f64, f64)>,
    swapped_exact: Option<(f64, f64)>,
    /// The most that the comparison can add.
    most: f64,
    /// The most that it can add after each glance.
    at_most: [f64; GLANCES],
    /// Place of the comparison in the model.
    place: usize,
}

/// A model bound to records.
pub struct Scorer<'r> {
    records: &'r Records,
    /// Strongest evidence first.
    comparisons: Vec<Weighted<'r>>,
    /// By place in the order of evaluation: the most that the comparisons from there on can add.
    rest: Vec<f64>,
    /// Places in that order, cheap comparisons first: the order in which pairs are looked through.
    cheap_first: Vec<usize>,
    /// Places in that order, the comparisons whose sketches tell most apart first, each with the most that those behind
    /// it can add: the order in which pairs are screened.
    telling_first: Vec<(usize, f64)>,
    prior: f64,
}

/// Sums of weights in different orders differ by less.
const ROUNDING: f64 = 1e-6;

/// A pair's score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// log2 of the odds that both are one party.
    pub weight: f64,
    pub pattern: Pattern,
    /// Proof against it.
    pub conflict: bool,
}

/// One line of a pair's explanation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    /// Place of the comparison in the model.
    pub comparison: usize,
    pub level: Level,
    /// log2 Bayes factor.
    pub weight: f64,
}

impl<'r> Scorer<'r> {
    /// Binds a checked model to records.
    pub fn new(model: &Model, records: &'r Records) -> Self {
        let mut comparisons: Vec<Weighted<'r>> = model
            .comparisons
            .iter()
            .enumerate()
            .filter_map(|(place, c)| weighted(place, c, records))
            .collect();
        // Conflicts end a comparison at once, so what may find one comes first.
        comparisons.sort_by(|a, b| b.most.total_cmp(&a.most).then(a.place.cmp(&b.place)));
        let mut rest = vec![0.0; comparisons.len() + 1];
        for at in (0..comparisons.len()).rev() {
            rest[at] = rest[at + 1] + comparisons[at].most.max(0.0);
        }
        let mut cheap_first: Vec<usize> = (0..comparisons.len()).collect();
        cheap_first.sort_by_key(|at| cost(comparisons[*at].values.kind()));
        let telling_first = telling_first(&comparisons);
        Self {
            records,
            comparisons,
            rest,
            cheap_first,
            telling_first,
            prior: prior_weight(model, records.len() as u64),
        }
    }

    /// log2 of the prior odds.
    pub fn prior(&self) -> f64 {
        self.prior
    }

    /// The score of two records, or `None` as soon as it cannot reach `least`.
    #[inline]
    pub fn score(&self, a: u32, b: u32, least: f64) -> Option<Score> {
        let (row_a, row_b) = (self.records.row(a), self.records.row(b));
        let mut ceilings = [0.0; COMPARISONS_MAX];
        for (ceiling, c) in ceilings.iter_mut().zip(&self.comparisons) {
            let sketch = |row: &[u32]| c.values.sketch(row[c.comparator.field()]);
            *ceiling = c.at_most(sketch(row_a), sketch(row_b));
        }
        self.score_below(a, b, &ceilings, least)
    }

    /// As [`Self::score`], with the most that each comparison can add.
    fn score_below(&self, a: u32, b: u32, ceilings: &[f64; COMPARISONS_MAX], least: f64) -> Option<Score> {
        let (row_a, row_b) = (self.records.row(a), self.records.row(b));
        // Nearly all pairs are far from it: they are to fail by what is cheap to find out.
        let mut reachable = self.prior + ceilings.iter().sum::<f64>();
        let mut levels = [(Level::Missing, MISSING); COMPARISONS_MAX];
        for at in &self.cheap_first {
            if reachable < least - ROUNDING {
                return None;
            }
            let c = &self.comparisons[*at];
            let (level, value) = c.comparator.level(row_a, row_b);
            levels[*at] = (level, value);
            reachable += c.weight(level, value) - ceilings[*at];
        }
        let mut score = Score {
            weight: self.prior,
            pattern: Pattern::default(),
            conflict: false,
        };
        for (at, (c, (level, value))) in self.comparisons.iter().zip(levels).enumerate() {
            score.pattern = score.pattern.with(c.place, level);
            score.conflict |= level == Level::Conflict;
            score.weight += c.weight(level, value);
            if score.weight + self.rest[at + 1] < least {
                return None;
            }
        }
        Some(score)
    }

    /// Loads what [`Screen`] looks at, of the records of a block.
    pub(crate) fn screen(&self, block: &[u32], screen: &mut Screen) {
        screen.members = block.len();
        screen.sketches.clear();
        for c in &self.comparisons {
            let numbers = block
                .iter()
                .map(|record| self.records.row(*record)[c.comparator.field()]);
            screen
                .sketches
                .extend(numbers.map(|number| *c.values.sketch(number)));
        }
    }

    /// The levels of two records, all of them.
    pub fn pattern(&self, a: u32, b: u32) -> Pattern {
        let (row_a, row_b) = (self.records.row(a), self.records.row(b));
        self.comparisons.iter().fold(Pattern::default(), |pattern, c| {
            pattern.with(c.place, c.comparator.level(row_a, row_b).0)
        })
    }

    /// What each comparison says, in the model's order. The weights and the prior add up to the score.
    pub fn explain(&self, a: u32, b: u32) -> Vec<Evidence> {
        let (row_a, row_b) = (self.records.row(a), self.records.row(b));
        let mut out: Vec<Evidence> = self
            .comparisons
            .iter()
            .map(|c| {
                let (level, value) = c.comparator.level(row_a, row_b);
                Evidence {
                    comparison: c.place,
                    level,
                    weight: c.weight(level, value),
                }
            })
            .collect();
        out.sort_by_key(|e| e.comparison);
        out
    }
}

impl Weighted<'_> {
    /// The most that the comparison can add for two values, by their sketches.
    #[inline]
    fn at_most(&self, a: &Sketch, b: &Sketch) -> f64 {
        self.at_most[self.comparator.glance(a, b) as usize]
    }

    #[inline]
    fn weight(&self, level: Level, value: u32) -> f64 {
        let equal = match level {
            Level::Exact => self.exact,
            Level::SwappedExact => self.swapped_exact,
            _ => None,
        };
        match equal {
            Some((m, u)) => (m / self.value_u(value, u)).log2(),
            None => self.weights[level as usize],
        }
    }

    /// Probability that two records of different parties share this value: how many others carry it, among all,
    /// smoothed by the model's u. The two records themselves do not count.
    fn value_u(&self, value: u32, u: f64) -> f64 {
        let u = if self.values.is_common_name(value) {
            u.max(COMMON_NAME_U)
        } else {
            u
        };
        let others = f64::from(self.values.count(value).saturating_sub(2)) * others_share(self.values.kind());
        let all = self.values.present() as f64;
        ((others + FREQUENCY_PRIOR_RECORDS * u) / (all + FREQUENCY_PRIOR_RECORDS)).clamp(LEAST_U, 1.0)
    }
}

/// The sketches of the records of a block: those of one comparison after those of another.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    members: usize,
    sketches: Vec<Sketch>,
    /// The most that the pairs looked at can reach.
    reachable: Vec<f64>,
}

impl Screen {
    /// Of the places `others` keeps those whose records may score `least` with the record at the place `at`.
    pub fn retain(&mut self, scorer: &Scorer<'_>, at: usize, others: &mut Vec<usize>, least: f64) {
        self.reachable.clear();
        self.reachable.resize(others.len(), scorer.prior);
        for (comparison, rest) in &scorer.telling_first {
            let c = &scorer.comparisons[*comparison];
            let sketches = &self.sketches[comparison * self.members..][..self.members];
            let lowered = Lowered {
                own: &sketches[at],
                sketches,
                at_most: &c.at_most,
                needed: least - ROUNDING - rest,
            };
            let reachable = &mut self.reachable;
            // The kind is known where the loop is compiled.
            let kept = match c.comparator.glanced() {
                Some(FieldKind::Uscc | FieldKind::IdNumber) => {
                    lowered.retain(others, reachable, |a, b| Sketch::glance(FieldKind::Uscc, a, b))
                }
                Some(FieldKind::Phone) => {
                    lowered.retain(others, reachable, |a, b| Sketch::glance(FieldKind::Phone, a, b))
                }
                Some(FieldKind::OrgName) => {
                    lowered.retain(others, reachable, |a, b| Sketch::glance(FieldKind::OrgName, a, b))
                }
                Some(FieldKind::PersonName) => lowered.retain(others, reachable, |a, b| {
                    Sketch::glance(FieldKind::PersonName, a, b)
                }),
                Some(FieldKind::Address) => {
                    lowered.retain(others, reachable, |a, b| Sketch::glance(FieldKind::Address, a, b))
                }
                _ => lowered.retain(others, reachable, |a, b| c.comparator.glance(a, b)),
            };
            others.truncate(kept);
            if kept == 0 {
                return;
            }
        }
    }

    /// The score of the records at two places of the block, or `None` when it cannot reach `least`.
    pub fn score(&self, scorer: &Scorer<'_>, block: &[u32], [a, b]: [usize; 2], least: f64) -> Option<Score> {
        let mut ceilings = [0.0; COMPARISONS_MAX];
        let fields = scorer
            .comparisons
            .iter()
            .zip(self.sketches.chunks_exact(self.members));
        for (ceiling, (c, sketches)) in ceilings.iter_mut().zip(fields) {
            *ceiling = c.at_most(&sketches[a], &sketches[b]);
        }
        scorer.score_below(block[a], block[b], &ceilings, least)
    }
}

/// One comparison of one record with others of its block.
struct Lowered<'s> {
    own: &'s Sketch,
    sketches: &'s [Sketch],
    at_most: &'s [f64; GLANCES],
    /// What a pair must be able to reach after the comparison.
    needed: f64,
}

impl Lowered<'_> {
    /// Adds what the comparison can add to what the pairs can reach, and moves those that still reach what is needed to
    /// the front. Tells how many do.
    #[inline(always)]
    fn retain(
        &self,
        others: &mut [usize],
        reachable: &mut [f64],
        glance: impl Fn(&Sketch, &Sketch) -> Glance,
    ) -> usize {
        let mut kept = 0;
        for place in 0..others.len() {
            let other = others[place];
            let most = reachable[place] + self.at_most[glance(self.own, &self.sketches[other]) as usize];
            others[kept] = other;
            reachable[kept] = most;
            kept += usize::from(most >= self.needed);
        }
        kept
    }
}

/// The order in which comparisons screen pairs: first those that lower most what an ordinary pair can reach.
fn telling_first(comparisons: &[Weighted<'_>]) -> Vec<(usize, f64)> {
    let most = |at: &usize| comparisons[*at].at_most.into_iter().fold(0.0, f64::max);
    let lowered = |at: &usize| {
        let c = &comparisons[*at];
        let ordinary = match c.comparator.glanced() {
            Some(FieldKind::Uscc | FieldKind::IdNumber) => Glance::Conflict,
            Some(FieldKind::OrgName) => Glance::Unequal,
            Some(FieldKind::Address) => Glance::AtMostRelated,
            Some(FieldKind::Code | FieldKind::Account | FieldKind::Category) => Glance::Different,
            Some(FieldKind::Phone | FieldKind::PersonName) => Glance::Different,
            _ => Glance::Unknown,
        };
        c.most - c.at_most[ordinary as usize]
    };
    let mut order: Vec<usize> = (0..comparisons.len()).collect();
    order.sort_by(|a, b| lowered(b).total_cmp(&lowered(a)).then(a.cmp(b)));
    let mut rest = 0.0;
    let mut out: Vec<(usize, f64)> = order
        .iter()
        .rev()
        .map(|at| {
            let behind = rest;
            rest += most(at);
            (*at, behind)
        })
        .collect();
    out.reverse();
    out
}

/// How much work a comparison of a kind is, beside others.
fn cost(kind: FieldKind) -> u8 {
    match kind {
        FieldKind::PersonName => 1,
        FieldKind::Address => 2,
        FieldKind::OrgName => 3,
        _ => 0,
    }
}

/// Of the further records that carry a value, the share that is taken to be of other parties. A name registered
/// once and a code repeat because a party repeats; a phone repeats because an agent files for many.
fn others_share(kind: FieldKind) -> f64 {
    match kind {
        FieldKind::OrgName | FieldKind::Uscc | FieldKind::IdNumber | FieldKind::Code => 0.05,
        _ => 1.0,
    }
}

fn weighted<'r>(place: usize, model: &ModelComparison, records: &'r Records) -> Option<Weighted<'r>> {
    let field = records.schema().index(&model.output_column_name)?;
    let swap = model
        .swapped_with
        .as_ref()
        .and_then(|s| records.schema().index(s));
    let values = records.values(field);
    let known = model.kind.levels(swap.is_some());
    let of = |level: Level| model.comparison_levels.iter().find(|l| l.label == level);
    let mut weights = [0.0; LEVELS];
    for (at, level) in known.iter().enumerate() {
        // A level that the model leaves out counts as the next weaker one it has.
        let stated = known[at..]
            .iter()
            .chain(known[..at].iter().rev())
            .find_map(|l| of(*l));
        if let Some(stated) = stated {
            weights[*level as usize] = (stated.m_probability / stated.u_probability).log2();
        }
    }
    let pair = |level: Level| {
        model
            .term_frequency_adjustments
            .then(|| of(level).map(|l| (l.m_probability, l.u_probability)))
            .flatten()
    };
    let mut weighted = Weighted {
        comparator: Comparator::new(records, field, swap),
        values,
        weights,
        exact: pair(Level::Exact),
        swapped_exact: swap.and_then(|_| pair(Level::SwappedExact)),
        most: 0.0,
        at_most: [0.0; GLANCES],
        place,
    };
    let rarest = |equal: Option<(f64, f64)>| {
        equal.map_or(f64::NEG_INFINITY, |(m, u)| (m / weighted.value_u(0, u)).log2())
    };
    let most = known.iter().map(|l| weights[*l as usize]).fold(0.0, f64::max);
    weighted.most = most
        .max(rarest(weighted.exact))
        .max(rarest(weighted.swapped_exact));
    let of = |level: Level| weights[level as usize];
    let unequal = known.iter().filter(|l| **l != Level::Exact);
    for (glance, most) in [
        (Glance::Missing, of(Level::Missing)),
        (Glance::Equal, weighted.most),
        (Glance::Conflict, of(Level::Conflict)),
        (Glance::Different, of(Level::Different)),
        (
            Glance::AtMostRelated,
            of(Level::Related).max(of(Level::Different)),
        ),
        (Glance::Unequal, unequal.map(|l| of(*l)).fold(0.0, f64::max)),
        (Glance::Unknown, weighted.most),
    ] {
        weighted.at_most[glance as usize] = most;
    }
    Some(weighted)
}

/// log2 of the odds that two records drawn at random are of one party.
pub fn prior_weight(model: &Model, records: u64) -> f64 {
    let p = model.probability_two_random_records_match.unwrap_or_else(|| {
        // Matching pairs over all pairs: (n e / 2) / (n (n - 1) / 2).
        model.expected_matches_per_record / (records.max(2) - 1) as f64
    });
    let p = p.clamp(1e-12, 0.5);
    (p / (1.0 - p)).log2()
}

/// The probability that a weight (log2 odds) stands for.
pub fn probability(weight: f64) -> f64 {
    let odds = weight.min(1000.0).exp2();
    odds / (1.0 + odds)
}

/// The weight of a probability; the certain ones give 1,000 and -1,000.
pub fn weight_of(probability: f64) -> f64 {
    (probability / (1.0 - probability)).log2().clamp(-1000.0, 1000.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::linkage::schema::{Field, Schema};

    /// A kind and two texts of it that are often alike.
    fn pair() -> impl Strategy<Value = (FieldKind, String, String)> {
        let kinds = [
            (
                FieldKind::OrgName,
                "(杭州|北京|浙江)?[康瑞端第一]{1,3}(医药|器械)?(股份)?(有限公司|集团|医院)?",
            ),
            (
                FieldKind::Uscc,
                "[0-9AB]{4,6}|91330100MA2W1X2Y3[XYZ]|914403001922038216|91440300192203821[56]",
            ),
            (
                FieldKind::PersonName,
                "[王张欧阳司马单伟玮纬健建張A·]{1,5}|(wang|li) ?(wei|na)?",
            ),
            (FieldKind::Phone, "(0571)?[0-3]{7,8}|1[0-2]{10}"),
            (
                FieldKind::Address,
                "(浙江省)?(杭州市|宁波市|上海市|中国)?(西湖区)?([文人民]{1,2}路)?([1-3]{1,2}号)?([甲乙]大厦)?([1-2]幢)?|[1-2] (High|Low) (Road|St)",
            ),
            (FieldKind::Code, "[0-3]{4,8}"),
            (FieldKind::Category, "[ab]"),
            (FieldKind::Email, "[ab]{4,6}@[ab]{1,2}\\.cn"),
        ];
        proptest::sample::select(kinds.to_vec()).prop_flat_map(|(kind, texts)| (Just(kind), texts, texts))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn sketches_allow_what_the_comparison_finds((kind, a, b) in pair()) {
            let field = Field { name: "x".to_owned(), kind };
            let mut records = Records::new(Schema { fields: vec![field] });
            records.extend(0, &[vec![a.as_str(), b.as_str()]]);
            let scorer = Scorer::new(&Model::shipped(records.schema()), &records);
            let c = &scorer.comparisons[0];
            let (row_a, row_b) = (records.row(0), records.row(1));
            let (level, value) = c.comparator.level(row_a, row_b);
            let most = c.at_most(c.values.sketch(row_a[0]), c.values.sketch(row_b[0]));
            prop_assert!(c.weight(level, value) <= most + ROUNDING, "{level:?}");
        }

        #[test]
        fn screening_keeps_every_pair_that_scores(
            rows in proptest::collection::vec(
                (
                    "91330100MA2W1X2Y3[XYZ]|91440300192203821[56]|",
                    "1[0-2]{10}|",
                    "(杭州|宁波)?[康瑞端]{2}(医药|器械)?(有限公司)?",
                    "[王张][伟玮]{1,2}|",
                    "浙江省(杭州|宁波)市(文一|人民)路[1-3]号|",
                ),
                2..8,
            ),
            least in -20.0..20.0f64,
        ) {
            let kinds =
                [FieldKind::Uscc, FieldKind::Phone, FieldKind::OrgName, FieldKind::PersonName, FieldKind::Address];
            let fields = kinds.iter().zip(["a", "b", "c", "d", "e"]);
            let fields = fields.map(|(kind, name)| Field { name: name.to_owned(), kind: *kind }).collect();
            let mut records = Records::new(Schema { fields });
            let column = |of: fn(&(String, String, String, String, String)) -> &String| -> Vec<&str> {
                rows.iter().map(|row| of(row).as_str()).collect()
            };
            records.extend(0, &[column(|r| &r.0), column(|r| &r.1), column(|r| &r.2), column(|r| &r.3), column(|r| &r.4)]);
            let scorer = Scorer::new(&Model::shipped(records.schema()), &records);
            let block: Vec<u32> = (0..rows.len() as u32).collect();
            let mut screen = Screen::default();
            scorer.screen(&block, &mut screen);
            for at in 0..block.len() {
                let all: Vec<usize> = (at + 1..block.len()).collect();
                let mut kept = all.clone();
                screen.retain(&scorer, at, &mut kept, least);
                for other in all {
                    let score = scorer.score(block[at], block[other], least);
                    prop_assert!(score.is_none() || kept.contains(&other));
                    if kept.contains(&other) {
                        prop_assert_eq!(screen.score(&scorer, &block, [at, other], least), score);
                    }
                }
            }
        }
    }
}
