//! `lianjing screen`: a supplier or a file of orders before approval.

use std::io::BufRead as _;
use std::path::{Path, PathBuf};

use clap::Args;
use domain::Lang;
use gateway::convert;
use proto::v1 as pb;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::connection::Connection;
use crate::outcome::{CliError, CliResult, Done};
use crate::output::{Column, Output, column, tell};

/// Questions of one call.
const BATCH: usize = 500;

#[derive(Debug, Clone, Args)]
pub struct ScreenArgs {
    /// Name of the supplier / 供应商名称
    #[arg(required_unless_present_any = ["uscc", "party", "order"])]
    pub name: Option<String>,
    /// Its unified social credit code / 统一社会信用代码
    #[arg(long, value_name = "CODE")]
    pub uscc: Option<String>,
    /// Its party id, as `lianjing party` shows it / 主体编号
    #[arg(long, value_name = "ID")]
    pub party: Option<String>,
    /// Orders to screen, one JSON object a line; - is stdin / 订单文件
    #[arg(long, value_name = "FILE.jsonl", conflicts_with_all = ["name", "uscc", "party"])]
    pub order: Option<PathBuf>,
    /// The hospital that is to buy / 采购医院编号
    #[arg(long, value_name = "ID")]
    pub hospital: Option<String>,
    /// The day it is asked for, YYYY-MM-DD; by default today / 基准日
    #[arg(long, value_name = "DATE")]
    pub as_of: Option<String>,
    /// Only these checks: identity, lists, agreement, relations, price, threshold, channel / 只做这些检查
    #[arg(long = "check", value_name = "CHECK", value_parser = check_of_text)]
    pub checks: Vec<pb::ScreeningCheck>,
    /// Show what was found clean too, in a table / 同时列出未发现项
    #[arg(long)]
    pub all: bool,
}

fn check_of_text(text: &str) -> Result<pb::ScreeningCheck, String> {
    let name = format!("SCREENING_CHECK_{}", text.to_ascii_uppercase());
    pb::ScreeningCheck::from_str_name(&name)
        .filter(|c| *c != pb::ScreeningCheck::Unspecified)
        .ok_or_else(|| "use identity, lists, agreement, relations, price, threshold or channel".to_owned())
}

/// A decimal as text, or a whole number: other JSON numbers may have lost digits on their way.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(try_from = "Json")]
struct Decimal(String);

impl TryFrom<Json> for Decimal {
    type Error = String;

    fn try_from(json: Json) -> Result<Self, String> {
        match json {
            Json::Null => Ok(Self::default()),
            Json::String(text) => Ok(Self(text)),
            Json::Number(n) if n.is_u64() => Ok(Self(n.to_string())),
            other => Err(format!(
                "{other} is no decimal; write it as text, e.g. \"1234.50\""
            )),
        }
    }
}

/// One line of the file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct OrderText {
    reference: String,
    party_id: String,
    supplier_name: String,
    supplier_uscc: String,
    hospital_id: String,
    ordered_on: String,
    order_id: String,
    amount: Decimal,
    category: String,
    catalogue_code: String,
    budget_item_code: String,
    method: String,
    method_approval_no: String,
    channel: String,
    filing_no: String,
    lines: Vec<LineText>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LineText {
    line_no: u32,
    product_id: String,
    product_name: String,
    national_code: String,
    quantity: Decimal,
    unit_price: Decimal,
    amount: Decimal,
}

const COLUMNS: [Column; 8] = [
    column("reference", "编号", "REFERENCE"),
    column("party", "主体", "PARTY"),
    column("check", "检查", "CHECK"),
    column("verdict", "结论", "VERDICT"),
    column("code", "代码", "CODE"),
    column("reason", "说明", "REASON"),
    column("valid_to", "止于", "UNTIL"),
    column("evidence", "依据", "EVIDENCE"),
];

