//! Tests, lists and explains the rules of a folder as they are on the disk: the loop of someone who writes rules.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use collision::rules::Bundle;
use collision::session::Limits;

type Error = Box<dyn std::error::Error>;

const USAGE: &str = "rules [--queries DIR] test [ID].. | mutate [ID].. | lint | lock | list";

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
                say(&format!("{} v{} {}  {}", rule.spec.id, rule.spec.version, rule.spec.title.zh, rule.place));
            }
            Ok(ExitCode::SUCCESS)
        }
        "lint" => {
            let problems = collision::lint::lint(&Limits::default().runtime()?, &bundle).await?;
            problems.iter().for_each(|p| say(p));
            say(&format!("{} problems", problems.len()));
            Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        "mutate" => {
            let runtime = Limits::default().runtime()?;
            let time_max = Limits::default().mutation_time_max;
            let mut survivors = 0;
            for rule in bundle.select(ids)? {
                match collision::cases::mutate::run_all(&runtime, &bundle, &[rule], time_max).await {
                    Err(error) => say(&error.to_string()),
                    Ok(results) => {
                        let left: Vec<_> = results.iter().filter(|r| !r.killed).collect();
                        left.iter().for_each(|r| say(&format!("SURVIVES {}: {}", r.rule_id, r.mutation)));
                        say(&format!("{}: {} of {} mutants survive", rule.spec.id, left.len(), results.len()));
                        survivors += left.len();
                    }
                }
            }
            Ok(if survivors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        "lock" => {
            let rules = bundle.rules.values().map(|r| (r.spec.id.as_str(), r.spec.version, r.hash.as_str()));
            std::fs::write(dir.join("rules.lock"), bundle.lock.updated(rules)?.render())?;
            Ok(ExitCode::SUCCESS)
        }
        "test" => {
            let runtime = Limits::default().runtime()?;
            let results = collision::cases::run::run_all(&runtime, &bundle, &bundle.select(ids)?).await;
            for r in &results {
                say(&format!("{} {} - {}", if r.passed { "ok  " } else { "FAIL" }, r.rule_id, r.case));
                r.detail.lines().for_each(|line| say(&format!("       {line}")));
            }
            let failed = results.iter().filter(|r| !r.passed).count();
            say(&format!("{} cases, {failed} failed", results.len()));
            Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        _ => Err(USAGE.into()),
    }
}

#[expect(clippy::print_stdout, reason = "a program for the terminal")]
fn say(line: &str) {
    println!("{line}");
}
