//! Finds organisations by name: equal strict keys first, else every name that shares a blocking key, compared
//! part by part.

use hashbrown::HashMap;
use matching::org::{KeyKind, Reading};
use matching::{OrgAgreement, OrgForm, OrgLevel, OrgName, compare_orgs};

use crate::settings::Settings;

/// A party and how the best of its names compares.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub party: u32,
    pub agreement: OrgAgreement,
}

/// What a search brought.
#[derive(Debug, Clone, Default)]
pub(crate) struct Search {
    /// The text holds no name.
    pub no_name: bool,
    /// One entry a party, best first; then by party.
    pub found: Vec<Found>,
    /// A limit kept some names from being compared: "not found" is no answer then.
    pub cut: bool,
}

/// All names of all organisations.
#[derive(Debug)]
pub(crate) struct NameIndex {
    /// Name and its party.
    names: Vec<(OrgName, u32)>,
    /// Strict key -> names.
    strict: HashMap<u64, Vec<u32>>,
    /// Strict key of a former name -> the names that tell it.
    former: HashMap<u64, Vec<u32>>,
    /// (mixed blocking key, name), sorted.
    postings: Vec<(u64, u32)>,
}

/// How sure a level is of one organisation: within one tier no level beats another.
pub(crate) fn tier(level: OrgLevel) -> u8 {
    match level {
        OrgLevel::Identical | OrgLevel::StrictKey => 0,
        OrgLevel::LooseKey | OrgLevel::Former => 1,
        OrgLevel::BranchOf => 4,
        _ => match level.reading() {
            Reading::Same => 2,
            Reading::Candidate => 3,
            Reading::Silent | Reading::Apart => 5,
        },
    }
}

/// Tiers above this are no candidates.
const TIER_WORST: u8 = 4;

impl NameIndex {
    /// From (party, name).
    pub fn build<'a>(names: impl IntoIterator<Item = (u32, &'a str)>) -> Self {
        let names: Vec<(OrgName, u32)> = names
            .into_iter()
            .map(|(party, name)| (OrgName::parse(name), party))
            .filter(|(name, _)| !name.is_empty())
            .collect();
        let mut strict: HashMap<u64, Vec<u32>> = HashMap::new();
        let mut former: HashMap<u64, Vec<u32>> = HashMap::new();
        let mut postings = Vec::new();
        for (at, (name, _)) in names.iter().enumerate() {
            strict.entry(name.strict_hash()).or_default().push(at as u32);
            let short = name.form == OrgForm::Unsaid;
            let keys = name.blocking_keys().filter(|(kind, _)| *kind != KeyKind::Strict);
            postings.extend(keys.map(|(kind, key)| (mixed(kind, key, short), at as u32)));
            // A former name meets the name itself.
            for key in former_keys(name) {
                former.entry(key).or_default().push(at as u32);
                postings.push((mixed(KeyKind::Strict, key, false), at as u32));
            }
        }
        postings.sort_unstable();
        postings.dedup();
        Self {
            names,
            strict,
            former,
            postings,
        }
    }

    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Looks for the organisation that a name is of.
    pub fn search(&self, text: &str, settings: &Settings) -> Search {
        let name = OrgName::parse(text);
        if name.is_empty() {
            return Search {
                no_name: true,
                ..Search::default()
            };
        }
        let mut best: HashMap<u32, OrgAgreement> = HashMap::new();
        let mut consider = |at: u32| {
            let (other, party) = &self.names[at as usize];
            let agreement = compare_orgs(&name, other);
            if tier(agreement.level) <= TIER_WORST {
                best.entry(*party)
                    .and_modify(|old| {
                        if agreement.level > old.level {
                            *old = agreement;
                        }
                    })
                    .or_insert(agreement);
            }
        };
        let key = name.strict_hash();
        let of = |names: &'_ HashMap<u64, Vec<u32>>| names.get(&key).cloned().unwrap_or_default();
        let strict = of(&self.strict);
        strict.iter().for_each(|at| consider(*at));
        // Who bears a name now may not be whom a row means that uses it for the firm that bore it before.
        of(&self.former).into_iter().for_each(&mut consider);
        let mut cut = false;
        if strict.is_empty() {
            let (places, was_cut) = self.near(&name, settings);
            cut = was_cut;
            places.into_iter().for_each(consider);
        }
        let mut found: Vec<Found> = best
            .into_iter()
            .map(|(party, agreement)| Found { party, agreement })
            .collect();
        found.sort_by_key(|f| {
            (
                tier(f.agreement.level),
                std::cmp::Reverse(f.agreement.level),
                f.party,
            )
        });
        Search {
            no_name: false,
            found,
            cut,
        }
    }

    /// Names that share a key with this one, and whether a limit left some out.
    fn near(&self, name: &OrgName, settings: &Settings) -> (Vec<u32>, bool) {
        let (mut places, mut cut) = (Vec::new(), false);
        let short = name.form == OrgForm::Unsaid;
        let own = name.blocking_keys().flat_map(|(kind, key)| {
            // Only a short form is found by how it opens: two full names need not meet there.
            let full = (kind != KeyKind::Opening || short).then(|| mixed(kind, key, false));
            let shorts = (kind == KeyKind::Opening).then(|| mixed(kind, key, true));
            full.into_iter().chain(shorts)
        });
        let strict = [mixed(KeyKind::Strict, name.strict_hash(), false)];
        let mut keys: Vec<u64> = own.chain(strict).collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            let start = self.postings.partition_point(|(k, _)| *k < key);
            let block = &self.postings[start..];
            let block = &block[..block.partition_point(|(k, _)| *k == key)];
            if block.len() > settings.names_per_key_max
                || places.len() + block.len() > settings.names_compared_max
            {
                cut = true;
                continue;
            }
            places.extend(block.iter().map(|(_, at)| *at));
        }
        places.sort_unstable();
        places.dedup();
        (places, cut)
    }

    /// The best level between a text and any of the names of a party, given by their places.
    pub fn compare_with(
        text: &str,
        names: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Option<OrgAgreement> {
        let name = OrgName::parse(text);
        if name.is_empty() {
            return None;
        }
        names
            .into_iter()
            .map(|other| compare_orgs(&name, &OrgName::parse(other.as_ref())))
            .filter(|a| a.level != OrgLevel::Missing)
            .min_by_key(|a| (tier(a.level), std::cmp::Reverse(a.level)))
    }
}

fn former_keys(name: &OrgName) -> impl Iterator<Item = u64> {
    let own = name.strict_hash();
    name.blocking_keys()
        .filter(move |(kind, key)| *kind == KeyKind::Strict && *key != own)
        .map(|(_, key)| key)
}

/// One number for a key of a kind. Names that are short forms stand apart under how they open, so that full
/// names need not be compared with each other there.
fn mixed(kind: KeyKind, key: u64, short: bool) -> u64 {
    let apart = kind == KeyKind::Opening && short;
    let salt = (kind as u64 + 1) * 2 + u64::from(apart);
    key.rotate_left(17) ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
