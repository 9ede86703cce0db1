//! How sure a join is goes with it all the way: from a name that resembles a registered one to the party, the edge of
//! the graph, the answer in SQL and the alert that somebody reads.

use std::fs;

use integration_tests::{Office, text};
use serde_json::Value;

/// The code and the short name: the name alone resembles the firm's.
const BY_NAME: (&str, &str) = ("91330100MA2W1X2Y3X", "杭州康瑞医药");
const BY_CODE: &str = "91330100MA2N4P5Q6E";

/// Two members of staff own half of a supplier each; of one supplier the register of shareholders has the code, of the
/// other a short name only.
fn files(office: &Office) -> String {
    let (code, short) = BY_NAME;
    let tables = [
        (
            "hospitals.csv",
            "hospital_id,name\nH1,杭州市第一医院\n".to_owned(),
        ),
        (
            "staff.csv",
            "staff_id,hospital_id,name,id_number\n\
             E1,H1,林一,990106197507153423\n\
             E2,H1,何二,990106197511155536\n"
                .to_owned(),
        ),
        (
            "suppliers.csv",
            format!(
                "supplier_id,name,uscc\nS1,杭州康瑞医药有限公司,{code}\nS2,宁波恒泰医疗器械有限公司,{BY_CODE}\n"
            ),
        ),
        (
            "relations.csv",
            format!(
                "relation_id,from_type,from_id,from_name,to_type,to_id,to_name,relation,share_percent\n\
                 R1,person,990106197507153423,林一,company,,{short},shareholder,50\n\
                 R2,person,990106197511155536,何二,company,{BY_CODE},宁波恒泰医疗器械有限公司,shareholder,50\n"
            ),
        ),
        (
            "purchase_orders.csv",
            format!(
                "order_id,line_no,hospital_id,supplier_name,supplier_uscc,quantity,unit_price,amount,ordered_at\n\
                 O1,1,H1,杭州康瑞医药有限公司,{code},1,100,100,2025-01-10 09:00:00\n\
                 O2,1,H1,宁波恒泰医疗器械有限公司,{BY_CODE},1,100,100,2025-01-10 09:00:00\n"
            ),
        ),
    ];
    let folder = office.dir.path().join("files");
    fs::create_dir(&folder).expect("a folder");
    for (name, rows) in tables {
        fs::write(folder.join(name), rows).expect("a file");
    }
    folder.to_str().expect("a UTF-8 path").to_owned()
}

fn synced() -> Office {
    let office = Office::new();
    let files = files(&office);
    office.run(&["sync", "--files", &files]).expect(&[0]);
    office
}

/// The alert of a rule on a member of staff.
fn alert<'a>(alerts: &'a [Value], rule: &str, staff: &str) -> &'a Value {
    let found = alerts.iter().find(|a| {
        a["rule_id"] == rule && (a["identity"]["staff_id"] == staff || a["subject"]["staff_id"] == staff)
    });
    found.unwrap_or_else(|| panic!("{rule} says nothing of {staff}: {alerts:#?}"))
}

#[test]
fn an_alert_over_a_name_says_how_sure_it_is_and_one_over_a_code_does_not() {
    let office = synced();
    let refs = office.sql(
        "select distinct certainty_bp, party_key from _party_refs where party_key like '9133%' order by certainty_bp",
    );
    let sure: Vec<(String, String)> = refs
        .iter()
        .map(|r| (text(&r["certainty_bp"]), text(&r["party_key"])))
        .collect();
    let wanted = [("9800", BY_NAME.0), ("10000", BY_CODE), ("10000", BY_NAME.0)];
    let mut wanted = wanted.map(|(bp, key)| (bp.to_owned(), key.to_owned())).to_vec();
    wanted.sort();
    let mut sure = sure;
    sure.sort();
    assert_eq!(sure, wanted);

    // The edge of the graph, in SQL and between two parties.
    let related = office.sql(
        "select staff_id, certainty, hops[1]['certainty'] as of_hop from related_parties(4) order by staff_id",
    );
    let related: Vec<[String; 3]> = related
        .iter()
        .map(|r| ["staff_id", "certainty", "of_hop"].map(|c| text(&r[c])))
        .collect();
    assert_eq!(
        related,
        [["E1", "0.980000", "0.980000"], ["E2", "1.000000", "1.000000"]].map(|r| r.map(str::to_owned))
    );
    let probability = |staff: &str, code: &str| {
        let done = office
            .run(&["link", staff, code, "--format", "json"])
            .expect(&[0]);
        done.json_lines()[0]["probability"].as_f64().expect("a number")
    };
    assert!((probability("E1", BY_NAME.0) - 0.98).abs() < 1e-9);
    assert!((probability("E2", BY_CODE) - 1.0).abs() < 1e-9);

    // The alert: what is read first, and the row that says so.
    office.run(&["run", "--as-of", "2025-01-31"]).expect(&[0, 3]);
    let alerts = office.alerts();
    let (unsure, proven) = (alert(&alerts, "REL-01", "E1"), alert(&alerts, "REL-01", "E2"));
    for lang in ["zh", "en"] {
        assert!(text(&unsure["message"][lang]).contains("98.00"), "{unsure:#}");
        assert!(!text(&proven["message"][lang]).contains('%'), "{proven:#}");
    }
    let uncertain = |alert: &Value| -> Vec<(String, Value)> {
        let rows = alert["evidence"].as_array().expect("evidence").iter();
        rows.filter(|row| !row["uncertain"].is_null())
            .map(|row| (text(&row["dataset"]), row["uncertain"].clone()))
            .collect()
    };
    let told = serde_json::json!([{"slot": "to", "party_key": BY_NAME.0, "certainty_bp": 9800}]);
    assert_eq!(uncertain(unsure), [("relations".to_owned(), told)]);
    assert_eq!(uncertain(proven), []);
    let shown = office
        .run(&["alerts", "show", &text(&unsure["alert_id"])])
        .expect(&[0]);
    assert!(
        shown.stdout.contains("to -> 91330100MA2W1X2Y3X (98.00 %)"),
        "{}",
        shown.stdout
    );
}

#[test]
fn a_party_that_nobody_knows_has_no_events_and_is_told_so() {
    let office = synced();
    let done = office
        .run(&["party", "events", "--party", "cnobodyknows"])
        .expect(&[2]);
    assert!(
        done.stderr.contains("cnobodyknows") && done.stderr.contains("lianjing party"),
        "{}",
        done.stderr
    );
}
