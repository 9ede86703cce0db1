//! Former names that texts tell (`X（曾用名：Y）`): who went by a name, and whether another firm goes by it now.
//!
//! A name that one firm gave up and another took is of neither by itself. Mentions do not say of which day they are,
//! so nothing is decided by it: they stay a party of their own and are told.

use std::collections::BTreeSet;

use hashbrown::{HashMap, HashSet};

use super::{Names, One};
use crate::han::tidy;
use crate::identifier::Uscc;
use crate::name::strict_key;
use crate::org::OrgName;

/// Words one of which every remark on a former name has.
const MARKS: [&str; 5] = ["曾", "原", "更名前", "旧名", "前称"];

/// What the names of a resolution tell of former ones. Names are numbers of their keys.
#[derive(Debug, Default)]
pub struct FormerNames<'a> {
    /// The spellings of a name that tell former ones.
    told_by: HashMap<u32, BTreeSet<&'a str>>,
    /// Names that one firm with a code went by, and that another one goes by.
    taken: HashSet<u32>,
}

impl<'a> FormerNames<'a> {
    /// `uscc_by_name` is who goes by a name, told by a code.
    pub fn of(names: &Names<'a>, uscc_by_name: &HashMap<u32, One<Uscc>>) -> Self {
        let mut out = Self::default();
        for (spelling, raw) in &names.raw {
            let Some(holder) = names.key_of[*raw as usize] else {
                continue;
            };
            if !MARKS.iter().any(|mark| spelling.contains(mark)) {
                continue;
            }
            let former = tidy(spelling).former;
            if former.is_empty() {
                continue;
            }
            out.told_by.entry(holder).or_default().insert(*spelling);
            let Some(firm) = uscc_by_name.get(&holder) else {
                continue;
            };
            let keys = former.iter().map(|name| strict_key(name));
            for key in keys.filter_map(|key| names.key_numbers.get(&key)) {
                let other = uscc_by_name
                    .get(key)
                    .is_some_and(|now| now != firm || *now == One::Many);
                if *key != holder && other {
                    out.taken.insert(*key);
                }
            }
        }
        out
    }

    /// Whether one firm went by the name and another goes by it.
    pub fn is_taken(&self, name: u32) -> bool {
        self.taken.contains(&name)
    }

    /// A name taken apart, with the former names that any of its spellings tells.
    pub fn parse(&self, name: u32, spelling: &str) -> OrgName {
        let mut parsed = OrgName::parse(spelling);
        for other in self.told_by.get(&name).into_iter().flatten() {
            if *other != spelling {
                parsed.add_former(OrgName::parse(other));
            }
        }
        parsed
    }
}
