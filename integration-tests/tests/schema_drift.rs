//! A source that changes its columns: what a sync finds is an event on record, shown once by `source runs`, `source status`
//! and the metrics.

use integration_tests::{Office, text};
use serde_json::Value;
use test_servers::database::{Server, fresh_name};

/// (change, place) of each event, by sync, newest first.
fn drift(office: &Office) -> Vec<Vec<(String, String)>> {
    let runs = office
        .run(&["source", "runs", "s", "--format", "json"])
        .expect(&[0])
        .json_lines();
    runs.iter().map(|run| events(&run["drift"])).collect()
}

fn events(of: &Value) -> Vec<(String, String)> {
    let each = of.as_array().into_iter().flatten();
    each.map(|e| (text(&e["change"]), text(&e["place"]))).collect()
}

fn status(office: &Office) -> Value {
    office
        .run(&["source", "status", "s", "--format", "json"])
        .expect(&[0, 3])
        .json_lines()
        .remove(0)
}

#[test]
fn a_column_that_comes_or_goes_in_files_is_told_once() {
    let office = Office::with_sources(
        "[sources.s]\nkind = \"files\"\n[sources.s.config]\ndir = \"../drop\"\nmapping = \"../mapping.toml\"\n",
    );
    let drop = office.dir.path().join("drop");
    std::fs::create_dir(&drop).expect("a folder");
    let write = |name: &str, content: &str| std::fs::write(drop.join(name), content).expect("a file");
    std::fs::write(
        office.dir.path().join("mapping.toml"),
        "[[file]]\nglob = \"orders*.csv\"\ndataset = \"purchase_orders\"\n[file.columns]\namount = \"total\"\n",
    )
    .expect("a mapping");
    write("orders1.csv", "order_id,line_no,total,mood\nP1,1,10.00,good\n");
    office.run(&["sync", "s"]).expect(&[0]);
    assert_eq!(drift(&office), [vec![]], "how a source is at first is no change");
    // A second file with the same column that is passed over is no news; another column is.
    write("orders2.csv", "order_id,line_no,total,mood\nP2,1,10.00,good\n");
    office.run(&["sync", "s"]).expect(&[0]);
    write(
        "orders3.csv",
        "order_id,line_no,total,mood,weather\nP3,1,10.00,good,fair\n",
    );
    office.run(&["sync", "s"]).expect(&[0]);
    office.run(&["sync", "s"]).expect(&[0]);
    let found = drift(&office);
    assert_eq!(found[0], [], "{found:?}");
    assert_eq!(
        found[1],
        [("COLUMN_NEW".to_owned(), "orders3.csv: weather".to_owned())],
        "{found:?}"
    );
    assert_eq!(found[2], [], "{found:?}");
    assert_eq!(events(&status(&office)["drift"]), found[1]);
    // A mapped column is renamed: one is gone and one is new.
    write(
        "orders3.csv",
        "order_id,line_no,sum,mood,weather\nP3,1,10.00,good,fair\n",
    );
    office.run(&["sync", "s"]).expect(&[0]);
    let newest = drift(&office).remove(0);
    assert!(
        newest
            .iter()
            .any(|(change, place)| change == "COLUMN_GONE" && place.contains("orders3.csv")),
        "{newest:?}"
    );
    assert!(
        newest.contains(&("COLUMN_NEW".to_owned(), "orders3.csv: sum".to_owned())),
        "{newest:?}"
    );
    assert_eq!(events(&status(&office)["drift"]), newest);
}

/// A table of orders on the test's PostgreSQL, and the office that reads it.
fn orders(config: &str) -> (Office, String) {
    let (server, name) = (Server::postgres(), fresh_name());
    server.psql("postgres", &format!("create database {name}"));
    server.psql(
        &name,
        "create table po (order_id text, line_no int, amount numeric(12,2), version int);
         insert into po select 'PO' || n, 1, n, n / 3 from generate_series(1, 300) n;",
    );
    let toml = format!(
        "[sources.s]\nkind = \"database\"\n[sources.s.config]\nconnection = {{ url = {:?} }}\nlimits = {{ fetch_rows = 50 }}\n\
         [[sources.s.config.streams]]\ndataset = \"purchase_orders\"\ncursor = \"version\"\n\
         query = \"select * from po\"\n{config}",
        server.postgres_url("lianjing", &name)
    );
    (Office::with_sources(&toml), name)
}

#[test]
fn a_database_tells_new_columns_other_types_and_lost_ones() {
    let (office, name) = orders("");
    let alter = |sql: &str| Server::postgres().psql(&name, sql);
    office.run(&["sync", "s"]).expect(&[0]);
    assert_eq!(drift(&office), [vec![]]);
    alter("alter table po add column mood text");
    office.run(&["sync", "s"]).expect(&[0]);
    alter("alter table po alter column amount type text using amount::text");
    office.run(&["sync", "s"]).expect(&[0]);
    alter("alter table po rename column amount to total");
    // The sync fails, and what it found stays all the same.
    let failed = office.run(&["sync", "s"]).expect(&[2]);
    assert!(failed.stderr.contains("SCHEMA_DRIFT"), "{}", failed.stderr);
    let found = drift(&office);
    let changes: Vec<Vec<&str>> = found
        .iter()
        .map(|run| run.iter().map(|(change, _)| change.as_str()).collect())
        .collect();
    assert_eq!(
        changes,
        [
            vec!["COLUMN_GONE"],
            vec!["TYPE_CHANGED"],
            vec!["COLUMN_NEW"],
            vec![]
        ],
        "{found:?}"
    );
    assert!(
        found[2][0].1.contains("mood") && found[1][0].1.contains("amount"),
        "{found:?}"
    );
    // Its words are for a person, in both languages.
    let shown = office.run(&["source", "runs", "s", "--lang", "zh"]).expect(&[0]);
    assert!(shown.stdout.contains("TYPE_CHANGED"), "{}", shown.stdout);
    assert_eq!(events(&status(&office)["drift"]), found[0]);
}
