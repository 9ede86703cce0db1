//! Organisations that are told by a name alone, written otherwise than the name that goes with a code: another form,
//! no region, no legal form, a short form, a former name, traditional characters, a slip.
//!
//! A name joins the only organisation with a code that it can be of. A level that says no more than "may be"
//! ([`Reading::Candidate`]: look-alikes, slips, a changed legal form) needs more: a code, wrong by its check character,
//! no more than two characters from the candidate's; or telephone, address, account or legal representative of the
//! registers' rows, weighed by the matcher's model ([`Evidence`]); or a 字号 so long that no second firm of the
//! same region, trade and form has one that looks or sounds like it. Two organisations that a name could equally be
//! of, or one that is clearly another beside it (a sister company of the same 字号), are told and not joined: an
//! accusation must not move from one firm to another by resemblance. What reviewers told apart is never joined.

use std::collections::BTreeSet;

use hashbrown::{HashMap, HashSet};
use rapidfuzz::distance::levenshtein;

use super::evidence::Evidence;
use super::former::FormerNames;
use super::judged::Verdicts;
use super::{Identity, Names, content};
use crate::identifier::Uscc;
use crate::linkage::Scorer;
use crate::notices::{Notices, Trouble};
use crate::org::{
    EditKind, OrgAgreement, OrgLevel, OrgName, PartAgreement, Reading, compare_orgs, single_edit,
};
use crate::party::{CERTAIN_BP, Facts, Mention, PartyKind};

/// A block in which more names meet tells nothing: its key is passed over (the others still count).
const BLOCK_NAMES_MAX: usize = 200;
/// Characters that a misread code may be from the right one.
const CODE_EDITS_MAX: usize = 2;
/// Probability, by all fields of the registers' rows, from which a name that "may be" is one.
const EVIDENCE_MIN: f64 = 0.95;
/// Characters of a 字号 from which one look-alike or homophone in it is a slip and no other firm.
const LONG_CORE_CHARS: usize = 4;
/// Certainty of a slip that a nearly equal code or a long 字号 confirms.
const SLIP_BP: u16 = 9_500;

/// A name that some organisation with a code goes by.
struct KnownName {
    name: OrgName,
    uscc: Uscc,
    /// Another organisation went by it before.
    taken: bool,
}

/// What is known of organisations that no code tells.
#[derive(Default)]
struct Unknown<'a> {
    /// Codes that rows give them, wrong by their check character.
    codes: HashSet<&'a str>,
    /// Keys of the names they are written by: several when reviewers found that those are one.
    names: BTreeSet<u32>,
}

/// All that joining looks at.
pub struct NearNames<'a, 'k> {
    pub mentions: &'a [Mention],
    pub names: &'k Names<'a>,
    pub former: &'k FormerNames<'a>,
    pub facts: &'k [Facts],
    pub verdicts: &'k Verdicts<'a>,
}

