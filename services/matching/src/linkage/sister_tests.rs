//! Sister firms and namesakes: what must stay apart, in whole files and as records arrive.

use proptest::prelude::*;

use super::*;

fn table(header: &[&str], rows: &[Vec<&str>]) -> Table {
    let mut table = Table::new(header.iter().map(|h| (*h).to_owned()).collect());
    for row in rows {
        table.push(row.iter().copied());
    }
    table
}

fn matched(header: &[&str], rows: &[Vec<&str>]) -> Matched {
    let request = Request {
        pairs_from: Some(0.5),
        ..Request::default()
    };
    match_tables(&[table(header, rows)], &request).unwrap()
}

/// The clusters by the place of their rows, each ascending, sorted.
fn clusters(found: &Matched) -> Vec<Vec<usize>> {
    let mut groups: std::collections::BTreeMap<&str, Vec<usize>> = std::collections::BTreeMap::new();
    for (at, row) in found.records.iter().enumerate() {
        groups.entry(&row.cluster_id).or_default().push(at);
    }
    let mut out: Vec<Vec<usize>> = groups.into_values().collect();
    out.sort();
    out
}

#[track_caller]
fn check(header: &[&str], rows: &[Vec<&str>], want: &[&[usize]]) -> Matched {
    let found = matched(header, rows);
    assert_eq!(clusters(&found), want);
    found
}

const FIRM: [&str; 3] = ["公司名称", "地址", "电话"];

#[test]
fn a_short_name_of_several_sister_firms_stays_apart_and_is_told() {
    let rows = [
        vec!["康瑞医药", "", ""],
        vec!["杭州康瑞医药有限公司", "杭州市西湖区文三路100号", ""],
        vec!["宁波康瑞医药有限公司", "宁波市海曙区中山路8号", ""],
        vec!["温州康瑞医药有限公司", "温州市鹿城区人民路66号", ""],
    ];
    let found = check(&FIRM, &rows, &[&[0], &[1], &[2], &[3]]);
    assert_eq!(found.report.short_names, 3);
    assert!(found.records[0].confidence < 0.1);
    assert!(
        found
            .pairs
            .iter()
            .all(|p| !p.joined && p.explanation.zh.contains("简称可指多家企业"))
    );
    assert!(found.pairs[0].explanation.en.contains("several firms"));
    let (zh, en) = &found.report.notices()[0];
    assert!(zh.contains("简称") && en.contains("sister firms"));
}

#[test]
fn pairs_of_sisters_stay_apart_through_any_short_name() {
    for (short, one, two) in [
        (
            "联影智元医疗",
            "上海联影智元医疗科技有限公司",
            "南京联影智元医疗科技有限公司",
        ),
        ("华康药业", "浙江华康药业股份有限公司", "四川华康药业有限公司"),
        ("康瑞医药有限公司", "杭州康瑞医药有限公司", "宁波康瑞医药有限公司"),
        ("康瑞医药", "杭州康瑞医药", "宁波康瑞医药"),
    ] {
        check(
            &["公司名称"],
            &[vec![one], vec![short], vec![two]],
            &[&[0], &[1], &[2]],
        );
        let rows = [vec![one], vec![short], vec![two], vec![short]];
        check(&["公司名称"], &rows, &[&[0], &[1, 3], &[2]]);
    }
}

#[test]
fn a_short_name_of_one_firm_joins_it() {
    let rows = [
        vec!["康瑞医药"],
        vec!["杭州康瑞医药有限公司"],
        vec!["宁波华泰商贸有限公司"],
    ];
    check(&["公司名称"], &rows, &[&[0, 1], &[2]]);
    let rows = [
        vec!["康瑞医药"],
        vec!["杭州康瑞医药有限公司"],
        vec!["杭州康瑞医药有限责任公司"],
    ];
    check(&["公司名称"], &rows, &[&[0, 1, 2]]);
}

#[test]
fn a_column_of_companies_holds_no_persons_however_short_their_names() {
    let rows = [vec!["康瑞医药"], vec!["康瑞医药"], vec!["杭州康瑞医药有限公司"]];
    check(&["公司名称"], &rows, &[&[0, 1, 2]]);
    check(&["名称"], &[vec!["张伟"], vec!["张伟"]], &[&[0], &[1]]);
}

