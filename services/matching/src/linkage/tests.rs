//! Linkage as a whole: order of records, threads, conflicts, arrival, judgements.

use super::*;
use crate::Uscc;

fn schema() -> Schema {
    let field = |name: &str, kind| Field {
        name: name.to_owned(),
        kind,
    };
    Schema {
        fields: vec![
            field("name", FieldKind::OrgName),
            field("uscc", FieldKind::Uscc),
            field("legal_representative", FieldKind::PersonName),
            field("phone", FieldKind::Phone),
        ],
    }
}

type Row = [String; 4];

fn code(number: u64) -> String {
    let first = format!("91330100MA{number:07}");
    let check = Uscc::check_character(first.as_bytes()).unwrap();
    format!("{first}{}", char::from(check))
}

/// Firms in up to three rows each, with the noise of real lists; the number of the firm beside each row.
fn firms(count: u64) -> Vec<(u64, Row)> {
    let cores = [
        "康瑞", "华泰", "恒信", "仁和", "济民", "博远", "嘉诺", "科迈", "普利", "安德",
    ];
    let trades = ["医药", "医疗器械", "生物科技", "商贸", "物流"];
    let cities = ["杭州", "宁波", "南京", "苏州", "广州", "成都", "武汉"];
    let mut out = Vec::new();
    for n in 0..count {
        let pick = |of: &[&str], salt: u64| {
            of[(n.wrapping_mul(2_654_435_761).wrapping_add(salt * 97) >> 3) as usize % of.len()].to_owned()
        };
        let (city, trade) = (pick(&cities, 1), pick(&trades, 2));
        let core = format!("{}{}", pick(&cores, 3), cores[n as usize % cores.len()]);
        let person = format!(
            "王{}{}",
            ['伟', '芳', '娜', '强'][n as usize % 4],
            ['明', '华', '军', '丽', '杰'][n as usize % 5]
        );
        let phone = format!("139{:08}", n * 7919 % 100_000_000);
        let row = |name: String, uscc: String, phone: &str| [name, uscc, person.clone(), phone.to_owned()];
        out.push((n, row(format!("{city}{core}{trade}有限公司"), code(n), &phone)));
        if n % 3 != 0 {
            out.push((
                n,
                row(format!("{city}{core}{trade}有限责任公司"), String::new(), &phone),
            ));
        }
        if n % 4 == 1 {
            out.push((n, row(format!("{core}{trade}({city})有限公司"), code(n), "")));
        }
    }
    out
}

fn columns(rows: &[(u64, Row)]) -> Vec<Vec<&str>> {
    (0..4)
        .map(|f| rows.iter().map(|(_, row)| row[f].as_str()).collect())
        .collect()
}

fn load(rows: &[(u64, Row)]) -> Records {
    let mut records = Records::new(schema());
    records.extend(0, &columns(rows));
    records
}

/// Sets of row contents, sorted: what does not depend on numbers.
fn partition(rows: &[(u64, Row)], group_of: impl Fn(usize) -> u64) -> Vec<Vec<Row>> {
    let mut groups: std::collections::BTreeMap<u64, Vec<Row>> = std::collections::BTreeMap::new();
    for (at, (_, row)) in rows.iter().enumerate() {
        groups.entry(group_of(at)).or_default().push(row.clone());
    }
    let mut out: Vec<Vec<Row>> = groups.into_values().collect();
    out.iter_mut().for_each(|g| g.sort());
    out.sort();
    out
}

fn batch(rows: &[(u64, Row)]) -> Vec<Vec<Row>> {
    let records = load(rows);
    let linked = link(&records, &Model::shipped(records.schema()), &Options::default()).unwrap();
    partition(rows, |at| u64::from(linked.clusters.cluster_of[at]))
}

#[test]
fn finds_the_firms_whatever_the_order_of_rows_and_the_number_of_threads() {
    let rows = firms(300);
    let truth = partition(&rows, |at| rows[at].0);
    assert_eq!(batch(&rows), truth);
    let mut turned = rows.clone();
    turned.reverse();
    turned.rotate_left(77);
    assert_eq!(batch(&turned), truth);
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(one.install(|| batch(&rows)), truth);
}