pub async fn screen(args: &ScreenArgs, connection: &Connection, output: &mut Output) -> CliResult {
    let mut questions = match &args.order {
        Some(path) => read_orders(path)?,
        None => vec![pb::ScreeningQuestion {
            reference: args
                .name
                .clone()
                .or(args.uscc.clone())
                .or(args.party.clone())
                .unwrap_or_default(),
            subject: Some(pb::ScreeningSubject {
                party_id: args.party.clone().unwrap_or_default(),
                uscc: args.uscc.clone().unwrap_or_default(),
                name: args.name.clone().unwrap_or_default(),
            }),
            ..Default::default()
        }],
    };
    for question in &mut questions {
        fill(&mut question.hospital_id, args.hospital.as_ref());
        fill(&mut question.as_of, args.as_of.as_ref());
        question.checks = args.checks.iter().map(|c| i32::from(*c)).collect();
    }
    let mut screenings = Vec::with_capacity(questions.len());
    for part in questions.chunks(BATCH) {
        let request = pb::ScreenBatchRequest {
            questions: part.to_vec(),
            min_snapshot: 0,
        };
        let answer = connection.screening().screen_batch(request).await?;
        screenings.extend(answer.into_inner().screenings);
    }
    tell_count(&screenings, output);
    let complete = screenings.iter().all(|s| s.complete);
    show(screenings, args.all, output)?;
    Ok(if complete { Done::Fully } else { Done::Partly })
}

/// What the line says goes before the option.
fn fill(field: &mut String, option: Option<&String>) {
    if field.is_empty()
        && let Some(option) = option
    {
        field.clone_from(option);
    }
}

fn read_orders(path: &Path) -> CliResult<Vec<pb::ScreeningQuestion>> {
    let shown = path.display();
    let cannot = |e: std::io::Error| CliError::usage(format!("cannot read {shown}: {e}"));
    let lines: Box<dyn Iterator<Item = std::io::Result<String>>> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock().lines())
    } else {
        let file = std::fs::File::open(path).map_err(cannot)?;
        Box::new(std::io::BufReader::new(file).lines())
    };
    let mut questions = Vec::new();
    for (index, line) in lines.enumerate() {
        let line = line.map_err(cannot)?;
        let line = line.trim_start_matches('\u{feff}').trim();
        if line.is_empty() {
            continue;
        }
        let order: OrderText = serde_json::from_str(line)
            .map_err(|e| CliError::usage(format!("{shown}, line {}: {e}", index + 1)))?;
        questions.push(question(order, index + 1));
    }
    if questions.is_empty() {
        return Err(CliError::usage(format!(
            "{shown} holds no order; write one JSON object a line"
        )));
    }
    Ok(questions)
}

fn question(order: OrderText, line_no: usize) -> pb::ScreeningQuestion {
    let reference = [order.reference, order.order_id.clone()]
        .into_iter()
        .find(|r| !r.is_empty())
        .unwrap_or_else(|| line_no.to_string());
    let line = |l: LineText| pb::ScreeningOrderLine {
        line_no: l.line_no,
        product_id: l.product_id,
        product_name: l.product_name,
        national_code: l.national_code,
        quantity: l.quantity.0,
        unit_price: l.unit_price.0,
        amount: l.amount.0,
    };
    pb::ScreeningQuestion {
        reference,
        subject: Some(pb::ScreeningSubject {
            party_id: order.party_id,
            uscc: order.supplier_uscc,
            name: order.supplier_name,
        }),
        hospital_id: order.hospital_id,
        as_of: order.ordered_on,
        order: Some(pb::ScreeningOrder {
            order_id: order.order_id,
            amount: order.amount.0,
            category: order.category,
            catalogue_code: order.catalogue_code,
            budget_item_code: order.budget_item_code,
            method: order.method,
            method_approval_no: order.method_approval_no,
            channel: order.channel,
            filing_no: order.filing_no,
            lines: order.lines.into_iter().map(line).collect(),
        }),
        checks: Vec::new(),
    }
}

fn tell_count(screenings: &[pb::Screening], output: &Output) {
    let count = |verdict| screenings.iter().filter(|s| s.verdict() == verdict).count();
    let (hits, not_computed, clean) = (
        count(pb::ScreeningVerdict::Hit),
        count(pb::ScreeningVerdict::NotComputed),
        count(pb::ScreeningVerdict::Clean),
    );
    tell(&match output.lang {
        Lang::Zh => {
            format!("命中 {hits}，无法判断 {not_computed}，未发现 {clean}。命中是待核线索，不是结论。")
        }
        Lang::En => format!(
            "{hits} hits, {not_computed} could not be computed, {clean} clean. A hit is a lead, not a finding."
        ),
    });
}

