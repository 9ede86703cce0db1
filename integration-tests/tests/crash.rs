//! kill -9 at random points of sync and run; a plain rerun reaches the state of an undisturbed one.

use std::process::Stdio;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use integration_tests::Office;
use rand::{Rng, SeedableRng};

const KILLS: u32 = 25;
const AS_OF: &str = "2025-01-31";

/// Starts a command and kills it after `after`, unless it ended before. Says whether it was killed.
fn killed_after(office: &Office, args: &[&str], after: Duration) -> bool {
    let mut child =
        office.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
    let (ended, wait) = mpsc::channel::<()>();
    // Nothing is ever sent: this is a wait of `after` that needs no polling.
    let _ = wait.recv_timeout(after);
    drop(ended);
    let killed = child.try_wait().expect("the process can be asked").is_none();
    let _ = child.kill();
    child.wait().expect("the process ends");
    killed
}

/// All that must be equal in the end: every row with its hash, the quarantine, the alerts.
fn state(office: &Office) -> Vec<String> {
    let mut state = Vec::new();
    for dataset in ["purchase_orders", "platform_orders", "agreements", "tenders", "bids", "suppliers", "parties"] {
        let rows = if dataset == "parties" {
            office.sql("select party_id, name, uscc from parties order by party_id")
        } else {
            office.sql(&format!(
                "select _hash as h, _batch as b, _row as r, count(*) as n from {dataset} group by 1, 2, 3 order by 1, 2, 3"
            ))
        };
        state.push(format!("{dataset}: {}", serde_json::to_string(&rows).unwrap()));
    }
    state.push(office.run(&["alerts", "export", "--format", "json"]).expect(&[0]).stdout);
    state
}

#[test]
fn sync_and_run_survive_kill_9_at_random_points() {
    let calm = Office::new();
    let province = calm.dir.path().join("province");
    calm.run(&["generate", province.to_str().unwrap(), "--orders", "1000", "--seed", "3", "--plant"]).expect(&[0]);
    let sync = ["sync", "--files", province.to_str().unwrap()];
    let run = ["run", "--as-of", AS_OF];
    let started = Instant::now();
    calm.run(&sync).expect(&[0, 3]);
    let sync_time = started.elapsed();
    let started = Instant::now();
    calm.run(&run).expect(&[0, 3]);
    let run_time = started.elapsed();
    let undisturbed = state(&calm);

    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(2024);
    let mut hit = 0;
    for round in 0..KILLS {
        let office = Office::new();
        // A first sync is killed somewhere, then one that must be complete; the same for the run.
        hit += u32::from(killed_after(&office, &sync, sync_time.mul_f64(rng.random_range(0.05..1.0))));
        office.run(&sync).expect(&[0, 3]);
        hit += u32::from(killed_after(&office, &run, run_time.mul_f64(rng.random_range(0.05..1.0))));
        office.run(&run).expect(&[0, 3]);
        let found = state(&office);
        for (want, found) in undisturbed.iter().zip(&found) {
            assert!(want == found, "round {round} differs from the undisturbed state:\n{want:.2000}\n{found:.2000}");
        }
    }
    assert!(hit > KILLS, "only {hit} of {} kills came in time to disturb anything", 2 * KILLS);
}