#[test]
fn arrival_in_parts_gives_the_clusters_of_the_whole() {
    let rows = firms(300);
    for parts in [[0, 150], [100, 101], [299, 300]] {
        let mut linker = Linker::new(load(&rows[..parts[0]]), Model::shipped(&schema())).unwrap();
        linker.add(0, &columns(&rows[parts[0]..parts[1]]));
        linker.add(0, &columns(&rows[parts[1]..]));
        let found = partition(&rows, |at| linker.entity(at as u32).unwrap());
        assert_eq!(found, batch(&rows), "{parts:?}");
        for at in 0..rows.len() as u32 {
            assert!(linker.members(linker.entity(at).unwrap()).contains(&at));
        }
    }
}

fn row(name: &str, uscc: &str, person: &str, phone: &str) -> (u64, Row) {
    (
        0,
        [
            name.to_owned(),
            uscc.to_owned(),
            person.to_owned(),
            phone.to_owned(),
        ],
    )
}

#[test]
fn two_valid_codes_and_a_branch_and_its_parent_never_join() {
    let (one, two) = (code(1), code(2));
    let rows = [
        row("杭州康瑞医药有限公司", &one, "王伟", "13912345678"),
        row("杭州康瑞医药有限公司", &two, "王伟", "13912345678"),
        row("杭州康瑞医药有限公司", "", "王伟", "13912345678"),
        row("杭州康瑞医药有限公司宁波分公司", "", "王伟", "13912345678"),
    ];
    let records = load(&rows);
    let linked = link(&records, &Model::shipped(records.schema()), &Options::default()).unwrap();
    let of = &linked.clusters.cluster_of;
    assert_ne!(of[0], of[1], "two codes, even by way of the row without one");
    assert!(of[2] == of[0] || of[2] == of[1]);
    assert!(of[..3].iter().all(|c| *c != of[3]), "the branch");
    assert!(linked.report.refused > 0);
}

#[test]
fn judgements_bind_and_are_reversible_and_ids_stay() {
    let rows = [
        row("杭州康瑞医药有限公司", "", "王伟", "13912345678"),
        row("杭州康瑞医药有限责任公司", "", "王伟", "13912345678"),
        row("宁波华泰商贸有限公司", "", "李娜", "13787654321"),
    ];
    let mut linker = Linker::new(load(&rows), Model::shipped(&schema())).unwrap();
    let (a, c) = (linker.entity(0).unwrap(), linker.entity(2).unwrap());
    assert_eq!(linker.entity(1), Some(a));
    let events = linker.judge(0, 1, Judgement::Different).unwrap();
    assert_eq!(linker.entity(0), Some(a));
    let split = linker.entity(1).unwrap();
    assert_eq!(events, [Event::Split { from: a, into: split }]);
    // It binds what comes later.
    linker.add(
        0,
        &columns(&[row("杭州康瑞医药有限公司", "", "王伟", "13912345678")]),
    );
    assert_ne!(linker.entity(0), linker.entity(1));
    let events = linker.withdraw(0, 1);
    assert_eq!(linker.entity(0), linker.entity(1));
    assert!(
        events.iter().any(|e| matches!(e, Event::Merged { .. })),
        "{events:?}"
    );
    let events = linker.judge(0, 2, Judgement::Same).unwrap();
    assert_eq!(linker.entity(2), linker.entity(0));
    assert_eq!(events.len(), 1);
    linker.withdraw(0, 2);
    assert_ne!(linker.entity(2), linker.entity(0));
    assert_ne!(linker.entity(2), Some(c), "an id that is gone is not used again");
    assert_eq!(
        linker.judge(0, 0, Judgement::Same),
        Err(JudgementError::OneRecord)
    );
    assert_eq!(
        linker.judge(0, 9, Judgement::Same),
        Err(JudgementError::NoSuchRecord(9))
    );
}

