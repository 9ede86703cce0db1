//! `lianjing datasets`: what can be synced: which tables, under which names their columns are found, and which rules read
//! them.

use std::collections::BTreeMap;

use clap::Args;
use domain::dataset::Column as Field;
use serde_json::json;

use crate::connection::Connection;
use crate::outcome::{CliError, CliResult, Done};
use crate::output::{Column, Output, column, tell};

#[derive(Debug, Clone, Args)]
pub struct DatasetsArgs {
    /// Show this one's columns; by its name or its Chinese title / 查看一个数据集的字段
    #[arg(value_name = "DATASET")]
    pub dataset: Option<String>,
}

pub async fn datasets(args: &DatasetsArgs, connection: &Connection, output: &mut Output) -> CliResult {
    match &args.dataset {
        None => list(connection, output).await,
        Some(name) => show(name, output),
    }
}

const DATASETS: [Column; 4] = [
    column("dataset", "数据集", "DATASET"),
    column("title", "名称", "TITLE"),
    column("key", "主键", "KEY"),
    column("rules", "使用的规则", "RULES"),
];

async fn list(connection: &Connection, output: &mut Output) -> CliResult {
    let mut readers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for rule in super::rules::all(connection).await? {
        for input in &rule.inputs {
            let rules = readers.entry(input.dataset.clone()).or_default();
            rules.push(rule.rule_id.clone());
        }
    }
    let rows: Vec<_> = domain::catalogue()
        .iter()
        .map(|dataset| {
            let rules = readers.remove(&dataset.name).unwrap_or_default();
            let object = json!({
                "dataset": dataset.name, "title": dataset.title, "key": dataset.key, "rules": rules,
            });
            let cells = vec![
                dataset.name.clone(),
                dataset.title.clone(),
                dataset.key.join(", "),
                rules.join(" "),
            ];
            (cells, object)
        })
        .collect();
    output.list(&DATASETS, rows)?;
    tell(output.say(
        "字段及其表头：`lianjing datasets 数据集`",
        "columns, and the headers they are found by: `lianjing datasets DATASET`",
    ));
    Ok(Done::Fully)
}

const FIELDS: [Column; 5] = [
    column("column", "字段", "COLUMN"),
    column("type", "类型", "TYPE"),
    column("key", "主键", "KEY"),
    column("headers", "可识别的表头", "HEADERS"),
    column("codes", "代码", "CODES"),
];

fn show(name: &str, output: &mut Output) -> CliResult {
    let found = domain::catalogue()
        .iter()
        .find(|dataset| dataset.name == name || dataset.title == name);
    let Some(dataset) = found else {
        return Err(CliError::usage(format!(
            "there is no dataset {name}; `lianjing datasets` shows them all / 没有此数据集"
        )));
    };
    let rows: Vec<_> = dataset
        .columns
        .iter()
        .map(|field| {
            let is_key = dataset.key.contains(&field.name);
            let object = json!({
                "column": field.name, "type": field.ty.name(), "key": is_key, "headers": field.labels,
                "codes": field.codes, "other_texts": !field.codes_are_closed,
            });
            let cells = vec![
                field.name.clone(),
                field.ty.name().to_owned(),
                if is_key {
                    output.say("是", "yes").to_owned()
                } else {
                    String::new()
                },
                field.labels.join(" | "),
                codes(field),
            ];
            (cells, object)
        })
        .collect();
    output.list(&FIELDS, rows)?;
    Ok(Done::Fully)
}

/// `platform=线上|平台, offline=线下`, and `..` where any other text is kept, too.
fn codes(field: &Field) -> String {
    let mut codes: Vec<String> = field
        .codes
        .iter()
        .map(|(code, spellings)| format!("{code}={}", spellings.join("|")))
        .collect();
    if !codes.is_empty() && !field.codes_are_closed {
        codes.push("..".to_owned());
    }
    codes.join(", ")
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::path::Path;

    use domain::dataset::Dataset;

    use super::*;

    fn section(dataset: &Dataset) -> String {
        let mut text = format!(
            "\n## {} {}\n\nKey: `{}`\n\n| column | type | headers | codes |\n|---|---|---|---|\n",
            dataset.name,
            dataset.title,
            dataset.key.join("`, `"),
        );
        for field in &dataset.columns {
            let (headers, codes) = (field.labels.join("、"), codes(field).replace('|', "、"));
            writeln!(
                text,
                "| `{}` | {} | {headers} | {codes} |",
                field.name,
                field.ty.name()
            )
            .expect("written");
        }
        text
    }

    /// `LIANJING_WRITE_DOCS=1 cargo test -p lianjing datasets` writes the page anew.
    #[test]
    fn the_page_of_datasets_is_that_of_the_data_model() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/datasets.md");
        let begin = "<!-- datasets: begin, written from the data model -->\n";
        let page = std::fs::read_to_string(&path).expect("the page");
        let (before, found) = page.split_once(begin).expect("the page has the begin mark");
        let expected: String = domain::catalogue().iter().map(|d| section(d)).collect();
        if std::env::var_os("LIANJING_WRITE_DOCS").is_some() {
            std::fs::write(&path, format!("{before}{begin}{expected}")).expect("written");
            return;
        }
        assert_eq!(found, expected, "LIANJING_WRITE_DOCS=1 writes {}", path.display());
    }
}
