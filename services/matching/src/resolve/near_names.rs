//! Organisations that are told by a name alone, written otherwise than the name that goes with a code: another form,
//! no region, no legal form, a short form, a former name, traditional characters, a slip.
//!
//! A name joins the only organisation with a code that it can be of. A level that says no more than "may be"
//! ([`Reading::Candidate`]: look-alikes, slips, a changed legal form) needs a second field: a code, wrong by its check
//! character, that is no more than two characters from the candidate's. Two organisations that a name could equally be
//! of, or one that is clearly another beside it (a sister company of the same 字号), are told and not joined: an
//! accusation must not move from one firm to another by resemblance.

use hashbrown::{HashMap, HashSet};
use rapidfuzz::distance::levenshtein;

use super::{Identity, Names};
use crate::identifier::Uscc;
use crate::notices::{Notices, Trouble};
use crate::org::{OrgLevel, OrgName, Reading, compare_orgs};
use crate::party::{Mention, PartyKind};

/// A block in which more names meet tells nothing: its key is passed over (the others still count).
const BLOCK_NAMES_MAX: usize = 200;
/// Characters that a misread code may be from the right one.
const CODE_EDITS_MAX: usize = 2;

/// A name that some organisation with a code goes by.
struct Known {
    name: OrgName,
    uscc: Uscc,
}

/// Moves mentions told by name alone to the organisation with a code that the name is one of.
pub fn join<'a>(
    mentions: &'a [Mention],
    names: &Names<'a>,
    notices: &mut Notices,
    identified: &mut [Option<Identity<'a>>],
) {
    let spelling = spellings(names);
    let mut known_keys: HashSet<(u32, Uscc)> = HashSet::new();
    let mut unknown: HashMap<u32, HashSet<&'a str>> = HashMap::new();
    for (mention, identity) in mentions.iter().zip(identified.iter()) {
        if mention.kind == PartyKind::Person {
            continue;
        }
        let key = mention
            .name
            .as_deref()
            .and_then(|name| names.known_key(name.trim()));
        match (identity, key) {
            (Some(Identity::Uscc(uscc)), Some(key)) => drop(known_keys.insert((key, *uscc))),
            (Some(Identity::Name(key)), _) => {
                let codes = unknown.entry(*key).or_default();
                codes.extend(mention.code.as_deref().map(str::trim).filter(|c| !c.is_empty()));
            }
            _ => {}
        }
    }
    // A name that several codes go by was told as ambiguous already.
    known_keys.iter().for_each(|(key, _)| drop(unknown.remove(key)));
    if known_keys.is_empty() || unknown.is_empty() {
        return;
    }
    let mut known: Vec<Known> = known_keys
        .into_iter()
        .map(|(key, uscc)| Known {
            name: OrgName::parse(spelling[key as usize]),
            uscc,
        })
        .collect();
    known.sort_unstable_by(|a, b| (a.uscc, &a.name.key_strict).cmp(&(b.uscc, &b.name.key_strict)));
    let blocks = blocks(&known);

    let mut joined: HashMap<u32, Uscc> = HashMap::new();
    let mut names_in_order: Vec<(&u32, &HashSet<&str>)> = unknown.iter().collect();
    names_in_order.sort_unstable_by_key(|(key, _)| spelling[**key as usize]);
    for (key, codes) in names_in_order {
        let text = spelling[*key as usize];
        match decide(&OrgName::parse(text), codes, &known, &blocks) {
            Decision::None => {}
            Decision::Joined(uscc) => {
                joined.insert(*key, uscc);
                notices.tell(Trouble::NameJoined, "parties".to_owned(), text);
            }
            Decision::Undecided => notices.tell(Trouble::NameResembles, "parties".to_owned(), text),
        }
    }
    for identity in identified.iter_mut().flatten() {
        if let Identity::Name(key) = identity
            && let Some(uscc) = joined.get(key)
        {
            *identity = Identity::Uscc(*uscc);
        }
    }
}

/// Of each key the spelling that sorts first.
fn spellings<'a>(names: &Names<'a>) -> Vec<&'a str> {
    let mut spelling: Vec<Option<&'a str>> = vec![None; names.keys.len()];
    for (text, raw) in &names.raw {
        if let Some(key) = names.key_of[*raw as usize] {
            let first = &mut spelling[key as usize];
            if first.is_none_or(|f| *text < f) {
                *first = Some(text);
            }
        }
    }
    spelling.into_iter().map(Option::unwrap_or_default).collect()
}

fn blocks(known: &[Known]) -> HashMap<u64, Vec<u32>> {
    let mut blocks: HashMap<u64, Vec<u32>> = HashMap::new();
    for (at, one) in (0u32..).zip(known) {
        for (_, key) in one.name.blocking_keys() {
            let block = blocks.entry(key).or_default();
            if block.last() != Some(&at) {
                block.push(at);
            }
        }
    }
    blocks.retain(|_, block| block.len() <= BLOCK_NAMES_MAX);
    blocks
}

enum Decision {
    /// No name with a code comes near.
    None,
    Joined(Uscc),
    /// It resembles one or more, and cannot be told from them.
    Undecided,
}

