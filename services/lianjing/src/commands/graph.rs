//! `lianjing party`, `link`, `ubo` and `graph export`.

use clap::{Args, Subcommand};
use domain::Value;
use gateway::convert;
use proto::v1 as pb;
use serde_json::json;

use super::judgements::{self, PartyCommand};
use crate::cli::{Format, OutputFormat};
use crate::connection::Connection;
use crate::outcome::{CliResult, Done};
use crate::output::{Column, Output, column, tell};

#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct PartyArgs {
    /// Name, USCC, ID number, staff id, supplier id or party id / 名称或编号
    #[arg(required = true)]
    pub text: Option<String>,
    #[command(subcommand)]
    pub command: Option<PartyCommand>,
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
    if let Some(command) = &args.command {
        return judgements::party(command, connection, output).await;
    }
    let request = pb::FindPartyRequest {
        text: args.text.clone().unwrap_or_default(),
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

const PATH_COLUMNS: [Column; 6] = [
    column("hops", "跳数", "HOPS"),
    column("probability", "概率", "PROBABILITY"),
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
                "hops": hops, "probability": path.probability, "score": path.score, "share": path.share,
                "valid_from": date(&path.valid_from), "valid_to": date(&path.valid_to),
            });
            let cells = vec![
                hops.len().to_string(),
                format!("{:.4}", path.probability),
                path.share.unwrap_or_default(),
                path.valid_from,
                path.valid_to,
                text,
            ];
            (cells, object)
        })
        .collect();
    if output.format == Format::Table && rows.is_empty() {
        return Ok(Done::Fully);
    }
    output.list(&PATH_COLUMNS, rows)?;
    Ok(Done::Fully)
}

#[derive(Debug, Clone, Args)]
pub struct UboArgs {
    /// Company, as `lianjing party` takes it / 企业
    pub company: String,
    /// The day, YYYY-MM-DD; today without / 基准日
    #[arg(long, value_name = "DATE")]
    pub as_of: Option<String>,
    /// Owners of at least this fraction, and whoever controls; 0.25 is the line of the law / 最低比例
    #[arg(long, value_name = "FRACTION", default_value_t = 0.25)]
    pub min_share: f64,
}

const OWNER_COLUMNS: [Column; 7] = [
    column("company", "企业", "COMPANY"),
    column("owner_id", "主体编号", "OWNER"),
    column("kind", "类型", "KIND"),
    column("name", "名称", "NAME"),
    column("integrated_share", "合并持股", "INTEGRATED_SHARE"),
    column("controls", "控制", "CONTROLS"),
    column("ultimate", "最终", "ULTIMATE"),
];

pub async fn ubo(args: &UboArgs, connection: &Connection, output: &mut Output) -> CliResult {
    let request = pb::OwnershipRequest {
        company: args.company.clone(),
        as_of: args.as_of.clone().unwrap_or_default(),
        min_share: Some(args.min_share),
    };
    let companies = connection
        .graph()
        .ownership(request)
        .await?
        .into_inner()
        .companies;
    let mut rows = Vec::new();
    for answer in companies {
        let company = answer.company.unwrap_or_default();
        remarks(
            &company,
            &answer.owners,
            &answer.over_whole,
            &answer.unowned,
            answer.truncated,
            output,
        );
        for o in answer.owners {
            let owner = o.owner.unwrap_or_default();
            let object = json!({
                "company_id": company.party_id, "company": company.name, "owner_id": owner.party_id,
                "kind": owner.kind, "name": owner.name, "integrated_share": o.integrated_share,
                "controls": o.controls, "ultimate": o.ultimate,
            });
            let cells = vec![
                company.name.clone(),
                owner.party_id,
                owner.kind,
                owner.name,
                format!("{:.4}", o.integrated_share),
                o.controls.to_string(),
                o.ultimate.to_string(),
            ];
            rows.push((cells, object));
        }
    }
    if output.format == Format::Table && rows.is_empty() {
        return Ok(Done::Fully);
    }
    output.list(&OWNER_COLUMNS, rows)?;
    Ok(Done::Fully)
}

