//! kill -9 of the host while it reads a source, fifty times for each kind: no row is lost or doubled, and a source that
//! keeps cursors is not read again from its start.
//!
//! When to kill is drawn by a seeded generator and bound to something seen: what the source has served, what the host
//! has written, or a part of the time that an undisturbed sync takes.

mod kinds;
mod push;

use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use integration_tests::Office;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

/// Kills of each kind that must have hit a running sync.
const KILLS: u32 = 50;
/// Syncs of one data directory that are killed, at most, before one is let through.
const ATTEMPTS_MAX: u32 = 5;
/// How often it is looked whether the point to kill at is reached.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// One kind of source, already there and full of rows.
#[derive(Default)]
struct Subject<'a> {
    /// The table `[sources.s]` of `sources.toml`.
    toml: String,
    /// Datasets that it fills.
    datasets: &'static [&'static str],
    /// What it has served so far, in units of its own; none for files, which nobody serves.
    served: Option<&'a dyn Fn() -> u64>,
    /// Share of all that may be served again after a kill, beside what was not committed: the page or file in the
    /// making, the rows that share the last cursor, and what a check asks.
    again_max: f64,
    /// It keeps cursors and commits on its way. Any other is committed whole or not at all.
    incremental: bool,
    /// What a data directory needs beside itself.
    prepare: Option<&'a dyn Fn(&Office)>,
    /// What else must hold in the end.
    finish: Option<&'a dyn Fn(&Office)>,
}

impl Subject<'_> {
    fn office(&self) -> Office {
        let office = Office::with_sources(&self.toml);
        if let Some(prepare) = self.prepare {
            prepare(&office);
        }
        office
    }

    fn served(&self) -> u64 {
        self.served.map_or(0, |served| served())
    }

    /// Everything that must be equal in the end: each row's hash with how often it is there, and the quarantine.
    fn state(&self, office: &Office) -> Vec<String> {
        let each = self.datasets.iter().map(|dataset| {
            format!("select '{dataset}' as t, _hash as h, count(*) as n from {dataset} group by _hash")
        });
        let sql = format!("{} order by 1, 2", each.collect::<Vec<_>>().join(" union all "));
        let mut state: Vec<String> = office.sql(&sql).iter().map(ToString::to_string).collect();
        let listed = office
            .run(&["quarantine", "list", "--format", "json"])
            .expect(&[0]);
        let mut rejected: Vec<String> = listed
            .json_lines()
            .iter()
            .map(|row| format!("{} {} {}", row["dataset"], row["reason"], row["raw"]))
            .collect();
        rejected.sort();
        state.extend(rejected);
        state
    }

    /// New rows of committed parts of syncs: of the last one, and of all before it. None of them lost a row.
    fn committed(&self, office: &Office) -> (u64, u64) {
        let runs = office
            .run(&["source", "runs", "s", "--limit", "100", "--format", "json"])
            .expect(&[0])
            .json_lines();
        let rows = |run: &Value| -> u64 {
            let datasets = run["datasets"].as_array().into_iter().flatten();
            datasets
                .map(|d| {
                    let [read, new, updated, unchanged, bad] =
                        ["read", "inserted", "updated", "unchanged", "quarantined"]
                            .map(|count| d[count].as_u64().expect("a count"));
                    assert_eq!(read, new + updated + unchanged + bad, "{run}");
                    new
                })
                .sum()
        };
        let mut each = runs.iter().map(rows);
        (each.next().expect("a sync is on record"), each.sum())
    }
}

/// What an undisturbed sync does.
struct Calm {
    state: Vec<String>,
    rows: u64,
    served: u64,
    /// Files that it writes below the data directory.
    files: u64,
    takes: Duration,
}

/// When to kill: at this much served, this many files written, or after this time; whichever is set.
struct Point {
    served: u64,
    files: u64,
    after: Duration,
    /// And then a little later, so that commits are hit too.
    later: Duration,
}

