//! Bad usage and bad input on the command line: exit status, words, and nothing lost.

use integration_tests::{Office, text};

#[test]
fn exit_status_2_and_a_helpful_sentence_for_bad_usage() {
    let office = Office::new();
    let missing = office.run(&["sync", "--files", "/no/such/folder"]).expect(&[2]);
    assert!(missing.stderr.contains("/no/such/folder"), "{}", missing.stderr);
    office.run(&["run", "--as-of", "2024-02-30"]).expect(&[2]);
    office.run(&["no-such-command"]).expect(&[2]);
    let unknown = office
        .run(&["run", "--rule", "NO-99", "--as-of", "2024-02-01"])
        .expect(&[2]);
    assert!(unknown.stderr.contains("NO-99"), "{}", unknown.stderr);
    assert!(unknown.stderr.contains("没有这条规则"), "{}", unknown.stderr);
    let unknown = office
        .run(&["--lang", "en", "run", "--rule", "NO-99", "--as-of", "2024-02-01"])
        .expect(&[2]);
    assert!(unknown.stderr.is_ascii(), "{}", unknown.stderr);
    let alert = office.run(&["alerts", "show", "A-0000000000000000-1"]);
    assert_ne!(alert.code, Some(0), "{}", alert.stdout);
    assert!(alert.stderr.contains("A-0000000000000000-1"), "{}", alert.stderr);
}

#[test]
fn an_empty_lake_is_not_evaluable_and_never_clean() {
    let office = Office::new();
    let run = office.run(&["run", "--as-of", "2024-02-01"]).expect(&[3]);
    assert!(run.stdout.contains("NOT_EVALUABLE"), "{}", run.stdout);
    assert!(!run.stdout.contains("EVALUATED "), "{}", run.stdout);
}

#[test]
fn a_data_directory_that_is_not_there_is_no_empty_one() {
    let office = Office::new();
    std::fs::remove_dir(office.data()).expect("it was empty");
    for command in [&["alerts", "list"][..], &["runs"], &["sql", "select 1"]] {
        let done = office.run(command).expect(&[1]);
        assert!(done.stderr.contains("does not exist"), "{done:?}");
        assert!(!office.data().exists());
    }
}

#[test]
fn sql_is_one_read_only_select() {
    let office = Office::new();
    for bad in [
        "drop table purchase_orders",
        "insert into purchase_orders values (1)",
        "select 1; select 2",
        "create table x as select 1",
        "copy (select 1) to '/tmp/lianjing-must-not-exist.csv'",
        "set datafusion.execution.target_partitions = 1",
        "select * from '/etc/passwd'",
        "select no_such_column from purchase_orders",
    ] {
        let done = office.run(&["sql", bad]);
        assert!(done.code == Some(2) || done.code == Some(1), "{bad}: {done:?}");
        assert!(!done.stderr.trim().is_empty(), "{bad} must say why");
    }
    assert!(!std::path::Path::new("/tmp/lianjing-must-not-exist.csv").exists());
    assert_eq!(office.sql("select 1 + 1 as two")[0]["two"], 2);
}

#[test]
fn a_csv_is_marked_for_spreadsheets_where_that_is_asked_for() {
    let office = Office::new();
    let csv = |more: &[&str]| {
        let args = [&["sql", "select '=1+1' as 甲, 2 as b", "--format", "csv"], more].concat();
        office.run(&args).expect(&[0]).stdout
    };
    assert_eq!(csv(&[]), "甲,b\n'=1+1,2\n");
    assert_eq!(csv(&["--bom"]), "\u{feff}甲,b\n'=1+1,2\n");
}

#[test]
fn broken_rows_go_to_quarantine_with_their_bytes_and_the_rest_is_kept() {
    let office = Office::new();
    let files = office.dir.path().join("files");
    std::fs::create_dir_all(&files).unwrap();
    let mut csv = String::from("采购单号,行号,医院编号,供应商名称,数量,单价,金额,采购日期,采购渠道\n");
    for n in 0..400 {
        let (quantity, date, channel) = match n {
            100 => ("很多", "2024-01-02", "线上"),
            200 => ("1", "2024-13-45", "线上"),
            300 => ("1", "2024-01-02", "信鸽"),
            _ => ("１", "2024年1月2日", "线上"),
        };
        csv.push_str(&format!(
            "D{n},1,H1,甲医药有限公司,{quantity},\"1,234.50元\",1234.5,{date},{channel}\n"
        ));
    }
    std::fs::write(files.join("purchase_orders.csv"), csv).unwrap();
    let sync = office
        .run(&["sync", "--files", files.to_str().unwrap(), "--format", "json"])
        .expect(&[3]);
    assert!(sync.stdout.contains("purchase_orders"), "{}", sync.stdout);
    let kept = office.sql(
        "select count(*) as n, min(unit_price) as p, min(cast(quantity as int)) as q from purchase_orders",
    );
    assert_eq!(text(&kept[0]["n"]), "397");
    assert_eq!(text(&kept[0]["p"]), "1234.5000");
    assert_eq!(text(&kept[0]["q"]), "1");
    let quarantined =
        office.sql("select field, reason, row, cast(raw as varchar) as raw from _quarantine order by row");
    assert_eq!(quarantined.len(), 3, "{quarantined:?}");
    for (row, (field, line, part)) in quarantined.iter().zip([
        ("quantity", 102, "很多"),
        ("ordered_at", 202, "2024-13-45"),
        ("channel", 302, "信鸽"),
    ]) {
        assert_eq!(row["field"], field, "{row}");
        assert_eq!(row["row"], line, "{row}");
        assert!(text(&row["raw"]).contains(part), "{row}");
    }
}

#[test]
fn a_sync_over_the_quarantine_limit_fails_and_changes_nothing() {
    let office = Office::new();
    let files = office.dir.path().join("files");
    std::fs::create_dir_all(&files).unwrap();
    let mut csv = String::from("order_id,line_no,hospital_id,quantity\n");
    for n in 0..100 {
        csv.push_str(&format!("D{n},1,H1,{}\n", if n % 10 == 0 { "x" } else { "1" }));
    }
    std::fs::write(files.join("purchase_orders.csv"), csv).unwrap();
    let sync = office
        .run(&["sync", "--files", files.to_str().unwrap()])
        .expect(&[1]);
    assert!(sync.stderr.contains("10"), "names the share: {}", sync.stderr);
    assert_eq!(
        text(&office.sql("select count(*) as n from purchase_orders")[0]["n"]),
        "0"
    );
}

#[test]
fn every_rule_passes_its_cases_and_lint_finds_nothing() {
    let office = Office::new();
    office.run(&["rules", "test"]).expect(&[0]);
    office.run(&["rules", "lint"]).expect(&[0]);
}

#[test]
fn two_processes_do_not_share_a_data_directory() {
    let office = Office::new();
    let server = office.serve();
    let second = office.run(&["run", "--as-of", "2024-01-01"]);
    assert!(second.code == Some(1) || second.code == Some(2), "{second:?}");
    assert!(
        second.stderr.contains("--server"),
        "says to use the running server: {}",
        second.stderr
    );
    assert!(second.stderr.contains("数据目录正被"), "{}", second.stderr);
    drop(server);
}
