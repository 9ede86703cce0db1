//! `lianjing match`: which records of a CSV, or of two, are of one organisation or person.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use connector::decode::{Detected, Encoding, detect};
use matching::linkage::{MatchError, Matched, Model, PairRow, RecordRow, Request, Table, match_tables};
use serde_json::json;

use crate::cli::Format;
use crate::outcome::{CliError, CliResult, Done, chain};
use crate::output::{Column, Output, column, tell, without_formula};

const LONG: &str = "\
Deduplicate a CSV of organisations or persons, or link two CSVs.
对企业或人员 CSV 查重，或关联两份 CSV。

Columns are found by their headers, English or Chinese: name 公司名称, uscc 统一社会信用代码, legal_representative
法定代表人, phone 电话, address 地址, email 邮箱, person_name 姓名, id_number 身份证号, birth_date 出生日期, given_name,
surname, street_number, address_1, address_2, suburb, postcode, state, date_of_birth, soc_sec_id. Other columns
take part through --map NEW:KIND=COLUMN, e.g. --map grade:category=等级, with a kind such as text or category.
列按表头识别；其他列可用 --map 指定。

Records with two different valid USCCs or ID numbers never get one cluster, nor do a branch and its parent.
Persons are never joined by name alone, nor sister firms through a short name that fits several of them.
两个不同的有效信用代码或身份证号、分支机构与总部，绝不合并；人员不凭姓名合并；简称可指多家企业时不合并。";

const EXAMPLES: &str = "\
Examples / 示例:
  lianjing match suppliers.csv --format csv > clusters.csv
  lianjing match 供应商.csv 名单.csv --map name=单位名称 --pairs pairs.csv --lang zh
  lianjing match suppliers.csv --train --write-model model.json";

#[derive(Debug, Clone, Args)]
#[command(long_about = LONG, after_long_help = EXAMPLES)]
pub struct MatchArgs {
    /// CSV with a header; UTF-8, GB18030 or UTF-16 / 带表头的 CSV
    #[arg(value_name = "RECORDS.csv")]
    pub records: PathBuf,
    /// Second CSV: records of the first are linked to records of this one / 第二份 CSV
    #[arg(value_name = "OTHER.csv")]
    pub other: Option<PathBuf>,
    /// Fields and the columns that hold them: name=公司名称,phone=手机 / 指定列
    #[arg(long, value_name = "FIELD=COLUMN", value_delimiter = ',')]
    pub map: Vec<String>,
    /// Use this model instead of the shipped one / 模型文件
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Write the model used, to read, change and keep / 写出所用模型
    #[arg(long, value_name = "FILE")]
    pub write_model: Option<PathBuf>,
    /// Fit the model's probabilities to these records first / 先用本数据训练
    #[arg(long)]
    pub train: bool,
    /// Probability from which two records are joined, 0 to 1; by default the model's, 0.9 / 合并阈值
    #[arg(long, value_name = "P")]
    pub threshold: Option<f64>,
    /// With two files: also join records of one file / 同时在每份文件内查重
    #[arg(long)]
    pub dedupe_each: bool,
    /// Write scored pairs with their explanation, as CSV / 写出配对及理由
    #[arg(long, value_name = "FILE")]
    pub pairs: Option<PathBuf>,
    /// Least probability of a pair in --pairs / 配对文件的最低概率
    #[arg(long, value_name = "P", default_value_t = 0.5)]
    pub pairs_from: f64,
    /// Write the result here instead of stdout; table becomes csv / 结果文件
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Show the blocking report on stderr / 显示分块报告
    #[arg(long)]
    pub report: bool,
}

const COLUMNS: [Column; 4] = [
    column("record_id", "记录", "RECORD"),
    column("cluster_id", "主体", "CLUSTER"),
    column("confidence", "置信度", "CONFIDENCE"),
    column("file", "文件", "FILE"),
];

