//! What is written, read back with plain tools: its size, its sameness, and that the everyday rows break
//! no rule while each planted one does.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use generate::{Error, Options, RowKey, Truth, generate, shuffle};
use tempfile::TempDir;

const LINES: u64 = 30_000;

fn province(seed: u64, change: impl FnOnce(&mut Options)) -> (TempDir, Truth) {
    let dir = tempfile::tempdir().unwrap();
    let mut options = Options::new(dir.path().join("p"), LINES, seed);
    change(&mut options);
    generate(&options).unwrap();
    let truth = Truth::read(&options.dir.join("truth.json")).unwrap();
    (dir, truth)
}

fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    std::fs::read_dir(dir.join("p"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().into(), std::fs::read(&path).unwrap()))
        .collect()
}

/// All rows of the parts of one long file, by Chinese header.
fn rows(dir: &Path, stem: &str) -> Vec<HashMap<String, String>> {
    let mut all = Vec::new();
    for (name, bytes) in files(dir) {
        if !name.to_string_lossy().starts_with(stem) {
            continue;
        }
        let text = if bytes.starts_with("\u{feff}".as_bytes()) {
            String::from_utf8(bytes[3..].to_vec()).unwrap()
        } else {
            let (text, _, broken) = encoding_rs::GB18030.decode(&bytes);
            assert!(!broken, "{name:?} is not GB18030");
            text.into_owned()
        };
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        all.extend(
            reader
                .deserialize::<HashMap<String, String>>()
                .map(Result::unwrap),
        );
    }
    all
}

fn half_width(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '！'..='～' => char::from_u32(c as u32 - 0xFF01 + 0x21).unwrap(),
            other => other,
        })
        .filter(|c| *c != ',' && *c != '元')
        .collect()
}

fn quantity(row: &HashMap<String, String>) -> u64 {
    half_width(&row["采购数量"]).parse().unwrap()
}

fn line_key(row: &HashMap<String, String>) -> (String, u64) {
    (row["采购单号"].clone(), row["行号"].parse().unwrap())
}

fn lines_of<'a>(rows: impl Iterator<Item = &'a RowKey>) -> HashSet<(String, u64)> {
    rows.filter(|r| r.dataset == "purchase_orders")
        .map(|r| {
            (
                r.key["order_id"].as_str().unwrap().to_owned(),
                r.key["line_no"].as_u64().unwrap(),
            )
        })
        .collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_does_not() {
    let (first, _) = province(5, |_| {});
    let (again, _) = province(5, |_| {});
    let (other, _) = province(6, |_| {});
    let (a, b, c) = (files(first.path()), files(again.path()), files(other.path()));
    for (name, bytes) in &a {
        assert!(b[name] == *bytes, "{name:?} differs");
    }
    assert_eq!(a.len(), b.len());
    assert!(a[Path::new("purchase_orders-part-0001.csv")] != c[Path::new("purchase_orders-part-0001.csv")]);
}

#[test]
fn there_are_exactly_as_many_lines_as_asked_for_in_parts() {
    let (dir, truth) = province(1, |o| o.rows_per_file = 8_000);
    let purchases = rows(dir.path(), "purchase_orders");
    assert_eq!(purchases.len() as u64, LINES);
    assert_eq!(truth.orders, LINES);
    let keys: HashSet<_> = purchases.iter().map(line_key).collect();
    assert_eq!(keys.len() as u64, LINES, "an order line stands twice");
    let parts = files(dir.path())
        .keys()
        .filter(|n| n.to_string_lossy().starts_with("purchase_orders"))
        .count();
    assert!((3..=4).contains(&parts), "{parts} parts");
    let platform = rows(dir.path(), "platform_orders");
    let ids: HashSet<_> = platform.iter().map(|r| r["平台订单号"].clone()).collect();
    assert_eq!(ids.len(), platform.len(), "a platform order stands twice");
}

#[test]
fn shuffling_moves_rows_and_changes_none() {
    let (dir, _) = province(1, |_| {});
    let before = files(dir.path());
    shuffle(&dir.path().join("p"), 9).unwrap();
    for (name, bytes) in files(dir.path()) {
        let sorted = |bytes: &[u8]| {
            let mut lines: Vec<Vec<u8>> = bytes.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
            let header = lines.first().cloned();
            lines.sort();
            (
                header.filter(|_| name.extension().is_some_and(|e| e == "csv")),
                lines,
            )
        };
        assert_eq!(sorted(&bytes), sorted(&before[&name]), "{name:?}");
        let is_long = name.to_string_lossy().starts_with("p") && name.extension().is_some_and(|e| e == "csv");
        assert!(!is_long || bytes != before[&name], "{name:?} was not shuffled");
    }
}

#[test]
fn an_unplanted_province_has_an_empty_truth() {
    let (_dir, truth) = province(2, |o| o.plant = false);
    assert!(truth.planted.is_empty() && truth.decoys.is_empty());
}

#[test]
fn a_folder_with_files_and_too_few_lines_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("x"), "x").unwrap();
    assert!(matches!(
        generate(&Options::new(dir.path(), 1000, 1)),
        Err(Error::NotEmpty { .. })
    ));
    let small = Options::new(dir.path().join("small"), 10, 1);
    assert!(matches!(generate(&small), Err(Error::TooFewLines { .. })));
    assert_eq!(
        std::fs::read_dir(&small.dir).unwrap().count(),
        0,
        "files of a refused province"
    );
}

