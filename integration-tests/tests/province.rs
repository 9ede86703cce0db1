//! Generated provinces: every planted violation found, no decoy accused, whatever the order or the threads.

use std::path::Path;

use integration_tests::Office;
/// `cargo xtask bench` does the same at 200 thousand and 5 million lines.
const ORDERS: &str = "20000";
const AS_OF: &str = "2025-01-31";

fn generated(office: &Office, seed: u64) -> std::path::PathBuf {
    let dir = office.dir.path().join("province");
    let seed = seed.to_string();
    office
        .run(&[
            "generate",
            dir.to_str().unwrap(),
            "--orders",
            ORDERS,
            "--seed",
            &seed,
            "--plant",
        ])
        .expect(&[0]);
    dir
}

fn exported(office: &Office, extra: &[&str]) -> String {
    let mut args = vec!["alerts", "export", "--format", "json"];
    args.extend_from_slice(extra);
    office.run(&args).expect(&[0]).stdout
}

fn check_seed(seed: u64) {
    let office = Office::new();
    let province = generated(&office, seed);
    office.sync_and_run(&province, AS_OF);
    let truth = generate::Truth::read(&province.join("truth.json")).unwrap();
    let alerts = exported(&office, &[]);
    let score = generate::score::score(&truth, alerts.as_bytes()).unwrap();
    assert!(
        score.missed.is_empty(),
        "seed {seed}: planted but not found: {:#?}",
        score.missed
    );
    assert!(
        score.accused.is_empty(),
        "seed {seed}: lawful but accused: {:#?}",
        score.accused
    );
    assert!(
        score.unexpected.is_empty(),
        "seed {seed}: neither planted nor decoy: {:#?}",
        score.unexpected
    );

    // The second run opens nothing and changes nothing.
    office.run(&["run", "--as-of", AS_OF]).expect(&[0, 3]);
    assert_eq!(alerts, exported(&office, &[]));
}

#[test]
fn seed_1_is_found_exactly() {
    check_seed(1);
}

#[test]
fn seed_2_is_found_exactly() {
    check_seed(2);
}

#[test]
fn seed_3_is_found_exactly() {
    check_seed(3);
}

#[test]
fn same_seed_same_bytes() {
    let (a, b) = (Office::new(), Office::new());
    let (dir_a, dir_b) = (generated(&a, 7), generated(&b, 7));
    let files = |dir: &Path| {
        let mut names: Vec<_> = std::fs::read_dir(dir)
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    assert_eq!(files(&dir_a), files(&dir_b));
    for name in files(&dir_a) {
        let same = std::fs::read(dir_a.join(&name)).unwrap() == std::fs::read(dir_b.join(&name)).unwrap();
        assert!(same, "{name:?} differs between two runs of one seed");
    }
}

#[test]
fn threads_and_row_order_do_not_change_the_alerts() {
    let one = Office::new();
    let province = generated(&one, 5);
    one.run(&["sync", "--files", province.to_str().unwrap()])
        .expect(&[0, 3]);
    one.run(&["run", "--as-of", AS_OF, "--threads", "1"])
        .expect(&[0, 3]);

    let two = Office::new();
    two.run(&["sync", "--files", province.to_str().unwrap()])
        .expect(&[0, 3]);
    two.run(&["run", "--as-of", AS_OF, "--threads", "2"])
        .expect(&[0, 3]);
    assert_eq!(exported(&one, &[]), exported(&two, &[]), "1 and 2 threads");

    generate::shuffle(&province, 11).unwrap();
    let shuffled = Office::new();
    shuffled
        .run(&["sync", "--files", province.to_str().unwrap()])
        .expect(&[0, 3]);
    shuffled.run(&["run", "--as-of", AS_OF]).expect(&[0, 3]);
    assert_eq!(
        exported(&one, &["--no-provenance"]),
        exported(&shuffled, &["--no-provenance"]),
        "shuffled input; where a row stood in its file is left out of the comparison"
    );
}