fn verdict_text(verdict: pb::ScreeningVerdict, lang: Lang) -> &'static str {
    match (verdict, lang) {
        (pb::ScreeningVerdict::Hit, Lang::Zh) => "命中",
        (pb::ScreeningVerdict::Hit, Lang::En) => "HIT",
        (pb::ScreeningVerdict::NotComputed, Lang::Zh) => "无法判断",
        (pb::ScreeningVerdict::NotComputed, Lang::En) => "NOT COMPUTED",
        (pb::ScreeningVerdict::Clean, Lang::Zh) => "未发现",
        (pb::ScreeningVerdict::Clean, Lang::En) => "CLEAN",
        (pb::ScreeningVerdict::Unspecified, _) => "?",
    }
}

fn check_text(check: pb::ScreeningCheck, lang: Lang) -> &'static str {
    let (zh, en) = match check {
        pb::ScreeningCheck::Unspecified => ("?", "?"),
        pb::ScreeningCheck::Identity => ("主体识别", "identity"),
        pb::ScreeningCheck::Lists => ("不良记录", "lists"),
        pb::ScreeningCheck::Agreement => ("廉洁协议", "agreement"),
        pb::ScreeningCheck::Relations => ("关联关系", "relations"),
        pb::ScreeningCheck::Price => ("挂网价格", "price"),
        pb::ScreeningCheck::Threshold => ("采购限额", "threshold"),
        pb::ScreeningCheck::Channel => ("采购渠道", "channel"),
    };
    match lang {
        Lang::Zh => zh,
        Lang::En => en,
    }
}

fn words(text: Option<&pb::Bilingual>, lang: Lang) -> String {
    let text = convert::bilingual_from_proto(text.cloned());
    text.get(lang).to_owned()
}

/// JSON: one object a screening. Table and CSV: one row a reason.
fn show(screenings: Vec<pb::Screening>, all: bool, output: &mut Output) -> CliResult<()> {
    if output.format == crate::cli::Format::Json {
        for screening in &screenings {
            output.json_line(&object(screening))?;
        }
        output.flush()?;
        return Ok(());
    }
    let lang = output.lang;
    let in_table = output.format == crate::cli::Format::Table;
    let mut rows: Vec<(Vec<String>, Json)> = Vec::new();
    for screening in &screenings {
        let party = screening
            .party
            .as_ref()
            .map(|p| p.name.clone())
            .unwrap_or_default();
        for check in &screening.checks {
            let worth =
                |r: &&pb::ScreeningReason| all || !in_table || r.verdict() != pb::ScreeningVerdict::Clean;
            let told: Vec<_> = check.reasons.iter().filter(worth).collect();
            let quiet = match told.is_empty() {
                true => check.reasons.get(..1).unwrap_or_default(),
                false => &[],
            };
            for reason in told.into_iter().chain(quiet) {
                rows.push((cells(screening, &party, check, reason, lang), Json::Null));
            }
        }
        if in_table && !screening.candidates.is_empty() && screening.party.is_none() {
            rows.push((candidates(screening, lang), Json::Null));
        }
    }
    output.list(&COLUMNS, rows)?;
    Ok(())
}

fn cells(
    screening: &pb::Screening,
    party: &str,
    check: &pb::ScreeningCheckResult,
    reason: &pb::ScreeningReason,
    lang: Lang,
) -> Vec<String> {
    let mut text = words(reason.text.as_ref(), lang);
    if let Some(lawful) = &reason.lawful_explanation {
        let lead = match lang {
            Lang::Zh => "；请先核对：",
            Lang::En => "; look first for: ",
        };
        text = text + lead + &words(Some(lawful), lang);
    }
    let evidence = reason.evidence.iter().map(|row| {
        let key: Vec<String> = row
            .key
            .values()
            .map(|v| convert::value_from_proto(v.clone()).to_string())
            .collect();
        format!("{} {}", row.dataset, key.join("|"))
    });
    vec![
        screening.reference.clone(),
        party.to_owned(),
        check_text(check.check(), lang).to_owned(),
        verdict_text(reason.verdict(), lang).to_owned(),
        reason.code.clone(),
        text,
        reason.valid_to.clone(),
        evidence.collect::<Vec<_>>().join("; "),
    ]
}