#[test]
fn every_shipped_rule_has_violations_and_near_misses() {
    let (_dir, truth) = province(3, |_| {});
    let rules = [
        "OFF-01", "OFF-02", "PRC-03", "SUP-01", "SUP-02", "SUP-03", "SUP-04", "TEN-03", "TEN-04", "TEN-05",
        "TEN-06", "TEN-07", "COL-01", "COL-03", "COL-04", "COL-06", "COL-08", "COL-10", "REL-01", "REL-02",
        "REL-05",
    ];
    for rule in rules {
        assert!(
            truth.planted.iter().any(|p| p.rule == rule),
            "no violation of {rule}"
        );
        assert!(
            truth.decoys.iter().any(|d| d.near == rule),
            "no near miss of {rule}"
        );
    }
    assert!(truth.planted.iter().all(|p| !p.rows.is_empty()));
    let unlawful: HashSet<String> = truth
        .planted
        .iter()
        .flat_map(|p| &p.rows)
        .map(|r| format!("{r:?}"))
        .collect();
    for decoy in &truth.decoys {
        assert!(!decoy.rows.is_empty());
        for row in &decoy.rows {
            assert!(
                !unlawful.contains(&format!("{row:?}")),
                "{row:?} is both planted and lawful"
            );
        }
    }
}

/// Each everyday line with a platform number is covered by that order, sums and all.
#[test]
fn everyday_lines_stand_on_the_platform_and_planted_ones_do_not() {
    let (dir, truth) = province(4, |_| {});
    let planted = lines_of(
        truth
            .planted
            .iter()
            .filter(|p| p.rule == "OFF-01")
            .flat_map(|p| &p.rows),
    );
    let lawful = lines_of(truth.decoys.iter().flat_map(|d| &d.rows));
    let purchases = rows(dir.path(), "purchase_orders");
    let platform: HashMap<String, HashMap<String, String>> = rows(dir.path(), "platform_orders")
        .into_iter()
        .map(|row| (row["平台订单号"].clone(), row))
        .collect();
    // What each platform order was bought in, per hospital: a borrowed number is not the owner's business.
    let mut bought: HashMap<(String, String), u64> = HashMap::new();
    for row in &purchases {
        let key = (row["平台订单号"].clone(), row["医疗机构编号"].clone());
        *bought.entry(key).or_default() += quantity(row);
    }
    let (mut covered, mut numbered) = (0, 0);
    for row in &purchases {
        let (number, hospital) = (&row["平台订单号"], &row["医疗机构编号"]);
        // Without a number, or with two in the cell, it takes the sums of the test below.
        if number.is_empty() || number.contains(';') {
            continue;
        }
        numbered += 1;
        let is_covered = platform.get(number).is_some_and(|order| {
            order["医疗机构编号"] == *hospital
                && order["医保编码"] == row["医保编码"]
                && !["已取消", "作废"].contains(&order["订单状态"].as_str())
                && quantity(order) == bought[&(number.clone(), hospital.clone())]
        });
        let key = line_key(row);
        assert_eq!(is_covered, !planted.contains(&key), "{row:?}");
        covered += u64::from(is_covered);
    }
    assert!(numbered > LINES * 9 / 10);
    assert!(covered > LINES * 9 / 10);
    assert!(planted.len() > 15 && lawful.is_disjoint(&planted));
}