#[test]
fn a_second_field_tells_whose_short_name_it_is() {
    let rows = [
        vec!["康瑞医药", "", "13912345678"],
        vec!["杭州康瑞医药有限公司", "", "13787654321"],
        vec!["宁波康瑞医药有限公司", "", "13912345678"],
        vec!["康瑞医药", "", ""],
    ];
    // The last row does not come to Ningbo by way of the first.
    check(&FIRM, &rows, &[&[0, 2], &[1], &[3]]);
}

#[test]
fn namesakes_need_a_number_or_a_second_field() {
    let names = [
        vec!["1", "张伟"],
        vec!["2", "张伟"],
        vec!["3", "王芳"],
        vec!["4", "王芳"],
        vec!["5", "李明"],
    ];
    let found = check(&["编号", "姓名"], &names, &[&[0], &[1], &[2], &[3], &[4]]);
    assert_eq!(found.report.names_alone, 2);
    assert!(found.pairs.iter().all(|p| p.explanation.zh.contains("证件号")));
    let header = ["姓名", "身份证号", "手机", "城市"];
    let rows = [
        vec!["张伟", "11010519491231002X", "13912345678", "北京"],
        vec!["张伟", "", "13787654321", "杭州"],
        vec!["张伟", "", "", ""],
        vec!["张伟", "", "13912345678", ""],
        vec!["张玮", "11010519491231002X", "", ""],
    ];
    check(&header, &rows, &[&[0, 3, 4], &[1], &[2]]);
}

#[test]
fn colleagues_are_not_one_person() {
    let header = ["姓名", "单位名称", "电话"];
    let rows = [
        vec!["张伟", "杭州康瑞医药有限公司", "057188001234"],
        vec!["李娜", "杭州康瑞医药有限公司", "057188001234"],
        vec!["张伟", "杭州康瑞医药有限公司", ""],
    ];
    check(&header, &rows, &[&[0, 2], &[1]]);
}

#[test]
fn a_common_name_is_not_rare_in_a_small_file() {
    let field = Field {
        name: "person_name".to_owned(),
        kind: FieldKind::PersonName,
    };
    let mut records = Records::new(Schema { fields: vec![field] });
    records.extend(0, &[vec!["张伟", "张伟", "上官云珠", "上官云珠"]]);
    let model = Model::shipped(records.schema());
    let scorer = Scorer::new(&model, &records);
    let weight = |a, b| scorer.score(a, b, -100.0).unwrap().weight;
    assert!(weight(0, 1) + 2.0 < weight(2, 3));
}

#[test]
fn a_reviewer_says_whose_short_name_it_is() {
    let rows = ["康瑞医药", "杭州康瑞医药有限公司", "宁波康瑞医药有限公司"]
        .map(|name| [name.to_owned(), String::new(), String::new()]);
    let mut records = Records::new(schema());
    records.extend(0, &by_columns(&rows));
    let mut linker = Linker::new(records, Model::shipped(&schema())).unwrap();
    let entities = |linker: &Linker| [0, 1, 2].map(|at| linker.entity(at).unwrap());
    let [short, one, two] = entities(&linker);
    assert!(short != one && short != two && one != two);
    linker.judge(0, 1, Judgement::Same).unwrap();
    let [short, one, two] = entities(&linker);
    assert!(short == one && one != two);
    linker.withdraw(0, 1);
    linker.judge(1, 2, Judgement::Same).unwrap();
    let [short, one, two] = entities(&linker);
    assert!(
        short == one && one == two,
        "there is one firm left that it can be"
    );
}

/// Short and full names of sister firms, with telephones that some share.
fn row() -> impl Strategy<Value = [String; 3]> {
    [
        "(杭州|宁波|浙江)?(康瑞|华康)(医药|药业)?(有限公司|股份有限公司)?",
        "|1391234567[89]|13787654321",
        "|杭州市西湖区文三路1号|宁波市海曙区中山路8号",
    ]
}

