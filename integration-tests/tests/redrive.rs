//! `source redrive`: what is in quarantine is found and read again, wherever its kind finds it, once what was wrong is
//! mended.

use integration_tests::{Office, text};
use test_servers::database::{Server, fresh_name};

use crate::connector_pages::write;

const ORDERS: &str = "order_id,line_no,channel\nPO1,1,platform\nPO2,1,carrier pigeon\n";
const PIGEON: &str = "[[file]]\nglob = \"purchase_orders.csv\"\ndataset = \"purchase_orders\"\n\
    [file.columns]\nchannel = { from = \"channel\", codes = { \"carrier pigeon\" = \"offline\" } }\n";

/// Orders that are in the lake.
fn orders(office: &Office) -> Vec<String> {
    let rows = office.sql("select order_id from purchase_orders order by 1");
    rows.iter().map(|row| text(&row["order_id"])).collect()
}

fn quarantined(office: &Office) -> usize {
    let listed = office.run(&["quarantine", "list", "--source", "s", "--format", "json"]);
    listed.expect(&[0]).json_lines().len()
}

/// (read, inserted, quarantined) of a redrive; none when there was nothing to read again.
fn redrive(office: &Office) -> Option<(u64, u64, u64)> {
    let done = office.run(&["source", "redrive", "s", "--format", "json"]);
    let report = done.expect(&[0, 3]).json_lines().remove(0);
    let counts = report["datasets"].as_array()?.first()?;
    let count = |name: &str| counts[name].as_u64().expect("a count");
    Some((count("read"), count("inserted"), count("quarantined")))
}

/// The source has one order in quarantine and its file is no longer where it was; then the mapping is mended.
fn from_kept_copies(office: &Office) {
    assert_eq!((orders(office).len(), quarantined(office)), (1, 1));
    assert_eq!(redrive(office), Some((1, 0, 1)), "nothing was mended yet");
    assert_eq!(quarantined(office), 1);
    write(office.dir.path(), "mapping.toml", PIGEON);
    assert_eq!(redrive(office), Some((1, 1, 0)));
    assert_eq!((orders(office).len(), quarantined(office)), (2, 0));
    assert_eq!(redrive(office), None);
}

#[test]
fn files_of_a_drop_folder_that_were_moved_away() {
    let office = Office::with_sources(
        "[sources.s]\nkind = \"drop-folder\"\nquarantine_limit = \"50\"\n[sources.s.config]\npath = \"../in\"\n\
         done = \"done\"\nmapping = \"../mapping.toml\"\n",
    );
    write(office.dir.path(), "mapping.toml", "");
    let folder = office.dir.path().join("in");
    write(&folder, "purchase_orders.csv", ORDERS);
    office.run(&["sync", "s"]).expect(&[3]);
    office.run(&["sync", "s"]).expect(&[0, 3]);
    assert!(folder.join("done/purchase_orders.csv").exists());
    from_kept_copies(&office);
}

#[test]
fn objects_that_were_moved_away() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = runtime.block_on(test_servers::s3::Server::start());
    server.put("in/purchase_orders.csv", ORDERS, 3);
    let office = Office::with_sources(&format!(
        "[sources.s]\nkind = \"s3\"\nquarantine_limit = \"50\"\n[sources.s.config]\nbucket = \"hospital\"\nprefix = \"in\"\n\
         endpoint = {:?}\nallow_http = true\ndone = \"done\"\nmapping = \"../mapping.toml\"\n",
        server.endpoint
    ));
    write(office.dir.path(), "mapping.toml", "");
    office.run(&["sync", "s"]).expect(&[3]);
    office.run(&["sync", "s"]).expect(&[0, 3]);
    assert_eq!(server.keys(), ["done/purchase_orders.csv"]);
    from_kept_copies(&office);
}

#[test]
fn rows_of_a_database_that_were_mended_there() {
    let (server, name) = (Server::mariadb(), fresh_name());
    server.mysql("mysql", &format!("create database {name}"));
    server.mysql(
        &name,
        "create table po (order_id varchar(20), line_no int, amount varchar(20), version int);
         insert into po select concat('PO', seq), 1, if(seq = 7, 'many', seq), seq from seq_1_to_200;",
    );
    let office = Office::with_sources(&format!(
        "[sources.s]\nkind = \"database\"\n[sources.s.config]\nconnection = {{ url = {:?} }}\n\
         [[sources.s.config.streams]]\ndataset = \"purchase_orders\"\ncursor = \"version\"\nquery = \"select * from po\"\n",
        server.mysql_url("root", &name)
    ));
    office.run(&["sync", "s"]).expect(&[3]);
    assert_eq!((orders(&office).len(), quarantined(&office)), (199, 1));
    // Mended without a word: its cursor value stays, and no sync from there on sees it.
    server.mysql(&name, "update po set amount = '7' where order_id = 'PO7'");
    office.run(&["sync", "s"]).expect(&[0, 3]);
    assert_eq!((orders(&office).len(), quarantined(&office)), (199, 1));
    assert_eq!(redrive(&office), Some((200, 1, 0)));
    assert_eq!((orders(&office).len(), quarantined(&office)), (200, 0));
    assert_eq!(redrive(&office), None);
}
