//! Tests, lists and explains the rules of a folder as they are on the disk: the loop of someone who writes rules.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use collision::data::{LakeSource, SnapshotSource};
use collision::rules::Bundle;
use collision::run::runner::Runner;
use collision::session::Limits;
use domain::clock::{Clock, SystemClock};
use domain::ports::{MutantResult, RunRequest};

type Error = Box<dyn std::error::Error>;

const USAGE: &str =
    "rules [--queries DIR] test [ID].. | mutate [ID|VIEW].. | lint | lock | list | explain ID DATA_DIR AS_OF";

#[tokio::main]
async fn main() -> Result<ExitCode, Error> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let mut dir = PathBuf::from("queries");
    if args.first().is_some_and(|a| a == "--queries") && args.len() > 1 {
        dir = PathBuf::from(&args[1]);
        args.drain(..2);
    }
    let bundle = Arc::new(Bundle::from_folder(&dir)?);
    let (command, ids) = args.split_first().ok_or(USAGE)?;
    match command.as_str() {
        "list" => {
            for rule in bundle.rules.values() {
                say(&format!(
                    "{} v{} {}  {}",
                    rule.spec.id, rule.spec.version, rule.spec.title.zh, rule.place
                ));
            }
            Ok(ExitCode::SUCCESS)
        }
        "lint" => {
            let problems = collision::lint::lint(&Limits::default().runtime()?, &bundle).await?;
            problems.iter().for_each(|p| say(p));
            say(&format!("{} problems", problems.len()));
            Ok(if problems.is_empty() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
        "mutate" => {
            let runtime = Limits::default().runtime()?;
            let time_max = Limits::default().mutation_time_max;
            let (views, ids): (Vec<_>, Vec<_>) =
                ids.iter().cloned().partition(|id| bundle.views.contains_key(id));
            let views = if ids.is_empty() && views.is_empty() {
                bundle.views.keys().cloned().collect()
            } else {
                views
            };
            let rules = if ids.is_empty() && args.len() > 1 {
                Vec::new()
            } else {
                bundle.select(&ids)?
            };
            let mut survivors = 0;
            for rule in rules {
                let results = collision::cases::mutate::run_all(&runtime, &bundle, &[rule], time_max).await;
                survivors += say_survivors(&rule.spec.id, results);
            }
            for view in views {
                let results = collision::cases::mutate::run_view(&runtime, &bundle, &view, time_max).await;
                survivors += say_survivors(&view, results);
            }
            Ok(if survivors == 0 {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
        "explain" => {
            let [id, data, as_of] = ids else {
                return Err(USAGE.into());
            };
            let lake = Arc::new(lake::Lake::open(Path::new(data), SystemClock.now()).await?);
            let runner = Runner {
                runtime: Limits::default().runtime()?,
                limits: Limits::default(),
                bundle: bundle.clone(),
                snapshot: LakeSource::new(lake).snapshot(None).await?,
                graphs: Arc::default(),
            };
            let request = RunRequest {
                rules: vec![id.clone()],
                as_of: as_of.parse()?,
                snapshot: None,
                threads: 0,
                params: BTreeMap::new(),
            };
            say(&runner.explain(id, &request).await?);
            Ok(ExitCode::SUCCESS)
        }
        "lock" => {
            let rules = bundle
                .rules
                .values()
                .map(|r| (r.spec.id.as_str(), r.spec.version, r.hash.as_str()));
            std::fs::write(dir.join("rules.lock"), bundle.lock.updated(rules)?.render())?;
            Ok(ExitCode::SUCCESS)
        }
        "test" => {
            let runtime = Limits::default().runtime()?;
            let results = collision::cases::run::run_all(&runtime, &bundle, &bundle.select(ids)?).await;
            for r in &results {
                say(&format!(
                    "{} {} - {}",
                    if r.passed { "ok  " } else { "FAIL" },
                    r.rule_id,
                    r.case
                ));
                r.detail.lines().for_each(|line| say(&format!("       {line}")));
            }
            let failed = results.iter().filter(|r| !r.passed).count();
            say(&format!("{} cases, {failed} failed", results.len()));
            Ok(if failed == 0 {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
        _ => Err(USAGE.into()),
    }
}

fn say_survivors(name: &str, results: collision::Result<Vec<MutantResult>>) -> usize {
    let results = match results {
        Ok(results) => results,
        Err(error) => {
            say(&error.to_string());
            return 1;
        }
    };
    let left: Vec<_> = results.iter().filter(|r| !r.killed).collect();
    left.iter()
        .for_each(|r| say(&format!("SURVIVES {}: {}", r.rule_id, r.mutation)));
    say(&format!(
        "{name}: {} of {} mutants survive",
        left.len(),
        results.len()
    ));
    left.len()
}

#[expect(clippy::print_stdout, reason = "a program for the terminal")]
fn say(line: &str) {
    println!("{line}");
}
