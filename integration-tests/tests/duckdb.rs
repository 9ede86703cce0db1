//! Analysts attach the same lake with DuckDB, read-only, and see the same rows at the same snapshots.

use std::process::Command;

use integration_tests::{Office, python, root, text};
use serde_json::Value;

fn write_orders(dir: &std::path::Path, rows: &[(u32, &str, &str)]) {
    let mut csv =
        String::from("order_id,line_no,hospital_id,supplier_name,quantity,unit_price,amount,ordered_at\n");
    for (n, quantity, price) in rows {
        csv.push_str(&format!(
            "PO{n},1,H1,某某医药有限公司,{quantity},{price},10.00,2024-03-05\n"
        ));
    }
    std::fs::create_dir_all(dir).unwrap();
    std::fs::write(dir.join("purchase_orders.csv"), csv).unwrap();
}

const SUMS: &str = "select count(*) as rows, cast(sum(quantity) as varchar) as quantity, \
                    cast(sum(unit_price) as varchar) as unit_price, cast(sum(line_no) as varchar) as line_no from purchase_orders";

#[test]
fn duckdb_reads_the_same_rows_now_and_at_older_snapshots() {
    let office = Office::new();
    let files = office.dir.path().join("files");
    let sync = || {
        office
            .run(&["sync", "--files", files.to_str().unwrap()])
            .expect(&[0])
    };

    let first: Vec<(u32, &str, &str)> = (0..500).map(|n| (n, "2", "1.50")).collect();
    write_orders(&files, &first);
    sync();
    // Updates are deletes of the old rows and inserts of the new; then again, over the updated ones.
    let second: Vec<(u32, &str, &str)> = (0..500)
        .map(|n| (n, if n % 3 == 0 { "5" } else { "2" }, "1.50"))
        .collect();
    write_orders(&files, &second);
    sync();
    let third: Vec<(u32, &str, &str)> = (0..600)
        .map(|n| (n, if n % 2 == 0 { "7" } else { "2" }, "1.75"))
        .collect();
    write_orders(&files, &third);
    sync();

    let snapshots: Vec<i64> = office
        .run(&["snapshots", "--format", "json"])
        .expect(&[0])
        .json_lines()
        .iter()
        .map(|s| s["snapshot"].as_i64().expect("a snapshot number"))
        .collect();
    assert!(snapshots.len() >= 3, "{snapshots:?}");

    let mut compared = 0;
    for snapshot in snapshots {
        let at = snapshot.to_string();
        let ours = office.run(&["sql", SUMS, "--at", &at, "--format", "json"]);
        if ours.code != Some(0) {
            continue; // before the first sync there is nothing to compare
        }
        let ours = &ours.json_lines()[0];
        if ours["rows"] == 0 {
            continue;
        }
        let output = Command::new(python())
            .arg(root().join("integration-tests/py/duckdb_attach.py"))
            .arg(office.data().join("catalog.sqlite"))
            .arg(&at)
            .output()
            .expect("python starts");
        assert!(
            output.status.success(),
            "snapshot {at}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let theirs: Value = String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("a JSON object a line"))
            .find(|table| table["table"] == "purchase_orders")
            .expect("DuckDB sees the table");
        assert_eq!(text(&ours["rows"]), text(&theirs["rows"]), "snapshot {at}");
        for column in ["quantity", "unit_price", "line_no"] {
            assert_eq!(
                text(&ours[column]),
                text(&theirs["sums"][column]),
                "snapshot {at}, {column}"
            );
        }
        compared += 1;
    }
    assert!(compared >= 3, "only {compared} snapshots could be compared");
}
