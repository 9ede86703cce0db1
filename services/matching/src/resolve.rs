//! The strict resolver: joins mentions only on proof.
//!
//! An organisation is told by, in this order: a checked USCC; the strict name key, when exactly one USCC goes
//! by that name and nobody is known to have gone by it before ([`former`]); the source's own id, through the register of suppliers or hospitals; the strict name key
//! alone, or the only name with a code that it is a spelling of ([`near_names`]); the id alone. Reviewers' verdicts
//! ([`judged`]) come before resemblance and after proof. A person is told by a checked ID number; a staff id, through the register of staff;
//! an id of the source's own; and otherwise is nobody but the person of that one row.

mod evidence;
mod former;
mod identity;
mod judged;
mod near_names;
mod organisations;
mod persons;

use hashbrown::{HashMap, HashSet};

use crate::name::{parent_of_key, says_nothing, strict_key};
use crate::notices::{Notices, Trouble};
use crate::party::{Branch, Known, Mention, Party, PartyKind, PartyRef, Resolution, Resolver};
use identity::{Identity, One, assign_ids};
use judged::Verdicts;
use near_names::NearNames;

/// [`resolve_known`] behind the trait.
#[derive(Debug, Clone, Copy, Default)]
pub struct StrictResolver;

impl Resolver for StrictResolver {
    fn resolve(&self, known: Known<'_>) -> Resolution {
        resolve_known(known)
    }
}

/// [`resolve_known`] of mentions alone.
pub fn resolve(mentions: &[Mention]) -> Resolution {
    resolve_known(Known {
        mentions,
        ..Known::default()
    })
}

/// Tells who is who. The result does not depend on the order of what is given; it takes time and memory in
/// proportion to it.
///
/// Give the mentions of *current* rows only: an old row's id or name that has since changed its code would
/// make the id or the name ambiguous.
pub fn resolve_known(known: Known<'_>) -> Resolution {
    let mentions = known.mentions;
    let mut names = Names::default();
    let mut notices = Notices::default();
    let mut identified: Vec<Option<Identity<'_>>> = vec![None; mentions.len()];
    let former = organisations::identify(mentions, &mut names, &mut notices, &mut identified);
    let staff_keys = persons::identify(mentions, &mut notices, &mut identified);
    let verdicts = Verdicts::read(known.judged, mentions, &names, &staff_keys, &identified);
    let by_their_rows = identified.clone();
    verdicts.apply(&mut identified);
    let near = NearNames {
        mentions,
        names: &names,
        former: &former,
        facts: known.facts,
        verdicts: &verdicts,
    };
    let certainty = near.join(&mut notices, &mut identified);
    let whose = Whose {
        by_their_rows: &by_their_rows,
        identified: &identified,
        certainty: &certainty,
    };
    let mut resolution = assemble(mentions, &names, &staff_keys, whose, notices);
    resolution.unobeyed = verdicts.unobeyed;
    resolution
}

/// Raw names and strict keys as small numbers, each computed once.
#[derive(Default)]
struct Names<'a> {
    raw: HashMap<&'a str, u32>,
    /// By raw number: the number of its key.
    key_of: Vec<Option<u32>>,
    key_numbers: HashMap<String, u32>,
    keys: Vec<String>,
}

impl<'a> Names<'a> {
    /// The number of a name's strict key; `None` when the text is no name.
    fn key(&mut self, name: &'a str) -> Option<u32> {
        if let Some(raw) = self.raw.get(name) {
            return self.key_of[*raw as usize];
        }
        let key = strict_key(name);
        let number = (!key.is_empty()).then(|| {
            *self.key_numbers.entry_ref(key.as_str()).or_insert_with(|| {
                self.keys.push(key.clone());
                self.keys.len() as u32 - 1
            })
        });
        self.raw.insert(name, self.key_of.len() as u32);
        self.key_of.push(number);
        number
    }
}

impl Names<'_> {
    /// The number of the strict key of a name that was seen before.
    fn known_key(&self, name: &str) -> Option<u32> {
        self.key_of[*self.raw.get(name)? as usize]
    }
}

