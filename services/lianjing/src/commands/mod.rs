//! One file a command: its arguments, its call, its output.

pub mod alerts;
pub mod backtest;
pub mod datasets;
pub mod demo;
pub mod generate;
pub mod graph;
pub mod judgements;
pub mod match_records;
pub mod operations;
pub mod push;
pub mod quarantine;
pub mod rule_notes;
pub mod rules;
pub mod run;
pub mod schedule;
pub mod screen;
pub mod serve;
pub mod show;
pub mod source;
pub mod sql;
pub mod sync;
pub mod unread;

use std::path::{Path, PathBuf};

use crate::cli::{Cli, Command, OutputFormat};
use crate::connection::Connection;
use crate::outcome::{CliError, CliResult};
use crate::output::Output;
use crate::wiring::Opening;

/// Runs the command that was asked for.
pub async fn dispatch(cli: Cli) -> CliResult {
    let Cli { global, command } = cli;
    let mut output = Output::new(&global);
    let is_graph = matches!(global.format, OutputFormat::Graphml | OutputFormat::Ftm);
    if is_graph != matches!(command, Command::Graph(_)) {
        return Err(CliError::usage(
            "graph export writes --format graphml or --format ftm, all else table, json or csv",
        ));
    }
    let opening = match &command {
        Command::Generate(args) => return generate::generate(args, &mut output).await,
        Command::Match(args) => return match_records::match_records(args, &mut output),
        Command::Serve(args) => return serve::serve(args, global, &output).await,
        Command::Demo(args) => return demo::demo(args, global, &mut output).await,
        Command::Rules(rules::RulesCommand::Lock) => return rules::lock(&global, &mut output),
        Command::Sync(_) | Command::Push(_) | Command::Source(_) | Command::Schedule(_) => Opening::Create,
        Command::Rules(rules::RulesCommand::Backtest(_)) => Opening::Existing,
        Command::Rules(_) | Command::Datasets(_) => Opening::RulesOnly,
        _ => Opening::Existing,
    };
    let connection = Connection::open(&global, opening).await?;
    let done = match command {
        Command::Sync(args) => sync::sync(&args, &connection, &mut output).await,
        Command::Source(args) => source::source(&args, &connection, &mut output).await,
        Command::Schedule(args) => schedule::schedule(&args, &connection, &mut output).await,
        Command::Push(args) => push::push(&args, &connection, &mut output).await,
        Command::Quarantine(args) => quarantine::quarantine(&args, &connection, &mut output).await,
        Command::Run(args) => run::run(&args, global.threads, &connection, &mut output).await,
        Command::Runs(args) => run::runs(&args, &connection, &mut output).await,
        Command::Alerts(args) => alerts::alerts(&args, &connection, &mut output).await,
        Command::Datasets(args) => datasets::datasets(&args, &connection, &mut output).await,
        Command::Rules(args) => rules::rules(&args, global.threads, &connection, &mut output).await,
        Command::Sql(args) => sql::sql(&args, &connection, &mut output).await,
        Command::Snapshots(args) => sql::snapshots(&args, &connection, &mut output).await,
        Command::Link(args) => graph::link(&args, &connection, &mut output).await,
        Command::Party(args) => graph::party(&args, &connection, &mut output).await,
        Command::Screen(args) => screen::screen(&args, &connection, &mut output).await,
        Command::Ubo(args) => graph::ubo(&args, &connection, &mut output).await,
        Command::Graph(args) => graph::graph(&args, global.format, &connection, &mut output).await,
        Command::Replay(args) => alerts::replay(&args, &connection, &mut output).await,
        Command::Operations(args) => operations::operations(&args, &connection, &mut output).await,
        Command::Generate(_) | Command::Serve(_) | Command::Demo(_) | Command::Match(_) => {
            unreachable!("answered above")
        }
    };
    let flushed = output.flush();
    connection.close().await;
    let done = done?;
    flushed?;
    Ok(done)
}

/// The path as the server will find it: absolute, and there.
fn server_path(path: &Path, connection: &Connection) -> CliResult<PathBuf> {
    match std::path::absolute(path) {
        Ok(absolute) if connection.is_own() && !absolute.exists() => {
            Err(CliError::usage(format!("{} does not exist", path.display())))
        }
        Ok(absolute) => Ok(absolute),
        Err(e) => Err(CliError::usage(format!("{}: {e}", path.display()))),
    }
}

/// A path as text for a request.
pub fn path_text(path: &Path) -> CliResult<String> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| CliError::usage(format!("{} is not UTF-8; rename it", path.display())))
}

/// Milliseconds for people.
fn duration(ms: u64) -> String {
    match ms {
        0..=9_999 => format!("{ms} ms"),
        _ => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
    }
}
