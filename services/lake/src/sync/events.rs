//! What became of party ids: from who each mention was before a commit, and who it is after.

use std::collections::{BTreeMap, HashMap, HashSet};

use domain::judgements::{PartyEvent, PartyEventKind};

use crate::kept::PartyTables;

/// The events from `old` to `new`, sorted. Mentions that are new or gone tell nothing.
pub fn events(old: &PartyTables, new: &PartyTables, at: i64) -> Vec<PartyEvent> {
    let now: HashMap<i64, &str> = new
        .refs
        .iter()
        .map(|r| (r.reference, r.party_id.as_str()))
        .collect();
    // From each old party: where its mentions went, and how many.
    let mut went: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    for r in &old.refs {
        if let Some(into) = now.get(&r.reference) {
            *went.entry(&r.party_id).or_default().entry(into).or_default() += 1;
        }
    }
    went.retain(|from, into| into.len() > 1 || !into.contains_key(from));
    if went.is_empty() {
        return Vec::new();
    }
    let name = |tables: &PartyTables, id: &str| {
        let found = tables.parties.iter().find(|p| p.party_id == id);
        found.map(|p| p.name.clone()).unwrap_or_default()
    };
    let names = |tables: &PartyTables, ids: HashSet<&str>| -> HashMap<String, String> {
        match ids.len() {
            0..8 => ids
                .iter()
                .map(|id| ((*id).to_owned(), name(tables, id)))
                .collect(),
            _ => tables
                .parties
                .iter()
                .filter(|p| ids.contains(p.party_id.as_str()))
                .map(|p| (p.party_id.clone(), p.name.clone()))
                .collect(),
        }
    };
    let before: HashSet<&str> = old.parties.iter().map(|p| p.party_id.as_str()).collect();
    let after: HashSet<&str> = new.parties.iter().map(|p| p.party_id.as_str()).collect();
    let from_names = names(old, went.keys().copied().collect());
    let into_names = names(new, went.values().flat_map(|into| into.keys().copied()).collect());
    let mut out = Vec::new();
    for (from, into) in &went {
        for (to, mentions) in into.iter().filter(|(to, _)| *to != from) {
            let kind = if into.len() == 1 && !after.contains(from) {
                PartyEventKind::Merged
            } else if before.contains(to) {
                PartyEventKind::Moved
            } else {
                PartyEventKind::Split
            };
            out.push(PartyEvent {
                snapshot: 0,
                at,
                kind,
                from: (*from).to_owned(),
                from_name: from_names.get(*from).cloned().unwrap_or_default(),
                into: (*to).to_owned(),
                into_name: into_names.get(*to).cloned().unwrap_or_default(),
                mentions: *mentions,
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kept::{PartyRefRow, PartyRow};

    /// Mentions 1, 2, ... and the party of each.
    fn tables(parties: &[&str]) -> PartyTables {
        let mut ids: Vec<&str> = parties.to_vec();
        ids.sort_unstable();
        ids.dedup();
        PartyTables {
            parties: ids
                .iter()
                .map(|id| PartyRow {
                    party_id: (*id).to_owned(),
                    kind: "company".into(),
                    name: format!("firm {id}"),
                    uscc: None,
                    id_number: None,
                    aliases: Vec::new(),
                })
                .collect(),
            refs: (1..)
                .zip(parties)
                .map(|(reference, id)| PartyRefRow {
                    reference,
                    party_id: (*id).to_owned(),
                    party_key: (*id).to_owned(),
                    certainty_bp: 10_000,
                })
                .collect(),
            branches: Vec::new(),
        }
    }

    fn told(old: &[&str], new: &[&str]) -> Vec<String> {
        events(&tables(old), &tables(new), 0)
            .iter()
            .map(|e| format!("{} {} {} {}", e.kind.as_str(), e.from, e.into, e.mentions))
            .collect()
    }

    #[test]
    fn parties_merge_split_and_give_mentions_away() {
        assert_eq!(told(&["a", "a", "b"], &["a", "a", "b"]), [""; 0]);
        assert_eq!(told(&["a", "b", "b"], &["a", "a", "a"]), ["MERGED b a 2"]);
        assert_eq!(told(&["a", "a", "a"], &["a", "c", "a"]), ["SPLIT a c 1"]);
        assert_eq!(told(&["a", "a", "b"], &["a", "b", "b"]), ["MOVED a b 1"]);
        // A party that only changed its id.
        assert_eq!(told(&["a", "b"], &["c", "b"]), ["MERGED a c 1"]);
        // One that is no more and went two ways.
        assert_eq!(
            told(&["a", "a", "b"], &["b", "c", "b"]),
            ["MOVED a b 1", "SPLIT a c 1"]
        );
        let e = &events(&tables(&["b"]), &tables(&["a"]), 7)[0];
        assert_eq!(
            (e.from_name.as_str(), e.into_name.as_str(), e.at),
            ("firm b", "firm a", 7)
        );
    }

    #[test]
    fn a_first_sync_tells_nothing() {
        assert_eq!(events(&PartyTables::default(), &tables(&["a", "b"]), 0), []);
    }
}