/// Says what the rows of owners do not.
fn remarks(
    company: &pb::PartyName,
    owners: &[pb::CompanyOwner],
    over_whole: &[pb::OverWhole],
    unowned: &[pb::UnownedGroup],
    truncated: bool,
    output: &Output,
) {
    let name = |party: &Option<pb::PartyName>| party.as_ref().map(|p| p.name.clone()).unwrap_or_default();
    let person = |o: &pb::CompanyOwner| o.owner.as_ref().is_some_and(|p| p.kind == "person");
    let say = |zh: String, en: String| tell(output.say(&zh, &en));
    if !owners.iter().any(person) {
        say(
            format!("{}：没有达到比例的自然人。", company.name),
            format!("{}: no natural person with that share.", company.name),
        );
    }
    for over in over_whole {
        let (company, sum) = (name(&over.company), &over.sum);
        say(
            format!("{company}：所载股比合计 {sum} %，超过 100 %，未作调整。"),
            format!("{company}: stated shares sum to {sum} %, over 100 %; they are used as they are."),
        );
    }
    for group in unowned {
        let names: Vec<&str> = group.companies.iter().map(|c| c.name.as_str()).collect();
        if group.closed {
            say(
                format!("{} 相互全资持有，没有自然人。", names.join("、")),
                format!(
                    "{} hold one another whole: no natural person owns them.",
                    names.join(", ")
                ),
            );
        } else {
            say(
                format!("{} 相互持股，所载股比矛盾。", names.join("、")),
                format!(
                    "{} hold one another, and their stated shares contradict.",
                    names.join(", ")
                ),
            );
        }
    }
    if truncated {
        say(
            "达到计算上限，可能有遗漏。".to_owned(),
            "a limit cut the answer; some owners may be missing.".to_owned(),
        );
    }
}

#[derive(Debug, Clone, Subcommand)]
pub enum GraphCommand {
    /// Write the graph, or what stands around a party, to stdout: --format graphml, or --format ftm for
    /// FollowTheMoney entities, one JSON object a line / 导出
    Export(ExportArgs),
}

#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// Only what stands around this party, as `lianjing party` takes it / 主体
    #[arg(long, value_name = "PARTY")]
    pub party: Option<String>,
    /// How far around it, 1 to 4 / 跳数
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=4))]
    pub max_hops: u32,
    /// Only relations in force on this day, YYYY-MM-DD / 基准日
    #[arg(long, value_name = "DATE", requires = "party")]
    pub as_of: Option<String>,
}

pub async fn graph(
    command: &GraphCommand,
    format: OutputFormat,
    connection: &Connection,
    output: &mut Output,
) -> CliResult {
    let GraphCommand::Export(args) = command;
    let request = pb::ExportGraphRequest {
        format: match format {
            OutputFormat::Graphml => pb::GraphFormat::Graphml,
            OutputFormat::Ftm => pb::GraphFormat::Ftm,
            OutputFormat::Table | OutputFormat::Json | OutputFormat::Csv => pb::GraphFormat::Unspecified,
        }
        .into(),
        party: args.party.clone().unwrap_or_default(),
        max_hops: args.max_hops,
        as_of: args.as_of.clone().unwrap_or_default(),
    };
    let mut pieces = connection.graph().export_graph(request).await?.into_inner();
    while let Some(piece) = pieces.message().await? {
        output.raw(&piece.data)?;
    }
    Ok(Done::Fully)
}

fn date(text: &str) -> Option<&str> {
    Some(text).filter(|t| !t.is_empty())
}

/// "from -relation-> to (share %) [dataset key]", and how certain it is where that is less than certain.
pub fn hop_text(hop: &Value) -> String {
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
    let certainty = text(&["certainty"]);
    let certainty = if certainty.is_empty() || certainty.starts_with('1') {
        String::new()
    } else {
        format!(" ~{certainty}")
    };
    format!(
        "{} -{}-> {}{share} [{} {}]{certainty}",
        text(&["from_name", "from"]),
        text(&["relation"]),
        text(&["to_name", "to"]),
        text(&["dataset"]),
        text(&["key"])
    )
}
