//! Reviewers' verdicts: parties that are the same whatever the rows say, and parties that no resemblance may join.
//!
//! What is obeyed depends on the verdicts as a set. A group of "same" verdicts that would join two valid codes, or
//! two parties that others say are different, is not obeyed at all: half of a contradiction is no better.

use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};

use super::{Identity, Names, One};
use crate::party::{Judged, Mention, PartyKind, Unobeyed, Verdict};

/// The verdicts that are obeyed.
#[derive(Default)]
pub struct Verdicts<'a> {
    /// Who a party was taken for by "same" verdicts.
    head_of: HashMap<Identity<'a>, Identity<'a>>,
    /// Pairs of heads that are different parties, in both orders.
    apart: HashSet<(Identity<'a>, Identity<'a>)>,
    pub unobeyed: Vec<(usize, Unobeyed)>,
}

impl<'a> Verdicts<'a> {
    /// Reads the verdicts. `identified` is who each mention is by its own row, `staff_keys` the staff ids of persons
    /// told by an ID number.
    pub fn read(
        judged: &[Judged],
        mentions: &'a [Mention],
        names: &Names<'a>,
        staff_keys: &HashMap<Identity<'a>, &'a str>,
        identified: &[Option<Identity<'a>>],
    ) -> Self {
        let mut out = Self::default();
        if judged.is_empty() {
            return out;
        }
        let sides = Sides::of(judged, mentions, names, staff_keys, identified);
        let mut pairs: Vec<(usize, Verdict, Identity<'a>, Identity<'a>)> = Vec::new();
        for (at, one) in judged.iter().enumerate() {
            match sides.pair(one) {
                Ok((a, b)) => pairs.push((at, one.verdict, a, b)),
                Err(why) => out.unobeyed.push((at, why)),
            }
        }
        out.obey(judged, pairs, names);
        out.unobeyed.sort_unstable_by_key(|(at, _)| *at);
        out
    }

    fn obey(
        &mut self,
        judged: &[Judged],
        pairs: Vec<(usize, Verdict, Identity<'a>, Identity<'a>)>,
        names: &Names<'a>,
    ) {
        let mut groups = Groups::default();
        for (_, verdict, a, b) in &pairs {
            let (a, b) = (groups.number(*a), groups.number(*b));
            if *verdict == Verdict::Same {
                groups.join(a, b);
            }
        }
        let mut members: BTreeMap<usize, Vec<Identity<'a>>> = BTreeMap::new();
        for at in 0..groups.identities.len() {
            let root = groups.root(at);
            members.entry(root).or_default().push(groups.identities[at]);
        }
        // What is wrong with a group as a whole.
        let mut wrong: HashMap<usize, Unobeyed> = HashMap::new();
        for (root, members) in &members {
            // Members are distinct; two masked numbers may still look alike.
            let mut codes: Vec<String> = members.iter().filter_map(Identity::shown_code).collect();
            codes.sort_unstable();
            if let [first, second, ..] = codes.as_slice() {
                wrong.insert(*root, Unobeyed::TwoCodes(first.clone(), second.clone()));
            }
        }
        for (at, verdict, a, b) in &pairs {
            let (x, y) = (groups.place(*a), groups.place(*b));
            if *verdict == Verdict::Different && x == y {
                let why = || Unobeyed::Contradicted(judged[*at].a.clone(), judged[*at].b.clone());
                wrong.entry(x).or_insert_with(why);
            }
        }
        for (root, members) in &members {
            if members.len() < 2 || wrong.contains_key(root) {
                continue;
            }
            let head = members
                .iter()
                .min_by_key(|m| (m.rank(), m.text(&names.keys)))
                .copied()
                .expect("a group has members");
            for member in members {
                self.head_of.insert(*member, head);
            }
        }
        for (at, verdict, a, b) in pairs {
            let root = groups.place(a);
            match (verdict, wrong.get(&root)) {
                (Verdict::Same, Some(Unobeyed::Contradicted(..))) => {
                    let why = Unobeyed::Contradicted(judged[at].a.clone(), judged[at].b.clone());
                    self.unobeyed.push((at, why));
                }
                (Verdict::Same, Some(why)) => self.unobeyed.push((at, why.clone())),
                (Verdict::Same, None) => {}
                (Verdict::Different, _) => {
                    if root == groups.place(b) {
                        let why = Unobeyed::Contradicted(judged[at].a.clone(), judged[at].b.clone());
                        self.unobeyed.push((at, why));
                    } else {
                        let (a, b) = (self.head(a), self.head(b));
                        self.apart.extend([(a, b), (b, a)]);
                    }
                }
            }
        }
    }

    /// Who an identity stands for.
    pub fn head(&self, identity: Identity<'a>) -> Identity<'a> {
        self.head_of.get(&identity).copied().unwrap_or(identity)
    }

    /// Gives every mention the party that reviewers took it for.
    pub fn apply(&self, identified: &mut [Option<Identity<'a>>]) {
        if self.head_of.is_empty() {
            return;
        }
        for identity in identified.iter_mut().flatten() {
            *identity = self.head(*identity);
        }
    }

    /// Whether a reviewer told the two apart.
    pub fn are_apart(&self, a: Identity<'a>, b: Identity<'a>) -> bool {
        !self.apart.is_empty() && self.apart.contains(&(a, b))
    }

    /// Pairs of heads that were told apart, each in both orders.
    pub fn apart(&self) -> impl Iterator<Item = &(Identity<'a>, Identity<'a>)> {
        self.apart.iter()
    }
}

/// Whom the keys of verdicts speak of.
struct Sides<'a> {
    by_key: HashMap<String, One<Identity<'a>>>,
}

impl<'a> Sides<'a> {
    fn of(
        judged: &[Judged],
        mentions: &'a [Mention],
        names: &Names<'a>,
        staff_keys: &HashMap<Identity<'a>, &'a str>,
        identified: &[Option<Identity<'a>>],
    ) -> Self {
        let wanted: HashSet<&str> = judged.iter().flat_map(|j| [j.a.as_str(), j.b.as_str()]).collect();
        let mut by_key: HashMap<String, One<Identity<'a>>> = HashMap::new();
        let distinct: HashSet<Identity<'a>> = identified.iter().flatten().copied().collect();
        for identity in distinct {
            let staff = staff_keys.get(&identity).copied();
            for key in [
                identity.party_key(&names.keys, None),
                identity.party_key(&names.keys, staff),
            ] {
                if wanted.contains(key.as_str()) {
                    by_key.insert(key, One::Only(identity));
                }
            }
        }
        // A name that no mention is told by alone: whoever goes by it.
        for (mention, identity) in mentions.iter().zip(identified) {
            let (Some(identity), PartyKind::Company | PartyKind::Hospital) = (identity, mention.kind) else {
                continue;
            };
            let Some(number) = mention.name.as_deref().and_then(|n| names.known_key(n.trim())) else {
                continue;
            };
            let key = format!("name:{}", names.keys[number as usize]);
            if !wanted.contains(key.as_str()) {
                continue;
            }
            let alone = One::Only(Identity::Name(number));
            if by_key.get(&key) != Some(&alone) {
                One::add(&mut by_key, key, *identity);
            }
        }
        Self { by_key }
    }

    fn pair(&self, one: &Judged) -> Result<(Identity<'a>, Identity<'a>), Unobeyed> {
        let find = |key: &String| match self.by_key.get(key) {
            None => Err(Unobeyed::NoMention(key.clone())),
            Some(One::Many) => Err(Unobeyed::Ambiguous(key.clone())),
            Some(One::Only(identity)) => Ok(*identity),
        };
        let (a, b) = (find(&one.a)?, find(&one.b)?);
        if a == b {
            return Err(Unobeyed::OneParty(one.a.clone(), one.b.clone()));
        }
        if a.is_person() != b.is_person() {
            return Err(Unobeyed::UnlikeKinds(one.a.clone(), one.b.clone()));
        }
        Ok((a, b))
    }
}

/// A union-find over identities.
#[derive(Default)]
struct Groups<'a> {
    numbers: HashMap<Identity<'a>, usize>,
    identities: Vec<Identity<'a>>,
    parent: Vec<usize>,
}

impl<'a> Groups<'a> {
    fn number(&mut self, identity: Identity<'a>) -> usize {
        *self.numbers.entry(identity).or_insert_with(|| {
            self.identities.push(identity);
            self.parent.push(self.parent.len());
            self.parent.len() - 1
        })
    }

    fn place(&mut self, identity: Identity<'a>) -> usize {
        let number = self.number(identity);
        self.root(number)
    }

    fn root(&mut self, mut at: usize) -> usize {
        while self.parent[at] != at {
            self.parent[at] = self.parent[self.parent[at]];
            at = self.parent[at];
        }
        at
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        let (low, high) = (a.min(b), a.max(b));
        self.parent[high] = low;
    }
}
