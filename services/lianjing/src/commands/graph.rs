//! `lianjing party` and `lianjing link`.

use clap::Args;
use domain::Value;
use gateway::convert;
use proto::v1 as pb;
use serde_json::json;

use crate::cli::Format;
use crate::connection::Connection;
use crate::outcome::{CliResult, Done};
use crate::output::{Column, Output, column, tell};

#[derive(Debug, Clone, Args)]
pub struct PartyArgs {
    /// Name, USCC, ID number, staff id, supplier id or party id / 名称或编号
    pub text: String,
}

#[derive(Debug, Clone, Args)]
pub struct LinkArgs {
    /// One party, as `lianjing party` takes it / 主体甲
    pub from: String,
    /// The other / 主体乙
    pub to: String,
    /// Longest path, 1 to 8 / 最多跳数
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=8))]
    pub max_hops: u32,
    /// Only relations in force on this day, YYYY-MM-DD / 基准日
    #[arg(long, value_name = "DATE")]
    pub as_of: Option<String>,
    /// Most paths, 1 to 100 / 路径数上限
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub limit: u32,
}

const COLUMNS: [Column; 6] = [
    column("party_id", "主体编号", "PARTY"),
    column("kind", "类型", "KIND"),
    column("name", "名称", "NAME"),
    column("code", "代码", "CODE"),
    column("aliases", "别名", "ALIASES"),
    column("mentions", "出现于", "MENTIONS"),
];

pub async fn party(args: &PartyArgs, connection: &Connection, output: &mut Output) -> CliResult {
    let request = pb::FindPartyRequest {
        text: args.text.clone(),
    };
    let parties = connection.graph().find_party(request).await?.into_inner().parties;
    if parties.is_empty() {
        tell(output.say("没有找到。", "no such party."));
    }
    let rows = parties.into_iter().map(|p| {
        let object = json!({
            "party_id": p.party_id, "kind": p.kind, "name": p.name, "code": p.code, "aliases": p.aliases,
            "mentions": p.mentions,
        });
        let cells = vec![
            p.party_id,
            p.kind,
            p.name,
            p.code.unwrap_or_default(),
            p.aliases.join(", "),
            p.mentions.join(", "),
        ];
        (cells, object)
    });
    output.list(&COLUMNS, rows.collect::<Vec<_>>())?;
    Ok(Done::Fully)
}

const PATH_COLUMNS: [Column; 5] = [
    column("hops", "跳数", "HOPS"),
    column("share", "合计股比", "SHARE"),
    column("valid_from", "起", "FROM"),
    column("valid_to", "止", "TO"),
    column("path", "路径", "PATH"),
];

pub async fn link(args: &LinkArgs, connection: &Connection, output: &mut Output) -> CliResult {
    let request = pb::FindPathsRequest {
        from: args.from.clone(),
        to: args.to.clone(),
        max_hops: args.max_hops,
        as_of: args.as_of.clone().unwrap_or_default(),
        limit: args.limit,
    };
    let paths = connection.graph().find_paths(request).await?.into_inner().paths;
    if paths.is_empty() {
        tell(&match output.lang {
            domain::Lang::Zh => format!("{} 跳以内没有关联。", args.max_hops),
            domain::Lang::En => format!("no path of at most {} hops.", args.max_hops),
        });
    }
    let rows: Vec<_> = paths
        .into_iter()
        .map(|path| {
            let hops: Vec<Value> = path.hops.into_iter().map(convert::value_from_proto).collect();
            let text = hops.iter().map(hop_text).collect::<Vec<_>>().join("; ");
            let object = json!({
                "hops": hops, "share": path.share, "valid_from": date(&path.valid_from), "valid_to": date(&path.valid_to),
            });
            let cells =
                vec![hops.len().to_string(), path.share.unwrap_or_default(), path.valid_from, path.valid_to, text];
            (cells, object)
        })
        .collect();
    if output.format == Format::Table && rows.is_empty() {
        return Ok(Done::Fully);
    }
    output.list(&PATH_COLUMNS, rows)?;
    Ok(Done::Fully)
}

fn date(text: &str) -> Option<&str> {
    Some(text).filter(|t| !t.is_empty())
}

/// "from -relation-> to (share %) [dataset key]".
fn hop_text(hop: &Value) -> String {
    let Value::Map(map) = hop else {
        return hop.to_string();
    };
    let text = |names: &[&str]| {
        names
            .iter()
            .filter_map(|n| map.get(*n))
            .map(super::show::one_line)
            .find(|t| !t.is_empty())
            .unwrap_or_default()
    };
    let share = text(&["share"]);
    let share = if share.is_empty() {
        String::new()
    } else {
        format!(" ({share} %)")
    };
    format!(
        "{} -{}-> {}{share} [{} {}]",
        text(&["from_name", "from"]),
        text(&["relation"]),
        text(&["to_name", "to"]),
        text(&["dataset"]),
        text(&["key"])
    )
}
