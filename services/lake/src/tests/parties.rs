//! Mentions follow the rows that are there; parties are rewritten only when they change.

use super::*;

fn staff(rows_of: &[(&str, &str)]) -> RowBatch {
    let column = |pick: fn(&(&str, &str)) -> String| rows_of.iter().map(|r| Some(pick(r))).collect();
    rows(
        "staff",
        &[
            ("staff_id", column(|r| r.0.into())),
            ("name", column(|r| r.1.into())),
        ],
        1,
    )
}

#[tokio::test]
async fn mentions_are_those_of_the_rows_that_are_there() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path()).await;
    let bids = |rows_of: &[(&str, Option<&str>)]| {
        rows(
            "bids",
            &[
                ("bid_id", rows_of.iter().map(|r| Some(r.0.to_owned())).collect()),
                (
                    "supplier_name",
                    rows_of.iter().map(|r| r.1.map(str::to_owned)).collect(),
                ),
            ],
            1,
        )
    };
    let run = |seconds, batches: Vec<RowBatch>| {
        let lake = &lake;
        async move {
            let mut sync = lake
                .begin(SyncStart {
                    source: "t".into(),
                    started_at: time(seconds),
                })
                .await
                .unwrap();
            for batch in batches {
                sync.write(batch).await.unwrap();
            }
            let prepared = sync.finish().await.unwrap();
            let said = prepared.mentions().map(|all| {
                let mut all: Vec<_> = all
                    .iter()
                    .map(|m| format!("{} {:?} {}", m.slot, m.name, m.context))
                    .collect();
                all.sort();
                all
            });
            prepared.commit("t").await.unwrap();
            said
        }
    };
    // Two people of one name are two; a company is one wherever it is named alike.
    let first = run(
        1,
        vec![
            bids(&[("1", Some("甲公司")), ("2", Some("甲公司")), ("3", None)]),
            staff(&[("7", "王"), ("8", "王")]),
        ],
    )
    .await;
    assert_eq!(
        first.unwrap(),
        [
            "staff Some(\"王\") staff:7",
            "staff Some(\"王\") staff:8",
            "supplier Some(\"甲公司\") "
        ]
    );
    assert_eq!(run(2, vec![bids(&[("1", Some("甲公司"))])]).await, None);
    assert_eq!(
        run(3, vec![bids(&[("1", Some("乙公司"))])]).await.unwrap().len(),
        4
    );
    let gone = run(4, vec![bids(&[("2", Some("乙公司"))])]).await.unwrap();
    assert!(gone.iter().all(|m| !m.contains("甲公司")), "{gone:?}");
    let refs = query(
        &lake,
        4,
        "select count(distinct _supplier_ref), count(_supplier_ref) from bids",
    )
    .await;
    assert_eq!(refs, ["1|2"]);
}

#[tokio::test]
async fn parties_are_rewritten_only_when_they_change() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path()).await;
    let party = |name: &str| PartyTables {
        parties: vec![PartyRow {
            party_id: "c1".into(),
            kind: "company".into(),
            name: name.into(),
            uscc: None,
            id_number: None,
            aliases: vec!["a \"b\"".into()],
        }],
        refs: vec![PartyRefRow {
            reference: -5,
            party_id: "c1".into(),
            party_key: "name:x".into(),
            certainty_bp: 10_000,
        }],
        branches: vec![],
    };
    let mut versions = Vec::new();
    for (seconds, name) in [(1, "甲"), (2, "甲"), (3, "乙")] {
        let sync = lake
            .begin(SyncStart {
                source: "t".into(),
                started_at: time(seconds),
            })
            .await
            .unwrap();
        let mut prepared = sync.finish().await.unwrap();
        prepared.set_parties(party(name));
        let snapshot = prepared.commit("t").await.unwrap();
        assert_eq!(lake.parties(snapshot).await.unwrap(), party(name));
        versions.push((
            lake.table_version("parties", snapshot).await.unwrap().unwrap(),
            lake.table_version("_party_refs", snapshot)
                .await
                .unwrap()
                .unwrap(),
        ));
    }
    assert_eq!(versions, [(1, 1), (1, 1), (3, 1)]);
    assert_eq!(lake.parties(0).await.unwrap(), PartyTables::default());
}
