//! Push: the server is killed while a program sends batches. What was answered stays, what was not is sent again under
//! the same batch id, and every row is there once in the end.

use std::io::Write as _;
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use integration_tests::{Office, Server, text};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::KILLS;

const BATCH_ROWS: u64 = 300;

fn rows(batch: u64) -> String {
    let numbers = batch * BATCH_ROWS..(batch + 1) * BATCH_ROWS;
    numbers
        .map(|n| format!("{{\"order_id\": \"PO{n}\", \"line_no\": 1, \"amount\": \"{n}.00\"}}\n"))
        .collect()
}

/// Starts to push a batch to the server; all of its rows are on their way when this returns.
fn push(office: &Office, server: &Server, batch: u64) -> Child {
    let (url, id) = (server.url(), format!("batch-{batch}"));
    let args = [
        "--server",
        &url,
        "push",
        "--dataset",
        "purchase_orders",
        "--batch-id",
        &id,
    ];
    let mut child = office
        .command(&args)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    // One that has ended already reads nothing; how it ended says why.
    let _ = stdin.write_all(rows(batch).as_bytes());
    child
}

#[test]
fn push_is_answered_for_good_and_repeated_for_nothing() {
    let office = Office::new();
    let mut server = office.serve();
    let started = Instant::now();
    let first = push(&office, &server, 0).wait().expect("it ends");
    assert!(first.success());
    let takes = started.elapsed().max(Duration::from_millis(20));

    let mut rng = ChaCha8Rng::seed_from_u64(17);
    let (mut killed, mut repeated, mut kept, mut batch) = (0, 0, 0, 0);
    while killed < KILLS {
        batch += 1;
        let mut pushing = push(&office, &server, batch);
        let (_open, until) = mpsc::channel::<()>();
        // Nothing is ever sent: this is a wait that needs no polling.
        let _ = until.recv_timeout(takes.mul_f64(rng.random_range(0.1..1.1)));
        server.kill();
        killed += 1;
        let answered = pushing.wait().expect("it ends").success();
        server = office.serve();
        if answered {
            kept += 1;
            continue;
        }
        repeated += 1;
        let again = push(&office, &server, batch).wait().expect("it ends");
        assert!(again.success(), "batch {batch} after kill {killed}");
    }
    server.kill();
    assert!(
        repeated > 0 && kept + repeated == KILLS,
        "{repeated} batches were cut off, {kept} were answered before their server was killed"
    );
    let total = office
        .sql("select count(*) as n, count(distinct order_id) as d, count(distinct _hash) as h from purchase_orders")
        .remove(0);
    let want = ((batch + 1) * BATCH_ROWS).to_string();
    for column in ["n", "d", "h"] {
        assert_eq!(text(&total[column]), want, "{column}");
    }
}