impl Point {
    fn draw(rng: &mut ChaCha8Rng, calm: &Calm, now_served: u64, now_files: u64) -> Self {
        let never = Self {
            served: u64::MAX,
            files: u64::MAX,
            after: Duration::from_secs(600),
            later: match rng.random_bool(0.5) {
                true => calm.takes.mul_f64(rng.random_range(0.0..0.2)),
                false => Duration::ZERO,
            },
        };
        match rng.random_range(0..3) {
            0 if calm.served > 0 => Self {
                served: now_served + rng.random_range(1..=calm.served.div_ceil(2)),
                ..never
            },
            1 => Self {
                files: now_files + rng.random_range(1..=calm.files.div_ceil(2)),
                ..never
            },
            _ => Self {
                after: calm.takes.mul_f64(rng.random_range(0.1..1.0)),
                ..never
            },
        }
    }
}

/// Files below a folder; those that vanish meanwhile do not count.
fn files_below(folder: &Path) -> u64 {
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => files_below(&entry.path()),
            _ => 1,
        })
        .sum()
}

/// Starts a sync and kills it at the point. Whether it was killed; false when it had ended before.
fn kill_once(subject: &Subject<'_>, office: &Office, point: &Point) -> bool {
    let mut child = office
        .command(&["sync", "s"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let mut stdout = child.stdout.take().expect("a pipe");
    let (ended, waiting) = mpsc::channel();
    std::thread::spawn(move || {
        // Its end is what counts, not what it says.
        let _ = stdout.read_to_end(&mut Vec::new());
        let _ = ended.send(());
    });
    let started = Instant::now();
    let is_reached = || {
        subject.served() >= point.served
            || (point.files != u64::MAX && files_below(&office.data()) >= point.files)
            || started.elapsed() >= point.after
    };
    let mut is_running = true;
    while is_running && !is_reached() {
        is_running = waiting.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout);
    }
    if is_running {
        let _ = waiting.recv_timeout(point.later);
    }
    let _ = child.kill();
    child.wait().expect("the process ends").signal() == Some(9)
}

/// Kills syncs of the subject at random points until [`KILLS`] were hit.
fn survives(name: &str, subject: &Subject<'_>) {
    let office = subject.office();
    let (served, files, started) = (subject.served(), files_below(&office.data()), Instant::now());
    office.run(&["sync", "s"]).expect(&[0, 3]);
    let calm = Calm {
        served: subject.served() - served,
        files: files_below(&office.data()) - files,
        takes: started.elapsed(),
        rows: subject.committed(&office).0,
        state: subject.state(&office),
    };
    assert!(calm.rows > 100, "{name}: only {} rows came", calm.rows);

    let mut rng = ChaCha8Rng::seed_from_u64(name.bytes().map(u64::from).sum());
    let (mut killed, mut resumed, mut rounds) = (0, 0, 0);
    while killed < KILLS {
        rounds += 1;
        assert!(
            rounds <= 2 * KILLS,
            "{name}: only {killed} syncs were killed in time"
        );
        let office = subject.office();
        for _ in 0..rng.random_range(1..=ATTEMPTS_MAX) {
            let point = Point::draw(&mut rng, &calm, subject.served(), files_below(&office.data()));
            match kill_once(subject, &office, &point) {
                true => killed += 1,
                false => break,
            }
        }
        let served = subject.served();
        office.run(&["sync", "s"]).expect(&[0, 3]);
        let served = subject.served() - served;
        let (_, committed) = subject.committed(&office);
        let state = subject.state(&office);
        let differs = calm.state.iter().zip(&state).find(|(want, found)| want != found);
        assert!(
            differs.is_none() && calm.state.len() == state.len(),
            "{name}, round {rounds}: {} lines of state, not {}; first difference {differs:?}",
            state.len(),
            calm.state.len(),
        );
        match subject.incremental {
            true => {
                let left = 1.0 - committed as f64 / calm.rows as f64;
                let most = calm.served as f64 * (left + subject.again_max);
                assert!(
                    served as f64 <= most,
                    "{name}, round {rounds}: {committed} of {} rows were committed, and {served} of {} were served again",
                    calm.rows,
                    calm.served,
                );
                resumed += u32::from(committed > 0 && committed < calm.rows);
            }
            false => assert!(
                committed == 0 || committed == calm.rows,
                "{name}, round {rounds}: {committed} of {} rows were visible after a kill",
                calm.rows
            ),
        }
        if let Some(finish) = subject.finish {
            finish(&office);
        }
    }
    assert!(
        resumed > 0 || !subject.incremental,
        "{name}: no kill of {killed} fell between two commits"
    );
}