fn by_columns(rows: &[[String; 3]]) -> Vec<Vec<&str>> {
    (0..3)
        .map(|f| rows.iter().map(|r| r[f].as_str()).collect())
        .collect()
}

fn schema() -> Schema {
    let field = |name: &str, kind| Field {
        name: name.to_owned(),
        kind,
    };
    Schema {
        fields: vec![
            field("name", FieldKind::OrgName),
            field("phone", FieldKind::Phone),
            field("address", FieldKind::Address),
        ],
    }
}

fn partition(rows: &[[String; 3]], cluster_of: impl Fn(usize) -> u64) -> Vec<Vec<[String; 3]>> {
    let mut groups: std::collections::BTreeMap<u64, Vec<[String; 3]>> = std::collections::BTreeMap::new();
    for (at, row) in rows.iter().enumerate() {
        groups.entry(cluster_of(at)).or_default().push(row.clone());
    }
    let mut out: Vec<_> = groups.into_values().collect();
    out.iter_mut().for_each(|g| g.sort());
    out.sort();
    out
}

fn link_rows(rows: &[[String; 3]]) -> (Records, Linked) {
    let mut records = Records::new(schema());
    records.extend(0, &by_columns(rows));
    let linked = link(&records, &Model::shipped(records.schema()), &Options::default()).unwrap();
    (records, linked)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_cluster_holds_sisters_and_the_order_of_rows_decides_nothing(
        (rows, turned) in proptest::collection::vec(row(), 2..12)
            .prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
    ) {
        let (records, linked) = link_rows(&rows);
        let of = |at: usize| u64::from(linked.clusters.cluster_of[at]);
        let model = Model::shipped(records.schema());
        let scorer = Scorer::new(&model, &records);
        for a in 0..rows.len() as u32 {
            for b in a + 1..rows.len() as u32 {
                let related = scorer.pattern(a, b).get(0) == Level::Related;
                if related && of(a as usize) == of(b as usize) {
                    let weight = scorer.score(a, b, -1000.0).map_or(-1000.0, |s| s.weight);
                    prop_assert!(
                        probability(weight) >= APART_PROBABILITY_MAX
                            || whole(&rows[a as usize]) && whole(&rows[b as usize]) && all_whole(&rows, &linked, a),
                        "{:?} {:?}", rows[a as usize], rows[b as usize],
                    );
                }
            }
        }
        let found = partition(&rows, of);
        let (_, again) = link_rows(&turned);
        prop_assert_eq!(&partition(&turned, |at| u64::from(again.clusters.cluster_of[at])), &found);
    }

    #[test]
    fn arrival_one_by_one_gives_what_the_whole_gives(rows in proptest::collection::vec(row(), 2..8)) {
        let mut model = Model::shipped(&schema());
        // Frequencies and the prior of a handful of records change with each.
        model.probability_two_random_records_match = Some(0.5 / (rows.len() - 1) as f64);
        model.comparisons.iter_mut().for_each(|c| c.term_frequency_adjustments = false);
        let mut records = Records::new(schema());
        records.extend(0, &by_columns(&rows));
        let linked = link(&records, &model, &Options::default()).unwrap();
        let mut records = Records::new(schema());
        records.extend(0, &by_columns(&rows[..1]));
        let mut linker = Linker::new(records, model).unwrap();
        for row in &rows[1..] {
            linker.add(0, &by_columns(std::slice::from_ref(row)));
        }
        prop_assert_eq!(
            partition(&rows, |at| linker.entity(at as u32).unwrap()),
            partition(&rows, |at| u64::from(linked.clusters.cluster_of[at]))
        );
    }
}

/// Whether a name has both region and legal form.
fn whole(row: &[String; 3]) -> bool {
    ["杭州", "宁波", "浙江"].iter().any(|p| row[0].starts_with(p)) && row[0].ends_with("公司")
}

fn all_whole(rows: &[[String; 3]], linked: &Linked, of: u32) -> bool {
    let cluster = linked.clusters.cluster_of[of as usize];
    (0..rows.len()).all(|at| linked.clusters.cluster_of[at] != cluster || whole(&rows[at]))
}