/// A text with something in it, trimmed.
fn content(text: Option<&String>) -> Option<&str> {
    text.map(|t| t.trim()).filter(|t| !t.is_empty())
}

/// A source's own id: trimmed, with a letter or digit in it that is not 0, and no word for "none".
fn own_id(text: Option<&String>) -> Option<&str> {
    content(text)
        .filter(|id| id.chars().any(|c| c.is_alphanumeric() && c != '0') && !says_nothing(&id.to_uppercase()))
}

fn place(m: &Mention) -> String {
    format!("{}.{}", m.dataset, m.slot)
}

/// What a notice quotes of a mention: where it is, or for an organisation what it says. Of a person no more
/// than the place.
fn example(m: &Mention) -> &str {
    if !m.context.is_empty() || m.kind == PartyKind::Person {
        return &m.context;
    }
    [&m.name, &m.id, &m.code]
        .into_iter()
        .find_map(|said| content(said.as_ref()))
        .unwrap_or("")
}

fn speaks_of_hospital(m: &Mention) -> bool {
    m.kind == PartyKind::Hospital || m.kind == PartyKind::Company && m.dataset == "hospitals"
}

fn is_register(m: &Mention) -> bool {
    matches!(
        (m.dataset.as_str(), m.slot.as_str()),
        ("suppliers", "supplier") | ("hospitals", "hospital") | ("staff", "staff")
    )
}

/// Whose each mention is: by its own row, in the end, and how sure that is.
#[derive(Clone, Copy)]
struct Whose<'a, 'k> {
    by_their_rows: &'k [Option<Identity<'a>>],
    identified: &'k [Option<Identity<'a>>],
    certainty: &'k [u16],
}

/// What the mentions of one party say of its name: (raw name, mentions, whether a register has it, whether a row proves
/// it: a name that joined by resemblance or on a reviewer's word does not stand for the party).
struct Naming<'a> {
    name: &'a str,
    mentions: u32,
    registered: bool,
    own: bool,
}

