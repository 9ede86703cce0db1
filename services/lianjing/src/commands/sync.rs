//! `lianjing sync`: a directory of files into the lake, with the conservation line of each dataset.

use std::path::{Path, PathBuf};

use clap::Args;
use domain::ports::SyncReport;
use gateway::convert;
use proto::v1 as pb;

use super::{path_text, server_path};
use crate::connection::Connection;
use crate::follow::follow;
use crate::outcome::{CliError, CliResult, Done};
use crate::output::{Output, tell};

#[derive(Debug, Clone, Args)]
pub struct SyncArgs {
    /// A configured source; `source list` shows them / 来源名称
    #[arg(
        value_name = "SOURCE",
        required_unless_present = "files",
        conflicts_with = "files"
    )]
    pub configured: Option<String>,
    /// Directory with files named after datasets, or named in the mapping / 数据文件目录
    #[arg(long, value_name = "DIR")]
    pub files: Option<PathBuf>,
    /// Says what files and columns mean whose names do not / 映射文件
    #[arg(long, value_name = "FILE")]
    pub mapping: Option<PathBuf>,
    /// Name the rows carry as their source; by default the mapping's, else "files" / 来源名称
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// Fail, and change nothing, above this share of unreadable rows, in percent; by default the mapping's, else 1 / 隔离上限
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub quarantine_limit: Option<u32>,
}

/// Percent with up to two places, as ten-thousandths.
fn percent(text: &str) -> Result<u32, String> {
    let text = text.trim_end_matches(['%', ' ']);
    let wrong = || format!("{text:?} is no percentage from 0 to 100 with at most two places");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let all_digits = [whole, fraction]
        .iter()
        .all(|part| part.bytes().all(|b| b.is_ascii_digit()));
    if whole.is_empty() || whole.len() > 3 || fraction.len() > 2 || !all_digits {
        return Err(wrong());
    }
    let hundredths: u32 = format!("{fraction:0<2}").parse().map_err(|_| wrong())?;
    let whole: u32 = whole.parse().map_err(|_| wrong())?;
    Some(whole * 100 + hundredths)
        .filter(|bp| *bp <= 10_000)
        .ok_or_else(wrong)
}

pub async fn sync(args: &SyncArgs, connection: &Connection, output: &mut Output) -> CliResult {
    let files = match (&args.configured, &args.files) {
        (Some(_), _)
            if args.quarantine_limit.is_some() || args.mapping.is_some() || args.source.is_some() =>
        {
            return Err(CliError::usage(
                "--mapping, --source and --quarantine-limit belong to --files; a configured source has them in its table",
            ));
        }
        (Some(name), _) => return super::source::sync(name, connection, output).await,
        (None, Some(files)) => files,
        (None, None) => return Err(CliError::usage("name a source, or a directory with --files")),
    };
    let directory = path_text(&server_path(files, connection)?)?;
    let mapping = match &args.mapping {
        Some(path) => path_text(&server_path(path, connection)?)?,
        None => String::new(),
    };
    let request = pb::SyncFilesRequest {
        source: args.source.clone().unwrap_or_default(),
        directory,
        mapping,
        quarantine_limit_bp: args.quarantine_limit,
        request_id: String::new(),
    };
    let started = connection.connectors().sync_files(request).await?.into_inner();
    match follow(connection, output, started.operation).await? {
        pb::operation::Result::SyncReport(report) => {
            let report = convert::report_from_proto(report);
            let done = tell_report(&report, output)?;
            if report.datasets.is_empty() {
                return Err(nothing_read(files, output));
            }
            Ok(done)
        }
        other => Err(CliError::failed(format!(
            "the server's answer cannot be read: {other:?}"
        ))),
    }
}

/// A mistyped directory must not look like a sync that went well.
fn nothing_read(files: &Path, output: &Output) -> CliError {
    let files = files.display();
    CliError::failed(match output.lang {
        domain::Lang::Zh => {
            format!(
                "{files} 中没有以数据集命名或映射文件提及的文件，什么也没有读取；数据集及其字段见 `lianjing datasets`"
            )
        }
        domain::Lang::En => format!(
            "no file in {files} is named after a dataset or in a mapping file, so nothing was read; `lianjing datasets` \
             shows the datasets and their columns"
        ),
    })
}

/// Conservation lines on stdout; notices and the first quarantined rows on stderr.
pub fn tell_report(report: &SyncReport, output: &mut Output) -> CliResult {
    use crate::cli::Format;
    match output.format {
        Format::Json => output.json_line(report)?,
        Format::Csv => {
            let header = [
                "dataset",
                "read",
                "inserted",
                "updated",
                "unchanged",
                "quarantined",
            ];
            let rows = report.datasets.iter().map(|c| {
                let numbers = [c.read, c.inserted, c.updated, c.unchanged, c.quarantined];
                std::iter::once(c.dataset.clone())
                    .chain(numbers.map(|n| n.to_string()))
                    .collect()
            });
            output.csv(&header, rows.collect::<Vec<_>>())?;
        }
        Format::Table => {
            for c in &report.datasets {
                let line = format!(
                    "{}: read {} = inserted {} + updated {} + unchanged {} + quarantined {}",
                    c.dataset, c.read, c.inserted, c.updated, c.unchanged, c.quarantined
                );
                output.line(&line)?;
            }
        }
    }
    output.flush()?;
    for notice in &report.notices {
        let times = if notice.count > 1 {
            format!(" (x{})", notice.count)
        } else {
            String::new()
        };
        tell(&format!(
            "{}: {} [{}]{times}",
            notice.place,
            notice.message.get(output.lang),
            notice.code
        ));
    }
    for entry in &report.quarantine_sample {
        let field = entry
            .field
            .as_deref()
            .map(|f| format!(", {f}"))
            .unwrap_or_default();
        tell(&format!(
            "{}:{}{field}: {} [{}]",
            entry.file, entry.row, entry.detail, entry.reason
        ));
    }
    if let Some(broken) = report.datasets.iter().find(|c| !c.holds()) {
        return Err(CliError::failed(format!(
            "the counts of {} do not add up; please report this as a defect",
            broken.dataset
        )));
    }
    let quarantined: u64 = report.datasets.iter().map(|c| c.quarantined).sum();
    let megabytes = report.bytes / 1_000_000;
    tell(&format!(
        "{}: {} {}, {megabytes} MB, {}",
        report.source,
        output.say("快照", "snapshot"),
        report.snapshot,
        super::duration(report.elapsed_ms)
    ));
    if quarantined == 0 {
        return Ok(Done::Fully);
    }
    tell(&match output.lang {
        domain::Lang::Zh => format!("{quarantined} 行无法读取，已隔离；用 `lianjing quarantine list` 查看。"),
        domain::Lang::En => {
            format!(
                "{quarantined} rows could not be read and are in quarantine; see `lianjing quarantine list`."
            )
        }
    });
    Ok(Done::Partly)
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn percentages_are_exact() {
        for (text, bp) in [
            ("1", 100),
            ("0", 0),
            ("0.5", 50),
            ("0.05", 5),
            ("100", 10_000),
            ("12.34", 1_234),
            ("5%", 500),
        ] {
            assert_eq!(percent(text), Ok(bp));
        }
        for wrong in ["", "-1", "100.01", "1.234", ".5", "1e2", "%"] {
            assert!(percent(wrong).is_err(), "{wrong}");
        }
    }
}