/// Everyday lines whose number nobody kept are found by hospital, product and date, with the same sum, and
/// nothing else of that product is near.
#[test]
fn everyday_lines_without_a_number_are_covered_in_sum() {
    let (dir, _) = province(4, |o| o.plant = false);
    let day = |text: &str| -> i64 {
        let text = half_width(text);
        let digits: Vec<&str> = text
            .split(|c: char| !c.is_ascii_digit())
            .filter(|p| !p.is_empty())
            .collect();
        let (y, m, d): (i32, u32, u32) = if digits[0].len() == 8 {
            (
                digits[0][..4].parse().unwrap(),
                digits[0][4..6].parse().unwrap(),
                digits[0][6..].parse().unwrap(),
            )
        } else {
            (
                digits[0].parse().unwrap(),
                digits[1].parse().unwrap(),
                digits[2].parse().unwrap(),
            )
        };
        let on = chrono::NaiveDate::from_ymd_opt(y, m, d).unwrap();
        on.signed_duration_since(chrono::NaiveDate::default()).num_days()
    };
    let key = |r: &HashMap<String, String>| (r["医疗机构编号"].clone(), r["医保编码"].clone());
    let mut ordered: HashMap<(String, String), Vec<(i64, u64)>> = HashMap::new();
    for row in rows(dir.path(), "platform_orders") {
        ordered
            .entry(key(&row))
            .or_default()
            .push((day(&row["下单时间"]), quantity(&row)));
    }
    let mut found = 0;
    for row in rows(dir.path(), "purchase_orders") {
        if !row["平台订单号"].is_empty() || row["采购方式"] != "平台采购" {
            continue;
        }
        found += 1;
        let on = day(&row["采购时间"]);
        let near: u64 = ordered[&key(&row)]
            .iter()
            .filter(|(d, _)| (d - on).abs() <= 15)
            .map(|(_, q)| q)
            .sum();
        assert_eq!(near, quantity(&row), "{row:?}");
    }
    assert!(found > 100, "{found}");
}

/// Separators, units, full width, other spellings, holes, and dates in five styles.
#[test]
fn exports_are_as_untidy_as_real_ones() {
    let (dir, _) = province(4, |_| {});
    let purchases = rows(dir.path(), "purchase_orders");
    let any = |test: &dyn Fn(&HashMap<String, String>) -> bool| purchases.iter().any(test);
    assert!(any(
        &|r| r["金额(元)"].contains('元') && r["金额(元)"].contains(',')
    ));
    assert!(any(&|r| r["采购数量"].contains('１')));
    assert!(any(&|r| r["供应商名称"].ends_with('\u{3000}')));
    assert!(any(&|r| r["供应商名称"].contains("有限责任公司")) && any(&|r| r["供应商名称"].contains('(')));
    assert!(any(&|r| r["供应商信用代码"].is_empty()) && any(&|r| r["供应商编号"].is_empty()));
    assert!(any(
        &|r| r["供应商信用代码"].contains(|c: char| c.is_ascii_lowercase())
    ));
    for mark in ["-", "/", "年", "."] {
        assert!(any(&|r| r["采购时间"].contains(mark)), "no date with {mark}");
    }
    assert!(any(&|r| r["采购时间"].len() == 8));
    // A name stands in every row: where the code is missing it still identifies.
    assert!(purchases.iter().all(|r| !r["供应商名称"].is_empty()));
}