/// A row that says who it may be.
fn candidates(screening: &pb::Screening, lang: Lang) -> Vec<String> {
    let names = screening.candidates.iter().map(|c| {
        let code = if c.uscc.is_empty() { "-" } else { &c.uscc };
        format!("{} ({code}, {})", c.name, words(c.explanation.as_ref(), lang))
    });
    let title = match lang {
        Lang::Zh => "可能是",
        Lang::En => "may be",
    };
    let mut row = vec![String::new(); COLUMNS.len()];
    row[0].clone_from(&screening.reference);
    row[2] = title.to_owned();
    row[5] = names.collect::<Vec<_>>().join("; ");
    row
}

fn object(screening: &pb::Screening) -> impl Serialize + use<> {
    let bilingual = |t: Option<&pb::Bilingual>| t.map(|t| json!({"zh": t.zh, "en": t.en}));
    let short = |name: &str| {
        name.rsplit_once("VERDICT_")
            .map_or(name.to_owned(), |(_, v)| v.to_owned())
    };
    let check_name = |check: pb::ScreeningCheck| check.as_str_name().replace("SCREENING_CHECK_", "");
    let date = |text: &str| Some(text.to_owned()).filter(|t| !t.is_empty());
    let party = |p: &pb::ScreeningParty| {
        json!({"party_id": p.party_id, "name": p.name, "uscc": date(&p.uscc), "level": p.level,
               "explanation": bilingual(p.explanation.as_ref())})
    };
    let values = |list: &[pb::Value]| -> Vec<domain::Value> {
        list.iter().cloned().map(convert::value_from_proto).collect()
    };
    let reason = |r: &pb::ScreeningReason| {
        json!({
            "verdict": short(r.verdict().as_str_name()), "code": r.code, "text": bilingual(r.text.as_ref()),
            "lawful_explanation": bilingual(r.lawful_explanation.as_ref()), "legal_basis": date(&r.legal_basis),
            "line_no": r.line_no, "valid_from": date(&r.valid_from), "valid_to": date(&r.valid_to),
            "path": values(&r.path),
            "evidence": r.evidence.iter().map(|e| json!({
                "dataset": e.dataset, "key": convert::map_from_proto(e.key.clone()), "source": e.source, "batch": e.batch,
                "row": e.row,
            })).collect::<Vec<_>>(),
        })
    };
    json!({
        "reference": screening.reference, "snapshot": screening.snapshot, "as_of": screening.as_of,
        "verdict": short(screening.verdict().as_str_name()), "complete": screening.complete,
        "party": screening.party.as_ref().map(party),
        "candidates": screening.candidates.iter().map(party).collect::<Vec<_>>(),
        "checks": screening.checks.iter().map(|c| json!({
            "check": check_name(c.check()), "verdict": short(c.verdict().as_str_name()),
            "reasons": c.reasons.iter().map(reason).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "not_asked": screening.not_asked.iter().map(|n| json!({
            "check": check_name(n.check()), "lacking": bilingual(n.lacking.as_ref()),
        })).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_line_is_read_with_decimals_as_text() {
        let order: OrderText = serde_json::from_str(
            r#"{"order_id": "PO-1", "supplier_name": "甲", "amount": "12.50", "lines": [{"unit_price": "0.10", "quantity": 3}]}"#,
        )
        .expect("valid");
        let question = question(order, 1);
        assert_eq!(question.reference, "PO-1");
        let order = question.order.expect("an order");
        assert_eq!(
            (order.amount.as_str(), order.lines[0].quantity.as_str()),
            ("12.50", "3")
        );
    }

    #[test]
    fn a_binary_float_and_an_unknown_field_are_refused() {
        for (bad, why) in [
            (r#"{"amount": 12.5}"#, "as text"),
            (r#"{"amount": -1}"#, "as text"),
            (r#"{"supplier": "甲"}"#, "supplier"),
        ] {
            let error = serde_json::from_str::<OrderText>(bad).expect_err(bad).to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn checks_are_named_in_any_case() {
        assert_eq!(check_of_text("lists"), Ok(pb::ScreeningCheck::Lists));
        assert_eq!(check_of_text("PRICE"), Ok(pb::ScreeningCheck::Price));
        assert!(check_of_text("unspecified").is_err() && check_of_text("x").is_err());
    }
}
