//! Any sequence of syncs against a map.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// What the lake must hold: key -> name, by a map.
fn model(syncs: &[Vec<(u8, u8)>]) -> Vec<BTreeMap<u8, u8>> {
    let mut state = BTreeMap::new();
    syncs
        .iter()
        .map(|rows| {
            state.extend(rows.iter().copied());
            state.clone()
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_syncs_leaves_what_a_map_would_hold(
        syncs in prop::collection::vec(prop::collection::vec((0u8..12, 0u8..4), 0..20), 1..5),
        split in 1usize..6,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let lake = open(dir.path()).await;
            let mut before: BTreeMap<u8, u8> = BTreeMap::new();
            for (n, (rows, after)) in syncs.iter().zip(model(&syncs)).enumerate() {
                let batches = rows.chunks(split).map(|chunk| {
                    let texts: Vec<(String, String)> = chunk.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
                    products(&texts.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect::<Vec<_>>())
                }).collect();
                let (_, counts) = sync(&lake, n as i64, batches).await;
                let inserted = counts.iter().map(|c| c.inserted).sum::<u64>() as usize;
                assert_eq!(inserted, after.len() - before.len());
                if before == after {
                    let updated = counts.iter().map(|c| c.updated).sum::<u64>();
                    assert_eq!(updated, 0, "nothing changed in the end");
                }
                before = after;
            }
            for (snapshot, want) in (1..).zip(model(&syncs)) {
                let mut want: Vec<String> = want.iter().map(|(k, v)| format!("{k}|{v}")).collect();
                want.sort();
                let mut got = names(&lake, snapshot).await;
                got.sort();
                assert_eq!(got, want);
                let counted = query(&lake, snapshot, "select count(*) from products").await;
                assert_eq!(counted, [want.len().to_string()]);
            }
        });
    }
}
