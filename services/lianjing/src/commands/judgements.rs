//! `lianjing party judge`, `unjudge`, `judgements` and `events`: what reviewers say of who is who.

use chrono::DateTime;
use clap::{Args, Subcommand, ValueEnum};
use proto::v1 as pb;
use serde_json::json;

use crate::connection::Connection;
use crate::outcome::{CliResult, Done};
use crate::output::{Column, Output, column, tell};

#[derive(Debug, Clone, Subcommand)]
pub enum PartyCommand {
    /// Record that two parties are the same or different; binds every sync from now on / 人工判定同一或不同
    Judge(JudgeArgs),
    /// Take a judgement back; it stays on record / 撤回判定
    Unjudge(UnjudgeArgs),
    /// Judgements, the oldest first / 列出判定
    Judgements(JudgementsArgs),
    /// What became of party ids: merged, split, moved; the newest first / 主体编号变更
    Events(EventsArgs),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "UPPER")]
pub enum Verdict {
    Same,
    Different,
}

#[derive(Debug, Clone, Args)]
pub struct JudgeArgs {
    /// SAME or DIFFERENT / 同一或不同
    #[arg(ignore_case = true)]
    pub verdict: Verdict,
    /// One party: name, USCC, ID number, party id or key; a name stands for the rows that have it alone / 主体甲
    pub a: String,
    /// The other / 主体乙
    pub b: String,
    /// Who judges / 判定人
    #[arg(long = "by", value_name = "WHO")]
    pub by: String,
    /// Why / 理由
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

#[derive(Debug, Clone, Args)]
pub struct UnjudgeArgs {
    /// Its id, as `lianjing party judgements` shows it / 判定编号
    pub judgement_id: String,
    /// Who takes it back / 撤回人
    #[arg(long = "by", value_name = "WHO")]
    pub by: String,
    /// Why / 理由
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

#[derive(Debug, Clone, Args)]
pub struct JudgementsArgs {
    /// Those that were withdrawn too / 含已撤回
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Clone, Args)]
pub struct EventsArgs {
    /// Only events that name this party id / 主体编号
    #[arg(long, value_name = "PARTY_ID")]
    pub party: Option<String>,
    /// Most events / 条数上限
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: usize,
}

const PAGE: i32 = 1_000;

const JUDGEMENT_COLUMNS: [Column; 8] = [
    column("judgement_id", "判定编号", "JUDGEMENT"),
    column("verdict", "结论", "VERDICT"),
    column("a", "主体甲", "A"),
    column("b", "主体乙", "B"),
    column("by", "判定人", "BY"),
    column("reason", "理由", "REASON"),
    column("judged_at", "时间", "AT"),
    column("withdrawn", "撤回", "WITHDRAWN"),
];

const EVENT_COLUMNS: [Column; 7] = [
    column("snapshot", "快照", "SNAPSHOT"),
    column("event", "变更", "EVENT"),
    column("from_party_id", "原主体", "FROM"),
    column("from_name", "原名称", "FROM_NAME"),
    column("into_party_id", "现主体", "INTO"),
    column("into_name", "现名称", "INTO_NAME"),
    column("mentions", "提及数", "MENTIONS"),
];

pub async fn party(command: &PartyCommand, connection: &Connection, output: &mut Output) -> CliResult {
    match command {
        PartyCommand::Judge(args) => {
            let request = pb::JudgePartiesRequest {
                verdict: match args.verdict {
                    Verdict::Same => pb::PartyVerdict::Same,
                    Verdict::Different => pb::PartyVerdict::Different,
                }
                .into(),
                a: args.a.clone(),
                b: args.b.clone(),
                actor: args.by.clone(),
                reason: args.reason.clone(),
            };
            let done = connection.graph().judge_parties(request).await?.into_inner();
            told(done.snapshot, &done.events, output);
            output.list(&JUDGEMENT_COLUMNS, done.judgement.into_iter().map(judgement_row))?;
        }
        PartyCommand::Unjudge(args) => {
            let request = pb::WithdrawPartyJudgementRequest {
                judgement_id: args.judgement_id.clone(),
                actor: args.by.clone(),
                reason: args.reason.clone(),
            };
            let done = connection
                .graph()
                .withdraw_party_judgement(request)
                .await?
                .into_inner();
            told(done.snapshot, &done.events, output);
            output.list(&JUDGEMENT_COLUMNS, done.judgement.into_iter().map(judgement_row))?;
        }
        PartyCommand::Judgements(args) => {
            let mut request = pb::ListPartyJudgementsRequest {
                page_size: PAGE,
                page_token: String::new(),
                include_withdrawn: args.all,
            };
            let mut rows = Vec::new();
            loop {
                let page = connection
                    .graph()
                    .list_party_judgements(request.clone())
                    .await?
                    .into_inner();
                rows.extend(page.judgements.into_iter().map(judgement_row));
                request.page_token = page.next_page_token;
                if request.page_token.is_empty() {
                    break;
                }
            }
            output.list(&JUDGEMENT_COLUMNS, rows)?;
        }
        PartyCommand::Events(args) => {
            let mut request = pb::ListPartyEventsRequest {
                page_size: PAGE,
                page_token: String::new(),
                party_id: args.party.clone().unwrap_or_default(),
            };
            let mut events = Vec::new();
            loop {
                let page = connection
                    .graph()
                    .list_party_events(request.clone())
                    .await?
                    .into_inner();
                events.extend(page.events);
                request.page_token = page.next_page_token;
                if request.page_token.is_empty() || events.len() >= args.limit {
                    break;
                }
            }
            events.truncate(args.limit);
            output.list(&EVENT_COLUMNS, events.into_iter().map(event_row))?;
        }
    }
    Ok(Done::Fully)
}

/// Says what a judgement changed.
fn told(snapshot: i64, events: &[pb::PartyEvent], output: &Output) {
    let moved: u64 = events.iter().map(|e| e.mentions).sum();
    tell(output.say(
        &format!(
            "快照 {snapshot}：{} 个主体变更，涉及 {moved} 处提及。",
            events.len()
        ),
        &format!(
            "snapshot {snapshot}: {} parties changed, {moved} mentions moved.",
            events.len()
        ),
    ));
}

/// UTC microseconds as RFC 3339; empty for 0.
fn time(micros: i64) -> String {
    match micros {
        0 => String::new(),
        _ => DateTime::from_timestamp_micros(micros)
            .map(|t| t.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
            .unwrap_or_default(),
    }
}

fn judgement_row(j: pb::PartyJudgement) -> (Vec<String>, serde_json::Value) {
    let verdict = match j.verdict() {
        pb::PartyVerdict::Same => "SAME",
        pb::PartyVerdict::Different => "DIFFERENT",
        pb::PartyVerdict::Unspecified => "",
    };
    let withdrawn = (j.withdrawn_at != 0)
        .then(|| json!({"by": j.withdrawn_by, "reason": j.withdrawn_reason, "at": time(j.withdrawn_at)}));
    let object = json!({
        "judgement_id": j.judgement_id, "verdict": verdict, "a": j.a, "b": j.b, "a_told": j.a_told,
        "b_told": j.b_told, "by": j.actor, "reason": j.reason, "judged_at": time(j.judged_at), "withdrawn": withdrawn,
    });
    let shown = match j.withdrawn_at {
        0 => String::new(),
        at => format!("{} {}: {}", time(at), j.withdrawn_by, j.withdrawn_reason),
    };
    let cells = vec![
        j.judgement_id,
        verdict.to_owned(),
        j.a,
        j.b,
        j.actor,
        j.reason,
        time(j.judged_at),
        shown,
    ];
    (cells, object)
}

fn event_row(e: pb::PartyEvent) -> (Vec<String>, serde_json::Value) {
    let kind = match e.kind() {
        pb::PartyEventKind::Merged => "MERGED",
        pb::PartyEventKind::Split => "SPLIT",
        pb::PartyEventKind::Moved => "MOVED",
        pb::PartyEventKind::Unspecified => "",
    };
    let object = json!({
        "snapshot": e.snapshot, "occurred_at": time(e.occurred_at), "event": kind, "from_party_id": e.from_party_id,
        "from_name": e.from_name, "into_party_id": e.into_party_id, "into_name": e.into_name, "mentions": e.mentions,
    });
    let cells = vec![
        e.snapshot.to_string(),
        kind.to_owned(),
        e.from_party_id,
        e.from_name,
        e.into_party_id,
        e.into_name,
        e.mentions.to_string(),
    ];
    (cells, object)
}