#[test]
fn a_same_judgement_cannot_overrule_two_codes() {
    let (one, two) = (code(1), code(2));
    let rows = [
        row("杭州康瑞医药有限公司", &one, "", ""),
        row("杭州康瑞医药有限公司", &two, "", ""),
    ];
    let mut linker = Linker::new(load(&rows), Model::shipped(&schema())).unwrap();
    assert_eq!(linker.judge(0, 1, Judgement::Same), Err(JudgementError::TwoCodes));
}

#[test]
fn over_large_blocks_are_refined_and_told() {
    let mut rows = Vec::new();
    for n in 0..200u64 {
        rows.push(row(
            &format!("杭州康瑞医药有限公司第{n}号仓库"),
            "",
            "王伟",
            "13912345678",
        ));
    }
    let records = load(&rows);
    let mut model = Model::shipped(records.schema());
    model.block_records_max = 20;
    let linked = link(&records, &model, &Options::default()).unwrap();
    let phone = linked.report.rules.iter().find(|r| r.rule == "phone").unwrap();
    assert_eq!((phone.largest, phone.records), (200, 200));
    assert!(phone.refined > 0 && phone.pairs_set_aside > 0, "{phone:?}");
    assert!(linked.report.pairs < 199 * 100);
}

#[test]
fn a_model_round_trips_and_a_wrong_one_is_refused() {
    let model = Model::shipped(&schema());
    assert_eq!(Model::from_json(&model.to_json()).unwrap(), model);
    let refused = |text: &str| Model::from_json(text).map(|m| m.check(&schema())).err().is_some();
    assert!(refused("{}"));
    let mut other = model.clone();
    other.comparisons[0].output_column_name = "colour".to_owned();
    assert!(other.check(&schema()).unwrap_err().to_string().contains("colour"));
    let mut other = model.clone();
    other.blocking_rules_to_generate_predictions[0].keys = vec!["uscc:shouted".to_owned()];
    let records = load(&firms(3));
    assert!(
        link(&records, &other, &Options::default())
            .unwrap_err()
            .to_string()
            .contains("shouted")
    );
    let mut other = model;
    other.comparisons[0].comparison_levels[0].m_probability = 0.0;
    assert!(other.check(&schema()).is_err());
}

#[test]
fn training_is_repeatable_and_loses_nothing() {
    let rows = firms(300);
    let records = load(&rows);
    let shipped = Model::shipped(records.schema());
    let trained = train(&records, &shipped, &Options::default()).unwrap();
    assert_eq!(trained, train(&records, &shipped, &Options::default()).unwrap());
    assert_ne!(trained, shipped);
    let linked = link(&records, &trained, &Options::default()).unwrap();
    let found = partition(&rows, |at| u64::from(linked.clusters.cluster_of[at]));
    assert_eq!(found, partition(&rows, |at| rows[at].0));
}

#[test]
fn pairs_are_explained_in_both_languages() {
    let mut table = Table::new(["编号", "公司名称", "电话"].map(str::to_owned).to_vec());
    table.push(["甲", "杭州康瑞医药有限公司", "13912345678"].into_iter());
    table.push(["乙", "杭州康瑞医药有限责任公司", "139-1234-5678"].into_iter());
    table.push(["丙", "宁波华泰商贸有限公司", ""].into_iter());
    let request = Request {
        pairs_from: Some(0.5),
        ..Request::default()
    };
    let matched = match_tables(&[table], &request).unwrap();
    let clusters: Vec<&str> = matched.records.iter().map(|r| r.cluster_id.as_str()).collect();
    assert_eq!(clusters, ["C1", "C1", "C2"]);
    let pair = &matched.pairs[0];
    assert_eq!(
        (pair.left.as_str(), pair.right.as_str(), pair.joined),
        ("甲", "乙", true)
    );
    assert!(pair.explanation.zh.contains("名称：一致") && pair.explanation.en.contains("phone: the same"));
    let sum: f64 = pair.explanation.reasons.iter().map(|r| r.weight).sum();
    assert!((sum + pair.explanation.prior - pair.weight).abs() < 1e-3);
}