impl<'a> NearNames<'a, '_> {
    /// Moves mentions told by name alone to the organisation with a code that the name is one of. Returns how
    /// certain each mention's party is, in ten-thousandths.
    pub fn join(&self, notices: &mut Notices, identified: &mut [Option<Identity<'a>>]) -> Vec<u16> {
        let mut certainty = vec![CERTAIN_BP; identified.len()];
        let spelling = spellings(self.names);
        let mut known_keys: HashSet<(u32, Uscc)> = HashSet::new();
        let mut unknown: HashMap<u32, Unknown<'a>> = HashMap::new();
        for (mention, identity) in self.mentions.iter().zip(identified.iter()) {
            if mention.kind == PartyKind::Person {
                continue;
            }
            let key = content(mention.name.as_ref()).and_then(|name| self.names.known_key(name));
            match (identity, key) {
                (Some(Identity::Uscc(uscc)), Some(key)) => drop(known_keys.insert((key, *uscc))),
                (Some(Identity::Name(head)), key) => {
                    let one = unknown.entry(*head).or_default();
                    one.names.insert(*head);
                    one.names.extend(key);
                    one.codes.extend(content(mention.code.as_ref()));
                }
                _ => {}
            }
        }
        // A name that several codes go by was told as ambiguous already. Of one that was taken from another organisation
        // a second field may tell whose it is.
        let undecided = |(key, _): &&(u32, Uscc)| !self.former.is_taken(*key);
        known_keys
            .iter()
            .filter(undecided)
            .for_each(|(key, _)| drop(unknown.remove(key)));
        if known_keys.is_empty() || unknown.is_empty() {
            return certainty;
        }
        let mut known: Vec<KnownName> = known_keys
            .into_iter()
            .map(|(key, uscc)| KnownName {
                name: self.former.parse(key, spelling[key as usize]),
                uscc,
                taken: self.former.is_taken(key),
            })
            .collect();
        known.sort_unstable_by(|a, b| (a.uscc, &a.name.key_strict).cmp(&(b.uscc, &b.name.key_strict)));
        let evidence = Evidence::of(self.facts, self.mentions, identified);
        let register = Register {
            blocks: blocks(&known),
            known,
            evidence: evidence.as_ref().map(|e| (e, e.scorer())),
        };
        let mut in_order: Vec<(u32, Unknown<'a>)> = unknown.into_iter().collect();
        in_order.sort_unstable_by_key(|(key, _)| spelling[*key as usize]);
        let mut joined: HashMap<u32, (Uscc, u16)> = HashMap::new();
        for (head, one) in &in_order {
            match self.decide(*head, one, &spelling, &register) {
                Decision::None => {}
                Decision::Joined(uscc, sure) => drop(joined.insert(*head, (uscc, sure))),
                // Told already.
                Decision::Undecided if self.former.is_taken(*head) => {}
                Decision::Undecided => {
                    notices.tell(
                        Trouble::NameResembles,
                        "parties".to_owned(),
                        spelling[*head as usize],
                    );
                }
            }
        }
        self.leave_apart(&mut joined, &spelling, notices);
        for (head, _) in in_order.iter().filter(|(head, _)| joined.contains_key(head)) {
            notices.tell(
                Trouble::NameJoined,
                "parties".to_owned(),
                spelling[*head as usize],
            );
        }
        for (identity, certainty) in identified.iter_mut().zip(&mut certainty) {
            if let Some(Identity::Name(key)) = identity
                && let Some((uscc, sure)) = joined.get(key)
            {
                *identity = Some(Identity::Uscc(*uscc));
                *certainty = *sure;
            }
        }
        certainty
    }

    /// Names that reviewers told apart and that resembled one firm: neither is taken for it.
    fn leave_apart(&self, joined: &mut HashMap<u32, (Uscc, u16)>, spelling: &[&str], notices: &mut Notices) {
        let mut out: BTreeSet<u32> = BTreeSet::new();
        for pair in self.verdicts.apart() {
            if let (Identity::Name(a), Identity::Name(b)) = pair
                && let (Some((one, _)), Some((other, _))) = (joined.get(a), joined.get(b))
                && one == other
            {
                out.extend([*a, *b]);
            }
        }
        for key in out {
            joined.remove(&key);
            notices.tell(
                Trouble::NameResembles,
                "parties".to_owned(),
                spelling[key as usize],
            );
        }
    }

    /// Decides for a party by each of the names it is written by.
    fn decide(&self, head: u32, one: &Unknown<'a>, spelling: &[&str], register: &Register<'_>) -> Decision {
        let forbidden = |uscc: &Uscc| {
            self.verdicts
                .are_apart(Identity::Name(head), Identity::Uscc(*uscc))
        };
        let mut all: Option<(Uscc, u16)> = None;
        let mut unsure = false;
        for key in &one.names {
            let name = self.former.parse(*key, spelling[*key as usize]);
            match register.decide(&name, head, &one.codes, forbidden) {
                Decision::None => {}
                Decision::Undecided => unsure = true,
                Decision::Joined(uscc, sure) => match &mut all {
                    None => all = Some((uscc, sure)),
                    Some((other, _)) if *other != uscc => return Decision::Undecided,
                    Some((_, best)) => *best = sure.max(*best),
                },
            }
        }
        match all {
            Some((uscc, sure)) => Decision::Joined(uscc, sure),
            None if unsure => Decision::Undecided,
            None => Decision::None,
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

fn blocks(known: &[KnownName]) -> HashMap<u64, Vec<u32>> {
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

#[derive(Debug)]
enum Decision {
    /// No name with a code comes near.
    None,
    /// With the certainty, in ten-thousandths.
    Joined(Uscc, u16),
    /// It resembles one or more, and cannot be told from them.
    Undecided,
}

/// Names with codes, and what their rows say.
struct Register<'e> {
    known: Vec<KnownName>,
    blocks: HashMap<u64, Vec<u32>>,
    evidence: Option<(&'e Evidence, Scorer<'e>)>,
}

impl Register<'_> {
    fn decide(
        &self,
        name: &OrgName,
        head: u32,
        codes: &HashSet<&str>,
        forbidden: impl Fn(&Uscc) -> bool,
    ) -> Decision {
        let mut near: Vec<u32> = name
            .blocking_keys()
            .filter_map(|(_, key)| self.blocks.get(&key))
            .flatten()
            .copied()
            .collect();
        near.sort_unstable();
        near.dedup();
        // Each organisation at the best level that one of its names reaches.
        let mut best: HashMap<Uscc, (OrgAgreement, &KnownName)> = HashMap::new();
        for at in near {
            let other = &self.known[at as usize];
            if forbidden(&other.uscc) {
                continue;
            }
            let mut found = compare_orgs(name, &other.name);
            if found.level < OrgLevel::MissingSuffix && is_form_slip(name, &other.name) {
                found.level = OrgLevel::MissingSuffix;
            }
            let kept = best.entry(other.uscc).or_insert((found, other));
            if found.level > kept.0.level {
                *kept = (found, other);
            }
        }
        let at_reading = |reading: Reading| -> Vec<(Uscc, OrgLevel)> {
            best.iter()
                .filter(|(_, (found, _))| found.level.reading() == reading)
                .map(|(uscc, (found, _))| (*uscc, found.level))
                .collect()
        };
        let same = at_reading(Reading::Same);
        let candidates = at_reading(Reading::Candidate);
        // A name that leaves the region or the trade out fits sisters as well as it fits the one.
        let sisters = best.values().any(|(found, _)| {
            matches!(
                found.level,
                OrgLevel::SameCoreOtherRegion | OrgLevel::SameCoreOtherTrade | OrgLevel::OrdinalConflict
            )
        });
        let near_code = |uscc: &Uscc| {
            codes.iter().any(|code| {
                let folded: String = code.to_uppercase();
                levenshtein::distance(folded.chars(), uscc.to_string().chars()) <= CODE_EDITS_MAX
            })
        };
        let taken = |uscc: &Uscc| best[uscc].1.taken;
        match (same.as_slice(), candidates.as_slice()) {
            ([], []) => return Decision::None,
            ([(uscc, level)], _) if *level >= OrgLevel::MissingSuffix && !taken(uscc) => {
                return Decision::Joined(*uscc, certainty(*level));
            }
            ([(uscc, level)], []) if (!sisters && !taken(uscc)) || near_code(uscc) => {
                return Decision::Joined(*uscc, certainty(*level));
            }
            ([], [(uscc, _)])
                if !sisters && !taken(uscc) && is_slip(name, &best[uscc].1.name, &best[uscc].0) =>
            {
                return Decision::Joined(*uscc, SLIP_BP);
            }
            _ => {}
        }
        let open = || same.iter().chain(&candidates);
        let mut by_code = open().filter(|(uscc, _)| near_code(uscc));
        if let (Some((uscc, _)), None) = (by_code.next(), by_code.next()) {
            return Decision::Joined(*uscc, SLIP_BP);
        }
        let mut by_fields = open().filter_map(|(uscc, _)| {
            let (evidence, scorer) = self.evidence.as_ref()?;
            let sure = evidence.probability(scorer, head, *uscc)?;
            (sure >= EVIDENCE_MIN).then_some((*uscc, sure))
        });
        match (by_fields.next(), by_fields.next()) {
            (Some((uscc, sure)), None) => Decision::Joined(uscc, basis_points(sure)),
            _ => Decision::Undecided,
        }
    }
}

/// Whether the one edit between two names lies in the words 有限公司: no other form is one edit from them.
fn is_form_slip(name: &OrgName, other: &OrgName) -> bool {
    const FORM: &str = "有限公司";
    let (mine, theirs) = (&name.key_strict, &other.key_strict);
    if theirs.ends_with(FORM) == mine.ends_with(FORM) {
        return false;
    }
    let whole = if theirs.ends_with(FORM) { theirs } else { mine };
    let least = whole.chars().count() - FORM.chars().count();
    single_edit(theirs, mine).is_some_and(|edit| edit.at >= least)
}

/// Whether the one edit between two names is a slip of the pen, by the names alone: a look-alike, a homophone or two
/// characters swapped, outside the 字号 or in a long one; nothing else differs.
fn is_slip(name: &OrgName, other: &OrgName, found: &OrgAgreement) -> bool {
    use PartAgreement::{Absent, Equal};
    if !matches!(found.level, OrgLevel::Confusable | OrgLevel::TypoElsewhere) {
        return false;
    }
    let Some(edit) = single_edit(&other.key_strict, &name.key_strict) else {
        return false;
    };
    let Some(at) = other.key_strict.find(&*other.core) else {
        return false;
    };
    let first = other.key_strict[..at].chars().count();
    let chars = other.core.chars().count();
    let outside = edit.at < first || edit.at >= first + chars;
    match edit.kind {
        EditKind::Shape | EditKind::Sound if outside => true,
        EditKind::Swap => edit.at + 1 < first || edit.at >= first + chars,
        EditKind::Shape | EditKind::Sound => {
            chars >= LONG_CORE_CHARS
                && found.region == Equal
                && matches!(found.trade, Equal | Absent)
                && found.form == Equal
        }
        _ => false,
    }
}

/// How certain a name at a level is of the one organisation it fits, in ten-thousandths. Set by judgement, not
/// measured: names that are equal but for what no name is told by, then names that leave a part out.
fn certainty(level: OrgLevel) -> u16 {
    match level {
        OrgLevel::Former | OrgLevel::LooseKey | OrgLevel::StrictKey | OrgLevel::Identical => 9_900,
        OrgLevel::MissingSuffix => 9_800,
        OrgLevel::RegionMissing | OrgLevel::PinyinEqual => 9_500,
        _ => 9_000,
    }
}

fn basis_points(probability: f64) -> u16 {
    // In 0..=10,000 by construction.
    (probability.clamp(0.0, 1.0) * f64::from(CERTAIN_BP)).floor() as u16
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