/// Matches the files; needs no data directory and no server.
pub fn match_records(args: &MatchArgs, output: &mut Output) -> CliResult {
    let mut tables = vec![read(&args.records)?];
    if let Some(other) = &args.other {
        tables.push(read(other)?);
    }
    let request = Request {
        map: mapping(&args.map)?,
        model: args.model.as_deref().map(read_model).transpose()?,
        train: args.train,
        threshold: args.threshold,
        dedupe_each: args.dedupe_each,
        pairs_from: args.pairs.is_some().then_some(args.pairs_from),
    };
    let matched = match_tables(&tables, &request).map_err(|e| wrong(&e, args))?;
    if let Some(path) = &args.write_model {
        write_file(path, matched.model.to_json().as_bytes())?;
    }
    if let Some(path) = &args.pairs {
        let text = csv_text(&PAIR_HEADER, matched.pairs.iter().map(|p| pair_cells(p, output)))?;
        write_file(path, text.as_bytes())?;
    }
    write_records(args, &matched, tables.len() > 1, output)?;
    summary(args, &matched, output);
    Ok(Done::Fully)
}

/// Files are named in errors by their path.
fn wrong(error: &MatchError, args: &MatchArgs) -> CliError {
    let path = |number: usize| match (number, &args.other) {
        (2, Some(other)) => other.display().to_string(),
        _ => args.records.display().to_string(),
    };
    CliError::usage(match error {
        MatchError::Empty(file) => format!("{}: no rows below the header", path(*file)),
        MatchError::Layout { file, source } => format!("{}: {source}", path(*file)),
        other => chain(other),
    })
}

fn mapping(map: &[String]) -> CliResult<Vec<(String, String)>> {
    map.iter()
        .map(|pair| match pair.split_once('=') {
            Some((field, column)) if !field.trim().is_empty() && !column.trim().is_empty() => {
                Ok((field.trim().to_owned(), column.trim().to_owned()))
            }
            _ => Err(CliError::usage(format!(
                "--map {pair:?} is not of the form field=column, e.g. name=公司名称"
            ))),
        })
        .collect()
}

fn read_bytes(path: &Path) -> CliResult<Vec<u8>> {
    std::fs::read(path).map_err(|e| CliError::usage(format!("cannot read {}: {e}", path.display())))
}

fn read_model(path: &Path) -> CliResult<Model> {
    let bytes = read_bytes(path)?;
    let text = String::from_utf8_lossy(&bytes);
    Model::from_json(&text).map_err(|e| CliError::usage(format!("{}: {}", path.display(), chain(&e))))
}

/// A CSV (commas, semicolons or tabs, whichever its header has most of) in any of the encodings that exports come in.
fn read(path: &Path) -> CliResult<Table> {
    let bytes = read_bytes(path)?;
    let wrong = |text: &str| CliError::usage(format!("{}: {text}", path.display()));
    let detected = detect(bytes.as_slice())
        .map_err(|e| CliError::failed(format!("cannot read {}: {e}", path.display())))?;
    let (encoding, mark_bytes) = match detected {
        Detected::Text { encoding, mark_bytes } => (encoding, mark_bytes),
        Detected::Empty => return Err(wrong("the file is empty")),
        Detected::Binary => return Err(wrong("is no text; save the sheet as CSV first")),
    };
    let text = decoded(encoding, &bytes[mark_bytes..]);
    if text.contains('\u{fffd}') {
        tell(&format!(
            "{}: some characters could not be read as {encoding:?}",
            path.display()
        ));
    }
    let header = text.lines().next().unwrap_or_default();
    let count = |c: char| header.matches(c).count();
    let delimiter = [(b',', count(',')), (b'\t', count('\t')), (b';', count(';'))]
        .into_iter()
        .rev()
        .max_by_key(|(_, n)| *n)
        .map_or(b',', |(c, _)| c);
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    let header = reader.headers().map_err(|e| wrong(&e.to_string()))?.clone();
    let mut table = Table::new(header.iter().map(|h| h.trim().to_owned()).collect());
    let mut row = csv::StringRecord::new();
    while reader.read_record(&mut row).map_err(|e| wrong(&e.to_string()))? {
        table.push(row.iter());
    }
    Ok(table)
}