fn decide(
    name: &OrgName,
    codes: &HashSet<&str>,
    known: &[Known],
    blocks: &HashMap<u64, Vec<u32>>,
) -> Decision {
    let mut candidates: Vec<u32> = name
        .blocking_keys()
        .filter_map(|(_, key)| blocks.get(&key))
        .flatten()
        .copied()
        .collect();
    candidates.sort_unstable();
    candidates.dedup();
    // Each organisation at the best level that one of its names reaches.
    let mut best: HashMap<Uscc, OrgLevel> = HashMap::new();
    for at in candidates {
        let other = &known[at as usize];
        let level = compare_orgs(name, &other.name).level;
        let found = best.entry(other.uscc).or_insert(level);
        *found = (*found).max(level);
    }
    let at_reading = |reading: Reading| -> Vec<(Uscc, OrgLevel)> {
        best.iter()
            .filter(|(_, level)| level.reading() == reading)
            .map(|(uscc, level)| (*uscc, *level))
            .collect()
    };
    let same = at_reading(Reading::Same);
    let candidates = at_reading(Reading::Candidate);
    // A name that leaves the region or the trade out fits sisters as well as it fits the one.
    let sisters = best.values().any(|level| {
        matches!(
            level,
            OrgLevel::SameCoreOtherRegion | OrgLevel::SameCoreOtherTrade | OrgLevel::OrdinalConflict
        )
    });
    let near_code = |uscc: &Uscc| {
        codes.iter().any(|code| {
            let folded: String = code.to_uppercase();
            levenshtein::distance(folded.chars(), uscc.to_string().chars()) <= CODE_EDITS_MAX
        })
    };
    match (same.as_slice(), candidates.as_slice()) {
        ([], []) => Decision::None,
        ([(uscc, level)], _) if *level >= OrgLevel::MissingSuffix => Decision::Joined(*uscc),
        ([(uscc, _)], []) if !sisters || near_code(uscc) => Decision::Joined(*uscc),
        (_, _) => {
            let mut by_code = same.iter().chain(&candidates).filter(|(uscc, _)| near_code(uscc));
            match (by_code.next(), by_code.next()) {
                (Some((uscc, _)), None) => Decision::Joined(*uscc),
                _ => Decision::Undecided,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::party::Resolution;
    use crate::resolve::resolve;

    const A: &str = "91330100MA2W1X2Y3X";
    const B: &str = "91330100MA2N4P5Q6E";

    fn mention(reference: i64, name: &str, code: Option<&str>) -> Mention {
        Mention {
            reference,
            kind: PartyKind::Company,
            id: None,
            name: Some(name.to_owned()),
            code: code.map(str::to_owned),
            dataset: "purchase_orders".into(),
            slot: "supplier".into(),
            context: String::new(),
        }
    }

    fn party(resolution: &Resolution, reference: i64) -> &str {
        let found = resolution.refs.iter().find(|r| r.reference == reference);
        &found.expect("the mention has a party").party_id
    }

    /// Whether a firm written `written` (with `code`) is taken for one registered as `registered`.
    fn joins(registered: &[(&str, &str)], written: &str, code: Option<&str>) -> bool {
        let mut mentions: Vec<Mention> = (1..)
            .zip(registered)
            .map(|(n, (name, uscc))| mention(n, name, Some(uscc)))
            .collect();
        mentions.push(mention(100, written, code));
        let forward = resolve(&mentions);
        mentions.reverse();
        let backward = resolve(&mentions);
        assert_eq!(forward, backward, "the order of mentions must not matter");
        party(&forward, 100) == party(&forward, 1)
    }

    #[test]
    fn names_as_hospitals_write_them_join_their_firm() {
        let firm = &[("杭州康瑞医药有限公司", A)][..];
        for written in [
            "杭州康瑞医药",
            "康瑞医药有限公司",
            "杭州康瑞醫藥有限公司",
            "康瑞医药（杭州）有限公司",
            "杭州市康瑞医药有限公司",
        ] {
            assert!(joins(firm, written, None), "{written}");
        }
    }

    #[test]
    fn sisters_and_look_alikes_are_left_apart() {
        let firm = &[("杭州康瑞医药有限公司", A)][..];
        for written in [
            "宁波康瑞医药有限公司",
            "杭州康瑞医疗科技有限公司",
            "杭州康端医药有限公司",
            "杭州第二康瑞医药有限公司",
            "杭州康瑞医药有限公司宁波分公司",
        ] {
            assert!(!joins(firm, written, None), "{written}");
        }
        let sisters = &[("杭州康瑞医药有限公司", A), ("宁波康瑞医药有限公司", B)][..];
        assert!(!joins(sisters, "康瑞医药有限公司", None));
    }

    #[test]
    fn a_slip_joins_when_a_misread_code_agrees() {
        let firm = &[("杭州康瑞医药有限公司", A)][..];
        assert!(joins(firm, "杭州康端医药有限公司", Some("91330100MA2W1X2Y30")));
        assert!(!joins(firm, "杭州康端医药有限公司", Some("91330100MA2W9X9Y90")));
    }
}