fn assemble<'a>(
    mentions: &'a [Mention],
    names: &Names<'a>,
    staff_keys: &HashMap<Identity<'a>, &'a str>,
    whose: Whose<'a, '_>,
    mut notices: Notices,
) -> Resolution {
    // Number the parties.
    let mut number_of: HashMap<Identity<'a>, u32> = HashMap::new();
    let mut identities: Vec<Identity<'a>> = Vec::new();
    let mut hospitals: HashSet<u32> = HashSet::new();
    let mut naming: HashMap<(u32, &'a str), (u32, bool, bool)> = HashMap::new();
    let mut party_of: Vec<(i64, u32, u16)> = Vec::with_capacity(mentions.len());
    for (at, m) in mentions.iter().enumerate() {
        let Some(identity) = whose.identified[at] else {
            continue;
        };
        let number = *number_of.entry(identity).or_insert_with(|| {
            identities.push(identity);
            identities.len() as u32 - 1
        });
        if speaks_of_hospital(m) {
            hospitals.insert(number);
        }
        if let Some(name) = content(m.name.as_ref()) {
            let entry = naming.entry((number, name)).or_default();
            entry.0 += 1;
            entry.1 |= is_register(m);
            entry.2 |= whose.by_their_rows[at] == Some(identity);
        }
        party_of.push((m.reference, number, whose.certainty[at]));
    }
    let texts: Vec<String> = identities.iter().map(|i| i.text(&names.keys)).collect();
    let ids = assign_ids(&texts, |at| if identities[at].is_person() { 'p' } else { 'c' });

    // Names, and branches as their names tell.
    let mut by_party: Vec<Vec<Naming<'a>>> = Vec::new();
    by_party.resize_with(identities.len(), Vec::new);
    for ((number, name), (mentions, registered, own)) in naming {
        by_party[number as usize].push(Naming {
            name,
            mentions,
            registered,
            own,
        });
    }
    let uscc_by_key = uscc_by_key(&identities, &by_party, names);
    let mut branches = Vec::new();
    let mut parties = Vec::with_capacity(identities.len());
    for (at, identity) in identities.iter().enumerate() {
        let mut namings = std::mem::take(&mut by_party[at]);
        namings.sort_unstable_by(|a, b| {
            (b.own, b.registered, b.mentions)
                .cmp(&(a.own, a.registered, a.mentions))
                .then_with(|| a.name.cmp(b.name))
        });
        if !identity.is_person() {
            for naming in &namings {
                let parent = parent_of(
                    naming.name,
                    names,
                    &uscc_by_key,
                    &number_of,
                    &mut notices,
                    &ids[at],
                );
                if let Some(parent) = parent.filter(|p| *p as usize != at) {
                    let parent_party_id = ids[parent as usize].clone();
                    branches.push(Branch {
                        branch_party_id: ids[at].clone(),
                        parent_party_id,
                    });
                }
            }
        }
        let mut aliases: Vec<String> = namings.iter().skip(1).map(|n| n.name.to_owned()).collect();
        aliases.sort_unstable();
        parties.push(Party {
            party_id: ids[at].clone(),
            kind: match identity.is_person() {
                true => PartyKind::Person,
                false if hospitals.contains(&(at as u32)) => PartyKind::Hospital,
                false => PartyKind::Company,
            },
            name: namings.first().map_or_else(String::new, |n| n.name.to_owned()),
            uscc: identity.uscc().map(|u| u.to_string()),
            id_number: identity.id_number().map(|i| i.as_str().to_owned()),
            aliases,
        });
    }
    parties.sort_unstable_by(|a, b| a.party_id.cmp(&b.party_id));
    branches.sort_unstable();
    branches.dedup();

    // References.
    party_of.sort_unstable_by(|a, b| {
        a.0.cmp(&b.0)
            .then_with(|| ids[a.1 as usize].cmp(&ids[b.1 as usize]))
            .then(a.2.cmp(&b.2))
    });
    party_of.dedup_by_key(|(reference, ..)| *reference);
    let refs = party_of
        .into_iter()
        .map(|(reference, number, certainty_bp)| {
            let identity = identities[number as usize];
            let staff = staff_keys.get(&identity).copied();
            let party_key = identity.party_key(&names.keys, staff);
            PartyRef {
                reference,
                party_id: ids[number as usize].clone(),
                party_key,
                certainty_bp,
            }
        })
        .collect();
    Resolution {
        parties,
        refs,
        branches,
        notices: notices.finish(),
        unobeyed: Vec::new(),
    }
}

/// Strict key -> the party with a USCC that goes by it.
fn uscc_by_key(
    identities: &[Identity<'_>],
    by_party: &[Vec<Naming<'_>>],
    names: &Names<'_>,
) -> HashMap<u32, One<u32>> {
    let mut out: HashMap<u32, One<u32>> = HashMap::new();
    for (at, identity) in identities.iter().enumerate().filter(|(_, i)| i.uscc().is_some()) {
        debug_assert!(!identity.is_person());
        for naming in &by_party[at] {
            if let Some(key) = names
                .raw
                .get(naming.name)
                .and_then(|raw| names.key_of[*raw as usize])
            {
                One::add(&mut out, key, at as u32);
            }
        }
    }
    out
}

/// The party that a branch's name tells as its parent, if it is mentioned anywhere.
fn parent_of<'a>(
    name: &str,
    names: &Names<'a>,
    uscc_by_key: &HashMap<u32, One<u32>>,
    number_of: &HashMap<Identity<'a>, u32>,
    notices: &mut Notices,
    branch_id: &str,
) -> Option<u32> {
    let key = names.key_of[*names.raw.get(name)? as usize]?;
    let parent_key = *names.key_numbers.get(parent_of_key(&names.keys[key as usize])?)?;
    match uscc_by_key.get(&parent_key) {
        Some(One::Only(party)) => Some(*party),
        Some(One::Many) => {
            notices.tell(Trouble::AmbiguousParent, "parties".to_owned(), branch_id);
            None
        }
        None => number_of.get(&Identity::Name(parent_key)).copied(),
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod verdict_tests;

#[cfg(test)]
mod noise_tests;

#[cfg(test)]
mod former_tests;
