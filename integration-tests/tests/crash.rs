//! kill -9 at random points of sync and run; a plain rerun reaches the state of an undisturbed one.

use std::process::Stdio;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use integration_tests::Office;
use rand::{Rng, SeedableRng};

/// Of each of the two commands.
const KILLS: u32 = 25;
const AS_OF: &str = "2025-01-31";

/// A command that is killed at random points of the time it takes.
struct Victim<'a> {
    args: &'a [&'a str],
    /// How long it takes at most: the other tests load the machine by turns, so this is learned as we go.
    takes: Duration,
    killed: u32,
}

impl Victim<'_> {
    /// Starts the command and kills it after a random part of its time. One that had ended already is not
    /// counted as killed and teaches us how long it takes.
    fn kill_once(&mut self, office: &Office, part: f64) {
        let after = self.takes.mul_f64(part);
        let mut child = office
            .command(self.args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let (ended, wait) = mpsc::channel::<()>();
        // Nothing is ever sent: this is a wait of `after` that needs no polling.
        let _ = wait.recv_timeout(after);
        drop(ended);
        if child.try_wait().expect("the process can be asked").is_none() {
            self.killed += 1;
        } else {
            self.takes = after;
        }
        let _ = child.kill();
        child.wait().expect("the process ends");
    }
}

/// All that must be equal in the end: every row with its hash, the quarantine, the alerts.
fn state(office: &Office) -> Vec<String> {
    let mut state = Vec::new();
    for dataset in [
        "purchase_orders",
        "platform_orders",
        "agreements",
        "tenders",
        "bids",
        "suppliers",
        "parties",
    ] {
        let rows = if dataset == "parties" {
            office.sql("select party_id, name, uscc from parties order by party_id")
        } else {
            office.sql(&format!(
                "select _hash as h, _batch as b, _row as r, count(*) as n from {dataset} group by 1, 2, 3 order by 1, 2, 3"
            ))
        };
        state.push(format!("{dataset}: {}", serde_json::to_string(&rows).unwrap()));
    }
    state.push(
        office
            .run(&["alerts", "export", "--format", "json"])
            .expect(&[0])
            .stdout,
    );
    state
}

#[test]
fn sync_and_run_survive_kill_9_at_random_points() {
    let calm = Office::new();
    let province = calm.dir.path().join("province");
    calm.run(&[
        "generate",
        province.to_str().unwrap(),
        "--orders",
        "1000",
        "--seed",
        "3",
        "--plant",
    ])
    .expect(&[0]);
    let sync = ["sync", "--files", province.to_str().unwrap()];
    let run = ["run", "--as-of", AS_OF];
    let [mut sync, mut run] = [&sync[..], &run[..]].map(|args| {
        let started = Instant::now();
        calm.run(args).expect(&[0, 3]);
        Victim {
            args,
            takes: started.elapsed(),
            killed: 0,
        }
    });
    let undisturbed = state(&calm);

    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(2024);
    let mut rounds = 0;
    while sync.killed < KILLS || run.killed < KILLS {
        rounds += 1;
        assert!(
            rounds <= 10 * KILLS,
            "only {} syncs and {} runs of {rounds} were killed in time",
            sync.killed,
            run.killed
        );
        let office = Office::new();
        // A first sync is killed somewhere, then one that must be complete; the same for the run.
        for victim in [&mut sync, &mut run] {
            victim.kill_once(&office, rng.random_range(0.05..1.0));
            office.run(victim.args).expect(&[0, 3]);
        }
        let found = state(&office);
        for (want, found) in undisturbed.iter().zip(&found) {
            assert!(
                want == found,
                "round {rounds} differs from the undisturbed state:\n{want:.2000}\n{found:.2000}"
            );
        }
    }
}