fn decoded(encoding: Encoding, bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    encoding.decode(bytes, &mut text);
    text
}

fn write_file(path: &Path, bytes: &[u8]) -> CliResult<()> {
    std::fs::write(path, bytes).map_err(|e| CliError::failed(format!("cannot write {}: {e}", path.display())))
}

const PAIR_HEADER: [&str; 6] = ["left", "right", "probability", "weight", "joined", "explanation"];

fn pair_cells(pair: &PairRow, output: &Output) -> Vec<String> {
    let explanation = output.say(&pair.explanation.zh, &pair.explanation.en).to_owned();
    vec![
        pair.left.clone(),
        pair.right.clone(),
        format!("{:.6}", pair.probability),
        format!("{:.3}", pair.weight),
        pair.joined.to_string(),
        explanation,
    ]
}

fn csv_text(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> CliResult<String> {
    let failed = |e: csv::Error| CliError::failed(format!("cannot write the output: {e}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header).map_err(failed)?;
    for row in rows {
        writer
            .write_record(row.iter().map(|cell| without_formula(cell)))
            .map_err(failed)?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|e| CliError::failed(format!("cannot write the output: {}", e.error())))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn write_records(args: &MatchArgs, matched: &Matched, two: bool, output: &mut Output) -> CliResult<()> {
    let columns = &COLUMNS[..if two { 4 } else { 3 }];
    let file_name = |row: &RecordRow| {
        let path = if row.file == 0 {
            Some(&args.records)
        } else {
            args.other.as_ref()
        };
        path.map(|p| p.display().to_string()).unwrap_or_default()
    };
    let cells = |row: &RecordRow| {
        let mut cells = vec![
            row.record_id.clone(),
            row.cluster_id.clone(),
            format!("{:.4}", row.confidence),
        ];
        if two {
            cells.push(file_name(row));
        }
        cells
    };
    let object = |row: &RecordRow| {
        let mut object = json!({
            "record_id": row.record_id, "cluster_id": row.cluster_id, "confidence": row.confidence,
        });
        if two {
            object["file"] = json!(file_name(row));
        }
        object
    };
    match (&args.out, output.format) {
        (None, _) => output.list(columns, matched.records.iter().map(|r| (cells(r), object(r))))?,
        (Some(path), Format::Json) => {
            let mut text = Vec::new();
            for row in &matched.records {
                // Writing to memory cannot fail.
                let _ = writeln!(text, "{}", object(row));
            }
            write_file(path, &text)?;
        }
        (Some(path), Format::Csv | Format::Table) => {
            let header: Vec<&str> = columns.iter().map(|c| c.key).collect();
            let text = csv_text(&header, matched.records.iter().map(cells))?;
            write_file(path, text.as_bytes())?;
        }
    }
    Ok(())
}

fn summary(args: &MatchArgs, matched: &Matched, output: &Output) {
    let report = &matched.report;
    let zh = format!(
        "{} 条记录，比较 {} 对，归为 {} 个主体。",
        report.records, report.pairs, report.clusters
    );
    let en = format!(
        "{} records, {} pairs compared, {} clusters.",
        report.records, report.pairs, report.clusters
    );
    tell(output.say(&zh, &en));
    for (zh, en) in report.notices() {
        tell(output.say(&zh, &en));
    }
    if !matched.unused_columns.is_empty() {
        let unused = matched.unused_columns.join(", ");
        tell(&format!(
            "{}{unused}",
            output.say("未使用的列：", "columns not used: ")
        ));
    }
    for rule in &report.rules {
        if args.report || rule.capped > 0 {
            tell(&format!(
                "{}: {} records, {} blocks, {} pairs, largest {}, refined {}, capped {}, pairs set aside {}",
                rule.rule,
                rule.records,
                rule.blocks,
                rule.pairs,
                rule.largest,
                rule.refined,
                rule.capped,
                rule.pairs_set_aside
            ));
        }
    }
}
